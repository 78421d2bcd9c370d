#pragma once
// The client's side of authorisation: gets tokens for a server when it asks for them, keeps them, shows them, renews
// them. OAuth 2.1 as the Model Context Protocol profiles it, and its extensions.

#include <wherry/core/clock.hpp>
#include <wherry/core/result.hpp>
#include <wherry/core/task.hpp>
#include <wherry/http/client.hpp>
#include <wherry/mcp/oauth.hpp>
#include <wherry/mcp/token_store.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace wherry::inline v0::mcp {

/// Shows an authorization URL to the user and returns where the user agent was sent back to: the redirect URI with its
/// query. Cancelled at the deadline.
using consent_prompt = std::function<task<result<std::string>>(std::string authorization_url)>;

/// For servers that ask nobody, as in tests: gets the URL and returns where it redirects to, without going there.
consent_prompt follow_consent(http_client client);

/// For people: `show` is told the URL (to open a browser, or to print it), and a listener on loopback, at the redirect
/// URI's port and path, waits for the browser to come back. The redirect URI must be "http://127.0.0.1:PORT/PATH" or
/// with localhost.
consent_prompt loopback_consent(std::string redirect_uri, std::function<void(std::string const& url)> show);

/// A person agrees in a browser: authorization code with PKCE (S256).
struct user_consent {
  consent_prompt prompt;
  std::string redirect_uri = "http://127.0.0.1:33418/callback";
  std::string client_name = "wherry";
  /// An https URL with this client's metadata, used as its id where the server knows such (CIMD); empty for none.
  std::string client_metadata_url;
  /// A client registered by hand; else by CIMD, or dynamically (RFC 7591), whichever the server offers.
  std::optional<oauth_client> client;
  bool refresh_tokens = true;  ///< Ask for them where the server gives them.
};

/// A program on its own behalf: client credentials, with a secret or a private key (private_key_jwt).
struct client_credentials {
  oauth_client client;
};

/// A workload that its platform vouches for: a JWT for the authorization server is exchanged (RFC 7523). A refusal is
/// final.
struct workload_identity {
  std::function<task<result<std::string>>(std::string audience)> assertion;  ///< `audience` is the issuer.
  oauth_client client;  ///< The id; no secret where the server asks for none.
};

/// An employee whose company decides: the identity provider turns an ID token into a grant for the authorization server
/// (RFC 8693, ID-JAG), which turns it into a token (RFC 7523).
struct enterprise_managed {
  std::string idp_token_endpoint;
  oauth_client idp_client;
  std::function<task<result<std::string>>()> id_token;
  oauth_client client;  ///< At the authorization server.
};

enum class dpop_use {
  automatic,  ///< Where the authorization server names ES256 for it.
  required,   ///< A token that is not bound is refused.
  never,
};

struct authorizer_options {
  std::variant<user_consent, client_credentials, workload_identity, enterprise_managed> grant;
  std::shared_ptr<token_store> store = make_memory_token_store();
  std::vector<std::string> scopes;  ///< Asked for when the server names none.
  dpop_use dpop = dpop_use::automatic;
  bool loopback_http = false;  ///< Allow http on loopback, for tests and local development. Elsewhere https is a must.
  bool private_addresses = false;  ///< Let metadata lead to private addresses: for servers inside a company.
  bool legacy_discovery =
      true;  ///< Without resource metadata the server itself is taken for the issuer, as in 2025-03-26.
  std::chrono::milliseconds request_time{30'000};   ///< For each request.
  std::chrono::milliseconds consent_time{300'000};  ///< For the person.
  int requests_max = 32;                            ///< Of one authorisation; beyond: errc::limit_reached.
  std::shared_ptr<clock const> time = clock::system();
  http_client http;  ///< Its own address rule does not count.
};

/// What one request of the caller has been through; a fresh one for each request.
struct authorization_tries {
  int challenges = 0;
  std::uint64_t seen = 0;  ///< Which tokens it was sent with.
};
inline constexpr int challenges_max = 3;  ///< After so many a request is given up.

/// Authorises requests to one server. A cheap copyable handle. Threads: one executor. Nothing secret is ever logged or
/// part of an error.
///
///     authorization_tries tries;
///     for (;;) {
///       auto ready = co_await auth.async_prepare(request, tries);
///       // send it; on 401 and 403:
///       auto again = co_await auth.async_challenged(status, fields, tries);
///       if (!again || !*again) break;
///     }
class authorizer {
 public:
  /// `server_url`: the endpoint that requests go to.
  authorizer(std::string server_url, authorizer_options options);

  /// Adds Authorization (and DPoP) when there are tokens; renews those about to expire. A grant that asks nobody
  /// fetches its first tokens only when the server asks for them. Fails with: what the store fails with.
  task<result<void>> async_prepare(http_request& request, authorization_tries& tries) const;

  /// The answer was 401 or 403. True: send the request again.
  /// False: this is no matter of authorisation, or has been tried often enough; the answer stands.
  /// Fails with: errc::denied when authorisation was refused or the server's metadata may not be trusted, the message
  /// saying what; errc::io_failed, errc::deadline_exceeded, errc::cancelled; errc::limit_reached. Several requests may
  /// be challenged at once: one authorises, the others wait for it.
  task<result<bool>> async_challenged(int status, http_fields const& answer, authorization_tries& tries) const;

  /// A nonce for DPoP may come with any answer.
  void note(http_fields const& answer) const;

  /// Forgets the tokens of this server.
  result<void> forget() const;
  /// The scopes of the tokens at hand; empty when there are none.
  std::vector<std::string> scopes() const;

  struct impl;

 private:
  std::shared_ptr<impl> impl_;
};

}  // namespace wherry::inline v0::mcp
