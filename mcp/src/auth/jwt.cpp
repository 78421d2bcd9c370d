#include <wherry/mcp/jwt.hpp>

#include "auth/encoding.hpp"
#include "auth/keys.hpp"

#include <wherry/core/json.hpp>
#include <wherry/http/fields.hpp>
#include <wherry/http/url.hpp>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace wherry::inline v0::mcp {
namespace {

constexpr std::array<std::pair<jwt_algorithm, std::string_view>, 10> names{{{jwt_algorithm::rs256, "RS256"},
                                                                            {jwt_algorithm::rs384, "RS384"},
                                                                            {jwt_algorithm::rs512, "RS512"},
                                                                            {jwt_algorithm::ps256, "PS256"},
                                                                            {jwt_algorithm::ps384, "PS384"},
                                                                            {jwt_algorithm::ps512, "PS512"},
                                                                            {jwt_algorithm::es256, "ES256"},
                                                                            {jwt_algorithm::es384, "ES384"},
                                                                            {jwt_algorithm::es512, "ES512"},
                                                                            {jwt_algorithm::eddsa, "EdDSA"}}};

error broken(std::string what) { return {errc::parse_error, "not a JSON Web Token: " + std::move(what), "jwt"}; }
error denied(std::string what) { return {errc::denied, "the token is not accepted: " + std::move(what), "jwt"}; }

std::string text_of(json const& object, char const* member) {
  auto const at = object.find(member);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

// The three parts; header and claims are objects.
struct parts {
  json header, claims;
  std::string header_text, claims_text, signature;
  std::string_view signed_text;
};

result<parts> take_apart(std::string_view token) {
  if (token.size() > token_bytes_max) return broken("longer than " + std::to_string(token_bytes_max) + " bytes");
  auto const first = token.find('.');
  auto const second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos)
    return broken("it has not three parts");
  parts out;
  out.signed_text = token.substr(0, second);
  auto header = detail::from_base64url(token.substr(0, first));
  auto claims = detail::from_base64url(token.substr(first + 1, second - first - 1));
  auto signature = detail::from_base64url(token.substr(second + 1));
  if (!header || !claims || !signature) return broken("a part is not base64url");
  auto parsed_header = parse_json(*header), parsed_claims = parse_json(*claims);
  if (!parsed_header || !parsed_header->is_object()) return broken("the header is no JSON object");
  if (!parsed_claims || !parsed_claims->is_object()) return broken("the claims are no JSON object");
  out.header = std::move(*parsed_header);
  out.claims = std::move(*parsed_claims);
  out.header_text = std::move(*header);
  out.claims_text = std::move(*claims);
  out.signature = std::move(*signature);
  return out;
}

// Seconds since 1970 as a claim has them: an integer or a fraction.
std::optional<double> time_claim(json const& claims, char const* name, bool& malformed) {
  auto const at = claims.find(name);
  if (at == claims.end()) return std::nullopt;
  malformed = malformed || !at->is_number() || !std::isfinite(at->get<double>());
  return at->is_number() ? at->get<double>() : 0;
}

result<void> check_times(json const& claims, jwt_expectations const& expected, utc_ms now) {
  bool malformed = false;
  auto const expires = time_claim(claims, "exp", malformed), from = time_claim(claims, "nbf", malformed);
  time_claim(claims, "iat", malformed);
  if (malformed) return denied("a time in it is no number");
  double const seconds = static_cast<double>(now) / 1000, skew = static_cast<double>(expected.skew.count());
  if (!expires && expected.expiry_required) return denied("it never expires (exp)");
  if (expires && *expires + skew <= seconds) return denied("it has expired (exp)");
  if (from && *from - skew > seconds) return denied("it is not valid yet (nbf)");
  return {};
}

bool holds(std::vector<std::string> const& list, std::string_view text) {
  return std::any_of(list.begin(), list.end(), [&](std::string const& l) { return l == text; });
}

result<void> check_claims(json const& claims, jwt_expectations const& expected, utc_ms now) {
  auto timely = check_times(claims, expected, now);
  if (!timely) return timely;
  if (!expected.issuers.empty() && !holds(expected.issuers, text_of(claims, "iss")))
    return denied("the wrong issuer (iss)");
  if (expected.audiences.empty()) return {};
  auto const aud = claims.find("aud");
  if (aud == claims.end()) return denied("it names no audience (aud)");
  if (aud->is_string() && holds(expected.audiences, aud->get_ref<std::string const&>())) return {};
  if (aud->is_array())
    for (auto const& one : *aud)
      if (one.is_string() && holds(expected.audiences, one.get_ref<std::string const&>())) return {};
  return denied("it is for somebody else (aud)");
}

}  // namespace

