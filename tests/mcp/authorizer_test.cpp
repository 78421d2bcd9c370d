#include "auth/encoding.hpp"
#include "auth/flow.hpp"
#include "http_loop.hpp"

#include <wherry/core/json.hpp>
#include <wherry/mcp/authorizer.hpp>
#include <wherry/mcp/jwt.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <map>

using namespace wherry;
using namespace wherry::mcp;
using namespace wherry_test;
namespace auth = wherry::mcp::detail;
using namespace std::chrono_literals;

namespace {

// A server and its authorization server in one, and a book of what came. All on its own loop.
class town {
 public:
  town() : server([this](http_exchange& e) { return serve(e); }) {
    metadata = {{"issuer", base()},
                {"authorization_endpoint", base() + "/authorize?tenant=1"},
                {"token_endpoint", base() + "/token"},
                {"registration_endpoint", base() + "/register"},
                {"code_challenge_methods_supported", {"S256"}},
                {"token_endpoint_auth_methods_supported", {"none"}},
                {"authorization_response_iss_parameter_supported", true}};
  }

  std::string base() const { return server.server->origin(); }
  std::string url() const { return base() + "/mcp"; }
  int count(std::string const& path) const { return counts.contains(path) ? counts.at(path) : 0; }

  json metadata;
  std::string resource_override;
  std::string life = "3600";
  bool refresh_works = true;
  std::map<std::string, int> counts;  // read after the fact
  std::string good_token, challenge, last_form;

 private:
  static void answer(http_exchange& e, json const& body, int status = 200) {
    e.reply(status, "application/json", to_text(body));
  }

  task<void> serve(http_exchange& e) {
    auto const body = co_await e.async_body();
    auto const path = std::string(e.path());
    ++counts[path];
    if (path == "/.well-known/oauth-protected-resource/mcp") {
      answer(e, {{"resource", resource_override.empty() ? url() : resource_override},
                 {"authorization_servers", {base()}}});
    } else if (path == "/.well-known/oauth-authorization-server") {
      answer(e, metadata);
    } else if (path == "/register") {
      answer(e, {{"client_id", "dyn"}, {"token_endpoint_auth_method", "none"}}, 201);
    } else if (path == "/authorize") {
      authorize(e);
    } else if (path == "/token") {
      last_form = *body;
      token(e, auth::parse_form(*body).value());
    } else if (path == "/mcp") {
      mcp(e);
    } else {
      e.reply(404);
    }
  }

  void authorize(http_exchange& e) {
    std::map<std::string, std::string> q;
    for (auto const& [n, v] : auth::parse_form(e.query()).value()) q[n] = v;
    code_challenge_ = q["code_challenge"];
    http_fields to;
    to.set("Location",
           q["redirect_uri"] + "?code=c&state=" + percent_encode(q["state"]) + "&iss=" + percent_encode(base()));
    e.reply(302, std::move(to), "");
  }

  void token(http_exchange& e, auth::form const& form) {
    std::map<std::string, std::string> f(form.begin(), form.end());
    bool const code =
        f["grant_type"] == "authorization_code" && auth::sha256_url(f["code_verifier"]) == code_challenge_;
    bool const refresh = f["grant_type"] == "refresh_token" && f["refresh_token"] == "refresh-secret" && refresh_works;
    if (!code && !refresh) return answer(e, {{"error", "invalid_grant"}, {"error_description", "no\nsuch grant"}}, 400);
    good_token = "token-secret-" + std::to_string(++tokens_);
    answer(e, {{"access_token", good_token},
               {"token_type", "bearer"},
               {"expires_in", std::stoi(life)},
               {"refresh_token", "refresh-secret"}});
  }

  void mcp(http_exchange& e) {
    if (!good_token.empty() && e.fields().get("Authorization") == "Bearer " + good_token)
      return e.reply(200, "text/plain", "in");
    http_fields f;
    f.set("WWW-Authenticate",
          challenge.empty() ? "Bearer resource_metadata=\"" + base() + "/.well-known/oauth-protected-resource/mcp\""
                            : challenge);
    e.reply(401, std::move(f), "");
  }

