#pragma once
// An HTTP/1.1 client with kept connections. It follows no proxy of the environment, verifies certificates, and gives no
// credentials to another origin.

#include <wherry/core/clock.hpp>
#include <wherry/core/result.hpp>
#include <wherry/core/task.hpp>
#include <wherry/http/fields.hpp>
#include <wherry/http/sse.hpp>
#include <wherry/http/url.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace wherry::inline v0 {

/// Where a request may go, checked against every address its host name resolves to, and after each redirect. The
/// connection is made to the very address that was checked.
enum class address_rule {
  any,                 ///< The host was chosen by the program.
  global,              ///< The host was chosen by a peer (metadata, redirects): no loopback, private or link-local one.
  global_or_loopback,  ///< The same, but loopback is allowed: for tests and local development.
};

/// Every bound of a client.
struct http_client_options {
  std::size_t header_bytes_max = 64u << 10;         ///< Status line and fields of an answer.
  std::size_t body_bytes_max = 16u << 20;           ///< Body of an answer that is collected (send).
  std::size_t connections_max = 256;                ///< Open at a time; beyond: errc::queue_full.
  std::size_t idle_connections_max = 32;            ///< Kept for later.
  std::chrono::milliseconds idle_time{30'000};      ///< How long one is kept.
  std::chrono::milliseconds connect_time{10'000};   ///< Resolving, connecting and the TLS handshake.
  std::chrono::milliseconds response_time{60'000};  ///< From there until the whole head of the answer is here.
  std::chrono::milliseconds read_time{60'000};      ///< Between two pieces of a body.
  std::chrono::milliseconds total_time{120'000};    ///< All of a send, redirects included.
  int redirects_max = 5;                            ///< 0: a redirect is an answer like any other.

  address_rule addresses = address_rule::any;
  bool plain_http = true;           ///< False: http URLs are refused, except loopback ones when the rule allows those.
  bool verify_certificates = true;  ///< False only for tests: anybody can then be the server.
  std::string certificate_authorities;  ///< PEM; trusted beside the system's.
  bool system_authorities = true;       ///< Trust what the system trusts.
  std::string proxy;  ///< "http://host:port" to send everything through; empty: none, whatever the environment says.
  std::string user_agent = "wherry";
};

/// A request. `url` is absolute. Host, Content-Length, Connection and User-Agent are the client's business.
struct http_request {
  std::string method = "GET";
  std::string url;
  http_fields fields;
  std::string body;
  /// A body that comes piece by piece, "" at its end (chunked). It takes the place of `body`; a request with one is
  /// neither repeated nor redirected. Lifetime: called until the request's head has been answered.
  std::function<task<result<std::string>>()> body_source;
  /// This request's own rule; the client's where it is unset.
  std::optional<address_rule> addresses;
  /// This request's own number of redirects to follow; the client's where it is unset.
  std::optional<int> redirects_max;
};

/// An answer, whole.
struct http_response {
  int status = 0;
  http_fields fields;
  std::string body;
  std::string url;  ///< Where it came from, after redirects.
};

/// An answer whose body is read piece by piece. Move-only; belongs to one coroutine at a time, on the executor it was
/// opened on. Destroying it closes the connection unless the body was read to its end, which keeps it for the next
/// request.
class http_stream {
 public:
  http_stream(http_stream&&) noexcept;
  http_stream& operator=(http_stream&&) noexcept;
  ~http_stream();

  int status() const noexcept;
  http_fields const& fields() const noexcept;
  std::string const& url() const noexcept;

  /// The next piece of the body, "" at its end. The view lasts until the next call.
  /// Fails with: errc::deadline_exceeded at `until`, or after read_time when `until` is no_deadline; errc::io_failed
  /// when the peer broke off; errc::parse_error for bytes that are not HTTP; errc::cancelled. The stream is then over.
  task<result<std::string_view>> async_read(deadline until = no_deadline);

  /// The rest of the body. Fails with: errc::limit_reached beyond `bytes_max`; as async_read.
  task<result<std::string>> async_rest(std::size_t bytes_max, deadline until = no_deadline);

  /// Closes the connection. async_read then ends with errc::cancelled, also one that is waiting.
  void close() noexcept;

  struct impl;
  explicit http_stream(std::unique_ptr<impl> i) noexcept;

 private:
  std::unique_ptr<impl> impl_;
};

/// A client and its kept connections. A cheap copyable handle, thread-safe; each call runs on the executor of the
/// coroutine that awaits it.
///
/// Fails with (both calls): errc::invalid_argument for a URL or field that cannot be sent; errc::denied when the
/// address rule or plain_http forbids the target; errc::io_failed (with the system's code in the message) when the peer
/// cannot be reached, is not who its certificate must name, or breaks off; errc::deadline_exceeded; errc::parse_error
/// for an answer that is not HTTP; errc::limit_reached beyond a bound; errc::queue_full; errc::cancelled. Any status is
/// an answer. `retryable` is true when nothing of the request can have been acted upon.
///
/// Redirects: a GET or HEAD is followed; 303 turns others into GET; 301 and 302 turn POST into GET; 307 and 308 repeat
/// the request. Towards another origin, Authorization, Cookie, DPoP and every field not in a short list of harmless
/// ones are left out, and a body is never repeated there (errc::denied). From https to http: errc::denied.
class http_client {
 public:
  explicit http_client(http_client_options options = {});

  /// Sends a request and collects the answer; within total_time, and before `until`.
  task<result<http_response>> async_send(http_request request, deadline until = no_deadline) const;
  result<http_response> send(http_request request, deadline until = no_deadline) const;

  /// Sends a request; resumes with the head of the answer, before `until`.
  task<result<http_stream>> async_open(http_request request, deadline until = no_deadline) const;

  struct snapshot {
    std::size_t open = 0;         ///< Connections now, in use or kept.
    std::size_t idle = 0;         ///< Kept.
    std::uint64_t connected = 0;  ///< Connections made so far.
    std::uint64_t requests = 0;   ///< Requests sent so far, redirects and repetitions included.
  };
  snapshot stats() const;
  /// Closes kept connections.
  void close_idle() const;

  struct impl;

 private:
  std::shared_ptr<impl> impl_;
};

/// Events of an answer with content type text/event-stream. Move-only, as http_stream.
class sse_stream {
 public:
  explicit sse_stream(http_stream stream, sse_limits limits = {});

  /// The next event; nullopt at the end of the stream. Fails with: as http_stream::async_read and sse_parser::feed.
  task<result<std::optional<sse_event>>> async_next(deadline until = no_deadline);
  /// For reconnecting: what to send as Last-Event-ID, and how long to wait before.
  std::string const& last_event_id() const noexcept { return parser_.last_event_id(); }
  std::optional<std::chrono::milliseconds> retry() const noexcept { return parser_.retry(); }
  http_stream& stream() noexcept { return stream_; }
  void close() noexcept { stream_.close(); }

 private:
  http_stream stream_;
  sse_parser parser_;
};

}  // namespace wherry::inline v0
