#include "connection.hpp"

#include <wherry/core/log.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include <netinet/tcp.h>
#include <sys/socket.h>

namespace wherry::inline v0 {

namespace asio = boost::asio;
using boost::system::error_code;
using detail::message_problem;

namespace {

constexpr std::size_t buffer_bytes = 4u << 10;                // while reading; grows up to
constexpr std::size_t buffer_bytes_max = 64u << 10;           // for large bodies
constexpr auto memory_time = std::chrono::milliseconds(500);  // a connection idle for so long gives its memory back
constexpr std::size_t linger_bytes_max = 4u << 20;            // read and dropped so that a refused peer can read why
constexpr auto linger_time = std::chrono::milliseconds(500);
constexpr auto watch_after = std::chrono::milliseconds(50);  // a handler this slow has its peer watched

std::string_view reason(int status) {
  switch (status) {
    case 100: return "Continue";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Status";
  }
}

bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

void append_number(std::string& out, std::size_t n, int base = 10) {
  char text[24];
  out.append(text, std::to_chars(text, text + sizeof text, n, base).ptr);
}

iovec part(std::string_view text) { return {.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()}; }

}  // namespace

http_connection::http_connection(std::shared_ptr<http_server::impl> server, asio::ip::tcp::socket socket)
    : server_(std::move(server)),
      transport_(std::move(socket)),
      parser_(detail::message_kind::request, server_->options.header_bytes_max, server_->options.body_bytes_max) {
  error_code ec;
  transport_.socket().set_option(asio::ip::tcp::no_delay(true), ec);
  // What was sent and never acknowledged ends the connection too: a half-open peer does not read, but never says so.
  int const unacknowledged = static_cast<int>(server_->options.write_time.count());
  setsockopt(transport_.socket().native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged,
             sizeof unacknowledged);
  auto const end = transport_.socket().remote_endpoint(ec);
  if (!ec) peer_ = end.address().to_string();
}

// ---------------------------------------------------------------- time

void http_connection::enter(phase p, std::chrono::milliseconds time) {
  phase_ = p;
  since_ = std::chrono::steady_clock::now();
  due_ = since_ + time;
  server_->watch(due_);
}

// The handler works: nothing is read or written. What is due is a look at the peer, and the limit on its answer.
void http_connection::handling() {
  phase_ = phase::handling;
  since_ = std::chrono::steady_clock::now();
  due_ = since_ + watch_after;
  server_->watch(due_);
}

void http_connection::on_due(time_point now) {
  error_code ignored;
  switch (phase_) {
    case phase::handling:
      if (!started_ && now >= answer_due_) {
        due_ = time_point::max();
        cancel_handler(cause::answer_time);
      } else {
        due_ = started_ ? time_point::max() : answer_due_;
        watch_peer();
      }
      return;
    case phase::reading:
      timed_out_ = true;
      due_ = time_point::max();
      transport_.socket().cancel(ignored);
      return;
    case phase::idle:
      if (now < since_ + server_->options.idle_time) {
        let_memory_go();
        due_ = since_ + server_->options.idle_time;
        return;
      }
      [[fallthrough]];
    case phase::writing:
    case phase::lingering:
      timed_out_ = true;
      due_ = time_point::max();
      if (phase_ != phase::lingering) ++server_->dropped;
      abort();
  }
}

void http_connection::watch_peer() {
  if (watching_ || !transport_.socket().is_open()) return;
  watching_ = true;
  transport_.socket().async_wait(asio::ip::tcp::socket::wait_read, [self = shared_from_this()](error_code ec) {
    self->watching_ = false;
    if (ec || self->phase_ != phase::handling) return;
    if (self->transport_.peer_gone()) self->cancel_handler(cause::peer_gone);
  });
}

void http_connection::cancel_handler(cause why) {
  if (cause_ != cause::none) return;
  cause_ = why;
  signal_.emit(asio::cancellation_type::terminal);
}

void http_connection::abort() noexcept {
  aborted_ = true;
  error_code ec;
  transport_.socket().close(ec);
  cancel_handler(cause::stopped);
}

// ---------------------------------------------------------------- reading

void http_connection::let_memory_go() {
  buffer_ = {};
  parser_.body() = {};
  reply_body_ = {};
  piece_ = {};
}

// Room for more bytes behind those not yet taken; false when there is none to be had.
bool http_connection::make_space() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (end_ < buffer_.size()) return true;
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    return true;
  }
  auto const most = std::max(buffer_bytes_max, server_->options.header_bytes_max + 1);
  if (buffer_.size() >= most) return false;
  buffer_.resize(std::clamp(buffer_.size() * 4, buffer_bytes, most));
  return true;
}

