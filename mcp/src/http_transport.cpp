// A server at a URL: every message is a POST of its own, and what comes back about a request comes with its answer. In
// the handshake era there is a stream beside (GET), and a stream that breaks off is taken up again. A server of
// 2024-11-05 (HTTP+SSE) takes messages at a place it names, and answers all of them by one stream.

#include <wherry/mcp/content.hpp>
#include <wherry/mcp/json_rpc.hpp>
#include <wherry/mcp/transport.hpp>

#include "json_view.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <map>
#include <optional>

namespace wherry::inline v0::mcp {

namespace asio = boost::asio;
using namespace detail;

namespace {

constexpr auto retry_default = std::chrono::milliseconds(1000);
constexpr auto retry_min = std::chrono::milliseconds(10);
constexpr auto retry_max = std::chrono::milliseconds(30'000);
constexpr std::size_t body_bytes_max = std::size_t{16} << 20;  // of an answer

struct http_link : std::enable_shared_from_this<http_link> {
  http_link(http_server_address a, asio::any_io_executor e)
      : to(std::move(a)), http(options_of(to)), executor(std::move(e)) {}

  static http_client_options options_of(http_server_address const& a) {
    auto options = a.http;
    // A call may take long, and a stream may be silent: the client's own deadlines end them.
    options.response_time = std::max(options.response_time, std::chrono::milliseconds(3'600'000));
    options.read_time = std::max(options.read_time, std::chrono::milliseconds(3'600'000));
    options.total_time = std::max(options.total_time, std::chrono::milliseconds(3'600'000));
    return options;
  }

  http_server_address to;
  http_client http;
  asio::any_io_executor executor;
  transport_events events;
  std::string session;
  revision const* rev = nullptr;
  std::string messages_url;  ///< Of a server of 2024-11-05: where messages go.
  std::map<std::string, std::shared_ptr<asio::cancellation_signal>> open;  ///< Requests under way, by id.
  std::shared_ptr<asio::cancellation_signal> listening;
  bool over = false;

  http_request request(std::string method) const {
    http_request r;
    r.method = std::move(method);
    r.url = to.url;
    for (std::size_t i = 0; i < to.fields.size(); ++i) r.fields.add(to.fields[i].name, to.fields[i].value);
    if (!session.empty()) r.fields.set("Mcp-Session-Id", session);
    if (rev) r.fields.set("MCP-Protocol-Version", rev->name);
    return r;
  }

  static std::string header_text(std::string const& text) {
    bool const plain = http_fields::valid_value(text) && !text.starts_with("=?base64?") &&
                       std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
    return plain ? text : "=?base64?" + to_base64_text(text) + "?=";
  }
  static std::string to_base64_text(std::string const& text);

  /// Sends with whatever it takes to be allowed.
  task<result<http_stream>> open_stream(http_request base, deadline until) {
    authorization_tries tries;
    for (;;) {
      auto r = base;
      if (to.authorizer) {
        auto prepared = co_await to.authorizer->async_prepare(r, tries);
        if (!prepared) co_return std::move(prepared).error();
      }
      auto stream = co_await http.async_open(std::move(r), until);
      if (!stream || !to.authorizer) co_return stream;
      to.authorizer->note(stream->fields());
      auto const status = stream->status();
      if (status != 401 && status != 403) co_return stream;
      auto const fields = stream->fields();
      auto again = co_await to.authorizer->async_challenged(status, fields, tries);
      if (!again) co_return std::move(again).error();
      if (!*again) co_return stream;
      stream->close();
    }
  }

  void deliver(std::string text) {
    if (events.message && !over) events.message(std::move(text));
  }
  void fail(std::string const& id, error why) {
    if (!id.empty() && events.failed && !over) events.failed(id, std::move(why));
  }

  /// Whether a message is the answer of the request.
  static bool answers(std::string const& text, std::string const& id) {
    auto const read = read_rpc(text);
    return read && read->id == id &&
           (read->kind == rpc_message::kind_type::result || read->kind == rpc_message::kind_type::error);
  }

  error no_answer() const {
    return {errc::parse_error, "what the server answered is no message about this request", "mcp.http", to.url};
  }

  struct stream_end {
    bool answered = false;
    std::string last_event;
    std::chrono::milliseconds retry = retry_default;
    std::optional<error> why;
  };

  /// Reads events to the end of a stream, or to the answer of `id`.
  task<stream_end> read_events(http_stream stream, std::string id, deadline until) {
    stream_end out;
    sse_stream events_of(std::move(stream));
    for (;;) {
      auto event = co_await events_of.async_next(until);
      if (!event) {
        out.why = event.error();
        break;
      }
      if (!*event) break;
      auto& data = (*event)->data;
      if (data.empty()) continue;
      if (!id.empty() && !read_rpc(data)) {
        out.why = no_answer();
        break;
      }
      bool const last = !id.empty() && answers(data, id);
      deliver(std::move(data));
      if (last) {
        out.answered = true;
        break;
      }
    }
    out.last_event = events_of.last_event_id();
    out.retry = std::clamp(events_of.retry().value_or(retry_default), retry_min, retry_max);
    co_return out;
  }

  /// Takes up a stream that ended before its answer came (handshake era). One that the server ended in order is asked
  /// for until the call's deadline; one that breaks, or a server that is not there, so often in a row.
  task<stream_end> resume(stream_end from, std::string id, deadline until) {
    int broken = 0;
    while (broken < to.reconnects_max && !from.answered && !over) {
      if (from.last_event.empty() || session.empty()) co_return from;
      auto const again = std::chrono::steady_clock::now() + from.retry;
      if (again >= until) {
        from.why = error(errc::deadline_exceeded, "the stream was not taken up again in time", "mcp.http", to.url);
        co_return from;
      }
      asio::steady_timer timer(executor, again);
      boost::system::error_code ec;
      co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
      if (ec) co_return from;
      auto r = request("GET");
      r.fields.set("Accept", "text/event-stream");
      r.fields.set("Last-Event-ID", from.last_event);
      auto stream = co_await open_stream(std::move(r), until);
      if (!stream) {
        from.why = stream.error();
        ++broken;
        continue;
      }
      if (stream->status() != 200) {
        from.why = error(errc::io_failed,
                         "the server does not take the stream up again (" + std::to_string(stream->status()) + ")",
                         "mcp.http", to.url);
        co_return from;
      }
      auto const before = std::move(from);
      from = co_await read_events(std::move(*stream), id, until);
      bool const came = !from.last_event.empty() && from.last_event != before.last_event;
      broken = !from.why || came ? 0 : broken + 1;
      if (from.last_event.empty()) {
        from.last_event = before.last_event;
        from.retry = before.retry;
      }
    }
    co_return from;
  }

  // ---- HTTP+SSE of 2024-11-05

  error no_old_stream(errc code, std::string what) const { return {code, std::move(what), "mcp.http", to.url}; }

  /// Takes the server for one of 2024-11-05: a stream that begins by saying where messages go, on the same origin.
  /// Fails with: errc::unsupported when there is no such stream; errc::parse_error; errc::denied for another origin.
  task<result<void>> open_old_stream(deadline until) {
    auto r = request("GET");
    r.fields.set("Accept", "text/event-stream");
    auto stream = co_await open_stream(std::move(r), until);
    if (!stream) co_return std::move(stream).error();
    if (stream->status() != 200 || !stream->fields().get("Content-Type").starts_with("text/event-stream"))
      co_return no_old_stream(errc::unsupported, "the server offers no stream");
    auto const own = url::parse(to.url);
    auto const from = url::parse(stream->url());
    auto const events_of = std::make_shared<sse_stream>(std::move(*stream));
    auto const first = co_await events_of->async_next(until);
    if (!first) co_return first.error();
    if (!*first || (*first)->type != "endpoint")
      co_return no_old_stream(errc::parse_error, "the server's stream does not begin by saying where messages go");
    auto const place = from ? from->resolve((*first)->data) : from;
    if (!own || !place) co_return no_old_stream(errc::parse_error, "the server sends messages to a place that is none");
    if (place->origin() != own->origin() || from->origin() != own->origin())
      co_return no_old_stream(errc::denied, "the server sends messages to another origin, " + place->origin());
    messages_url = place->text();
    listening = std::make_shared<asio::cancellation_signal>();
    asio::co_spawn(executor, read_old_stream(shared_from_this(), events_of),
                   asio::bind_cancellation_slot(listening->slot(), [kept = listening](std::exception_ptr) {}));
    co_return result<void>{};
  }

  /// All answers come here; when it ends, so does the connection.
  task<void> read_old_stream(std::shared_ptr<http_link> /*kept alive*/, std::shared_ptr<sse_stream> events_of) {
    error why(errc::io_failed, "the server ended its stream", "mcp.http", to.url);
    for (;;) {
      auto event = co_await events_of->async_next();
      if (over) co_return;
      if (!event) why.message = "the server's stream broke off: " + event.error().message;
      if (!event || !*event) break;
      if (!(*event)->data.empty()) deliver(std::move((*event)->data));
    }
    if (events.closed) events.closed(std::move(why));
  }

  /// Whether an answer may be that of a server that knows nothing but HTTP+SSE. Later ones answer with a message.
  bool may_be_old(outgoing const& message, int status, result<std::string> const& body) const {
    return message.method == "initialize" && messages_url.empty() &&
           (status == 400 || status == 404 || status == 405) && (!body || !read_rpc(*body));
  }

  // ---- sending

  http_request post_of(outgoing const& message) const {
    auto r = request("POST");
    if (!messages_url.empty()) r.url = messages_url;
    r.fields.set("Content-Type", "application/json");
    r.fields.set("Accept", "application/json, text/event-stream");
    if (message.rev) r.fields.set("MCP-Protocol-Version", message.rev->name);
    if (message.rev && message.rev->stateless && !message.method.empty()) {
      r.fields.set("Mcp-Method", message.method);
      if (!message.name.empty()) r.fields.set("Mcp-Name", header_text(message.name));
    }
    for (auto const& [name, value] : message.headers) r.fields.set(name, value);
    r.body = message.text;
    return r;
  }

  task<void> post(std::shared_ptr<http_link> self, outgoing message) {
    auto const& id = message.id;
    auto r = post_of(message);
    auto stream = co_await open_stream(std::move(r), message.until);
    if (!stream) {
      fail(id, stream.error());
      co_return;
    }
    if (auto const given = stream->fields().find("Mcp-Session-Id"); given && message.method == "initialize")
      session = std::string(*given);
    auto const type = stream->fields().get("Content-Type");
    auto const status = stream->status();
    bool const by_old_stream = !messages_url.empty() && status >= 200 && status < 300;
    if (status == 200 && type.starts_with("text/event-stream") && !by_old_stream) {
      auto end = co_await read_events(std::move(*stream), id, message.until);
      bool const handshake = !message.rev || !message.rev->stateless;
      if (!end.answered && !id.empty() && handshake) end = co_await resume(std::move(end), id, message.until);
      if (!end.answered)
        fail(id, end.why.value_or(error(errc::io_failed, "the server's answer broke off", "mcp.http", to.url)));
      co_return;
    }
    auto body = co_await stream->async_rest(body_bytes_max, message.until);
    if (may_be_old(message, status, body)) {
      auto const old = co_await open_old_stream(message.until);
      if (old) {
        co_await post(std::move(self), std::move(message));  // once: messages_url is set
        co_return;
      }
      if (!old.error().is(errc::unsupported)) {
        fail(id, old.error());
        co_return;
      }
    }
    if (id.empty() || by_old_stream) co_return;
    if (!body)
      fail(id, body.error());
    else if (answers(*body, id))
      deliver(std::move(*body));
    else
      fail(id, refusal(status, *body));
  }

  /// What an answer means that does not answer.
  error refusal(int status, std::string const& body) const {
    error why(errc::io_failed, "the server answered " + std::to_string(status), "mcp.http", to.url);
    if (auto const read = read_rpc(body); read && read->kind == rpc_message::kind_type::error)
      why = make_rpc_error(
          static_cast<int>(integer_member(read->payload, "code").value_or(rpc_code::internal_error)),
          string_member(read->payload, "message").value_or("") + " (HTTP " + std::to_string(status) + ")",
          std::string(member(read->payload, "data")));
    else if (status == 404 || status == 405 || status == 400)
      why = make_rpc_error(rpc_code::method_not_found,
                           "the server answered " + std::to_string(status) + " and no message", {});
    else if (status == 200)
      why = no_answer();
    else if (status == 401 || status == 403)
      why = error(errc::denied, "the server refused with " + std::to_string(status), "mcp.http", to.url);
    return why;
  }

  /// The stream of what belongs to no request.
  task<void> listen(std::shared_ptr<http_link> /*kept alive*/) {
    stream_end last;
    bool had = false;
    for (int broken = 0; !over && broken < to.reconnects_max; ++broken) {
      auto r = request("GET");
      r.fields.set("Accept", "text/event-stream");
      if (!last.last_event.empty()) r.fields.set("Last-Event-ID", last.last_event);
      auto stream = co_await open_stream(std::move(r), no_deadline);
      if (stream && stream->status() != 200) {
        if (last.last_event.empty()) co_return;  // a server need not offer one
        last.last_event.clear();                 // it keeps that stream no longer: a new one
      } else if (stream) {
        had = true;
        auto const before = std::move(last);
        auto const from = std::chrono::steady_clock::now();
        std::string none;
        last = co_await read_events(std::move(*stream), std::move(none), no_deadline);
        if (last.last_event.empty()) last.last_event = before.last_event;
        if (std::chrono::steady_clock::now() - from > std::chrono::minutes(1)) broken = 0;
      } else if (!had) {
        co_return;
      }
      if (over) co_return;
      asio::steady_timer timer(executor, last.retry);
      boost::system::error_code ec;
      co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
      if (ec) co_return;
    }
  }
};

std::string http_link::to_base64_text(std::string const& text) { return to_base64(text); }

class http_transport final : public transport {
 public:
  explicit http_transport(http_server_address to) : to_(std::move(to)) {}
  ~http_transport() override { end(); }

  task<result<void>> async_open(transport_events events) override {
    link_ = std::make_shared<http_link>(to_, co_await asio::this_coro::executor);
    link_->events = std::move(events);
    co_return result<void>{};
  }

  void send(outgoing message) override {
    if (!link_ || link_->over) return;
    link_->rev = message.rev;
    auto const id = message.id;
    auto const stop = std::make_shared<asio::cancellation_signal>();
    if (!id.empty()) link_->open[id] = stop;
    auto work = link_->post(link_, std::move(message));
    asio::co_spawn(link_->executor, std::move(work),
                   asio::bind_cancellation_slot(stop->slot(), [link = link_, id, stop](std::exception_ptr) {
                     if (!id.empty()) link->open.erase(id);
                   }));
  }

  bool forget(std::string const& id) override {
    auto const at = link_ ? link_->open.find(id) : decltype(link_->open.find(id)){};
    if (!link_ || at == link_->open.end()) return false;
    auto const stop = at->second;
    stop->emit(asio::cancellation_type::terminal);
    // In the stateless era a closed stream is the cancellation itself.
    return link_->rev && link_->rev->stateless;
  }

  void opened_session() override {
    if (link_->session.empty() || !link_->messages_url.empty()) return;
    link_->listening = std::make_shared<asio::cancellation_signal>();
    asio::co_spawn(
        link_->executor, link_->listen(link_),
        asio::bind_cancellation_slot(link_->listening->slot(), [kept = link_->listening](std::exception_ptr) {}));
  }

  task<void> async_close() override {
    auto const link = link_;
    if (!link || link->over) co_return;
    end();
    if (link->session.empty()) co_return;
    // The server need not keep the session any longer.
    auto r = link->request("DELETE");
    auto ended = co_await link->open_stream(std::move(r), std::chrono::steady_clock::now() + std::chrono::seconds(2));
    (void)ended;
  }

 private:
  void end() {
    if (!link_ || std::exchange(link_->over, true)) return;
    link_->events = {};
    if (link_->listening) link_->listening->emit(asio::cancellation_type::terminal);
    auto const open = link_->open;
    for (auto const& [_, stop] : open) stop->emit(asio::cancellation_type::terminal);
  }
  http_server_address to_;
  std::shared_ptr<http_link> link_;
};

}  // namespace

std::unique_ptr<transport> make_http_transport(http_server_address to) {
  return std::make_unique<http_transport>(std::move(to));
}

}  // namespace wherry::inline v0::mcp
