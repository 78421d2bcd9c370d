#pragma once
// State that a client carries for us and must not change: sealed with a MAC, and with the time it ends.

#include <wherry/core/clock.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace wherry::inline v0::mcp::detail {

inline constexpr std::size_t seal_key_bytes = 32;

/// Random bytes from the operating system.
std::string random_bytes(std::size_t count);

/// HMAC-SHA-256.
std::string hmac_sha256(std::string_view key, std::string_view text);

/// Seals with the current key and opens with the current one or the one before.
class sealer {
 public:
  /// Keys of 32 bytes; an empty `current` is drawn, an empty `previous` opens nothing.
  sealer(std::string current, std::string previous);

  /// Base64 of the payload, its end and a MAC over both.
  std::string seal(std::string_view payload, utc_ms until) const;
  /// The payload; nothing when the text was changed, sealed by somebody else, or is past its end.
  std::optional<std::string> open(std::string_view sealed, utc_ms now) const;

 private:
  std::string current_;
  std::string previous_;
};

}  // namespace wherry::inline v0::mcp::detail
