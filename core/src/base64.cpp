#include <wherry/core/base64.hpp>

#include <array>
#include <cstdint>

namespace wherry::inline v0 {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t no_digit = 64;

constexpr auto digits = [] {
  std::array<std::uint8_t, 256> out{};
  out.fill(no_digit);
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    out[static_cast<std::uint8_t>(alphabet[i])] = static_cast<std::uint8_t>(i);
  return out;
}();

}  // namespace

std::string to_base64(std::string_view bytes) {
  std::string out;
  out.reserve(4 * ((bytes.size() + 2) / 3));
  while (!bytes.empty()) {
    auto const part = bytes.substr(0, 3);
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 3; ++i)
      value = value << 8 | (i < part.size() ? static_cast<std::uint8_t>(part[i]) : std::uint8_t{0});
    for (std::size_t i = 0; i < 4; ++i) out += i <= part.size() ? alphabet[value >> (18 - 6 * i) & 63] : '=';
    bytes.remove_prefix(part.size());
  }
  return out;
}

result<std::string> from_base64(std::string_view text) {
  auto const bad = [] { return error{errc::parse_error, "the text is not base64", "base64"}; };
  if (text.size() % 4 != 0) return bad();
  std::size_t const padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t at = 0; at < text.size(); at += 4) {
    std::size_t const filled = at + 4 == text.size() ? 4 - padding : 4;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      auto const digit = i < filled ? digits[static_cast<std::uint8_t>(text[at + i])] : std::uint8_t{0};
      if (digit == no_digit) return bad();
      value = value << 6 | digit;
    }
    std::uint32_t const unused = filled == 4 ? 0 : (1u << 8 * (4 - filled)) - 1;
    if (value & unused) return bad();  // bits that stand for nothing
    for (std::size_t i = 0; i + 1 < filled; ++i) out += static_cast<char>(value >> (16 - 8 * i));
  }
  return out;
}

}  // namespace wherry::inline v0
