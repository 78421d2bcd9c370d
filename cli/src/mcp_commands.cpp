// wherry mcp: a private server of memory and tools for any client, and a look at other servers.

#include "chat_tools.hpp"
#include "commands.hpp"
#include "outcome.hpp"
#include "shared_server.hpp"
#include "store_place.hpp"
#include "terminal.hpp"
#include "version.hpp"

#include <wherry/core/json.hpp>
#include <wherry/mcp/memory_server.hpp>
#include <wherry/mcp/request_secrets.hpp>
#include <wherry/mcp/serve.hpp>
#include <wherry/mcp/tool_bridge.hpp>

#include <optional>

namespace wherry::cli {
namespace {

int serve_stdio_with_memory(settings const& given, scope_name scope) {
  auto const secrets = mcp::kept_request_secrets(given.mcp.memory);
  if (!secrets) return report(secrets.error(), false);
  auto words = given.agent.tools;
  if (given.mcp.for_chat) words.emplace_back(chat_profile);
  mcp::shared_store_options options{
      .directory = given.mcp.memory, .scope = std::move(scope), .profile = profile_of(words)};
  options.make = shared_server(*secrets);
  auto const done = mcp::serve_shared_store(std::move(options));
  return done ? exit_ok : report(done.error(), false);
}

}  // namespace

int mcp_serve_command(settings const& given) {
  auto scope = parse_scope(given.store.scope);
  if (!scope) return report(scope.error(), false);
  if (given.mcp.memory.empty() && given.agent.tools.empty())
    return report(
        {errc::invalid_argument, "there is nothing to serve; give --memory DIR, --tools NAMES, or both", "cli.mcp"},
        false);
  bool const over_http = given.mcp.port.has_value();
  if (!over_http && !given.mcp.memory.empty()) return serve_stdio_with_memory(given, std::move(*scope));
  mcp::request_secrets secrets;
  std::optional<store> db;
  if (!given.mcp.memory.empty()) {
    auto opened = store::open(given.mcp.memory);
    if (!opened) return report(opened.error(), false);
    db = std::move(*opened);
    auto kept = mcp::kept_request_secrets(given.mcp.memory);
    if (!kept) return report(kept.error(), false);
    secrets = std::move(*kept);
  }
  auto s = make_server(secrets);
  add_tools(s, given.agent.tools);
  std::optional<mcp::store_share> share;
  if (db) {
    mcp::add_memory(s, db->scope(std::move(*scope)));
    auto shared = mcp::store_share::start(*db, shared_server(std::move(secrets)));
    if (!shared) return report(shared.error(), false);
    share.emplace(std::move(*shared));
  }
  if (!over_http) return mcp::serve_stdio(s);
  mcp::http_endpoint_options options;
  options.http.port = *given.mcp.port;
  return mcp::serve_http(s, std::move(options));
}

namespace {

/// The server that a command line names: one word with a scheme is a URL, anything else a command.
result<mcp::client> connect_to(std::vector<std::string> const& target, mcp::client_options options) {
  if (target.size() == 1 && (target[0].starts_with("http://") || target[0].starts_with("https://"))) {
    mcp::http_server_address to;
    to.url = target[0];
    return mcp::client::connect(to, std::move(options));
  }
  mcp::stdio_server to;
  to.command = target;
  if (target.size() == 1 && target[0].find(' ') != std::string::npos)
    to.command = {"/bin/sh", "-c", "exec " + target[0]};
  return mcp::client::connect(to, std::move(options));
}

mcp::client_options options_of(settings const& given) {
  mcp::client_options options;
  options.revision = given.mcp.revision;
  options.about = {.name = "wherry", .version = std::string(version_text)};
  return options;
}

json listed(std::string const& source) {
  auto read = parse_json(source);
  return read ? *read : json(nullptr);
}

void put_line(std::string const& name, std::string const& what) {
  auto const text = output_is_terminal() ? harmless(what) : what;
  put_raw("  " + styled_output(style::bold, harmless(name)) + (text.empty() ? "" : "  " + one_line(text, 100)) + '\n');
}

}  // namespace

int mcp_inspect_command(settings const& given) {
  bool const as_json = given.output.as_json;
  auto const c = connect_to(given.mcp.target, options_of(given));
  if (!c) return report(c.error(), as_json);
  auto const tools = c->tools();
  auto const resources = c->resources();
  auto const templates = c->templates();
  auto const prompts = c->prompts();
  if (as_json) {
    json out;
    out["server"] = {{"name", c->server_info().name}, {"version", c->server_info().version}};
    out["revision"] = std::string(c->protocol().name);
    out["capabilities"] = listed(c->server_capabilities().text);
    if (!c->instructions().empty()) out["instructions"] = c->instructions();
    auto const add = [&](char const* name, auto const& all) {
      json list = json::array();
      if (all)
        for (auto const& one : *all) list.push_back(listed(one.source.text));
      out[name] = std::move(list);
    };
    add("tools", tools);
    add("resources", resources);
    add("resourceTemplates", templates);
    add("prompts", prompts);
    put_raw(to_text(out) + '\n');
    c->close();
    return exit_ok;
  }
  put_raw(styled_output(style::bold, harmless(c->server_info().name + " " + c->server_info().version)) + ", revision " +
          std::string(c->protocol().name) + '\n');
  if (!c->instructions().empty()) put_raw(harmless(c->instructions()) + '\n');
  auto const section = [&](char const* title, auto const& all, auto const& name_of) {
    if (!all || all->empty()) return;
    put_raw(std::string(title) + ":\n");
    for (auto const& one : *all) put_line(name_of(one), one.description);
  };
  section("tools", tools, [](auto const& t) { return t.name; });
  section("resources", resources, [](auto const& r) { return r.uri; });
  section("resource templates", templates, [](auto const& r) { return r.uri; });
  section("prompts", prompts, [](auto const& p) { return p.name; });
  c->close();
  return exit_ok;
}

int mcp_call_command(settings const& given) {
  bool const as_json = given.output.as_json;
  auto options = options_of(given);
  options.log = [](mcp::severity, std::string_view, raw_json const& data) { say(harmless(data.text)); };
  auto const c = connect_to(given.mcp.target, std::move(options));
  if (!c) return report(c.error(), as_json);
  (void)c->tools();  // what travels as a header must have been listed
  auto const done = c->call(given.mcp.tool, raw_json{given.mcp.arguments});
  c->close();
  if (!done) return report(done.error(), as_json);
  if (as_json) {
    json out;
    json blocks = json::array();
    for (auto const& block : done->content) blocks.push_back(listed(block.source.text));
    out["content"] = std::move(blocks);
    if (!done->structured.text.empty()) out["structuredContent"] = listed(done->structured.text);
    out["isError"] = done->failed;
    put_raw(to_text(out) + '\n');
  } else {
    auto const text = mcp::text_for_model(*done);
    put_raw((output_is_terminal() ? harmless(text) : text) + '\n');
  }
  return done->failed ? exit_failed : exit_ok;
}

}  // namespace wherry::cli
