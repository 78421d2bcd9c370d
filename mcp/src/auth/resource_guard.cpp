#include <wherry/mcp/resource_guard.hpp>

#include "auth/encoding.hpp"
#include "auth/turnstile.hpp"

#include <wherry/core/hash.hpp>
#include <wherry/core/json.hpp>
#include <wherry/core/log.hpp>
#include <wherry/http/url.hpp>
#include <wherry/mcp/content.hpp>

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <unordered_set>

namespace wherry::inline v0::mcp {

using namespace detail;

namespace {

constexpr auto proof_age_max = std::chrono::seconds(300);

std::string text_of(json const& object, char const* member) {
  auto const at = object.find(member);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

// Keys of one issuer as they were fetched.
struct key_cache {
  jwk_set keys;
  utc_ms fetched = 0;  // 0: never
  utc_ms tried = 0;
  turnstile gate;
};

// Ids of proofs seen within the time in which they would still be taken.
class proof_memory {
 public:
  // False when it was seen before, or when no more can be remembered.
  bool first_time(std::string id, utc_ms now, std::size_t most) {
    while (!order_.empty() && order_.front().first <= now) {
      seen_.erase(order_.front().second);
      order_.pop_front();
    }
    if (seen_.size() >= most || !seen_.insert(id).second) return false;
    order_.emplace_back(now + 2 * std::chrono::milliseconds(proof_age_max).count(), std::move(id));
    return true;
  }

 private:
  std::unordered_set<std::string> seen_;
  std::deque<std::pair<utc_ms, std::string>> order_;
};

// Accepted tokens by their hash, the oldest first to go.
class checked_tokens {
 public:
  access_grant const* find(std::string const& hash, utc_ms now) const {
    auto const at = entries_.find(hash);
    return at != entries_.end() && at->second.until > now ? &at->second.grant : nullptr;
  }
  void put(std::string const& hash, access_grant grant, utc_ms until, std::size_t most) {
    if (!entries_.insert_or_assign(hash, entry{std::move(grant), until}).second) return;
    order_.push_back(hash);
    while (order_.size() > most) {
      entries_.erase(order_.front());
      order_.pop_front();
    }
  }

 private:
  struct entry {
    access_grant grant;
    utc_ms until;
  };
  std::unordered_map<std::string, entry> entries_;
  std::deque<std::string> order_;
};

std::vector<std::string> scopes_of(json const& claims) {
  if (auto const text = text_of(claims, "scope"); !text.empty()) return split_scopes(text);
  auto const scp = claims.find("scp");  // what some issuers write instead
  std::vector<std::string> out;
  if (scp != claims.end() && scp->is_string()) return split_scopes(scp->get_ref<std::string const&>());
  if (scp != claims.end() && scp->is_array())
    for (auto const& one : *scp)
      if (one.is_string()) out.push_back(one.get<std::string>());
  return out;
}

access_grant grant_of(json const& claims, std::string issuer) {
  access_grant g;
  g.issuer = std::move(issuer);
  g.subject = text_of(claims, "sub");
  g.client_id = text_of(claims, "client_id");
  if (g.client_id.empty()) g.client_id = text_of(claims, "azp");
  g.scopes = scopes_of(claims);
  if (auto const exp = claims.find("exp"); exp != claims.end() && exp->is_number())
    g.expires = static_cast<utc_ms>(exp->get<double>() * 1000);
  if (auto const cnf = claims.find("cnf"); cnf != claims.end() && cnf->is_object()) g.key = text_of(*cnf, "jkt");
  g.claims.text = to_text(claims);
  return g;
}

}  // namespace

struct resource_guard::impl {
  resource_guard_options options;
  std::string path, url_of_metadata;
  std::vector<key_cache> keys;  // one an issuer, in their order
  checked_tokens checked;
  proof_memory proofs;
  jwt_expectations expected;

