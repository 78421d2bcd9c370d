#include <wherry/tools/tool_executor.hpp>

#include <wherry/core/text.hpp>

#include "call_group.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <utility>

namespace wherry::inline v0 {

namespace asio = boost::asio;

namespace {

/// One call on its way through the executor.
struct call_state {
  tool_call call;
  tool const* target = nullptr;  ///< Null: answered without being dispatched.
  bound_call bound;
  std::string key;      ///< Of a writing call.
  bool certain = true;  ///< Whether the outcome of the dispatched call is known.
  std::optional<tool_result> result;

  bool to_run() const { return target && !result; }
  bool writes() const { return target && target->effect() == effect_class::writes; }
};

/// What all calls of one batch share. Kept alive by every coroutine that looks at it.
struct batch_state {
  tool_registry tools;
  tool_executor_options options;
  tool_batch batch;
  std::vector<call_state> calls;
  std::optional<error> failure;  ///< Of the journal: ends the batch.
};

/// What came of a call, good or bad: a tool's own error is data of the run.
struct called {
  std::string content;
  bool failed = false;
};

called to_called(result<std::string> outcome) {
  if (outcome) return {std::move(*outcome), false};
  return {"failed: " + outcome.error().message, true};
}

template <class Function>
called guarded(Function&& function) {
  try {
    return to_called(function());
  } catch (std::exception const& e) {
    return {std::string("failed: the tool threw: ") + e.what(), true};
  } catch (...) {
    return {"failed: the tool threw something that is no std::exception", true};
  }
}

/// The longest prefix within the bound that ends on a code point, with a word about what is missing.
std::string bounded(std::string content, std::size_t bytes_max) {
  if (!is_valid_utf8(content)) content = utf8_repaired(content);
  if (content.size() <= bytes_max) return content;
  auto const whole = content.size();
  content.resize(utf8_complete_prefix(std::string_view(content).substr(0, bytes_max)));
  return content + "\n[cut: " + std::to_string(whole) + " bytes, the first " + std::to_string(content.size()) +
         " are shown]";
}

tool_result make_result(tool_call const& call, std::string content, bool failed) {
  return {.call_id = call.id, .name = call.name, .content = std::move(content), .failed = failed};
}

// ---------------------------------------------------------------- before dispatch

void refuse(call_state& c, std::string why) { c.result = make_result(c.call, std::move(why), true); }

std::string unknown_tool(std::string const& name, tool_registry const& tools) {
  std::string known;
  for (auto const& t : tools.tools()) known += (known.empty() ? "" : ", ") + t.name();
  return "failed: there is no tool \"" + name + "\"; " +
         (known.empty() ? "no tools are available" : "the tools are " + known);
}

std::string invalid_arguments(error const& e) {
  return "failed: invalid arguments" + (e.path.empty() ? std::string() : " at " + e.path) + ": " + e.message;
}

/// Finds the tool and reads the arguments; what cannot be dispatched gets its result here.
call_state check(tool_call call, tool_registry const& tools) {
  call_state c{.call = std::move(call), .bound = {}, .key = {}, .result = {}};
  c.target = tools.find(c.call.name);
  if (!c.target) {
    refuse(c, unknown_tool(c.call.name, tools));
  } else if (auto bound = c.target->bind(c.call.arguments)) {
    c.bound = std::move(*bound);
  } else {
    refuse(c, invalid_arguments(bound.error()));
  }
  return c;
}

approval decide(call_state const& c, approval_policy const& policy, std::map<std::string, approval> const& answers) {
  auto const decided = policy.decide(c.call, c.target->effect());
  if (decided != approval::ask) return decided;
  auto const answer = answers.find(c.call.id);
  return answer == answers.end() ? approval::ask : answer->second;
}

std::vector<call_state> check_all(std::vector<tool_call> calls, tool_registry const& tools) {
  std::vector<call_state> checked;
  checked.reserve(calls.size());
  for (auto& call : calls) {
    bool const first =
        std::none_of(checked.begin(), checked.end(), [&](auto const& c) { return c.call.id == call.id; });
    checked.push_back(check(std::move(call), tools));
    if (!first)
      refuse(checked.back(), "failed: the call id \"" + checked.back().call.id + "\" stands twice in one step");
  }
  return checked;
}

error needs_approval(std::vector<tool_call> const& calls) {
  std::string names;
  for (auto const& call : calls) names += (names.empty() ? "" : ", ") + call.name + " (" + call.id + ")";
  return {errc::needs_approval, "these calls wait for approval: " + names, "tool_executor.run"};
}

// ---------------------------------------------------------------- the journal

task<result<void>> announce(std::shared_ptr<batch_state> state) {
  std::vector<effect_intent> intents;
  std::vector<call_state*> announced;
  for (auto& c : state->calls) {
    if (!c.to_run() || !c.writes()) continue;
    intents.push_back({c.key, c.call});
    announced.push_back(&c);
  }
  if (intents.empty() || !state->batch.journal) co_return result<void>{};
  auto const records = co_await state->batch.journal->intend(std::move(intents));
  if (!records) co_return records.error();
  assert(records->size() == announced.size() && "the journal answers each intent");
  for (std::size_t i = 0; i < announced.size(); ++i) {
    auto const& record = (*records)[i];
    if (record.known == effect_status::state::done) announced[i]->result = record.result;
    if (record.known == effect_status::state::unknown)
      refuse(*announced[i],
             "failed: this call was dispatched before and its outcome was not recorded; it is not repeated. Find out "
             "whether it happened before trying another way");
  }
  co_return result<void>{};
}

task<void> settle(std::shared_ptr<batch_state> state, std::size_t index) {
  auto& c = state->calls[index];
  if (!state->batch.journal || !c.writes()) co_return;
  effect_end end{.effect_key = c.key, .result = *c.result, .certain = c.certain};
  auto const done = co_await state->batch.journal->settle(std::move(end));
  if (!done && !state->failure) state->failure = done.error();
}

// ---------------------------------------------------------------- dispatch

deadline deadline_of(call_state const& c, batch_state const& state) {
  auto const limit = c.target->time_limit().value_or(state.options.time_limit);
  return std::min(state.batch.until, std::chrono::steady_clock::now() + limit);
}

/// Decides whether a queued call starts or is withdrawn: exactly one of the two happens.
class start_gate {
 public:
  bool start() { return pass(state::started); }
  bool withdraw() { return pass(state::withdrawn); }