void http_connection::parse() { begin_ += parser_.put({buffer_.data() + begin_, end_ - begin_}); }

task<bool> http_connection::read_head() {
  bool const fresh = begin_ == end_;
  if (fresh) {
    if (server_->closing) co_return false;
    enter(phase::idle, std::min(memory_time, server_->options.idle_time));
  } else {
    enter(phase::reading, server_->options.request_time);
  }
  if (fresh) {
    auto const got = co_await transport_.read_some(first_);
    if (got.ec) co_return false;
    enter(phase::reading, server_->options.request_time);
    begin_ = 0;
    end_ = got.size;
    if (buffer_.size() < first_.size()) buffer_.resize(buffer_bytes);
    std::memcpy(buffer_.data(), first_.data(), got.size);
  }
  for (;;) {
    if (begin_ != end_) parse();
    if (parser_.problem() != message_problem::none || parser_.head_done()) co_return true;
    if (!make_space()) co_return co_await refuse(431, "the request's header is too large");
    auto const got = co_await transport_.read_some({buffer_.data() + end_, buffer_.size() - end_});
    if (got.ec) {
      if (!timed_out_ || aborted_) co_return false;
      co_return co_await refuse(408, "the request did not arrive in time");
    }
    end_ += got.size;
  }
}

result<void> http_connection::broken_read(error_code ec) {
  body_failed_ = true;
  auto const& limit = server_->options.request_time;
  if (timed_out_)
    return error{errc::deadline_exceeded,
                 "the request's body did not arrive within " + std::to_string(limit.count()) +
                     " ms (http_server_options::request_time)",
                 "http_exchange.read"};
  if (cause_ != cause::none) return error{errc::cancelled, "the server is stopping", "http_exchange.read"};
  return error{errc::io_failed, "the peer broke off in the middle of its request: " + ec.message(),
               "http_exchange.read"};
}

// Reads once and parses. Fails when the body cannot be had.
task<result<void>> http_connection::read_body() {
  if (send_continue_) {
    send_continue_ = false;
    std::array<iovec, 1> parts{part("HTTP/1.1 100 Continue\r\n\r\n")};
    auto const ec = co_await send(parts);
    if (ec) co_return broken_read(ec);
  }
  phase_ = phase::reading;
  due_ = request_due_;
  server_->watch(due_);
  if (!make_space()) {
    body_failed_ = true;
    co_return error{errc::parse_error, "a chunk's header is too large", "http_exchange.read"};
  }
  auto const got = co_await transport_.read_some({buffer_.data() + end_, buffer_.size() - end_});
  handling();
  if (got.ec) co_return broken_read(got.ec);
  end_ += got.size;
  parse();
  auto const problem = parser_.problem();
  if (problem == message_problem::none) co_return result<void>{};
  body_failed_ = true;
  if (problem == message_problem::body_too_large)
    co_return error{errc::limit_reached,
                    "the request's body is larger than " + std::to_string(server_->options.body_bytes_max) +
                        " bytes (http_server_options::body_bytes_max)",
                    "http_exchange.read"};
  co_return error{errc::parse_error, "the request's body is malformed: " + parser_.detail(), "http_exchange.read"};
}

// ---------------------------------------------------------------- one request

