#pragma once
// A server: what it offers, declared once, for every revision and transport.
//
//   std::string echo(std::string message);
//
//   wherry::mcp::server server{"echo", "1.0"};
//   server.add(wherry::mcp::tool("echo", "Says it back.", {"message"}, echo).reads());
//   return wherry::mcp::serve_stdio(server);
//
// A tool of the tools room is taken as it is: server.add(wherry::tool(...)).

#include <wherry/core/runtime.hpp>
#include <wherry/mcp/context.hpp>
#include <wherry/mcp/detail/bind.hpp>
#include <wherry/tools/tool.hpp>
#include <wherry/tools/tool_registry.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0::mcp {

/// Who a peer is.
struct implementation {
  std::string name;
  std::string version;
  std::string title = {};
  std::string description = {};
  std::string website_url = {};
  std::vector<icon> icons = {};
};

/// Whether a call of a tool may become a task (extension tasks).
enum class task_support {
  none,      ///< Never.
  optional,  ///< For clients that take tasks; others get the result itself.
  required,  ///< Clients that do not take tasks are refused.
};
/// When it becomes one.
enum class task_start {
  at_once,     ///< Before the handler begins.
  by_handler,  ///< When the handler awaits context::continue_as_task().
};
/// What becomes of a handler in the stateless era while the client is asked something.
enum class while_asking {
  by_effect,  ///< A tool that writes waits; everything else is run again.
  waits,      ///< It is kept in memory; the client must come back to this process.
  repeats,    ///< It is run again from its beginning with the answers known so far: it must be repeatable.
};

/// A tool. A value; changing a copy does not change what a server has.
///
/// The function takes one struct, or named parameters, or nothing, with a `context` or a `tool_context const&` first if
/// it wants one. It returns text (std::string), blocks (content, std::vector<content>, call_result), a value with a
/// JSON form (a struct above all: then the tool has an output schema, results are checked against it, and are sent both
/// as structured content and as text), raw_json (the same without a schema), or nothing; or a result<> or task<> of
/// these. Revisions before 2026-07-28 know structured content that is an object only: other values are text there, and
/// so is everything before 2025-06-18. An error becomes a failed result that the model sees; an error of make_rpc_error
/// becomes the JSON-RPC answer. Blocking functions run on the compute pool, or in place with inline_run(); coroutines
/// on the loop.
class tool {
 public:
  template <class F>
  tool(std::string name, std::string description, F function);
  template <class F>
  tool(std::string name, std::string description, detail::parameter_names<detail::handler_signature<F>::count> names,
       F function);
  /// A tool of the tools room, with its schemas, effect class, deadline and way of running.
  tool(wherry::tool local);

  tool& title(std::string text);
  tool& icons(std::vector<icon> list);
  /// It changes nothing: it may be repeated, and says so to clients (readOnlyHint).
  tool& reads();
  /// It may change things; the default.
  tool& writes();
  /// Further hints to clients: whether a change destroys, whether a repetition changes nothing more, whether it reaches
  /// beyond this program.
  tool& hints(std::optional<bool> destructive, std::optional<bool> idempotent, std::optional<bool> open_world);
  /// For functions that return within microseconds: they run where the message was read.
  tool& inline_run();
  tool& deadline(std::chrono::milliseconds limit);
  tool& tasks(task_support support, task_start start = task_start::at_once);
  tool& asking(while_asking what);
  /// In place of the schema made from the function; the function must take what it allows. JSON Schema 2020-12. What a
  /// successful call gives is checked against an output schema; without a value, or with one that does not fit, the
  /// result is a failed one.
  tool& input_schema(raw_json schema);
  tool& output_schema(raw_json schema);
  /// The argument is also sent as the HTTP header Mcp-Param-<header> (SEP-2243). A string, integer or boolean.
  tool& header(std::string argument, std::string header);
  tool& meta(raw_json object);

  std::string const& name() const noexcept;

  struct data;

 private:
  friend class server;
  tool(std::string name, std::string description, detail::handler run, raw_json input, raw_json output);
  std::shared_ptr<data> data_;
};

