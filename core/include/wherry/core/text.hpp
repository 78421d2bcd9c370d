#pragma once
// UTF-8: checked at entry, never normalised, cut on code points only.

#include <cstddef>
#include <string>
#include <string_view>

namespace wherry::inline v0 {

/// True when every byte belongs to a well-formed UTF-8 sequence (no surrogates, no overlong forms, <= U+10FFFF).
bool is_valid_utf8(std::string_view text) noexcept;

/// Offset of the first byte that is not well-formed UTF-8; text.size() when there is none.
std::size_t utf8_error_at(std::string_view text) noexcept;

/// Length of the longest prefix that does not end inside a code point. A stream keeps the rest for the next delta.
std::size_t utf8_complete_prefix(std::string_view text) noexcept;

/// The text with each byte that is not well-formed UTF-8 replaced by U+FFFD.
std::string utf8_repaired(std::string_view text);

/// Appends a code point. Requires: it is one that UTF-8 can hold (no surrogate, <= U+10FFFF).
void append_utf8(std::string& out, char32_t c);

}  // namespace wherry::inline v0
