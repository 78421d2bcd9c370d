#include <wherry/core/clock.hpp>

#include <cstdio>
#include <ctime>

namespace wherry::inline v0 {
namespace {

class system_clock final : public clock {
 public:
  utc_ms now() const override {
    using namespace std::chrono;
    return duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  }
};

}  // namespace

std::string to_rfc3339(utc_ms time) {
  std::int64_t seconds = time / 1000, ms = time % 1000;
  if (ms < 0) {
    ms += 1000;
    --seconds;
  }
  std::time_t const t = seconds;
  std::tm parts{};
  gmtime_r(&t, &parts);
  char text[48];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, static_cast<int>(ms));
  return text;
}

std::shared_ptr<clock const> clock::system() {
  static std::shared_ptr<clock const> const instance = std::make_shared<system_clock>();
  return instance;
}

utc_ms manual_clock::now() const { return now_; }
void manual_clock::set(utc_ms time) { now_ = time; }
void manual_clock::advance(std::chrono::milliseconds by) { now_ += by.count(); }

}  // namespace wherry::inline v0
