#include <wherry/mcp/oauth.hpp>

#include <wherry/core/json.hpp>
#include <wherry/http/url.hpp>

#include <algorithm>

namespace wherry::inline v0::mcp {

// ---------------------------------------------------------------- challenges

std::optional<std::string> auth_challenge::find(std::string_view name) const {
  for (auto const& [n, value] : parameters)
    if (http_fields::same_name(n, name)) return value;
  return std::nullopt;
}

namespace {

constexpr std::size_t challenges_max = 16;  // of one message
constexpr std::size_t parameters_max = 32;  // of one challenge

// Reads a WWW-Authenticate value: challenges and their parameters share the comma, so a word is a scheme when no '='
// follows it.
class challenge_reader {
 public:
  explicit challenge_reader(std::string_view text) : rest_(text) {}

  void read(std::vector<auth_challenge>& out) {
    for (skip(", \t"); !rest_.empty() && out.size() < challenges_max; skip(", \t")) {
      auto const word = token();
      if (word.empty()) return;
      auth_challenge challenge{.scheme = std::string(word), .parameters = {}, .token = {}};
      bool const spaced = skip(" \t");
      if (spaced && !read_parameters(challenge)) return;
      out.push_back(std::move(challenge));
    }
  }

 private:
  bool skip(std::string_view which) {
    auto const n = std::min(rest_.find_first_not_of(which), rest_.size());
    rest_.remove_prefix(n);
    return n > 0;
  }

  std::string_view token() {
    std::size_t n = 0;
    while (n < rest_.size() && http_fields::valid_name(rest_.substr(n, 1))) ++n;
    auto const word = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return word;
  }

  bool read_parameters(auth_challenge& c) {
    auto const start = rest_;
    // A token68 stands alone before the next comma.
    auto const end = std::min(rest_.find_first_of(", \t"), rest_.size());
    auto const whole = rest_.substr(0, end);
    auto const bare = whole.substr(0, whole.find_last_not_of('=') + 1);
    auto const after = rest_.substr(end).find_first_not_of(" \t");
    bool const alone = after == std::string_view::npos || rest_[end + after] == ',';
    if (!whole.empty() && alone && bare.find('=') == std::string_view::npos &&
        bare.find('"') == std::string_view::npos) {
      // "Basic, Bearer x=y": a lone word could also be the next scheme, but it was not after a comma.
      c.token = std::string(whole);
      rest_.remove_prefix(end);
      return true;
    }
    rest_ = start;
    while (c.parameters.size() < parameters_max) {
      auto const before = rest_;
      skip(", \t");
      auto const name = token();
      skip(" \t");
      if (name.empty() || !rest_.starts_with('=')) {
        rest_ = before;  // the next scheme, or the end
        return true;
      }
      rest_.remove_prefix(1);
      skip(" \t");
      std::string value;
      if (!read_value(value)) return false;
      c.parameters.emplace_back(std::string(name), std::move(value));
    }
    return false;
  }