/// Something that can be read, under one URI. The function takes nothing, or a context; it returns text, a
/// resource_contents (for bytes) or several, or a result<> or task<> of these.
class resource {
 public:
  template <class F>
  resource(std::string uri, std::string name, std::string description, std::string mime_type, F function)
      : resource(std::move(uri), std::move(name), std::move(description), std::move(mime_type), [&] {
          static_assert(detail::handler_signature<F>::count == 0, "wherry: a resource is read without arguments");
          raw_json ignored;
          return detail::make_handler<detail::resource_output>(
              std::move(function), detail::struct_reader<typename detail::handler_signature<F>::stored>(ignored));
        }()) {}
  resource& title(std::string text);
  resource& icons(std::vector<icon> list);
  resource& notes(annotations about);
  resource& size(std::size_t bytes);
  resource& meta(raw_json object);
  /// Reading returns within microseconds: it runs where the message was read.
  resource& inline_run();

  struct data;

 private:
  friend class server;
  resource(std::string uri, std::string name, std::string description, std::string mime_type, detail::handler read);
  std::shared_ptr<data> data_;
};

/// The variables of a URI template, by name.
using uri_variables = std::map<std::string, std::string>;

/// Completes an argument: gets what was typed so far and the arguments already known; returns the values it may have,
/// best first. At most 100 are sent.
using completer = std::function<std::vector<std::string>(std::string const& typed, uri_variables const& known)>;

/// Resources under a URI template (RFC 6570: `{name}` matches one path segment, `{+name}` the rest). The function takes
/// the variables as one struct of strings, or as named parameters; what it returns is as for a resource.
class resource_template {
 public:
  template <class F>
  resource_template(std::string uri_template, std::string name, std::string description, std::string mime_type,
                    F function)
      : resource_template(std::move(uri_template), std::move(name), std::move(description), std::move(mime_type), [&] {
          raw_json ignored;
          return detail::make_handler<detail::resource_output>(
              std::move(function), detail::struct_reader<typename detail::handler_signature<F>::stored>(ignored));
        }()) {}
  template <class F>
  resource_template(std::string uri_template, std::string name, std::string description, std::string mime_type,
                    detail::parameter_names<detail::handler_signature<F>::count> names, F function)
      : resource_template(std::move(uri_template), std::move(name), std::move(description), std::move(mime_type), [&] {
          raw_json ignored;
          auto* const stored = static_cast<typename detail::handler_signature<F>::stored*>(nullptr);
          return detail::make_handler<detail::resource_output>(std::move(function),
                                                               detail::parameter_reader(names.names, stored, ignored));
        }()) {}
  resource_template& title(std::string text);
  resource_template& icons(std::vector<icon> list);
  resource_template& complete(std::string variable, completer values);
  resource_template& meta(raw_json object);
  resource_template& inline_run();

  struct data;

 private:
  friend class server;
  resource_template(std::string uri_template, std::string name, std::string description, std::string mime_type,
                    detail::handler read);
  std::shared_ptr<data> data_;
};

/// A prompt template. The function takes one struct of strings (std::optional<std::string> where an argument may be
/// left out), or named parameters, or nothing; a context first if it wants one. It returns text (one message of the
/// user), prompt_message, std::vector<prompt_message> or prompt_result, or a result<> or task<> of these.
class prompt {
 public:
  template <class F>
  prompt(std::string name, std::string description, F function) : prompt(std::move(name), std::move(description)) {
    raw_json schema;
    auto read = detail::struct_reader<typename detail::handler_signature<F>::stored>(schema);
    set(detail::make_handler<detail::prompt_output>(std::move(function), std::move(read)), schema);
  }
  template <class F>
  prompt(std::string name, std::string description, detail::parameter_names<detail::handler_signature<F>::count> names,
         F function)
      : prompt(std::move(name), std::move(description)) {
    raw_json schema;
    auto* const stored = static_cast<typename detail::handler_signature<F>::stored*>(nullptr);
    auto read = detail::parameter_reader(names.names, stored, schema);
    set(detail::make_handler<detail::prompt_output>(std::move(function), std::move(read)), schema);
  }
  prompt& title(std::string text);
  prompt& icons(std::vector<icon> list);
  prompt& complete(std::string argument, completer values);
  prompt& meta(raw_json object);
  prompt& inline_run();

  struct data;

 private:
  friend class server;
  prompt(std::string name, std::string description);
  void set(detail::handler fill, raw_json const& schema);
  std::shared_ptr<data> data_;
};

/// A skill (extension skills): a folder of files, one of them SKILL.md with a front matter. Served under
/// skill://<path>/ ; the last part of the path is the skill's name.
struct skill_file {
  std::string path;  ///< Within the skill: "SKILL.md", "references/FORMS.md".
  std::string data;
  std::string mime_type = {};  ///< Empty: by the ending of the path.
};
inline constexpr std::size_t skill_files_max = 512;
inline constexpr std::size_t skill_bytes_max = std::size_t{16} << 20;