  std::string code_challenge_;
  int tokens_ = 0;

 public:
  running_server server;
};

authorizer_options options_for(std::shared_ptr<token_store> store = make_memory_token_store()) {
  user_consent consent;
  consent.prompt = follow_consent(http_client());
  authorizer_options o;
  o.grant = std::move(consent);
  o.store = std::move(store);
  o.loopback_http = true;
  return o;
}

// One request with as many tries as it takes. Returns: the last status.
task<result<int>> ask(authorizer keeper, std::string url) {
  http_client const client;
  authorization_tries tries;
  for (;;) {
    http_request request;
    request.url = url;
    auto ready = co_await keeper.async_prepare(request, tries);
    if (!ready) co_return ready.error();
    auto answer = co_await client.async_send(std::move(request));
    if (!answer) co_return answer.error();
    auto again = co_await keeper.async_challenged(answer->status, answer->fields, tries);
    if (!again) co_return again.error();
    if (!*again) co_return answer->status;
  }
}

result<int> status_of(authorizer const& auth, std::string const& url) {
  return run_blocking(ask(auth, url), "f", "async_f");
}

}  // namespace

TEST_CASE("a server that wants authorisation gets it, and the next program need not ask again", "[unit]") {
  town t;
  auto const store = make_memory_token_store();
  authorizer const first(t.url(), options_for(store));
  CHECK(status_of(first, t.url()).value() == 200);
  CHECK(status_of(first, t.url()).value() == 200);
  CHECK(t.count("/token") == 1);
  CHECK(t.count("/register") == 1);
  auto silent = options_for(store);
  std::get<user_consent>(silent.grant).prompt = nullptr;
  CHECK(status_of(authorizer(t.url(), silent), t.url()).value() == 200);
  CHECK(t.count("/authorize") == 1);
  REQUIRE(first.forget());
  CHECK(status_of(first, t.url()).value() == 200);
  CHECK(t.count("/authorize") == 2);
  CHECK(t.count("/register") == 1);  // the client is remembered
}

TEST_CASE("tokens about to expire are renewed, and a refused renewal asks the user", "[unit]") {
  town t;
  auto const time = std::make_shared<manual_clock>(1'800'000'000'000);
  auto o = options_for();
  o.time = time;
  authorizer const keeper(t.url(), o);
  CHECK(status_of(keeper, t.url()).value() == 200);
  time->advance(3580s);
  CHECK(status_of(keeper, t.url()).value() == 200);
  CHECK(t.count("/token") == 2);
  CHECK(t.last_form.find("grant_type=refresh_token") != std::string::npos);
  CHECK(t.last_form.find("resource=" + percent_encode(t.url())) != std::string::npos);
  CHECK(t.count("/authorize") == 1);
  t.refresh_works = false;
  time->advance(3580s);
  t.good_token.clear();
  CHECK(status_of(keeper, t.url()).value() == 200);
  CHECK(t.count("/authorize") == 2);
}

TEST_CASE("many requests challenged at once authorise once", "[unit]") {
  town t;
  authorizer const keeper(t.url(), options_for());
  boost::asio::io_context loop;
  int fine = 0;
  auto one = [&]() -> task<void> {
    auto const status = co_await ask(keeper, t.url());
    fine += status && *status == 200;
  };
  for (int i = 0; i < 8; ++i) boost::asio::co_spawn(loop, one(), [](std::exception_ptr) {});
  loop.run();
  CHECK(fine == 8);
  CHECK(t.count("/authorize") == 1);
}