  utc_ms now() const { return options.time->now(); }
  auth_challenge challenge(std::string scheme, std::string error, std::string words,
                           std::vector<std::string> const& scopes) const;
  guard_verdict refuse(int status, std::string error, std::string words,
                       std::vector<std::string> const& scopes = {}) const;
  std::vector<std::string> needed(http_fields const& fields) const;
  task<result<access_grant>> check_token(std::string token);
  task<result<access_grant>> check_signed(std::string token);
  task<result<access_grant>> introspect(std::string token, trusted_issuer const& issuer);
  task<result<void>> fetch_keys(std::size_t issuer);
  task<result<std::string>> jwks_uri(trusted_issuer const& issuer);
  task<result<json>> get_json(std::string target);
  result<void> check_proof(std::string_view method, http_fields const& fields, std::string const& token,
                           access_grant const& grant);
};

// ---------------------------------------------------------------- refusing

auth_challenge resource_guard::impl::challenge(std::string scheme, std::string error, std::string words,
                                               std::vector<std::string> const& scopes) const {
  auth_challenge c;
  c.scheme = std::move(scheme);
  if (!error.empty()) c.parameters.emplace_back("error", std::move(error));
  if (!words.empty()) c.parameters.emplace_back("error_description", std::move(words));
  if (!scopes.empty()) c.parameters.emplace_back("scope", join_scopes(scopes));
  if (c.scheme == "DPoP") {
    std::string algorithms;
    for (auto const a : options.algorithms) (algorithms += algorithms.empty() ? "" : " ") += to_string(a);
    c.parameters.emplace_back("algs", algorithms);
  }
  c.parameters.emplace_back("resource_metadata", url_of_metadata);
  return c;
}

guard_verdict resource_guard::impl::refuse(int status, std::string error, std::string words,
                                           std::vector<std::string> const& scopes) const {
  guard_verdict v;
  v.status = status;
  v.fields.set("Content-Type", "application/json").set("Cache-Control", "no-store");
  if (status == 401 || status == 403)
    v.fields.set("WWW-Authenticate",
                 to_string(challenge(options.dpop_required ? "DPoP" : "Bearer", error, words, scopes)));
  json body = json::object();
  body["error"] = error.empty() ? "unauthorized" : error;
  if (!words.empty()) body["error_description"] = words;
  v.body = to_text(body);
  return v;
}

std::vector<std::string> resource_guard::impl::needed(http_fields const& fields) const {
  auto out = options.scopes_required;
  if (options.scopes_for)
    out = unite_scopes(std::move(out), options.scopes_for(fields.get("Mcp-Method"), fields.get("Mcp-Name")));
  return out;
}

// ---------------------------------------------------------------- asking issuers

task<result<json>> resource_guard::impl::get_json(std::string target) {
  http_request request;
  request.url = std::move(target);
  request.fields.set("Accept", "application/json");
  auto answer =
      co_await options.http.async_send(std::move(request), std::chrono::steady_clock::now() + options.request_time);
  if (!answer) co_return answer.error();
  if (answer->status != 200 || answer->body.size() > oauth_document_bytes_max)
    co_return error{errc::io_failed, "the issuer answered " + std::to_string(answer->status), "resource_guard",
                    answer->url};
  auto parsed = parse_json(answer->body);
  if (!parsed || !parsed->is_object())
    co_return error{errc::io_failed, "the issuer's answer is no JSON object", "resource_guard", answer->url};
  co_return parsed;
}

task<result<std::string>> resource_guard::impl::jwks_uri(trusted_issuer const& issuer) {
  if (!issuer.jwks_uri.empty()) co_return issuer.jwks_uri;
  result<std::string> last =
      error{errc::not_found, "the issuer publishes no metadata with a jwks_uri", "resource_guard", issuer.issuer};
  for (auto const& place : server_metadata_urls(issuer.issuer)) {
    auto found = co_await get_json(place);
    if (!found) continue;
    if (text_of(*found, "issuer") != issuer.issuer) continue;
    if (auto uri = text_of(*found, "jwks_uri"); !uri.empty()) co_return uri;
  }
  co_return last;
}

// Fetches the issuer's keys unless that happened a moment ago.
task<result<void>> resource_guard::impl::fetch_keys(std::size_t issuer) {
  auto& cache = keys[issuer];
  auto const before = cache.tried;
  auto const pass = co_await cache.gate.enter();
  auto const pause = std::chrono::milliseconds(options.keys_pause).count();
  bool const just_now = cache.tried != before || (cache.tried != 0 && now() - cache.tried < pause);
  if (just_now) co_return result<void>{};
  cache.tried = now();
  auto uri = co_await jwks_uri(options.issuers[issuer]);
  if (!uri) co_return uri.error();
  auto document = co_await get_json(std::move(*uri));
  if (!document) co_return document.error();
  auto parsed = jwk_set::parse(to_text(*document));
  if (!parsed) co_return parsed.error();
  cache.keys = std::move(*parsed);
  cache.fetched = now();
  co_return result<void>{};
}

task<result<access_grant>> resource_guard::impl::check_signed(std::string token) {
  auto const decoded = decode_jwt(token);
  if (!decoded) co_return decoded.error();
  auto const claims = parse_json(decoded->claims.text);
  auto const issuer = text_of(*claims, "iss");
  std::size_t which = 0;
  while (which < options.issuers.size() && options.issuers[which].issuer != issuer) ++which;
  if (which == options.issuers.size() || !options.issuers[which].introspection_endpoint.empty())
    co_return error{errc::denied, "the token's issuer is not trusted here (iss)", "resource_guard"};
  auto const& trusted = options.issuers[which];
  auto& cache = keys[which];
  bool const stale = now() - cache.fetched > std::chrono::milliseconds(options.keys_time).count();
  if (!trusted.keys && (cache.fetched == 0 || stale)) {
    auto fetched = co_await fetch_keys(which);
    // Old keys are better than none while the issuer cannot be reached; with none at all nothing can be decided.
    if (!fetched && cache.fetched == 0) co_return fetched.error();
    if (cache.fetched == 0)
      co_return error{errc::io_failed, "the issuer's keys are not to be had", "resource_guard", issuer};
  }
  auto wanted = expected;
  wanted.issuers = {issuer};
  auto verified = verify_jwt(token, trusted.keys ? *trusted.keys : cache.keys, wanted, now());
  if (!verified && verified.error().is(errc::not_found) && !trusted.keys) {
    auto const fetched = co_await fetch_keys(which);
    if (fetched) verified = verify_jwt(token, cache.keys, wanted, now());
  }
  if (!verified) co_return error{errc::denied, verified.error().message, "resource_guard"};
  co_return grant_of(*claims, issuer);
}

task<result<access_grant>> resource_guard::impl::introspect(std::string token, trusted_issuer const& issuer) {
  form fields{{"token", token}, {"token_type_hint", "access_token"}};
  auto const& client = issuer.introspection_client;
  http_request request;
  request.method = "POST";
  request.url = issuer.introspection_endpoint;
  request.redirects_max = 0;
  request.fields.set("Content-Type", "application/x-www-form-urlencoded").set("Accept", "application/json");
  if (client.auth == client_auth::secret_post) {
    fields.emplace_back("client_id", client.client_id);
    fields.emplace_back("client_secret", client.client_secret);
  } else if (!client.client_id.empty()) {
    request.fields.set("Authorization", "Basic " + to_base64(percent_encode(client.client_id) + ":" +
                                                             percent_encode(client.client_secret)));
  }
  request.body = form_text(fields);
  auto answer =
      co_await options.http.async_send(std::move(request), std::chrono::steady_clock::now() + options.request_time);
  if (!answer) co_return answer.error();
  auto const parsed = parse_json(answer->body);
  if (answer->status != 200 || !parsed || !parsed->is_object())
    co_return error{errc::io_failed, "the introspection endpoint answered " + std::to_string(answer->status),
                    "resource_guard", issuer.issuer};
  auto const denied = [](std::string why) { return error{errc::denied, std::move(why), "resource_guard"}; };
  auto const active = parsed->find("active");
  if (active == parsed->end() || !active->is_boolean() || !active->get<bool>())
    co_return denied("the token is not active");
  if (auto const iss = text_of(*parsed, "iss"); !iss.empty() && iss != issuer.issuer)
    co_return denied("the wrong issuer (iss)");
  auto const aud = parsed->find("aud");
  auto const for_us = [&](json const& one) {
    return one.is_string() && std::find(expected.audiences.begin(), expected.audiences.end(),
                                        one.get_ref<std::string const&>()) != expected.audiences.end();
  };
  bool const meant =
      aud != parsed->end() && (for_us(*aud) || (aud->is_array() && std::any_of(aud->begin(), aud->end(), for_us)));
  if (!meant) co_return denied("the token is for somebody else (aud)");
  auto grant = grant_of(*parsed, issuer.issuer);
  if (grant.expires != 0 && grant.expires + std::chrono::milliseconds(options.skew).count() <= now())
    co_return denied("the token has expired (exp)");
  co_return grant;
}

task<result<access_grant>> resource_guard::impl::check_token(std::string token) {
  auto const hash = content_hash(token);
  if (auto const* known = checked.find(hash, now())) co_return *known;
  auto const opaque = std::find_if(options.issuers.begin(), options.issuers.end(),
                                   [](trusted_issuer const& i) { return !i.introspection_endpoint.empty(); });
  bool const readable = decode_jwt(token).has_value();
  bool const some_signed = std::any_of(options.issuers.begin(), options.issuers.end(),
                                       [](trusted_issuer const& i) { return i.introspection_endpoint.empty(); });
  result<access_grant> grant = error{errc::denied, "the token is of no kind that is taken here", "resource_guard"};
  bool const check_here = readable && some_signed;
  if (check_here) grant = co_await check_signed(token);
  bool const ask = !grant && opaque != options.issuers.end() && grant.error().is(errc::denied);
  if (ask) grant = co_await introspect(token, *opaque);
  if (!grant) co_return grant;
  auto until = now() + std::chrono::milliseconds(options.check_time).count();
  if (grant->expires != 0) until = std::min(until, grant->expires);
  checked.put(hash, *grant, until, options.checked_max);
  co_return grant;
}

// ---------------------------------------------------------------- checking a request

result<void> resource_guard::impl::check_proof(std::string_view method, http_fields const& fields,
                                               std::string const& token, access_grant const& grant) {
  auto const denied = [](std::string why) { return error{errc::denied, std::move(why), "resource_guard"}; };
  if (fields.count("DPoP") != 1) return denied("exactly one DPoP proof is needed");
  dpop_proof const request{.method = std::string(method), .url = options.resource, .access_token = token, .nonce = {}};
  auto const proof = verify_dpop(fields.get("DPoP"), request, now(), proof_age_max);
  if (!proof) return denied(proof.error().message);
  if (!same_secret(proof->thumbprint, grant.key))
    return denied("the proof is by another key than the token is bound to");
  if (!proofs.first_time(proof->thumbprint + "." + sha256_url(proof->id), now(), options.proofs_max))
    return denied("the proof was used before");
  return {};
}

resource_guard::resource_guard(resource_guard_options options) : impl_(std::make_shared<impl>()) {
  auto& i = *impl_;
  i.options = std::move(options);
  auto const places = resource_metadata_urls(i.options.resource);
  i.url_of_metadata = places.empty() ? std::string() : places.front();
  auto const parsed = url::parse(i.url_of_metadata);
  i.path = parsed ? parsed->path : std::string();
  i.keys = std::vector<key_cache>(i.options.issuers.size());
  i.expected.audiences = unite_scopes({i.options.resource}, i.options.audiences);
  i.expected.algorithms = i.options.algorithms;
  i.expected.skew = i.options.skew;
}

task<guard_verdict> resource_guard::async_check(std::string_view method, http_fields const& fields) const {
  auto const state = impl_;
  auto const needed = state->needed(fields);
  if (!fields.find("Authorization")) co_return state->refuse(401, "", "", needed);
  if (fields.count("Authorization") != 1)
    co_return state->refuse(400, "invalid_request", "more than one Authorization field");
  auto const value = fields.get("Authorization");
  auto const space = std::min(value.find(' '), value.size());
  auto const scheme = value.substr(0, space);
  std::string token(value.substr(std::min(space + 1, value.size())));
  bool const with_proof = http_fields::same_name(scheme, "DPoP");
  if (!with_proof && !http_fields::same_name(scheme, "Bearer")) co_return state->refuse(401, "", "", needed);
  if (token.empty() || token.size() > token_bytes_max)
    co_return state->refuse(401, "invalid_token", "the token cannot be read", needed);
  auto const grant = co_await state->check_token(token);
  if (!grant && !grant.error().is(errc::denied) && !grant.error().is(errc::parse_error)) {
    log(log_level::warning, "mcp", "a token could not be checked", {{"why", to_string(grant.error())}});
    co_return state->refuse(503, "temporarily_unavailable", "the token cannot be checked now");
  }
  if (!grant) co_return state->refuse(401, "invalid_token", grant.error().message, needed);
  if (with_proof != !grant->key.empty())
    co_return state->refuse(401, "invalid_token",
                            with_proof ? "the token is bound to no key" : "the token needs a proof (DPoP)", needed);
  if (!with_proof && state->options.dpop_required)
    co_return state->refuse(401, "invalid_token", "tokens must be bound to a key (DPoP)", needed);
  if (with_proof) {
    auto proven = state->check_proof(method, fields, token, *grant);
    if (!proven) co_return state->refuse(401, "invalid_dpop_proof", proven.error().message, needed);
  }
  auto const lacking = std::any_of(needed.begin(), needed.end(), [&](std::string const& s) {
    return std::find(grant->scopes.begin(), grant->scopes.end(), s) == grant->scopes.end();
  });
  if (lacking) co_return state->refuse(403, "insufficient_scope", "the token lacks a scope", needed);
  guard_verdict v;
  v.grant = *grant;
  co_return v;
}

guard_verdict resource_guard::insufficient_scope(std::vector<std::string> const& scopes) const {
  return impl_->refuse(403, "insufficient_scope", "the token lacks a scope", scopes);
}

std::string resource_guard::metadata_path() const { return impl_->path; }
std::string resource_guard::metadata_url() const { return impl_->url_of_metadata; }

raw_json resource_guard::metadata() const {
  protected_resource_metadata m;
  m.resource = impl_->options.resource;
  for (auto const& i : impl_->options.issuers) m.authorization_servers.push_back(i.issuer);
  if (!impl_->options.scopes_supported.empty()) m.scopes_supported = impl_->options.scopes_supported;
  m.dpop_required = impl_->options.dpop_required;
  return to_json(m);
}

namespace {

task<bool> guard_exchange(resource_guard guard, std::function<void(http_exchange&, access_grant const&)> on_granted,
                          http_exchange& exchange) {
  if (exchange.path() == guard.metadata_path() && (exchange.method() == "GET" || exchange.method() == "HEAD")) {
    http_fields fields;
    // Public by nature, and read by clients that run in a browser.
    fields.set("Content-Type", "application/json")
        .set("Access-Control-Allow-Origin", "*")
        .set("Cache-Control", "max-age=3600");
    exchange.reply(200, std::move(fields), guard.metadata().text);
    co_return false;
  }
  auto verdict = co_await guard.async_check(exchange.method(), exchange.fields());
  if (verdict.grant) {
    if (on_granted) on_granted(exchange, *verdict.grant);
    co_return true;
  }
  exchange.reply(verdict.status, std::move(verdict.fields), std::move(verdict.body));
  co_return false;
}

}  // namespace

std::function<task<bool>(http_exchange&)> resource_guard::as_guard() const {
  return [guard = *this](http_exchange& exchange) {
    return guard_exchange(guard, guard.impl_->options.on_granted, exchange);
  };
}

}  // namespace wherry::inline v0::mcp
