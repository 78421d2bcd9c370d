#include <wherry/core/hash.hpp>

#include <openssl/sha.h>

namespace wherry::inline v0 {
namespace {

constexpr std::array<std::uint32_t, 256> crc_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int k = 0; k < 8; ++k) c = (c & 1) ? 0xEDB88320u ^ (c >> 1) : c >> 1;
    table[i] = c;
  }
  return table;
}();

}  // namespace

digest sha256(std::string_view bytes) {
  digest out{};
  SHA256(reinterpret_cast<unsigned char const*>(bytes.data()), bytes.size(), out.data());
  return out;
}

std::string to_hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (char const c : bytes) {
    auto const b = static_cast<std::uint8_t>(c);
    out += digits[b >> 4];
    out += digits[b & 15];
  }
  return out;
}

std::string to_hex(digest const& d) { return to_hex({reinterpret_cast<char const*>(d.data()), d.size()}); }

std::string content_hash(std::string_view bytes) { return to_hex(sha256(bytes)); }

std::uint32_t crc32(std::string_view bytes) noexcept {
  std::uint32_t c = 0xFFFFFFFFu;
  for (char const b : bytes) c = crc_table[(c ^ static_cast<std::uint8_t>(b)) & 0xFF] ^ (c >> 8);
  return c ^ 0xFFFFFFFFu;
}

}  // namespace wherry::inline v0
