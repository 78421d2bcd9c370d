#include "engine/text_encoder.hpp"

#include <algorithm>
#include <cassert>

namespace wherry::inline v0::engine {
namespace {

// A pass over `rows` rows that belong to nothing: what the heads compute with.
struct bare_rows {
  segment run;
  pass p;
  bare_rows(config const& c, kernel_table const& kernels, worker_pool& pool, std::size_t rows)
      : run{0, rows, 0, nullptr}, p(c, kernels, pool, {.segments = std::span(&run, 1)}) {}
};

}  // namespace

result<std::shared_ptr<text_encoder const>> text_encoder::load(gguf_file file, kernel_set kernels) {
  auto const c = read_config(file);
  if (!c) return c.error();
  auto const refuse = [&](std::string const& why) {
    return error(
        errc::unsupported,
        "cannot read texts with the model: its architecture '" + std::string(c->architecture->name) + "' " + why,
        "text_encoder.load", file.name());
  };
  switch (c->architecture->kind) {
    case model_kind::encoder_decoder:
      return refuse("turns one text into another; open it as a sequence_to_sequence model");
    case model_kind::decoder: {
      if (c->pooled == pooling::none || c->pooled == pooling::rank)
        return refuse("writes texts, and the file declares no pooling of its tokens; encoders are " +
                      supported_architectures(model_kind::encoder));
      auto weights = find_decoder_weights(file, *c, kernels_of(kernels));
      if (!weights) return weights.error();
      return std::shared_ptr<text_encoder const>(new text_encoder(std::move(file), kernels, *c, std::move(*weights)));
    }
    case model_kind::encoder: break;
  }
  auto weights = find_encoder_weights(file, *c, kernels_of(kernels));
  if (!weights) return weights.error();
  return std::shared_ptr<text_encoder const>(new text_encoder(std::move(file), kernels, *c, std::move(*weights)));
}

text_encoder::text_encoder(gguf_file file, kernel_set set, config const& c, encoder_weights weights)
    : file_(std::move(file)),
      kernel_set_(set),
      kernels_(kernels_of(set)),
      config_(c),
      embedding_(weights.embedding),
      positions_(weights.positions),
      token_types_(weights.token_types),
      embedding_norm_(weights.embedding_norm),
      head_(weights.head),
      token_head_(weights.token_head) {
  for (std::size_t i = 0; i < weights.blocks.size(); ++i)
    blocks_.emplace_back(encoder_block(std::move(weights.blocks[i]), config_, config_.layers[i], i));
  if (config_.architecture->pairing != rope_pairing::none) full_ = full_rotary(config_, {});
}

text_encoder::text_encoder(gguf_file file, kernel_set set, config const& c, decoder_weights weights)
    : file_(std::move(file)),
      kernel_set_(set),
      kernels_(kernels_of(set)),
      config_(c),
      embedding_(weights.embedding),
      positions_(weights.positions),
      output_norm_(weights.output_norm) {
  for (std::size_t i = 0; i < weights.blocks.size(); ++i)
    blocks_.emplace_back(decoder_block(std::move(weights.blocks[i]), config_, config_.layers[i], i));
  if (config_.architecture->pairing != rope_pairing::none) full_ = full_rotary(config_, weights.rope_factors);
  if (config_.windowed_rope_base != 0) windowed_ = windowed_rotary(config_);
}

result<void> text_encoder::check(input const& text) const {
  auto const wrong = [](errc code, std::string what) { return error(code, std::move(what), "text_encoder.encode"); };
  if (text.ids.empty()) return wrong(errc::invalid_argument, "there are no tokens to read");
  if (text.ids.size() > config_.context_length)
    return wrong(errc::context_overflow, "a text of " + std::to_string(text.ids.size()) +
                                             " tokens exceeds the model's context of " +
                                             std::to_string(config_.context_length) + "; shorten it");
  for (auto id : text.ids)
    if (id < 0 || static_cast<std::size_t>(id) >= config_.vocabulary)
      return wrong(errc::invalid_argument, "token id " + std::to_string(id) + " is outside the vocabulary of " +
                                               std::to_string(config_.vocabulary));
  if (text.types.empty()) return {};
  if (text.types.size() != text.ids.size())
    return wrong(errc::invalid_argument, "there are not as many types as tokens");
  for (auto type : text.types)
    if (type >= std::max<std::size_t>(config_.token_types, 1))
      return wrong(errc::invalid_argument, "the model has no token type " + std::to_string(type));
  return {};
}

result<std::vector<float>> text_encoder::encode(std::span<input const> texts, worker_pool& pool,
                                                observer* watch) const {
  std::size_t rows = 0;
  for (auto const& text : texts) {
    if (auto fits = check(text); !fits) return std::move(fits).error();
    rows += text.ids.size();
  }
  std::vector<float> out(rows * config_.width);
  float* next = out.data();
  for (std::size_t begin = 0; begin < texts.size();) {
    std::size_t end = begin, together = 0;
    do together += texts[end++].ids.size();
    while (end < texts.size() && together + texts[end].ids.size() <= rows_at_once);
    read(texts.subspan(begin, end - begin), pool, next, watch);
    next += together * config_.width;
    begin = end;
  }
  return out;
}

void text_encoder::read(std::span<input const> texts, worker_pool& pool, float* out, observer* watch) const {
  std::vector<segment> segments;
  std::vector<token_id> ids;
  std::vector<std::uint8_t> types;
  for (auto const& text : texts) {
    segments.push_back({ids.size(), text.ids.size(), 0, nullptr});
    ids.insert(ids.end(), text.ids.begin(), text.ids.end());
    types.insert(types.end(), text.types.begin(), text.types.end());
    types.resize(ids.size(), 0);
  }
  pass p(config_, kernels_, pool, {.segments = segments, .watch = watch});
  embed(p, embedding_, ids, config_.embedding_scale);
  if (token_types_) add_rows(p, token_types_, types);
  if (positions_) add_positions(p, positions_);
  normalise(p, embedding_norm_, p.hidden, p.hidden);
  if (watch) watch->embedded({p.hidden, p.tokens * config_.width}, config_.width);
  fill_turns(p, full_, p.full);
  fill_turns(p, windowed_, p.windowed);
  for (auto const& block : blocks_) std::visit([&p](auto const& b) { b.apply(p); }, block);
  normalise(p, output_norm_, p.hidden, out);
}

std::vector<float> text_encoder::pool(std::span<float const> rows) const {
  std::size_t const width = config_.width, count = rows.size() / width;
  assert(count != 0);
  if (config_.pooled != pooling::mean) {
    std::size_t const row = config_.pooled == pooling::last ? count - 1 : 0;
    auto const one = rows.subspan(row * width, width);
    return {one.begin(), one.end()};
  }
  std::vector<float> out(width);
  for (std::size_t t = 0; t < count; ++t)
    for (std::size_t i = 0; i < width; ++i) out[i] += rows[t * width + i];
  for (float& v : out) v /= static_cast<float>(count);
  return out;
}

std::vector<float> text_encoder::judge(std::span<float const> rows, worker_pool& pool) const {
  bare_rows bare(config_, kernels_, pool, 1);
  auto x = rows.first(config_.width);
  std::vector<float> dense(config_.width), out(head_outputs());
  if (head_.dense.weight) {
    multiply(bare.p, head_.dense, x.data(), 1, dense.data());
    kernels_.layer.soft_cap(dense.data(), dense.size(), 1.0f, 1.0f);  // tanh
    x = dense;
  }
  multiply(bare.p, head_.output, x.data(), 1, out.data());
  return out;
}

std::vector<float> text_encoder::predict(std::span<float const> row, worker_pool& pool) const {
  bare_rows bare(config_, kernels_, pool, 1);
  std::vector<float> dense(config_.width), out(config_.vocabulary);
  multiply(bare.p, token_head_.dense, row.data(), 1, dense.data());
  activate(bare.p, config_.architecture->gate == activation::silu ? activation::gelu_erf : config_.architecture->gate,
           dense.data(), 1, dense.size());
  normalise(bare.p, token_head_.norm, dense.data(), dense.data());
  multiply(bare.p, token_head_.output, dense.data(), 1, out.data());
  return out;
}

}  // namespace wherry::inline v0::engine