TEST_CASE("a token goes to its own server alone", "[unit]") {
  town t, other;
  authorizer const keeper(t.url(), options_for());
  REQUIRE(status_of(keeper, t.url()).value() == 200);
  auto prepare = [](authorizer a, std::string url) -> task<result<std::string>> {
    http_request r;
    r.url = std::move(url);
    authorization_tries tries;
    auto done = co_await a.async_prepare(r, tries);
    if (!done) co_return done.error();
    co_return std::string(r.fields.get("Authorization"));
  };
  CHECK(run_blocking(prepare(keeper, t.url()), "f", "g").value() == "Bearer " + t.good_token);
  CHECK(run_blocking(prepare(keeper, other.url()), "f", "g").value().empty());
}

TEST_CASE("metadata that leads inside, elsewhere or astray is not followed", "[unit]") {
  town t;
  SECTION("the challenge points at a metadata service") {
    t.challenge = "Bearer resource_metadata=\"https://169.254.169.254/latest\"";
    auto const r = status_of(authorizer(t.url(), options_for()), t.url());
    REQUIRE_FALSE(r);
    CHECK(r.error().is(errc::denied));
  }
  SECTION("http beyond loopback") {
    t.challenge = "Bearer resource_metadata=\"http://example.com/x\"";
    auto const r = status_of(authorizer(t.url(), options_for()), t.url());
    CHECK(r.error().message.find("not https") != std::string::npos);
  }
  SECTION("http on loopback without the switch") {
    auto o = options_for();
    o.loopback_http = false;
    CHECK(status_of(authorizer(t.url(), o), t.url()).error().message.find("loopback_http") != std::string::npos);
  }
  SECTION("another resource") {
    t.resource_override = "https://evil.example/mcp";
    CHECK(status_of(authorizer(t.url(), options_for()), t.url()).error().is(errc::denied));
  }
  SECTION("another issuer") {
    t.metadata["issuer"] = t.base() + "/";
    CHECK(status_of(authorizer(t.url(), options_for()), t.url()).error().is(errc::denied));
  }
  SECTION("no PKCE") {
    t.metadata.erase("code_challenge_methods_supported");
    CHECK(status_of(authorizer(t.url(), options_for()), t.url()).error().message.find("PKCE") != std::string::npos);
  }
  SECTION("a token endpoint in the clear") {
    t.metadata["token_endpoint"] = "http://example.com/token";
    CHECK(status_of(authorizer(t.url(), options_for()), t.url()).error().message.find("token endpoint") !=
          std::string::npos);
  }
  CHECK(t.count("/token") == 0);
  CHECK(t.count("/authorize") == 0);
}

TEST_CASE("a refusal says what the server said and nothing secret", "[unit]") {
  town t;
  t.metadata["token_endpoint_auth_methods_supported"] = {"client_secret_post"};
  auto o = options_for();
  oauth_client c;
  c.client_id = "me";
  c.client_secret = "client-secret-value";
  o.grant = client_credentials{c};
  auto const r = status_of(authorizer(t.url(), o), t.url());
  REQUIRE_FALSE(r);
  auto const text = to_string(r.error());
  CHECK(text.find("invalid_grant: no such grant") != std::string::npos);
  CHECK(text.find("secret") == std::string::npos);
  CHECK(t.last_form.find("client_secret=client-secret-value") != std::string::npos);
}

TEST_CASE("a client registered by hand is shown to its own authorization server alone", "[unit]") {
  town t;
  auto o = options_for();
  oauth_client c;
  c.client_id = "me";
  c.client_secret = "s";
  c.issuer = "https://as.example";
  o.grant = client_credentials{c};
  CHECK(status_of(authorizer(t.url(), o), t.url()).error().message.find("belongs to another") != std::string::npos);
  CHECK(t.count("/token") == 0);
}

