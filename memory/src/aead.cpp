#include "aead.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <cstdlib>
#include <memory>

namespace wherry::inline v0::memory_detail {
namespace {

/// OpenSSL only fails here for want of memory or of random bytes; there is no going on without either.
void require(bool done) {
  if (!done) std::abort();
}

unsigned char const* bytes(std::string_view text) { return reinterpret_cast<unsigned char const*>(text.data()); }
unsigned char* bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

/// One context a thread: making one costs more than sealing a row.
EVP_CIPHER_CTX* context() {
  struct freed {
    void operator()(EVP_CIPHER_CTX* c) const { EVP_CIPHER_CTX_free(c); }
  };
  thread_local std::unique_ptr<EVP_CIPHER_CTX, freed> const one(EVP_CIPHER_CTX_new());
  require(one != nullptr);
  return one.get();
}

EVP_CIPHER const* aes_256_gcm() {
  static EVP_CIPHER* const fetched = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  require(fetched != nullptr);
  return fetched;
}

}  // namespace

result<secret_key> random_key() {
  secret_key out;
  if (RAND_bytes(out.data(), static_cast<int>(out.size())) != 1)
    return error{errc::internal, "the system gave no random bytes for a key", "store.keys"};
  return out;
}

std::string sealed_with(secret_key const& key, std::string_view plain, std::string_view bound) {
  std::string out(nonce_bytes + plain.size() + tag_bytes, '\0');
  require(RAND_bytes(bytes(out), static_cast<int>(nonce_bytes)) == 1);
  auto* const c = context();
  int count = 0;
  require(EVP_EncryptInit_ex2(c, aes_256_gcm(), key.data(), bytes(out), nullptr) == 1);
  require(EVP_EncryptUpdate(c, nullptr, &count, bytes(bound), static_cast<int>(bound.size())) == 1);
  require(EVP_EncryptUpdate(c, bytes(out) + nonce_bytes, &count, bytes(plain), static_cast<int>(plain.size())) == 1);
  require(EVP_EncryptFinal_ex(c, bytes(out) + nonce_bytes + count, &count) == 1);
  require(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, static_cast<int>(tag_bytes),
                              bytes(out) + nonce_bytes + plain.size()) == 1);
  return out;
}

std::optional<std::string> opened_with(secret_key const& key, std::string_view sealed, std::string_view bound) {
  if (sealed.size() < nonce_bytes + tag_bytes) return std::nullopt;
  auto const body = sealed.substr(nonce_bytes, sealed.size() - nonce_bytes - tag_bytes);
  std::string tag(sealed.substr(sealed.size() - tag_bytes));
  std::string out(body.size(), '\0');
  auto* const c = context();
  int count = 0;
  require(EVP_DecryptInit_ex2(c, aes_256_gcm(), key.data(), bytes(sealed), nullptr) == 1);
  require(EVP_DecryptUpdate(c, nullptr, &count, bytes(bound), static_cast<int>(bound.size())) == 1);
  require(EVP_DecryptUpdate(c, bytes(out), &count, bytes(body), static_cast<int>(body.size())) == 1);
  require(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, static_cast<int>(tag_bytes), bytes(tag)) == 1);
  if (EVP_DecryptFinal_ex(c, bytes(out) + count, &count) != 1) return std::nullopt;
  return out;
}

secret_key keyed_hash(secret_key const& key, std::string_view text) {
  secret_key out;
  unsigned int size = 0;
  require(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes(text), text.size(), out.data(), &size) !=
              nullptr &&
          size == out.size());
  return out;
}

void forget(secret_key& key) noexcept { OPENSSL_cleanse(key.data(), key.size()); }

}  // namespace wherry::inline v0::memory_detail
