#include "engine/transformer.hpp"

#include <algorithm>
#include <cassert>

namespace wherry::inline v0::engine {

result<std::shared_ptr<transformer const>> transformer::load(gguf_file file, kernel_set kernels) {
  auto const c = read_config(file);
  if (!c) return c.error();
  if (c->architecture->kind != model_kind::decoder)
    return error(errc::unsupported,
                 "cannot use the model: its architecture '" + std::string(c->architecture->name) +
                     (c->architecture->kind == model_kind::encoder
                          ? "' reads texts and writes none; use it to embed or rank"
                          : "' turns one text into another; open it as a sequence_to_sequence model") +
                     " (decoders are " + supported_architectures(model_kind::decoder) + ")",
                 "transformer.load", file.name());
  auto weights = find_decoder_weights(file, *c, kernels_of(kernels));
  if (!weights) return weights.error();
  return std::shared_ptr<transformer const>(new transformer(std::move(file), kernels, *c, std::move(*weights)));
}

transformer::transformer(gguf_file file, kernel_set set, config const& c, decoder_weights weights)
    : file_(std::move(file)),
      kernel_set_(set),
      kernels_(kernels_of(set)),
      config_(c),
      embedding_(weights.embedding),
      positions_(weights.positions),
      output_norm_(weights.output_norm),
      output_(weights.output) {
  for (std::size_t i = 0; i < weights.blocks.size(); ++i)
    blocks_.emplace_back(std::move(weights.blocks[i]), config_, config_.layers[i], i);
  if (config_.architecture->pairing == rope_pairing::none) return;
  bool const by_length = config_.scaling.how == rope_scaling::method::factors;
  full_ = full_rotary(config_, by_length ? weights.rope_factors_short : weights.rope_factors);
  full_beyond_ = full_rotary(config_, by_length ? weights.rope_factors_long : weights.rope_factors);
  if (config_.windowed_rope_base != 0) windowed_ = windowed_rotary(config_);
}

rotary const& transformer::rotary_for(sequence const& cache) const noexcept {
  return static_cast<double>(cache.positions_max()) > config_.scaling.original_context ? full_beyond_ : full_;
}

result<sequence> transformer::make_sequence(std::optional<std::size_t> positions_max) const {
  auto const positions = positions_max.value_or(config_.context_length);
  if (positions < 1 || positions > config_limits::context_max)
    return error(errc::invalid_argument,
                 "a sequence of " + std::to_string(positions) + " positions is impossible; 1 to " +
                     std::to_string(config_limits::context_max) + " are",
                 "transformer.make_sequence");
  if (positions_ && positions > config_.context_length)
    return error(errc::invalid_argument,
                 "the model has a row for each of " + std::to_string(config_.context_length) +
                     " positions; a sequence of " + std::to_string(positions) + " is impossible",
                 "transformer.make_sequence");
  return sequence(config_, positions);
}

result<void> transformer::forward(std::span<token_id const> ids, sequence& tokens_before, worker_pool& pool,
                                  std::span<float> logits, forward_options const& options) const {
  std::size_t const vocabulary = config_.vocabulary;
  assert(logits.size() % vocabulary == 0 && logits.size() / vocabulary <= ids.size());
  if (ids.empty()) return error(errc::invalid_argument, "there are no tokens to compute", "transformer.forward");
  for (auto id : ids)
    if (id < 0 || static_cast<std::size_t>(id) >= vocabulary)
      return error(errc::invalid_argument,
                   "token id " + std::to_string(id) + " is outside the vocabulary of " + std::to_string(vocabulary),
                   "transformer.forward");
  if (ids.size() > tokens_before.positions_max() - tokens_before.length())
    return error(errc::context_overflow,
                 "cannot append " + std::to_string(ids.size()) + " tokens to " +
                     std::to_string(tokens_before.length()) + " in a sequence of at most " +
                     std::to_string(tokens_before.positions_max()) + "; shorten the prompt",
                 "transformer.forward");

  std::size_t const silent = ids.size() - logits.size() / vocabulary;  // tokens before the first row of logits
  for (std::size_t begin = 0; begin < ids.size(); begin += chunk_tokens) {
    if (options.stop.stop_requested())
      return error(errc::cancelled, "cancelled while the prompt was read", "transformer.forward");
    std::size_t const end = std::min(begin + chunk_tokens, ids.size());
    std::size_t const from = std::clamp(silent, begin, end);
    auto const rows = logits.subspan((from - std::min(from, silent)) * vocabulary, (end - from) * vocabulary);
    read_chunk(ids.subspan(begin, end - begin), tokens_before, pool, rows, options);
  }
  return {};
}

void transformer::read_chunk(std::span<token_id const> ids, sequence& tokens_before, worker_pool& pool,
                             std::span<float> logits, forward_options const& options) const {
  tokens_before.reserve(ids.size());
  segment const run{0, ids.size(), tokens_before.length(), &tokens_before};
  pass p(config_, kernels_, pool, {std::span(&run, 1), options.adapters, options.watch});
  embed(ids, p);
  fill_turns(p, rotary_for(tokens_before), p.full);
  fill_turns(p, windowed_, p.windowed);
  for (auto const& block : blocks_) block.apply(p);
  predict(p, logits);
  tokens_before.commit(ids.size());
}

void transformer::embed(std::span<token_id const> ids, pass& p) const {
  engine::embed(p, embedding_, ids, config_.embedding_scale);
  if (positions_) add_positions(p, positions_);
  if (p.watch) p.watch->embedded({p.hidden, p.tokens * config_.width}, config_.width);
}

std::vector<float> transformer::logits_of(std::span<float const> row, worker_pool& pool) const {
  segment const run{0, 1, 0, nullptr};
  pass p(config_, kernels_, pool, {.segments = std::span(&run, 1)});
  std::copy(row.begin(), row.end(), p.hidden);
  std::vector<float> logits(config_.vocabulary);
  predict(p, logits);
  return logits;
}

void transformer::predict(pass& p, std::span<float> logits) const {
  std::size_t const rows = logits.size() / config_.vocabulary;
  if (rows == 0) return;
  normalise(p, output_norm_, p.hidden, p.normed);
  multiply(p, output_, p.normed + (p.tokens - rows) * config_.width, rows, logits.data());
  if (config_.logit_divisor != 1)
    for (float& logit : logits) logit /= config_.logit_divisor;
  if (config_.logit_cap != 0) kernels_.layer.soft_cap(logits.data(), logits.size(), 1.0f, config_.logit_cap);
}

}  // namespace wherry::inline v0::engine
