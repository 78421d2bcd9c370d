#include "seal.hpp"

#include <wherry/mcp/content.hpp>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <cassert>
#include <cstdlib>

namespace wherry::inline v0::mcp::detail {
namespace {

constexpr std::size_t mac_bytes = 32;
constexpr std::size_t time_bytes = 8;

std::string big_endian(std::uint64_t v) {
  std::string out(time_bytes, '\0');
  for (std::size_t i = 0; i < time_bytes; ++i) out[i] = static_cast<char>(v >> (56 - 8 * i) & 0xFF);
  return out;
}

std::uint64_t from_big_endian(std::string_view bytes) {
  std::uint64_t v = 0;
  for (char const c : bytes) v = v << 8 | static_cast<unsigned char>(c);
  return v;
}

}  // namespace

std::string random_bytes(std::size_t count) {
  std::string out(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(count)) != 1) std::abort();
  return out;
}

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::string out(mac_bytes, '\0');
  unsigned length = 0;
  auto const* const made =
      HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<unsigned char const*>(text.data()),
           text.size(), reinterpret_cast<unsigned char*>(out.data()), &length);
  if (!made || length != mac_bytes) std::abort();  // an OpenSSL without SHA-256: nothing sealed could be trusted
  return out;
}

sealer::sealer(std::string current, std::string previous)
    : current_(current.empty() ? random_bytes(seal_key_bytes) : std::move(current)), previous_(std::move(previous)) {
  assert(current_.size() == seal_key_bytes && (previous_.empty() || previous_.size() == seal_key_bytes));
}

std::string sealer::seal(std::string_view payload, utc_ms until) const {
  std::string body = big_endian(static_cast<std::uint64_t>(until));
  body += payload;
  body += hmac_sha256(current_, body);
  return to_base64(body);
}

std::optional<std::string> sealer::open(std::string_view sealed, utc_ms now) const {
  auto body = from_base64(sealed);
  if (!body || body->size() < time_bytes + mac_bytes) return std::nullopt;
  auto const mac = body->substr(body->size() - mac_bytes);
  body->resize(body->size() - mac_bytes);
  auto const made_with = [&](std::string const& key) {
    return !key.empty() && CRYPTO_memcmp(hmac_sha256(key, *body).data(), mac.data(), mac_bytes) == 0;
  };
  if (!made_with(current_) && !made_with(previous_)) return std::nullopt;
  if (static_cast<utc_ms>(from_big_endian(std::string_view(*body).substr(0, time_bytes))) < now) return std::nullopt;
  return body->substr(time_bytes);
}

}  // namespace wherry::inline v0::mcp::detail
