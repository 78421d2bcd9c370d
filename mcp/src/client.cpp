#include "client_impl.hpp"

#include <wherry/core/runtime.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <future>
#include <mutex>
#include <thread>

namespace wherry::inline v0::mcp {

using namespace detail;
using boost::system::error_code;

namespace detail {

// ---------------------------------------------------------------- the shared thread

struct client_loop::state {
  asio::io_context loop{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard{loop.get_executor()};
};

client_loop::client_loop() : state_(std::make_shared<state>()), thread_([s = state_] { s->loop.run(); }) {}

client_loop::~client_loop() {
  if (runs_here()) {
    // Let go by its own last piece of work: what is left ends by itself.
    state_->guard.reset();
    thread_.detach();
    return;
  }
  state_->loop.stop();
  thread_.join();
}

bool client_loop::runs_here() const noexcept { return thread_.get_id() == std::this_thread::get_id(); }

asio::any_io_executor client_loop::executor() const { return state_->loop.get_executor(); }

std::shared_ptr<client_loop> client_loop::shared() {
  static std::mutex mutex;
  static std::weak_ptr<client_loop> current;
  std::lock_guard const lock(mutex);
  auto loop = current.lock();
  if (!loop) {
    loop.reset(new client_loop);
    current = loop;
  }
  return loop;
}

}  // namespace detail

// ---------------------------------------------------------------- messages

std::string client::impl::own_capabilities() const {
  std::string out = "{";
  if (options.roots) put_raw(out, "roots", rev && rev->stateless ? "{}" : R"({"listChanged":false})");
  if (options.sample || options.sampling_model) put_raw(out, "sampling", "{}");
  if (options.elicit) put_raw(out, "elicitation", !rev || rev->url_elicitation ? R"({"form":{},"url":{}})" : "{}");
  if (options.tasks && (!rev || rev->stateless)) put_raw(out, "extensions", R"({"io.modelcontextprotocol/tasks":{}})");
  return out + "}";
}

namespace {

std::string about_json(implementation const& who) {
  std::string out = "{";
  put_string(out, "name", who.name);
  put_string(out, "version", who.version);
  put_text(out, "title", who.title);
  return out + "}";
}

implementation read_implementation(std::string_view raw) {
  implementation out{.name = {}, .version = {}};
  out.name = string_member(raw, "name").value_or("");
  out.version = string_member(raw, "version").value_or("");
  out.title = string_member(raw, "title").value_or("");
  return out;
}

error error_of(std::string_view payload) {
  return make_rpc_error(static_cast<int>(integer_member(payload, "code").value_or(rpc_code::internal_error)),
                        string_member(payload, "message").value_or("the server gave no reason"),
                        std::string(member(payload, "data")));
}

/// An object with members added; `more` begins without a comma.
std::string with_members(std::string_view object, std::string_view more) {
  std::string out(object.substr(0, object.rfind('}')));
  if (more.empty()) return out + "}";
  auto const last = out.find_last_not_of(" \t\r\n");
  if (out[last] != '{') out += ',';
  out += more;
  return out + "}";
}

}  // namespace

std::string client::impl::meta_json(std::string_view given, std::string_view progress_token) const {
  std::string out = "{";
  if (is_object(given))
    each_member(given, [&](std::string_view key, std::string_view value) { return put_raw(out, key, value), true; });
  if (rev && rev->stateless) {
    put_string(out, meta_key::protocol_version, rev->name);
    put_raw(out, meta_key::client_info, about_json(options.about));
    put_raw(out, meta_key::client_capabilities, own_capabilities());
    if (options.log_from) put_string(out, meta_key::log_level, to_string(*options.log_from));
  }
  if (!progress_token.empty()) put_raw(out, "progressToken", progress_token);
  return out + "}";
}

void client::impl::notify(std::string_view method, std::string_view params) {
  outgoing message{.text = rpc_notification(method, params), .method = std::string(method), .rev = rev};
  over->send(std::move(message));
}

task<result<std::string>> client::impl::exchange(call_plan plan) {
  if (gone) co_return *gone;
  if (auto const pending = open.size() + held_up; pending >= options.in_flight_max)
    co_return error(errc::queue_full, "there are " + std::to_string(pending) + " requests without an answer already",
                    "mcp.client");
  auto const self = shared_from_this();
  auto const now = std::chrono::steady_clock::now();
  auto const outdated = [&] { return plan.options.generation && *plan.options.generation != generation; };
  if (reopening && !plan.opens && !outdated()) {
    auto const until = now + plan.options.time.value_or(options.request_time);
    ++held_up;
    auto ready = co_await with_deadline(reopened(), until, "starting the server again");
    --held_up;
    if (!ready) co_return std::move(ready).error();
  }
  if (outdated())
    co_return error(errc::conflict, "the server was started again since; look at what it offers now", "mcp.client");
  auto const id = std::to_string(++ids);
  std::string params = "{";
  std::string_view given_meta;
  each_member(plan.params, [&](std::string_view key, std::string_view value) {
    if (key == "_meta")
      given_meta = value;
    else
      put_raw(params, key, value);
    return true;
  });
  auto const meta = meta_json(given_meta, plan.options.progress ? id : std::string{});
  if (meta.size() > 2) put_raw(params, "_meta", meta);
  params += '}';

  auto const w = std::make_shared<waiting>(executor);
  w->progress = plan.options.progress;
  w->time = plan.options.time.value_or(options.request_time);
  w->last = now + plan.options.time.value_or(std::max(options.request_time, options.request_time_max));
  w->timer.expires_at(now + w->time);
  open[id] = w;
  outgoing message{.text = rpc_request(id, plan.method, params),
                   .id = id,
                   .method = plan.method,
                   .name = plan.name,
                   .rev = plan.method == "initialize" ? nullptr : rev,  // nothing is agreed yet
                   .headers = plan.headers,
                   .until = w->last};
  over->send(std::move(message));
  while (!w->outcome) {
    error_code ec;
    co_await w->timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (w->outcome) break;
    bool const cancelled = (co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none;
    if (!cancelled && std::chrono::steady_clock::now() < w->timer.expiry()) continue;  // progress moved it
    open.erase(id);
    bool const told = over->forget(id);
    if (!told && plan.method != "initialize")
      notify("notifications/cancelled", R"({"requestId":)" + id + R"(,"reason":"nobody waits any more"})");
    if (cancelled) co_return error(errc::cancelled, plan.method + " was cancelled", "mcp.client");
    error late(errc::deadline_exceeded,
               "the server did not answer " + plan.method + " within " + std::to_string(w->time.count()) + " ms",
               "mcp.client");
    late.retryable = true;
    co_return late;
  }
  open.erase(id);
  co_return std::move(*w->outcome);
}

namespace {

std::chrono::milliseconds left_until(deadline until) {
  auto const left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
  return std::max(left, std::chrono::milliseconds(0));
}

}  // namespace

task<result<std::string>> client::impl::call(call_plan plan) {
  auto const self = shared_from_this();
  auto const first_params = plan.params;
  // A time that was asked for is that of the whole call; without one each round has its own, for users think slowly.
  auto const until = plan.options.time ? std::chrono::steady_clock::now() + *plan.options.time : no_deadline;
  for (std::size_t round = 0; round < options.rounds_max; ++round) {
    if (until != no_deadline) plan.options.time = left_until(until);
    auto outcome = co_await exchange(plan);
    if (!outcome) {
      auto const& e = outcome.error();
      if (!is_rpc_error(e) || e.code.value() != rpc_code::unsupported_protocol_version || !rev->stateless ||
          std::exchange(retried_revision, true))
        co_return std::move(outcome).error();
      // The server names what it speaks: the first that we speak too is taken.
      revision const* other = nullptr;
      auto const supported = member(e.path, "supported");
      if (is_array(supported))
        each_item(supported, [&](std::string_view item) {
          auto const* const row = find_revision(unquoted(item));
          if (row && row->stateless) other = row;
          return other == nullptr;
        });
      if (!other) co_return std::move(outcome).error();
      rev = other;
      continue;
    }
    auto const type = string_member(*outcome, "resultType");
    if (!type || *type == "complete") co_return std::move(*outcome);
    if (*type == "task") {
      auto const end = until != no_deadline ? until : std::chrono::steady_clock::now() + options.request_time_max;
      auto done = co_await follow_task(std::move(*outcome), end);
      co_return done;
    }
    if (*type != "input_required")
      co_return error(errc::unsupported, "the server answered with a result of the unknown type \"" + *type + "\"",
                      "mcp.client");
    std::string more;
    auto const asked = member(*outcome, "inputRequests");
    if (is_object(asked)) {
      auto answers = co_await with_deadline(answer_all(std::string(asked)), until, "answering the server's questions");
      if (!answers) co_return std::move(answers).error();
      more = R"("inputResponses":)" + *answers;
    }
    auto const state = member(*outcome, "requestState");
    if (is_string(state)) more += std::string(more.empty() ? "" : ",") + R"("requestState":)" + std::string(state);
    plan.params = with_members(first_params, more);
  }
  co_return error(errc::limit_reached,
                  "the server asked more than " + std::to_string(options.rounds_max) + " times within one call",
                  "mcp.client");
}

task<result<std::string>> client::impl::follow_task(std::string made, deadline until) {
  auto const self = shared_from_this();
  auto const id = string_member(made, "taskId");
  if (!id) co_return error(errc::parse_error, "the server made a task without an id", "mcp.client");
  std::string named = "{";
  put_string(named, "taskId", *id);
  auto const poll = std::chrono::milliseconds(
      std::clamp<std::int64_t>(integer_member(made, "pollIntervalMs").value_or(500), 10, 10'000));
  asio::steady_timer timer(executor);
  auto const made_by = generation.load();
  for (;;) {
    call_plan look{.method = "tasks/get", .params = named + "}", .name = *id};
    look.options.generation = made_by;
    look.options.time = std::min(options.request_time, left_until(until));
    auto state = co_await exchange(look);
    bool const late = std::chrono::steady_clock::now() >= until;
    if (!state && !late) co_return std::move(state).error();
    auto const status = state ? string_member(*state, "status").value_or("") : std::string{};
    if (status == "completed") co_return std::string(member(*state, "result"));
    if (status == "failed") co_return error_of(member(*state, "error"));
    if (status == "cancelled") co_return error(errc::cancelled, "the task was cancelled on the server", "mcp.client");
    if (status == "input_required" && !late) {
      auto answers = co_await with_deadline(answer_all(std::string(member(*state, "inputRequests"))), until,
                                            "answering the server's questions");
      if (!answers) co_return std::move(answers).error();
      call_plan update{
          .method = "tasks/update", .params = named + R"(,"inputResponses":)" + *answers + "}", .name = *id};
      update.options.time = std::min(options.request_time, left_until(until));
      auto acknowledged = co_await exchange(update);
      if (!acknowledged) co_return std::move(acknowledged).error();
      continue;
    }
    error_code ec;
    timer.expires_at(std::min(until, std::chrono::steady_clock::now() + poll));
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    bool const cancelled = (co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none;
    if (!cancelled && std::chrono::steady_clock::now() < until) continue;
    asio::co_spawn(executor, cancel_task(*id), [](std::exception_ptr) {});  // nobody waits for what comes of it
    if (cancelled) co_return error(errc::cancelled, "waiting for the task was cancelled", "mcp.client");
    co_return error(errc::deadline_exceeded, "the task did not end in time", "mcp.client");
  }
}

task<void> client::impl::cancel_task(std::string id) {
  auto const self = shared_from_this();
  std::string named = "{";
  put_string(named, "taskId", id);
  call_plan stop{.method = "tasks/cancel", .params = named + "}", .name = id};
  stop.options.generation = generation.load();
  auto const told = co_await exchange(stop);
  (void)told;
}

void client::impl::fail(std::string const& id, error why) {
  auto const at = open.find(id);
  if (at == open.end() || at->second->outcome) return;
  at->second->outcome = std::move(why);
  at->second->timer.cancel();
}

void client::impl::fail_all(error const& why) {
  for (auto const& [_, w] : open) {
    if (w->outcome) continue;
    w->outcome = why;
    w->timer.cancel();
  }
}

void client::impl::lose(error why) {
  if (gone) return;
  gone = why;
  fail_all(why);
  pause.cancel();
  if (reopening) reopening->cancel();
}

void client::impl::take(std::string text) {
  auto const read = read_rpc(text);
  if (!read) return;  // nobody can be told: it may have been an answer
  auto const& m = *read;
  using kind = rpc_message::kind_type;
  if (m.kind == kind::result || m.kind == kind::error) {
    auto const at = open.find(m.id);
    if (at == open.end() || at->second->outcome) return;  // late, or never asked
    if (m.kind == kind::result)
      at->second->outcome = std::string(m.payload);
    else
      at->second->outcome = error_of(m.payload);
    at->second->timer.cancel();
    return;
  }
  if (m.kind == kind::request) {
    asio::co_spawn(executor, answer_request(std::string(m.id), std::string(m.method), std::string(m.params)),
                   [](std::exception_ptr) {});
    return;
  }
  if (m.method == "notifications/progress") {
    auto const at = open.find(member(m.params, "progressToken"));
    if (at == open.end()) return;
    auto& w = *at->second;
    w.timer.expires_at(std::min(w.last, std::chrono::steady_clock::now() + w.time));
    if (w.progress)
      w.progress(number_in(member(m.params, "progress")).value_or(0), number_in(member(m.params, "total")),
                 string_member(m.params, "message").value_or(""));
  } else if (m.method == "notifications/message") {
    if (options.log)
      options.log(severity_of(string_member(m.params, "level").value_or("")).value_or(severity::info),
                  string_member(m.params, "logger").value_or(""), raw_json{std::string(member(m.params, "data"))});
  } else if (m.method == "notifications/tools/list_changed") {
    lists.erase("tools/list");
    if (options.changed) options.changed("tools");
  } else if (m.method == "notifications/prompts/list_changed") {
    lists.erase("prompts/list");
    if (options.changed) options.changed("prompts");
  } else if (m.method == "notifications/resources/list_changed") {
    lists.erase("resources/list");
    lists.erase("resources/templates/list");
    if (options.changed) options.changed("resources");
  } else if (m.method == "notifications/resources/updated") {
    if (options.changed) options.changed(string_member(m.params, "uri").value_or(""));
  }
}

// ---------------------------------------------------------------- beginning

void client::impl::keep_about(std::string_view capabilities_json, std::string_view answer, std::string_view about) {
  if (opened) return;  // handles have given out references to it
  capabilities.text = std::string(capabilities_json);
  instructions = string_member(answer, "instructions").value_or("");
  server_info = read_implementation(about);
}

task<result<void>> client::impl::discover() {
  call_plan plan{.method = "server/discover"};
  plan.opens = true;
  plan.options.time = options.probe_time;
  auto found = co_await call(std::move(plan));
  if (!found) co_return std::move(found).error();
  keep_about(member(*found, "capabilities"), *found, member(member(*found, "_meta"), meta_key::server_info));
  auto const spoken = member(*found, "supportedVersions");
  bool common = false;
  if (is_array(spoken))
    each_item(spoken, [&](std::string_view item) {
      auto const* const row = find_revision(unquoted(item));
      if (row && row->stateless && (!common || row->name > rev->name)) {
        rev = row;
        common = true;
      }
      return true;
    });
  if (!common)
    co_return make_rpc_error(rpc_code::unsupported_protocol_version,
                             "the server speaks no stateless revision that this client knows");
  co_return result<void>{};
}

task<result<void>> client::impl::handshake(revision const& asked) {
  rev = &asked;
  call_plan plan{.method = "initialize"};
  plan.opens = true;
  plan.params = R"({"protocolVersion":")" + std::string(asked.name) + R"(","capabilities":)" + own_capabilities() +
                R"(,"clientInfo":)" + about_json(options.about) + "}";
  plan.options.time = options.connect_time;
  auto answered = co_await exchange(std::move(plan));
  if (!answered) co_return std::move(answered).error();
  auto const name = string_member(*answered, "protocolVersion").value_or("");
  auto const* const chosen = find_revision(name);
  if (!chosen || chosen->stateless)
    co_return error(errc::unsupported,
                    "the server wants to speak revision \"" + name + "\", which this client does not", "mcp.client");
  rev = chosen;
  auto const able = member(*answered, "capabilities");
  keep_about(able, *answered, member(*answered, "serverInfo"));
  notify("notifications/initialized", {});
  over->opened_session();
  if (options.log_from && !member(able, "logging").empty()) {
    call_plan level{.method = "logging/setLevel",
                    .params = R"({"level":")" + std::string(to_string(*options.log_from)) + "\"}"};
    level.opens = true;
    auto set = co_await exchange(std::move(level));
    if (!set) co_return std::move(set).error();
  }
  co_return result<void>{};
}

task<result<void>> client::impl::open_up() {
  auto const self = shared_from_this();
  auto begun = co_await begin(nullptr);
  if (!begun) co_return std::move(begun).error();
  agreed = rev;
  opened = true;
  co_return result<void>{};
}

task<result<void>> client::impl::begin(revision const* known) {
  auto const self = shared_from_this();
  co_await asio::this_coro::throw_if_cancelled(false);
  if (!options.revision.empty() && !find_revision(options.revision))
    co_return error(errc::invalid_argument, "there is no revision \"" + options.revision + "\"", "mcp.client.connect",
                    options.revision);
  std::weak_ptr<impl> const weak = self;
  transport_events events;
  events.message = [weak](std::string text) {
    if (auto const c = weak.lock()) c->take(std::move(text));
  };
  events.failed = [weak](std::string id, error why) {
    if (auto const c = weak.lock()) c->fail(id, std::move(why));
  };
  events.closed = [weak](error why) {
    if (auto const c = weak.lock()) c->interrupt(std::move(why));
  };
  auto ready = co_await over->async_open(std::move(events));
  if (!ready) co_return std::move(ready).error();
  auto const* const pinned = find_revision(options.revision);
  auto const* const first = pinned ? pinned : known;
  if (first && !first->stateless) {
    auto shaken = co_await handshake(*first);
    co_return shaken;
  }
  rev = first ? first : &newest_stateless();
  if (pinned) co_return result<void>{};  // what it offers shows when it is used
  auto found = co_await discover();
  if (found) co_return result<void>{};
  auto const& e = found.error();
  // A server of the era before does not know the question; one may also not answer it at all.
  if (gone || (!is_rpc_error(e) && !e.is(errc::deadline_exceeded))) co_return std::move(found).error();
  auto shaken = co_await handshake(newest_handshake());
  co_return shaken;
}

// ---------------------------------------------------------------- the handle

namespace {

/// For a child to end on its own terms when the last handle goes.
constexpr auto goodbye_time = std::chrono::seconds(5);

}  // namespace

client::holder::~holder() {
  if (!inside) return;
  auto loop = inside->loop;
  auto const executor = inside->executor;
  auto const ended = std::make_shared<std::promise<void>>();
  auto farewell = ended->get_future();
  asio::co_spawn(
      executor,
      [](std::shared_ptr<impl> last) -> task<void> {
        last->lose({errc::cancelled, "the client was let go", "mcp.client"});
        co_await last->over->async_close();
      }(std::move(inside)),
      [ended](std::exception_ptr) { ended->set_value(); });
  // The shared thread ends before the program does, unless waiting for it would hold up a loop.
  if (loop && !loop->runs_here() && !wherry::detail::loop_runs_here()) farewell.wait_for(goodbye_time);
}

task<result<client>> client::async_connect(std::unique_ptr<transport> over, client_options options) {
  std::shared_ptr<client_loop> loop;
  auto where = options.executor;
  if (!where) {
    loop = client_loop::shared();
    where = loop->executor();
  }
  auto h = std::make_shared<holder>();
  h->inside = std::make_shared<impl>(std::move(over), std::move(options), loop, where);
  auto opened = co_await run_there(where, h->inside->open_up());
  if (!opened) co_return std::move(opened).error();
  co_return client(std::move(h));
}

result<client> client::connect(std::unique_ptr<transport> over, client_options options) {
  std::optional<result<client>> outcome;
  auto work = [](std::unique_ptr<transport> t, client_options o,
                 std::optional<result<client>>* into) -> task<result<void>> {
    into->emplace(co_await async_connect(std::move(t), std::move(o)));
    co_return result<void>{};
  };
  auto done =
      run_blocking(work(std::move(over), std::move(options), &outcome), "client::connect", "client::async_connect");
  if (!done) return std::move(done).error();
  return std::move(*outcome);
}

revision const& client::protocol() const noexcept { return *holder_->inside->agreed.load(); }
std::uint64_t client::generation() const noexcept { return holder_->inside->generation; }
implementation const& client::server_info() const noexcept { return holder_->inside->server_info; }
std::string const& client::instructions() const noexcept { return holder_->inside->instructions; }
raw_json const& client::server_capabilities() const noexcept { return holder_->inside->capabilities; }

task<result<raw_json>> client::async_request(std::string method, raw_json params, request_options options) const {
  auto const h = holder_;
  if (check_json(params.text, message_depth_max) || !is_object(params.text))
    co_return error(errc::invalid_argument, "the params of " + method + " are not a JSON object", "mcp.client");
  call_plan plan{.method = std::move(method), .params = std::move(params.text), .options = std::move(options)};
  if (auto name = string_member(plan.params, plan.method == "resources/read"     ? "uri"
                                             : plan.method.starts_with("tasks/") ? "taskId"
                                                                                 : "name"))
    plan.name = std::move(*name);
  auto outcome = co_await run_there(h->inside->executor, h->inside->call(std::move(plan)));
  if (!outcome) co_return std::move(outcome).error();
  co_return raw_json{std::move(*outcome)};
}

task<void> client::async_close() const {
  auto const h = holder_;
  auto work = [](std::shared_ptr<impl> inside) -> task<bool> {
    inside->lose({errc::cancelled, "the client was closed", "mcp.client"});
    co_await inside->over->async_close();
    co_return true;
  };
  co_await run_there(h->inside->executor, work(h->inside));
}

result<raw_json> client::request(std::string method, raw_json params) const {
  return run_blocking(async_request(std::move(method), std::move(params)), "client::request", "client::async_request");
}

void client::close() const {
  auto work = [](client c) -> task<result<void>> {
    co_await c.async_close();
    co_return result<void>{};
  };
  (void)run_blocking(work(*this), "client::close", "client::async_close");
}

}  // namespace wherry::inline v0::mcp
