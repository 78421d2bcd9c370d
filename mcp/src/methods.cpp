// Calling tools, filling in prompts, reading resources, completing arguments.

#include "content_json.hpp"
#include "server_state.hpp"

#include <algorithm>

namespace wherry::inline v0::mcp::detail {

// ---------------------------------------------------------------- bodies, as bind.hpp wants them

result_body text_body(std::string_view text) {
  result_body out;
  out.members.reserve(text.size() + 48);
  append_text_result(out.members, text);
  return out;
}

namespace {

/// Whether a value fits the output schema that was given by hand, if one was; one of a type was checked when encoded.
result<void> check_result(context const& c, std::string_view value, bool encoded) {
  auto const* const called = c.state()->called;
  if (!called || !called->output_check) {
    if (encoded || !check_json(value, message_depth_max)) return {};
    return error(errc::tool_failed, "the tool ran, but its result is no JSON", "tool.result");
  }
  if (value.empty())
    return error(errc::tool_failed, "the tool ran, but gave no value for its output schema", "tool.result");
  if (auto const fits = called->output_check->check(value); !fits) return wherry::detail::result_misfit(fits.error());
  return {};
}

}  // namespace

result<result_body> call_body(context const& c, call_result const& r) {
  if (!r.failed)
    if (auto const fits = check_result(c, r.structured.text, r.structured.text.empty()); !fits) return fits.error();
  result_body out;
  append_call_result(out.members, r, c.protocol());
  out.meta = r.meta.text;
  return out;
}

result<result_body> value_body(context const& c, std::string_view value, bool encoded) {
  if (auto const fits = check_result(c, value, encoded); !fits) return fits.error();
  result_body out;
  append_text_result(out.members, value);
  auto const& rev = c.protocol();
  if (rev.structured && (rev.any_structured || is_object(value)))
    out.members.append(R"(,"structuredContent":)").append(value);
  return out;
}

result_body prompt_body(prompt_result const& r) {
  result_body out;
  out.members = R"("messages":[)";
  bool first = true;
  for (auto const& m : r.messages) {
    if (!std::exchange(first, false)) out.members += ',';
    append_prompt_message(out.members, m);
  }
  out.members += ']';
  put_text(out.members, "description", r.description);
  return out;
}

result_body contents_body(context const& c, std::vector<resource_contents> contents) {
  auto const& call = *c.state();
  result_body out;
  out.members = R"("contents":[)";
  bool first = true;
  for (auto& one : contents) {
    if (!std::exchange(first, false)) out.members += ',';
    if (one.uri.empty()) one.uri = unquoted(call.params.uri);
    if (one.mime_type.empty()) one.mime_type = call.mime_type;
    append_contents(out.members, one);
  }
  out.members += ']';
  out.members += cache_members(*call.server, *call.rev, call.server->options.read_ttl);
  return out;
}

tool_context tool_context_of(context const& c) {
  auto const& call = *c.state();
  tool_context out;
  out.call_id = is_string(call.id) ? unquoted(call.id) : call.id;
  out.stop = c.stop();
  if (call.limit) out.until = call.limit->expiry();
  return out;
}

std::string cache_members(server_state const& s, revision const& rev, std::chrono::milliseconds ttl) {
  if (!rev.stateless) return {};
  return R"(,"ttlMs":)" + std::to_string(ttl.count()) +
         (s.options.cache_shared ? R"(,"cacheScope":"public")" : R"(,"cacheScope":"private")");
}

// ---------------------------------------------------------------- tools/call

namespace {

std::string as_header_text(std::string_view raw) { return is_string(raw) ? unquoted(raw) : std::string(raw); }

std::optional<std::string> unwrapped_header(std::string const& text) {
  if (!text.starts_with("=?base64?") || !text.ends_with("?=")) return text;
  return from_base64(std::string_view(text).substr(9, text.size() - 11));
}

/// Whether the headers of annotated parameters say what the arguments say.
bool headers_agree(tool::data const& t, std::string_view arguments, carriage const& by, std::string& which) {
  for (auto const& [argument, header] : t.headers) {
    auto const raw = member(arguments, argument);
    auto const sent = by.parameter ? by.parameter(header) : std::nullopt;
    bool const absent = raw.empty() || raw == "null";
    which = "Mcp-Param-" + header;
    if (absent != !sent.has_value()) return false;
    if (absent) continue;
    auto const value = unwrapped_header(*sent);
    if (!value || *value != as_header_text(raw)) return false;
  }
  return true;
}

/// Text of a plain string in place; others through `kept`.
std::string_view text_of(std::string_view raw, std::string& kept) {
  if (auto const plain = plain_string(raw)) return *plain;
  return kept = unquoted(raw);
}

constexpr std::string_view tasks_missing =
    R"({"requiredCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}})";

}  // namespace

