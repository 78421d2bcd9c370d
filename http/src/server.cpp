// The listener, its connections, and one timer for all that is due on them. A connection that says "due at t" only
// moves the timer when t comes before what it is set to; so a busy server sets it a few times a second, an idle one
// sleeps.

#include "connection.hpp"

#include <wherry/http/url.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <ctime>

namespace wherry::inline v0 {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;

namespace {

constexpr auto accept_pause = std::chrono::milliseconds(50);  // after running out of descriptors
constexpr auto full_pause = std::chrono::milliseconds(50);    // between looks for an idle connection at the bound
constexpr auto full_pause_max = std::chrono::milliseconds(1000);
constexpr auto stop_patience = std::chrono::seconds(1);  // for cancelled handlers to leave

error system_error(error_code ec, std::string what, std::string path) {
  return {std::error_code(ec), std::move(what) + ": " + ec.message(), "http_server.start", std::move(path)};
}

}  // namespace

result<void> http_server::impl::listen() {
  error_code ec;
  auto const address = asio::ip::make_address(options.address, ec);
  if (ec)
    return error{errc::invalid_argument, "http_server_options::address is not an IP address", "http_server.start",
                 options.address};
  if (options.check_host && options.hosts.empty() && !address.is_loopback())
    return error{
        errc::invalid_argument,
        "a server that listens beyond loopback must be told the names it goes by in http_server_options::hosts, or "
        "have check_host switched off",
        "http_server.start", options.address};
  if (options.tls) {
    auto made = detail::make_server_context(*options.tls);
    if (!made) return made.error();
    tls = std::move(*made);
  }
  tcp::endpoint const endpoint(address, options.port);
  auto const place = options.address + ":" + std::to_string(options.port);
  acceptor.open(endpoint.protocol(), ec);
  if (!ec) acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec) acceptor.bind(endpoint, ec);
  if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
  if (ec) return system_error(ec, "the server cannot listen", place);
  port = acceptor.local_endpoint(ec).port();
  return {};
}

// ---------------------------------------------------------------- connections

task<void> http_server::impl::accept_loop(std::shared_ptr<impl> /*kept alive*/) {
  while (!closing) {
    error_code ec;
    tcp::socket socket(executor);
    co_await acceptor.async_accept(socket, asio::redirect_error(asio::use_awaitable, ec));
    if (closing) co_return;
    if (ec) {
      // Out of descriptors or memory: those come back when connections end.
      room.expires_after(accept_pause);
      co_await room.async_wait(asio::redirect_error(asio::use_awaitable, ec));
      continue;
    }
    ++accepted;
    while (connections.size() >= options.connections_max && !closing) {
      // The newcomer waits until somebody has left; if nobody is idle now, somebody may soon be.
      bool const leaving = make_room();
      room.expires_after(leaving ? full_pause_max : full_pause);
      co_await room.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    }
    if (closing) co_return;
    begin(std::move(socket));
  }
}

void http_server::impl::begin(tcp::socket socket) {
  auto const connection = std::make_shared<http_connection>(shared_from_this(), std::move(socket));
  connection->place = connections.size();
  connections.push_back(connection.get());
  ++open;
  asio::co_spawn(
      executor, connection->run(),
      asio::bind_cancellation_slot(connection->slot(), [self = shared_from_this(), connection](std::exception_ptr) {
        self->remove(*connection);
      }));
}

void http_server::impl::remove(http_connection& c) {
  c.abort();
  connections.back()->place = c.place;
  connections[c.place] = connections.back();
  connections.pop_back();
  --open;
  room.cancel();
  if (connections.empty()) gone.cancel();
}

bool http_server::impl::make_room() {
  http_connection* oldest = nullptr;
  for (auto* const c : connections)
    if (c->where() == http_connection::phase::idle && (!oldest || c->since() < oldest->since())) oldest = c;
  if (!oldest) return false;
  ++dropped;
  oldest->abort();  // it leaves the list a moment later
  return true;
}

void http_server::impl::abort_all() {
  // Aborting only closes sockets and asks coroutines to leave: nobody is removed before the loop goes on.
  for (auto* const c : connections) c->abort();
}

// ---------------------------------------------------------------- time

void http_server::impl::watch(time_point when) {
  if (when >= armed) return;
  armed = when;
  timer.expires_at(when);
  timer.async_wait([weak = weak_from_this()](error_code ec) {
    if (ec) return;
    if (auto const self = weak.lock()) self->on_timer();
  });
}

