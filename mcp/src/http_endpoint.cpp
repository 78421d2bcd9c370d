// Streamable HTTP. A POST carries one message; what comes back about it is one JSON answer when nothing comes before
// it, and an event stream otherwise.

#include <wherry/mcp/serve.hpp>

#include "content_json.hpp"
#include "server_state.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <iostream>
#include <list>
#include <unordered_map>

namespace wherry::inline v0::mcp {

using namespace detail;
using boost::system::error_code;

namespace {

constexpr std::string_view session_field = "Mcp-Session-Id";
constexpr std::string_view json_type = "application/json";

/// What came about one request, until the exchange has sent it.
class exchange_reply final : public reply {
 public:
  exchange_reply(asio::any_io_executor const& where, std::size_t bytes_max) : where_(where), bytes_max_(bytes_max) {}

  void begins() override { began = true; }
  void serves(std::weak_ptr<call_state> call) override { call_ = std::move(call); }
  void notify(std::string_view message) override {
    // A reader that is too slow loses what is only news.
    if (queued_bytes_ + message.size() > bytes_max_) return;
    queued_bytes_ += message.size();
    queue_.emplace_back(message);
    ring();
  }
  void finish(std::string_view message, int code) override {
    finished = true;
    status = code;
    answer.assign(message);
    ring();
  }

  bool began = false;
  bool finished = false;
  int status = 200;
  std::string answer;

  bool has_news() const noexcept { return !queue_.empty(); }
  std::string next() {
    auto message = std::move(queue_.front());
    queue_.pop_front();
    queued_bytes_ -= message.size();
    return message;
  }
  /// Resumes when something has come, or after `time`: false then.
  task<bool> wait(std::chrono::milliseconds time) {
    if (has_news() || finished) co_return true;
    if (!bell_) bell_.emplace(where_);
    bell_->expires_after(time);
    error_code ec;
    co_await bell_->async_wait(asio::redirect_error(asio::use_awaitable, ec));
    co_return has_news() || finished;
  }
  /// The reader has gone.
  void cut() {
    if (finished) return;
    if (auto const call = call_.lock()) call->abandon();
  }

 private:
  void ring() {
    if (bell_) bell_->cancel();
  }
  asio::any_io_executor where_;
  std::size_t bytes_max_;
  std::optional<asio::steady_timer> bell_;
  std::deque<std::string> queue_;
  std::size_t queued_bytes_ = 0;
  std::weak_ptr<call_state> call_;
};

/// Whoever leaves while the exchange is under way cuts it.
struct cut_on_exit {
  std::shared_ptr<exchange_reply> to;
  ~cut_on_exit() { to->cut(); }
};

bool is_stateless_name(std::optional<std::string_view> version) {
  auto const* const rev = version ? find_revision(*version) : nullptr;
  return rev && rev->stateless;
}

}  // namespace

struct http_endpoint::impl : std::enable_shared_from_this<http_endpoint::impl> {
  struct kept_session {
    std::shared_ptr<session_state> state;
    std::shared_ptr<exchange_reply> stream;  ///< Of the GET that is open, if one is.
    std::chrono::steady_clock::time_point used;
    std::list<std::string>::iterator place;  ///< In `order`.
  };

  impl(asio::any_io_executor where, server s, http_endpoint_options o)
      : executor(where), served(std::move(s)), options(std::move(o)), sweep(where) {}

  asio::any_io_executor executor;
  server served;
  http_endpoint_options options;
  std::optional<http_server> listener;
  std::unordered_map<std::string, kept_session> sessions;
  std::list<std::string> order;  ///< Of use: the one idle the longest first.
  asio::steady_timer sweep;
  bool sweeping = false;

  // ---- sessions of the handshake era

  kept_session* find(std::string_view id) {
    auto const at = sessions.find(std::string(id));
    if (at == sessions.end()) return nullptr;
    at->second.used = std::chrono::steady_clock::now();
    order.splice(order.end(), order, at->second.place);
    return &at->second;
  }

  std::string keep(std::shared_ptr<session_state> state) {
    while (sessions.size() >= options.sessions_max) end_session(order.front());
    auto id = to_base64(random_bytes(24));
    std::ranges::replace(id, '+', '-');
    std::ranges::replace(id, '/', '_');
    order.push_back(id);
    sessions[id] = {std::move(state), nullptr, std::chrono::steady_clock::now(), std::prev(order.end())};
    watch();
    return id;
  }

  void end_session(std::string const id) {
    auto const at = sessions.find(id);
    if (at == sessions.end()) return;
    auto const gone = std::move(at->second);
    order.erase(gone.place);
    sessions.erase(at);
    std::vector<std::shared_ptr<call_state>> open;
    for (auto const& [_, weak] : gone.state->calls)
      if (auto call = weak.lock()) open.push_back(std::move(call));
    for (auto const& call : open) call->abandon();
    if (gone.stream) gone.stream->finish({}, 200);
  }

