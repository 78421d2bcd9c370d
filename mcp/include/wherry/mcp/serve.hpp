#pragma once
// Serving a server: over standard input and output (or any other pair of descriptors), and over Streamable HTTP.

#include <wherry/core/result.hpp>
#include <wherry/core/task.hpp>
#include <wherry/http/server.hpp>
#include <wherry/mcp/server.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace wherry::inline v0::mcp {

/// One message a line, in both directions.
struct stdio_options {
  int input = 0;  ///< Descriptors; they stay open.
  int output = 1;
  std::size_t outbound_high = std::size_t{1} << 20;  ///< Bytes not taken by the peer from which nothing more is read.
  std::size_t outbound_max = std::size_t{64} << 20;  ///< ... from which the connection is given up.
  std::chrono::milliseconds write_time{30'000};      ///< A peer that takes nothing for so long is given up.
  std::chrono::milliseconds drain_time{5'000};       ///< After the end of input: for calls under way to be answered.
};

/// Serves one client until its input ends. A line beyond server_options::message_bytes_max is answered with an error
/// and skipped. Fails with: errc::io_failed; errc::deadline_exceeded when the peer stopped reading. Cancellation:
/// Asio's; calls under way are told to end.
task<result<void>> async_serve_stdio(server s, stdio_options options = {});

/// The same, blocking. Returns an exit code: 0, or 1 after saying on standard error what went wrong.
int serve_stdio(server const& s, stdio_options options = {});

/// What a session of the handshake era keeps of its streams, so that a client whose connection broke can go on where it
/// was (Last-Event-ID). Until then the call goes on; a stream that is kept no longer is answered 400.
struct replay_options {
  std::size_t streams_max = 64;  ///< Of a session; beyond, the oldest that has ended goes. 0: none, and a call ends
                                 ///< when its client goes.
  std::size_t events_max = 256;  ///< Of a stream; the oldest go. Its answer is kept beside them.
  std::size_t bytes_max = std::size_t{256} << 10;        ///< Of these events.
  std::size_t session_bytes_max = std::size_t{1} << 20;  ///< Of all, answers too; beyond, the oldest ended streams go.
  std::chrono::milliseconds retry{500};                  ///< How long clients are told to wait before they come back.
};

/// Streamable HTTP, for both eras on one endpoint. A request of the stateless era is answered on its own; one of the
/// handshake era belongs to a session (Mcp-Session-Id).
struct http_endpoint_options {
  http_server_options http = {};                    ///< Loopback, Host and Origin checks on, unless told otherwise.
  std::string path = "/mcp";                        ///< Of the endpoint; everything else is 404.
  std::size_t sessions_max = 1024;                  ///< Of the handshake era; beyond, the one idle the longest ends.
  std::chrono::milliseconds session_idle{300'000};  ///< A session that nobody uses for so long ends.
  std::chrono::milliseconds stream_after{10'000};   ///< An answer that is not there by then is streamed.
  std::chrono::milliseconds keep_alive{15'000};     ///< Between two signs of life on a silent stream.
  std::size_t stream_bytes_max = std::size_t{4}
                                 << 20;  ///< Messages waiting for a slow reader; beyond, notifications go.
  replay_options replay = {};
  /// Asked before anything else; false when it has answered the exchange itself (a challenge, say).
  std::function<task<bool>(http_exchange&)> guard = {};
};

/// A listening endpoint. Move-only; belongs to its executor, which one thread serves.
class http_endpoint {
 public:
  /// Fails with: as http_server::start.
  static result<http_endpoint> start(boost::asio::any_io_executor executor, server s,
                                     http_endpoint_options options = {});
  http_endpoint(http_endpoint&&) noexcept;
  http_endpoint& operator=(http_endpoint&&) noexcept;
  ~http_endpoint();

  std::uint16_t port() const noexcept;
  /// "http://127.0.0.1:8080/mcp".
  std::string url() const;
  std::size_t sessions() const noexcept;
  http_server::snapshot stats() const noexcept;
  /// Graceful end: streams end, calls under way get `grace`.
  task<void> async_stop(std::chrono::milliseconds grace = std::chrono::seconds(5));

  struct impl;

 private:
  explicit http_endpoint(std::shared_ptr<impl> i) noexcept;
  std::shared_ptr<impl> impl_;
};

/// Serves until SIGINT or SIGTERM; blocking. Says on standard error where it listens. Returns an exit code.
int serve_http(server const& s, http_endpoint_options options = {});

}  // namespace wherry::inline v0::mcp
