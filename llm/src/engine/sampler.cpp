#include "engine/sampler.hpp"

#include "engine/elementary.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <limits>

namespace wherry::inline v0::engine {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

// The first option that is out of range, in words; empty when there is none.
std::string wrong_option(sampling_options const& o, std::size_t vocabulary) {
  auto const within = [](double value, double least, double most) { return value >= least && value <= most; };
  constexpr double penalty_max = sampler::penalty_max;
  if (!within(o.temperature, 0, std::numeric_limits<double>::max())) return "temperature must be 0 or more";
  if (o.top_k < 0) return "top_k must be 0 or more";
  if (!(o.top_p > 0 && o.top_p <= 1)) return "top_p must be above 0 and at most 1";
  if (!within(o.min_p, 0, 1)) return "min_p must be from 0 to 1";
  if (!(o.repetition_penalty > 0 && o.repetition_penalty <= penalty_max))
    return "repetition_penalty must be above 0 and at most 1000";
  if (!within(o.presence_penalty, -penalty_max, penalty_max)) return "presence_penalty must be from -1000 to 1000";
  if (!within(o.frequency_penalty, -penalty_max, penalty_max)) return "frequency_penalty must be from -1000 to 1000";
  if (o.penalty_window < 0) return "penalty_window must be 0 or more";
  if (!within(o.top_logprobs, 0, sampler::top_logprobs_max)) return "top_logprobs must be from 0 to 100";
  for (auto const& [token, bias] : o.bias) {
    if (token < 0 || static_cast<std::size_t>(token) >= vocabulary)
      return "bias names token " + std::to_string(token) + ", outside the vocabulary of " + std::to_string(vocabulary);
    if (bias != -infinity && !within(bias, -sampler::bias_max, sampler::bias_max))
      return "bias of token " + std::to_string(token) + " must be -infinity or from -1000000 to 1000000";
  }
  return {};
}

}  // namespace

result<sampler> sampler::make(sampling_options options, std::size_t vocabulary) {
  if (auto wrong = wrong_option(options, vocabulary); !wrong.empty())
    return error(errc::invalid_argument, "cannot sample with these options: " + wrong, "sampler.make");
  return sampler(std::move(options), vocabulary);
}

result<sampled_token> sampler::sample(std::span<float const> logits, std::optional<token_mask> allowed,
                                      std::span<token_id const> history, draw_key const& key) {
  assert(logits.size() == vocabulary_);
  adjust(logits, history);
  if (auto gathered = gather(allowed); !gathered) return gathered.error();

  sampled_token out;
  bool const reports = options_.logprobs || options_.top_logprobs > 0;
  double const total = reports ? log_total() : 0;
  if (options_.top_logprobs > 0) out.alternatives = most_likely(static_cast<std::size_t>(options_.top_logprobs), total);
  if (options_.temperature == 0) {
    out.token = best_.token;
  } else {
    keep_top_k();
    weigh();
    keep_top_p();
    keep_min_p();
    out.token = draw(key);
  }
  if (options_.logprobs) out.logprob = logits_[static_cast<std::size_t>(out.token)] - total;
  return out;
}

// Bias and penalties, on a copy.
void sampler::adjust(std::span<float const> logits, std::span<token_id const> history) {
  logits_.assign(logits.begin(), logits.end());
  for (auto const& [token, bias] : options_.bias) logits_[static_cast<std::size_t>(token)] += bias;
  bool const penalises =
      options_.repetition_penalty != 1 || options_.presence_penalty != 0 || options_.frequency_penalty != 0;
  if (penalises) penalise(history.last(std::min(history.size(), static_cast<std::size_t>(options_.penalty_window))));
}

void sampler::penalise(std::span<token_id const> window) {
  std::vector<token_id> seen(window.begin(), window.end());
  std::sort(seen.begin(), seen.end());
  for (auto it = seen.begin(); it != seen.end();) {
    auto const end = std::upper_bound(it, seen.end(), *it);
    assert(*it >= 0 && static_cast<std::size_t>(*it) < vocabulary_);
    double logit = logits_[static_cast<std::size_t>(*it)];
    logit = logit > 0 ? logit / options_.repetition_penalty : logit * options_.repetition_penalty;
    logit -= options_.presence_penalty + options_.frequency_penalty * static_cast<double>(end - it);
    logits_[static_cast<std::size_t>(*it)] = static_cast<float>(logit);
    it = end;
  }
}