  /// Ends sessions that nobody uses, while there are any.
  void watch() {
    if (std::exchange(sweeping, true)) return;
    sweep.expires_after(options.session_idle / 4 + std::chrono::milliseconds(1));
    sweep.async_wait([weak = weak_from_this()](error_code ec) {
      auto const self = ec ? nullptr : weak.lock();
      if (!self) return;
      self->sweeping = false;
      auto const old = std::chrono::steady_clock::now() - self->options.session_idle;
      while (!self->order.empty()) {
        auto& oldest = self->sessions[self->order.front()];
        if (oldest.used > old || oldest.stream) break;
        self->end_session(self->order.front());
      }
      if (!self->sessions.empty()) self->watch();
    });
  }

  // ---- exchanges

  task<void> handle(http_exchange& ex) {
    if (options.guard) {
      bool const allowed = co_await options.guard(ex);
      if (!allowed) co_return;
    }
    if (ex.path() != options.path) co_return refuse(ex, 404, "there is nothing here");
    auto const method = ex.method();
    if (method == "POST") {
      co_await post(ex);
    } else if (method == "GET" && ex.fields().find(session_field)) {
      co_await listen(ex);
    } else if (method == "DELETE" && ex.fields().find(session_field)) {
      remove(ex);
    } else {
      http_fields allow;
      allow.add("Allow", "POST");
      ex.reply(405, std::move(allow), {});
    }
  }

  static void refuse(http_exchange& ex, int status, std::string_view why, int code = rpc_code::invalid_request) {
    ex.reply(status, json_type, rpc_error({}, code, why));
  }

  void remove(http_exchange& ex) {
    auto const id = ex.fields().get(session_field);
    if (!sessions.contains(std::string(id))) return refuse(ex, 404, "there is no such session");
    end_session(std::string(id));
    ex.reply(204);
  }

  /// The session of an exchange of the handshake era; null when it was refused.
  kept_session* session_of(http_exchange& ex) {
    auto const version = ex.fields().find("MCP-Protocol-Version");
    if (version && !find_revision(*version)) {
      refuse(ex, 400, "this server does not speak revision " + std::string(*version));
      return nullptr;
    }
    auto* const found = find(ex.fields().get(session_field));
    if (!found) refuse(ex, 404, "there is no such session; begin again with initialize");
    return found;
  }

  task<void> post(http_exchange& ex) {
    auto const& fields = ex.fields();
    auto const type = fields.get("Content-Type");
    if (!http_fields::same_name(type.substr(0, json_type.size()), json_type) ||
        (type.size() > json_type.size() && type[json_type.size()] != ';' && type[json_type.size()] != ' '))
      co_return refuse(ex, 415, "the body must be application/json");
    auto const body = co_await ex.async_body();
    if (!body) co_return;

    carriage by;
    by.http = true;
    by.version_header = fields.find("MCP-Protocol-Version");
    by.method_header = fields.find("Mcp-Method");
    by.name_header = fields.find("Mcp-Name");
    by.parameter = [&fields](std::string_view header) -> std::optional<std::string> {
      auto const value = fields.find("Mcp-Param-" + std::string(header));
      if (!value) return std::nullopt;
      return std::string(*value);
    };
    bool const stateless = is_stateless_name(by.version_header) || by.method_header;
    std::shared_ptr<session_state> session;
    bool const provisional = !stateless && !fields.find(session_field);
    if (provisional) {
      session = std::make_shared<session_state>();  // kept if this turns out to be initialize
    } else if (!stateless) {
      auto* const kept = session_of(ex);
      if (!kept) co_return;
      session = kept->state;
      by.handshake_only = true;
    }
    auto const to = std::make_shared<exchange_reply>(executor, options.stream_bytes_max);
    served.state()->receive(std::string(*body), to, session, executor, by);
    http_fields more;
    if (provisional && session->agreed) more.add(session_field, keep(session));
    if (!to->began) {
      if (provisional) co_return refuse(ex, 400, "the message belongs to no session; begin with initialize");
      co_return ex.reply(202);
    }
    if (to->finished && !to->has_news()) co_return answer(ex, *to, std::move(more));
    co_await stream(ex, to, std::move(more));
  }

  static void answer(http_exchange& ex, exchange_reply& from, http_fields more) {
    if (from.answer.empty()) return ex.reply(202);
    if (more.empty()) return ex.reply(from.status, json_type, std::move(from.answer));
    more.add("Content-Type", json_type);
    ex.reply(from.status, std::move(more), std::move(from.answer));
  }

  /// Waits for the answer; what comes before it makes the exchange a stream.
  task<void> stream(http_exchange& ex, std::shared_ptr<exchange_reply> to, http_fields more) {
    cut_on_exit const guard{to};
    bool const soon = co_await to->wait(options.stream_after);
    if (soon && to->finished && !to->has_news()) co_return answer(ex, *to, std::move(more));
    more.add("Content-Type", "text/event-stream");
    more.add("Cache-Control", "no-cache");
    auto begun = co_await ex.async_start(200, std::move(more));
    if (!begun) co_return;
    co_await pump(ex, *to);
  }