// "" when the request may go to the handler; else what is wrong, and the status that says so.
std::string_view http_connection::wrong_request(int& status) {
  switch (parser_.problem()) {
    case message_problem::none: break;
    case message_problem::header_too_large: status = 431; return "the request's header is too large";
    case message_problem::body_too_large: status = 413; return "the request's body is too large";
    case message_problem::unsupported: status = 501; return "this version or transfer coding is not supported";
    default: status = 400; return "the request is not HTTP/1.1";
  }
  auto const& fields = parser_.fields();
  auto const host = fields.find("Host");
  if ((!host && parser_.version() == 11) || fields.count("Host") > 1) {
    status = 400;
    return "a request has exactly one Host field";
  }
  status = 403;
  if (server_->options.check_host && (!host || *host != accepted_host_)) {
    if (!host || !server_->host_allowed(*host)) return "this host name is not served here (http_server_options::hosts)";
    accepted_host_ = *host;
  }
  if (server_->options.check_origin) {
    auto const origin = fields.find("Origin");
    if (origin && !server_->origin_allowed(*origin))
      return "requests of this origin are not served here (http_server_options::origins)";
  }
  status = 417;
  if (auto const expected = fields.find("Expect")) {
    if (!http_fields::same_name(*expected, "100-continue")) return "only 100-continue can be expected";
    send_continue_ = !parser_.done() && parser_.body().empty() && parser_.version() == 11;
  }
  return {};
}

task<bool> http_connection::serve_one() {
  keep_ = started_ = chunked_ = replied_ = send_continue_ = body_failed_ = timed_out_ = false;
  cause_ = aborted_ ? cause_ : cause::none;
  request_due_ = since_ + server_->options.request_time;
  int status = 0;
  auto const wrong = wrong_request(status);
  if (!wrong.empty()) co_return co_await refuse(status, wrong);
  keep_ = parser_.keep_alive();
  ++server_->requests;
  ++server_->handlers;
  handling();
  answer_due_ = since_ + server_->options.answer_time;
  http_exchange exchange(*this);
  bool const failed = co_await call_handler(exchange);
  --server_->handlers;
  if (cause_ != cause::none) co_await asio::this_coro::reset_cancellation_state();
  co_return co_await finish_answer(failed);
}

// True when the handler threw.
task<bool> http_connection::call_handler(http_exchange& exchange) {
  try {
    co_await server_->handler(exchange);
    co_return false;
  } catch (std::exception const& e) {
    if (cause_ == cause::none && !body_failed_)
      log(log_level::warning, "http", "a request handler threw; the answer is 500", {{"what", e.what()}});
  } catch (...) {
    if (cause_ == cause::none) log(log_level::warning, "http", "a request handler threw; the answer is 500");
  }
  co_return true;
}

// Returns: whether the connection can serve another request.
task<bool> http_connection::finish_answer(bool failed) {
  if (aborted_ || cause_ == cause::peer_gone || cause_ == cause::stopped) co_return false;
  if (started_) {
    if (failed || cause_ != cause::none) co_return false;  // the peer sees that the answer is not whole
    if (chunked_) {
      std::array<iovec, 1> parts{part("0\r\n\r\n")};
      auto const ec = co_await send(parts);
      if (ec) co_return false;
    }
    co_return keep_&& parser_.done();
  }
  if (body_failed_) {
    if (timed_out_) co_return co_await refuse(408, "the request did not arrive in time");
    auto const problem = parser_.problem();
    if (problem == message_problem::none) co_return false;
    if (problem == message_problem::body_too_large) co_return co_await refuse(413, "the request's body is too large");
    co_return co_await refuse(400, "the request's body is malformed");
  }
  if (cause_ == cause::answer_time) co_return co_await refuse(503, "the answer took too long");
  if (!failed && replied_) {
    auto const bad = reply_fields_.first_invalid();
    if (!bad) co_return co_await send_reply(status_, keep_ && parser_.done() && !server_->closing);
    log(log_level::warning, "http", "an answer held a field that must not be sent", {{"field", *bad}});
  }
  reply_fields_.clear();
  reply_fields_.add("Content-Type", "text/plain");
  reply_body_ = "the server failed\n";
  co_return co_await send_reply(500, keep_ && parser_.done() && !server_->closing);
}

// ---------------------------------------------------------------- writing