  bool read_value(std::string& out) {
    if (!rest_.starts_with('"')) {
      out = token();
      return true;
    }
    rest_.remove_prefix(1);
    while (!rest_.empty() && rest_.front() != '"') {
      if (rest_.front() == '\\' && rest_.size() > 1) rest_.remove_prefix(1);
      out += rest_.front();
      rest_.remove_prefix(1);
    }
    if (rest_.empty()) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string_view rest_;
};

}  // namespace

std::vector<auth_challenge> parse_challenges(http_fields const& fields) {
  std::vector<auth_challenge> out;
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (auto const field = fields[i]; http_fields::same_name(field.name, "WWW-Authenticate"))
      challenge_reader(field.value).read(out);
  return out;
}

std::string to_string(auth_challenge const& c) {
  std::string out = c.scheme;
  if (!c.token.empty()) return out + " " + c.token;
  char const* separator = " ";
  for (auto const& [name, value] : c.parameters) {
    ((out += separator) += name) += "=\"";
    for (char const ch : value) {
      if (ch == '"' || ch == '\\') out += '\\';
      out += static_cast<unsigned char>(ch) < 0x20 || ch == 0x7F ? ' ' : ch;
    }
    out += '"';
    separator = ", ";
  }
  return out;
}

// ---------------------------------------------------------------- metadata

namespace {

result<json> object_of(std::string_view text, char const* what) {
  if (text.size() > oauth_document_bytes_max)
    return error{errc::parse_error, std::string(what) + " is too large", "oauth"};
  auto parsed = parse_json(text);
  if (parsed && parsed->is_object()) return parsed;
  return error{errc::parse_error, std::string(what) + " is no JSON object", "oauth"};
}

std::string text_of(json const& object, char const* member) {
  auto const at = object.find(member);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

bool flag_of(json const& object, char const* member) {
  auto const at = object.find(member);
  return at != object.end() && at->is_boolean() && at->get<bool>();
}

std::optional<std::vector<std::string>> list_of(json const& object, char const* member) {
  auto const at = object.find(member);
  if (at == object.end() || !at->is_array()) return std::nullopt;
  std::vector<std::string> out;
  for (auto const& one : *at)
    if (one.is_string()) out.push_back(one.get<std::string>());
  return out;
}

std::string without_end_slash(std::string path) {
  while (path.ends_with('/')) path.pop_back();
  return path;
}

}  // namespace

result<protected_resource_metadata> parse_resource_metadata(std::string_view text) {
  auto const parsed = object_of(text, "the protected resource metadata");
  if (!parsed) return parsed.error();
  protected_resource_metadata out;
  out.resource = text_of(*parsed, "resource");
  if (out.resource.empty())
    return error{errc::parse_error, "the protected resource metadata names no resource", "oauth"};
  out.authorization_servers = list_of(*parsed, "authorization_servers").value_or(std::vector<std::string>{});
  out.scopes_supported = list_of(*parsed, "scopes_supported");
  out.dpop_required = flag_of(*parsed, "dpop_bound_access_tokens_required");
  return out;
}

raw_json to_json(protected_resource_metadata const& m) {
  json out = json::object();
  out["resource"] = m.resource;
  out["authorization_servers"] = m.authorization_servers;
  if (m.scopes_supported) out["scopes_supported"] = *m.scopes_supported;
  out["bearer_methods_supported"] = json::array({"header"});
  if (m.dpop_required) out["dpop_bound_access_tokens_required"] = true;
  return {to_text(out)};
}

std::vector<std::string> resource_metadata_urls(std::string_view server_url) {
  auto const u = url::parse(server_url);
  if (!u) return {};
  std::string const root = u->origin() + "/.well-known/oauth-protected-resource", path = without_end_slash(u->path);
  if (path.empty()) return {root};
  return {root + path, root};
}

bool resource_covers(std::string_view resource, std::string_view server_url) {
  auto const r = url::parse(resource), s = url::parse(server_url);
  if (!r || !s || r->origin() != s->origin() || !r->query.empty() || resource.find('#') != std::string_view::npos)
    return false;
  auto const above = without_end_slash(r->path), path = without_end_slash(s->path);
  return path == above || path.starts_with(above + "/");
}

result<authorization_server_metadata> parse_server_metadata(std::string_view text, std::string_view issuer) {
  auto const parsed = object_of(text, "the authorization server metadata");
  if (!parsed) return parsed.error();
  authorization_server_metadata out;
  out.issuer = text_of(*parsed, "issuer");
  if (out.issuer != issuer)
    return error{errc::denied, "the authorization server metadata is for another issuer than the one it was asked for",
                 "oauth", out.issuer};
  out.authorization_endpoint = text_of(*parsed, "authorization_endpoint");
  out.token_endpoint = text_of(*parsed, "token_endpoint");
  out.registration_endpoint = text_of(*parsed, "registration_endpoint");
  out.introspection_endpoint = text_of(*parsed, "introspection_endpoint");
  out.jwks_uri = text_of(*parsed, "jwks_uri");
  if (out.token_endpoint.empty())
    return error{errc::parse_error, "the authorization server metadata names no token endpoint", "oauth", out.issuer};
  out.scopes_supported = list_of(*parsed, "scopes_supported");
  out.grant_types_supported = list_of(*parsed, "grant_types_supported");
  out.token_auth_methods = list_of(*parsed, "token_endpoint_auth_methods_supported");
  out.pkce_methods = list_of(*parsed, "code_challenge_methods_supported");
  out.dpop_algorithms = list_of(*parsed, "dpop_signing_alg_values_supported").value_or(std::vector<std::string>{});
  out.issuer_in_response = flag_of(*parsed, "authorization_response_iss_parameter_supported");
  out.client_metadata_documents = flag_of(*parsed, "client_id_metadata_document_supported");
  return out;
}

std::vector<std::string> server_metadata_urls(std::string_view issuer) {
  auto const u = url::parse(issuer);
  if (!u || !u->query.empty() || !u->fragment.empty()) return {};
  std::string const root = u->origin(), path = without_end_slash(u->path);
  if (path.empty())
    return {root + "/.well-known/oauth-authorization-server", root + "/.well-known/openid-configuration"};
  return {root + "/.well-known/oauth-authorization-server" + path, root + "/.well-known/openid-configuration" + path,
          root + path + "/.well-known/openid-configuration"};
}

// ---------------------------------------------------------------- scopes

std::vector<std::string> split_scopes(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    auto const end = std::min(text.find(' '), text.size());
    if (end > 0) out.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string join_scopes(std::vector<std::string> const& scopes) {
  std::string out;
  for (auto const& s : scopes) (out += out.empty() ? "" : " ") += s;
  return out;
}

std::vector<std::string> unite_scopes(std::vector<std::string> a, std::vector<std::string> const& b) {
  for (auto const& s : b)
    if (std::find(a.begin(), a.end(), s) == a.end()) a.push_back(s);
  return a;
}

}  // namespace wherry::inline v0::mcp
