#pragma once
// Time: UTC milliseconds for what is written down, the steady clock for deadlines.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace wherry::inline v0 {

/// Milliseconds since 1970-01-01T00:00:00Z.
using utc_ms = std::int64_t;

/// RFC 3339 in UTC with milliseconds: "2026-11-24T01:02:03.004Z".
std::string to_rfc3339(utc_ms time);

/// Where components read the time of day from; shared and thread-safe.
class clock {
 public:
  virtual ~clock() = default;
  virtual utc_ms now() const = 0;

  /// The system's clock.
  static std::shared_ptr<clock const> system();
};

/// A clock that stands still until it is moved: for tests and replay.
class manual_clock final : public clock {
 public:
  explicit manual_clock(utc_ms start = 0) : now_(start) {}
  utc_ms now() const override;
  void set(utc_ms time);
  void advance(std::chrono::milliseconds by);

 private:
  std::atomic<utc_ms> now_;
};

/// A deadline on the steady clock. The default is "none": such a wait is bounded by the caller's own limits.
using deadline = std::chrono::steady_clock::time_point;
inline constexpr deadline no_deadline = deadline::max();

}  // namespace wherry::inline v0
