// Streamable HTTP. A POST carries one message; what comes back about it is one JSON answer when nothing comes before
// it, and an event stream otherwise. In a session a stream that broke off can be taken up again.

#include <wherry/mcp/serve.hpp>

#include "content_json.hpp"
#include "exchange_reply.hpp"
#include "server_state.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
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

/// Whoever leaves while the exchange is under way cuts it, unless it can be taken up again.
struct cut_on_exit {
  std::shared_ptr<exchange_reply> to;
  ~cut_on_exit() {
    if (to->stream() == 0) to->cut();
  }
};

bool is_stateless_name(std::optional<std::string_view> version) {
  auto const* const rev = version ? find_revision(*version) : nullptr;
  return rev && rev->stateless;
}

}  // namespace

struct http_endpoint::impl : std::enable_shared_from_this<http_endpoint::impl> {
  struct kept_session {
    std::shared_ptr<session_state> state;
    std::shared_ptr<exchange_reply> general;  ///< Of what belongs to no call, once somebody asked for it.
    std::map<std::uint64_t, std::shared_ptr<exchange_reply>>
        streams;  ///< Of calls, that can be taken up again, by number.
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
  std::uint64_t streams_made = 0;

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
    auto& kept = sessions[id];
    kept.state = std::move(state);
    kept.used = std::chrono::steady_clock::now();
    kept.place = std::prev(order.end());
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
    if (gone.general) gone.general->finish({}, 200);
  }

