// What the official conformance suite wants a client to do. The suite starts it once for each scenario, with the URL of
// a mock server as last argument and the scenario in the environment.
//
//   MCP_CONFORMANCE_SCENARIO=... MCP_CONFORMANCE_PROTOCOL_VERSION=... conformance_client URL

#include <wherry/mcp/client.hpp>

#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

#include "../src/json_view.hpp"

namespace w = wherry;
namespace mcp = wherry::mcp;
namespace view = wherry::mcp::detail;

namespace {

std::string environment(char const* name) {
  char const* value = std::getenv(name);
  return value ? value : "";
}

/// What every scenario's client can do.
mcp::client_options options_for(std::string const& scenario) {
  mcp::client_options o;
  o.about = {.name = "wherry-conformance-client", .version = "1.0"};
  o.revision = environment("MCP_CONFORMANCE_PROTOCOL_VERSION");
  if (!mcp::find_revision(o.revision)) o.revision.clear();
  bool const confirms = scenario == "sep-2322-client-request-state";
  o.elicit = [confirms](mcp::elicitation) -> w::task<w::result<mcp::elicitation_answer>> {
    mcp::elicitation_answer answer;
    answer.action = w::mcp::elicited<w::raw_json>::action_type::accept;
    if (confirms) answer.content.text = R"({"confirmed":true})";
    co_return answer;
  };
  o.sample = [](mcp::sample_request) -> w::task<w::result<mcp::sampled>> {
    co_return mcp::sampled{
        .content = mcp::content::text("A sampled answer."), .model = "none", .stop_reason = "endTurn"};
  };
  o.roots = std::vector<mcp::root>{{"file:///workspace", "workspace"}};
  return o;
}

/// A member of MCP_CONFORMANCE_CONTEXT.
std::string of_context(std::string_view name) {
  auto const context = environment("MCP_CONFORMANCE_CONTEXT");
  if (context.empty() || view::check_json(context, 512)) return {};
  return view::string_member(context, name).value_or("");
}

/// How the scenario's client shows that it may.
mcp::authorizer_options authorization_for(std::string const& scenario) {
  mcp::authorizer_options o;
  o.loopback_http = true;
  mcp::oauth_client from_context;
  from_context.client_id = of_context("client_id");
  from_context.client_secret = of_context("client_secret");
  if (scenario == "auth/client-credentials-jwt") {
    from_context.private_key = of_context("private_key_pem");
    from_context.key_algorithm = of_context("signing_algorithm");
    from_context.auth = mcp::client_auth::private_key_jwt;
    o.grant = mcp::client_credentials{from_context};
  } else if (scenario == "auth/client-credentials-basic") {
    from_context.auth = mcp::client_auth::secret_basic;
    o.grant = mcp::client_credentials{from_context};
  } else if (scenario == "auth/enterprise-managed-authorization") {
    mcp::enterprise_managed e;
    e.idp_token_endpoint = of_context("idp_token_endpoint");
    e.idp_client.client_id = of_context("idp_client_id");
    e.id_token = []() -> w::task<w::result<std::string>> { co_return of_context("idp_id_token"); };
    e.client = from_context;
    o.grant = std::move(e);
  } else if (scenario == "auth/wif-jwt-bearer") {
    mcp::workload_identity i;
    i.client = from_context;
    i.assertion = [](std::string) -> w::task<w::result<std::string>> { co_return of_context("valid_jwt"); };
    o.grant = std::move(i);
  } else {
    mcp::user_consent c;
    c.prompt = mcp::follow_consent(w::http_client{});
    c.redirect_uri = "http://localhost:3000/callback";
    c.client_name = "wherry-conformance-client";
    c.client_metadata_url = "https://conformance-test.local/client-metadata.json";
    if (scenario == "auth/pre-registration") c.client = from_context;
    o.grant = std::move(c);
  }
  return o;
}

int tell(w::error const& e) {
  std::cerr << e << '\n';
  return 1;
}

int list_and_call(mcp::client const& c, std::string const& tool, std::string const& arguments) {
  auto const tools = c.tools();
  if (!tools) return tell(tools.error());
  auto const done = c.call(tool, arguments);
  return done ? 0 : tell(done.error());
}

/// The calls the scenario wants made: {"toolCalls":[{"name","arguments"}]}.
int calls_of_context(mcp::client const& c) {
  auto const tools = c.tools();
  if (!tools) return tell(tools.error());
  auto const context = environment("MCP_CONFORMANCE_CONTEXT");
  if (view::check_json(context, 512)) return tell({w::errc::parse_error, "MCP_CONFORMANCE_CONTEXT is not JSON"});
  int worst = 0;
  view::each_item(view::member(context, "toolCalls"), [&](std::string_view call) {
    auto const done =
        c.call(view::string_member(call, "name").value_or(""), std::string(view::member(call, "arguments")));
    if (!done) worst = tell(done.error());
    return true;
  });
  return worst;
}

int every_tool(mcp::client const& c, std::string const& arguments) {
  auto const tools = c.tools();
  if (!tools) return tell(tools.error());
  int worst = 0;
  for (auto const& t : *tools) {
    auto const done = c.call(t.name, arguments);
    if (!done) worst = tell(done.error());
  }
  return worst;
}

int one_of_each(mcp::client const& c) {
  auto const tools = c.tools();
  if (!tools) return tell(tools.error());
  if (!tools->empty()) (void)c.call(tools->front().name);
  auto const resources = c.resources();
  if (!resources) return tell(resources.error());
  if (!resources->empty()) (void)c.read(resources->front().uri);
  auto const prompts = c.prompts();
  if (!prompts) return tell(prompts.error());
  if (!prompts->empty()) (void)c.prompt(prompts->front().name);
  return 0;
}

int echo_schema(mcp::client const& c) {
  auto const tools = c.tools();
  if (!tools) return tell(tools.error());
  for (auto const& t : *tools) {
    if (t.name != "json_schema_2020_12_tool") continue;
    auto const done = c.call("json_schema_echo", R"({"schema":)" + t.input_schema.text + "}");
    return done ? 0 : tell(done.error());
  }
  return tell({w::errc::not_found, "the tool is not there"});
}

int load_skills(mcp::client const& c, bool load) {
  auto const skills = c.skills();
  if (!skills) return tell(skills.error());
  int worst = 0;
  for (auto const& s : *skills) {
    if (!load) continue;
    auto const text = c.load_skill(s);
    if (!text) {
      worst = tell(text.error());
      continue;
    }
    for (auto const& f : s.files)
      if (f.uri != s.uri) (void)c.skill_file(s, f.uri);
  }
  return worst;
}

int play(std::string const& scenario, mcp::client const& c) {
  if (scenario == "initialize" || scenario == "json-schema-ref-no-deref") {
    auto const tools = c.tools();
    return tools ? 0 : tell(tools.error());
  }
  if (scenario == "tools_call") return list_and_call(c, "add_numbers", R"({"a":5,"b":3})");
  if (scenario == "elicitation-sep1034-client-defaults")
    return list_and_call(c, "test_client_elicitation_defaults", "{}");
  if (scenario == "sse-retry") return list_and_call(c, "test_reconnection", "{}");
  if (scenario == "http-custom-headers") return calls_of_context(c);
  if (scenario == "http-invalid-tool-headers") return every_tool(c, R"({"region":"us-west1"})");
  if (scenario == "http-standard-headers") return one_of_each(c);
  if (scenario == "json-schema-2020-12-preservation") return echo_schema(c);
  if (scenario == "sep-2640-client-no-prefetch") return load_skills(c, false);
  if (scenario.starts_with("sep-2640-client-verify")) return load_skills(c, true);
  if (scenario == "request-metadata") return one_of_each(c) & 0;
  if (scenario == "sep-2322-client-request-state") {
    auto const tools = c.tools();
    if (!tools) return tell(tools.error());
    int worst = 0;
    for (auto const* name :
         {"test_mrtr_echo_state", "test_mrtr_no_state", "test_mrtr_unrelated", "test_mrtr_no_result_type"})
      if (auto const done = c.call(name); !done) worst = tell(done.error());
    return worst;
  }
  if (scenario == "auth/authorization-server-migration") {
    // The server moves to another authorization server between two calls.
    if (int const first = list_and_call(c, "test-tool", "{}"); first != 0) return first;
  }
  return list_and_call(c, "test-tool", "{}");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: MCP_CONFORMANCE_SCENARIO=NAME conformance_client URL\n";
    return 2;
  }
  auto const scenario = environment("MCP_CONFORMANCE_SCENARIO");
  mcp::http_server_address to;
  to.url = argv[argc - 1];
  if (scenario.starts_with("auth/")) to.authorizer.emplace(to.url, authorization_for(scenario));
  auto const c = mcp::client::connect(to, options_for(scenario));
  if (!c) return tell(c.error());
  int const code = play(scenario, *c);
  c->close();
  return code;
}
