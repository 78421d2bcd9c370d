#pragma once
// Identifiers: 128-bit ULIDs (48 bits of UTC milliseconds, 80 random bits), sortable as text and as bytes.

#include <wherry/core/clock.hpp>
#include <wherry/core/random.hpp>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wherry::inline v0 {

/// A ULID. Source of the text form: the ULID specification (Crockford's base 32, 26 characters).
struct ulid {
  std::array<std::uint8_t, 16> bytes{};  ///< Big-endian: time first.

  /// Deterministic: the same place and time give the same id. Ids of a run are drawn from the run's seed.
  static ulid draw(utc_ms time, draw_key const& key);

  /// From the operating system's random source; for things outside a run.
  static ulid fresh();

  std::string text() const;
  static std::optional<ulid> parse(std::string_view text);
  std::string_view view() const { return {reinterpret_cast<char const*>(bytes.data()), bytes.size()}; }

  friend auto operator<=>(ulid const&, ulid const&) = default;
};

}  // namespace wherry::inline v0
