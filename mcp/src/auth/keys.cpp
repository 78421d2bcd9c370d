#include "auth/keys.hpp"

#include "auth/encoding.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <array>
#include <vector>

namespace wherry::inline v0::mcp::detail {
namespace {

template <auto F>
struct call {
  template <class T>
  void operator()(T* p) const noexcept {
    F(p);
  }
};
using number = std::unique_ptr<BIGNUM, call<BN_free>>;
using digest_context = std::unique_ptr<EVP_MD_CTX, call<EVP_MD_CTX_free>>;
using key_context = std::unique_ptr<EVP_PKEY_CTX, call<EVP_PKEY_CTX_free>>;
using builder = std::unique_ptr<OSSL_PARAM_BLD, call<OSSL_PARAM_BLD_free>>;
using params = std::unique_ptr<OSSL_PARAM, call<OSSL_PARAM_free>>;
using ecdsa_sig = std::unique_ptr<ECDSA_SIG, call<ECDSA_SIG_free>>;

constexpr int rsa_bits_min = 2048;  // RFC 7518, section 3.3
constexpr int rsa_bits_max = 8192;  // a larger one only burns time

struct curve {
  char const* jose;
  char const* openssl;
  std::size_t bytes;
  jwt_algorithm algorithm;
};
constexpr std::array<curve, 3> curves{{{"P-256", "prime256v1", 32, jwt_algorithm::es256},
                                       {"P-384", "secp384r1", 48, jwt_algorithm::es384},
                                       {"P-521", "secp521r1", 66, jwt_algorithm::es512}}};

curve const* curve_of(EVP_PKEY* key) {
  char name[64] = {};
  if (EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, name, sizeof name, nullptr) != 1) return nullptr;
  for (auto const& c : curves)
    if (std::string_view(name) == c.openssl || std::string_view(name) == c.jose) return &c;
  return nullptr;
}

std::optional<std::string> bytes_of(json const& jwk, char const* member) {
  auto const at = jwk.find(member);
  if (at == jwk.end() || !at->is_string()) return std::nullopt;
  return from_base64url(at->get_ref<std::string const&>());
}

unsigned char const* raw(std::string_view text) { return reinterpret_cast<unsigned char const*>(text.data()); }

number number_of(std::string_view bytes) {
  return number(BN_bin2bn(raw(bytes), static_cast<int>(bytes.size()), nullptr));
}

std::string padded(BIGNUM const* n, std::size_t size) {
  std::string out(size, '\0');
  if (BN_bn2binpad(n, reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(size)) < 0) return {};
  return out;
}

key_ptr from_params(char const* kind, OSSL_PARAM_BLD* b) {
  params const values(OSSL_PARAM_BLD_to_param(b));
  key_context const context(EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr));
  EVP_PKEY* key = nullptr;
  bool const made = values && context && EVP_PKEY_fromdata_init(context.get()) == 1 &&
                    EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, values.get()) == 1;
  ERR_clear_error();
  return made ? own(key) : nullptr;
}

