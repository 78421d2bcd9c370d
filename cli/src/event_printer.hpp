#pragma once
// What a run shows while it goes on: its answer as it streams, its events for people or for programs, its speed.

#include "terminal.hpp"

#include <wherry/agent/run.hpp>
#include <wherry/core/json.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace wherry::cli {

struct event_printer_options {
  bool stream = false;   ///< The answer goes to standard output as it comes.
  bool events = false;   ///< Each event is a JSON line on standard output.
  bool verbose = false;  ///< Each event is a readable line on standard error.
};

/// Takes the events of one run in order. What it has seen can be asked for afterwards.
class event_printer {
 public:
  explicit event_printer(event_printer_options options) : options_(options) {}

  void take(run_event const& event);

  /// A call that ran, or waits.
  struct seen_call {
    tool_call call;
    std::optional<tool_result> outcome;
  };
  std::vector<seen_call> const& calls() const noexcept { return calls_; }
  /// Whether something was streamed that does not end in a newline.
  bool line_is_open() const noexcept { return line_is_open_; }

  /// Decoding speed over all steps; nullopt when nothing was decoded.
  std::optional<double> tokens_per_second() const;
  /// "42 tokens, 31.4 tokens/s".
  std::string speed_text() const;

 private:
  using time_point = std::chrono::steady_clock::time_point;

  void on(run_started const& e);
  void on(context_gathered const& e);
  void on(step_started const& e);
  void on(answer_text const& e);
  void on(answer_reasoning const& e);
  void on(answer_token const& e);
  void on(call_requested const& e);
  void on(call_started const& e);
  void on(call_finished const& e);
  void on(approval_needed const& e);
  void on(step_finished const& e);
  void on(run_notice const& e);
  void on(committed const& e);
  void on(run_finished const& e);

  void tell(std::string_view line) const;
  void tell_text();

  event_printer_options options_;
  std::vector<seen_call> calls_;
  std::string text_;  ///< Of the step under way.
  bool line_is_open_ = false;
  std::optional<slow_work> waiting_;  ///< For the first sign of a step.
  time_point step_began_, first_text_;
  std::chrono::nanoseconds decoding_{};
  std::size_t decoded_tokens_ = 0;  ///< Those that `decoding_` counts.
  std::size_t answer_tokens_ = 0;
};

/// Drives a run to its outcome; Ctrl-C cancels it.
result<run_result<std::string>> drive(run<std::string>& under_way, event_printer& printer);

/// What --json prints of calls and usage.
json calls_json(std::vector<event_printer::seen_call> const& calls);
json usage_json(token_usage const& usage);

}  // namespace wherry::cli