TEST_CASE("a server that never takes the token is given up", "[unit]") {
  town t;
  t.challenge = "Bearer error=\"invalid_token\"";
  authorizer const keeper(t.url(), options_for());
  auto always = [](authorizer a) -> task<result<int>> {
    authorization_tries tries;
    http_fields refused;
    refused.set("WWW-Authenticate", "Bearer error=\"invalid_token\"");
    for (int i = 0;; ++i) {
      http_request r;
      r.url = "http://127.0.0.1:1/";
      auto ready = co_await a.async_prepare(r, tries);
      if (!ready) co_return ready.error();
      auto again = co_await a.async_challenged(401, refused, tries);
      if (!again) co_return again.error();
      if (!*again) co_return i;
    }
  };
  CHECK(run_blocking(always(keeper), "f", "g").value() == challenges_max);
  http_fields none;
  authorization_tries tries;
  auto plain = [&]() -> task<result<bool>> { co_return co_await keeper.async_challenged(403, none, tries); };
  CHECK_FALSE(run_blocking(plain(), "f", "g").value());
}

TEST_CASE("a user who does not answer is a deadline, one who goes away no hang for others", "[unit]") {
  town t;
  auto o = options_for();
  o.consent_time = 80ms;
  std::get<user_consent>(o.grant).prompt = [](std::string) -> task<result<std::string>> {
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, 1h);
    co_await timer.async_wait(boost::asio::use_awaitable);
    co_return std::string();
  };
  auto const from = std::chrono::steady_clock::now();
  CHECK(status_of(authorizer(t.url(), o), t.url()).error().is(errc::deadline_exceeded));
  CHECK(std::chrono::steady_clock::now() - from < 1s);
}