struct server_options {
  std::string instructions = {};                         ///< How to use the server, for a model.
  std::size_t page_size = 1000;                          ///< Entries of one page of a list.
  std::chrono::milliseconds list_ttl{0};                 ///< How long clients may keep lists; 0: ask every time.
  std::chrono::milliseconds read_ttl{0};                 ///< ... and contents of resources.
  bool cache_shared = false;                             ///< Lists are the same for everybody ("public").
  std::chrono::milliseconds time_limit{30'000};          ///< Of a call whose tool declares none.
  std::chrono::milliseconds input_time_limit{600'000};   ///< Of waiting for what the client was asked.
  std::chrono::milliseconds task_time_limit{3'600'000};  ///< Of a task.
  std::chrono::milliseconds task_ttl{600'000};           ///< How long a finished task can be looked at.
  std::chrono::milliseconds task_poll{500};              ///< How often clients should look.
  std::size_t calls_max = 1024;                          ///< Calls under way at a time; more are refused.
  std::size_t waiting_max = 1024;                        ///< Handlers kept waiting for input; the oldest is given up.
  std::size_t tasks_max = 1024;                          ///< Tasks kept, finished or not.
  std::size_t message_bytes_max = std::size_t{16} << 20;
  std::string secret = {};                     ///< 32 bytes that seal requestState; empty: drawn at start.
  std::string previous_secret = {};            ///< The generation before: still accepted.
  compute_pool pool = compute_pool::shared();  ///< Where blocking functions run.
  std::shared_ptr<clock const> time_source = clock::system();
};

namespace detail {
struct server_state;
}

/// A server. A cheap handle: copies share one state. Thread-safe; serve it with serve.hpp.
/// Names must be unique within their kind; adding a name again replaces what had it. What is added or removed while the
/// server is in use is told to clients that want to know.
class server {
 public:
  server(std::string name, std::string version, server_options options = {});
  explicit server(implementation about, server_options options = {});
  /// Another handle to a server.
  explicit server(std::shared_ptr<detail::server_state> state) noexcept : state_(std::move(state)) {}

  server& add(tool t);
  server& add(wherry::tool t) { return add(tool(std::move(t))); }
  server& add(tool_registry const& tools);
  server& add(resource r);
  server& add(resource_template t);
  server& add(prompt p);
  /// Fails with: errc::invalid_argument when there is no SKILL.md, its front matter has no name or description, the
  /// name is not the last part of the path, or the bounds are passed.
  result<void> add_skill(std::string path, std::vector<skill_file> files);

  bool remove_tool(std::string_view name);
  bool remove_resource(std::string_view uri);
  bool remove_prompt(std::string_view name);

  /// Tells clients that asked to be told.
  void tools_changed() const;
  void prompts_changed() const;
  void resources_changed() const;
  void resource_updated(std::string_view uri) const;

  struct counters {
    std::size_t calls = 0;    ///< Under way now.
    std::size_t waiting = 0;  ///< Handlers that wait for input.
    std::size_t tasks = 0;
    std::size_t listeners = 0;  ///< Streams that want to hear of changes.
  };
  counters stats() const;

  std::shared_ptr<detail::server_state> const& state() const noexcept { return state_; }

 private:
  std::shared_ptr<detail::server_state> state_;
};

template <class F>
tool::tool(std::string name, std::string description, F function)
    : tool([&] {
        raw_json input;
        auto read = detail::struct_reader<typename detail::handler_signature<F>::stored>(input);
        return tool(std::move(name), std::move(description),
                    detail::make_handler<detail::tool_output>(std::move(function), std::move(read)), std::move(input),
                    detail::tool_output::schema<typename detail::handler_signature<F>::result_type>());
      }()) {}

template <class F>
tool::tool(std::string name, std::string description,
           detail::parameter_names<detail::handler_signature<F>::count> names, F function)
    : tool([&] {
        raw_json input;
        auto* const stored = static_cast<typename detail::handler_signature<F>::stored*>(nullptr);
        auto read = detail::parameter_reader(names.names, stored, input);
        return tool(std::move(name), std::move(description),
                    detail::make_handler<detail::tool_output>(std::move(function), std::move(read)), std::move(input),
                    detail::tool_output::schema<typename detail::handler_signature<F>::result_type>());
      }()) {}

}  // namespace wherry::inline v0::mcp
