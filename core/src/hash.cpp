#include <wherry/core/hash.hpp>

#include <openssl/evp.h>

#include <cstdlib>
#include <memory>

namespace wherry::inline v0 {
namespace {

/// Tables for eight bytes at a time ("slicing-by-8", Kounavis and Berry, 2005): crc_tables[k][b] is the checksum of
/// byte b followed by k zero bytes.
constexpr auto crc_tables = [] {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int k = 0; k < 8; ++k) c = (c & 1) ? 0xEDB88320u ^ (c >> 1) : c >> 1;
    tables[0][i] = c;
  }
  for (std::size_t k = 1; k < 8; ++k)
    for (std::size_t i = 0; i < 256; ++i) tables[k][i] = tables[0][tables[k - 1][i] & 0xFF] ^ (tables[k - 1][i] >> 8);
  return tables;
}();

}  // namespace

digest sha256(std::string_view bytes) {
  // Looking the algorithm up costs twice what hashing a short text does, so each thread does it once.
  struct context_free {
    void operator()(EVP_MD_CTX* c) const { EVP_MD_CTX_free(c); }
  };
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  thread_local std::unique_ptr<EVP_MD_CTX, context_free> const context(EVP_MD_CTX_new());
  digest out{};
  bool const done = EVP_DigestInit_ex2(context.get(), algorithm, nullptr) == 1 &&
                    EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1 &&
                    EVP_DigestFinal_ex(context.get(), out.data(), nullptr) == 1;
  if (!done) std::abort();  // an OpenSSL without SHA-256: nothing that follows could be trusted
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

namespace {

/// Goes on with a checksum, before its last inversion, over eight bytes.
inline std::uint32_t crc_step(std::uint32_t c, char const* eight) {
  auto const at = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<std::uint8_t>(eight[i])); };
  auto const& t = crc_tables;
  c ^= at(0) | at(1) << 8 | at(2) << 16 | at(3) << 24;
  return t[7][c & 0xFF] ^ t[6][c >> 8 & 0xFF] ^ t[5][c >> 16 & 0xFF] ^ t[4][c >> 24] ^  //
         t[3][at(4)] ^ t[2][at(5)] ^ t[1][at(6)] ^ t[0][at(7)];
}

/// Above so many bytes three parts are gone over at once: a step waits for the one before it, not for those beside it.
constexpr std::size_t crc_lanes_min = std::size_t{16} << 10;

std::uint32_t crc_in_lanes(std::string_view bytes) {
  auto const part = bytes.size() / 24 * 8;
  auto const *const a = bytes.data(), *const b = a + part, *const c = b + part;
  std::uint32_t x = 0xFFFFFFFFu, y = x, z = x;
  for (std::size_t i = 0; i < part; i += 8) {
    x = crc_step(x, a + i);
    y = crc_step(y, b + i);
    z = crc_step(z, c + i);
  }
  auto const both = crc32_joined(~x, ~y, part);
  auto const rest = bytes.substr(3 * part);
  return crc32_joined(crc32_joined(both, ~z, part), crc32(rest), rest.size());
}

/// Product of two polynomials over GF(2) modulo that of the checksum; the highest power is the lowest bit.
constexpr std::uint32_t crc_product(std::uint32_t a, std::uint32_t b) {
  std::uint32_t out = 0;
  for (; a != 0; a <<= 1) {
    if (a & 0x80000000u) out ^= b;
    b = (b & 1) ? 0xEDB88320u ^ (b >> 1) : b >> 1;
  }
  return out;
}

}  // namespace

std::uint32_t crc32(std::string_view bytes) noexcept {
  if (bytes.size() >= crc_lanes_min) return crc_in_lanes(bytes);
  std::uint32_t c = 0xFFFFFFFFu;
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) c = crc_step(c, bytes.data());
  for (char const byte : bytes) c = crc_tables[0][(c ^ static_cast<std::uint8_t>(byte)) & 0xFF] ^ (c >> 8);
  return c ^ 0xFFFFFFFFu;
}

std::uint32_t crc32_joined(std::uint32_t first, std::uint32_t second, std::uint64_t second_bytes) noexcept {
  // The first one moves up by 8 places a byte: times x^(8 n), whose squares are taken in turn.
  std::uint32_t power = 0x00800000u;  // x^8
  for (; second_bytes != 0; second_bytes >>= 1) {
    if (second_bytes & 1) first = crc_product(power, first);
    power = crc_product(power, power);
  }
  return first ^ second;
}

}  // namespace wherry::inline v0