void do_tools_call(std::shared_ptr<call_state> const& call, carriage const& by) {
  auto& c = *call;
  std::string kept;
  if (!is_string(c.params.name)) return c.refuse(rpc_code::invalid_params, "\"name\" must be the name of a tool");
  auto const offered = c.server->catalog_now();
  auto const* const found = offered->find_tool(text_of(c.params.name, kept));
  if (!found) return c.refuse(rpc_code::invalid_params, "there is no tool \"" + unquoted(c.params.name) + "\"");
  auto const& t = **found;
  auto const arguments = c.params.arguments.empty() ? std::string_view("{}") : c.params.arguments;
  if (!is_object(arguments)) return c.refuse(rpc_code::invalid_params, "\"arguments\" must be an object");
  if (by.http && c.rev->stateless && !t.headers.empty()) {
    std::string which;
    if (!headers_agree(t, arguments, by, which))
      return c.refuse(rpc_code::header_mismatch, "the header " + which + " does not say what the arguments say");
  }
  bool const as_task = c.rev->stateless && t.tasks != task_support::none && c.client.tasks;
  if (t.tasks == task_support::required && c.rev->stateless && !c.client.tasks)
    return c.refuse(rpc_code::missing_client_capability, "the tool \"" + t.name + "\" runs as a task only",
                    tasks_missing);
  c.item = *found;
  c.called = &t;
  c.is_tool = true;
  c.repeats = t.asking == while_asking::repeats || (t.asking == while_asking::by_effect && t.reads);
  if (t.limit) c.time_limit = *t.limit;
  if (!take_answers(call)) return;
  if (as_task && t.start == task_start::at_once && !c.server->make_task(call))
    return c.refuse(rpc_code::internal_error, "the server keeps too many tasks; try again later");
  run_handler(call, t.run, t.runs_inline, arguments);
}

// ---------------------------------------------------------------- prompts

void do_prompts_get(std::shared_ptr<call_state> const& call, carriage const&) {
  auto& c = *call;
  if (!is_string(c.params.name)) return c.refuse(rpc_code::invalid_params, "\"name\" must be the name of a prompt");
  auto const name = unquoted(c.params.name);
  auto const offered = c.server->catalog_now();
  auto const at = std::ranges::find(offered->prompts, name, [](auto const& p) { return p->name; });
  if (at == offered->prompts.end()) return c.refuse(rpc_code::invalid_params, "there is no prompt \"" + name + "\"");
  auto const arguments = c.params.arguments.empty() ? std::string_view("{}") : c.params.arguments;
  if (!is_object(arguments)) return c.refuse(rpc_code::invalid_params, "\"arguments\" must be an object");
  c.item = *at;
  c.repeats = true;
  if (!take_answers(call)) return;
  run_handler(call, (*at)->run, (*at)->runs_inline, arguments);
}

// ---------------------------------------------------------------- resources

void do_resources_read(std::shared_ptr<call_state> const& call, carriage const&) {
  auto& c = *call;
  if (!is_string(c.params.uri)) return c.refuse(rpc_code::invalid_params, "\"uri\" must be a string");
  auto const uri = unquoted(c.params.uri);
  auto const offered = c.server->catalog_now();
  c.repeats = true;
  auto const at =
      std::ranges::lower_bound(offered->resources, uri, {}, [](auto const& r) -> std::string const& { return r->uri; });
  if (at != offered->resources.end() && (*at)->uri == uri) {
    c.item = *at;
    c.mime_type = (*at)->mime_type;
    if (!take_answers(call)) return;
    return run_handler(call, (*at)->run, (*at)->runs_inline, "{}");
  }
  for (auto const& skill : offered->skills) {
    auto const file = skill->files.find(uri);
    if (file == skill->files.end()) continue;
    std::vector<resource_contents> contents{file->second};
    return c.complete(contents_body(context(call), std::move(contents)));
  }
  for (auto const& t : offered->templates) {
    auto const variables = t->pattern.match(uri);
    if (!variables) continue;
    c.item = t;
    c.mime_type = t->mime_type;
    if (!take_answers(call)) return;
    std::string arguments = "{";
    for (auto const& [name, value] : *variables) put_string(arguments, name, value);
    return run_handler(call, t->run, t->runs_inline, arguments + "}");
  }
  c.refuse(c.rev->resource_not_found, "there is no resource " + uri, R"({"uri":)" + std::string(c.params.uri) + "}");
}

// ---------------------------------------------------------------- completion

namespace {

constexpr std::size_t completions_max = 100;

completer const* completer_of(catalog const& offered, std::string_view ref, std::string const& argument, bool& known) {
  auto const type = string_member(ref, "type");
  std::map<std::string, completer> const* all = nullptr;
  if (type == "ref/prompt") {
    auto const name = string_member(ref, "name");
    for (auto const& p : offered.prompts)
      if (p->name == name) all = &p->completers;
  } else if (type == "ref/resource") {
    auto const uri = string_member(ref, "uri");
    for (auto const& t : offered.templates)
      if (t->uri == uri) all = &t->completers;
  }
  known = all != nullptr;
  if (!all) return nullptr;
  auto const at = all->find(argument);
  return at == all->end() ? nullptr : &at->second;
}

}  // namespace

void do_complete(std::shared_ptr<call_state> const& call, carriage const&) {
  auto& c = *call;
  auto const argument = string_member(c.params.argument, "name");
  auto const typed = string_member(c.params.argument, "value");
  if (!argument || !typed) return c.refuse(rpc_code::invalid_params, "\"argument\" must have a name and a value");
  auto const offered = c.server->catalog_now();
  bool known = false;
  auto const* const values_of = completer_of(*offered, c.params.ref, *argument, known);
  if (!known) return c.refuse(rpc_code::invalid_params, "\"ref\" names no prompt and no resource template");
  uri_variables before;
  auto const arguments = member(c.params.context, "arguments");
  if (is_object(arguments))
    each_member(arguments, [&](std::string_view key, std::string_view value) {
      return before[std::string(key)] = unquoted(value), true;
    });
  std::vector<std::string> values;
  if (values_of) values = (*values_of)(*typed, before);
  std::string members = R"("completion":{"values":[)";
  for (std::size_t i = 0; i < std::min(values.size(), completions_max); ++i) {
    if (i) members += ',';
    append_string(members, values[i]);
  }
  members += R"(],"total":)" + std::to_string(values.size()) + R"(,"hasMore":)" +
             (values.size() > completions_max ? "true}" : "false}");
  c.answer(members, {});
}

}  // namespace wherry::inline v0::mcp::detail
