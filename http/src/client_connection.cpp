#include "client_connection.hpp"

#include "resolve.hpp"

#include <wherry/core/runtime.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include <unistd.h>

namespace wherry::inline v0::detail {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;

namespace {

constexpr std::size_t buffer_bytes = 16u << 10;
constexpr int informational_max = 16;  // 1xx answers before the real one

iovec part(std::string_view text) { return {.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()}; }

}  // namespace

client_connection::client_connection(std::shared_ptr<http_client::impl> client, std::string key,
                                     asio::any_io_executor executor)
    : client_(std::move(client)),
      key_(std::move(key)),
      transport_(tcp::socket(executor)),
      parser_(message_kind::response, client_->options.header_bytes_max, std::nullopt),
      timer_(executor),
      buffer_(buffer_bytes) {}

client_connection::~client_connection() {
  if (counted_ && !given_back_) client_->count_down();
}

// ---------------------------------------------------------------- time

// The timer is moved only when something is due earlier than what it is set to.
void client_connection::limit(time_point when) {
  until_ = when;
  if (when < armed_) arm();
}

void client_connection::arm() {
  armed_ = until_;
  timer_.expires_at(until_);
  timer_.async_wait([weak = weak_from_this()](error_code ec) {
    auto const self = weak.lock();
    if (ec || !self) return;
    self->armed_ = time_point::max();
    if (self->until_ == time_point::max()) return;
    if (std::chrono::steady_clock::now() < self->until_) return self->arm();
    self->expired_ = true;
    self->transport_.socket().close(ec);
  });
}

void client_connection::close() noexcept {
  closed_ = true;
  error_code ec;
  transport_.socket().close(ec);
}

error client_connection::broken(error_code ec, char const* doing) const {
  if (expired_)
    return {errc::deadline_exceeded, std::string("the time for ") + doing + " is over", "http_client", url_text};
  if (closed_ || ec == asio::error::operation_aborted)
    return {errc::cancelled, std::string("cancelled while ") + doing, "http_client", url_text};
  auto const why = transport_.tls_reason().empty() ? ec.message() : transport_.tls_reason();
  return {errc::io_failed, std::string(doing) + " failed: " + why, "http_client", url_text};
}

// ---------------------------------------------------------------- connecting

bool client_connection::reuse() {
  auto kept = client_->take(key_);
  if (!kept) return false;
  counted_ = true;
  error_code ec;
  tcp::socket socket(timer_.get_executor());
  socket.assign(kept->v6 ? tcp::v6() : tcp::v4(), kept->fd, ec);
  if (ec) {
    ::close(kept->fd);
    return false;
  }
  transport_ = transport(std::move(socket), std::move(kept->ssl));
  return true;
}

task<result<void>> client_connection::connect(url target, address_rule rule) {
  auto counted = client_->count_one();
  if (!counted) co_return counted;
  counted_ = true;
  auto const& proxy = client_->options.proxy;
  url peer = target;
  if (!proxy.empty()) {
    if (rule != address_rule::any)
      co_return error{errc::denied,
                      "behind a proxy the address of the host cannot be checked, so the request is not sent",
                      "http_client", target.host};
    auto parsed = url::parse(proxy);
    if (!parsed || parsed->secure())
      co_return error{errc::invalid_argument, "http_client_options::proxy is not an http:// URL", "http_client", proxy};
    peer = std::move(*parsed);
  }
  auto ends = co_await with_deadline(resolve(peer.host, peer.port, rule), until_, "resolving " + peer.host);
  if (!ends) co_return ends.error();
  co_return co_await connect_to(std::move(*ends), target);
}

task<result<void>> client_connection::connect_to(std::vector<tcp::endpoint> ends, url const& target) {
  error_code ec;
  auto const whole = until_;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    // A dead address must not use up the time of those behind it.
    auto const now = std::chrono::steady_clock::now();
    if (whole != time_point::max()) limit(now + (whole - now) / static_cast<int>(ends.size() - i));
    ec = {};
    transport_.socket().close(ec);
    co_await transport_.socket().async_connect(ends[i], asio::redirect_error(asio::use_awaitable, ec));
    if (!ec || closed_ || (ec == asio::error::operation_aborted && !expired_)) break;
    if (i + 1 < ends.size()) expired_ = false;
  }
  limit(whole);
  if (ec) {
    auto e = broken(ec, "connecting");
    e.retryable = true;
    co_return e;
  }
  error_code ignored;
  transport_.socket().set_option(tcp::no_delay(true), ignored);
  if (target.secure()) {
    if (!client_->options.proxy.empty()) {
      auto tunnel = co_await open_tunnel(target);
      if (!tunnel) co_return tunnel;
    }
    auto context = client_->context();
    if (!context) co_return context.error();
    ec = co_await transport_.connect_tls(std::move(*context), target.host, client_->options.verify_certificates);
    if (ec) co_return broken(ec, "the TLS handshake");
  }
  std::lock_guard const lock(client_->mutex);
  ++client_->connected;
  co_return result<void>{};
}

