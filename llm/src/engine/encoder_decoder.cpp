#include "engine/encoder_decoder.hpp"

#include "engine/elementary.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace wherry::inline v0::engine {
namespace {

constexpr std::size_t farthest = 128;  // distances beyond it share the last bucket

// The bucket of a distance >= 0: each of the first half its own, then ever wider ones.
std::size_t bucket_of(std::size_t distance, std::size_t buckets) {
  std::size_t const exact = buckets / 2;
  if (distance < exact) return distance;
  double const reach = logarithm(static_cast<double>(farthest) / static_cast<double>(exact));
  double const share = logarithm(static_cast<double>(distance) / static_cast<double>(exact)) / reach;
  auto const wide = static_cast<std::size_t>(share * static_cast<double>(buckets - exact) + 1e-9);
  return std::min(exact + wide, buckets - 1);
}

// What attention_rule::bias wants: [2 * farthest + 1][heads], by the key's position relative to the row's. An encoder
// has half of its buckets for what is ahead; a decoder sees nothing ahead.
std::vector<float> bias_by_distance(std::vector<float> const& table, std::size_t buckets, std::size_t heads,
                                    bool both_ways) {
  std::vector<float> out((2 * farthest + 1) * heads);
  for (std::size_t row = 0; row <= 2 * farthest; ++row) {
    bool const ahead = row > farthest;
    std::size_t const distance = ahead ? row - farthest : farthest - row;
    std::size_t bucket = 0;
    if (both_ways)
      bucket = (ahead ? buckets / 2 : 0) + bucket_of(distance, buckets / 2);
    else if (!ahead)
      bucket = bucket_of(distance, buckets);
    std::copy_n(table.begin() + static_cast<std::ptrdiff_t>(bucket * heads), heads,
                out.begin() + static_cast<std::ptrdiff_t>(row * heads));
  }
  return out;
}

}  // namespace

result<std::shared_ptr<encoder_decoder const>> encoder_decoder::load(gguf_file file, kernel_set kernels) {
  auto const c = read_config(file);
  if (!c) return c.error();
  if (c->architecture->kind != model_kind::encoder_decoder)
    return error(errc::unsupported,
                 "cannot use the model to turn one text into another: its architecture is '" +
                     std::string(c->architecture->name) + "'; encoder-decoders are " +
                     supported_architectures(model_kind::encoder_decoder),
                 "encoder_decoder.load", file.name());
  auto weights = find_encoder_decoder_weights(file, *c, kernels_of(kernels));
  if (!weights) return weights.error();
  return std::shared_ptr<encoder_decoder const>(new encoder_decoder(std::move(file), kernels, *c, std::move(*weights)));
}

encoder_decoder::encoder_decoder(gguf_file file, kernel_set set, config const& c, encoder_decoder_weights weights)
    : file_(std::move(file)),
      kernel_set_(set),
      kernels_(kernels_of(set)),
      config_(c),
      embedding_(weights.embedding),
      encoder_bias_(bias_by_distance(weights.encoder.relative_bias, c.relative_buckets, c.heads, true)),
      decoder_bias_(bias_by_distance(weights.decoder.relative_bias, c.relative_buckets, c.heads, false)),
      encoder_norm_(weights.encoder.output_norm),
      decoder_norm_(weights.decoder.output_norm),
      output_(weights.output) {
  for (std::size_t i = 0; i < weights.encoder.blocks.size(); ++i) {
    auto const& shape = config_.layers[std::min(i, config_.layers.size() - 1)];
    auto& block = encoder_.emplace_back(std::move(weights.encoder.blocks[i]), config_, shape, i);
    auto& rule = std::get<attention_layer>(block.mixer).rule;
    rule.causal = false;
    rule.bias = encoder_bias_;
  }
  for (std::size_t i = 0; i < weights.decoder.blocks.size(); ++i) {
    auto& crossing = weights.crossings[i];
    auto& layer = decoder_.emplace_back(
        decoder_layer{decoder_block(std::move(weights.decoder.blocks[i]), config_, config_.layers[i], i), crossing.norm,
                      cross_attention_layer(std::move(crossing.attention), config_, config_.layers[i], i)});
    std::get<attention_layer>(layer.block.mixer).rule.bias = decoder_bias_;
  }
  // A shared embedding has the size that reading wants; writing scales it.
  if (weights.output_is_tied) output_scale_ = static_cast<float>(1 / std::sqrt(static_cast<double>(config_.width)));
}

