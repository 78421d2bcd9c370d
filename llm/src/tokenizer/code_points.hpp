#pragma once
// Reading UTF-8 character by character.

#include <cstdint>
#include <string>
#include <string_view>

namespace wherry::inline v0::detail {

struct code_point {
  char32_t value = 0xFFFD;
  std::uint32_t length = 1;  // bytes
  bool valid = false;        // false: the byte is not UTF-8, and is one by itself
};

// The character at `at`, which lies in the text.
inline code_point code_point_at(std::string_view text, std::size_t at) noexcept {
  auto const byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[at + i]); };
  auto const lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  std::uint32_t const length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() - at < length) return {};
  char32_t value = lead & (0x7Fu >> length);
  for (std::uint32_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    value = value << 6 | (byte(i) & 0x3F);
  }
  bool const overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  bool const surrogate = value >= 0xD800 && value < 0xE000;
  if (overlong || surrogate || value > 0x10FFFF) return {};
  return {value, length, true};
}

}  // namespace wherry::inline v0::detail
