#pragma once
// What Python's str knows about characters, over UTF-8. Bytes that are not UTF-8 count as one character each.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace wherry::inline v0::detail::chat {

/// Length in bytes of the character at an offset below text.size(); at least 1.
std::size_t character_size(std::string_view text, std::size_t at) noexcept;
/// The code point at an offset; U+FFFD for a broken byte.
std::uint32_t code_point_at(std::string_view text, std::size_t at) noexcept;
/// Appends UTF-8; false for surrogates and beyond U+10FFFF.
bool append_code_point(std::string& out, std::uint32_t code);

/// Python's str.isspace for one code point.
bool is_space(std::uint32_t code) noexcept;
/// Size of the text without its trailing whitespace.
std::size_t rstripped_size(std::string_view text) noexcept;
std::string_view lstripped(std::string_view text) noexcept;

enum class letter_case { upper, lower, title };
/// The full case mapping of one code point, in UTF-8.
std::string with_case(std::uint32_t code, letter_case to);
/// True for letters that have a case.
bool is_cased(std::uint32_t code) noexcept;

/// Value of a digit in bases up to 36; 255 when the character is none.
unsigned digit_value(char c) noexcept;

}  // namespace wherry::inline v0::detail::chat