result<void> encoder_decoder::check(std::span<token_id const> ids, char const* where) const {
  if (ids.empty()) return error(errc::invalid_argument, "there are no tokens to compute", where);
  for (auto id : ids)
    if (id < 0 || static_cast<std::size_t>(id) >= config_.vocabulary)
      return error(
          errc::invalid_argument,
          "token id " + std::to_string(id) + " is outside the vocabulary of " + std::to_string(config_.vocabulary),
          where);
  return {};
}

result<encoded_text> encoder_decoder::encode(std::span<token_id const> ids, worker_pool& pool, observer* watch) const {
  if (auto fits = check(ids, "encoder_decoder.encode"); !fits) return std::move(fits).error();
  if (ids.size() > config_.context_length)
    return error(errc::context_overflow,
                 "a text of " + std::to_string(ids.size()) + " tokens exceeds the model's context of " +
                     std::to_string(config_.context_length) + "; shorten it",
                 "encoder_decoder.encode");
  segment const run{0, ids.size(), 0, nullptr};
  pass p(config_, kernels_, pool, {.segments = std::span(&run, 1), .watch = watch});
  embed(p, embedding_, ids, config_.embedding_scale);
  if (watch) watch->embedded({p.hidden, p.tokens * config_.width}, config_.width);
  for (auto const& block : encoder_) block.apply(p);

  encoded_text out;
  out.rows = ids.size();
  out.vectors.resize(ids.size() * config_.width);
  normalise(p, encoder_norm_, p.hidden, out.vectors.data());
  for (auto const& layer : decoder_) {
    auto& kept = out.layers.emplace_back();
    kept.keys.resize(ids.size() * layer.crossing.rule.kv_heads * config_.head_width);
    kept.values.resize(kept.keys.size());
    multiply(p, layer.crossing.weights.key, out.vectors.data(), kept.keys.data());
    multiply(p, layer.crossing.weights.value, out.vectors.data(), kept.values.data());
  }
  return out;
}

result<sequence> encoder_decoder::make_sequence(std::size_t positions_max) const {
  if (positions_max < 1 || positions_max > config_limits::context_max)
    return error(errc::invalid_argument,
                 "an answer of " + std::to_string(positions_max) + " positions is impossible; 1 to " +
                     std::to_string(config_limits::context_max) + " are",
                 "encoder_decoder.make_sequence");
  return sequence(config_, positions_max);
}

void encoder_decoder::decoder_layer::apply(pass& p, cross_rows const& rows) const {
  block.mix(p);
  normalise(p, crossing_norm, p.hidden, p.normed);
  crossing.apply(p, rows, p.normed, p.normed);
  add_to_hidden(p, p.normed);
  block.think(p);
  block.done(p);
}

result<void> encoder_decoder::decode(std::span<token_id const> ids, encoded_text const& text, sequence& answer,
                                     worker_pool& pool, std::span<float> logits, observer* watch) const {
  std::size_t const vocabulary = config_.vocabulary, rows = logits.size() / vocabulary;
  assert(logits.size() % vocabulary == 0 && rows <= ids.size() && text.layers.size() == decoder_.size());
  if (auto fits = check(ids, "encoder_decoder.decode"); !fits) return std::move(fits).error();
  if (ids.size() > answer.positions_max() - answer.length())
    return error(errc::context_overflow,
                 "the answer has no room for " + std::to_string(ids.size()) + " more tokens beside " +
                     std::to_string(answer.length()),
                 "encoder_decoder.decode");
  answer.reserve(ids.size());
  segment const run{0, ids.size(), answer.length(), &answer};
  pass p(config_, kernels_, pool, {.segments = std::span(&run, 1), .watch = watch, .rows_across = text.rows});
  embed(p, embedding_, ids, config_.embedding_scale);
  if (watch) watch->embedded({p.hidden, p.tokens * config_.width}, config_.width);
  for (std::size_t i = 0; i < decoder_.size(); ++i)
    decoder_[i].apply(p, {text.layers[i].keys.data(), text.layers[i].values.data(), text.rows});
  answer.commit(ids.size());
  if (rows == 0) return {};
  normalise(p, decoder_norm_, p.hidden, p.normed);
  if (output_scale_ != 1)
    for (std::size_t i = 0; i < p.tokens * config_.width; ++i) p.normed[i] *= output_scale_;
  multiply(p, output_, p.normed + (p.tokens - rows) * config_.width, rows, logits.data());
  return {};
}

}  // namespace wherry::inline v0::engine
