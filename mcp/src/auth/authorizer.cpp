#include <wherry/mcp/authorizer.hpp>

#include "auth/flow.hpp"

#include <wherry/core/runtime.hpp>
#include <wherry/http/url.hpp>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <map>

namespace wherry::inline v0::mcp {

namespace asio = boost::asio;
using namespace detail;

namespace {

constexpr auto renew_before = std::chrono::seconds(30);  // tokens this close to their end are renewed first

std::chrono::steady_clock::time_point in(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

}  // namespace

struct authorizer::impl {
  std::string server_url;
  std::string origin;
  bool on_loopback = false;
  authorizer_options options;
  std::optional<oauth_tokens> tokens;
  bool loaded = false;
  std::uint64_t generation = 0;  // counts changes of `tokens`
  std::map<std::string, std::string> nonces;
  bool busy = false;
  std::optional<error> last_failure;
  std::vector<std::shared_ptr<asio::steady_timer>> waiting;

  result<void> load();
  void bind_client(std::string const& issuer);
  address_rule rule_for(std::string const& target) const;
  task<result<void>> authorise(flow_start start);
  task<result<void>> run_flow(flow_start start);
  task<flow_step> do_step(authorization_flow& flow, flow_step step);
  task<flow_step> fetch(authorization_flow& flow, http_request request);
  task<flow_step> ask(authorization_flow& flow, std::string url);
  task<flow_step> fetch_assertion(authorization_flow& flow, std::string audience);
};

// ---------------------------------------------------------------- carrying out a flow

result<void> authorizer::impl::load() {
  if (loaded) return {};
  auto kept = options.store->tokens(server_url);
  if (!kept) return kept.error();
  loaded = true;
  if (!*kept) return {};
  tokens = std::move(*kept);
  ++generation;
  return {};
}

// A client that names no server belongs to the first it is used with.
void authorizer::impl::bind_client(std::string const& issuer) {
  auto const bind = [&](oauth_client& c) {
    if (c.issuer.empty()) c.issuer = issuer;
  };
  if (auto* g = std::get_if<user_consent>(&options.grant); g && g->client) bind(*g->client);
  if (auto* g = std::get_if<client_credentials>(&options.grant)) bind(g->client);
  if (auto* g = std::get_if<workload_identity>(&options.grant)) bind(g->client);
  if (auto* g = std::get_if<enterprise_managed>(&options.grant)) bind(g->client);
}

address_rule authorizer::impl::rule_for(std::string const& target) const {
  auto const parsed = url::parse(target);
  if (options.private_addresses || (parsed && parsed->origin() == origin)) return address_rule::any;
  return on_loopback && options.loopback_http ? address_rule::global_or_loopback : address_rule::global;
}

task<flow_step> authorizer::impl::fetch(authorization_flow& flow, http_request request) {
  request.addresses = rule_for(request.url);
  auto answer = co_await options.http.async_send(std::move(request), in(options.request_time));
  if (!answer) co_return flow.on_failure(answer.error());
  co_return flow.on_answer(*answer);
}

task<flow_step> authorizer::impl::ask(authorization_flow& flow, std::string url) {
  auto prompt = std::get<user_consent>(options.grant).prompt;
  auto came_back = co_await with_deadline(prompt(std::move(url)), in(options.consent_time), "the user's consent");
  if (!came_back) co_return came_back.error();
  co_return flow.on_redirect(*came_back);
}

task<flow_step> authorizer::impl::fetch_assertion(authorization_flow& flow, std::string audience) {
  auto const* workload = std::get_if<workload_identity>(&options.grant);
  if (workload ? !workload->assertion : !std::get<enterprise_managed>(options.grant).id_token)
    co_return error{errc::invalid_argument, "the grant has no function that brings its assertion", "mcp.authorisation"};
  auto work =
      workload ? workload->assertion(std::move(audience)) : std::get<enterprise_managed>(options.grant).id_token();
  auto got = co_await with_deadline(std::move(work), in(options.request_time), "the assertion");
  if (!got) co_return got.error();
  co_return flow.on_assertion(std::move(*got));
}

task<flow_step> authorizer::impl::do_step(authorization_flow& flow, flow_step step) {
  if (auto* s = std::get_if<flow_fetch>(&step)) co_return co_await fetch(flow, std::move(s->request));
  if (auto* s = std::get_if<flow_consent>(&step)) co_return co_await ask(flow, std::move(s->url));
  if (auto* s = std::get_if<flow_assertion>(&step)) co_return co_await fetch_assertion(flow, std::move(s->audience));
  if (auto* s = std::get_if<flow_find_client>(&step)) {
    auto found = options.store->client(s->issuer);
    if (!found) co_return found.error();
    co_return flow.on_client(std::move(*found));
  }
  if (auto* s = std::get_if<flow_keep_client>(&step)) {
    auto kept = options.store->keep_client(s->issuer, s->client);
    if (!kept) co_return kept.error();
    co_return flow.on_kept();
  }
  co_return step;
}

task<result<void>> authorizer::impl::run_flow(flow_start start) {
  authorization_flow flow(server_url, options, std::move(start));
  auto step = flow.begin();
  while (!std::holds_alternative<flow_finished>(step)) {
    if (auto const* failed = std::get_if<error>(&step)) co_return *failed;
    step = co_await do_step(flow, std::move(step));
  }
  nonces = flow.nonces();
  bind_client(flow.issuer());
  tokens = std::move(std::get<flow_finished>(step).tokens);
  ++generation;
  co_return options.store->keep_tokens(server_url, tokens);
}

// One at a time; whoever comes meanwhile waits and gets the same outcome.
task<result<void>> authorizer::impl::authorise(flow_start start) {
  auto const executor = co_await asio::this_coro::executor;
  if (busy) {
    auto const mine = std::make_shared<asio::steady_timer>(executor, std::chrono::steady_clock::time_point::max());
    waiting.push_back(mine);
    boost::system::error_code ec;
    co_await mine->async_wait(asio::redirect_error(asio::use_awaitable, ec));
    bool const still = std::erase(waiting, mine) > 0;
    if (still) co_return error{errc::cancelled, "cancelled while another request authorises", "mcp.authorisation"};
    if (last_failure) co_return *last_failure;
    co_return result<void>{};
  }
  // However this ends, those who wait go on.
  struct turn {
    impl& self;
    std::optional<error> failure = error{errc::cancelled, "the authorisation was cancelled", "mcp.authorisation"};
    explicit turn(impl& s) : self(s) { self.busy = true; }
    ~turn() {
      self.busy = false;
      self.last_failure = std::move(failure);
      for (auto const& w : std::exchange(self.waiting, {})) w->cancel();
    }
  } mine(*this);
  auto done = co_await run_flow(std::move(start));
  mine.failure = done ? std::nullopt : std::optional(done.error());
  co_return done;
}

// ---------------------------------------------------------------- the handle

authorizer::authorizer(std::string server_url, authorizer_options options) : impl_(std::make_shared<impl>()) {
  auto const parsed = url::parse(server_url);
  impl_->origin = parsed ? parsed->origin() : std::string();
  impl_->on_loopback = parsed && is_loopback_host(parsed->host);
  impl_->server_url = std::move(server_url);
  impl_->options = std::move(options);
}

task<result<void>> authorizer::async_prepare(http_request& request, authorization_tries& tries) const {
  auto const state = impl_;
  auto ready = state->load();
  if (!ready) co_return ready;
  auto const target = url::parse(request.url);
  // Tokens are for their server: no other origin ever sees them.
  if (!target || target->origin() != state->origin || !state->tokens) {
    tries.seen = state->generation;
    co_return result<void>{};
  }
  auto const now = state->options.time->now();
  bool const ending =
      state->tokens->expires != 0 && state->tokens->expires - now < std::chrono::milliseconds(renew_before).count();
  bool const silent =
      !std::holds_alternative<user_consent>(state->options.grant) || !state->tokens->refresh_token.empty();
  if (ending && silent) {
    flow_start start;
    start.previous = state->tokens;
    start.silent = true;
    start.nonces = state->nonces;
    // If it fails, the server will say so; it may take the old token yet.
    auto const renewed = co_await state->authorise(std::move(start));
    if (!renewed && renewed.error().is(errc::cancelled)) co_return renewed;
  }
  tries.seen = state->generation;
  auto const& tokens = *state->tokens;
  request.fields.set("Authorization", (tokens.dpop ? "DPoP " : "Bearer ") + tokens.access_token);
  if (!tokens.dpop) co_return result<void>{};
  auto key = signing_key::from_pem(tokens.dpop_key, jwt_algorithm::es256);
  if (!key) co_return key.error();
  auto const nonce = state->nonces.find(state->origin);
  dpop_proof proof{.method = request.method, .url = request.url, .access_token = tokens.access_token, .nonce = {}};
  if (nonce != state->nonces.end()) proof.nonce = nonce->second;
  auto signed_proof = sign_dpop(*key, proof, now);
  if (!signed_proof) co_return signed_proof.error();
  request.fields.set("DPoP", *signed_proof);
  co_return result<void>{};
}

void authorizer::note(http_fields const& answer) const {
  if (auto const nonce = answer.find("DPoP-Nonce")) impl_->nonces[impl_->origin] = std::string(*nonce);
}

task<result<bool>> authorizer::async_challenged(int status, http_fields const& answer,
                                                authorization_tries& tries) const {
  auto const state = impl_;
  if (status != 401 && status != 403) co_return false;
  auto ready = state->load();
  if (!ready) co_return ready.error();
  note(answer);
  auth_challenge challenge;
  for (auto const& c : parse_challenges(answer))
    if (http_fields::same_name(c.scheme, "Bearer") || http_fields::same_name(c.scheme, "DPoP"))
      if (challenge.scheme.empty() || c.find("error")) challenge = c;
  auto const why = challenge.find("error").value_or("");
  bool const step_up = why == "insufficient_scope";
  if (status == 403 && !step_up) co_return false;
  if (++tries.challenges > challenges_max) co_return false;
  if (why == "use_dpop_nonce" && state->tokens && state->tokens->dpop && answer.find("DPoP-Nonce")) co_return true;
  if (tries.seen != state->generation && state->tokens) co_return true;  // somebody authorised meanwhile

  flow_start start;
  start.metadata_url = challenge.find("resource_metadata").value_or("");
  start.scopes = split_scopes(challenge.find("scope").value_or(""));
  start.step_up = step_up && state->tokens;
  start.previous = state->tokens;
  start.nonces = state->nonces;
  if (start.step_up) {
    // Asking again for what was granted, or refused, before will not help more than once.
    auto const united = unite_scopes(state->tokens->scopes, start.scopes);
    if (united.size() == state->tokens->scopes.size() && tries.challenges > 2) co_return false;
  }
  auto done = co_await state->authorise(std::move(start));
  if (!done) co_return done.error();
  co_return true;
}

result<void> authorizer::forget() const {
  impl_->tokens.reset();
  ++impl_->generation;
  return impl_->options.store->keep_tokens(impl_->server_url, std::nullopt);
}

std::vector<std::string> authorizer::scopes() const {
  return impl_->tokens ? impl_->tokens->scopes : std::vector<std::string>{};
}

}  // namespace wherry::inline v0::mcp
