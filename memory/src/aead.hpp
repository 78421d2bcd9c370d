#pragma once
// AES-256-GCM and HMAC-SHA256, by OpenSSL.

#include <wherry/core/result.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wherry::inline v0::memory_detail {

using secret_key = std::array<std::uint8_t, 32>;

/// What sealing adds: a random nonce before, a tag behind.
inline constexpr std::size_t nonce_bytes = 12;
inline constexpr std::size_t tag_bytes = 16;

/// Bytes nobody can guess. Fails with: errc::internal when the system has none to give.
result<secret_key> random_key();
/// `bound` is not in it, but what opens it has to know it.
std::string sealed_with(secret_key const& key, std::string_view plain, std::string_view bound);
/// Absent: it was not sealed with this key for this place, or it was changed.
std::optional<std::string> opened_with(secret_key const& key, std::string_view sealed, std::string_view bound);

secret_key keyed_hash(secret_key const& key, std::string_view text);

/// Overwrites a key in a way that a compiler keeps.
void forget(secret_key& key) noexcept;

}  // namespace wherry::inline v0::memory_detail
