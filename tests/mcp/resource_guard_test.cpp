#include "auth/encoding.hpp"
#include "http_loop.hpp"

#include <wherry/core/json.hpp>
#include <wherry/core/log.hpp>
#include <wherry/mcp/resource_guard.hpp>

#include <atomic>

using namespace wherry;
using namespace wherry::mcp;
using namespace wherry_test;
using namespace std::chrono_literals;
namespace auth = wherry::mcp::detail;

namespace {

constexpr utc_ms start = 1'800'000'000'000;
std::string const resource = "https://rs.example/mcp";

json keys_json(signing_key const& key, std::string const& id) {
  auto jwk = parse_json(key.public_jwk().text).value();
  jwk["kid"] = id;
  return {{"keys", json::array({jwk})}};
}

// An issuer on loopback whose keys and answers the test decides.
class issuer {
 public:
  issuer() : server([this](http_exchange& e) { return serve(e); }) {}
  std::string name() const { return server.server->origin(); }

  signing_key key = signing_key::generate().value();
  std::string key_id = "k1";
  std::atomic<int> fetched{0}, asked{0};
  std::atomic<bool> down{false};
  json introspection = {{"active", false}};
  std::string last_form, last_authorization;

  std::string token(std::string const& more = {}, std::string const& audience = resource) const {
    std::string const claims = R"({"iss":")" + name() + R"(","aud":")" + audience +
                               R"(","sub":"user","client_id":"c","scope":"read write","exp":1800003600)" + more + "}";
    return key.sign({R"({"kid":")" + key_id + R"(","typ":"at+jwt"})"}, {claims}).value();
  }

 private:
  task<void> serve(http_exchange& e) {
    auto const body = co_await e.async_body();
    if (down) {
      e.reply(500);
    } else if (e.path() == "/.well-known/openid-configuration") {
      e.reply(200, "application/json", to_text(json{{"issuer", name()}, {"jwks_uri", name() + "/keys"}}));
    } else if (e.path() == "/keys") {
      ++fetched;
      e.reply(200, "application/json", to_text(keys_json(key, key_id)));
    } else if (e.path() == "/introspect") {
      ++asked;
      last_form = *body;
      last_authorization = std::string(e.fields().get("Authorization"));
      e.reply(200, "application/json", to_text(introspection));
    } else {
      e.reply(404);
    }
  }

 public:
  running_server server;
};

struct guarded {
  issuer as;
  std::shared_ptr<manual_clock> time = std::make_shared<manual_clock>(start);
  resource_guard_options options = [this] {
    resource_guard_options o;
    o.resource = resource;
    trusted_issuer i;
    i.issuer = as.name();
    o.issuers = {i};
    o.scopes_required = {"read"};
    o.time = time;
    return o;
  }();

  guard_verdict check(resource_guard const& guard, http_fields fields, std::string const& method = "POST") {
    auto body = [](resource_guard g, http_fields f, std::string m) -> task<result<guard_verdict>> {
      co_return co_await g.async_check(m, f);
    };
    return run_blocking(body(guard, std::move(fields), method), "f", "async_f").value();
  }
  guard_verdict check(resource_guard const& guard, std::string const& authorization) {
    http_fields f;
    if (!authorization.empty()) f.set("Authorization", authorization);
    return check(guard, std::move(f));
  }
};

std::string challenge_of(guard_verdict const& v) { return std::string(v.fields.get("WWW-Authenticate")); }

}  // namespace

TEST_CASE("a request without a token is told where to get one", "[unit]") {
  guarded g;
  resource_guard const guard(g.options);
  auto const v = g.check(guard, "");
  CHECK(v.status == 401);
  CHECK(challenge_of(v) ==
        R"(Bearer scope="read", resource_metadata="https://rs.example/.well-known/oauth-protected-resource/mcp")");
  CHECK(guard.metadata_path() == "/.well-known/oauth-protected-resource/mcp");
  CHECK(guard.metadata().text == R"({"resource":"https://rs.example/mcp","authorization_servers":[")" + g.as.name() +
                                     R"("],"bearer_methods_supported":["header"]})");
  CHECK(g.check(guard, "Basic dXNlcg==").status == 401);
  http_fields two;
  two.add("Authorization", "Bearer a").add("Authorization", "Bearer b");
  CHECK(g.check(guard, std::move(two)).status == 400);
}

