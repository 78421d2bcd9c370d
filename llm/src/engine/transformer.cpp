#include "engine/transformer.hpp"

#include "engine/tensor_rows.hpp"

#include <algorithm>
#include <cassert>

namespace wherry::inline v0::engine {

result<std::shared_ptr<transformer const>> transformer::load(gguf_file file, kernel_set kernels) {
  auto const c = read_config(file);
  if (!c) return c.error();
  auto weights = find_weights(file, *c, kernels_of(kernels));
  if (!weights) return weights.error();
  return std::shared_ptr<transformer const>(new transformer(std::move(file), kernels, *c, std::move(*weights)));
}

transformer::transformer(gguf_file file, kernel_set set, config const& c, model_weights weights)
    : file_(std::move(file)),
      kernel_set_(set),
      kernels_(kernels_of(set)),
      config_(c),
      embedding_(weights.embedding),
      output_norm_(weights.output_norm),
      output_(weights.output),
      rope_frequencies_(rope_frequencies(c, weights.rope_factors)) {
  for (std::size_t i = 0; i < weights.blocks.size(); ++i)
    blocks_.push_back({{weights.blocks[i].attention, i}, {weights.blocks[i].feed_forward}});
}

result<sequence> transformer::make_sequence(std::optional<std::size_t> positions_max) const {
  auto const positions = positions_max.value_or(config_.context_length);
  if (positions < 1 || positions > config_limits::context_max)
    return error(errc::invalid_argument,
                 "a sequence of " + std::to_string(positions) + " positions is impossible; 1 to " +
                     std::to_string(config_limits::context_max) + " are",
                 "transformer.make_sequence");
  return sequence(config_, positions);
}

result<void> transformer::forward(std::span<token_id const> ids, sequence& tokens_before, worker_pool& pool,
                                  std::span<float> logits, std::stop_token stop) const {
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
    if (stop.stop_requested())
      return error(errc::cancelled, "cancelled while the prompt was read", "transformer.forward");
    std::size_t const end = std::min(begin + chunk_tokens, ids.size());
    std::size_t const from = std::clamp(silent, begin, end);
    auto const rows = logits.subspan((from - std::min(from, silent)) * vocabulary, (end - from) * vocabulary);
    read_chunk(ids.subspan(begin, end - begin), tokens_before, pool, rows);
  }
  return {};
}

void transformer::read_chunk(std::span<token_id const> ids, sequence& tokens_before, worker_pool& pool,
                             std::span<float> logits) const {
  tokens_before.reserve(ids.size());
  pass p(config_, kernels_, pool, tokens_before, ids.size());
  embed(ids, p);
  fill_rotations(p, rope_frequencies_);
  for (auto const& block : blocks_) block.apply(p);
  predict(p, logits);
  tokens_before.commit(ids.size());
}

void transformer::embed(std::span<token_id const> ids, pass& p) const {
  for (std::size_t t = 0; t < ids.size(); ++t)
    unpack_row(embedding_.type, embedding_.data + static_cast<std::size_t>(ids[t]) * embedding_.row_bytes,
               {p.hidden + t * config_.width, config_.width});
}

void transformer::predict(pass& p, std::span<float> logits) const {
  std::size_t const rows = logits.size() / config_.vocabulary;
  if (rows == 0) return;
  normalise(p, output_norm_, p.hidden, p.normed);
  multiply(p.pool, output_, p.normed + (p.tokens - rows) * config_.width, rows, logits.data());
}

}  // namespace wherry::inline v0::engine