void http_connection::begin_head(int status) {
  head_.clear();
  head_ += parser_.version() == 10 ? "HTTP/1.0 " : "HTTP/1.1 ";
  append_number(head_, static_cast<std::size_t>(status));
  ((head_ += ' ') += reason(status)) += "\r\n";
  head_ += server_->date_line();
}

namespace {

// Length, coding and connection are ours to say.
void append_fields(std::string& head, http_fields const& fields) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    auto const field = fields[i];
    bool ours = false;
    for (auto const* name : {"Content-Length", "Transfer-Encoding", "Connection", "Date"})
      ours = ours || http_fields::same_name(field.name, name);
    if (!ours) (((head += field.name) += ": ") += field.value) += "\r\n";
  }
}

}  // namespace

task<bool> http_connection::send_reply(int status, bool keep) {
  begin_head(status);
  append_fields(head_, reply_fields_);
  if (!has_no_body(status)) {
    head_ += "Content-Length: ";
    append_number(head_, reply_body_.size());
    head_ += "\r\n";
  }
  if (!keep)
    head_ += "Connection: close\r\n";
  else if (parser_.version() == 10)
    head_ += "Connection: keep-alive\r\n";
  head_ += "\r\n";
  bool const with_body = !has_no_body(status) && parser_.method() != "HEAD";
  std::array<iovec, 2> parts{part(head_), part(with_body ? std::string_view(reply_body_) : std::string_view{})};
  auto const ec = co_await send(parts);
  co_return keep && !ec;
}

// The server's own answer to a request it will not pass on; the connection ends.
task<bool> http_connection::refuse(int status, std::string_view why) {
  ++server_->refused;
  reply_fields_.clear();
  reply_fields_.add("Content-Type", "text/plain");
  (reply_body_ = why) += '\n';
  timed_out_ = false;
  co_await send_reply(status, false);
  if (!aborted_) co_await linger();
  co_return false;
}

// A connection closed with unread bytes is reset, and the peer may never see our last words. So: read a little more.
task<void> http_connection::linger() {
  enter(phase::lingering, linger_time);
  error_code ec;
  transport_.say_goodbye();
  transport_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ec);
  for (std::size_t dropped = 0; dropped < linger_bytes_max;) {
    std::size_t const got = co_await transport_.socket().async_read_some(asio::buffer(buffer_),
                                                                         asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return;
    dropped += got;
  }
}

task<error_code> http_connection::send(std::span<iovec> parts) {
  error_code ec;
  bool const done = transport_.write_now(parts, ec);
  if (done) co_return ec;
  enter(phase::writing, server_->options.write_time);
  ec = co_await transport_.write_rest(parts);
  if (ec && timed_out_) ec = asio::error::timed_out;
  co_return ec;
}

task<result<void>> http_connection::start(int status, http_fields const& fields) {
  if (started_) co_return error{errc::invalid_argument, "the answer has been started before", "http_exchange.start"};
  if (auto const bad = fields.first_invalid())
    co_return error{errc::invalid_argument,
                    "the field must not be sent: its name is no token or its value has control characters",
                    "http_exchange.start", *bad};
  started_ = true;
  keep_ = keep_ && !server_->closing;
  bool const no_body = has_no_body(status) || parser_.method() == "HEAD";
  chunked_ = !no_body && parser_.version() == 11;
  if (!no_body && !chunked_) keep_ = false;
  status_ = status;
  begin_head(status);
  append_fields(head_, fields);
  if (chunked_) head_ += "Transfer-Encoding: chunked\r\n";
  if (!keep_) head_ += "Connection: close\r\n";
  head_ += "\r\n";
  std::array<iovec, 1> parts{part(head_)};
  auto const ec = co_await send(parts);
  handling();
  if (ec) co_return error{errc::io_failed, "the peer did not take the answer: " + ec.message(), "http_exchange.start"};
  co_return result<void>{};
}

