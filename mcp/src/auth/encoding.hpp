#pragma once
// Small encodings that authorisation speaks in.

#include <wherry/core/result.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wherry::inline v0::mcp::detail {

/// RFC 4648, section 5, without padding.
std::string base64url(std::string_view bytes);
/// Strict: no padding, no white space, no stray bits. nullopt for anything else.
std::optional<std::string> from_base64url(std::string_view text);

/// SHA-256, base64url.
std::string sha256_url(std::string_view text);
/// `bytes` random bytes, base64url.
std::string random_url(std::size_t bytes);

/// Equal, in time that depends on the lengths alone.
bool same_secret(std::string_view a, std::string_view b) noexcept;

/// application/x-www-form-urlencoded.
using form = std::vector<std::pair<std::string, std::string>>;
std::string form_text(form const& fields);
/// Names may repeat. Fails with: errc::parse_error.
result<form> parse_form(std::string_view text);

}  // namespace wherry::inline v0::mcp::detail
