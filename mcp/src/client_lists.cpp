// What a server offers, and the use of it.

#include "catalog.hpp"
#include "client_impl.hpp"

#include <wherry/core/hash.hpp>
#include <wherry/core/json.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace wherry::inline v0::mcp {

using namespace detail;

namespace {

error malformed(std::string what) { return {errc::parse_error, "the server sent " + std::move(what), "mcp.client"}; }

std::string text_of(std::string_view object, std::string_view name) {
  return string_member(object, name).value_or(std::string{});
}

std::optional<remote_tool> read_tool(std::string const& item) {
  remote_tool t{
      .name = text_of(item, "name"), .title = text_of(item, "title"), .description = text_of(item, "description")};
  t.input_schema.text = std::string(member(item, "inputSchema"));
  t.output_schema.text = std::string(member(item, "outputSchema"));
  t.reads = member(member(item, "annotations"), "readOnlyHint") == "true";
  t.source.text = item;
  if (t.name.empty() || !is_object(t.input_schema.text)) return std::nullopt;
  auto headers = header_parameters(t.input_schema.text);
  if (!headers) return std::nullopt;
  t.headers = std::move(*headers);
  return t;
}

/// Whether text can stand in a header as it is.
bool fits_a_header(std::string_view text) {
  if (text.empty()) return true;
  if (text.front() == ' ' || text.back() == ' ' || text.starts_with("=?base64?")) return false;
  return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7F; });
}

std::string header_text(std::string_view raw) {
  auto const text = is_string(raw) ? unquoted(raw) : std::string(raw);
  return fits_a_header(text) ? text : "=?base64?" + to_base64(text) + "?=";
}

task<result<std::vector<remote_tool>>> list_tools(std::shared_ptr<client::impl> c) {
  auto items = co_await c->list("tools/list", "tools");
  if (!items) co_return std::move(items).error();
  std::vector<remote_tool> all;
  for (auto const& item : *items)
    if (auto t = read_tool(item)) all.push_back(std::move(*t));
  co_return all;
}

task<result<call_result>> call_tool(std::shared_ptr<client::impl> c, std::string name, std::string arguments,
                                    request_options how) {
  if (check_json(arguments, message_depth_max) || !is_object(arguments))
    co_return error(errc::invalid_argument, "the arguments of \"" + name + "\" are not a JSON object",
                    "mcp.client.call");
  call_plan plan{.method = "tools/call", .params = "{", .name = name, .options = std::move(how)};
  put_string(plan.params, "name", name);
  put_raw(plan.params, "arguments", arguments);
  if (!plan.options.meta.text.empty()) put_raw(plan.params, "_meta", plan.options.meta.text);
  plan.params += '}';
  // A tool whose arguments travel as headers too must have been listed before it is called.
  if (auto const kept = c->lists.find("tools/list"); kept != c->lists.end())
    for (auto const& item : kept->second.items) {
      if (string_member(item, "name") != name) continue;
      auto const headers = header_parameters(member(item, "inputSchema"));
      if (!headers) break;
      for (auto const& [argument, header] : *headers) {
        auto const raw = member(arguments, argument);
        if (!raw.empty() && raw != "null") plan.headers.emplace_back("Mcp-Param-" + header, header_text(raw));
      }
    }
  auto outcome = co_await c->call(std::move(plan));
  if (!outcome) co_return std::move(outcome).error();
  co_return read_call_result(*outcome);
}

remote_resource read_resource(std::string const& item) {
  remote_resource r{.uri = text_of(item, "uri"),
                    .name = text_of(item, "name"),
                    .title = text_of(item, "title"),
                    .description = text_of(item, "description"),
                    .mime_type = text_of(item, "mimeType")};
  if (r.uri.empty()) r.uri = text_of(item, "uriTemplate");
  r.source.text = item;
  return r;
}

task<result<std::vector<remote_resource>>> list_resources(std::shared_ptr<client::impl> c, std::string method,
                                                          std::string name) {
  auto items = co_await c->list(std::move(method), std::move(name));
  if (!items) co_return std::move(items).error();
  std::vector<remote_resource> all;
  for (auto const& item : *items) all.push_back(read_resource(item));
  co_return all;
}

