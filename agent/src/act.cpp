// Step 6 of a run: approvals, the journal of effects on the store, dispatch.

#include "runner.hpp"

#include <wherry/core/json.hpp>

#include <algorithm>
#include <iterator>

namespace wherry::inline v0 {
namespace detail {

/// The journalled executor's journal: intents go down with the answer that asked for them, before dispatch; ends go
/// down with the results. The runner lets go of it when its calls are over, so that stragglers find nobody.
class run_journal final : public effect_journal {
 public:
  explicit run_journal(runner& owner) : owner_(&owner) {}
  void let_go() { owner_ = nullptr; }

  task<result<std::vector<effect_status>>> intend(std::vector<effect_intent> intents) override {
    std::vector<effect_status> known;
    std::vector<stored_effect> fresh;
    std::vector<session_event> events;
    if (!owner_) co_return error{errc::cancelled, "the run is over", "run_journal"};
    auto const scope = owner_->session_->scope();
    for (auto const& intent : intents) {
      auto before = scope.effect(intent.effect_key);
      if (!before) co_return std::move(before).error();
      known.push_back(status_of(*before));
      if (known.back().known != effect_status::state::fresh) continue;
      auto const text = to_text(to_json(intent.call));
      fresh.push_back(
          {.key = intent.effect_key, .state = effect_state::intent, .run = owner_->record.id, .call = text});
      json payload;
      payload["effect_key"] = intent.effect_key;
      payload["call"] = to_json(intent.call);
      events.push_back({.type = event_type::call_intent, .run = owner_->record.id, .payload = to_text(payload)});
    }
    if (fresh.empty()) co_return known;
    std::move(events.begin(), events.end(), std::back_inserter(owner_->unwritten_));
    owner_->unwritten_effects_ = std::move(fresh);
    bool const written = co_await owner_->commit();
    if (!written) co_return *owner_->failure;
    co_return known;
  }

  task<result<void>> settle(effect_end end) override {
    ends_.push_back({.key = std::move(end.effect_key),
                     .state = end.certain ? effect_state::done : effect_state::unknown,
                     .run = owner_ ? owner_->record.id : ulid{},
                     .call = to_text(to_json(end.result))});
    co_return result<void>{};
  }

  std::vector<stored_effect> take_ends() { return std::exchange(ends_, {}); }

 private:
  static effect_status status_of(std::optional<stored_effect> const& before) {
    if (!before) return {};
    effect_status out;
    if (before->state != effect_state::done) {
      out.known = effect_status::state::unknown;
      return out;
    }
    out.known = effect_status::state::done;
    if (auto const j = parse_json(before->call); j && j->contains("content") && (*j)["content"].is_string()) {
      out.result.content = (*j)["content"].get<std::string>();
      out.result.failed = j->value("failed", false);
    }
    return out;
  }

  runner* owner_;
  std::vector<stored_effect> ends_;
};

task<void> runner::pause(std::vector<tool_call> const& asking) {
  for (auto const& call : asking) {
    unwritten_.push_back(call_pending_event(record.id, call));
    emit(approval_needed{call});
  }
  bool const written = co_await commit();
  if (!written) co_return;
  end_with(
      {errc::needs_approval,
       std::to_string(asking.size()) + (asking.size() == 1 ? " call waits" : " calls wait") + " for approval, first " +
           asking.front().name +
           (session_ ? "; see session.pending() and agent.resume" : "; give the run a session to be able to go on"),
       "agent.run"});
}

task<void> runner::act() {
  auto calls = record.transcript.back().tool_calls();
  std::map<std::string, approval> answers;
  for (auto const& a : answers_) answers[a.call_id] = a.allowed ? approval::allow : approval::deny;

  bool const resumed = !answers_.empty();
  if (session_ && !resumed)
    unwritten_.push_back(message_event(event_type::assistant_message, record.id, record.transcript.back()));
  if (auto const asking = agent_->executor.awaiting_approval(calls, answers); !asking.empty()) {
    co_await pause(asking);
    co_return;
  }
  answers_.clear();
  calls_dispatched_ += calls.size();

  bool all_inline = true;
  for (auto const& call : calls) {
    auto const* t = agent_->executor.tools().find(call.name);
    all_inline = all_inline && (!t || t->runs_inline());
    emit(call_started{call.id, call.name});
  }
  auto const started = agent_->trace ? agent_->time_source->now() : 0;
  auto const since = agent_->trace ? std::chrono::steady_clock::now() : since_;

  tool_batch batch;
  batch.run_id = record.id.text();
  batch.until = until_;
  batch.answers = std::move(answers);
  auto const journal = session_ ? std::make_shared<run_journal>(*this) : nullptr;
  batch.journal = journal;
  auto work = agent_->executor.async_run(std::move(calls), std::move(batch));
  // Calls that run on this thread cannot be interrupted anyway; others end when the run is cancelled.
  if (!all_inline) work = with_deadline(std::move(work), no_deadline, "tool calls", stop_);
  auto done = co_await std::move(work);
  if (journal) journal->let_go();
  if (phase_ == phase::close) co_return;  // the journal's commit failed; failure is set
  if (journal) unwritten_effects_ = journal->take_ends();
  if (!done) {
    // Whatever is known of the effects is written down; the calls stay without results, so the turn is not history.
    bool const written = co_await commit();
    if (written) end_with(std::move(done).error());
    co_return;
  }

  message results{role::tool, {}};
  json recalled = json::array();
  for (std::size_t i = 0; i < done->size(); ++i) {
    auto& r = (*done)[i];
    if (agent_->trace)
      trace_span_end(trace_names::execute_tool, record.steps.size() * 1000 + i + 1, record.steps.size() * 1000, started,
                     since, {{trace_names::tool_name, r.name}, {trace_names::tool_call_id, r.call_id}});
    emit(call_finished{r});
    if (auto const* t = agent_->executor.tools().find(r.name); t && t->is_recall()) recalled.push_back(r.call_id);
    results.parts.push_back(std::move(r));
  }
  record.transcript.push_back(std::move(results));
  phase_ = phase::compose;
  if (session_) {
    unwritten_.push_back(message_event(event_type::tool_results, record.id, record.transcript.back()));
    if (!recalled.empty()) {
      json payload;
      payload["recalled"] = std::move(recalled);
      unwritten_.push_back({.type = event_type::note, .run = record.id, .payload = to_text(payload)});
    }
    co_await commit();
  }
}

}  // namespace detail
}  // namespace wherry::inline v0
