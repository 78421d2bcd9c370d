#pragma once
// JSON Web Tokens: keys, signatures and claims (RFC 7515, 7517, 7518, 7519, 8037). Signatures are OpenSSL's.

#include <wherry/core/clock.hpp>
#include <wherry/core/json_fwd.hpp>
#include <wherry/core/result.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0::mcp {

/// Longest token that is looked at.
inline constexpr std::size_t token_bytes_max = 16u << 10;
/// Most keys of one set.
inline constexpr std::size_t jwk_count_max = 64;

/// Asymmetric signature algorithms, by their JWA names. "none" and the HMAC family do not exist here: the first is no
/// signature, the second makes every verifier an issuer.
enum class jwt_algorithm { rs256, rs384, rs512, ps256, ps384, ps512, es256, es384, es512, eddsa };
std::string_view to_string(jwt_algorithm a) noexcept;
std::optional<jwt_algorithm> jwt_algorithm_of(std::string_view name) noexcept;

/// A private key that signs. A cheap copyable handle, thread-safe.
class signing_key {
 public:
  /// A new key in memory: P-256, P-384 or P-521 for ES256..ES512, Ed25519 for EdDSA.
  /// Fails with: errc::unsupported for RSA, whose keys are brought, not made.
  static result<signing_key> generate(jwt_algorithm algorithm = jwt_algorithm::es256);
  /// A PEM private key. Fails with: errc::invalid_argument when it is none, or none for the algorithm.
  static result<signing_key> from_pem(std::string_view pem, jwt_algorithm algorithm);

  jwt_algorithm algorithm() const noexcept;
  /// PKCS#8 PEM. Whoever has it is the holder: keep it where only its owner reads.
  std::string to_pem() const;
  /// The public half as a JSON Web Key.
  raw_json public_jwk() const;
  /// SHA-256 thumbprint of the public half, base64url (RFC 7638).
  std::string thumbprint() const;

  /// A signed token in compact form. `header` members beside "alg" and `claims` are JSON objects.
  /// Fails with: errc::invalid_argument when they are none.
  result<std::string> sign(raw_json const& header, raw_json const& claims) const;

  struct impl;

 private:
  explicit signing_key(std::shared_ptr<impl const> i) noexcept : impl_(std::move(i)) {}
  std::shared_ptr<impl const> impl_;
};

/// Public keys that tokens are checked with. An immutable value, cheap to copy, thread-safe.
class jwk_set {
 public:
  jwk_set();
  /// A JWK set, or a single key. Keys of kinds, curves or uses that sign nothing are left out, as RFC 7517 asks.
  /// Fails with: errc::parse_error for text that is neither; errc::limit_reached beyond jwk_count_max.
  static result<jwk_set> parse(std::string_view text);

  std::size_t size() const noexcept;
  /// Whether a key has this id.
  bool has(std::string_view key_id) const noexcept;

  struct impl;

 private:
  friend class jwt_access;
  std::shared_ptr<impl const> impl_;
};

/// What a token must say to be accepted.
struct jwt_expectations {
  std::vector<std::string> issuers;    ///< "iss" must be one of these; empty: not checked.
  std::vector<std::string> audiences;  ///< "aud" must hold one of these; empty: not checked.
  std::vector<std::string>
      types;  ///< "typ" of the header must be one of these, without regard to case; empty: not checked.
  std::vector<jwt_algorithm> algorithms{
      jwt_algorithm::rs256, jwt_algorithm::rs384, jwt_algorithm::rs512, jwt_algorithm::ps256, jwt_algorithm::ps384,
      jwt_algorithm::ps512, jwt_algorithm::es256, jwt_algorithm::es384, jwt_algorithm::es512, jwt_algorithm::eddsa};
  bool expiry_required = true;    ///< "exp" must be there; when there it is always checked.
  std::chrono::seconds skew{60};  ///< How far the issuer's clock may be off.
};

/// The parts of a token, decoded. `claims` and `header` are JSON objects as they came.
struct jwt {
  raw_json header;
  raw_json claims;
  std::string key_id;  ///< "kid"; empty when there is none.
};

/// Decodes a token without checking its signature: to find the key, or one's own tokens. Never to trust it.
/// Fails with: errc::parse_error.
result<jwt> decode_jwt(std::string_view token);

/// Checks signature, algorithm, key, times, issuer and audience.
///
/// The key is the one with the token's "kid"; without "kid", every key that fits the algorithm is tried.
/// Fails with: errc::parse_error for what is no token; errc::not_found when no key of the set fits (fetch it anew: keys
/// rotate); errc::denied when signature or claims are wrong, the message naming the claim. No message holds the token.
result<jwt> verify_jwt(std::string_view token, jwk_set const& keys, jwt_expectations const& expected, utc_ms now);

/// A DPoP proof (RFC 9449, section 4.2): a fresh token that binds a request to the key.
struct dpop_proof {
  std::string method;        ///< Of the request.
  std::string url;           ///< Of the request; query and fragment are cut off.
  std::string access_token;  ///< Where one is presented; else empty.
  std::string nonce;         ///< What the server asked for; empty for none.
};
result<std::string> sign_dpop(signing_key const& key, dpop_proof const& proof, utc_ms now);

/// What a checked proof says.
struct dpop_claims {
  std::string thumbprint;  ///< Of the key that signed it: to be compared with the token's "cnf"/"jkt".
  std::string id;          ///< "jti": accepted once.
  std::string nonce;
};
/// Checks a proof against the request it came with: signature by the key within, method, URL, time and token hash.
/// Fails with: errc::parse_error, errc::denied. Whether the id was seen before and the nonce is right is the caller's
/// to see.
result<dpop_claims> verify_dpop(std::string_view proof, dpop_proof const& request, utc_ms now,
                                std::chrono::seconds age_max = std::chrono::seconds(300));

}  // namespace wherry::inline v0::mcp
