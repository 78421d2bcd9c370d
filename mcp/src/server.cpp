#include <wherry/mcp/server.hpp>

#include "content_json.hpp"
#include "server_state.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cassert>

namespace wherry::inline v0::mcp {

using namespace detail;

// ---------------------------------------------------------------- declarations

tool::tool(std::string name, std::string description, handler run, raw_json input, raw_json output)
    : data_(std::make_shared<data>()) {
  data_->name = std::move(name);
  data_->description = std::move(description);
  data_->run = std::move(run);
  data_->input = std::move(input);
  data_->output = std::move(output);
}

namespace {

/// A tool with an output schema has given JSON text of it.
result<result_body> body_of(wherry::tool const& local, context const& c, result<std::string> outcome) {
  if (!outcome) return std::move(outcome).error();
  if (local.output_schema().text.empty()) return text_body(*outcome);
  return value_body(c, *outcome, true);
}

error invalid_arguments(error e) {
  e.where = "schema.decode";  // whatever bound them: the caller is told that the arguments were wrong
  return e;
}

task<result<result_body>> run_local(wherry::tool local, context c, std::string arguments) {
  auto bound = local.bind(arguments);
  if (!bound) co_return invalid_arguments(std::move(bound).error());
  auto const about = tool_context_of(c);
  if (bound->later) {
    auto outcome = co_await bound->later(about);
    co_return body_of(local, c, std::move(outcome));
  }
  auto work = [now = std::move(bound->now), about] { return now(about); };
  auto outcome = co_await offload(c.state()->server->options.pool, std::move(work), "tool " + local.name());
  co_return body_of(local, c, std::move(outcome));
}

handler handler_of(wherry::tool local) {
  handler h;
  h.later = [local](context c, std::string arguments) { return run_local(local, std::move(c), std::move(arguments)); };
  if (!local.runs_inline()) return h;
  h.now = [local](context const& c, std::string_view arguments) -> result<result_body> {
    auto bound = local.bind(arguments);
    if (!bound) return invalid_arguments(std::move(bound).error());
    if (!bound->now) return error(errc::would_block_loop, "a coroutine", "mcp.server");  // then `later` is taken
    return body_of(local, c, bound->now(tool_context_of(c)));
  };
  return h;
}

}  // namespace

tool::tool(wherry::tool local)
    : tool(local.name(), local.spec().description, handler_of(local), local.spec().input_schema,
           local.output_schema()) {
  data_->reads = local.effect() == effect_class::reads;
  data_->runs_inline = local.runs_inline();
  data_->limit = local.time_limit();
}

tool& tool::title(std::string text) { return data_->title = std::move(text), *this; }
tool& tool::icons(std::vector<icon> list) { return data_->icons = std::move(list), *this; }
tool& tool::reads() { return data_->reads = true, *this; }
tool& tool::writes() { return data_->reads = false, *this; }
tool& tool::hints(std::optional<bool> destructive, std::optional<bool> idempotent, std::optional<bool> open_world) {
  data_->destructive = destructive;
  data_->idempotent = idempotent;
  data_->open_world = open_world;
  return *this;
}
tool& tool::inline_run() { return data_->runs_inline = true, *this; }
tool& tool::deadline(std::chrono::milliseconds limit) { return data_->limit = limit, *this; }
tool& tool::tasks(task_support support, task_start start) {
  data_->tasks = support;
  data_->start = start;
  return *this;
}
tool& tool::asking(while_asking what) { return data_->asking = what, *this; }
tool& tool::input_schema(raw_json schema) {
  assert(!check_json(schema.text, message_depth_max) && is_object(schema.text));
  return data_->input = std::move(schema), *this;
}
tool& tool::output_schema(raw_json schema) {
  assert(!check_json(schema.text, message_depth_max) && is_object(schema.text));
  auto check = wherry::detail::shared_validator::make(schema);
  assert(check && "results cannot be checked against this output schema");
  data_->output_check = check ? std::move(*check) : nullptr;
  return data_->output = std::move(schema), *this;
}
tool& tool::meta(raw_json object) { return data_->meta = std::move(object), *this; }
std::string const& tool::name() const noexcept { return data_->name; }

tool& tool::header(std::string argument, std::string header_name) {
  // The annotation stands in the schema, where clients look for it.
  std::string schema = "{";
  each_member(data_->input.text, [&](std::string_view key, std::string_view value) {
    if (key != "properties" || !is_object(value)) return put_raw(schema, key, value), true;
    std::string properties = "{";
    each_member(value, [&](std::string_view name, std::string_view property) {
      std::string changed(property);
      if (name == argument && is_object(property)) {
        changed.pop_back();
        put_string(changed, "x-mcp-header", header_name);
        changed += '}';
      }
      return put_raw(properties, name, changed), true;
    });
    return put_raw(schema, key, properties + "}"), true;
  });
  data_->input.text = schema + "}";
  return *this;
}

resource::resource(std::string uri, std::string name, std::string description, std::string mime_type, handler read)
    : data_(std::make_shared<data>()) {
  data_->uri = std::move(uri);
  data_->name = std::move(name);
  data_->description = std::move(description);
  data_->mime_type = std::move(mime_type);
  data_->run = std::move(read);
}
resource& resource::title(std::string text) { return data_->title = std::move(text), *this; }
resource& resource::icons(std::vector<icon> list) { return data_->icons = std::move(list), *this; }
resource& resource::notes(annotations about) { return data_->notes = std::move(about), *this; }
resource& resource::size(std::size_t bytes) { return data_->size = bytes, *this; }
resource& resource::meta(raw_json object) { return data_->meta = std::move(object), *this; }
resource& resource::inline_run() { return data_->runs_inline = true, *this; }

resource_template::resource_template(std::string uri_template, std::string name, std::string description,
                                     std::string mime_type, handler read)
    : data_(std::make_shared<data>()) {
  data_->pattern = uri_pattern::parse(uri_template);
  data_->uri = std::move(uri_template);
  data_->name = std::move(name);
  data_->description = std::move(description);
  data_->mime_type = std::move(mime_type);
  data_->run = std::move(read);
}
resource_template& resource_template::title(std::string text) { return data_->title = std::move(text), *this; }
resource_template& resource_template::icons(std::vector<icon> list) { return data_->icons = std::move(list), *this; }
resource_template& resource_template::complete(std::string variable, completer values) {
  data_->completers[std::move(variable)] = std::move(values);
  return *this;
}
resource_template& resource_template::meta(raw_json object) { return data_->meta = std::move(object), *this; }
resource_template& resource_template::inline_run() { return data_->runs_inline = true, *this; }

prompt::prompt(std::string name, std::string description) : data_(std::make_shared<data>()) {
  data_->name = std::move(name);
  data_->description = std::move(description);
}
void prompt::set(handler fill, raw_json const& schema) {
  data_->run = std::move(fill);
  auto const required = member(schema.text, "required");
  auto const properties = member(schema.text, "properties");
  if (!is_object(properties)) return;
  each_member(properties, [&](std::string_view name, std::string_view property) {
    data::argument a{.name = std::string(name),
                     .description = string_member(property, "description").value_or(""),
                     .required = false};
    if (is_array(required))
      each_item(required,
                [&](std::string_view item) { return a.required = a.required || unquoted(item) == name, true; });
    data_->arguments.push_back(std::move(a));
    return true;
  });
}
prompt& prompt::title(std::string text) { return data_->title = std::move(text), *this; }
prompt& prompt::icons(std::vector<icon> list) { return data_->icons = std::move(list), *this; }
prompt& prompt::complete(std::string argument, completer values) {
  data_->completers[std::move(argument)] = std::move(values);
  return *this;
}
prompt& prompt::meta(raw_json object) { return data_->meta = std::move(object), *this; }
prompt& prompt::inline_run() { return data_->runs_inline = true, *this; }

// ---------------------------------------------------------------- the state

namespace {

std::string implementation_json(implementation const& who, bool icons) {
  std::string out = "{";
  put_string(out, "name", who.name);
  put_string(out, "version", who.version);
  put_text(out, "title", who.title);
  if (icons) {
    put_text(out, "description", who.description);
    put_text(out, "websiteUrl", who.website_url);
    put_icons(out, who.icons);
  }
  return out + "}";
}

}  // namespace

namespace detail {

server_state::server_state(implementation who, server_options how)
    : about(std::move(who)),
      options(std::move(how)),
      about_json(implementation_json(about, true)),
      about_json_old(implementation_json(about, false)),
      result_meta("\"" + std::string(meta_key::server_info) + "\":" + about_json_old),
      seals(options.secret, options.previous_secret),
      offered(std::make_shared<catalog const>()) {}

std::string server_state::supported_json() const {
  // What can be asked for with a request that says all about itself.
  std::string out = "[";
  for (auto const& rev : revisions()) {
    if (!rev.stateless) continue;
    if (out.size() > 1) out += ',';
    append_string(out, rev.name);
  }
  return out + "]";
}

std::string server_state::capabilities_json(revision const& rev) const {
  auto const have = catalog_now();
  std::string out = "{";
  if (!have->tools.empty()) put_raw(out, "tools", R"({"listChanged":true})");
  if (!have->prompts.empty()) put_raw(out, "prompts", R"({"listChanged":true})");
  if (!have->resources.empty() || !have->templates.empty() || !have->skills.empty())
    put_raw(out, "resources", R"({"listChanged":true,"subscribe":true})");
  if (!have->prompts.empty() || !have->templates.empty()) put_raw(out, "completions", "{}");
  if (!rev.stateless) put_raw(out, "logging", "{}");
  std::string extensions = "{";
  bool const has_tasks = std::ranges::any_of(have->tools, [](auto const& t) { return t->tasks != task_support::none; });
  if (rev.stateless && has_tasks) put_raw(extensions, extension::tasks, "{}");
  if (rev.stateless && !have->skills.empty()) put_raw(extensions, extension::skills, R"({"directoryRead":true})");
  if (extensions.size() > 1) put_raw(out, "extensions", extensions + "}");
  return out + "}";
}

void server_state::enlist(std::shared_ptr<session_state> const& session, asio::any_io_executor where) {
  std::lock_guard const lock(mutex);
  std::erase_if(sessions, [&](auto const& s) { return s.first.expired() || s.first.lock() == session; });
  sessions.emplace_back(session, std::move(where));
}

void server_state::announce(change what, std::string_view uri) {
  constexpr std::string_view method_names[] = {"notifications/tools/list_changed", "notifications/prompts/list_changed",
                                               "notifications/resources/list_changed",
                                               "notifications/resources/updated"};
  auto const method = method_names[static_cast<std::size_t>(what)];
  std::string params = "{";
  if (what == change::resource) put_string(params, "uri", uri);
  std::vector<std::shared_ptr<call_state>> streams;
  std::vector<std::pair<std::weak_ptr<session_state>, asio::any_io_executor>> connections;
  {
    std::lock_guard const lock(mutex);
    for (auto const& l : listeners) {
      bool const wants = what == change::tools       ? l.tools
                         : what == change::prompts   ? l.prompts
                         : what == change::resources ? l.resources
                                                     : l.uris.contains(uri);
      if (wants) streams.push_back(l.call);
    }
    std::erase_if(sessions, [](auto const& s) { return s.first.expired(); });
    connections = sessions;
  }
  for (auto const& call : streams) {
    auto tagged = params;
    put_raw(tagged, "_meta", "{\"" + std::string(meta_key::subscription_id) + "\":" + call->id + "}");
    call->tell(rpc_notification(method, tagged + "}"));
  }
  auto const message = rpc_notification(method, params + "}");
  for (auto const& [session_of, where] : connections)
    asio::post(where, [weak = session_of, message, what, uri = std::string(uri)] {
      auto const session = weak.lock();
      if (!session || (what == change::resource && !session->subscribed.contains(uri))) return;
      if (auto const to = session->general.lock()) to->notify(message);
    });
}

}  // namespace detail

// ---------------------------------------------------------------- the server

server::server(implementation about, server_options options)
    : state_(std::make_shared<server_state>(std::move(about), std::move(options))) {}

server::server(std::string name, std::string version, server_options options)
    : server(implementation{.name = std::move(name), .version = std::move(version)}, std::move(options)) {}

namespace {

/// Puts an item where it belongs, in place of one with the same key.
template <class T, class Key>
void put(shared_items<T>& items, std::shared_ptr<T const> item, Key key) {
  auto const at = std::ranges::lower_bound(items, key(*item), {}, [&](auto const& i) { return key(*i); });
  if (at != items.end() && key(**at) == key(*item))
    *at = std::move(item);
  else
    items.insert(at, std::move(item));
}

template <class T, class Key>
bool take_out(shared_items<T>& items, std::string_view name, Key key) {
  return std::erase_if(items, [&](auto const& i) { return key(*i) == name; }) > 0;
}

/// Replaces the catalog by a changed copy.
template <class Change>
auto change_catalog(server_state& s, Change change) {
  std::lock_guard const lock(s.mutex);
  auto next = std::make_shared<catalog>(*s.offered);
  auto const done = change(*next);
  s.offered = std::move(next);
  return done;
}

auto const by_name = [](auto const& item) { return std::string_view(item.name); };
auto const by_uri = [](auto const& item) { return std::string_view(item.uri); };

}  // namespace

server& server::add(tool t) {
  auto item = std::make_shared<tool::data>(*t.data_);
  auto headers = header_parameters(item->input.text);
  assert(headers && "an x-mcp-header annotation is not allowed there");
  if (headers) item->headers = std::move(*headers);
  change_catalog(*state_, [&](catalog& c) { return put<tool::data>(c.tools, item, by_name), true; });
  tools_changed();
  return *this;
}

server& server::add(tool_registry const& tools) {
  for (auto const& t : tools.tools()) add(tool(t));
  return *this;
}

server& server::add(resource r) {
  auto item = std::make_shared<resource::data>(*r.data_);
  change_catalog(*state_, [&](catalog& c) { return put<resource::data>(c.resources, item, by_uri), true; });
  resources_changed();
  return *this;
}

server& server::add(resource_template t) {
  auto item = std::make_shared<resource_template::data>(*t.data_);
  change_catalog(*state_, [&](catalog& c) { return put<resource_template::data>(c.templates, item, by_uri), true; });
  resources_changed();
  return *this;
}

server& server::add(prompt p) {
  auto item = std::make_shared<prompt::data>(*p.data_);
  change_catalog(*state_, [&](catalog& c) { return put<prompt::data>(c.prompts, item, by_name), true; });
  prompts_changed();
  return *this;
}

result<void> server::add_skill(std::string path, std::vector<skill_file> files) {
  auto made = make_skill(std::move(path), std::move(files));
  if (!made) return std::move(made).error();
  auto item = std::make_shared<skill_data>(std::move(*made));
  // Its SKILL.md is a resource like any other, so that it is found without the extension too.
  auto const& main = item->files.at(item->uri);
  auto const front = member(item->entry, "frontmatter");
  add(resource(item->uri, string_member(front, "name").value_or(""), string_member(front, "description").value_or(""),
               main.mime_type, [text = main] { return text; })
          .inline_run()
          .size(main.data.size()));
  change_catalog(*state_, [&](catalog& c) { return put<skill_data>(c.skills, item, by_uri), true; });
  resources_changed();
  return {};
}

bool server::remove_tool(std::string_view name) {
  bool const done = change_catalog(*state_, [&](catalog& c) { return take_out<tool::data>(c.tools, name, by_name); });
  if (done) tools_changed();
  return done;
}

bool server::remove_resource(std::string_view uri) {
  bool const done =
      change_catalog(*state_, [&](catalog& c) { return take_out<resource::data>(c.resources, uri, by_uri); });
  if (done) resources_changed();
  return done;
}

bool server::remove_prompt(std::string_view name) {
  bool const done =
      change_catalog(*state_, [&](catalog& c) { return take_out<prompt::data>(c.prompts, name, by_name); });
  if (done) prompts_changed();
  return done;
}

void server::tools_changed() const { state_->announce(server_state::change::tools); }
void server::prompts_changed() const { state_->announce(server_state::change::prompts); }
void server::resources_changed() const { state_->announce(server_state::change::resources); }
void server::resource_updated(std::string_view uri) const { state_->announce(server_state::change::resource, uri); }

server::counters server::stats() const {
  std::lock_guard const lock(state_->mutex);
  return {.calls = state_->calls,
          .waiting = state_->waiting.size(),
          .tasks = state_->tasks.size(),
          .listeners = state_->listeners.size()};
}

}  // namespace wherry::inline v0::mcp