 private:
  enum class state { waiting, started, withdrawn };
  bool pass(state next) {
    auto expected = state::waiting;
    return state_.compare_exchange_strong(expected, next);
  }
  std::atomic<state> state_{state::waiting};
};

task<result<called>> call_on_pool(compute_pool pool, bound_call bound, tool_context context, std::string label,
                                  std::shared_ptr<start_gate> gate) {
  auto work = [bound = std::move(bound), context = std::move(context), gate] {
    return gate->start() ? guarded([&] { return bound.now(context); }) : called{};
  };
  co_return co_await offload(std::move(pool), std::move(work), std::move(label));
}

task<result<called>> call_here(bound_call bound, tool_context context, std::shared_ptr<start_gate> gate) {
  gate->start();
  called outcome;
  try {
    outcome = to_called(co_await bound.later(std::move(context)));
  } catch (std::exception const& e) {
    outcome = {std::string("failed: the tool threw: ") + e.what(), true};
  } catch (...) {
    outcome = {"failed: the tool threw something that is no std::exception", true};
  }
  co_return outcome;
}

void finish(call_state& c, batch_state const& state, called outcome) {
  c.result = make_result(c.call, bounded(std::move(outcome.content), state.options.result_bytes_max), outcome.failed);
}

/// The result of a call that nobody waits for any more. One that never started is known not to have happened.
void give_up(call_state& c, start_gate& gate, error const& reason) {
  c.certain = gate.withdraw();
  std::string why = reason.is(errc::deadline_exceeded) ? "failed: timed out" : "failed: " + reason.message;
  if (c.certain)
    why += "; the call was never started";
  else if (c.writes())
    why += "; the run goes on without the call, which may still take effect";
  else
    why += "; the run goes on without the call";
  refuse(c, std::move(why));
}

tool_context context_of(call_state const& c, batch_state const& state) {
  tool_context context;
  context.run_id = state.batch.run_id;
  context.call_id = c.call.id;
  context.effect_key = c.key;
  context.until = deadline_of(c, state);
  return context;
}

bool runs_here(call_state const& c) { return c.target->runs_inline() && c.bound.now; }

void dispatch_here(call_state& c, batch_state const& state) {
  auto const context = context_of(c, state);
  finish(c, state, guarded([&] { return c.bound.now(context); }));
}

/// Runs one call to its result.
task<void> dispatch(std::shared_ptr<batch_state> state, std::size_t index) {
  auto& c = state->calls[index];
  if (runs_here(c)) {
    dispatch_here(c, *state);
    co_return;
  }
  auto context = context_of(c, *state);
  auto const stop = context.stop;
  auto const until = context.until;
  auto const label = "tool " + c.call.name + " (" + c.call.id + ")";
  auto const gate = std::make_shared<start_gate>();
  auto work = c.bound.now ? call_on_pool(state->options.pool, std::move(c.bound), std::move(context), label, gate)
                          : call_here(std::move(c.bound), std::move(context), gate);
  auto outcome = co_await with_deadline(std::move(work), until, label);
  stop.stop();
  if (outcome)
    finish(c, *state, std::move(*outcome));
  else
    give_up(c, *gate, outcome.error());
}

/// A coroutine of its own: what it awaits does not throw when it is cancelled, so that the journal hears of each end.
task<void> run_one(std::shared_ptr<batch_state> state, std::size_t index) {
  co_await asio::this_coro::throw_if_cancelled(false);
  bool const cancelled = (co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none;
  if (cancelled) co_return;
  co_await dispatch(state, index);
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await settle(state, index);
}

/// Calls that all run on this thread need nobody to watch over them.
bool all_run_here(batch_state const& state, std::vector<std::size_t> const& group) {
  return std::all_of(group.begin(), group.end(), [&](std::size_t i) { return runs_here(state.calls[i]); });
}

/// The next calls that may run side by side: neighbouring reads, or one write. Empty at the end.
std::vector<std::size_t> next_group(batch_state const& state, std::size_t& position) {
  std::vector<std::size_t> group;
  for (; position < state.calls.size(); ++position) {
    auto const& c = state.calls[position];
    if (!c.to_run()) continue;
    if (c.writes() && !group.empty()) break;
    group.push_back(position);
    if (c.writes()) {
      ++position;
      break;
    }
  }
  return group;
}

/// What was announced and never reached did not happen; the journal is told so.
task<void> withdraw_rest(std::shared_ptr<batch_state> state) {
  for (std::size_t i = 0; i < state->calls.size(); ++i) {
    auto& c = state->calls[i];
    if (!c.to_run()) continue;
    refuse(c, "failed: the run was cancelled before this call was dispatched");
    co_await settle(state, i);
  }
}

}  // namespace

tool_executor::tool_executor(tool_registry tools, approval_policy policy, tool_executor_options options)
    : tools_(std::move(tools)), policy_(std::move(policy)), options_(std::move(options)) {
  assert(options_.parallel_max > 0 && options_.time_limit.count() > 0);
}

std::vector<tool_call> tool_executor::awaiting_approval(std::vector<tool_call> const& calls,
                                                        std::map<std::string, approval> const& answers) const {
  std::vector<tool_call> waiting;
  if (!policy_.may_ask()) return waiting;
  for (auto const& c : check_all(calls, tools_))
    if (c.to_run() && decide(c, policy_, answers) == approval::ask) waiting.push_back(c.call);
  return waiting;
}

task<result<std::vector<tool_result>>> tool_executor::async_run(std::vector<tool_call> calls, tool_batch batch) const {
  auto const state = std::make_shared<batch_state>(batch_state{tools_, options_, std::move(batch), {}, {}});
  state->calls = check_all(std::move(calls), state->tools);

  std::vector<tool_call> waiting;
  for (auto& c : state->calls) {
    if (!c.to_run()) continue;
    if (c.writes()) c.key = effect_key(state->batch.run_id, c.call);
    auto const decided = decide(c, policy_, state->batch.answers);
    if (decided == approval::ask) waiting.push_back(c.call);
    if (decided == approval::deny) refuse(c, "failed: this call was denied; do not try it again");
  }
  if (!waiting.empty()) co_return needs_approval(waiting);
  if (auto const announced = co_await announce(state); !announced) co_return announced.error();

  bool cancelled = false;
  std::size_t position = 0;
  for (auto group = next_group(*state, position); !group.empty() && !cancelled && !state->failure;
       group = next_group(*state, position)) {
    if (all_run_here(*state, group)) {
      for (auto const i : group) {
        dispatch_here(state->calls[i], *state);
        if (state->batch.journal && state->calls[i].writes()) co_await settle(state, i);
      }
      continue;
    }
    auto const work = [state, group](std::size_t i) { return run_one(state, group[i]); };
    cancelled = co_await run_group(group.size(), state->options.parallel_max, work);
  }
  if (cancelled || state->failure) co_await withdraw_rest(state);
  if (state->failure) co_return *state->failure;
  if (cancelled)
    co_return error(errc::cancelled, "the run was cancelled while tools were running", "tool_executor.run");

  std::vector<tool_result> results;
  for (auto& c : state->calls) results.push_back(std::move(*c.result));
  co_return results;
}

}  // namespace wherry::inline v0
