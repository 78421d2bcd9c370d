#pragma once
// The operations of a transformer, each a function over the rows of a pass.

#include "engine/pass.hpp"

namespace wherry::inline v0::engine {

/// out[t] = weights * x[t] for `tokens` rows. Parallel over the rows of the matrix.
void multiply(worker_pool& pool, matrix const& weights, float const* x, std::size_t tokens, float* out);

/// out[t] = x[t] / rms(x[t]) * weight for the rows of the residual stream. `out` may be `x`.
/// Source: Zhang, Sennrich, "Root mean square layer normalization", 2019.
void normalise(pass& p, std::span<float const> weight, float const* x, float* out);

/// Adds a bias to every token's row; an empty bias adds nothing.
void add_bias(pass& p, std::span<float const> bias, float* rows);

/// Normalises each head of every token's row by itself; an empty weight leaves them as they are.
void normalise_heads(pass& p, std::span<float const> weight, float* rows, std::size_t heads);

/// Turns the heads of every token's row by its position.
/// Source: Su et al., "RoFormer: enhanced transformer with rotary position embedding", 2021.
void rotate(pass& p, float* rows, std::size_t heads);

/// Appends the pass's keys and values to the cache of a layer.
void remember(pass& p, std::size_t layer);

/// p.attended = softmax(query . keys / sqrt(head_width)) . values over all positions up to each token's own; groups of
/// query heads share a key/value head. Source: Ainslie et al., "GQA: training generalized multi-query transformer
/// models from multi-head checkpoints", 2023.
void attend(pass& p, std::size_t layer);

/// p.gate = silu(p.gate) * p.up. Source: Shazeer, "GLU variants improve transformer", 2020.
void gate_with_silu(pass& p);

/// p.hidden += change.
void add_to_hidden(pass& p, float const* change);

}  // namespace wherry::inline v0::engine