TEST_CASE("a browser that comes back to loopback brings the code", "[unit]") {
  // A port that is free now; the redirect URI must name it beforehand.
  std::uint16_t port = 0;
  {
    running_server probe([](http_exchange& e) -> task<void> {
      e.reply(200);
      co_return;
    });
    port = probe.port();
  }
  auto const redirect = "http://127.0.0.1:" + std::to_string(port) + "/callback";
  std::thread browser;
  auto prompt = loopback_consent(redirect, [&](std::string const& shown) {
    browser = std::thread([shown, port] {
      auto const asked = [&](std::string const& target) {
        raw_client c(port);
        c.send("GET " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
        return c.until_end();
      };
      CHECK(asked("/favicon.ico").starts_with("HTTP/1.1 404"));
      CHECK(asked("/callback").starts_with("HTTP/1.1 404"));
      CHECK(asked("/callback?code=x&state=" + shown.substr(shown.find('=') + 1)).find("You may close") !=
            std::string::npos);
    });
  });
  auto const back = run_blocking(prompt("https://as/authorize?state=abc"), "f", "g");
  browser.join();
  CHECK(back.value() == redirect + "?code=x&state=abc");
}

// ---------------------------------------------------------------- the state machine, without any network

namespace {

http_response document(json const& body, int status = 200) {
  return {.status = status, .fields = {}, .body = to_text(body), .url = {}};
}

// A flow brought to the point where the user is asked.
struct asked_flow {
  authorizer_options options = [] {
    auto o = options_for();
    std::get<user_consent>(o.grant).redirect_uri = "https://me/cb";
    return o;
  }();
  auth::authorization_flow flow{"https://h/mcp", options, auth::flow_start{}};
  std::string state;

  explicit asked_flow(json extra = json::object()) {
    (void)flow.begin();
    (void)flow.on_answer(document({{"resource", "https://h/mcp"}, {"authorization_servers", {"https://as"}}}));
    json server = {{"issuer", "https://as"},
                   {"authorization_endpoint", "https://as/a"},
                   {"token_endpoint", "https://as/t"},
                   {"code_challenge_methods_supported", {"S256"}}};
    if (extra.is_object()) server.update(extra);
    (void)flow.on_answer(document(server));
    oauth_client c;
    c.client_id = "id";
    auto const step = flow.on_client(c);
    REQUIRE(std::holds_alternative<auth::flow_consent>(step));
    auto const url = std::get<auth::flow_consent>(step).url;
    auto const query = auth::parse_form(url.substr(url.find('?') + 1)).value();
    for (auto const& [name, value] : query)
      if (name == "state") state = value;
  }
  bool accepts(std::string const& redirect) {
    return std::holds_alternative<auth::flow_fetch>(flow.on_redirect(redirect));
  }
};

}  // namespace

TEST_CASE("an authorization response is accepted only as the answer to this request from this issuer", "[unit]") {
  auto const with = [](json const& extra, std::string const& more, std::string const& base = "https://me/cb") {
    asked_flow f(extra);
    return f.accepts(base + "?code=c&state=" + f.state + more);
  };
  json const advertised = {{"authorization_response_iss_parameter_supported", true}};
  CHECK(with({}, ""));
  CHECK(with(advertised, "&iss=https%3A%2F%2Fas"));
  CHECK_FALSE(with(advertised, ""));
  CHECK_FALSE(with({}, "&iss=https%3A%2F%2Fas%2F"));
  CHECK_FALSE(with({}, "&iss=https%3A%2F%2Fevil"));
  CHECK_FALSE(with({}, "&state=x"));
  CHECK_FALSE(with({}, "&code=d"));
  CHECK_FALSE(with({}, "&error=access_denied"));
  CHECK_FALSE(with({}, "", "https://me/cb2"));
  CHECK_FALSE(with({}, "", "https://me/"));
  asked_flow wrong;
  CHECK_FALSE(wrong.accepts("https://me/cb?code=c&state=" + wrong.state + "x"));
  asked_flow none;
  CHECK_FALSE(none.accepts("https://me/cb?code=c"));
  asked_flow empty;
  CHECK_FALSE(empty.accepts("https://me/cb?code=&state=" + empty.state));
}

TEST_CASE("token answers of the wrong kind are refused", "[unit]") {
  auto const take = [](json const& answer) {
    asked_flow f;
    REQUIRE(f.accepts("https://me/cb?code=c&state=" + f.state));
    return std::holds_alternative<auth::flow_finished>(f.flow.on_answer(document(answer)));
  };
  CHECK(take({{"access_token", "t"}, {"token_type", "BEARER"}}));
  CHECK_FALSE(take({{"access_token", "t"}, {"token_type", "mac"}}));
  CHECK_FALSE(take({{"access_token", "t"}, {"token_type", "DPoP"}}));  // bound to a key that was never shown
  CHECK_FALSE(take({{"access_token", "a\r\nX: y"}, {"token_type", "Bearer"}}));
  CHECK_FALSE(take({{"token_type", "Bearer"}}));
  CHECK_FALSE(take(json::array()));
}

TEST_CASE("a flow that is sent around in circles ends", "[unit]") {
  auto o = options_for();
  o.requests_max = 2;
  auth::authorization_flow flow("https://h/mcp", o, auth::flow_start{});
  auto step = flow.begin();
  int fetched = 0;
  while (std::holds_alternative<auth::flow_fetch>(step)) {
    ++fetched;
    step = flow.on_answer(document(json::object(), 404));
  }
  CHECK(fetched == 2);
  REQUIRE(std::holds_alternative<error>(step));
  CHECK(std::get<error>(step).is(errc::limit_reached));
}

TEST_CASE("a bound token stays bound where it must", "[unit]") {
  auto o = options_for();
  o.dpop = dpop_use::required;
  std::get<user_consent>(o.grant).redirect_uri = "https://me/cb";
  auth::authorization_flow flow("https://h/mcp", o, auth::flow_start{});
  (void)flow.begin();
  (void)flow.on_answer(document({{"resource", "https://h/mcp"}, {"authorization_servers", {"https://as"}}}));
  bool const offered = GENERATE(true, false);
  json server = {{"issuer", "https://as"},
                 {"authorization_endpoint", "https://as/a"},
                 {"token_endpoint", "https://as/t"},
                 {"code_challenge_methods_supported", {"S256"}}};
  if (offered) server["dpop_signing_alg_values_supported"] = {"ES256"};
  auto const step = flow.on_answer(document(server));
  CHECK(std::holds_alternative<error>(step) == !offered);
}