key_ptr rsa_key(json const& jwk) {
  auto const n = bytes_of(jwk, "n"), e = bytes_of(jwk, "e");
  if (!n || !e || n->size() > rsa_bits_max / 8 || e->size() > 8) return nullptr;
  auto const modulus = number_of(*n), exponent = number_of(*e);
  if (BN_num_bits(modulus.get()) < rsa_bits_min || !BN_is_odd(modulus.get()) || !BN_is_odd(exponent.get()) ||
      BN_is_one(exponent.get()))
    return nullptr;
  builder const b(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(b.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_BN(b.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
  return from_params("RSA", b.get());
}

key_ptr ec_key(json const& jwk) {
  auto const crv = jwk.value("crv", "");
  auto const x = bytes_of(jwk, "x"), y = bytes_of(jwk, "y");
  for (auto const& c : curves) {
    if (crv != c.jose || !x || !y || x->size() != c.bytes || y->size() != c.bytes) continue;
    std::string const point = '\x04' + *x + *y;
    builder const b(OSSL_PARAM_BLD_new());
    OSSL_PARAM_BLD_push_utf8_string(b.get(), OSSL_PKEY_PARAM_GROUP_NAME, c.openssl, 0);
    OSSL_PARAM_BLD_push_octet_string(b.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
    return from_params("EC", b.get());  // OpenSSL checks that the point is on the curve
  }
  return nullptr;
}

key_ptr okp_key(json const& jwk) {
  auto const x = bytes_of(jwk, "x");
  if (jwk.value("crv", "") != "Ed25519" || !x || x->size() != 32) return nullptr;
  auto* const key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw(*x), x->size());
  return key ? own(key) : nullptr;
}

char const* digest_of(jwt_algorithm a) {
  switch (a) {
    case jwt_algorithm::rs256:
    case jwt_algorithm::ps256:
    case jwt_algorithm::es256: return "SHA256";
    case jwt_algorithm::rs384:
    case jwt_algorithm::ps384:
    case jwt_algorithm::es384: return "SHA384";
    case jwt_algorithm::rs512:
    case jwt_algorithm::ps512:
    case jwt_algorithm::es512: return "SHA512";
    case jwt_algorithm::eddsa: return nullptr;
  }
  return nullptr;
}

bool is_pss(jwt_algorithm a) {
  return a == jwt_algorithm::ps256 || a == jwt_algorithm::ps384 || a == jwt_algorithm::ps512;
}

bool set_padding(EVP_PKEY_CTX* context, jwt_algorithm a) {
  if (!is_pss(a)) return true;
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

// DER to r||s and back.
std::string to_jose(std::string const& der, std::size_t size) {
  auto const* data = raw(der);
  ecdsa_sig const sig(d2i_ECDSA_SIG(nullptr, &data, static_cast<long>(der.size())));
  if (!sig) return {};
  return padded(ECDSA_SIG_get0_r(sig.get()), size) + padded(ECDSA_SIG_get0_s(sig.get()), size);
}

std::string to_der(std::string_view jose) {
  ecdsa_sig const sig(ECDSA_SIG_new());
  auto r = number_of(jose.substr(0, jose.size() / 2)), s = number_of(jose.substr(jose.size() / 2));
  if (ECDSA_SIG_set0(sig.get(), r.get(), s.get()) != 1) return {};
  (void)r.release();
  (void)s.release();
  unsigned char* out = nullptr;
  int const size = i2d_ECDSA_SIG(sig.get(), &out);
  if (size <= 0) return {};
  std::string der(reinterpret_cast<char*>(out), static_cast<std::size_t>(size));
  OPENSSL_free(out);
  return der;
}

}  // namespace

key_ptr key_from_jwk(json const& jwk) {
  if (!jwk.is_object() || !jwk.contains("kty") || !jwk["kty"].is_string()) return nullptr;
  for (auto const* member : {"crv", "use", "alg", "kid"})
    if (jwk.contains(member) && !jwk[member].is_string()) return nullptr;
  if (jwk.value("use", "sig") != "sig") return nullptr;
  auto const& kind = jwk["kty"].get_ref<std::string const&>();
  if (kind == "RSA") return rsa_key(jwk);
  if (kind == "EC") return ec_key(jwk);
  if (kind == "OKP") return okp_key(jwk);
  return nullptr;
}

json jwk_of(EVP_PKEY* key) {
  json out = json::object();
  auto const whole = [&](char const* name) {
    BIGNUM* n = nullptr;
    EVP_PKEY_get_bn_param(key, name, &n);
    return number(n);
  };
  auto const minimal = [](number const& n) {
    return n ? base64url(padded(n.get(), static_cast<std::size_t>(BN_num_bytes(n.get())))) : "";
  };
  if (EVP_PKEY_is_a(key, "RSA")) {
    out["kty"] = "RSA";
    out["n"] = minimal(whole(OSSL_PKEY_PARAM_RSA_N));
    out["e"] = minimal(whole(OSSL_PKEY_PARAM_RSA_E));
  } else if (auto const* c = EVP_PKEY_is_a(key, "EC") ? curve_of(key) : nullptr) {
    out["kty"] = "EC";
    out["crv"] = c->jose;
    out["x"] = base64url(padded(whole(OSSL_PKEY_PARAM_EC_PUB_X).get(), c->bytes));
    out["y"] = base64url(padded(whole(OSSL_PKEY_PARAM_EC_PUB_Y).get(), c->bytes));
  } else {
    std::string x(32, '\0');
    std::size_t size = x.size();
    EVP_PKEY_get_raw_public_key(key, reinterpret_cast<unsigned char*>(x.data()), &size);
    out["kty"] = "OKP";
    out["crv"] = "Ed25519";
    out["x"] = base64url(x);
  }
  return out;
}

// RFC 7638: the required members in lexical order, without white space.
std::string thumbprint_of(json const& jwk) {
  json out = json::object();
  for (auto const* member : {"crv", "e", "kty", "n", "x", "y"})
    if (auto const at = jwk.find(member); at != jwk.end()) out[member] = *at;
  return sha256_url(to_text(out));
}

bool fits(EVP_PKEY* key, jwt_algorithm a) noexcept {
  switch (a) {
    case jwt_algorithm::eddsa: return EVP_PKEY_is_a(key, "ED25519") == 1;
    case jwt_algorithm::es256:
    case jwt_algorithm::es384:
    case jwt_algorithm::es512: {
      auto const* c = EVP_PKEY_is_a(key, "EC") ? curve_of(key) : nullptr;
      return c && c->algorithm == a;
    }
    default: return EVP_PKEY_is_a(key, "RSA") == 1 && EVP_PKEY_get_bits(key) >= rsa_bits_min;
  }
}

std::string sign(EVP_PKEY* key, jwt_algorithm a, std::string_view text) {
  digest_context const context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* padding = nullptr;
  std::size_t size = 0;
  std::string out;
  bool made = EVP_DigestSignInit_ex(context.get(), &padding, digest_of(a), nullptr, nullptr, key, nullptr) == 1 &&
              set_padding(padding, a) && EVP_DigestSign(context.get(), nullptr, &size, raw(text), text.size()) == 1;
  if (made) {
    out.resize(size);
    made =
        EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size, raw(text), text.size()) == 1;
    out.resize(size);
  }
  ERR_clear_error();
  if (!made) return {};
  auto const* c = EVP_PKEY_is_a(key, "EC") ? curve_of(key) : nullptr;
  return c ? to_jose(out, c->bytes) : out;
}

bool verify(EVP_PKEY* key, jwt_algorithm a, std::string_view text, std::string_view signature) {
  std::string der;
  if (auto const* c = EVP_PKEY_is_a(key, "EC") ? curve_of(key) : nullptr) {
    if (signature.size() != 2 * c->bytes) return false;
    der = to_der(signature);
    signature = der;
  }
  digest_context const context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* padding = nullptr;
  bool const right =
      EVP_DigestVerifyInit_ex(context.get(), &padding, digest_of(a), nullptr, nullptr, key, nullptr) == 1 &&
      set_padding(padding, a) &&
      EVP_DigestVerify(context.get(), raw(signature), signature.size(), raw(text), text.size()) == 1;
  ERR_clear_error();
  return right;
}

}  // namespace wherry::inline v0::mcp::detail