task<result<void>> http_connection::write(std::string_view piece) {
  if (!started_) co_return error{errc::invalid_argument, "call async_start before async_write", "http_exchange.write"};
  bool const no_body = has_no_body(status_) || parser_.method() == "HEAD";
  if (piece.empty() || no_body) co_return result<void>{};
  std::array<char, 20> size{};
  auto* const end = std::to_chars(size.data(), size.data() + size.size() - 2, piece.size(), 16).ptr;
  end[0] = '\r';
  end[1] = '\n';
  std::array<iovec, 3> parts{part({size.data(), static_cast<std::size_t>(end - size.data()) + 2}), part(piece),
                             part("\r\n")};
  auto const what = chunked_ ? std::span<iovec>(parts) : std::span<iovec>(parts).subspan(1, 1);
  auto const ec = co_await send(what);
  handling();
  if (!ec) co_return result<void>{};
  if (ec == asio::error::timed_out)
    co_return error{errc::deadline_exceeded,
                    "the peer took nothing for " + std::to_string(server_->options.write_time.count()) +
                        " ms (http_server_options::write_time)",
                    "http_exchange.write"};
  if (ec == asio::error::operation_aborted)
    co_return error{errc::cancelled, "the answer was cancelled while it was being sent", "http_exchange.write"};
  co_return error{errc::io_failed, "the peer is gone: " + ec.message(), "http_exchange.write"};
}

// ---------------------------------------------------------------- life

task<void> http_connection::run() {
  if (server_->tls) {
    enter(phase::reading, server_->options.request_time);
    auto const ec = co_await transport_.accept_tls(server_->tls);
    if (ec) co_return;
  }
  for (;;) {
    timed_out_ = false;
    parser_.reset();
    bool const got = co_await read_head();
    if (!got || aborted_) break;
    bool const again = co_await serve_one();
    if (!again || aborted_) break;
  }
  if (transport_.socket().is_open()) transport_.say_goodbye();
}

// ---------------------------------------------------------------- the handler's view

std::string_view http_exchange::method() const noexcept { return connection_->parser_.method(); }
std::string_view http_exchange::target() const noexcept { return connection_->parser_.target(); }
std::string_view http_exchange::path() const noexcept {
  auto path = target().substr(0, target().find('?'));
  if (path.starts_with('/')) return path;
  auto const authority = path.find("://");  // the absolute form that proxies use
  if (authority == std::string_view::npos) return path;
  auto const slash = path.find('/', authority + 3);
  return slash == std::string_view::npos ? std::string_view("/") : path.substr(slash);
}
std::string_view http_exchange::query() const noexcept {
  auto const at = target().find('?');
  return at == std::string_view::npos ? std::string_view{} : target().substr(at + 1);
}
http_fields const& http_exchange::fields() const noexcept { return connection_->parser_.fields(); }
std::string_view http_exchange::peer() const noexcept { return connection_->peer_; }
bool http_exchange::started() const noexcept { return connection_->started_; }

task<result<std::string_view>> http_exchange::async_body() {
  auto& c = *connection_;
  while (!c.parser_.done()) {
    auto const read = co_await c.read_body();
    if (!read) co_return read.error();
  }
  co_return std::string_view(c.parser_.body());
}

task<result<std::string_view>> http_exchange::async_read() {
  auto& c = *connection_;
  c.piece_.clear();
  while (c.parser_.body().empty() && !c.parser_.done()) {
    auto const read = co_await c.read_body();
    if (!read) co_return read.error();
  }
  std::swap(c.piece_, c.parser_.body());
  co_return std::string_view(c.piece_);
}

void http_exchange::reply(int status, std::string_view content_type, std::string body) {
  auto& c = *connection_;
  c.reply_fields_.clear();
  c.reply_fields_.add("Content-Type", content_type);
  c.status_ = c.started_ ? c.status_ : status;
  c.reply_body_ = std::move(body);
  c.replied_ = true;
}

void http_exchange::reply(int status, http_fields fields, std::string body) {
  auto& c = *connection_;
  c.reply_fields_ = std::move(fields);
  c.status_ = c.started_ ? c.status_ : status;
  c.reply_body_ = std::move(body);
  c.replied_ = true;
}

task<result<void>> http_exchange::async_start(int status, http_fields fields) {
  co_return co_await connection_->start(status, fields);
}

task<result<void>> http_exchange::async_write(std::string_view piece) { co_return co_await connection_->write(piece); }

}  // namespace wherry::inline v0