task<result<std::vector<resource_contents>>> read_resource_at(std::shared_ptr<client::impl> c, std::string uri,
                                                              request_options how) {
  call_plan plan{.method = "resources/read", .params = "{", .name = uri, .options = std::move(how)};
  put_string(plan.params, "uri", uri);
  plan.params += '}';
  auto outcome = co_await c->call(std::move(plan));
  if (!outcome) co_return std::move(outcome).error();
  auto const list = member(*outcome, "contents");
  if (!is_array(list)) co_return malformed("a resource without contents");
  std::vector<resource_contents> all;
  std::optional<error> wrong;
  each_item(list, [&](std::string_view item) {
    auto one = read_contents(item);
    if (!one) return wrong = one.error(), false;
    return all.push_back(std::move(*one)), true;
  });
  if (wrong) co_return *wrong;
  co_return all;
}

task<result<std::vector<remote_prompt>>> list_prompts(std::shared_ptr<client::impl> c) {
  auto items = co_await c->list("prompts/list", "prompts");
  if (!items) co_return std::move(items).error();
  std::vector<remote_prompt> all;
  for (auto const& item : *items) {
    remote_prompt p{
        .name = text_of(item, "name"), .title = text_of(item, "title"), .description = text_of(item, "description")};
    if (auto const arguments = member(item, "arguments"); is_array(arguments))
      each_item(arguments, [&](std::string_view a) {
        p.arguments.push_back({text_of(a, "name"), text_of(a, "description"), member(a, "required") == "true"});
        return true;
      });
    p.source.text = item;
    all.push_back(std::move(p));
  }
  co_return all;
}

task<result<prompt_result>> get_prompt(std::shared_ptr<client::impl> c, std::string name,
                                       std::map<std::string, std::string> arguments) {
  call_plan plan{.method = "prompts/get", .params = "{", .name = name};
  put_string(plan.params, "name", name);
  std::string given = "{";
  for (auto const& [key, value] : arguments) {
    std::string quoted;
    append_string(quoted, key);
    put_string(given, std::string_view(quoted).substr(1, quoted.size() - 2), value);
  }
  put_raw(plan.params, "arguments", given + "}");
  plan.params += '}';
  auto outcome = co_await c->call(std::move(plan));
  if (!outcome) co_return std::move(outcome).error();
  prompt_result out{.messages = {}, .description = text_of(*outcome, "description")};
  auto const list = member(*outcome, "messages");
  if (!is_array(list)) co_return malformed("a prompt without messages");
  std::optional<error> wrong;
  each_item(list, [&](std::string_view item) {
    auto one = read_prompt_message(item);
    if (!one) return wrong = one.error(), false;
    return out.messages.push_back(std::move(*one)), true;
  });
  if (wrong) co_return *wrong;
  co_return out;
}

task<result<std::vector<std::string>>> complete(std::shared_ptr<client::impl> c, std::string ref, std::string argument,
                                                std::string typed) {
  call_plan plan{.method = "completion/complete", .params = "{"};
  std::string what = "{";
  put_string(what, "name", argument);
  put_string(what, "value", typed);
  put_raw(plan.params, "ref", ref);
  put_raw(plan.params, "argument", what + "}");
  plan.params += '}';
  auto outcome = co_await c->call(std::move(plan));
  if (!outcome) co_return std::move(outcome).error();
  std::vector<std::string> values;
  if (auto const list = member(member(*outcome, "completion"), "values"); is_array(list))
    each_item(list, [&](std::string_view item) { return values.push_back(unquoted(item)), true; });
  co_return values;
}

}  // namespace

task<result<void>> client::impl::watch(std::vector<std::string> uris) {
  auto const self = shared_from_this();
  watches = true;  // also after the server was started again
  watched.insert(uris.begin(), uris.end());
  if (!rev->stateless) {
    for (auto const& uri : uris) {
      call_plan plan{.method = "resources/subscribe", .params = "{"};
      put_string(plan.params, "uri", uri);
      plan.params += '}';
      auto done = co_await exchange(std::move(plan));
      if (!done) co_return std::move(done).error();
    }
    co_return result<void>{};
  }
  std::string list = "[";
  for (auto const& uri : uris) {
    if (list.size() > 1) list += ',';
    append_string(list, uri);
  }
  call_plan plan{.method = "subscriptions/listen"};
  plan.params =
      R"({"notifications":{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":)" +
      list + "]}}";
  plan.options.time = std::chrono::hours(24 * 365);
  // The stream stays open for as long as the client lives; it ends with it.
  asio::co_spawn(
      executor,
      [](std::shared_ptr<client::impl> inside, call_plan listen) -> task<void> {
        co_await inside->exchange(std::move(listen));
      }(self, std::move(plan)),
      [](std::exception_ptr) {});
  co_return result<void>{};
}

