#pragma once
// What a handler on a server can do beside returning: say how far it is, write to the client's log, and ask the client
// for what it lacks (a form filled in, an answer of the client's model, the client's roots).
//
// The same handler works in both eras. In the handshake era a question is a request of the server's own, and the
// handler goes on when its answer comes. In the stateless era the call ends with what is asked for and the client sends
// it again with the answers: a handler that writes is kept waiting in memory until then, under a sealed handle; one
// that only reads is run again from its beginning with the answers known so far, in whichever process the call arrives.

#include <wherry/core/clock.hpp>
#include <wherry/core/json_fwd.hpp>
#include <wherry/core/result.hpp>
#include <wherry/core/runtime.hpp>
#include <wherry/core/task.hpp>
#include <wherry/llm/schema.hpp>
#include <wherry/mcp/content.hpp>
#include <wherry/mcp/revision.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0::mcp {

/// Levels of log messages, least first (RFC 5424).
enum class severity { debug, info, notice, warning, error, critical, alert, emergency };
char const* to_string(severity level) noexcept;
std::optional<severity> severity_of(std::string_view name) noexcept;

/// What a client can do for a server.
struct client_capabilities {
  bool elicitation = false;      ///< Lets its user fill in a form.
  bool url_elicitation = false;  ///< Sends its user to a page.
  bool sampling = false;         ///< Lets its model answer.
  bool sampling_tools = false;   ///< ... also with tools.
  bool roots = false;            ///< Tells its roots.
  bool tasks = false;            ///< Takes a task instead of a result (extension tasks).
};

/// A question to the client, as it goes over the wire.
struct input_request {
  std::string key;     ///< Names the answer within the call; unique there.
  std::string method;  ///< "elicitation/create", "sampling/createMessage" or "roots/list".
  raw_json params;     ///< An object.
};

/// What the user did with a form.
template <class T>
struct elicited {
  enum class action_type { accept, decline, cancel };
  action_type action = action_type::cancel;
  std::optional<T> content;  ///< Present when the form was accepted.
  explicit operator bool() const noexcept { return content.has_value(); }
};

/// What the client's model is asked.
struct sample_request {
  std::vector<prompt_message> messages;
  std::size_t max_tokens = 1024;
  std::string system = {};
  std::optional<double> temperature = {};
  std::vector<std::string> stop = {};
};
/// What it answered.
struct sampled {
  mcp::content content;
  std::string model = {};
  std::string stop_reason = {};
  /// The text of a text answer.
  std::string const& text() const noexcept { return content.data; }
};

namespace detail {
struct call_state;
struct elicited_text {
  int action = 2;  // accept, decline, cancel
  std::string content;
};
}  // namespace detail

/// One call, as its handler sees it. A cheap copyable handle; it may outlive the call, and does nothing then.
///
/// Threads: progress, log and stop may be used from any thread; what is awaited, from the call's own coroutine.
class context {
 public:
  explicit context(std::shared_ptr<detail::call_state> call) noexcept : call_(std::move(call)) {}

  revision const& protocol() const noexcept;
  client_capabilities const& client() const noexcept;
  /// The request's `_meta` as it came; "{}" when there was none.
  raw_json meta() const;
  /// The URI of a resource that is being read.
  std::string uri() const;
  /// Stopped once nobody waits for the call any more: long loops should look at it.
  stop_source stop() const;

  /// Tells how far the call is, if the client asked to be told. `done` should grow from call to call.
  void progress(double done, std::optional<double> total = std::nullopt, std::string_view message = {}) const;
  /// Writes to the client's log, if it wants messages of that level.
  void log(severity level, std::string_view text, std::string_view logger = {}) const;
  void log(severity level, raw_json const& data, std::string_view logger = {}) const;

  /// Ends the connection on which the client waits; it comes back by itself after `retry` and gets what came meanwhile,
  /// and the answer: a long call need not hold a connection open (SEP-1699). The call goes on. Only where clients know
  /// of it (2025-11-25 over HTTP, and http_endpoint_options::replay keeps streams); no effect elsewhere.
  void disconnect(std::chrono::milliseconds retry) const;

  /// Asks everything at once and waits for all answers.
  /// Returns: the client's results in the order of the questions, as they came.
  /// Fails with: the JSON-RPC error missing_client_capability when the client has not declared what a question needs
  /// (returned from the handler it becomes the answer of the call); errc::deadline_exceeded when no answer comes within
  /// server_options::input_time_limit; errc::cancelled; the client's own error.
  task<result<std::vector<raw_json>>> ask(std::vector<input_request> questions) const;

  /// Shows a form made from T and waits until the user has filled it in. T is a struct of strings, numbers, booleans
  /// and enums: a form is flat.
  /// Fails with: as ask(); errc::output_invalid when what came is no T.
  template <class T>
  task<result<elicited<T>>> elicit(std::string message, std::string key = {}) const {
    auto answer = co_await elicit_text(std::move(message), schema_of<T>(), std::move(key));
    if (!answer) co_return std::move(answer).error();
    elicited<T> out;
    out.action = static_cast<typename elicited<T>::action_type>(answer->action);
    if (out.action != elicited<T>::action_type::accept) co_return out;
    auto value = decode<T>(answer->content);
    if (!value) co_return std::move(value).error();
    out.content = std::move(*value);
    co_return out;
  }
  /// The same with a schema of one's own; the content is JSON text.
  task<result<elicited<raw_json>>> elicit(std::string message, raw_json schema, std::string key = {}) const;
  /// Asks the client's model.
  task<result<sampled>> sample(sample_request request, std::string key = {}) const;
  /// The places the client lets a server work in.
  task<result<std::vector<root>>> roots(std::string key = {}) const;

  /// Questions to be put together and asked at once; `key` must be given.
  static input_request form(std::string key, std::string message, raw_json schema);
  static input_request question(std::string key, sample_request const& request);
  static input_request roots_request(std::string key);

  /// From here on the call is a task: the client is told so and looks in again later. For tools declared with
  /// task_support whose task begins later than their handler; does nothing when the call is one already, or when the
  /// client does not take tasks.
  task<result<void>> continue_as_task() const;

  std::shared_ptr<detail::call_state> const& state() const noexcept { return call_; }

 private:
  task<result<detail::elicited_text>> elicit_text(std::string message, raw_json schema, std::string key) const;
  std::shared_ptr<detail::call_state> call_;
};

}  // namespace wherry::inline v0::mcp