// Fills candidates_ with the allowed tokens of probability above 0, by id, and finds the likeliest.
result<void> sampler::gather(std::optional<token_mask> allowed) {
  candidates_.clear();
  bool broken = false;
  auto const add = [&](std::size_t token) {
    float const logit = logits_[token];
    if (logit == -infinity) return;
    broken |= !(logit < infinity);
    candidates_.push_back({static_cast<token_id>(token), logit, 0});
  };
  if (allowed) {
    assert(allowed->size() >= (vocabulary_ + 63) / 64);
    for (std::size_t base = 0; base < vocabulary_; base += 64) {
      auto bits = (*allowed)[base / 64];
      if (vocabulary_ - base < 64) bits &= (std::uint64_t{1} << (vocabulary_ - base)) - 1;
      for (; bits != 0; bits &= bits - 1) add(base + static_cast<std::size_t>(std::countr_zero(bits)));
    }
  } else {
    for (std::size_t token = 0; token < vocabulary_; ++token) add(token);
  }
  if (broken)
    return error(errc::model_failed, "the model computed a logit that is no finite number; its weights may be damaged",
                 "sampler.sample");
  if (candidates_.empty())
    return error(errc::invalid_argument, "bias and mask leave no token to choose from", "sampler.sample");
  best_ = *std::min_element(candidates_.begin(), candidates_.end(), likelier);
  return {};
}

// The logarithm of the sum of exp(logit) over the candidates.
double sampler::log_total() const {
  double total = 0;
  for (auto const& c : candidates_) total += exponential(double{c.logit} - best_.logit);
  return best_.logit + logarithm(total);
}

std::vector<token_logprob> sampler::most_likely(std::size_t count, double log_total) const {
  std::vector<candidate> top(std::min(count, candidates_.size()));
  std::partial_sort_copy(candidates_.begin(), candidates_.end(), top.begin(), top.end(), likelier);
  std::vector<token_logprob> out;
  for (auto const& c : top) out.push_back({c.token, c.logit - log_total});
  return out;
}

void sampler::keep_top_k() {
  auto const k = static_cast<std::size_t>(options_.top_k);
  if (k == 0 || k >= candidates_.size()) return;
  auto const end = candidates_.begin() + static_cast<std::ptrdiff_t>(k);
  std::nth_element(candidates_.begin(), end - 1, candidates_.end(), likelier);
  candidates_.erase(end, candidates_.end());
  std::sort(candidates_.begin(), candidates_.end(), likelier);  // an order of our own, for sums and draws
}

// Weights relative to the likeliest token, which gets 1.
void sampler::weigh() {
  for (auto& c : candidates_) c.weight = exponential((double{c.logit} - best_.logit) / options_.temperature);
}

// Takes tokens from the likeliest on until they reach top_p. A heap gives them in order without sorting the rest.
void sampler::keep_top_p() {
  if (options_.top_p >= 1) return;
  double total = 0;
  for (auto const& c : candidates_) total += c.weight;
  auto const less_likely = [](candidate const& a, candidate const& b) { return likelier(b, a); };
  std::make_heap(candidates_.begin(), candidates_.end(), less_likely);
  auto kept = candidates_.end();  // [kept, end) are the tokens taken so far, the last one taken first
  for (double sum = 0; kept != candidates_.begin() && sum < options_.top_p * total; --kept) {
    std::pop_heap(candidates_.begin(), kept, less_likely);
    sum += (kept - 1)->weight;
  }
  candidates_.erase(candidates_.begin(), kept);
  std::reverse(candidates_.begin(), candidates_.end());
}

void sampler::keep_min_p() {
  if (options_.min_p > 0) std::erase_if(candidates_, [&](candidate const& c) { return c.weight < options_.min_p; });
}

token_id sampler::draw(draw_key const& key) const {
  double total = 0;
  for (auto const& c : candidates_) total += c.weight;
  double const at = uniform(key) * total;
  double sum = 0;
  for (auto const& c : candidates_)
    if ((sum += c.weight) > at) return c.token;
  return candidates_.back().token;  // not reached: the sum ends at `total`, which is above `at`
}

}  // namespace wherry::inline v0::engine
