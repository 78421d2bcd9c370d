// Challenges, tokens, key sets and metadata from anywhere: reading them ends, and nothing unsigned is ever accepted.
#include "auth/encoding.hpp"

#include <wherry/core/clock.hpp>
#include <wherry/mcp/jwt.hpp>
#include <wherry/mcp/oauth.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

int wherry_fuzz_oauth(std::uint8_t const* data, std::size_t size) {
  using namespace wherry;
  using namespace wherry::mcp;
  std::string_view const text(reinterpret_cast<char const*>(data), size);

  http_fields fields;
  fields.add("WWW-Authenticate", text);
  for (auto const& challenge : parse_challenges(fields)) {
    http_fields again;
    again.add("WWW-Authenticate", to_string(challenge));
    if (!http_fields::valid_value(again.get("WWW-Authenticate")) && challenge.token.empty() &&
        !challenge.parameters.empty())
      std::abort();
    if (parse_challenges(again).empty() && http_fields::valid_name(challenge.scheme)) std::abort();
  }

  static auto const own = signing_key::generate(jwt_algorithm::eddsa).value();
  static auto const keys = jwk_set::parse(own.public_jwk().text).value();
  if (verify_jwt(text, keys, {}, 0)) std::abort();  // nobody but us could have signed it
  (void)decode_jwt(text);
  (void)verify_dpop(text, {.method = "POST", .url = "https://h/", .access_token = "t", .nonce = {}}, 0);
  (void)jwk_set::parse(text);
  (void)parse_resource_metadata(text);
  (void)parse_server_metadata(text, "https://as");
  (void)resource_metadata_urls(text);
  (void)server_metadata_urls(text);
  if (resource_covers(text, "https://h/mcp") && !text.starts_with("http") && !text.starts_with("HTTP") &&
      text.find("://") == std::string_view::npos)
    std::abort();
  auto const bytes = mcp::detail::from_base64url(text);
  if (bytes && mcp::detail::base64url(*bytes) != text) std::abort();
  auto const form = mcp::detail::parse_form(text);
  if (form && mcp::detail::parse_form(mcp::detail::form_text(*form)).value() != *form) {
    // A field without a name and a value is written as "=", which is one field too.
    for (auto const& [name, value] : *form)
      if (!name.empty() || !value.empty()) std::abort();
  }
  return 0;
}