task<result<void>> client_connection::open_tunnel(url const& target) {
  auto const host = (target.host.find(':') == std::string::npos ? target.host : "[" + target.host + "]") + ":" +
                    std::to_string(target.port);
  std::string const head = "CONNECT " + host + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
  std::array<iovec, 1> parts{part(head)};
  auto const ec = co_await transport_.write_rest(parts);
  if (ec) co_return broken(ec, "asking the proxy");
  auto answered = co_await read_head(true);
  if (!answered) co_return answered;
  if (parser_.status() != 200)
    co_return error{errc::io_failed, "the proxy answered " + std::to_string(parser_.status()), "http_client", url_text};
  if (begin_ != end_)  // a server of TLS does not speak first
    co_return error{errc::parse_error, "the proxy answered in the server's place", "http_client", url_text};
  begin_ = end_ = 0;
  co_return result<void>{};
}

// ---------------------------------------------------------------- one exchange

task<result<void>> client_connection::send(std::string head, http_request const& request, bool& acted) {
  std::array<iovec, 2> parts{part(head),
                             part(request.body_source ? std::string_view{} : std::string_view(request.body))};
  acted = true;
  auto ec = co_await transport_.write_rest(parts);
  if (ec) co_return broken(ec, "sending the request");
  if (!request.body_source) co_return result<void>{};
  for (;;) {
    auto piece = co_await request.body_source();
    if (!piece) co_return piece.error();
    std::array<char, 20> size{};
    auto* const end = std::to_chars(size.data(), size.data() + size.size(), piece->size(), 16).ptr;
    std::string const line = std::string(size.data(), end) + "\r\n";
    std::array<iovec, 3> chunk{part(line), part(*piece), part("\r\n")};
    ec = co_await transport_.write_rest(chunk);
    if (ec) co_return broken(ec, "sending the request");
    if (piece->empty()) co_return result<void>{};
  }
}

task<result<void>> client_connection::exchange(std::string head, http_request const& request, bool& acted) {
  auto sent = co_await send(std::move(head), request, acted);
  // A peer that refuses a long request answers and closes before it has read it all: the answer may be there.
  if (!sent && !sent.error().is(errc::io_failed)) co_return sent;
  auto answered = co_await read_head(request.method == "HEAD");
  if (!answered && !sent && !parser_.started()) co_return sent;
  co_return answered;
}

// Reads once and parses. True when the connection has ended.
task<result<bool>> client_connection::fill() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (end_ == buffer_.size()) {
    if (begin_ > 0) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    } else if (buffer_.size() > client_->options.header_bytes_max) {
      co_return error{errc::parse_error, "a chunk's header in the answer is too large", "http_client", url_text};
    } else {
      buffer_.resize(buffer_.size() * 4);
    }
  }
  auto const got = co_await transport_.read_some({buffer_.data() + end_, buffer_.size() - end_});
  if (got.ec == asio::error::eof) {
    parser_.put_eof();
  } else if (got.ec) {
    co_return broken(got.ec, "reading the answer");
  } else {
    end_ += got.size;
    begin_ += parser_.put({buffer_.data() + begin_, end_ - begin_});
  }
  switch (parser_.problem()) {
    case message_problem::none: co_return got.ec == asio::error::eof;
    case message_problem::cut_short:
      co_return error{errc::io_failed, "the peer closed the connection before its answer was whole", "http_client",
                      url_text};
    case message_problem::header_too_large:
      co_return error{errc::limit_reached,
                      "the answer's header is larger than " + std::to_string(client_->options.header_bytes_max) +
                          " bytes (http_client_options::header_bytes_max)",
                      "http_client", url_text};
    default:
      co_return error{errc::parse_error, "the answer is not HTTP/1.1: " + parser_.detail(), "http_client", url_text};
  }
}

task<result<void>> client_connection::read_head(bool no_body) {
  for (int i = 0; i <= informational_max; ++i) {
    parser_.reset(no_body);
    begin_ += parser_.put({buffer_.data() + begin_, end_ - begin_});
    while (!parser_.head_done()) {
      auto const filled = co_await fill();
      if (!filled) co_return filled.error();
    }
    if (parser_.status() == 101)
      co_return error{errc::parse_error, "the peer changed the protocol although nobody asked", "http_client",
                      url_text};
    if (parser_.status() >= 200) co_return result<void>{};
  }
  co_return error{errc::parse_error, "the peer sent too many provisional answers", "http_client", url_text};
}

task<result<std::string_view>> client_connection::read(deadline until) {
  piece_.clear();
  if (closed_) co_return error{errc::cancelled, "the answer was closed", "http_stream.read", url_text};
  limit(until != no_deadline ? until : std::chrono::steady_clock::now() + client_->options.read_time);
  while (parser_.body().empty() && !parser_.done()) {
    auto const filled = co_await fill();
    if (!filled) {
      close();
      co_return filled.error();
    }
    if (*filled && !parser_.done() && parser_.body().empty()) break;
  }
  limit(time_point::max());
  std::swap(piece_, parser_.body());
  if (piece_.empty()) give_back();
  co_return std::string_view(piece_);
}

void client_connection::give_back() {
  if (given_back_ || closed_ || expired_ || !counted_) return;
  auto& socket = transport_.socket();
  error_code ec;
  bool const whole = parser_.done() && parser_.keep_alive() && begin_ == end_ && socket.is_open();
  if (!whole) return close();
  bool const v6 = socket.local_endpoint(ec).address().is_v6();
  int const fd = socket.release(ec);
  if (ec || fd < 0) return close();
  given_back_ = true;
  client_->keep(
      {.key = key_, .fd = fd, .v6 = v6, .ssl = transport_.take_ssl(), .since = std::chrono::steady_clock::now()});
}

}  // namespace wherry::inline v0::detail
