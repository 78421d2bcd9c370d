#pragma once
// The run loop as explicit next steps. Each advance() does one thing and queues the events it caused; whoever asks for
// the next event drives it. The phases are the nine things of docs/architecture.md, in order.

#include "definition.hpp"

#include <wherry/core/runtime.hpp>

#include <wherry/memory/record.hpp>

#include <functional>
#include <mutex>

namespace wherry::inline v0 {
namespace detail {

using stored_effect = wherry::v0::effect_record;

/// What binds an approval to a call: the content hash of tool name and arguments.
std::string call_hash(tool_call const& call);

class runner {
 public:
  runner(std::shared_ptr<agent::definition const> agent, message user, std::optional<session> in,
         output_contract output);
  /// Goes on with the paused run of `in`.
  runner(std::shared_ptr<agent::definition const> agent, session in, std::vector<call_answer> answers,
         output_contract output);

  task<std::optional<run_event>> async_next();
  task<result<void>> async_end();
  void cancel() noexcept;
  void on(std::function<void(run_event const&)> handler) { handler_ = std::move(handler); }
  /// Ends a run that cannot begin or whose caller must not block: nothing more is written.
  void refuse(error why);

  run_record record;
  std::optional<error> failure;  // set with phase::over when there is no output

 private:
  enum class phase { open, reopen, compose, ask, listen, decide, act, close, over };

  task<void> advance();
  void open();
  void reopen();
  task<void> gather();
  void compose();
  void mask_tools(model_request& request, std::size_t step) const;
  void ask();
  void hear(result<model_event> event);
  void decide();
  task<void> act();
  task<void> close();

  /// Commits what is unwritten; false: it failed, and the run is at its close.
  task<bool> commit();
  task<void> pause(std::vector<tool_call> const& asking);
  bool drop_old_turns();
  bool drop_context();
  void end_with(error why);
  template <class Event>
  void emit(Event&& event) {
    if (told_) ready_.emplace_back(std::forward<Event>(event));
  }
  void note(notice what);
  bool keep_in_history() const;
  bool ends_with_answer() const;
  void trace_span_end(std::string_view name, std::uint64_t id, std::uint64_t parent, utc_ms started,
                      std::chrono::steady_clock::time_point since, std::vector<trace_attribute> attributes);

  std::shared_ptr<agent::definition const> const agent_;
  std::optional<session> const session_;
  output_contract const output_;
  std::vector<call_answer> answers_;  // of a resumed run

  phase phase_ = phase::open;
  std::vector<run_event> ready_;  // told in order; next_ready_ is the first not told yet
  std::size_t next_ready_ = 0;
  bool told_ = true;  // false: nobody listens, events need not be made
  std::function<void(run_event const&)> handler_;

  friend class run_journal;
  std::uint64_t last_seq_ = 0;            // of the session, as far as this run has seen
  std::vector<session_event> unwritten_;  // goes down with the next commit
  std::vector<stored_effect> unwritten_effects_;
  std::optional<outbox_job> unwritten_job_;
  std::uint64_t first_seq_ = 0;  // of the run's own events
  bool gathered_ = false;
  bool context_dropped_ = false;
  std::size_t history_dropped_ = 0;
  std::size_t calls_dispatched_ = 0;
  deadline until_ = no_deadline;
  std::string partial_;  // text of the step under way
  std::optional<response_end> response_;

  stop_source stop_;
  std::mutex stream_mutex_;  // cancel() comes from other threads
  std::unique_ptr<model_stream> stream_;

  utc_ms started_ = 0, step_started_ = 0;
  std::chrono::steady_clock::time_point since_, step_since_;
};

}  // namespace detail
}  // namespace wherry::inline v0
