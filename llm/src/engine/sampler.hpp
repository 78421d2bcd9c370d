#pragma once
// From logits to the next token.

#include <wherry/core/random.hpp>
#include <wherry/core/result.hpp>
#include <wherry/llm/sampling.hpp>

#include <optional>
#include <span>
#include <vector>

namespace wherry::inline v0::engine {

/// A token and the natural logarithm of its probability.
struct token_logprob {
  token_id token = 0;
  double logprob = 0;
  friend bool operator==(token_logprob const&, token_logprob const&) = default;
};

struct sampled_token {
  token_id token = 0;
  std::optional<double> logprob;            ///< When sampling_options::logprobs asks for it.
  std::vector<token_logprob> alternatives;  ///< The top_logprobs most likely tokens, best first; fewer if fewer exist.
};

/// Allowed tokens, one bit each: token i is bit i % 64 of word i / 64.
using token_mask = std::span<std::uint64_t const>;

/// Chooses tokens as sampling_options say. A pure function of its arguments: the random number comes from the draw key,
/// equal logits are taken in the order of their ids.
///
/// Log-probabilities are those of the distribution the options leave before temperature, top-k, top-p and min-p: after
/// bias, penalties and mask. They do not depend on how a token is then drawn.
///
/// Threads: one at a time; it keeps buffers between calls.
class sampler {
 public:
  static constexpr int top_logprobs_max = 100;
  static constexpr double penalty_max = 1000;  ///< Bound on every penalty's size.
  static constexpr double bias_max = 1e6;

  /// Fails with: errc::invalid_argument naming the option that is out of range.
  static result<sampler> make(sampling_options options, std::size_t vocabulary);

  /// `logits` has one value per token of the vocabulary; `allowed` none means every token; `history` is what the
  /// penalties look at, prompt included, latest last.
  /// Fails with: errc::invalid_argument when bias and mask leave no token; errc::model_failed when an allowed token's
  /// logit is not a number or +infinity.
  result<sampled_token> sample(std::span<float const> logits, std::optional<token_mask> allowed,
                               std::span<token_id const> history, draw_key const& key);

 private:
  struct candidate {
    token_id token;
    float logit;
    double weight;  // proportional to the probability it is drawn with
  };

  sampler(sampling_options options, std::size_t vocabulary) : options_(std::move(options)), vocabulary_(vocabulary) {}
  static bool likelier(candidate const& a, candidate const& b) noexcept {
    return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
  }

  void adjust(std::span<float const> logits, std::span<token_id const> history);
  void penalise(std::span<token_id const> window);
  result<void> gather(std::optional<token_mask> allowed);
  double log_total() const;
  std::vector<token_logprob> most_likely(std::size_t count, double log_total) const;
  void keep_top_k();
  void weigh();
  void keep_top_p();
  void keep_min_p();
  token_id draw(draw_key const& key) const;

  sampling_options options_;
  std::size_t vocabulary_;
  std::vector<float> logits_;
  std::vector<candidate> candidates_;  // by id until a truncation sorts them
  candidate best_{};
};

}  // namespace wherry::inline v0::engine
