#pragma once
// One authorisation from challenge to tokens, as a state machine: it says what to do next (fetch this, look that up,
// ask the user) and is told how it went. It touches no network, no file and no clock but the one it was given.

#include "auth/encoding.hpp"

#include <wherry/http/client.hpp>
#include <wherry/mcp/authorizer.hpp>
#include <wherry/mcp/jwt.hpp>

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace wherry::inline v0::mcp::detail {

struct flow_fetch {
  http_request request;
};
struct flow_find_client {
  std::string issuer;
};
struct flow_keep_client {
  std::string issuer;
  std::optional<oauth_client> client;
};
struct flow_consent {
  std::string url;
};
struct flow_assertion {
  std::string audience;  // empty: the ID token
};
struct flow_finished {
  oauth_tokens tokens;
};
using flow_step =
    std::variant<flow_fetch, flow_find_client, flow_keep_client, flow_consent, flow_assertion, flow_finished, error>;

/// What an authorisation starts from.
struct flow_start {
  std::string metadata_url;         // of the challenge; empty when it named none
  std::vector<std::string> scopes;  // of the challenge
  bool step_up = false;             // more scopes are needed than `previous` has
  bool silent = false;              // nobody may be asked
  std::optional<oauth_tokens> previous;
  std::map<std::string, std::string> nonces;  // DPoP, by origin
};

class authorization_flow {
 public:
  authorization_flow(std::string server_url, authorizer_options const& options, flow_start start)
      : server_url_(std::move(server_url)), options_(options), start_(std::move(start)) {}

  flow_step begin();
  flow_step on_answer(http_response const& answer);
  /// A fetch did not come to an answer.
  flow_step on_failure(error e);
  flow_step on_client(std::optional<oauth_client> found);
  flow_step on_kept();
  flow_step on_redirect(std::string_view url);
  flow_step on_assertion(std::string text);

  /// The authorization server that was chosen; empty before.
  std::string const& issuer() const noexcept { return issuer_; }
  std::map<std::string, std::string> const& nonces() const noexcept { return start_.nonces; }

 private:
  enum class stage { resource, server, registration, exchange, token };

  flow_step next_resource();
  flow_step take_resource(http_response const& answer);
  flow_step without_resource();
  flow_step next_server();
  flow_step take_server(http_response const& answer);
  flow_step have_server();
  flow_step register_client();
  flow_step take_registration(http_response const& answer);
  flow_step have_client();
  flow_step consent();
  flow_step exchange_id_token(std::string const& id_token);
  flow_step take_exchange(http_response const& answer);
  flow_step ask_token(form fields);
  flow_step send_token();
  flow_step take_token(http_response const& answer);
  flow_step take_refusal(http_response const& answer);
  flow_step fetch(http_request request);
  flow_step get(std::string const& url);
  result<void> usable(std::string const& text, char const* what) const;
  result<void> authenticate(http_request& request, form& fields, oauth_client const& client,
                            std::string const& audience) const;
  client_auth method_for(oauth_client const& client) const;
  oauth_client const* configured_client() const;
  std::vector<std::string> wanted_scopes() const;
  bool lists(std::optional<std::vector<std::string>> const& list, std::string_view word) const;
  utc_ms now() const { return options_.time->now(); }

  std::string const server_url_;
  authorizer_options const& options_;
  flow_start start_;
  stage stage_ = stage::resource;
  int requests_ = 0;

  std::vector<std::string> candidates_;  // URLs still to be tried; the next one last
  std::string asked_;                    // the URL under way
  protected_resource_metadata resource_;
  std::string metadata_url_;
  std::string issuer_;
  authorization_server_metadata server_;
  bool legacy_ = false;

  oauth_client client_;
  bool dynamic_ = false, registered_anew_ = false;
  bool refreshing_ = false, refresh_tried_ = false;
  std::vector<std::string> scopes_;  // asked for
  std::string verifier_, state_;
  form token_form_;
  int nonce_tries_ = 0;
  std::optional<signing_key> dpop_;
};

}  // namespace wherry::inline v0::mcp::detail
