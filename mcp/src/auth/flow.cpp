#include "auth/flow.hpp"

#include <wherry/core/json.hpp>
#include <wherry/http/url.hpp>
#include <wherry/mcp/content.hpp>

#include <algorithm>

namespace wherry::inline v0::mcp::detail {
namespace {

constexpr char const* jwt_bearer_grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
constexpr char const* token_exchange_grant = "urn:ietf:params:oauth:grant-type:token-exchange";
constexpr char const* id_jag_type = "urn:ietf:params:oauth:token-type:id-jag";
constexpr auto assertion_life = std::chrono::minutes(5);
constexpr int nonce_tries_max = 2;
constexpr std::size_t verifier_bytes = 32, state_bytes = 24;

error refused(std::string what, std::string about = {}) {
  return {errc::denied, std::move(what), "mcp.authorisation", std::move(about)};
}

std::string text_of(json const& object, char const* member) {
  auto const at = object.find(member);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

// Seconds, as a number or, where a server errs, as a text.
std::int64_t seconds_of(json const& object, char const* member) {
  auto const at = object.find(member);
  if (at == object.end()) return 0;
  if (at->is_number()) return static_cast<std::int64_t>(at->get<double>());
  return at->is_string() ? std::atoll(at->get_ref<std::string const&>().c_str()) : 0;
}

std::string origin_of(std::string const& text) {
  auto const parsed = url::parse(text);
  return parsed ? parsed->origin() : std::string();
}

// "invalid_grant: the description", cleaned for a reader.
std::string reason_in(http_response const& answer) {
  auto const parsed = parse_json(answer.body);
  std::string out = "HTTP status " + std::to_string(answer.status);
  if (!parsed || !parsed->is_object()) return out;
  auto const code = text_of(*parsed, "error"), words = text_of(*parsed, "error_description");
  if (!code.empty()) out = code.substr(0, 100);
  if (!words.empty()) out += ": " + words.substr(0, 300);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  return out;
}

std::string error_code_in(http_response const& answer) {
  auto const parsed = parse_json(answer.body);
  return parsed && parsed->is_object() ? text_of(*parsed, "error") : std::string();
}

bool contains(std::vector<std::string> const& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

}  // namespace

bool authorization_flow::lists(std::optional<std::vector<std::string>> const& list, std::string_view word) const {
  return list && contains(*list, word);
}

// Secrets travel over TLS, or not at all; the switch is for one's own machine.
result<void> authorization_flow::usable(std::string const& text, char const* what) const {
  auto const parsed = url::parse(text);
  if (!parsed) return refused(std::string(what) + " is no http URL", text);
  if (parsed->secure()) return {};
  if (options_.loopback_http && is_loopback_host(parsed->host)) return {};
  return refused(std::string(what) + " is not https (authorizer_options::loopback_http allows http on loopback)", text);
}

flow_step authorization_flow::fetch(http_request request) {
  if (++requests_ > options_.requests_max)
    return error{errc::limit_reached,
                 "the authorisation took more than " + std::to_string(options_.requests_max) + " requests",
                 "mcp.authorisation"};
  return flow_fetch{std::move(request)};
}

flow_step authorization_flow::get(std::string const& target) {
  asked_ = target;
  http_request request;
  request.url = target;
  request.fields.set("Accept", "application/json");
  return fetch(std::move(request));
}

// ---------------------------------------------------------------- whose resource

flow_step authorization_flow::begin() {
  candidates_ = resource_metadata_urls(server_url_);
  std::reverse(candidates_.begin(), candidates_.end());
  auto const first = !start_.metadata_url.empty() ? start_.metadata_url
                     : start_.previous            ? start_.previous->metadata_url
                                                  : "";
  if (!first.empty()) {
    std::erase(candidates_, first);
    candidates_.push_back(first);
  }
  return next_resource();
}

flow_step authorization_flow::next_resource() {
  stage_ = stage::resource;
  if (candidates_.empty()) return without_resource();
  auto const next = candidates_.back();
  candidates_.pop_back();
  auto fine = usable(next, "the URL of the protected resource metadata");
  if (!fine) return fine.error();
  return get(next);
}

flow_step authorization_flow::take_resource(http_response const& answer) {
  if (answer.status != 200) return next_resource();
  auto parsed = parse_resource_metadata(answer.body);
  if (!parsed) return parsed.error();
  resource_ = std::move(*parsed);
  metadata_url_ = asked_;
  if (!resource_covers(resource_.resource, server_url_))
    return refused("the protected resource metadata is for another resource than the server", resource_.resource);
  auto const& servers = resource_.authorization_servers;
  if (servers.empty()) return without_resource();
  auto const* own = configured_client();
  if (start_.previous && contains(servers, start_.previous->issuer))
    issuer_ = start_.previous->issuer;
  else if (own && contains(servers, own->issuer))
    issuer_ = own->issuer;
  else
    issuer_ = servers.front();
  candidates_ = server_metadata_urls(issuer_);
  std::reverse(candidates_.begin(), candidates_.end());
  return next_server();
}

// Revision 2025-03-26 knew no resource metadata: the server's origin is the issuer.
flow_step authorization_flow::without_resource() {
  auto const parsed = url::parse(server_url_);
  if (!options_.legacy_discovery || !parsed)
    return error{errc::not_found,
                 "the server wants authorisation but says nowhere who gives it (protected resource metadata)",
                 "mcp.authorisation", server_url_};
  legacy_ = true;
  issuer_ = parsed->origin();
  if (resource_.resource.empty()) resource_.resource = server_url_;
  candidates_ = {issuer_ + "/.well-known/oauth-authorization-server"};
  return next_server();
}

// ---------------------------------------------------------------- who authorises

flow_step authorization_flow::next_server() {
  stage_ = stage::server;
  auto fine = usable(issuer_, "the authorization server");
  if (!fine) return fine.error();
  if (!candidates_.empty()) {
    auto const next = candidates_.back();
    candidates_.pop_back();
    return get(next);
  }
  if (!legacy_)
    return error{errc::not_found, "the authorization server publishes no metadata", "mcp.authorisation", issuer_};
  server_ = {};
  server_.issuer = issuer_;
  server_.authorization_endpoint = issuer_ + "/authorize";
  server_.token_endpoint = issuer_ + "/token";
  server_.registration_endpoint = issuer_ + "/register";
  server_.pkce_methods = std::vector<std::string>{"S256"};
  return have_server();
}

flow_step authorization_flow::take_server(http_response const& answer) {
  if (answer.status != 200) return next_server();
  auto parsed = parse_server_metadata(answer.body, issuer_);
  if (!parsed && parsed.error().is(errc::parse_error) && !candidates_.empty()) return next_server();
  if (!parsed) return parsed.error();
  server_ = std::move(*parsed);
  return have_server();
}

oauth_client const* authorization_flow::configured_client() const {
  if (auto const* g = std::get_if<user_consent>(&options_.grant)) return g->client ? &*g->client : nullptr;
  if (auto const* g = std::get_if<client_credentials>(&options_.grant)) return &g->client;
  if (auto const* g = std::get_if<workload_identity>(&options_.grant)) return &g->client;
  return &std::get<enterprise_managed>(options_.grant).client;
}

flow_step authorization_flow::have_server() {
  auto fine = usable(server_.token_endpoint, "the token endpoint");
  if (!fine) return fine.error();
  bool const offered = contains(server_.dpop_algorithms, "ES256");
  if (options_.dpop == dpop_use::required && !offered)
    return refused(
        "tokens must be bound (dpop_use::required), which the authorization server does not offer with ES256", issuer_);
  if (options_.dpop != dpop_use::never && offered) {
    auto const* kept = start_.previous && start_.previous->dpop ? &start_.previous->dpop_key : nullptr;
    auto key = kept ? signing_key::from_pem(*kept, jwt_algorithm::es256) : signing_key::generate();
    if (!key) return key.error();
    dpop_ = std::move(*key);
  }
  scopes_ = wanted_scopes();
  auto const* own = configured_client();
  bool const mine = own && (own->issuer.empty() || own->issuer == issuer_);
  if (std::holds_alternative<user_consent>(options_.grant)) {
    if (mine) return client_ = *own, have_client();
    return flow_find_client{issuer_};
  }
  if (!mine) return refused("the client belongs to another authorization server and is not shown to this one", issuer_);
  client_ = *own;
  if (std::holds_alternative<client_credentials>(options_.grant))
    return ask_token({{"grant_type", "client_credentials"}});
  bool const workload = std::holds_alternative<workload_identity>(options_.grant);
  return flow_assertion{workload ? issuer_ : std::string()};
}

std::vector<std::string> authorization_flow::wanted_scopes() const {
  auto wanted = start_.scopes;
  if (wanted.empty() && start_.previous && !start_.step_up) wanted = start_.previous->scopes;
  if (wanted.empty() && resource_.scopes_supported) wanted = *resource_.scopes_supported;
  if (wanted.empty()) wanted = options_.scopes;
  if (start_.step_up && start_.previous) wanted = unite_scopes(start_.previous->scopes, wanted);
  auto const* g = std::get_if<user_consent>(&options_.grant);
  // Offered means offered: a server that does not list it may refuse the whole request for it.
  bool const refresh = g && g->refresh_tokens && lists(server_.scopes_supported, "offline_access") &&
                       (!server_.grant_types_supported || lists(server_.grant_types_supported, "refresh_token"));
  if (refresh) return unite_scopes(std::move(wanted), {"offline_access"});
  std::erase(wanted, "offline_access");
  return wanted;
}

// ---------------------------------------------------------------- as whom

flow_step authorization_flow::on_client(std::optional<oauth_client> found) {
  auto const& g = std::get<user_consent>(options_.grant);
  if (server_.client_metadata_documents && !g.client_metadata_url.empty()) {
    client_ = {};
    client_.client_id = g.client_metadata_url;
    client_.auth = client_auth::none;
    client_.issuer = issuer_;
    return have_client();
  }
  bool const fresh = found && (found->secret_expires == 0 || found->secret_expires > now());
  if (!fresh) return register_client();
  client_ = std::move(*found);
  dynamic_ = true;
  return have_client();
}

flow_step authorization_flow::register_client() {
  if (start_.silent) return refused("a client would have to be registered");
  auto const& g = std::get<user_consent>(options_.grant);
  if (server_.registration_endpoint.empty())
    return refused(
        "the authorization server registers no clients by itself; register one by hand and pass it in "
        "user_consent::client",
        issuer_);
  auto fine = usable(server_.registration_endpoint, "the registration endpoint");
  if (!fine) return fine.error();
  stage_ = stage::registration;
  json body = json::object();
  body["client_name"] = g.client_name;
  body["redirect_uris"] = json::array({g.redirect_uri});
  body["grant_types"] = json::array({"authorization_code"});
  if (g.refresh_tokens && (!server_.grant_types_supported || lists(server_.grant_types_supported, "refresh_token")))
    body["grant_types"].push_back("refresh_token");
  body["response_types"] = json::array({"code"});
  // A program on somebody's machine keeps no secret from them; where the server insists, it gets its way.
  auto const& methods = server_.token_auth_methods;
  body["token_endpoint_auth_method"] = !methods || lists(methods, "none")      ? "none"
                                       : lists(methods, "client_secret_basic") ? "client_secret_basic"
                                                                               : "client_secret_post";
  auto const redirect = url::parse(g.redirect_uri);
  body["application_type"] = redirect && !is_loopback_host(redirect->host) ? "web" : "native";
  if (!scopes_.empty()) body["scope"] = join_scopes(scopes_);
  http_request request;
  request.method = "POST";
  request.url = server_.registration_endpoint;
  request.fields.set("Content-Type", "application/json").set("Accept", "application/json");
  request.body = to_text(body);
  return fetch(std::move(request));
}

flow_step authorization_flow::take_registration(http_response const& answer) {
  auto const parsed = parse_json(answer.body);
  if ((answer.status != 200 && answer.status != 201) || !parsed || !parsed->is_object())
    return refused("the authorization server did not register this client: " + reason_in(answer), issuer_);
  client_ = {};
  client_.client_id = text_of(*parsed, "client_id");
  client_.client_secret = text_of(*parsed, "client_secret");
  client_.secret_expires = seconds_of(*parsed, "client_secret_expires_at") * 1000;
  client_.issuer = issuer_;
  auto const method = text_of(*parsed, "token_endpoint_auth_method");
  if (method == "none") client_.auth = client_auth::none;
  if (method == "client_secret_basic") client_.auth = client_auth::secret_basic;
  if (method == "client_secret_post") client_.auth = client_auth::secret_post;
  if (client_.client_id.empty()) return refused("the authorization server registered a client without an id", issuer_);
  dynamic_ = registered_anew_ = true;
  return flow_keep_client{issuer_, client_};
}

flow_step authorization_flow::on_kept() {
  if (client_.client_id.empty()) return register_client();
  return have_client();
}

flow_step authorization_flow::have_client() {
  auto const& previous = start_.previous;
  refreshing_ =
      previous && !previous->refresh_token.empty() && previous->issuer == issuer_ && !start_.step_up && !refresh_tried_;
  if (!refreshing_) return consent();
  refresh_tried_ = true;
  return ask_token({{"grant_type", "refresh_token"}, {"refresh_token", previous->refresh_token}});
}

// ---------------------------------------------------------------- consent

flow_step authorization_flow::consent() {
  if (start_.silent) return refused("the user would have to agree");
  auto const& g = std::get<user_consent>(options_.grant);
  if (!g.prompt) return error{errc::invalid_argument, "user_consent::prompt is not set", "mcp.authorisation"};
  if (!lists(server_.pkce_methods, "S256"))
    return refused("the authorization server does not say that it supports PKCE with S256", issuer_);
  auto fine = usable(server_.authorization_endpoint, "the authorization endpoint");
  if (!fine) return fine.error();
  verifier_ = random_url(verifier_bytes);
  state_ = random_url(state_bytes);
  form query{{"response_type", "code"},         {"client_id", client_.client_id},
             {"redirect_uri", g.redirect_uri},  {"code_challenge", sha256_url(verifier_)},
             {"code_challenge_method", "S256"}, {"state", state_}};
  if (!scopes_.empty()) query.emplace_back("scope", join_scopes(scopes_));
  query.emplace_back("resource", resource_.resource);
  if (contains(scopes_, "offline_access")) query.emplace_back("prompt", "consent");  // OpenID Connect Core, section 11
  if (dpop_) query.emplace_back("dpop_jkt", dpop_->thumbprint());
  auto target = url::parse(server_.authorization_endpoint).value();
  if (!target.query.empty()) target.query += '&';
  target.query += form_text(query);
  return flow_consent{target.text()};
}

flow_step authorization_flow::on_redirect(std::string_view text) {
  auto const& g = std::get<user_consent>(options_.grant);
  auto const end = std::min(text.find_first_of("?#"), text.size());
  if (text.substr(0, end) != g.redirect_uri.substr(0, g.redirect_uri.find('?')))
    return refused("the user agent came back to another place than the redirect URI");
  auto const query =
      end < text.size() && text[end] == '?' ? text.substr(end + 1, text.find('#') - end - 1) : std::string_view{};
  auto const fields = parse_form(query);
  if (!fields) return refused("the authorization response cannot be read");
  std::map<std::string, std::string> values;
  for (auto const& [name, value] : *fields)
    if (!values.emplace(name, value).second)
      return refused("a parameter of the authorization response stands twice", name);
  if (!same_secret(values["state"], state_))
    return refused("the authorization response belongs to another request (state)");
  // RFC 9207: compared as text; a mix-up attack lives from comparing loosely.
  bool const named = values.contains("iss");
  if ((named && values["iss"] != issuer_) || (!named && server_.issuer_in_response))
    return refused("the authorization response does not come from the authorization server that was asked (iss)",
                   issuer_);
  if (values.contains("error"))
    return refused("authorisation was refused: " + values["error"].substr(0, 100) + ": " +
                   values["error_description"].substr(0, 300));
  if (values["code"].empty()) return refused("the authorization response holds no code");
  return ask_token({{"grant_type", "authorization_code"},
                    {"code", values["code"]},
                    {"redirect_uri", g.redirect_uri},
                    {"code_verifier", verifier_}});
}

// ---------------------------------------------------------------- tokens

client_auth authorization_flow::method_for(oauth_client const& client) const {
  if (client.auth != client_auth::automatic) return client.auth;
  auto const& methods = server_.token_auth_methods;
  if (!client.private_key.empty()) return client_auth::private_key_jwt;
  if (client.client_secret.empty()) return client_auth::none;
  if (!methods || lists(methods, "client_secret_basic")) return client_auth::secret_basic;  // RFC 8414: the default
  if (lists(methods, "client_secret_post")) return client_auth::secret_post;
  return lists(methods, "none") ? client_auth::none : client_auth::secret_basic;
}

result<void> authorization_flow::authenticate(http_request& request, form& fields, oauth_client const& client,
                                              std::string const& audience) const {
  switch (method_for(client)) {
    case client_auth::automatic:
    case client_auth::none:
      if (!client.client_id.empty()) fields.emplace_back("client_id", client.client_id);
      return {};
    case client_auth::secret_basic:
      request.fields.set("Authorization", "Basic " + to_base64(percent_encode(client.client_id) + ":" +
                                                               percent_encode(client.client_secret)));
      return {};
    case client_auth::secret_post:
      fields.emplace_back("client_id", client.client_id);
      fields.emplace_back("client_secret", client.client_secret);
      return {};
    case client_auth::private_key_jwt: break;
  }
  auto const algorithm = jwt_algorithm_of(client.key_algorithm);
  if (!algorithm)
    return error{errc::invalid_argument, "oauth_client::key_algorithm is not known", "mcp.authorisation",
                 client.key_algorithm};
  auto const key = signing_key::from_pem(client.private_key, *algorithm);
  if (!key) return key.error();
  json header = json::object();
  header["typ"] = "JWT";
  if (!client.key_id.empty()) header["kid"] = client.key_id;
  auto const seconds = now() / 1000;
  json claims = json::object();
  claims["iss"] = client.client_id;
  claims["sub"] = client.client_id;
  claims["aud"] = audience;
  claims["jti"] = random_url(16);
  claims["iat"] = seconds;
  claims["exp"] = seconds + std::chrono::seconds(assertion_life).count();
  auto assertion = key->sign({to_text(header)}, {to_text(claims)});
  if (!assertion) return assertion.error();
  fields.emplace_back("client_id", client.client_id);
  fields.emplace_back("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
  fields.emplace_back("client_assertion", std::move(*assertion));
  return {};
}

flow_step authorization_flow::on_assertion(std::string text) {
  if (std::holds_alternative<enterprise_managed>(options_.grant)) return exchange_id_token(text);
  return ask_token({{"grant_type", jwt_bearer_grant}, {"assertion", std::move(text)}});
}

flow_step authorization_flow::exchange_id_token(std::string const& id_token) {
  auto const& g = std::get<enterprise_managed>(options_.grant);
  auto fine = usable(g.idp_token_endpoint, "the identity provider's token endpoint");
  if (!fine) return fine.error();
  stage_ = stage::exchange;
  form fields{{"grant_type", token_exchange_grant},
              {"requested_token_type", id_jag_type},
              {"audience", issuer_},
              {"resource", resource_.resource},
              {"subject_token", id_token},
              {"subject_token_type", "urn:ietf:params:oauth:token-type:id_token"}};
  if (!scopes_.empty()) fields.emplace_back("scope", join_scopes(scopes_));
  http_request request;
  request.method = "POST";
  request.url = g.idp_token_endpoint;
  auto client = g.idp_client;
  if (client.auth == client_auth::automatic && client.private_key.empty())
    client.auth = client.client_secret.empty() ? client_auth::none : client_auth::secret_basic;
  auto shown = authenticate(request, fields, client, g.idp_token_endpoint);
  if (!shown) return shown.error();
  request.fields.set("Content-Type", "application/x-www-form-urlencoded").set("Accept", "application/json");
  request.body = form_text(fields);
  return fetch(std::move(request));
}

flow_step authorization_flow::take_exchange(http_response const& answer) {
  auto const parsed = parse_json(answer.body);
  if (answer.status != 200 || !parsed || !parsed->is_object())
    return refused("the identity provider gives no grant for this server: " + reason_in(answer));
  if (text_of(*parsed, "issued_token_type") != id_jag_type || text_of(*parsed, "access_token").empty())
    return refused("the identity provider answered with another kind of token than the one asked for (ID-JAG)");
  return ask_token({{"grant_type", jwt_bearer_grant}, {"assertion", text_of(*parsed, "access_token")}});
}

flow_step authorization_flow::ask_token(form fields) {
  token_form_ = std::move(fields);
  bool const code = token_form_.front().second == "authorization_code";
  if (!code && !scopes_.empty()) token_form_.emplace_back("scope", join_scopes(scopes_));
  token_form_.emplace_back("resource", resource_.resource);
  nonce_tries_ = 0;
  return send_token();
}

flow_step authorization_flow::send_token() {
  stage_ = stage::token;
  http_request request;
  request.method = "POST";
  request.url = server_.token_endpoint;
  request.redirects_max = 0;
  auto fields = token_form_;
  auto shown = authenticate(request, fields, client_, issuer_);
  if (!shown) return shown.error();
  request.fields.set("Content-Type", "application/x-www-form-urlencoded").set("Accept", "application/json");
  request.body = form_text(fields);
  if (dpop_) {
    auto const nonce = start_.nonces.find(origin_of(request.url));
    dpop_proof const proof{.method = "POST",
                           .url = request.url,
                           .access_token = {},
                           .nonce = nonce == start_.nonces.end() ? "" : nonce->second};
    auto signed_proof = sign_dpop(*dpop_, proof, now());
    if (!signed_proof) return signed_proof.error();
    request.fields.set("DPoP", *signed_proof);
  }
  return fetch(std::move(request));
}

flow_step authorization_flow::take_token(http_response const& answer) {
  if (auto const nonce = answer.fields.find("DPoP-Nonce")) start_.nonces[origin_of(server_.token_endpoint)] = *nonce;
  if (answer.status != 200) return take_refusal(answer);
  auto const parsed = parse_json(answer.body);
  if (!parsed || !parsed->is_object()) return refused("the token endpoint's answer is no JSON object", issuer_);
  oauth_tokens out;
  out.access_token = text_of(*parsed, "access_token");
  out.refresh_token = text_of(*parsed, "refresh_token");
  if (out.refresh_token.empty() && refreshing_) out.refresh_token = start_.previous->refresh_token;
  auto const type = text_of(*parsed, "token_type");
  out.dpop = http_fields::same_name(type, "DPoP");
  if (out.access_token.empty() || !http_fields::valid_value(out.access_token))
    return refused("the token endpoint's answer holds no access token", issuer_);
  if (!out.dpop && !http_fields::same_name(type, "Bearer"))
    return refused("the token endpoint gave a token of an unknown type", type.substr(0, 50));
  if (out.dpop && !dpop_) return refused("the token endpoint bound a token to a key although none was shown", issuer_);
  if (!out.dpop && (options_.dpop == dpop_use::required || resource_.dpop_required))
    return refused("the token endpoint gave a token that is not bound to the key it was shown (DPoP)", issuer_);
  if (out.dpop) out.dpop_key = dpop_->to_pem();
  auto const granted = text_of(*parsed, "scope");
  out.scopes = granted.empty() ? scopes_ : split_scopes(granted);
  if (auto const life = seconds_of(*parsed, "expires_in"); life > 0) out.expires = now() + life * 1000;
  out.issuer = issuer_;
  out.resource = resource_.resource;
  out.metadata_url = metadata_url_;
  return flow_finished{std::move(out)};
}

flow_step authorization_flow::take_refusal(http_response const& answer) {
  auto const code = error_code_in(answer);
  if (code == "use_dpop_nonce" && dpop_ && answer.fields.find("DPoP-Nonce") && ++nonce_tries_ <= nonce_tries_max)
    return send_token();
  bool const asks_user = std::holds_alternative<user_consent>(options_.grant);
  if (asks_user && refreshing_) {
    refreshing_ = false;
    return consent();
  }
  // A server that has lost its clients is met with a new registration, once.
  if (asks_user && code == "invalid_client" && dynamic_ && !registered_anew_) {
    client_ = {};
    return flow_keep_client{issuer_, std::nullopt};
  }
  return refused("the authorization server gives no token: " + reason_in(answer), issuer_);
}

// ---------------------------------------------------------------- dispatch

flow_step authorization_flow::on_answer(http_response const& answer) {
  switch (stage_) {
    case stage::resource: return take_resource(answer);
    case stage::server: return take_server(answer);
    case stage::registration: return take_registration(answer);
    case stage::exchange: return take_exchange(answer);
    case stage::token: return take_token(answer);
  }
  return error{errc::internal, "no such stage", "mcp.authorisation"};
}

flow_step authorization_flow::on_failure(error e) {
  // A well-known place may be dead where another lives; what is forbidden stays forbidden.
  bool const other_place = !candidates_.empty() && e.is(errc::io_failed);
  if (stage_ == stage::resource && other_place) return next_resource();
  if (stage_ == stage::server && other_place) return next_server();
  return e;
}

}  // namespace wherry::inline v0::mcp::detail
