#include "auth/encoding.hpp"

#include <wherry/core/hash.hpp>
#include <wherry/http/url.hpp>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <array>
#include <cstdint>
#include <cstdlib>

namespace wherry::inline v0::mcp::detail {
namespace {

constexpr std::string_view url_letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string encode(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() * 4 + 2) / 3);
  std::uint32_t held = 0;
  int bits = 0;
  for (char const c : bytes) {
    held = held << 8 | static_cast<unsigned char>(c);
    for (bits += 8; bits >= 6; bits -= 6) out += url_letters[held >> (bits - 6) & 63];
  }
  if (bits > 0) out += url_letters[held << (6 - bits) & 63];
  return out;
}

}  // namespace

std::string base64url(std::string_view bytes) { return encode(bytes); }

std::optional<std::string> from_base64url(std::string_view text) {
  static constexpr auto values = [] {
    std::array<std::int8_t, 256> v{};
    v.fill(-1);
    for (std::size_t i = 0; i < url_letters.size(); ++i)
      v[static_cast<unsigned char>(url_letters[i])] = static_cast<std::int8_t>(i);
    return v;
  }();
  std::string out;
  out.reserve(text.size() * 3 / 4);
  std::uint32_t held = 0;
  int bits = 0;
  for (char const c : text) {
    int const value = values[static_cast<unsigned char>(c)];
    if (value < 0) return std::nullopt;
    held = held << 6 | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits >= 8) out += static_cast<char>(held >> (bits -= 8) & 0xFF);
  }
  // What is left must be fewer bits than a letter, and zero: one text for one value.
  if (bits >= 6 || (held & ((1u << bits) - 1)) != 0) return std::nullopt;
  return out;
}

std::string sha256_url(std::string_view text) {
  auto const hash = sha256(text);
  return base64url({reinterpret_cast<char const*>(hash.data()), hash.size()});
}

std::string random_url(std::size_t bytes) {
  std::string out(bytes, '\0');
  // Without randomness no secret could be trusted.
  if (RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(bytes)) != 1) std::abort();
  return base64url(out);
}

bool same_secret(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string form_text(form const& fields) {
  std::string out;
  for (auto const& [name, value] : fields) {
    if (!out.empty()) out += '&';
    ((out += percent_encode(name)) += '=') += percent_encode(value);
  }
  return out;
}

result<form> parse_form(std::string_view text) {
  form out;
  while (!text.empty()) {
    auto const end = std::min(text.find('&'), text.size());
    auto const part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (part.empty()) continue;
    auto const equals = std::min(part.find('='), part.size());
    auto name = percent_decode(part.substr(0, equals), true);
    if (!name) return name.error();
    auto value = percent_decode(part.substr(std::min(equals + 1, part.size())), true);
    if (!value) return value.error();
    out.emplace_back(std::move(*name), std::move(*value));
  }
  return out;
}

}  // namespace wherry::inline v0::mcp::detail
