#include "chat/unicode.hpp"

#include <wherry/core/text.hpp>

#include <unicode/uchar.h>
#include <unicode/ustring.h>
#include <unicode/utf8.h>

namespace wherry::inline v0::detail::chat {
namespace {

struct decoded {
  UChar32 code;
  std::size_t size;
};

decoded decode(std::string_view text, std::size_t at) noexcept {
  auto const* bytes = reinterpret_cast<std::uint8_t const*>(text.data()) + at;
  if (bytes[0] < 0x80) return {bytes[0], 1};
  int32_t next = 0;
  UChar32 code = 0;
  int32_t const available = text.size() - at < 4 ? static_cast<int32_t>(text.size() - at) : 4;
  U8_NEXT(bytes, next, available, code);
  return code < 0 ? decoded{0xFFFD, 1} : decoded{code, static_cast<std::size_t>(next)};
}

}  // namespace

std::size_t character_size(std::string_view text, std::size_t at) noexcept { return decode(text, at).size; }
std::uint32_t code_point_at(std::string_view text, std::size_t at) noexcept {
  return static_cast<std::uint32_t>(decode(text, at).code);
}

bool append_code_point(std::string& out, std::uint32_t code) {
  if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return false;
  append_utf8(out, code);
  return true;
}

bool is_space(std::uint32_t code) noexcept {
  return (code >= 0x09 && code <= 0x0D) || (code >= 0x1C && code <= 0x20) || code == 0x85 || code == 0xA0 ||
         code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F ||
         code == 0x205F || code == 0x3000;
}

std::size_t rstripped_size(std::string_view text) noexcept {
  std::size_t size = text.size();
  while (size > 0) {
    std::size_t begin = size - 1;
    while (begin > 0 && size - begin < 4 && (text[begin] & 0xC0) == 0x80) --begin;
    auto const last = decode(text, begin);
    if (begin + last.size != size || !is_space(static_cast<std::uint32_t>(last.code))) break;
    size = begin;
  }
  return size;
}

std::string_view lstripped(std::string_view text) noexcept {
  while (!text.empty()) {
    auto const first = decode(text, 0);
    if (!is_space(static_cast<std::uint32_t>(first.code))) break;
    text.remove_prefix(first.size);
  }
  return text;
}

std::string with_case(std::uint32_t code, letter_case to) {
  UChar source[2];
  int32_t source_size = 0;
  U16_APPEND_UNSAFE(source, source_size, code);
  UChar mapped[8];
  UErrorCode status = U_ZERO_ERROR;
  int32_t size = 0;
  switch (to) {
    case letter_case::upper: size = u_strToUpper(mapped, 8, source, source_size, "", &status); break;
    case letter_case::lower: size = u_strToLower(mapped, 8, source, source_size, "", &status); break;
    case letter_case::title:
      // u_strToTitle wants a word iterator; the simple mapping differs for a handful of ligatures only.
      size = 0;
      U16_APPEND_UNSAFE(mapped, size, u_totitle(static_cast<UChar32>(code)));
      break;
  }
  std::string out;
  for (int32_t i = 0; U_SUCCESS(status) && i < size;) {
    UChar32 c = 0;
    U16_NEXT(mapped, i, size, c);
    append_code_point(out, static_cast<std::uint32_t>(c));
  }
  return out;
}

bool is_cased(std::uint32_t code) noexcept { return u_hasBinaryProperty(static_cast<UChar32>(code), UCHAR_CASED); }

unsigned digit_value(char c) noexcept {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'z') return static_cast<unsigned>(c - 'a') + 10;
  if (c >= 'A' && c <= 'Z') return static_cast<unsigned>(c - 'A') + 10;
  return 255;
}

}  // namespace wherry::inline v0::detail::chat