TEST_CASE("a signed token is checked with the issuer's keys, which are found and fetched once", "[unit]") {
  guarded g;
  resource_guard const guard(g.options);
  auto const v = g.check(guard, "Bearer " + g.as.token());
  REQUIRE(v.grant);
  CHECK(v.grant->subject == "user");
  CHECK(v.grant->client_id == "c");
  CHECK(v.grant->scopes == std::vector<std::string>{"read", "write"});
  CHECK(v.grant->expires == 1'800'003'600'000);
  CHECK(g.check(guard, "bearer " + g.as.token(R"(,"jti":"2")")).grant);
  CHECK(g.as.fetched == 1);
  auto const why = [&](std::string const& token) {
    auto const refused = g.check(guard, "Bearer " + token);
    CHECK(refused.status == 401);
    CHECK(challenge_of(refused).find("error=\"invalid_token\"") != std::string::npos);
    CHECK(refused.body.find(token.substr(token.size() - 8)) == std::string::npos);
    return challenge_of(refused);
  };
  CHECK(why(g.as.token("", "https://other/mcp")).find("(aud)") != std::string::npos);
  CHECK(why(g.as.token(R"(,"nbf":1800001000)")).find("(nbf)") != std::string::npos);
  CHECK(why("no.nsense.at.all").find("invalid_token") != std::string::npos);
  issuer stranger;
  CHECK(why(stranger.token()).find("(iss)") != std::string::npos);
  CHECK(stranger.fetched == 0);
}

TEST_CASE("an expired token is refused also when it was accepted before", "[unit]") {
  guarded g;
  resource_guard const guard(g.options);
  auto const token = "Bearer " + g.as.token();
  CHECK(g.check(guard, token).grant);
  g.time->set(1'800'003'600'000 + 61'000);
  CHECK(challenge_of(g.check(guard, token)).find("(exp)") != std::string::npos);
}

TEST_CASE("keys that change are fetched anew, but not for every stranger", "[unit]") {
  guarded g;
  resource_guard const guard(g.options);
  CHECK(g.check(guard, "Bearer " + g.as.token()).grant);
  g.as.key = signing_key::generate().value();
  g.as.key_id = "k2";
  CHECK(g.check(guard, "Bearer " + g.as.token()).status == 401);  // within the pause
  g.time->advance(31s);
  CHECK(g.check(guard, "Bearer " + g.as.token()).grant);
  CHECK(g.as.fetched == 2);
  g.as.key_id = "unknown";
  for (int i = 0; i < 20; ++i)
    CHECK(g.check(guard, "Bearer " + g.as.token(R"(,"jti":")" + std::to_string(i) + "\"")).status == 401);
  CHECK(g.as.fetched == 2);
}

TEST_CASE("an issuer that is down is no reason to call a token wrong", "[unit]") {
  set_log_level(log_level::off);
  guarded g;
  resource_guard const guard(g.options);
  g.as.down = true;
  CHECK(g.check(guard, "Bearer " + g.as.token()).status == 503);
  g.as.down = false;
  g.time->advance(31s);
  CHECK(g.check(guard, "Bearer " + g.as.token()).grant);
  g.as.down = true;
  g.time->advance(700s);  // the keys are old by now, but they are what there is
  CHECK(g.check(guard, "Bearer " + g.as.token(R"(,"jti":"x")")).grant);
  set_log_level(log_level::warning);
}

TEST_CASE("more scopes are asked for by what is called", "[unit]") {
  guarded g;
  g.options.scopes_for = [](std::string_view method, std::string_view name) -> std::vector<std::string> {
    if (method == "tools/list") return {};
    return {name == "wipe" || name.empty() ? "admin" : "write"};
  };
  resource_guard const guard(g.options);
  auto const status = [&](std::string const& method, std::string const& name) {
    http_fields f;
    f.set("Authorization", "Bearer " + g.as.token());
    if (!method.empty()) f.set("Mcp-Method", method).set("Mcp-Name", name);
    auto const v = g.check(guard, std::move(f));
    return v.grant ? 200 : v.status;
  };
  CHECK(status("tools/list", "") == 200);
  CHECK(status("tools/call", "note") == 200);
  CHECK(status("tools/call", "wipe") == 403);
  CHECK(status("", "") == 403);
  http_fields f;
  f.set("Authorization", "Bearer " + g.as.token()).set("Mcp-Method", "tools/call").set("Mcp-Name", "wipe");
  CHECK(challenge_of(g.check(guard, std::move(f)))
            .find(R"(error="insufficient_scope", error_description="the token lacks a scope", scope="read admin")") !=
        std::string::npos);
}

