// The client's handle: the kept connections, repeating what is safe to repeat, and redirects.

#include "client_connection.hpp"

#include <wherry/core/runtime.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>

#include <openssl/ssl.h>

#include <algorithm>

#include <sys/socket.h>
#include <unistd.h>

namespace wherry::inline v0 {

namespace asio = boost::asio;
using detail::client_connection;
using time_point = std::chrono::steady_clock::time_point;

// ---------------------------------------------------------------- kept connections

http_client::impl::~impl() { close_idle(); }

result<detail::tls_context> http_client::impl::context() {
  std::lock_guard const lock(mutex);
  if (!tls) tls.emplace(detail::make_client_context(options));
  return *tls;
}

result<void> http_client::impl::count_one() {
  std::lock_guard const lock(mutex);
  if (open >= options.connections_max && !idle.empty()) {
    ::close(idle.front().fd);
    idle.pop_front();
    --open;
  }
  if (open >= options.connections_max)
    return error{errc::queue_full,
                 "the client already has " + std::to_string(options.connections_max) +
                     " connections (http_client_options::connections_max)",
                 "http_client"};
  ++open;
  return {};
}

void http_client::impl::count_down() {
  std::lock_guard const lock(mutex);
  --open;
}

namespace {

// Alive and with nothing to say: bytes nobody asked for are no answer to the next request.
bool usable(http_client::impl::idle_connection& c) {
  char byte = 0;
  auto const n = ::recv(c.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
  if (n == 0 || !c.ssl) return false;
  int const peeked = SSL_peek(c.ssl.get(), &byte, 1);  // session tickets come after the handshake
  return peeked <= 0 && SSL_get_error(c.ssl.get(), peeked) == SSL_ERROR_WANT_READ;
}

}  // namespace

std::optional<http_client::impl::idle_connection> http_client::impl::take(std::string const& key) {
  std::lock_guard const lock(mutex);
  auto const now = std::chrono::steady_clock::now();
  while (!idle.empty() && now - idle.front().since > options.idle_time) {
    ::close(idle.front().fd);
    idle.pop_front();
    --open;
  }
  for (auto i = idle.size(); i-- > 0;) {
    if (idle[i].key != key) continue;
    auto found = std::move(idle[i]);
    idle.erase(idle.begin() + static_cast<std::ptrdiff_t>(i));
    if (usable(found)) return found;
    ::close(found.fd);
    --open;
  }
  return std::nullopt;
}

void http_client::impl::keep(idle_connection c) {
  std::lock_guard const lock(mutex);
  idle.push_back(std::move(c));
  while (idle.size() > options.idle_connections_max) {
    ::close(idle.front().fd);
    idle.pop_front();
    --open;
  }
}

void http_client::impl::close_idle() {
  std::lock_guard const lock(mutex);
  for (auto const& c : idle) ::close(c.fd);
  open -= idle.size();
  idle.clear();
}

// ---------------------------------------------------------------- one request

namespace {

bool ours(std::string_view name) {
  for (auto const* n : {"Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "TE"})
    if (http_fields::same_name(name, n)) return true;
  return false;
}

result<void> check(http_request const& r, url const& target, address_rule rule, http_client_options const& options) {
  if (!http_fields::valid_name(r.method))
    return error{errc::invalid_argument, "the request's method is not a token", "http_client", r.method};
  if (auto const bad = r.fields.first_invalid())
    return error{errc::invalid_argument,
                 "the field must not be sent: its name is no token or its value has control characters", "http_client",
                 *bad};
  bool const own = is_loopback_host(target.host) && rule != address_rule::global;
  if (!target.secure() && !options.plain_http && !own)
    return error{errc::denied, "the URL is not https (http_client_options::plain_http)", "http_client", target.text()};
  return {};
}

std::string head_of(http_request const& r, url const& target, http_client_options const& options) {
  std::string out;
  bool const absolute = !options.proxy.empty() && !target.secure();
  ((out += r.method) += ' ') += absolute ? target.origin() + target.target() : target.target();
  ((out += " HTTP/1.1\r\nHost: ") += target.authority()) += "\r\n";
  if (!r.fields.find("User-Agent") && !options.user_agent.empty())
    ((out += "User-Agent: ") += options.user_agent) += "\r\n";
  if (!r.fields.find("Accept")) out += "Accept: */*\r\n";
  for (std::size_t i = 0; i < r.fields.size(); ++i)
    if (auto const f = r.fields[i]; !ours(f.name)) (((out += f.name) += ": ") += f.value) += "\r\n";
  bool const expects_length = r.method == "POST" || r.method == "PUT" || r.method == "PATCH";
  if (r.body_source)
    out += "Transfer-Encoding: chunked\r\n";
  else if (!r.body.empty() || expects_length)
    ((out += "Content-Length: ") += std::to_string(r.body.size())) += "\r\n";
  return out += "\r\n";
}

bool repeatable(http_request const& r) {
  if (r.body_source) return false;
  for (auto const* m : {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
    if (r.method == m) return true;
  return false;
}

// One request to one URL, over a kept connection if there is one. A kept connection that the peer closed meanwhile is
// no failure of the request as long as it can be repeated.
task<result<std::shared_ptr<client_connection>>> exchange(std::shared_ptr<http_client::impl> client,
                                                          http_request const& request, url target, address_rule rule,
                                                          deadline until) {
  auto checked = check(request, target, rule, client->options);
  if (!checked) co_return checked.error();
  auto const executor = co_await asio::this_coro::executor;
  auto const key = target.origin() + "|" + std::to_string(static_cast<int>(rule));
  for (bool may_reuse = true;; may_reuse = false) {
    auto const connection = std::make_shared<client_connection>(client, key, executor);
    connection->url_text = target.origin() + target.path;  // queries may hold secrets
    bool const reused = may_reuse && connection->reuse();
    if (!reused) {
      connection->limit(std::min(until, std::chrono::steady_clock::now() + client->options.connect_time));
      auto connected = co_await connection->connect(target, rule);
      if (!connected) co_return connected.error();
    }
    {
      std::lock_guard const lock(client->mutex);
      ++client->requests;
    }
    connection->limit(std::min(until, std::chrono::steady_clock::now() + client->options.response_time));
    bool acted = false;
    auto answered = co_await connection->exchange(head_of(request, target, client->options), request, acted);
    if (answered) {
      connection->limit(time_point::max());
      co_return connection;
    }
    auto e = answered.error();
    bool const lost = e.is(errc::io_failed) && !connection->answer().started();
    if (reused && lost && repeatable(request)) continue;
    e.retryable = lost && !acted;
    connection->close();
    co_return e;
  }
}

// ---------------------------------------------------------------- redirects

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// What may follow a redirect to another origin.
bool harmless(std::string_view name) {
  for (auto const* n : {"Accept", "Accept-Language", "User-Agent"})
    if (http_fields::same_name(name, n)) return true;
  return false;
}

// Turns the request into the one that the redirect asks for.
result<url> follow(http_request& r, url const& from, int status, std::string_view location) {
  auto to = from.resolve(location);
  if (!to)
    return error{errc::denied, "the redirect leads to no http URL", "http_client",
                 std::string(location.substr(0, 200))};
  if (to->fragment.empty()) to->fragment = from.fragment;
  if (from.secure() && !to->secure())
    return error{errc::denied, "the redirect leads from https to http and is not followed", "http_client",
                 to->origin()};
  bool const to_get = (status == 303 && r.method != "HEAD") || ((status == 301 || status == 302) && r.method == "POST");
  if (to_get) {
    r.method = "GET";
    r.body.clear();
    r.fields.erase("Content-Type");
  }
  if (to->origin() == from.origin()) return to;
  if (!r.body.empty() || (r.method != "GET" && r.method != "HEAD"))
    return error{errc::denied, "the redirect would send the request's body to another origin and is not followed",
                 "http_client", to->origin()};
  http_fields kept;
  for (std::size_t i = 0; i < r.fields.size(); ++i)
    if (auto const f = r.fields[i]; harmless(f.name)) kept.add(f.name, f.value);
  r.fields = std::move(kept);
  return to;
}

// A short answer that nobody will read is read to its end, so that the connection can be kept.
task<void> drop_body(std::shared_ptr<client_connection> c, deadline until) {
  constexpr std::size_t bytes_max = 64u << 10;
  for (std::size_t seen = 0; seen < bytes_max;) {
    auto piece = co_await c->read(until);
    if (!piece || piece->empty()) co_return;
    seen += piece->size();
  }
  c->close();
}

}  // namespace

// ---------------------------------------------------------------- the handles

struct http_stream::impl {
  std::shared_ptr<client_connection> connection;
  int status = 0;
  http_fields fields;
};

http_stream::http_stream(std::unique_ptr<impl> i) noexcept : impl_(std::move(i)) {}
http_stream::http_stream(http_stream&&) noexcept = default;
http_stream& http_stream::operator=(http_stream&& other) noexcept {
  if (this != &other) {
    close();
    impl_ = std::move(other.impl_);
  }
  return *this;
}
http_stream::~http_stream() { close(); }

int http_stream::status() const noexcept { return impl_->status; }
http_fields const& http_stream::fields() const noexcept { return impl_->fields; }
std::string const& http_stream::url() const noexcept { return impl_->connection->url_text; }

void http_stream::close() noexcept {
  if (impl_) impl_->connection->close();
}

task<result<std::string_view>> http_stream::async_read(deadline until) {
  auto const held = impl_->connection;
  co_return co_await held->read(until);
}

task<result<std::string>> http_stream::async_rest(std::size_t bytes_max, deadline until) {
  std::string body;
  for (;;) {
    auto piece = co_await async_read(until);
    if (!piece) co_return piece.error();
    if (piece->empty()) co_return body;
    if (body.size() + piece->size() > bytes_max) {
      close();
      co_return error{errc::limit_reached, "the answer's body is larger than " + std::to_string(bytes_max) + " bytes",
                      "http_stream.rest", url()};
    }
    body += *piece;
  }
}

http_client::http_client(http_client_options options) : impl_(std::make_shared<impl>(std::move(options))) {}

task<result<http_stream>> http_client::async_open(http_request request, deadline until) const {
  auto const client = impl_;
  auto const rule = request.addresses.value_or(client->options.addresses);
  int const redirects_max = request.redirects_max.value_or(client->options.redirects_max);
  auto target = url::parse(request.url);
  if (!target) co_return target.error();
  for (int redirects = 0;; ++redirects) {
    auto answered = co_await exchange(client, request, *target, rule, until);
    if (!answered) co_return answered.error();
    auto const connection = *answered;
    auto& answer = connection->answer();
    auto const location = answer.fields().find("Location");
    if (is_redirect(answer.status()) && location && redirects_max > 0 && !request.body_source) {
      if (redirects == redirects_max)
        co_return error{
            errc::limit_reached,
            "more than " + std::to_string(redirects_max) + " redirects (http_client_options::redirects_max)",
            "http_client", target->origin()};
      auto next = follow(request, *target, answer.status(), *location);
      if (!next) co_return next.error();
      target = std::move(next);
      co_await drop_body(connection, std::min(until, std::chrono::steady_clock::now() + client->options.read_time));
      continue;
    }
    connection->url_text = target->text();
    auto stream = std::make_unique<http_stream::impl>();
    stream->connection = connection;
    stream->status = answer.status();
    stream->fields = std::move(answer.fields());
    co_return http_stream(std::move(stream));
  }
}

task<result<http_response>> http_client::async_send(http_request request, deadline until) const {
  auto const client = impl_;
  auto const end = std::min(until, std::chrono::steady_clock::now() + client->options.total_time);
  auto stream = co_await http_client(*this).async_open(std::move(request), end);
  if (!stream) co_return stream.error();
  auto body = co_await stream->async_rest(client->options.body_bytes_max, end);
  if (!body) co_return body.error();
  http_response out;
  out.status = stream->status();
  out.fields = stream->fields();
  out.url = stream->url();
  out.body = std::move(*body);
  co_return out;
}

result<http_response> http_client::send(http_request request, deadline until) const {
  return run_blocking(async_send(std::move(request), until), "http_client.send", "http_client.async_send");
}

http_client::snapshot http_client::stats() const {
  std::lock_guard const lock(impl_->mutex);
  return {.open = impl_->open, .idle = impl_->idle.size(), .connected = impl_->connected, .requests = impl_->requests};
}

void http_client::close_idle() const { impl_->close_idle(); }

// ---------------------------------------------------------------- events

sse_stream::sse_stream(http_stream stream, sse_limits limits) : stream_(std::move(stream)), parser_(limits) {}

task<result<std::optional<sse_event>>> sse_stream::async_next(deadline until) {
  for (;;) {
    auto event = parser_.next();
    if (event) co_return event;
    auto piece = co_await stream_.async_read(until);
    if (!piece) co_return piece.error();
    if (piece->empty()) co_return std::optional<sse_event>{};
    auto fed = parser_.feed(*piece);
    if (!fed) {
      stream_.close();
      co_return fed.error();
    }
  }
}

}  // namespace wherry::inline v0