std::string_view to_string(jwt_algorithm a) noexcept {
  for (auto const& [value, name] : names)
    if (value == a) return name;
  return "";
}

std::optional<jwt_algorithm> jwt_algorithm_of(std::string_view name) noexcept {
  for (auto const& [value, known] : names)
    if (known == name) return value;
  return std::nullopt;
}

// ---------------------------------------------------------------- signing

struct signing_key::impl {
  detail::key_ptr key;
  jwt_algorithm algorithm;
};

result<signing_key> signing_key::generate(jwt_algorithm algorithm) {
  EVP_PKEY* key = nullptr;
  switch (algorithm) {
    case jwt_algorithm::es256: key = EVP_EC_gen("P-256"); break;
    case jwt_algorithm::es384: key = EVP_EC_gen("P-384"); break;
    case jwt_algorithm::es512: key = EVP_EC_gen("P-521"); break;
    case jwt_algorithm::eddsa: key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"); break;
    default:
      return error{errc::unsupported, "RSA keys are not made here; bring one, or use ES256", "signing_key.generate"};
  }
  if (!key) return error{errc::internal, "OpenSSL could not make a key", "signing_key.generate"};
  return signing_key(std::make_shared<impl const>(impl{detail::own(key), algorithm}));
}

result<signing_key> signing_key::from_pem(std::string_view pem, jwt_algorithm algorithm) {
  std::unique_ptr<BIO, decltype(&BIO_free)> const in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())),
                                                     BIO_free);
  auto* const key = PEM_read_bio_PrivateKey(in.get(), nullptr, [](char*, int, int, void*) { return 0; }, nullptr);
  ERR_clear_error();
  if (!key) return error{errc::invalid_argument, "the text is no unencrypted PEM private key", "signing_key.from_pem"};
  auto owned = detail::own(key);
  if (!detail::fits(owned.get(), algorithm))
    return error{errc::invalid_argument, "the private key is not one for " + std::string(to_string(algorithm)),
                 "signing_key.from_pem"};
  return signing_key(std::make_shared<impl const>(impl{std::move(owned), algorithm}));
}

jwt_algorithm signing_key::algorithm() const noexcept { return impl_->algorithm; }

