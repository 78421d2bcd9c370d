// Tools, resources, prompts, and what goes beside their answers.

#include "dialogue.hpp"

#include <set>

namespace stdio_suite {
namespace {

bool good_name(std::string const& name) {
  return !name.empty() && name.size() <= 128 &&
         name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-") ==
             std::string::npos;
}

/// All items of a list, page by page.
json whole_list(dialogue& d, std::string const& what, std::string const& key) {
  json all = json::array();
  json params = json::object();
  for (int page = 0; page < 100; ++page) {
    auto const r = d.result(what, params);
    require(r.contains(key) && r[key].is_array(), what + " should answer with an array \"" + key + "\"");
    if (d.stateless())
      require(r.contains("ttlMs") && r.contains("cacheScope"), what + " should say how long it may be kept");
    for (auto const& item : r[key]) all.push_back(item);
    if (!r.contains("nextCursor")) return all;
    params = {{"cursor", r["nextCursor"]}};
  }
  throw failure{what + " does not come to an end"};
}

void tools_list(dialogue& d) {
  std::set<std::string> names;
  for (auto const& tool : whole_list(d, "tools/list", "tools")) {
    auto const name = tool.value("name", "");
    require(good_name(name), "a tool's name should be of letters, digits and _ . / - : \"" + name + "\"");
    require(names.insert(name).second, "no two tools should have one name: " + name);
    require(tool.contains("inputSchema") && tool["inputSchema"].value("type", "") == "object",
            "the input schema of " + name + " should be of an object");
  }
  require(!names.empty(), "there should be tools");
}

void same_order(dialogue& d) {
  require(whole_list(d, "tools/list", "tools") == whole_list(d, "tools/list", "tools"),
          "the same list should come twice");
}

void bad_cursor(dialogue& d) {
  require(d.error("tools/list", {{"cursor", "no such cursor"}})["code"] == -32602, "a made-up cursor should be -32602");
}

void unknown_tool(dialogue& d) {
  require(d.error("tools/call", {{"name", "no_such_tool"}, {"arguments", json::object()}})["code"] == -32602,
          "an unknown tool should be -32602");
}

void wrong_arguments(dialogue& d) {
  d.needs("tools", "echo");
  auto const r = d.call("echo", {{"message", 7}});
  require(r.value("isError", false), "arguments that do not fit should be a failed result");
  require(text_of(r).find("message") != std::string::npos, "the failure should name the argument: " + text_of(r));
}

void structured(dialogue& d) {
  d.needs("tools", "add");
  auto const r = d.call("add", {{"a", 40}, {"b", 2}});
  require(r.contains("structuredContent") && r["structuredContent"].value("sum", 0) == 42,
          "structuredContent should hold the sum");
  auto const text = wherry::parse_json(text_of(r));
  require(text && *text == r["structuredContent"], "the text should say the same: " + text_of(r));
}

void failed_tool(dialogue& d) {
  d.needs("tools", "test_error_handling");
  auto const r = d.call("test_error_handling");
  require(r.value("isError", false) && !text_of(r).empty(), "a tool that fails answers with isError and says why");
}

void progress(dialogue& d) {
  d.needs("tools", "test_tool_with_progress");
  auto const id = d.next_id();
  auto message = d.request(id, "tools/call", {{"name", "test_tool_with_progress"}, {"arguments", json::object()}});
  message["params"]["_meta"]["progressToken"] = "p1";
  d.server.send(message);
  require(d.answer_of(id).contains("result"), "the call should succeed");
  double last = -1;
  int count = 0;
  for (auto const& m : d.beside) {
    if (m.value("method", "") != "notifications/progress") continue;
    require(m["params"].value("progressToken", "") == "p1", "news of progress carry the token");
    require(m["params"].value("progress", -1.0) > last, "progress should grow");
    last = m["params"].value("progress", -1.0);
    ++count;
  }
  require(count == 3, "three pieces of news should come, not " + std::to_string(count));
}

void no_progress_unasked(dialogue& d) {
  d.needs("tools", "test_tool_with_progress");
  d.call("test_tool_with_progress");
  for (auto const& m : d.beside)
    require(m.value("method", "") != "notifications/progress", "nobody asked for progress");
}

void logging(dialogue& d) {
  d.needs("tools", "test_tool_with_logging");
  auto const id = d.next_id();
  auto message = d.request(id, "tools/call", {{"name", "test_tool_with_logging"}, {"arguments", json::object()}});
  if (d.stateless()) message["params"]["_meta"]["io.modelcontextprotocol/logLevel"] = "info";
  d.server.send(message);
  require(d.answer_of(id).contains("result"), "the call should succeed");
  int count = 0;
  for (auto const& m : d.beside)
    if (m.value("method", "") == "notifications/message" && m["params"].value("level", "") == "info") ++count;
  require(count == 3, "three messages should come, not " + std::to_string(count));
}

void log_level(dialogue& d) {
  d.needs("tools", "test_tool_with_logging");
  if (!d.stateless()) d.result("logging/setLevel", {{"level", "error"}});
  d.call("test_tool_with_logging");  // in the stateless era: nobody opted in
  for (auto const& m : d.beside)
    require(m.value("method", "") != "notifications/message", "a message below the level should not come");
}

void cancel(dialogue& d) {
  d.needs("tools", "slow_compute");
  auto const slow = d.next_id();
  d.server.send(d.request(slow, "tools/call", {{"name", "slow_compute"}, {"arguments", {{"seconds", 30}}}}));
  d.server.send(
      {{"jsonrpc", "2.0"}, {"method", "notifications/cancelled"}, {"params", {{"requestId", slow}, {"reason", "x"}}}});
  d.result("tools/list");
  require(d.server.silent_for(200ms), "a cancelled call should not be answered");
  d.server.close_input();
  require(d.server.ended(patience) == 0, "a cancelled call should not hold up the end");
}

void slow_call_holds_nobody(dialogue& d) {
  d.needs("tools", "slow_compute");
  auto const slow = d.next_id();
  d.server.send(d.request(slow, "tools/call", {{"name", "slow_compute"}, {"arguments", {{"seconds", 0.5}}}}));
  d.result("tools/list");  // comes first
  require(d.answer_of(slow).contains("result"), "the slow call should be answered too");
}

void resources(dialogue& d) {
  d.needs("resources", "test://static-text");
  for (auto const& r : whole_list(d, "resources/list", "resources"))
    require(r.contains("uri") && r.contains("name"), "a resource has a uri and a name");
  auto const text = d.result("resources/read", {{"uri", "test://static-text"}});
  require(text["contents"][0].value("uri", "") == "test://static-text" && text["contents"][0].contains("text"),
          "contents should carry their uri and text");
  auto const blob = d.result("resources/read", {{"uri", "test://static-binary"}});
  require(blob["contents"][0].contains("blob"), "binary contents should be a blob");
}

void templates(dialogue& d) {
  auto const all = d.exchange("resources/templates/list");
  if (!all.contains("result") || all["result"].value("resourceTemplates", json::array()).empty())
    throw skipped{"the server has no templates"};
  if (all["result"]["resourceTemplates"][0].value("uriTemplate", "") != "test://template/{id}/data")
    throw skipped{"the server's template is another"};
  auto const r = d.result("resources/read", {{"uri", "test://template/a%20b/data"}});
  require(wherry::to_text(r).find("a b") != std::string::npos, "a variable's escapes should be resolved");
}

void unknown_resource(dialogue& d) {
  d.needs("resources", "test://static-text");
  auto const e = d.error("resources/read", {{"uri", "test://no-such"}});
  require(e["code"] == (d.stateless() ? -32602 : -32002), "the code of an unknown resource is the revision's");
}

void prompts(dialogue& d) {
  d.needs("prompts", "test_prompt_with_arguments");
  auto const r =
      d.result("prompts/get", {{"name", "test_prompt_with_arguments"}, {"arguments", {{"arg1", "x"}, {"arg2", "y"}}}});
  require(r["messages"][0].value("role", "") == "user", "a prompt's message has a role");
  require(r["messages"][0]["content"].value("text", "") == "Prompt with arguments: arg1='x', arg2='y'",
          "the arguments should be in the message");
  require(d.error("prompts/get", {{"name", "no_such_prompt"}})["code"] == -32602, "an unknown prompt should be -32602");
}

void completion(dialogue& d) {
  d.needs("prompts", "test_prompt_with_arguments");
  auto const r =
      d.result("completion/complete", {{"ref", {{"type", "ref/prompt"}, {"name", "test_prompt_with_arguments"}}},
                                       {"argument", {{"name", "arg1"}, {"value", "par"}}}});
  require(r["completion"]["values"].size() == 3, "three values begin with \"par\"");
}

void subscription(dialogue& d) {
  d.needs("resources", "test://watched-resource");
  d.result("resources/subscribe", {{"uri", "test://watched-resource"}});
  d.result("resources/unsubscribe", {{"uri", "test://watched-resource"}});
}

void listen(dialogue& d) {
  d.needs("tools", "test_trigger_tool_change");
  auto const id = d.next_id();
  d.server.send(d.request(id, "subscriptions/listen", {{"notifications", {{"toolsListChanged", true}}}}));
  auto const first = d.server.next();
  require(first.value("method", "") == "notifications/subscriptions/acknowledged", "the acknowledgement comes first");
  d.call("test_trigger_tool_change");
  auto const heard = [&] {
    for (auto const& m : d.beside)
      if (m.value("method", "") == "notifications/tools/list_changed") return m;
    return d.server.next();
  }();
  require(heard.value("method", "") == "notifications/tools/list_changed", "the change should be told");
  require(heard["params"]["_meta"].value("io.modelcontextprotocol/subscriptionId", json()) == id,
          "news carry the id of their subscription");
}

constexpr scenario list[] = {
    {"tools-list", "every tool has a proper name and a schema of an object", true, true, tools_list},
    {"same-order", "a list comes in the same order again", true, true, same_order},
    {"bad-cursor", "a made-up cursor is -32602", true, true, bad_cursor},
    {"unknown-tool", "an unknown tool is -32602", true, true, unknown_tool},
    {"wrong-arguments", "arguments that do not fit are a failed result that says which", true, true, wrong_arguments},
    {"structured-content", "a structured result is also there as text", true, true, structured},
    {"failed-tool", "a tool that fails is a result with isError", true, true, failed_tool},
    {"progress", "news of progress come before the answer, under the token", true, true, progress},
    {"no-progress", "no news of progress come unasked", true, true, no_progress_unasked},
    {"logging", "messages of a tool come before its answer", true, true, logging},
    {"log-level", "messages below the level, or without opting in, do not come", true, true, log_level},
    {"cancel", "a cancelled call is not answered and holds nobody up", true, true, cancel},
    {"slow-call", "a slow call does not hold up another", true, true, slow_call_holds_nobody},
    {"resources", "resources are listed and read, text and binary", true, true, resources},
    {"templates", "a template's resource is read", true, true, templates},
    {"unknown-resource", "an unknown resource has the revision's code", true, true, unknown_resource},
    {"prompts", "prompts are filled in", true, true, prompts},
    {"completion", "an argument is completed", true, true, completion},
    {"subscribe", "a resource can be watched, and no longer", true, false, subscription},
    {"listen", "a stream of news is acknowledged, then tells of changes", false, true, listen},
};

}  // namespace

std::span<scenario const> feature_scenarios() { return list; }

}  // namespace stdio_suite
