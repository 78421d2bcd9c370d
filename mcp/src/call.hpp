#pragma once
// One call on a server, from the message to its answer; and what it belongs to.

#include <wherry/mcp/json_rpc.hpp>
#include <wherry/mcp/server.hpp>

#include "catalog.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace wherry::inline v0::mcp::detail {

namespace asio = boost::asio;

struct call_state;

/// Where the messages about one call go: a stdio connection, one HTTP exchange, a loopback.
/// Called on the connection's executor.
class reply {
 public:
  virtual ~reply() = default;
  /// A message before the end: a notification, or a question in the handshake era.
  virtual void notify(std::string_view message) = 0;
  /// The last message; empty when there is none to send. `status` is what HTTP says beside it.
  virtual void finish(std::string_view message, int status) = 0;
  /// A request has come that will be finished here.
  virtual void begins() {}
  /// The connection should end, and the client come back after so long.
  virtual void disconnect(std::chrono::milliseconds /*retry*/) {}
  /// The call that answers here: what to abandon when this way is cut.
  virtual void serves(std::weak_ptr<call_state>) {}
};

/// The members of a request's params, and of its `_meta`, that any method looks at; raw JSON, empty where absent.
struct params_view {
  std::string_view name, arguments, uri, cursor, meta, input_responses, request_state, ref, argument, context, task_id,
      level, notifications, request_id;
  std::string_view protocol_version, capabilities, client_info, log_level, progress_token;
  explicit params_view(std::string_view params);
  params_view() = default;
};

struct call_state;

/// What a connection in the handshake era knows: one per stdio connection, or per Mcp-Session-Id.
/// Belongs to the executor of its connection.
struct session_state {
  revision const* agreed = nullptr;  ///< Null until initialize.
  client_capabilities client;
  std::optional<severity> log_from;
  std::set<std::string, std::less<>> subscribed;                        ///< Resource URIs.
  std::map<std::string, std::weak_ptr<call_state>, std::less<>> calls;  ///< Under way, by id.
  struct question {
    std::weak_ptr<call_state> call;
    std::string key;
  };
  std::map<std::string, question, std::less<>> questions;  ///< Asked of the client, by the id of the request.
  std::uint64_t questions_made = 0;
  std::weak_ptr<reply> general;  ///< Where notifications go that belong to no call.
};

struct task_entry;
struct server_state;

struct call_state : std::enable_shared_from_this<call_state> {
  call_state(std::string message_text, std::shared_ptr<server_state> owner, std::shared_ptr<reply> to,
             std::shared_ptr<session_state> in, asio::any_io_executor where)
      : text(std::move(message_text)),
        server(std::move(owner)),
        session(std::move(in)),
        out(std::move(to)),
        executor(std::move(where)) {}
  ~call_state();

  std::string text;  ///< The message; the views below look into it.
  rpc_message message;
  params_view params;
  std::string id;  ///< Of the request to be answered: of a call that was continued, the latest.
  revision const* rev = nullptr;
  client_capabilities client;
  std::optional<severity> log_from;
  std::string progress_token;  ///< Raw JSON; empty when nobody asked.

  std::shared_ptr<server_state> server;
  std::shared_ptr<session_state> session;  ///< Null in the stateless era over HTTP.
  std::shared_ptr<reply> out;              ///< Null once answered.
  asio::any_io_executor executor;
  std::shared_ptr<void const> item;  ///< The tool, prompt or resource; keeps its handler alive.
  std::string mime_type;             ///< Of the resource that is read.

  // A handler under way.
  bool counted = false;      ///< In server_state::calls.
  bool is_tool = false;      ///< Errors are results.
  bool bad_request = false;  ///< What is wrong is the envelope, not the method: HTTP says 400.
  bool repeats = false;      ///< What while_asking says.
  bool answered = false;
  bool cancelled = false;
  std::chrono::milliseconds time_limit{0};
  std::optional<stop_source> stop;
  asio::cancellation_signal cancel;
  std::optional<asio::steady_timer> limit;
  std::optional<asio::steady_timer> wake;
  std::map<std::string, std::string, std::less<>> answers;  ///< To questions, by key; raw JSON.
  std::map<std::string, error, std::less<>> refusals;       ///< Questions the client answered with an error.
  std::size_t keys_made = 0;
  std::string waiting_as;            ///< Its handle in server_state::waiting.
  std::shared_ptr<task_entry> task;  ///< Once it is a task.
  tool::data const* called = nullptr;

  /// Sends a notification about the call; from any thread.
  void tell(std::string message);
  /// Asks the connection to end; from any thread.
  void disconnect(std::chrono::milliseconds retry);
  /// The handler has ended.
  void complete(result<result_body> outcome);
  /// Nobody waits any more: the handler is told to end, and what it gives is dropped.
  void abandon();
  /// Answers with an error of the protocol, or a failed result of a tool.
  void fail(error const& e);
  void answer(std::string_view members, std::string_view meta, std::string_view result_type = "complete");
  void refuse(int code, std::string_view message, std::string_view data = {});
  void arm(std::chrono::milliseconds limit_of_call);
  void disarm();

 private:
  void end();
  void send(std::string_view message_text, int status);
};

/// Runs a handler: in place, on the pool, or as a coroutine.
void run_handler(std::shared_ptr<call_state> const& call, handler const& run, bool in_place,
                 std::string_view arguments);
/// Starts a coroutine as the call's handler.
void run_task(std::shared_ptr<call_state> const& call, task<result<result_body>> work);

}  // namespace wherry::inline v0::mcp::detail
