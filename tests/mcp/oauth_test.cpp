#include <wherry/mcp/oauth.hpp>

#include <catch2/catch_test_macros.hpp>

using namespace wherry;
using namespace wherry::mcp;

namespace {

std::vector<auth_challenge> challenges(std::string_view text) {
  http_fields fields;
  fields.add("www-authenticate", text);
  return parse_challenges(fields);
}

}  // namespace

TEST_CASE("challenges are told apart although they share the comma", "[unit]") {
  auto const c = challenges(
      R"(Basic realm="a, b=\"c\"", Bearer resource_metadata="https://h/x", scope="a b",error=invalid_token , DPoP algs="ES256")");
  REQUIRE(c.size() == 3);
  CHECK(c[0].scheme == "Basic");
  CHECK(c[0].find("REALM") == "a, b=\"c\"");
  CHECK(c[1].find("resource_metadata") == "https://h/x");
  CHECK(c[1].find("scope") == "a b");
  CHECK(c[1].find("error") == "invalid_token");
  CHECK_FALSE(c[1].find("algs"));
  CHECK(c[2].find("algs") == "ES256");
}

TEST_CASE("odd challenges are read as far as they make sense", "[unit]") {
  CHECK(challenges("Bearer").at(0).scheme == "Bearer");
  CHECK(challenges("Negotiate abc==, Bearer scope=\"x\"").at(0).token == "abc==");
  CHECK(challenges("Negotiate abc==, Bearer scope=\"x\"").at(1).find("scope") == "x");
  CHECK(challenges("Bearer error = \"x\"").at(0).find("error") == "x");
  CHECK(challenges(", ,Bearer x=y").size() == 1);
  CHECK(challenges("Bearer realm=\"never ends").empty());
  CHECK(challenges("").empty());
  CHECK(challenges("\"quoted\"").empty());
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "Bearer a=b, ";
  CHECK(challenges(many).size() <= 16);
}

TEST_CASE("a challenge that is written reads the same and splits no field", "[unit]") {
  auth_challenge const c{
      .scheme = "Bearer", .parameters = {{"error", "x"}, {"error_description", "a \"b\" \\ c\r\nX: y"}}, .token = {}};
  auto const text = to_string(c);
  CHECK(http_fields::valid_value(text));
  CHECK(challenges(text).at(0).find("error_description") == "a \"b\" \\ c  X: y");
}

TEST_CASE("metadata is looked for where the standards put it", "[unit]") {
  using list = std::vector<std::string>;
  CHECK(resource_metadata_urls("https://h:8/mcp/?x") == list{"https://h:8/.well-known/oauth-protected-resource/mcp",
                                                             "https://h:8/.well-known/oauth-protected-resource"});
  CHECK(resource_metadata_urls("https://h/") == list{"https://h/.well-known/oauth-protected-resource"});
  CHECK(server_metadata_urls("https://as") ==
        list{"https://as/.well-known/oauth-authorization-server", "https://as/.well-known/openid-configuration"});
  CHECK(server_metadata_urls("https://as/t/1") == list{"https://as/.well-known/oauth-authorization-server/t/1",
                                                       "https://as/.well-known/openid-configuration/t/1",
                                                       "https://as/t/1/.well-known/openid-configuration"});
  CHECK(server_metadata_urls("https://as?x").empty());
  CHECK(server_metadata_urls("nonsense").empty());
}

TEST_CASE("a resource speaks for itself and what is below it", "[unit]") {
  CHECK(resource_covers("https://h/mcp", "https://h/mcp"));
  CHECK(resource_covers("https://h", "https://h/mcp"));
  CHECK(resource_covers("https://H:443/a/", "https://h/a/b?x"));
  for (auto const* other : {"https://h/mc", "https://h/mcp/x", "http://h/mcp", "https://h:444/mcp", "https://evil/mcp",
                            "https://h/mcp?x", "https://h/mcp#x", "mcp", ""})
    CHECK_FALSE(resource_covers(other, "https://h/mcp"));
}

TEST_CASE("server metadata counts only for the very issuer", "[unit]") {
  std::string const text = R"({"issuer":"https://as","token_endpoint":"https://as/t","x":1})";
  CHECK(parse_server_metadata(text, "https://as"));
  for (auto const* other : {"https://as/", "https://AS", "https://as:443", "http://as"})
    CHECK(parse_server_metadata(text, other).error().is(errc::denied));
  CHECK(parse_server_metadata("[]", "https://as").error().is(errc::parse_error));
  CHECK(parse_server_metadata(R"({"issuer":"https://as"})", "https://as").error().is(errc::parse_error));
  CHECK(parse_resource_metadata(R"({"resource":5})").error().is(errc::parse_error));
  auto const m =
      parse_resource_metadata(R"({"resource":"https://h","authorization_servers":["a",5],"scopes_supported":"x"})");
  REQUIRE(m);
  CHECK(m->authorization_servers == std::vector<std::string>{"a"});
  CHECK_FALSE(m->scopes_supported);
}

TEST_CASE("scopes are united in order", "[unit]") {
  CHECK(join_scopes(unite_scopes(split_scopes("a  b"), split_scopes("b c"))) == "a b c");
  CHECK(split_scopes("").empty());
}
