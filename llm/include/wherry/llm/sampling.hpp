#pragma once
// How the next token is chosen.

#include <cstdint>
#include <optional>
#include <vector>

namespace wherry::inline v0 {

using token_id = std::int32_t;

/// Adds `bias` to a token's logit before anything else; -infinity forbids it.
struct logit_bias {
  token_id token = 0;
  float bias = 0;
  friend bool operator==(logit_bias const&, logit_bias const&) = default;
};

/// Sampler settings. They apply in this order: bias, repetition, presence and frequency penalties, the grammar's mask,
/// temperature, top-k, top-p, min-p; then one draw. The defaults sample from the model's own distribution.
struct sampling_options {
  double temperature = 1.0;         ///< 0 is greedy: the largest logit, the smaller id on a tie.
  int top_k = 0;                    ///< Keep the k most likely tokens; 0 keeps all.
  double top_p = 1.0;               ///< Keep the smallest set with at least this probability.
  double min_p = 0.0;               ///< Keep tokens with at least this share of the best one's probability.
  double repetition_penalty = 1.0;  ///< Divides positive and multiplies negative logits of tokens seen in the window.
  double presence_penalty = 0.0;    ///< Subtracted once from tokens seen in the window.
  double frequency_penalty = 0.0;   ///< Subtracted per occurrence in the window.
  int penalty_window = 64;          ///< How many of the last tokens (prompt included) the penalties look at.
  std::vector<logit_bias> bias = {};
  int top_logprobs = 0;   ///< Report this many alternatives with log-probabilities for each token.
  bool logprobs = false;  ///< Report the chosen token's log-probability.
  friend bool operator==(sampling_options const&, sampling_options const&) = default;
};

}  // namespace wherry::inline v0
