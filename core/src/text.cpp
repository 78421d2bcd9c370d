#include <wherry/core/text.hpp>

#include <cstdint>
#include <cstring>

namespace wherry::inline v0 {
namespace {

// Length of the well-formed sequence at `at`, 0 when it is broken, and -1 when the text ends inside it.
int sequence_at(std::string_view s, std::size_t at) noexcept {
  auto const byte = [&](std::size_t i) { return static_cast<std::uint8_t>(s[i]); };
  std::uint8_t const lead = byte(at);
  if (lead < 0x80) return 1;
  int length = 0;
  std::uint8_t low = 0x80, high = 0xBF;  // limits of the second byte: Unicode table 3-7
  if (lead >= 0xC2 && lead <= 0xDF)
    length = 2;
  else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return 0;
  }
  for (int i = 1; i < length; ++i) {
    if (at + i >= s.size()) return -1;
    std::uint8_t const next = byte(at + i);
    if (next < (i == 1 ? low : 0x80) || next > (i == 1 ? high : 0xBF)) return 0;
  }
  return length;
}

// Length of the beginning that is ASCII, looked at eight bytes at a time.
std::size_t ascii_prefix(std::string_view s) noexcept {
  std::size_t at = 0;
  for (std::uint64_t eight; at + sizeof eight <= s.size(); at += sizeof eight) {
    std::memcpy(&eight, s.data() + at, sizeof eight);
    if (eight & 0x8080808080808080u) break;
  }
  while (at < s.size() && static_cast<std::uint8_t>(s[at]) < 0x80) ++at;
  return at;
}

}  // namespace

std::size_t utf8_error_at(std::string_view text) noexcept {
  std::size_t at = 0;
  while (at < text.size()) {
    at += ascii_prefix(text.substr(at));
    if (at == text.size()) break;
    int const length = sequence_at(text, at);
    if (length <= 0) return at;
    at += static_cast<std::size_t>(length);
  }
  return text.size();
}

bool is_valid_utf8(std::string_view text) noexcept { return utf8_error_at(text) == text.size(); }

std::size_t utf8_complete_prefix(std::string_view text) noexcept {
  std::size_t const look_back = text.size() < 3 ? text.size() : 3;
  for (std::size_t back = 1; back <= look_back; ++back) {
    std::size_t const at = text.size() - back;
    if ((static_cast<std::uint8_t>(text[at]) & 0xC0) == 0x80) continue;
    return sequence_at(text, at) == -1 ? at : text.size();
  }
  return text.size();
}

std::string utf8_repaired(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    int const length = sequence_at(text, at);
    if (length > 0) {
      out.append(text.substr(at, static_cast<std::size_t>(length)));
      at += static_cast<std::size_t>(length);
    } else {
      out += "\xEF\xBF\xBD";
      ++at;
    }
  }
  return out;
}

void append_utf8(std::string& out, char32_t c) {
  auto const put = [&out](char32_t bits) { out += static_cast<char>(bits); };
  if (c < 0x80) return put(c);
  if (c < 0x800) {
    put(0xC0 | c >> 6);
  } else {
    if (c < 0x10000) {
      put(0xE0 | c >> 12);
    } else {
      put(0xF0 | c >> 18);
      put(0x80 | (c >> 12 & 0x3F));
    }
    put(0x80 | (c >> 6 & 0x3F));
  }
  put(0x80 | (c & 0x3F));
}

}  // namespace wherry::inline v0
