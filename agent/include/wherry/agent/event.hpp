#pragma once
// What happens during a run, as it happens: one event type, whether events are pulled by a loop, awaited by a coroutine
// or handed to a handler.

#include <wherry/core/json_fwd.hpp>
#include <wherry/llm/context_source.hpp>
#include <wherry/llm/message.hpp>
#include <wherry/llm/model.hpp>

#include <cstdint>
#include <string>
#include <variant>

namespace wherry::inline v0 {

/// The run is open. With a session, the user message is committed: see `committed`.
struct run_started {
  std::string run;  ///< The run's id (ULID).
  std::string agent;
  std::string model;
  std::uint64_t seed = 0;
};
/// What the agent's context sources put before the model with the user's message; once in a run, absent without any.
struct context_gathered {
  std::vector<context_block> blocks;
  std::size_t left_out = 0;  ///< Blocks that exceeded the budget.
};
/// A model call begins; steps count from 1.
struct step_started {
  std::size_t step = 0;
};
/// Text of the answer. Provisional until the run's end is committed.
struct answer_text {
  std::string text;
};
struct answer_reasoning {
  std::string text;
};
/// One decoded token with its log-probability, when sampling_options asks for it.
struct answer_token {
  token_chosen token;
};
/// The model asked for a call; it has not run yet.
struct call_requested {
  tool_call call;
};
/// The call is dispatched.
struct call_started {
  std::string call_id;
  std::string tool;
};
struct call_finished {
  tool_result result;
};
/// The call waits for approval; the run pauses after this.
struct approval_needed {
  tool_call call;
};
/// A model call and the handling of its response are over.
struct step_finished {
  std::size_t step = 0;
  finish_reason reason = finish_reason::stop;
  token_usage usage;
};
/// Something asked for is missing and degrades, or something was left out; never silently.
struct run_notice {
  notice what;
};
/// All that happened before is on disk.
struct committed {
  std::uint64_t session_seq = 0;  ///< Number of the last committed event of the session.
};
/// The last event of a run that has an outcome; the outcome itself is run<T>::result().
struct run_finished {
  std::string status;  ///< "finished", or the errc word: "limit_reached", "cancelled", "needs_approval", ...
  token_usage usage;
  std::size_t steps = 0;
};

using run_event = std::variant<run_started, context_gathered, step_started, answer_text, answer_reasoning, answer_token,
                               call_requested, call_started, call_finished, approval_needed, step_finished, run_notice,
                               committed, run_finished>;

/// The JSON form of an event, version 1: {"v":1,"type":"answer_text","text":"…"}. Types are the names above.
json to_json(run_event const& event);

}  // namespace wherry::inline v0
