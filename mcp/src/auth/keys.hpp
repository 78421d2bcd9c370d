#pragma once
// OpenSSL keys behind the JOSE names. Signatures come and go in JOSE's form: r and s side by side for ECDSA.

#include <wherry/core/json.hpp>
#include <wherry/mcp/jwt.hpp>

#include <openssl/evp.h>

#include <memory>

namespace wherry::inline v0::mcp::detail {

struct key_free {
  void operator()(EVP_PKEY* k) const noexcept { EVP_PKEY_free(k); }
};
using key_ptr = std::shared_ptr<EVP_PKEY>;
inline key_ptr own(EVP_PKEY* k) { return key_ptr(k, key_free{}); }

/// Null when the JWK is of a kind that signs nothing, or broken.
key_ptr key_from_jwk(json const& jwk);
json jwk_of(EVP_PKEY* key);
std::string thumbprint_of(json const& jwk);

bool fits(EVP_PKEY* key, jwt_algorithm a) noexcept;
/// Empty when it cannot be done.
std::string sign(EVP_PKEY* key, jwt_algorithm a, std::string_view text);
bool verify(EVP_PKEY* key, jwt_algorithm a, std::string_view text, std::string_view signature);

}  // namespace wherry::inline v0::mcp::detail