namespace {

// ---------------------------------------------------------------- skills

task<result<std::vector<remote_skill>>> list_skills(std::shared_ptr<client::impl> c) {
  auto items = co_await c->list("skills/list", "skills");
  if (!items) co_return std::move(items).error();
  std::vector<remote_skill> all;
  for (auto const& item : *items) {
    remote_skill s{.uri = text_of(item, "uri")};
    s.frontmatter.text = std::string(member(item, "frontmatter"));
    s.name = text_of(s.frontmatter.text, "name");
    s.description = text_of(s.frontmatter.text, "description");
    if (auto const files = member(item, "resources"); is_array(files))
      each_item(files, [&](std::string_view f) {
        s.files.push_back(
            {text_of(f, "uri"), text_of(f, "digest"), static_cast<std::size_t>(integer_member(f, "size").value_or(0))});
        return true;
      });
    if (s.files.size() <= skill_files_max) all.push_back(std::move(s));
  }
  co_return all;
}

error untrusted(std::string const& uri, std::string what) {
  return {errc::denied, "the skill's file " + uri + " is not what was listed: " + std::move(what), "mcp.client.skill",
          uri};
}

task<result<std::string>> skill_file_of(std::shared_ptr<client::impl> c, remote_skill skill, std::string uri) {
  auto const listed = std::ranges::find(skill.files, uri, &remote_skill::file::uri);
  if (listed == skill.files.end()) co_return untrusted(uri, "it was not listed at all");
  request_options none;
  auto contents = co_await read_resource_at(c, uri, std::move(none));
  if (!contents) co_return std::move(contents).error();
  if (contents->size() != 1) co_return untrusted(uri, "it came in " + std::to_string(contents->size()) + " pieces");
  auto& data = contents->front().data;
  if (data.size() != listed->size) co_return untrusted(uri, "its size differs");
  if ("sha256:" + content_hash(data) != listed->digest) co_return untrusted(uri, "its digest differs");
  co_return std::move(data);
}

task<result<std::string>> load(std::shared_ptr<client::impl> c, remote_skill skill) {
  auto text = co_await skill_file_of(c, skill, skill.uri);
  if (!text) co_return std::move(text).error();
  auto const front = front_matter_json(*text);
  auto const found = front ? parse_json(*front) : result<json>(error(errc::parse_error, "no front matter"));
  auto const listed = parse_json(skill.frontmatter.text);
  if (!found || !listed) co_return untrusted(skill.uri, "its front matter cannot be read");
  // Field by field, in whatever order.
  bool same = found->size() == listed->size();
  for (auto const& [key, value] : listed->items()) same = same && found->contains(key) && (*found)[key] == value;
  if (!same) co_return untrusted(skill.uri, "its front matter differs");
  co_return std::move(*text);
}

}  // namespace

task<result<std::vector<std::string>>> client::impl::list(std::string method, std::string member_name) {
  auto const self = shared_from_this();
  if (auto const kept = lists.find(method);
      kept != lists.end() && kept->second.good_until > std::chrono::steady_clock::now())
    co_return kept->second.items;
  kept_list fresh;
  std::string cursor;
  std::int64_t ttl = 0;
  for (std::size_t page = 0; page < options.pages_max; ++page) {
    call_plan plan{.method = method};
    if (!cursor.empty()) plan.params = R"({"cursor":)" + cursor + "}";
    auto got = co_await call(std::move(plan));
    if (!got) co_return std::move(got).error();
    auto const items = member(*got, member_name);
    if (!is_array(items)) co_return malformed("a list without \"" + member_name + "\"");
    each_item(items, [&](std::string_view item) { return fresh.items.emplace_back(item), true; });
    ttl = integer_member(*got, "ttlMs").value_or(0);
    auto const next = member(*got, "nextCursor");
    if (!is_string(next)) {
      fresh.good_until =
          std::chrono::steady_clock::now() + std::chrono::milliseconds(std::clamp<std::int64_t>(ttl, 0, 86'400'000));
      lists[method] = fresh;
      co_return fresh.items;
    }
    if (cursor == next) co_return malformed("the same page again and again");
    cursor = std::string(next);
  }
  co_return error(errc::limit_reached, "the list has more than " + std::to_string(options.pages_max) + " pages",
                  "mcp.client");
}

// ---------------------------------------------------------------- the handle's calls

