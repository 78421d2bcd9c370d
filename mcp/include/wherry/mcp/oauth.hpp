#pragma once
// The words of OAuth as the Model Context Protocol uses them: challenges, metadata documents, clients and tokens.
// Parsing and checking only; nothing here touches a network.

#include <wherry/core/clock.hpp>
#include <wherry/core/json_fwd.hpp>
#include <wherry/core/result.hpp>
#include <wherry/http/fields.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wherry::inline v0::mcp {

/// Longest metadata document or token answer that is read.
inline constexpr std::size_t oauth_document_bytes_max = 1u << 20;

/// One challenge of a WWW-Authenticate field (RFC 9110, section 11).
struct auth_challenge {
  std::string scheme;                                           ///< As written; compare without regard to case.
  std::vector<std::pair<std::string, std::string>> parameters;  ///< Quoting undone.
  std::string token;                                            ///< Instead of parameters, where there is one.

  /// The parameter, its name without regard to case; nullopt when absent.
  std::optional<std::string> find(std::string_view name) const;
};
/// Every challenge of every WWW-Authenticate field; what cannot be read is left out.
std::vector<auth_challenge> parse_challenges(http_fields const& fields);
std::string to_string(auth_challenge const& c);

/// OAuth protected resource metadata (RFC 9728).
struct protected_resource_metadata {
  std::string resource;  ///< The identifier exactly as published: it is sent back byte for byte.
  std::vector<std::string> authorization_servers;
  std::optional<std::vector<std::string>> scopes_supported;
  bool dpop_required = false;
};
/// Fails with: errc::parse_error.
result<protected_resource_metadata> parse_resource_metadata(std::string_view text);
raw_json to_json(protected_resource_metadata const& m);
/// Where to look for it, in order: the path-aware well-known URL, then that of the root.
std::vector<std::string> resource_metadata_urls(std::string_view server_url);
/// Whether metadata for `resource` may speak for `server_url`: same origin, and a path that is the server's or above
/// it.
bool resource_covers(std::string_view resource, std::string_view server_url);

/// Authorization server metadata (RFC 8414) or OpenID provider configuration, as far as it is used.
struct authorization_server_metadata {
  std::string issuer;
  std::string authorization_endpoint, token_endpoint, registration_endpoint, introspection_endpoint, jwks_uri;
  std::optional<std::vector<std::string>> scopes_supported, grant_types_supported, token_auth_methods, pkce_methods;
  std::vector<std::string> dpop_algorithms;
  bool issuer_in_response = false;         ///< authorization_response_iss_parameter_supported (RFC 9207).
  bool client_metadata_documents = false;  ///< client_id_metadata_document_supported.
};
/// Fails with: errc::parse_error; errc::denied when the document's issuer is not, byte for byte, `issuer`.
result<authorization_server_metadata> parse_server_metadata(std::string_view text, std::string_view issuer);
/// Where to look for it, in order.
std::vector<std::string> server_metadata_urls(std::string_view issuer);

/// How a client shows a token endpoint who it is.
enum class client_auth { automatic, none, secret_basic, secret_post, private_key_jwt };

/// A client at one authorization server. Holds secrets: never printed.
struct oauth_client {
  std::string client_id;
  std::string client_secret;
  client_auth auth = client_auth::automatic;  ///< automatic: what client and server both can.
  std::string private_key;                    ///< PEM, for private_key_jwt.
  std::string key_algorithm = "ES256";
  std::string key_id;         ///< "kid" of the assertions; empty for none.
  utc_ms secret_expires = 0;  ///< 0: never.
  std::string issuer;         ///< The server it is registered with. Empty: the first one it is used with.
};

/// What an authorization server gave out. Holds secrets: never printed.
struct oauth_tokens {
  std::string access_token;
  std::string refresh_token;        ///< Empty when there is none.
  bool dpop = false;                ///< Bound to `dpop_key`: presented with a proof, never as bearer.
  std::string dpop_key;             ///< PEM.
  std::vector<std::string> scopes;  ///< Granted; as requested where the server did not say.
  utc_ms expires = 0;               ///< 0: not said.
  std::string issuer;
  std::string resource;      ///< As published.
  std::string metadata_url;  ///< Where the resource's metadata was found; empty when there was none.
};

/// Scopes as one text, and apart.
std::vector<std::string> split_scopes(std::string_view text);
std::string join_scopes(std::vector<std::string> const& scopes);
/// What is in either, those of `a` first.
std::vector<std::string> unite_scopes(std::vector<std::string> a, std::vector<std::string> const& b);

}  // namespace wherry::inline v0::mcp