  task<void> pump(http_exchange& ex, exchange_reply& from) {
    std::string piece;
    for (;;) {
      piece.clear();
      while (from.has_news()) append_event(piece, from.next());
      bool const last = from.finished;
      if (last && !from.answer.empty()) append_event(piece, from.answer);
      if (!piece.empty()) {
        auto const sent = co_await ex.async_write(piece);
        if (!sent) co_return;
      }
      if (last) co_return;
      bool const came = co_await from.wait(options.keep_alive);
      if (came) continue;
      piece.clear();
      append_sse_comment(piece, "");
      auto const sent = co_await ex.async_write(piece);
      if (!sent) co_return;
    }
  }

  static void append_event(std::string& out, std::string const& message) {
    // Raw line ends stand between tokens only.
    if (message.find('\n') == std::string::npos) {
      out.append("event: message\ndata: ").append(message).append("\n\n");
    } else {
      std::string flat = message;
      std::ranges::replace(flat, '\n', ' ');
      std::ranges::replace(flat, '\r', ' ');
      out.append("event: message\ndata: ").append(flat).append("\n\n");
    }
  }

  /// GET: what belongs to no request.
  task<void> listen(http_exchange& ex) {
    auto* const kept = session_of(ex);
    if (!kept) co_return;
    if (kept->stream) co_return refuse(ex, 409, "the session has a stream already");
    auto const to = std::make_shared<exchange_reply>(executor, options.stream_bytes_max);
    kept->stream = to;
    kept->state->general = to;
    std::string const id(ex.fields().get(session_field));
    struct detach {
      impl* self;
      std::string id;
      std::shared_ptr<exchange_reply> stream;
      ~detach() {
        auto const at = self->sessions.find(id);
        if (at != self->sessions.end() && at->second.stream == stream) at->second.stream = nullptr;
      }
    } const on_exit{this, id, to};
    http_fields fields;
    fields.add("Content-Type", "text/event-stream");
    fields.add("Cache-Control", "no-cache");
    auto begun = co_await ex.async_start(200, std::move(fields));
    if (!begun) co_return;
    co_await pump(ex, *to);
  }
};

result<http_endpoint> http_endpoint::start(asio::any_io_executor executor, server s, http_endpoint_options options) {
  options.http.body_bytes_max = s.state()->options.message_bytes_max;
  auto state = std::make_shared<impl>(executor, std::move(s), std::move(options));
  // Exchanges under way keep the state alive; letting go of the listener ends them (see the destructor).
  auto listening =
      http_server::start(executor, state->options.http, [state](http_exchange& ex) { return state->handle(ex); });
  if (!listening) return std::move(listening).error();
  state->listener.emplace(std::move(*listening));
  return http_endpoint(std::move(state));
}

http_endpoint::http_endpoint(std::shared_ptr<impl> i) noexcept : impl_(std::move(i)) {}
http_endpoint::http_endpoint(http_endpoint&&) noexcept = default;
http_endpoint& http_endpoint::operator=(http_endpoint&& other) noexcept {
  if (this != &other) {
    if (impl_) impl_->listener.reset();
    impl_ = std::move(other.impl_);
  }
  return *this;
}
http_endpoint::~http_endpoint() {
  if (impl_) impl_->listener.reset();
}

std::uint16_t http_endpoint::port() const noexcept { return impl_->listener->port(); }
std::string http_endpoint::url() const { return impl_->listener->origin() + impl_->options.path; }
std::size_t http_endpoint::sessions() const noexcept { return impl_->sessions.size(); }
http_server::snapshot http_endpoint::stats() const noexcept { return impl_->listener->stats(); }

task<void> http_endpoint::async_stop(std::chrono::milliseconds grace) {
  auto const self = impl_;
  while (!self->order.empty()) self->end_session(self->order.front());
  std::vector<std::shared_ptr<call_state>> listening;
  {
    std::lock_guard const lock(self->served.state()->mutex);
    for (auto const& l : self->served.state()->listeners) listening.push_back(l.call);
  }
  for (auto const& call : listening) {
    // A subscription that ends in order says so.
    std::string const meta = "{\"" + std::string(meta_key::subscription_id) + "\":" + call->id + "}";
    call->answer({}, meta);
    call->abandon();
  }
  co_await self->listener->async_stop(grace);
}

int serve_http(server const& s, http_endpoint_options options) {
  asio::io_context loop(1);
  auto endpoint = http_endpoint::start(loop.get_executor(), s, std::move(options));
  if (!endpoint) {
    std::cerr << endpoint.error() << '\n';
    return 1;
  }
  std::cerr << "listening on " << endpoint->url() << std::endl;
  asio::signal_set signals(loop, SIGINT, SIGTERM);
  signals.async_wait([&](error_code ec, int) {
    if (ec) return;
    asio::co_spawn(loop, endpoint->async_stop(), [&](std::exception_ptr) { loop.stop(); });
  });
  loop.run();
  return 0;
}

}  // namespace wherry::inline v0::mcp
