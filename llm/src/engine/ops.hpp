#pragma once
// The operations of a transformer, each a function over the rows of a pass.

#include "engine/pass.hpp"

#include <wherry/llm/sampling.hpp>

namespace wherry::inline v0::engine {

/// out[t] = weight x[t] + bias for `rows` rows, and what the pass's adapters add. Parallel over the outputs.
void multiply(pass& p, linear const& weights, float const* x, std::size_t rows, float* out);
inline void multiply(pass& p, linear const& weights, float const* x, float* out) {
  multiply(p, weights, x, p.tokens, out);
}

/// The product alone.
void multiply(worker_pool& pool, matrix const& weights, float const* x, std::size_t rows, float* out);

/// p.hidden = scale * the rows of `table` that `ids` name, one per row of the pass.
void embed(pass& p, matrix const& table, std::span<token_id const> ids, float scale);
/// p.hidden += the row of `table` for each row's position, or the one that `indices` name.
void add_positions(pass& p, matrix const& table);
void add_rows(pass& p, matrix const& table, std::span<std::uint8_t const> indices);

/// Normalises rows of the residual stream: by their root mean square, or centred and scaled where there is a bias. An
/// empty weight leaves them as they are. `out` may be `x`.
/// Sources: Zhang, Sennrich, "Root mean square layer normalization", 2019; Ba et al., "Layer normalization", 2016.
void normalise(pass& p, norm_weights const& weights, float const* x, float* out);

/// Normalises each head of every row by itself, or whole rows of `heads` heads together, as the weight is long; an
/// empty weight leaves them as they are.
void normalise_heads(pass& p, std::span<float const> weight, float* rows, std::size_t heads);

/// Turns the heads of every row by its position.
/// Source: Su et al., "RoFormer: enhanced transformer with rotary position embedding", 2021.
void rotate(pass& p, rotation_kind kind, float* rows, std::size_t heads);

/// How a layer attends.
struct attention_rule {
  std::size_t kv_heads = 0;
  float scale = 1;
  float cap = 0;           ///< Scores become cap * tanh(score / cap); 0: they stay.
  std::size_t window = 0;  ///< A row sees itself and the window - 1 before it; 0: all.
  bool causal = true;      ///< Only what is before, within a segment without a cache.
  std::span<float const> sinks;
  /// Added to the scores by head and distance: [2 * reach + 1][heads], the middle row for distance 0, the ends for all
  /// beyond; empty: nothing.
  std::span<float const> bias;
};

/// Appends the pass's keys and values to the caches of its segments; nothing for segments without one.
void remember(pass& p, std::size_t layer, std::size_t kv_heads);

/// p.attended = softmax(scale * query . keys) . values, over the cached positions of each row's segment up to its own,
/// or over the rows of the segment itself; groups of query heads share a key/value head.
/// Sources: Vaswani et al., "Attention is all you need", 2017; Ainslie et al., "GQA: training generalized multi-query
/// transformer models from multi-head checkpoints", 2023.
void attend(pass& p, std::size_t layer, attention_rule const& rule);

/// Keys and values of the rows that a decoder attends to across.
struct cross_rows {
  float const* keys;  ///< [count][kv_heads][head_width]
  float const* values;
  std::size_t count;
};
/// The same over the rows of an encoder.
void attend_across(pass& p, std::size_t layer, attention_rule const& rule, cross_rows const& rows);

/// p.gate = activation(p.gate) * p.up, for `rows` rows of `width` floats. Source: Shazeer, "GLU variants improve
/// transformer", 2020.
void gate(pass& p, activation kind, std::size_t rows, std::size_t width);
/// x = activation(x), for gelu, gelu_erf and relu.
void activate(pass& p, activation kind, float* x, std::size_t rows, std::size_t width);

/// out = the gated, convolved and gated rows of p.mixed ([tokens][3 width]: in-gate, out-gate, values):
///   kept = in-gate * values; out = out-gate * (sum over taps of kernel[tap] * kept[t - taps + 1 + tap]).
/// What is kept goes to the segments' caches. Source: the published description of LFM2, 2025.
void convolve(pass& p, std::size_t layer, std::span<float const> kernel, float* out);

/// p.hidden += scale * change.
void add_to_hidden(pass& p, float const* change, float scale = 1);

}  // namespace wherry::inline v0::engine
