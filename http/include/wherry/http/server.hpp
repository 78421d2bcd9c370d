#pragma once
// An HTTP/1.1 server: one coroutine per connection on the caller's executor, no thread of its own. It listens on
// loopback and checks Host and Origin unless told otherwise, so that a web page cannot reach it through a browser
// (DNS rebinding).

#include <wherry/core/clock.hpp>
#include <wherry/core/result.hpp>
#include <wherry/core/task.hpp>
#include <wherry/http/fields.hpp>
#include <wherry/http/sse.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0 {

/// Certificate and key of a TLS server, as PEM text.
struct tls_server_options {
  std::string certificate_chain;  ///< The server's own certificate first.
  std::string private_key;
};

/// Every bound of a server. Times are per connection.
struct http_server_options {
  std::string address = "127.0.0.1";  ///< Address to listen on; "::1" for IPv6 loopback.
  std::uint16_t port = 0;             ///< 0: the system chooses; http_server::port tells.

  std::size_t header_bytes_max = 16u << 10;  ///< Request line and fields; beyond: 431.
  std::size_t body_bytes_max = 4u << 20;     ///< Request body; beyond: 413.
  std::size_t connections_max = 1024;        ///< Open at a time. At the bound the one idle the longest makes room.

  std::chrono::milliseconds idle_time{60'000};     ///< Between two requests; the connection is then closed.
  std::chrono::milliseconds request_time{30'000};  ///< From a request's first byte to its last; beyond: 408.
  std::chrono::milliseconds answer_time{300'000};  ///< From there until the handler answers or starts to; beyond: 503.
  std::chrono::milliseconds write_time{30'000};    ///< For the peer to take what one write sends.

  bool check_host = true;            ///< Host must be a loopback name, the bound address or one of `hosts`; else 403.
  std::vector<std::string> hosts;    ///< "example.com" (any port) or "example.com:8443". Needed off loopback.
  bool check_origin = true;          ///< An Origin that is sent must be a loopback name or one of `origins`; else 403.
  std::vector<std::string> origins;  ///< "https://app.example.com", exactly.

  std::shared_ptr<tls_server_options const> tls;  ///< Null: plain HTTP.
};

/// One request and its answer, in a handler. Belongs to the handler's coroutine.
///
/// A handler answers in one of two ways: reply() once; or start(), any number of write(), and its own end. One that
/// does neither, or throws, answers 500. When the peer goes, the server stops or a time limit passes, the handler's
/// coroutine is cancelled (Asio's terminal cancellation): waits end with errc::cancelled or operation_aborted.
class http_exchange {
 public:
  http_exchange(http_exchange const&) = delete;
  http_exchange& operator=(http_exchange const&) = delete;

  // ---- the request; views last until the handler ends

  std::string_view method() const noexcept;  ///< "GET", "POST", ...
  std::string_view target() const noexcept;  ///< As it came: path and query.
  std::string_view path() const noexcept;    ///< The target without its query; escapes left as they are.
  std::string_view query() const noexcept;   ///< Without '?'.
  http_fields const& fields() const noexcept;
  std::string_view peer() const noexcept;  ///< Address of the peer.

  /// The whole body. The view lasts until the handler ends; calling it again gives the same.
  /// Fails with: errc::limit_reached beyond body_bytes_max; errc::deadline_exceeded after request_time; errc::io_failed
  /// when the peer goes. The server then answers by itself (413, 408): the handler just returns.
  task<result<std::string_view>> async_body();

  /// The next piece of the body, "" at its end; the view lasts until the next call. Not together with async_body.
  task<result<std::string_view>> async_read();

  // ---- the answer

  /// Answers with a whole body; sent when the handler returns. The last call counts; it has no effect after start().
  /// Content-Length, Date and Connection are the server's business. A field that must not be sent answers 500.
  void reply(int status, std::string_view content_type, std::string body);
  void reply(int status, http_fields fields, std::string body);
  void reply(int status) { reply(status, http_fields{}, std::string{}); }

  /// Begins an answer whose body comes piece by piece (chunked; to the end of the connection for HTTP/1.0). There is no
  /// limit on its time, only write_time for each write.
  /// Fails with: errc::invalid_argument for fields that must not be sent or a second start; errc::io_failed.
  task<result<void>> async_start(int status, http_fields fields);
  /// Sends a piece; resumes when the peer's side has taken it, which is the back pressure.
  /// Fails with: errc::io_failed when the peer is gone; errc::deadline_exceeded after write_time; errc::cancelled.
  /// One write at a time.
  task<result<void>> async_write(std::string_view piece);
  bool started() const noexcept;

 private:
  friend class http_connection;
  explicit http_exchange(class http_connection& c) noexcept : connection_(&c) {}
  class http_connection* connection_;
};

/// Serves one request. Called on the server's executor, for several connections in turn. What it captures must outlive
/// the server.
using http_handler = std::function<task<void>(http_exchange&)>;

/// A listening server. Move-only. Threads: belongs to its executor, which one thread serves or which is a strand;
/// port() and stats() are safe from anywhere.
class http_server {
 public:
  /// Binds, listens and begins to accept.
  /// Fails with: the system's code when the address cannot be bound; errc::invalid_argument for a certificate that
  /// cannot be read, or an address off loopback with check_host and no hosts.
  static result<http_server> start(boost::asio::any_io_executor executor, http_server_options options,
                                   http_handler handler);

  http_server(http_server&&) noexcept;
  http_server& operator=(http_server&&) noexcept;
  /// Closes everything at once; handlers are cancelled.
  ~http_server();

  std::uint16_t port() const noexcept;
  /// "http://127.0.0.1:8080".
  std::string origin() const;

  struct snapshot {
    std::size_t connections = 0;  ///< Open now.
    std::size_t handlers = 0;     ///< Requests under way now.
    std::uint64_t accepted = 0;   ///< Connections accepted so far.
    std::uint64_t requests = 0;   ///< Requests handed to the handler so far.
    std::uint64_t refused = 0;    ///< Requests answered by the server itself: bad, too large, too slow, wrong host.
    std::uint64_t dropped = 0;    ///< Connections closed by a time limit or to make room.
  };
  snapshot stats() const noexcept;

  /// Graceful end: stops accepting, closes idle connections, lets handlers under way finish for `grace`, then cancels
  /// them. Resumes when no connection is left, at most a second after `grace`.
  task<void> async_stop(std::chrono::milliseconds grace = std::chrono::seconds(5));

  struct impl;

 private:
  explicit http_server(std::shared_ptr<impl> i) noexcept;
  std::shared_ptr<impl> impl_;
};

struct sse_channel_options {
  std::size_t queue_bytes_max = 1u << 20;             ///< Events waiting for a slow peer; beyond, push fails.
  std::chrono::milliseconds keep_alive_time{15'000};  ///< A comment after so long without an event; 0 for never.
};

/// Events from anywhere on the executor to one answer: push() from any coroutine, async_serve() in the handler.
/// A cheap copyable handle. Threads: all calls on the server's executor.
class sse_channel {
 public:
  explicit sse_channel(sse_channel_options options = {});

  /// Queues an event.
  /// Fails with: errc::queue_full when the peer is too slow; errc::cancelled after the end; errc::invalid_argument.
  result<void> push(sse_event const& event) const;
  /// Ends the stream once what is queued has been sent. No effect the second time.
  void finish() const;
  bool open() const noexcept;  ///< Until finish, or until the peer is gone.

  /// Starts the answer (200, text/event-stream, `fields` beside) and sends events until finish() or the peer is gone.
  /// Fails with: what async_write fails with.
  task<result<void>> async_serve(http_exchange& exchange, http_fields fields = {}) const;

  struct impl;

 private:
  std::shared_ptr<impl> impl_;
};

}  // namespace wherry::inline v0
