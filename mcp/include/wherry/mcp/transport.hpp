#pragma once
// The seam between a client and what carries its messages. Four functions: a transport moves messages and says when one
// cannot be moved; what they mean is the client's business.

#include <wherry/core/child_process.hpp>
#include <wherry/core/clock.hpp>
#include <wherry/core/result.hpp>
#include <wherry/core/task.hpp>
#include <wherry/http/client.hpp>
#include <wherry/mcp/authorizer.hpp>
#include <wherry/mcp/revision.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace wherry::inline v0::mcp {

/// A message on its way out, with what HTTP wants to know about it.
struct outgoing {
  std::string text;
  std::string id = {};            ///< Of a request, as raw JSON; empty for notifications and answers.
  std::string method = {};        ///< Empty for answers.
  std::string name = {};          ///< The tool, prompt, resource or task it is about.
  revision const* rev = nullptr;  ///< Null before one is agreed.
  std::vector<std::pair<std::string, std::string>> headers = {};  ///< Mcp-Param-...
  deadline until = no_deadline;
};

/// What a transport says; called on its executor.
struct transport_events {
  std::function<void(std::string text)> message;
  std::function<void(std::string id, error why)> failed;  ///< A request that will not be answered.
  std::function<void(error why)> closed;                  ///< Nothing will come any more.
};

/// Belongs to one executor.
class transport {
 public:
  virtual ~transport() = default;
  /// Gets ready. Fails with whatever keeps it from that.
  virtual task<result<void>> async_open(transport_events events) = 0;
  virtual void send(outgoing message) = 0;
  /// Nobody waits for the answer of this request any more. True when its server learns of that by itself.
  virtual bool forget(std::string const& id) = 0;
  /// A handshake was made: the server may now speak first.
  virtual void opened_session() {}
  /// After `closed`, or an async_open that failed since: how long to wait before async_open may be tried again.
  /// nullopt: it may not, the connection is over; `why`, the reason of the end, then also says so.
  virtual std::optional<std::chrono::milliseconds> reopens(error& /*why*/) { return std::nullopt; }
  virtual task<void> async_close() = 0;
};

/// A server started as a child process, spoken to by lines.
struct stdio_server {
  std::vector<std::string> command = {};  ///< Program and arguments; no shell reads them.
  std::string directory = {};
  std::vector<std::pair<std::string, std::string>> environment = {};  ///< Over what is inherited.
  std::function<void(std::string_view)> on_error_output = {};
  std::chrono::milliseconds write_time{30'000};  ///< A server that does not read for so long is given up.
  std::size_t message_bytes_max = std::size_t{16} << 20;
  /// Of a child that ended by itself after a client had connected. One that we gave up (it took nothing for write_time,
  /// it sent too much) is not started again.
  restart_policy restart = restart_policy::never();
};

/// A server at a URL: Streamable HTTP of both eras. One that answers `initialize` with 400, 404 or 405 and no message
/// is then asked for the stream of HTTP+SSE (2024-11-05): its messages go where the first event says, which must be the
/// same origin (else errc::denied), within connect_time; the end of that stream is the end of the connection
/// (errc::io_failed).
struct http_server_address {
  std::string url;
  http_fields fields = {};                         ///< Sent with every request.
  std::optional<mcp::authorizer> authorizer = {};  ///< What gets tokens when the server asks for them.
  http_client_options http = {};
  int reconnects_max = 5;  ///< Of one broken stream of the handshake era.
};

std::unique_ptr<transport> make_stdio_transport(stdio_server to);
std::unique_ptr<transport> make_http_transport(http_server_address to);

class server;
/// A server in the same process, without bytes in between: for tests and for programs that are both.
std::unique_ptr<transport> make_loopback_transport(server const& to);

}  // namespace wherry::inline v0::mcp
