#pragma once
// The server's side of authorisation: says who gives tokens for it, checks those it is shown, and tells what is missing
// (OAuth protected resource, RFC 9728, RFC 6750, RFC 9449).

#include <wherry/core/clock.hpp>
#include <wherry/core/json_fwd.hpp>
#include <wherry/core/result.hpp>
#include <wherry/core/task.hpp>
#include <wherry/http/client.hpp>
#include <wherry/http/server.hpp>
#include <wherry/mcp/jwt.hpp>
#include <wherry/mcp/oauth.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0::mcp {

/// An authorization server whose tokens are taken, and how they are checked.
struct trusted_issuer {
  std::string issuer;
  /// Signed tokens: the server's keys. Fixed here, or fetched from `jwks_uri`, or from where the issuer's metadata
  /// says.
  std::optional<jwk_set> keys;
  std::string jwks_uri;
  /// Opaque tokens: the endpoint that is asked (RFC 7662), and as whom. Empty: tokens are signed.
  std::string introspection_endpoint;
  oauth_client introspection_client;
};

/// Who is asking, as far as a checked token says.
struct access_grant {
  std::string issuer;
  std::string subject;  ///< "sub"; empty when the token names none.
  std::string client_id;
  std::vector<std::string> scopes;
  utc_ms expires = 0;  ///< 0: not said.
  std::string key;     ///< Thumbprint of the key it is bound to (DPoP); empty for a bearer token.
  raw_json claims;     ///< All of it.
};

struct resource_guard_options {
  std::string resource;  ///< The endpoint's URL as clients know it; tokens must be for it ("aud").
  std::vector<trusted_issuer> issuers;
  std::vector<std::string> scopes_supported;  ///< For the metadata.
  std::vector<std::string> scopes_required;   ///< Of every request.
  /// More scopes by what is called: Mcp-Method and Mcp-Name of the request. Both are empty for requests of the
  /// handshake era, which do not say; answer then with what the most demanding call needs.
  std::function<std::vector<std::string>(std::string_view method, std::string_view name)> scopes_for;
  std::vector<std::string> audiences;  ///< Besides `resource`.
  std::vector<jwt_algorithm> algorithms{jwt_algorithm::rs256, jwt_algorithm::ps256, jwt_algorithm::es256,
                                        jwt_algorithm::es384, jwt_algorithm::eddsa};
  bool dpop_required = false;  ///< Refuse bearer tokens. Bound tokens always need their proof.
  std::chrono::seconds skew{60};
  std::chrono::seconds keys_time{600};  ///< How long fetched keys are used; an unknown key id fetches them earlier,
  std::chrono::seconds keys_pause{30};  ///< but not more often than this.
  std::chrono::seconds check_time{60};  ///< How long a token that was accepted is not checked again.
  std::chrono::milliseconds request_time{10'000};  ///< For each request to an issuer.
  std::size_t checked_max = 1024;                  ///< Accepted tokens remembered.
  std::size_t proofs_max = 65'536;                 ///< Ids of DPoP proofs remembered; beyond, proofs are refused.
  std::shared_ptr<clock const> time = clock::system();
  http_client http;
  /// Told about each request that is let through.
  std::function<void(http_exchange&, access_grant const&)> on_granted;
};

/// The outcome of a check.
struct guard_verdict {
  std::optional<access_grant> grant;  ///< Or:
  int status = 0;                     ///< 401, 403, 400 or 503, with
  http_fields fields;                 ///< the challenge, and
  std::string body;                   ///< an OAuth error as JSON.
};

/// Guards an endpoint. A cheap copyable handle; one executor. Logs nothing of a token.
class resource_guard {
 public:
  explicit resource_guard(resource_guard_options options);

  /// Checks the request's token, its proof and its scopes.
  task<guard_verdict> async_check(std::string_view method, http_fields const& fields) const;

  /// For http_endpoint_options::guard: serves the metadata, answers requests it refuses, lets the others through.
  std::function<task<bool>(http_exchange&)> as_guard() const;

  /// Path and content of the protected resource metadata.
  std::string metadata_path() const;
  std::string metadata_url() const;
  raw_json metadata() const;

  /// The 403 of a handler that finds during a call that more scopes are needed.
  guard_verdict insufficient_scope(std::vector<std::string> const& scopes) const;

  struct impl;

 private:
  std::shared_ptr<impl> impl_;
};

}  // namespace wherry::inline v0::mcp