std::string signing_key::to_pem() const {
  std::unique_ptr<BIO, decltype(&BIO_free)> const out(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_PKCS8PrivateKey(out.get(), impl_->key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  char* data = nullptr;
  auto const size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

raw_json signing_key::public_jwk() const { return {to_text(detail::jwk_of(impl_->key.get()))}; }
std::string signing_key::thumbprint() const { return detail::thumbprint_of(detail::jwk_of(impl_->key.get())); }

result<std::string> signing_key::sign(raw_json const& header, raw_json const& claims) const {
  auto head = parse_json(header.text);
  auto const body = parse_json(claims.text);
  if (!head || !head->is_object() || !body || !body->is_object())
    return error{errc::invalid_argument, "header and claims of a token are JSON objects", "signing_key.sign"};
  json whole = json::object();
  whole["alg"] = std::string(to_string(impl_->algorithm));
  for (auto const& [name, value] : head->items())
    if (name != "alg") whole[name] = value;
  std::string out = detail::base64url(to_text(whole)) + "." + detail::base64url(claims.text);
  auto const signature = detail::sign(impl_->key.get(), impl_->algorithm, out);
  if (signature.empty()) return error{errc::internal, "OpenSSL could not sign", "signing_key.sign"};
  return out + "." + detail::base64url(signature);
}

// ---------------------------------------------------------------- verifying

struct jwk_set::impl {
  struct entry {
    detail::key_ptr key;
    std::string id;
    std::optional<jwt_algorithm> only;  // "alg" of the key
  };
  std::vector<entry> keys;
};

class jwt_access {
 public:
  static std::vector<jwk_set::impl::entry> const& keys(jwk_set const& s) { return s.impl_->keys; }
};

jwk_set::jwk_set() : impl_(std::make_shared<impl const>()) {}

result<jwk_set> jwk_set::parse(std::string_view text) {
  auto parsed = parse_json(text);
  if (!parsed) return parsed.error();
  auto const bad = error{errc::parse_error, "the text is neither a JWK set nor a key", "jwk_set.parse"};
  if (!parsed->is_object()) return bad;
  json list = json::array();
  if (auto const keys = parsed->find("keys"); keys != parsed->end())
    list = *keys;
  else if (parsed->contains("kty"))
    list.push_back(*parsed);
  else
    return bad;
  if (!list.is_array()) return bad;
  if (list.size() > jwk_count_max)
    return error{errc::limit_reached, "the JWK set has more than " + std::to_string(jwk_count_max) + " keys",
                 "jwk_set.parse"};
  auto out = std::make_shared<impl>();
  for (auto const& jwk : list) {
    auto key = detail::key_from_jwk(jwk);
    if (!key) continue;
    auto const alg = text_of(jwk, "alg");
    auto const only = jwt_algorithm_of(alg);
    if (!alg.empty() && (!only || !detail::fits(key.get(), *only))) continue;
    out->keys.push_back({std::move(key), text_of(jwk, "kid"), only});
  }
  jwk_set set;
  set.impl_ = std::move(out);
  return set;
}

std::size_t jwk_set::size() const noexcept { return impl_->keys.size(); }

bool jwk_set::has(std::string_view key_id) const noexcept {
  return std::any_of(impl_->keys.begin(), impl_->keys.end(), [&](auto const& k) { return k.id == key_id; });
}

result<jwt> decode_jwt(std::string_view token) {
  auto taken = take_apart(token);
  if (!taken) return taken.error();
  return jwt{{std::move(taken->header_text)}, {std::move(taken->claims_text)}, text_of(taken->header, "kid")};
}

namespace {

result<jwt_algorithm> check_header(json const& header, jwt_expectations const& expected) {
  auto const algorithm = jwt_algorithm_of(text_of(header, "alg"));
  if (!algorithm ||
      std::find(expected.algorithms.begin(), expected.algorithms.end(), *algorithm) == expected.algorithms.end())
    return denied("its algorithm is not allowed (alg)");
  if (header.contains("crit")) return denied("it has an extension that must be understood (crit)");
  auto const type = text_of(header, "typ");
  auto const same = [&](std::string const& t) { return http_fields::same_name(t, type); };
  if (!expected.types.empty() && std::none_of(expected.types.begin(), expected.types.end(), same))
    return denied("it is a token of another kind (typ)");
  return *algorithm;
}

}  // namespace

result<jwt> verify_jwt(std::string_view token, jwk_set const& keys, jwt_expectations const& expected, utc_ms now) {
  auto taken = take_apart(token);
  if (!taken) return taken.error();
  auto const algorithm = check_header(taken->header, expected);
  if (!algorithm) return algorithm.error();
  auto const id = text_of(taken->header, "kid");
  bool tried = false, right = false;
  for (auto const& k : jwt_access::keys(keys)) {
    if ((!id.empty() && k.id != id) || (k.only && *k.only != *algorithm) || !detail::fits(k.key.get(), *algorithm))
      continue;
    tried = true;
    right = detail::verify(k.key.get(), *algorithm, taken->signed_text, taken->signature);
    if (right) break;
  }
  if (!tried) return error{errc::not_found, "no key fits the token; keys may have been changed", "jwt"};
  if (!right) return denied("its signature is wrong");
  auto claimed = check_claims(taken->claims, expected, now);
  if (!claimed) return claimed.error();
  return jwt{{std::move(taken->header_text)}, {std::move(taken->claims_text)}, id};
}

// ---------------------------------------------------------------- DPoP

namespace {

// Scheme, authority and path: RFC 9449, section 4.3.
std::string proof_url(std::string_view text) {
  auto parsed = url::parse(text);
  if (!parsed) return {};
  parsed->query.clear();
  parsed->fragment.clear();
  return parsed->text();
}

}  // namespace

result<std::string> sign_dpop(signing_key const& key, dpop_proof const& proof, utc_ms now) {
  auto const target = proof_url(proof.url);
  if (target.empty()) return error{errc::invalid_argument, "the URL of a DPoP proof is no URL", "sign_dpop"};
  json header = json::object();
  header["typ"] = "dpop+jwt";
  header["jwk"] = parse_json(key.public_jwk().text).value();
  json claims = json::object();
  claims["jti"] = detail::random_url(16);
  claims["htm"] = proof.method;
  claims["htu"] = target;
  claims["iat"] = now / 1000;
  if (!proof.access_token.empty()) claims["ath"] = detail::sha256_url(proof.access_token);
  if (!proof.nonce.empty()) claims["nonce"] = proof.nonce;
  return key.sign({to_text(header)}, {to_text(claims)});
}

result<dpop_claims> verify_dpop(std::string_view proof, dpop_proof const& request, utc_ms now,
                                std::chrono::seconds age_max) {
  auto taken = take_apart(proof);
  if (!taken) return taken.error();
  jwt_expectations expected;
  expected.types = {"dpop+jwt"};
  auto const algorithm = check_header(taken->header, expected);
  if (!algorithm) return algorithm.error();
  auto const jwk = taken->header.find("jwk");
  if (jwk == taken->header.end() || !jwk->is_object()) return denied("the proof brings no key (jwk)");
  for (auto const* secret : {"d", "p", "q", "dp", "dq", "qi", "k"})
    if (jwk->contains(secret)) return denied("the proof brings a private key (jwk)");
  auto const key = detail::key_from_jwk(*jwk);
  if (!key || !detail::fits(key.get(), *algorithm)) return denied("the proof's key does not fit its algorithm (jwk)");
  if (!detail::verify(key.get(), *algorithm, taken->signed_text, taken->signature))
    return denied("the proof's signature is wrong");
  auto const& claims = taken->claims;
  if (text_of(claims, "htm") != request.method) return denied("the proof is for another method (htm)");
  auto const target = text_of(claims, "htu");
  if (target.find_first_of("?#") != std::string::npos || proof_url(target).empty() ||
      proof_url(target) != proof_url(request.url))
    return denied("the proof is for another URL (htu)");
  bool malformed = false;
  auto const made = time_claim(claims, "iat", malformed);
  if (!made || malformed || std::abs(*made - static_cast<double>(now) / 1000) > static_cast<double>(age_max.count()))
    return denied("the proof is not fresh (iat)");
  if (!request.access_token.empty() &&
      !detail::same_secret(text_of(claims, "ath"), detail::sha256_url(request.access_token)))
    return denied("the proof is for another token (ath)");
  dpop_claims out{
      .thumbprint = detail::thumbprint_of(*jwk), .id = text_of(claims, "jti"), .nonce = text_of(claims, "nonce")};
  if (out.id.empty()) return denied("the proof has no id (jti)");
  return out;
}

}  // namespace wherry::inline v0::mcp