task<result<std::vector<remote_tool>>> client::async_tools() const {
  auto const h = holder_;
  auto done = co_await run_there(h->inside->executor, list_tools(h->inside));
  co_return done;
}
task<result<call_result>> client::async_call(std::string tool, raw_json arguments, request_options options) const {
  auto const h = holder_;
  auto done = co_await run_there(h->inside->executor,
                                 call_tool(h->inside, std::move(tool), std::move(arguments.text), std::move(options)));
  co_return done;
}
task<result<std::vector<remote_resource>>> client::async_resources() const {
  auto const h = holder_;
  auto done = co_await run_there(h->inside->executor, list_resources(h->inside, "resources/list", "resources"));
  co_return done;
}
task<result<std::vector<remote_resource>>> client::async_templates() const {
  auto const h = holder_;
  auto done = co_await run_there(h->inside->executor,
                                 list_resources(h->inside, "resources/templates/list", "resourceTemplates"));
  co_return done;
}
task<result<std::vector<resource_contents>>> client::async_read(std::string uri, request_options options) const {
  auto const h = holder_;
  auto done = co_await run_there(h->inside->executor, read_resource_at(h->inside, std::move(uri), std::move(options)));
  co_return done;
}
task<result<std::vector<remote_prompt>>> client::async_prompts() const {
  auto const h = holder_;
  auto done = co_await run_there(h->inside->executor, list_prompts(h->inside));
  co_return done;
}
task<result<prompt_result>> client::async_prompt(std::string name, std::map<std::string, std::string> arguments) const {
  auto const h = holder_;
  auto done = co_await run_there(h->inside->executor, get_prompt(h->inside, std::move(name), std::move(arguments)));
  co_return done;
}
task<result<std::vector<std::string>>> client::async_complete(raw_json ref, std::string argument,
                                                              std::string typed) const {
  auto const h = holder_;
  auto done = co_await run_there(h->inside->executor,
                                 complete(h->inside, std::move(ref.text), std::move(argument), std::move(typed)));
  co_return done;
}
task<result<void>> client::async_watch(std::vector<std::string> uris) const {
  auto const h = holder_;
  auto done = co_await run_there(h->inside->executor, h->inside->watch(std::move(uris)));
  co_return done;
}
task<result<std::vector<remote_skill>>> client::async_skills() const {
  auto const h = holder_;
  auto done = co_await run_there(h->inside->executor, list_skills(h->inside));
  co_return done;
}
task<result<std::string>> client::async_load_skill(remote_skill skill) const {
  auto const h = holder_;
  auto done = co_await run_there(h->inside->executor, load(h->inside, std::move(skill)));
  co_return done;
}
task<result<std::string>> client::async_skill_file(remote_skill skill, std::string uri) const {
  auto const h = holder_;
  auto done = co_await run_there(h->inside->executor, skill_file_of(h->inside, std::move(skill), std::move(uri)));
  co_return done;
}

result<std::vector<remote_tool>> client::tools() const {
  return run_blocking(async_tools(), "client::tools", "client::async_tools");
}
result<call_result> client::call(std::string tool, raw_json arguments, request_options options) const {
  return run_blocking(async_call(std::move(tool), std::move(arguments), std::move(options)), "client::call",
                      "client::async_call");
}
result<std::vector<remote_resource>> client::resources() const {
  return run_blocking(async_resources(), "client::resources", "client::async_resources");
}
result<std::vector<remote_resource>> client::templates() const {
  return run_blocking(async_templates(), "client::templates", "client::async_templates");
}
result<std::vector<resource_contents>> client::read(std::string uri) const {
  return run_blocking(async_read(std::move(uri)), "client::read", "client::async_read");
}
result<std::vector<remote_prompt>> client::prompts() const {
  return run_blocking(async_prompts(), "client::prompts", "client::async_prompts");
}
result<prompt_result> client::prompt(std::string name, std::map<std::string, std::string> arguments) const {
  return run_blocking(async_prompt(std::move(name), std::move(arguments)), "client::prompt", "client::async_prompt");
}
result<std::vector<remote_skill>> client::skills() const {
  return run_blocking(async_skills(), "client::skills", "client::async_skills");
}
result<std::string> client::load_skill(remote_skill skill) const {
  return run_blocking(async_load_skill(std::move(skill)), "client::load_skill", "client::async_load_skill");
}
result<std::string> client::skill_file(remote_skill skill, std::string uri) const {
  return run_blocking(async_skill_file(std::move(skill), std::move(uri)), "client::skill_file",
                      "client::async_skill_file");
}

}  // namespace wherry::inline v0::mcp