void http_server::impl::on_timer() {
  auto const now = std::chrono::steady_clock::now();
  armed = time_point::max();
  auto next = time_point::max();
  for (std::size_t i = 0; i < connections.size(); ++i) {
    auto* const c = connections[i];
    if (c->due() <= now) c->on_due(now);
    next = std::min(next, c->due());
  }
  if (next != time_point::max()) watch(next);
}

std::string_view http_server::impl::date_line() {
  std::time_t const now = std::time(nullptr);
  if (now != date_second) {
    date_second = now;
    std::tm parts{};
    gmtime_r(&now, &parts);
    char text[64];
    auto const size = std::strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
    date.assign(text, size);
  }
  return date;
}

// ---------------------------------------------------------------- who may ask

namespace {

std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, std::min(host.find(']'), host.size() - 1) + 1);
  return host.substr(0, host.find(':'));
}

}  // namespace

bool http_server::impl::host_allowed(std::string_view host) const {
  auto const name = without_port(host);
  auto const after = host.substr(name.size());
  bool const port_fine =
      after.empty() || (after.front() == ':' && after.size() <= 6 &&
                        std::all_of(after.begin() + 1, after.end(), [](char c) { return c >= '0' && c <= '9'; }));
  if (!port_fine) return false;
  auto const listed = [&](std::string const& h) {
    return http_fields::same_name(h, host) || http_fields::same_name(h, name);
  };
  if (std::any_of(options.hosts.begin(), options.hosts.end(), listed)) return true;
  auto const bare = name.starts_with('[') && name.size() > 2 ? name.substr(1, name.size() - 2) : name;
  if (http_fields::same_name(bare, options.address) && options.address != "0.0.0.0" && options.address != "::")
    return true;
  bool const on_loopback = kind_of_address(options.address) == address_kind::loopback;
  return on_loopback && (name == "127.0.0.1" || name == "[::1]" || http_fields::same_name(name, "localhost"));
}

bool http_server::impl::origin_allowed(std::string_view origin) const {
  auto const listed = [&](std::string const& o) { return http_fields::same_name(o, origin); };
  if (std::any_of(options.origins.begin(), options.origins.end(), listed)) return true;
  auto const parsed = url::parse(origin);
  if (!parsed || parsed->path != "/" || origin.ends_with('/')) return false;
  bool const on_loopback = kind_of_address(options.address) == address_kind::loopback;
  return on_loopback && (parsed->host == "localhost" || parsed->host == "127.0.0.1" || parsed->host == "::1");
}

// ---------------------------------------------------------------- the handle

result<http_server> http_server::start(asio::any_io_executor executor, http_server_options options,
                                       http_handler handler) {
  auto state = std::make_shared<impl>(executor, std::move(options), std::move(handler));
  auto listening = state->listen();
  if (!listening) return listening.error();
  asio::co_spawn(executor, state->accept_loop(state), [](std::exception_ptr) {});
  return http_server(std::move(state));
}

http_server::http_server(std::shared_ptr<impl> i) noexcept : impl_(std::move(i)) {}
http_server::http_server(http_server&&) noexcept = default;

http_server& http_server::operator=(http_server&& other) noexcept {
  if (this != &other) {
    http_server const old(std::move(*this));
    impl_ = std::move(other.impl_);
  }
  return *this;
}

http_server::~http_server() {
  if (!impl_) return;
  error_code ec;
  impl_->closing = true;
  impl_->acceptor.close(ec);
  impl_->room.cancel();
  impl_->timer.cancel();
  impl_->abort_all();
}

std::uint16_t http_server::port() const noexcept { return impl_->port; }

std::string http_server::origin() const {
  auto const& address = impl_->options.address;
  std::string const host = address.find(':') == std::string::npos ? address : "[" + address + "]";
  return (impl_->options.tls ? "https://" : "http://") + host + ":" + std::to_string(port());
}

http_server::snapshot http_server::stats() const noexcept {
  return {.connections = impl_->open,
          .handlers = impl_->handlers,
          .accepted = impl_->accepted,
          .requests = impl_->requests,
          .refused = impl_->refused,
          .dropped = impl_->dropped};
}

task<void> http_server::async_stop(std::chrono::milliseconds grace) {
  auto const state = impl_;
  error_code ec;
  state->closing = true;
  state->acceptor.close(ec);
  state->room.cancel();
  for (auto* const c : state->connections)
    if (c->where() == http_connection::phase::idle) c->abort();
  for (auto const time : {grace, std::chrono::milliseconds(stop_patience)}) {
    if (state->connections.empty()) co_return;
    state->gone.expires_after(time);
    co_await state->gone.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (!state->connections.empty()) state->abort_all();
  }
}

}  // namespace wherry::inline v0
