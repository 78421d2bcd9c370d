#pragma once
// One answer being computed: prefill in chunks, then a token at a time, each step short enough to be interleaved with
// other answers.

#include "engine/sampler.hpp"
#include "engine/transformer.hpp"
#include "local/answer_channel.hpp"

#include <wherry/llm/chat_answer.hpp>
#include <wherry/llm/grammar.hpp>
#include <wherry/llm/tokenizer.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace wherry::inline v0 {
namespace local {

/// Everything a generation needs, prepared and checked before it is queued.
struct generation_plan {
  model_request request;
  std::vector<token_id> prompt;
  std::size_t tokens_max = 0;               ///< Of the answer; prompt and answer fit the context.
  std::optional<grammar::program> grammar;  ///< Absent: free text.
  std::optional<grammar::recogniser> text;  ///< Of the request's constraint.
  answer_family family = answer_families().back();
  answer_options may;
  std::vector<notice> notices;
  std::vector<std::shared_ptr<engine::adapter const>> adapters;  ///< As the request chooses them, in its order.
};

/// A sequence with the ids whose keys and values it holds.
struct known_sequence {
  engine::sequence keys_and_values;
  std::vector<token_id> ids;
  std::vector<adapter_choice> adapters;  ///< What they were computed with.
};

/// Belongs to the scheduler's thread.
class generation {
 public:
  generation(generation_plan plan, engine::sampler sampler, std::shared_ptr<answer_channel> channel,
             engine::transformer const& model, tokenizer const& tokens);

  std::vector<token_id> const& prompt() const noexcept { return plan_.prompt; }
  std::vector<adapter_choice> const& adapters() const noexcept { return plan_.request.adapters; }
  answer_channel const& channel() const noexcept { return *channel_; }

  /// Takes over a sequence; what it already holds of the prompt is not computed again.
  void start(known_sequence from);
  deadline until() const noexcept { return plan_.request.until; }
  /// True when the answer is over before its next step: cancelled, or past its deadline. Its reader has been told.
  bool is_over();

  /// Computes a chunk of the prompt or one token. True when the answer has ended, well or not.
  bool step(engine::worker_pool& pool);

  /// Gives the sequence back, with all that is known of it.
  known_sequence take_sequence() { return std::move(*sequence_); }
  /// Ends an answer that will not be computed.
  void abandon(error why) { channel_->fail(std::move(why)); }

 private:
  bool fail(error why);
  error with_raw(error why) const;
  bool prefill(engine::worker_pool& pool);
  bool decode(engine::worker_pool& pool);
  std::vector<token_id> forced_tokens() const;
  bool take_forced(std::vector<token_id> const& ahead);
  bool read(std::vector<token_id> const& known, engine::worker_pool& pool);
  bool emit(token_id token);
  bool emit_text(std::string_view text);
  bool emit_control(token_id token);
  bool hand_on(result<std::vector<answer_event>> events);
  bool ends(token_id token) const;
  bool finish(finish_reason reason);
  /// Stop strings end text; what a schema bounds ends by itself.
  bool looks_for_stops() const noexcept {
    return !matcher_ || (!plan_.may.tools && !plan_.may.output && !plan_.may.constraint);
  }
  std::optional<std::size_t> find_stop() const;
  void report(engine::sampled_token const& chosen);

  engine::transformer::forward_options how() const noexcept { return {.adapters = adapters_}; }

  generation_plan plan_;
  std::vector<engine::active_adapter> adapters_;
  engine::sampler sampler_;
  std::shared_ptr<answer_channel> const channel_;
  engine::transformer const& model_;
  tokenizer const& tokens_;
  answer_parser parser_;
  std::optional<grammar::matcher> matcher_;
  std::vector<token_id> marks_;  // tokens of the family's marks

  std::optional<known_sequence> sequence_;
  std::vector<token_id> history_;  // prompt and answer: what the penalties look at
  std::vector<float> logits_;
  std::size_t cached_ = 0;  // prompt tokens that were not computed again
  std::size_t produced_ = 0;
  std::string held_;  // decoded bytes not yet handed on: half a code point, or a possible stop string
  std::vector<tool_call> calls_;
};

}  // namespace local
}  // namespace wherry::inline v0