TEST_CASE("an opaque token is asked about, once in a while", "[unit]") {
  guarded g;
  g.options.issuers[0].introspection_endpoint = g.as.name() + "/introspect";
  g.options.issuers[0].introspection_client.client_id = "rs id";
  g.options.issuers[0].introspection_client.client_secret = "pass:word";
  resource_guard const guard(g.options);
  CHECK(g.check(guard, "Bearer opaque").status == 401);
  g.as.introspection = {
      {"active", true}, {"scope", "read"}, {"aud", {resource, "x"}}, {"sub", "u"}, {"exp", 1'800'000'100}};
  CHECK(g.check(guard, "Bearer opaque2").grant);
  CHECK(g.as.last_form == "token=opaque2&token_type_hint=access_token");
  CHECK(g.as.last_authorization == "Basic cnMlMjBpZDpwYXNzJTNBd29yZA==");
  auto const asked = g.as.asked.load();
  CHECK(g.check(guard, "Bearer opaque2").grant);
  CHECK(g.as.asked == asked);
  g.time->advance(61s);
  CHECK(g.check(guard, "Bearer opaque2").grant);
  CHECK(g.as.asked == asked + 1);
  g.as.introspection["aud"] = "https://other";
  CHECK(challenge_of(g.check(guard, "Bearer opaque3")).find("(aud)") != std::string::npos);
  g.as.introspection.erase("aud");
  CHECK(challenge_of(g.check(guard, "Bearer opaque4")).find("(aud)") != std::string::npos);
}

TEST_CASE("a bound token works with its proof alone, and a proof works once", "[unit]") {
  guarded g;
  resource_guard const guard(g.options);
  auto const holder = signing_key::generate().value(), thief = signing_key::generate().value();
  auto const token = g.as.token(R"(,"cnf":{"jkt":")" + holder.thumbprint() + "\"}");
  auto const with = [&](std::string const& scheme, std::string const& proof) {
    http_fields f;
    f.set("Authorization", scheme + " " + token);
    if (!proof.empty()) f.set("DPoP", proof);
    return g.check(guard, std::move(f));
  };
  dpop_proof const request{.method = "POST", .url = resource, .access_token = token, .nonce = {}};
  auto const proof = sign_dpop(holder, request, start).value();
  CHECK(with("DPoP", proof).grant);
  CHECK(challenge_of(with("DPoP", proof)).find("used before") != std::string::npos);
  CHECK(with("DPoP", sign_dpop(holder, request, start).value()).grant);
  CHECK(with("Bearer", sign_dpop(holder, request, start).value()).status == 401);
  CHECK(with("DPoP", "").status == 401);
  CHECK(challenge_of(with("DPoP", sign_dpop(thief, request, start).value())).find("another key") != std::string::npos);
  CHECK(with("DPoP", sign_dpop(holder, request, start - 301'000).value()).status == 401);

  http_fields f;
  f.set("Authorization", "DPoP " + g.as.token()).set("DPoP", sign_dpop(holder, request, start).value());
  CHECK(challenge_of(g.check(guard, std::move(f))).find("bound to no key") != std::string::npos);
  g.options.dpop_required = true;
  CHECK(challenge_of(g.check(resource_guard(g.options), "Bearer " + g.as.token()))
            .starts_with("DPoP error=\"invalid_token\""));
}

TEST_CASE("a guard in front of a handler serves the metadata and lets the right ones through", "[unit]") {
  guarded g;
  std::string seen;
  g.options.on_granted = [&](http_exchange&, access_grant const& grant) { seen = grant.subject; };
  resource_guard const guard(g.options);
  running_server server([check = guard.as_guard()](http_exchange& e) -> task<void> {
    bool const allowed = co_await check(e);
    if (allowed) e.reply(200, "text/plain", "inside");
  });
  http_client const client;
  auto const get = [&](std::string const& path, std::string const& token) {
    http_request r;
    r.url = server.url(path);
    if (!token.empty()) r.fields.set("Authorization", "Bearer " + token);
    return client.send(std::move(r)).value();
  };
  CHECK(get(guard.metadata_path(), "").body == guard.metadata().text);
  CHECK(get("/mcp", "").status == 401);
  CHECK(get("/mcp", g.as.token()).body == "inside");
  CHECK(seen == "user");
}
