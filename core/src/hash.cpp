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

std::uint32_t crc32(std::string_view bytes) noexcept {
  auto const at = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<std::uint8_t>(bytes[i])); };
  auto const& t = crc_tables;
  std::uint32_t c = 0xFFFFFFFFu;
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    c ^= at(0) | at(1) << 8 | at(2) << 16 | at(3) << 24;
    c = t[7][c & 0xFF] ^ t[6][c >> 8 & 0xFF] ^ t[5][c >> 16 & 0xFF] ^ t[4][c >> 24] ^  //
        t[3][at(4)] ^ t[2][at(5)] ^ t[1][at(6)] ^ t[0][at(7)];
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) c = t[0][(c ^ at(i)) & 0xFF] ^ (c >> 8);
  return c ^ 0xFFFFFFFFu;
}

}  // namespace wherry::inline v0
