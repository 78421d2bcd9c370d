#include "runner.hpp"

#include <wherry/agent/extraction.hpp>
#include <wherry/core/hash.hpp>
#include <wherry/core/json.hpp>
#include <wherry/llm/grammar.hpp>
#include <wherry/memory/transaction.hpp>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <cassert>

namespace wherry::inline v0 {
namespace detail {

namespace asio = boost::asio;

namespace {

// An overflow drops at least a quarter of the old turns: few cache breaks.
constexpr std::size_t history_drop_share = 4;

// Room that a run usually needs; more is taken when it is needed.
constexpr std::size_t opened_bytes_usual = 256;
constexpr std::size_t run_messages_usual = 5;

session_event opened_event(ulid const& run, agent::definition const& a, std::uint64_t seed) {
  std::string text;
  text.reserve(opened_bytes_usual);
  text += "{\"agent\":";
  append_json_string(text, a.name);
  text += ",\"model\":";
  append_json_string(text, a.llm->info().name);
  text += ",\"fingerprint\":";
  append_json_string(text, a.llm->info().fingerprint);
  text += ",\"seed\":" + std::to_string(seed);
  text += ",\"limits\":{\"steps\":" + std::to_string(a.limits.steps);
  text += ",\"total_tokens\":" + std::to_string(a.limits.total_tokens);
  text += ",\"step_tokens\":" + std::to_string(a.limits.step_tokens);
  text += ",\"tool_calls\":" + std::to_string(a.limits.tool_calls);
  text += ",\"time_ms\":" + std::to_string(a.limits.time.count()) + "}}";
  return {.type = event_type::run_opened, .run = run, .payload = std::move(text)};
}

// The seed of a resumed run is the one it was opened with.
std::optional<std::uint64_t> seed_of(session_event const& opened) {
  auto const j = parse_json(opened.payload);
  if (!j || !j->contains("seed") || !(*j)["seed"].is_number_unsigned()) return std::nullopt;
  return (*j)["seed"].get<std::uint64_t>();
}

std::size_t count_calls(message const& m) {
  return static_cast<std::size_t>(std::count_if(m.parts.begin(), m.parts.end(), [](content_part const& part) {
    return std::holds_alternative<tool_call>(part);
  }));
}

token_usage sum(token_usage a, token_usage const& b) {
  a.prompt_tokens += b.prompt_tokens;
  a.cached_prompt_tokens += b.cached_prompt_tokens;
  a.completion_tokens += b.completion_tokens;
  a.estimated = a.estimated || b.estimated;
  return a;
}

}  // namespace

runner::runner(std::shared_ptr<agent::definition const> a, message user, std::optional<session> in,
               output_contract output)
    : agent_(std::move(a)), session_(std::move(in)), output_(std::move(output)) {
  record.transcript.push_back(std::move(user));
}

runner::runner(std::shared_ptr<agent::definition const> a, session in, std::vector<call_answer> answers,
               output_contract output)
    : agent_(std::move(a)),
      session_(std::move(in)),
      output_(std::move(output)),
      answers_(std::move(answers)),
      phase_(phase::reopen) {}

// ---------------------------------------------------------------- driving

task<std::optional<run_event>> runner::async_next() {
  bool const throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  if (next_ready_ == ready_.size()) {
    ready_.clear();
    next_ready_ = 0;
    co_await advance();
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
  if (next_ready_ == ready_.size()) co_return std::nullopt;
  auto event = std::move(ready_[next_ready_++]);
  if (handler_) handler_(event);
  co_return event;
}

task<result<void>> runner::async_end() {
  bool const throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  told_ = handler_ != nullptr;
  for (;;) {
    for (; next_ready_ < ready_.size(); ++next_ready_)
      if (handler_) handler_(ready_[next_ready_]);
    ready_.clear();
    next_ready_ = 0;
    if (phase_ == phase::over) break;
    co_await advance();
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
  if (failure) co_return *failure;
  co_return result<void>{};
}

void runner::cancel() noexcept {
  stop_.stop();
  std::lock_guard const lock(stream_mutex_);
  if (stream_) stream_->cancel();
}

void runner::refuse(error why) {
  if (phase_ == phase::over) return;
  failure = std::move(why);
  record.status = failure->code.message();
  phase_ = phase::over;
}

void runner::note(notice what) {
  record.notices.push_back(what);
  emit(run_notice{std::move(what)});
}

// The nine things of a run, in order; 1 to 3 and 5 to 6 repeat for each step. Goes on until there is something to tell.
task<void> runner::advance() {
  while (ready_.empty() && phase_ != phase::over) {
    auto const cancelled = (co_await asio::this_coro::cancellation_state).cancelled();
    if (cancelled != asio::cancellation_type::none) {
      cancel();
      co_await asio::this_coro::reset_cancellation_state();  // what is left to do is to write the end down
    }
    bool const working = phase_ != phase::close && phase_ != phase::listen;
    if (stop_.stopped() && working && !failure) end_with({errc::cancelled, "the run was cancelled", "agent.run"});
    switch (phase_) {
      case phase::open:  // 1. the message arrives and is committed; the run opens
        open();
        if (!unwritten_.empty()) co_await commit();
        break;
      case phase::reopen:  //    (or: a paused run goes on)
        reopen();
        if (!unwritten_.empty()) co_await commit();
        break;
      case phase::compose:  // 2.-3. context sources are asked; instructions and history become the request
        if (!gathered_) co_await gather();
        if (phase_ == phase::compose) compose();
        break;
      case phase::ask: ask(); break;  // 4. the model is asked
      case phase::listen: {           //    and streams
        auto event = co_await stream_->async_next();
        hear(std::move(event));
        break;
      }
      case phase::decide: decide(); break;         // 5. the response becomes a next step
      case phase::act: co_await act(); break;      // 6. tools run, their results are committed
      case phase::close: co_await close(); break;  // 7.-9. the end is committed and told
      case phase::over: break;
    }
  }
}

// ---------------------------------------------------------------- opening

void runner::open() {
  started_ = agent_->time_source->now();
  since_ = std::chrono::steady_clock::now();
  until_ = since_ + agent_->limits.time;
  if (agent_->broken) return refuse(*agent_->broken);

  message user = std::move(record.transcript.front());
  record.transcript.clear();
  record.transcript.reserve(1 + run_messages_usual);
  if (!agent_->instructions.empty()) record.transcript.push_back(message::system(agent_->instructions));
  record.system_messages = record.transcript.size();
  if (session_) {
    auto seen = session_->last_seq();
    auto past = session_->history();
    if (!seen || !past) return refuse(!seen ? std::move(seen).error() : std::move(past).error());
    last_seq_ = *seen;
    first_seq_ = last_seq_ + 1;
    record.transcript.reserve(record.transcript.size() + past->size() + run_messages_usual);
    std::move(past->begin(), past->end(), std::back_inserter(record.transcript));
  }
  record.first_new = record.transcript.size();
  // With a fixed seed the id is drawn from it and from the run's place in the session, so that it can be drawn again.
  draw_key const place{.run = agent_->seed.value_or(0), .step = 0, .position = static_cast<std::uint32_t>(last_seq_)};
  record.id = agent_->seed ? ulid::draw(started_, place) : ulid::fresh();
  record.seed = agent_->seed.value_or(0);
  if (!agent_->seed)
    for (int i = 8; i < 16; ++i) record.seed = (record.seed << 8) | record.id.bytes[static_cast<std::size_t>(i)];
  if (told_) emit(run_started{record.id.text(), agent_->name, agent_->llm->info().name, record.seed});
  phase_ = phase::compose;
  if (session_) {
    unwritten_.push_back(opened_event(record.id, *agent_, record.seed));
    unwritten_.push_back(message_event(event_type::user_message, record.id, user));
  }
  record.transcript.push_back(std::move(user));
}

void runner::reopen() {
  auto pending = session_->pending();
  auto open_runs = session_->open_runs();
  auto seen = session_->last_seq();
  if (!pending || !open_runs || !seen)
    return refuse(!pending ? pending.error() : !open_runs ? open_runs.error() : seen.error());
  if (pending->empty())
    return refuse(
        {errc::not_found, "no call of session \"" + session_->name() + "\" waits for approval", "agent.resume"});
  auto const run = pending->front().run;
  for (auto const& waiting : *pending) {
    auto const answer = std::find_if(answers_.begin(), answers_.end(),
                                     [&](call_answer const& a) { return a.call_id == waiting.call.id; });
    if (answer == answers_.end())
      return refuse({errc::needs_approval,
                     "the call " + waiting.call.id + " of " + waiting.call.name +
                         " still waits for an answer; resume with all of session.pending()",
                     "agent.resume"});
    if (answer->call_hash != call_hash(waiting.call))
      return refuse(
          {errc::denied, "the approval of " + waiting.call.id + " was given for another call", "agent.resume"});
  }
  auto const opened =
      std::find_if(open_runs->begin(), open_runs->end(), [&](open_run const& r) { return r.run == run; });
  if (opened == open_runs->end())
    return refuse({errc::store_damaged, "a call waits for approval, but its run is not open", "agent.resume"});

  auto history = session_->history();
  if (!history) return refuse(history.error());
  last_seq_ = *seen;
  started_ = agent_->time_source->now();
  since_ = std::chrono::steady_clock::now();
  until_ = since_ + agent_->limits.time;
  record.id = run;
  first_seq_ = opened->events.empty() ? 1 : opened->events.front().seq;
  if (!agent_->instructions.empty()) record.transcript.push_back(message::system(agent_->instructions));
  record.system_messages = record.transcript.size();
  std::move(history->begin(), history->end(), std::back_inserter(record.transcript));
  record.first_new = record.transcript.size();
  for (auto const& event : opened->events) {
    if (event.type == event_type::run_opened) record.seed = seed_of(event).value_or(0);
    bool const is_message = event.type == event_type::user_message || event.type == event_type::assistant_message ||
                            event.type == event_type::tool_results;
    if (!is_message) continue;
    auto parsed = parse_json(event.payload);
    auto m = parsed ? message_from_json(*parsed) : result<message>(parsed.error());
    if (!m) return refuse(m.error());
    // Steps done before the pause count against the limits and keep their places in the random numbers.
    if (m->role == role::assistant) record.steps.push_back({.request = {}, .answer = *m, .usage = {}, .notices = {}});
    record.transcript.push_back(std::move(*m));
  }
  for (auto const& waiting : *pending) {
    auto const& answer = *std::find_if(answers_.begin(), answers_.end(),
                                       [&](call_answer const& a) { return a.call_id == waiting.call.id; });
    unwritten_.push_back(call_resolved_event(run, waiting.call.id, answer.allowed ? "approved" : "denied"));
  }
  if (told_) emit(run_started{record.id.text(), agent_->name, agent_->llm->info().name, record.seed});
  phase_ = phase::act;
}

// ---------------------------------------------------------------- asking

void runner::compose() {
  auto const& limits = agent_->limits;
  std::size_t const step = record.steps.size() + 1;
  std::size_t const used = record.usage.prompt_tokens + record.usage.completion_tokens;
  if (step > limits.steps)
    return end_with(
        {errc::limit_reached,
         "the run took " + std::to_string(limits.steps) + " steps without a final answer; raise run_limits::steps",
         "agent.run"});
  if (used >= limits.total_tokens)
    return end_with({errc::limit_reached,
                     "the run used " + std::to_string(used) + " of " + std::to_string(limits.total_tokens) +
                         " tokens without a final answer; raise run_limits::total_tokens",
                     "agent.run"});
  if (std::chrono::steady_clock::now() >= until_)
    return end_with({errc::deadline_exceeded,
                     "the run did not end within " + std::to_string(limits.time.count()) + " ms", "agent.run"});
  step_record s;
  s.request.tools = agent_->executor.tools().specs();
  mask_tools(s.request, step);
  s.request.output_schema = output_.schema;
  s.request.constraint = output_.constraint;
  s.request.sampling = agent_->sampling;
  s.request.stop = agent_->stop;
  s.request.max_tokens = std::min(limits.step_tokens, limits.total_tokens - used);
  s.request.until = until_;
  s.request.draws = {.run = record.seed, .step = static_cast<std::uint32_t>(step)};
  s.transcript_end = record.transcript.size();
  record.steps.push_back(std::move(s));
  emit(step_started{step});
  if (agent_->trace) {
    step_started_ = agent_->time_source->now();
    step_since_ = std::chrono::steady_clock::now();
  }
  phase_ = phase::ask;
}

// Which calls the answer may have. Tools stay in the prompt, so that the prefix does not change; they are masked.
void runner::mask_tools(model_request& request, std::size_t step) const {
  auto const& limits = agent_->limits;
  request.choice = step == 1 ? agent_->first_step : tool_choice::automatic;
  auto const forbid = [&] {
    if (request.choice != tool_choice::required) request.choice = tool_choice::none;
  };
  if (step == limits.steps) forbid();  // the last step can only answer
  std::size_t const left = limits.tool_calls - std::min(limits.tool_calls, calls_dispatched_);
  if (left == 0) forbid();
  request.parallel_calls = left != 1;
  std::vector<std::string> allowed;
  for (auto const& tool : *request.tools) {
    auto const* known = agent_->executor.tools().find(tool.name);
    if (!known || !agent_->approvals.always_denies(tool.name, known->effect())) allowed.push_back(tool.name);
  }
  if (allowed.size() == request.tools->size()) return;
  if (allowed.empty()) forbid();
  request.callable = std::move(allowed);
}

void runner::ask() {
  record.steps.back().history_dropped = history_dropped_;
  record.steps.back().context_dropped = context_dropped_;
  auto stream = agent_->llm->submit(record.request_of(record.steps.size() - 1));
  if (!stream && stream.error().is(errc::context_overflow) && (drop_old_turns() || drop_context()))
    return;  // ask again
  if (!stream) {
    record.steps.pop_back();
    return end_with(std::move(stream).error());
  }
  std::lock_guard const lock(stream_mutex_);
  stream_ = std::move(*stream);
  if (stop_.stopped()) stream_->cancel();
  partial_.clear();
  phase_ = phase::listen;
}

bool runner::drop_old_turns() {
  // Whole turns only: a turn begins with a user message, so a call and its result are never parted.
  std::vector<std::size_t> turns;
  for (std::size_t i = record.system_messages + history_dropped_; i < record.first_new; ++i)
    if (record.transcript[i].role == role::user) turns.push_back(i);
  if (turns.empty()) return false;
  std::size_t const drop = std::max<std::size_t>(1, turns.size() / history_drop_share);
  std::size_t const end = drop < turns.size() ? turns[drop] : record.first_new;
  history_dropped_ = end - record.system_messages;
  note({"history", std::to_string(drop) + (drop == 1 ? " old turn was" : " old turns were") +
                       " left out of the request: the session no longer fits the model's context"});
  return true;
}

void runner::hear(result<model_event> event) {
  if (!event) {
    {
      std::lock_guard const lock(stream_mutex_);
      stream_.reset();
    }
    record.steps.back().answer = message::assistant(partial_);
    if (!partial_.empty()) record.transcript.push_back(message::assistant(partial_));
    return end_with(std::move(event).error());
  }
  if (auto* text = std::get_if<text_delta>(&*event)) {
    partial_ += text->text;
    emit(answer_text{std::move(text->text)});
  } else if (auto* reasoning = std::get_if<reasoning_delta>(&*event)) {
    emit(answer_reasoning{std::move(reasoning->text)});
  } else if (auto* ready = std::get_if<tool_call_ready>(&*event)) {
    emit(call_requested{std::move(ready->call)});
  } else if (auto* token = std::get_if<token_chosen>(&*event)) {
    emit(answer_token{std::move(*token)});
  } else {
    std::lock_guard const lock(stream_mutex_);
    stream_.reset();
    response_ = std::get<response_end>(std::move(*event));
    phase_ = phase::decide;
  }
}

// ---------------------------------------------------------------- the next step

void runner::decide() {
  auto& step = record.steps.back();
  step.answer = std::move(response_->answer);
  step.reason = response_->reason;
  step.usage = response_->usage;
  step.notices = std::move(response_->notices);
  record.usage = sum(record.usage, step.usage);
  record.transcript.push_back(step.answer);
  for (auto const& n : step.notices)
    if (std::find(record.notices.begin(), record.notices.end(), n) == record.notices.end()) note(n);
  emit(step_finished{record.steps.size(), step.reason, step.usage});
  response_.reset();
  if (agent_->trace)
    trace_span_end(trace_names::chat, record.steps.size() * 1000, 1, step_started_, step_since_,
                   {{trace_names::request_model, agent_->llm->info().name},
                    {trace_names::input_tokens, static_cast<std::int64_t>(step.usage.prompt_tokens)},
                    {trace_names::output_tokens, static_cast<std::int64_t>(step.usage.completion_tokens)},
                    {trace_names::finish_reason, std::string(to_string(step.reason))}});

  if (auto const calls = count_calls(step.answer)) {
    if (calls_dispatched_ + calls > agent_->limits.tool_calls)
      return end_with({errc::limit_reached,
                       "the run wanted more than " + std::to_string(agent_->limits.tool_calls) +
                           " tool calls; raise run_limits::tool_calls",
                       "agent.run"});
    phase_ = phase::act;
    return;
  }
  record.output_text = step.answer.text();
  if (step.reason == finish_reason::length) {
    if (output_.schema || output_.constraint)
      return end_with({errc::limit_reached, "the answer was cut off by run_limits::step_tokens before it was complete",
                       "agent.run"});
    note({"length", "the answer was cut off after " + std::to_string(step.usage.completion_tokens) + " tokens"});
  }
  if (output_.constraint) {
    auto const language = grammar::recogniser::make(*output_.constraint);
    auto held = language ? language->check(record.output_text) : language.error();
    if (!held) return end_with({held.error().code, "the answer: " + held.error().message, "agent.run"});
  }
  if (output_.check) {
    if (auto valid = output_.check(record.output_text); !valid) {
      error e = std::move(valid).error();
      e.where = "agent.run";
      return end_with(std::move(e));
    }
  }
  for (auto const& guard : agent_->guards)
    if (auto passed = guard.check(record.output_text, record); !passed)
      return end_with({errc::output_invalid,
                       "the guard \"" + guard.name + "\" keeps the answer back: " + passed.error().message,
                       "agent.run"});
  phase_ = phase::close;
}

void runner::end_with(error why) {
  if (!failure) failure = std::move(why);
  phase_ = phase::close;
}

// ---------------------------------------------------------------- the end

bool runner::keep_in_history() const {
  // A turn enters history when the next request can stand on it: it ends with an assistant message without open calls.
  if (failure && (failure->is(errc::needs_approval) || failure->is(errc::output_invalid))) return false;
  return record.transcript.size() > record.first_new && ends_with_answer();
}

bool runner::ends_with_answer() const {
  auto const& last = record.transcript.back();
  return last.role == role::assistant && count_calls(last) == 0;
}

task<void> runner::close() {
  record.status = failure ? failure->code.message() : "finished";
  bool const paused = failure && failure->is(errc::needs_approval);
  bool const unwritable = failure && (failure->is(errc::store_failed) || failure->is(errc::conflict));
  if (session_ && !paused && !unwritable) {
    if (ends_with_answer())
      unwritten_.push_back(message_event(event_type::assistant_message, record.id, record.transcript.back()));
    unwritten_.push_back(run_ended_event(record.id, keep_in_history(), record.status));
    if (agent_->learns && keep_in_history())
      unwritten_job_ = extraction_job(session_->name(), record.id, first_seq_, last_seq_ + unwritten_.size());
    bool const written = co_await commit();
    if (!written) record.status = failure->code.message();
  }
  if (agent_->trace)
    trace_span_end(trace_names::invoke_agent, 1, 0, started_, since_,
                   {{trace_names::agent_name, agent_->name},
                    {trace_names::input_tokens, static_cast<std::int64_t>(record.usage.prompt_tokens)},
                    {trace_names::output_tokens, static_cast<std::int64_t>(record.usage.completion_tokens)}});
  emit(run_finished{record.status, record.usage, record.steps.size()});
  phase_ = phase::over;
}

task<bool> runner::commit() {
  if (!session_) co_return true;
  std::size_t const added = unwritten_.size();
  transaction tx{session_->scope()};
  for (auto& effect : unwritten_effects_) tx.journal(std::move(effect));
  tx.append(*session_, last_seq_, std::move(unwritten_));
  if (unwritten_job_) tx.job(std::move(*unwritten_job_));
  unwritten_job_.reset();
  unwritten_effects_.clear();
  unwritten_.clear();
  auto writing = transaction::async_commit(std::move(tx), agent_->durability);
  if (agent_->durability == durability::synced) {
    auto const until = std::chrono::steady_clock::now() + agent_->limits.commit_time;
    writing = with_deadline(std::move(writing), until, "a synced commit (run_limits::commit_time)");
  }
  auto done = co_await std::move(writing);
  if (!done) {
    error cause = std::move(done).error();
    bool const conflict = cause.is(errc::conflict);
    error e{conflict ? errc::conflict : errc::store_failed,
            conflict ? "another run has written to session \"" + session_->name() + "\" meanwhile; run again"
                     : "a commit of the run failed: " + cause.message,
            "agent.run", cause.path};
    if (record.transcript.back().role == role::assistant) e.unsaved = to_text(to_json(record.transcript.back()));
    failure = std::move(e);
    phase_ = phase::close;
    co_return false;
  }
  last_seq_ += added;
  emit(committed{last_seq_});
  co_return true;
}

void runner::trace_span_end(std::string_view name, std::uint64_t id, std::uint64_t parent, utc_ms started,
                            std::chrono::steady_clock::time_point since, std::vector<trace_attribute> attributes) {
  trace_span span;
  span.trace = record.id;
  span.id = id;
  span.parent = parent;
  span.name = std::string(name);
  span.started = started;
  span.took = std::chrono::steady_clock::now() - since;
  span.attributes = std::move(attributes);
  agent_->trace->on_span(span);
}

}  // namespace detail
}  // namespace wherry::inline v0
