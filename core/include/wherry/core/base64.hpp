#pragma once
// Bytes as text: base64 of RFC 4648, with padding.

#include <wherry/core/result.hpp>

#include <string>
#include <string_view>

namespace wherry::inline v0 {

std::string to_base64(std::string_view bytes);

/// Fails with: errc::parse_error for anything that to_base64 does not write: other characters, line breaks, a missing
/// or wrong padding.
result<std::string> from_base64(std::string_view text);

}  // namespace wherry::inline v0