  /// Listening is use, too.
  static bool in_use(kept_session const& s) {
    return (s.general && s.general->being_read()) ||
           std::ranges::any_of(s.streams, [](auto const& one) { return one.second->being_read(); });
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
        if (oldest.used > old) break;
        std::string const id = self->order.front();
        if (in_use(oldest))
          self->find(id);
        else
          self->end_session(id);
      }
      if (!self->sessions.empty()) self->watch();
    });
  }

  // ---- streams that can be taken up again

  void keep_stream(std::string const& session, std::shared_ptr<exchange_reply> const& to) {
    auto const at = sessions.find(session);
    if (at == sessions.end() || options.replay.streams_max == 0) return;
    to->make_resumable(++streams_made);
    if (to == at->second.general) return;
    at->second.streams[streams_made] = to;
    forget_streams(at->second);
  }

  static std::shared_ptr<exchange_reply> stream_of(kept_session const& kept, std::uint64_t number) {
    if (kept.general && number != 0 && kept.general->stream() == number) return kept.general;
    auto const at = kept.streams.find(number);
    return at == kept.streams.end() ? nullptr : at->second;
  }

  /// Lets go of what is beyond the bounds: of ended streams first. The latest stays, its client may not have it yet.
  void forget_streams(kept_session& kept) const {
    auto& all = kept.streams;
    auto const& bounds = options.replay;
    auto const bytes = [&] {
      std::size_t sum = 0;
      for (auto const& [_, s] : all) sum += s->bytes();
      return sum;
    };
    while (all.size() > bounds.streams_max || (all.size() > 1 && bytes() > bounds.session_bytes_max)) {
      auto const latest = std::prev(all.end());
      auto oldest = std::find_if(all.begin(), latest,
                                 [](auto const& s) { return s.second->finished && !s.second->being_read(); });
      if (oldest == latest && all.size() <= bounds.streams_max) return;
      if (oldest == latest) oldest = all.begin();
      auto const gone = oldest->second;
      all.erase(oldest);
      gone->forget();
    }
  }

  /// Its reader has left.
  void left(std::string const& session, std::shared_ptr<exchange_reply> const& stream) {
    if (stream->being_read()) return;  // by another one
    auto const at = sessions.find(session);
    bool const general = at != sessions.end() && at->second.general == stream;
    bool const named = stream->primes || stream->place() > 0;  // the client has an id to come back with
    if (at == sessions.end() || stream->stream() == 0 || (!named && !general)) {
      if (at != sessions.end()) at->second.streams.erase(stream->stream());
      if (general) at->second.general = nullptr;
      stream->cut();
      return;
    }
    forget_streams(at->second);
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
    auto const to = new_reply(session.get());
    served.state()->receive(std::string(*body), to, session, executor, by);
    http_fields more;
    if (provisional && session->agreed) more.add(session_field, keep(session));
    if (!to->began) {
      if (provisional) co_return refuse(ex, 400, "the message belongs to no session; begin with initialize");
      co_return ex.reply(202);
    }
    if (to->finished && !to->has_news()) co_return answer(ex, *to, std::move(more));
    std::string const in(by.handshake_only ? fields.get(session_field) : std::string_view{});
    co_await stream(ex, to, std::move(more), in);
  }

  std::shared_ptr<exchange_reply> new_reply(session_state const* session) const {
    auto made = std::make_shared<exchange_reply>(executor, options.stream_bytes_max, options.replay);
    made->primes = options.replay.streams_max > 0 && session && session->agreed && session->agreed->polling;
    return made;
  }

  static void answer(http_exchange& ex, exchange_reply& from, http_fields more) {
    if (from.answer.empty()) return ex.reply(202);
    if (more.empty()) return ex.reply(from.status, json_type, std::move(from.answer));
    more.add("Content-Type", json_type);
    ex.reply(from.status, std::move(more), std::move(from.answer));
  }

  /// Waits for the answer; what comes before it makes the exchange a stream, which a session keeps.
  task<void> stream(http_exchange& ex, std::shared_ptr<exchange_reply> to, http_fields more, std::string session) {
    cut_on_exit const guard{to};
    bool const soon = co_await to->wait(options.stream_after);
    if (soon && to->finished && !to->has_news()) co_return answer(ex, *to, std::move(more));
    co_await send_stream(ex, to, std::move(more), std::move(session));
  }

  /// Sends a stream from where it stands to its end.
  task<void> send_stream(http_exchange& ex, std::shared_ptr<exchange_reply> to, http_fields more, std::string session) {
    struct reader {
      impl& self;
      std::string const& session;
      std::shared_ptr<exchange_reply> stream;
      std::uint64_t holder;
      ~reader() {
        stream->let_go(holder);
        self.left(session, stream);
      }
    } const reading{*this, session, to, to->take_hold()};
    more.add("Content-Type", "text/event-stream");
    more.add("Cache-Control", "no-cache");
    auto begun = co_await ex.async_start(200, std::move(more));
    if (!begun) co_return;
    if (to->stream() == 0 && !session.empty()) keep_stream(session, to);
    co_await pump(ex, *to, reading.holder);
  }

  task<void> pump(http_exchange& ex, exchange_reply& from, std::uint64_t holder) {
    std::string piece;
    if (from.primes) append_priming(piece, from, options.replay.retry);
    for (;;) {
      if (!from.held_by(holder)) co_return;  // the client has taken the stream up elsewhere
      while (auto const e = from.next()) append_event(piece, e->message, {from.stream(), e->number});
      auto const retry = from.take_disconnect();
      bool const leaves = retry && from.stream() != 0 && !from.drained();
      if (leaves) append_priming(piece, from, *retry);
      if (!piece.empty()) {
        auto const sent = co_await ex.async_write(piece);
        if (!sent) co_return;
      }
      if (leaves || from.drained()) co_return;
      bool const came = co_await from.wait(options.keep_alive);
      piece.clear();
      if (!came) append_sse_comment(piece, "");
    }
  }

  /// Where the client stands and how long to wait before it comes back, without a message.
  static void append_priming(std::string& out, exchange_reply const& from, std::chrono::milliseconds retry) {
    if (from.stream() == 0) return;
    out.append("id: ").append(event_id{from.stream(), from.place()}.text());
    out.append("\nretry: ").append(std::to_string(retry.count())).append("\ndata: \n\n");
  }

  static void append_event(std::string& out, std::string_view message, event_id id) {
    out.append("event: message\n");
    if (id.stream != 0) out.append("id: ").append(id.text()).append("\n");
    auto const at = out.append("data: ").size();
    out.append(message);
    // Raw line ends stand between tokens only.
    if (message.find('\n') != std::string_view::npos)
      std::replace_if(
          out.begin() + static_cast<std::ptrdiff_t>(at), out.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
    out.append("\n\n");
  }

  /// GET: what belongs to no call; or, with Last-Event-ID, the rest of a stream of this session that broke off.
  task<void> listen(http_exchange& ex) {
    auto* const kept = session_of(ex);
    if (!kept) co_return;
    std::string const session(ex.fields().get(session_field));
    if (auto const last = ex.fields().find("Last-Event-ID")) {
      auto const id = event_id::parse(*last);
      auto const to = id ? stream_of(*kept, id->stream) : nullptr;
      if (!to || !to->rewind(id->number)) co_return refuse(ex, 400, "the session keeps no stream with this event");
      http_fields none;
      co_await send_stream(ex, to, std::move(none), session);
      co_return;
    }
    if (kept->general && kept->general->being_read()) co_return refuse(ex, 409, "the session has a stream already");
    // A stream whose reader has gone is read on: what came meanwhile is not lost.
    if (!kept->general) kept->general = new_reply(kept->state.get());
    auto const to = kept->general;
    kept->state->general = to;
    http_fields none;
    co_await send_stream(ex, to, std::move(none), session);
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
