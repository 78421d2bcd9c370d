// A call's way to its answer.

#include "call.hpp"

#include "content_json.hpp"
#include "server_state.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

namespace wherry::inline v0::mcp::detail {

call_state::~call_state() { end(); }

/// What a call holds of the server is given back, once.
void call_state::end() {
  if (counted) {
    counted = false;
    --server->calls;
  }
  if (session && !session->calls.empty()) {
    auto const at = session->calls.find(id);
    if (at != session->calls.end() && (at->second.expired() || at->second.lock().get() == this))
      session->calls.erase(at);
  }
}

void call_state::send(std::string_view message_text, int status) {
  answered = true;
  auto const to = std::exchange(out, nullptr);
  if (to) to->finish(message_text, status);
}

namespace {

/// Revisions without a session tell HTTP what kind of error it was.
int status_of(int code, revision const* rev) {
  if (!rev || !rev->stateless) return 200;
  switch (code) {
    case rpc_code::method_not_found: return 404;
    case rpc_code::header_mismatch:
    case rpc_code::missing_client_capability:
    case rpc_code::unsupported_protocol_version: return 400;
    default: return 200;
  }
}

}  // namespace

void call_state::answer(std::string_view members, std::string_view meta, std::string_view result_type) {
  std::string text_out;
  text_out.reserve(members.size() + meta.size() + id.size() + server->result_meta.size() + 96);
  text_out.append(R"({"jsonrpc":"2.0","id":)").append(id).append(R"(,"result":{)").append(members);
  auto more = [&, first = members.empty()]() mutable {
    if (!first) text_out += ',';
    first = false;
  };
  if (rev->stateless) {
    more();
    text_out.append(R"("resultType":")").append(result_type).append(R"(","_meta":{)").append(server->result_meta);
    if (meta.size() > 2) text_out.append(",").append(meta.substr(1, meta.size() - 2));
    text_out += '}';
  } else if (!meta.empty()) {
    more();
    text_out.append(R"("_meta":)").append(meta);
  }
  text_out += "}}";
  send(text_out, 200);
}

void call_state::refuse(int code, std::string_view message_text, std::string_view data) {
  send(rpc_error(id, code, message_text, data), bad_request ? 400 : status_of(code, rev));
}

void call_state::fail(error const& e) {
  if (is_rpc_error(e)) return refuse(e.code.value(), e.message, e.path);
  if (is_tool) {
    std::string what = e.message;
    if (e.is(errc::output_invalid) && e.where == "schema.decode")
      what = "invalid arguments" + (e.path.empty() ? std::string() : " at " + e.path) + ": " + what;
    std::string members;
    append_text_result(members, what, true);
    return answer(members, {});
  }
  if (e.is(errc::output_invalid))
    return refuse(rpc_code::invalid_params,
                  "invalid arguments" + (e.path.empty() ? std::string() : " at " + e.path) + ": " + e.message);
  if (e.is(errc::not_found) && !params.uri.empty())
    return refuse(rev->resource_not_found, e.message, R"({"uri":)" + std::string(params.uri) + "}");
  refuse(rpc_code::internal_error, e.message);
}

void call_state::tell(std::string message_text) {
  asio::dispatch(executor, [self = shared_from_this(), message_text = std::move(message_text)] {
    if (self->out && !self->answered) self->out->notify(message_text);
  });
}

void call_state::disconnect(std::chrono::milliseconds retry) {
  asio::dispatch(executor, [self = shared_from_this(), retry] {
    if (self->out && !self->answered) self->out->disconnect(retry);
  });
}

void call_state::arm(std::chrono::milliseconds limit_of_call) {
  if (!limit) limit.emplace(executor);
  limit->expires_after(limit_of_call);
  limit->async_wait([weak = weak_from_this(), limit_of_call](boost::system::error_code ec) {
    auto const self = ec ? nullptr : weak.lock();
    if (!self || self->answered) return;
    error const late(errc::deadline_exceeded, "timed out after " + std::to_string(limit_of_call.count()) + " ms",
                     "mcp.server");
    if (self->task)
      self->complete(late);
    else
      self->fail(late);
    self->abandon();
  });
}

void call_state::disarm() {
  if (limit) limit->cancel();
}

void call_state::abandon() {
  cancelled = true;
  disarm();
  if (stop) stop->stop();
  {
    std::lock_guard const lock(server->mutex);
    if (!waiting_as.empty()) server->waiting.erase(waiting_as);
    std::erase_if(server->listeners, [this](listener const& l) { return l.call.get() == this; });
  }
  auto const self = shared_from_this();
  if (!answered) send({}, 200);  // ends the exchange without a message
  // The handler may be what called us: it is told on the next turn of the loop.
  asio::post(executor, [self] {
    self->cancel.emit(asio::cancellation_type::terminal);
    if (self->wake) self->wake->cancel();
  });
}

void call_state::complete(result<result_body> outcome) {
  disarm();
  auto const self = shared_from_this();
  if (task) {
    bool const failed = !outcome && (is_rpc_error(outcome.error()) || !is_tool);
    std::string json;
    if (outcome) {
      json = "{" + outcome->members + (outcome->meta.empty() ? "" : ",\"_meta\":" + outcome->meta) +
             R"(,"resultType":"complete"})";
    } else if (failed) {
      auto const whole = rpc_error("0", rpc_code_of(outcome.error()), outcome.error().message,
                                   is_rpc_error(outcome.error()) ? outcome.error().path : std::string{});
      json = std::string(member(whole, "error"));
    } else {
      json = "{";
      append_text_result(json, outcome.error().message, true);
      json += R"(,"resultType":"complete"})";
    }
    std::lock_guard const lock(server->mutex);
    if (task->ended()) return;
    task->status = failed ? task_entry::status_type::failed : task_entry::status_type::completed;
    task->updated = server->now();
    task->forget_at = task->updated + server->options.task_ttl.count();
    task->outcome = std::move(json);
    task->asked.clear();
    return;
  }
  if (answered) return;
  if (outcome)
    answer(outcome->members, outcome->meta);
  else
    fail(outcome.error());
}

// ---------------------------------------------------------------- handlers

namespace {

error thrown(char const* what) { return {errc::tool_failed, what, "mcp.server"}; }

template <class F>
result<result_body> guarded(F&& function) {
  try {
    return function();
  } catch (std::exception const& e) {
    return thrown(e.what());
  } catch (...) {
    return thrown("the handler threw something that is no std::exception");
  }
}

task<void> see_through(std::shared_ptr<call_state> call, task<result<result_body>> work) {
  result<result_body> outcome = error(errc::cancelled, "the call was cancelled", "mcp.server");
  try {
    outcome = co_await std::move(work);
  } catch (std::exception const& e) {
    outcome = thrown(e.what());
  } catch (...) {
    outcome = thrown("the handler threw something that is no std::exception");
  }
  call->complete(std::move(outcome));
}

task<result<result_body>> on_pool(std::shared_ptr<call_state> call, handler const* run, std::string arguments) {
  auto work = [call, run, arguments = std::move(arguments)] {
    return guarded([&] { return run->now(context(call), arguments); });
  };
  co_return co_await offload(call->server->options.pool, std::move(work), std::string(call->message.method));
}

}  // namespace

void run_task(std::shared_ptr<call_state> const& call, task<result<result_body>> work) {
  if (call->server->calls >= call->server->options.calls_max) {
    error const busy(std::error_code(rpc_code::internal_error, rpc_category()),
                     "the server has too many calls under way; try again later", "mcp.server");
    if (call->task)
      call->complete(busy);
    else
      call->fail(busy);
    return;
  }
  ++call->server->calls;
  call->counted = true;
  if (call->session) call->session->calls[call->id] = call;
  call->stop.emplace();
  call->arm(call->time_limit.count() > 0 ? call->time_limit : call->server->options.time_limit);
  asio::co_spawn(call->executor, see_through(call, std::move(work)),
                 asio::bind_cancellation_slot(call->cancel.slot(), [call](std::exception_ptr) {}));
}

void run_handler(std::shared_ptr<call_state> const& call, handler const& run, bool in_place,
                 std::string_view arguments) {
  if (run.now && in_place) {
    context const c(call);
    auto outcome = guarded([&] { return run.now(c, arguments); });
    bool const is_a_coroutine = !outcome && outcome.error().is(errc::would_block_loop) && run.later;
    if (!is_a_coroutine) return call->complete(std::move(outcome));
  }
  if (run.later) return run_task(call, run.later(context(call), std::string(arguments)));
  run_task(call, on_pool(call, &run, std::string(arguments)));
}

}  // namespace wherry::inline v0::mcp::detail
