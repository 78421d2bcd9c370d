#pragma once
// The layers: each owns its weights and says in which order its operations run.

#include "engine/ops.hpp"

#include <variant>

namespace wherry::inline v0::engine {

/// Multi-head self-attention: out = output(attend(query, key, value of x)).
struct attention_layer {
  attention_weights weights;
  attention_rule rule;
  rotation_kind rotation = rotation_kind::none;
  std::size_t index = 0;  ///< Which layer of the cache it writes.

  attention_layer(attention_weights found, config const& c, layer_shape const& shape, std::size_t layer);
  void apply(pass& p, float const* x, float* out) const;
};

/// Attention from a decoder's rows to an encoder's, whose keys and values are computed once.
struct cross_attention_layer {
  attention_weights weights;
  attention_rule rule;
  std::size_t index = 0;

  cross_attention_layer(attention_weights found, config const& c, layer_shape const& shape, std::size_t layer);
  void apply(pass& p, cross_rows const& rows, float const* x, float* out) const;
};

/// A gated short convolution in attention's place.
struct short_convolution_layer {
  short_convolution_weights weights;
  std::size_t index = 0;
  void apply(pass& p, float const* x, float* out) const;
};

/// The feed-forward network: out = down(activation(gate x) * up x), or down(activation(up x)) without a gate.
struct feed_forward_layer {
  feed_forward_weights weights;
  void apply(pass& p, float const* x, float* out) const { apply(p, x, p.tokens, out); }
  void apply(pass& p, float const* x, std::size_t rows, float* out) const;
};

/// A mixture of experts: each row goes through the few networks that a router chooses for it.
/// Source: Shazeer et al., "Outrageously large neural networks: the sparsely-gated mixture-of-experts layer", 2017.
struct expert_layer {
  linear router;
  std::vector<feed_forward_layer> experts;
  explicit expert_layer(expert_weights found);
  void apply(pass& p, float const* x, float* out) const;
};

/// A block whose parts read a normalised residual stream and add to it.
struct decoder_block {
  norm_weights mixer_norm, mixer_end_norm;
  std::variant<attention_layer, short_convolution_layer> mixer;
  norm_weights network_norm, network_end_norm;
  std::variant<feed_forward_layer, expert_layer> network;
  std::size_t index = 0;

  decoder_block(decoder_block_weights found, config const& c, layer_shape const& shape, std::size_t layer);
  void apply(pass& p) const {
    mix(p);
    think(p);
    done(p);
  }
  void mix(pass& p) const;    ///< hidden += mixer(norm(hidden))
  void think(pass& p) const;  ///< hidden += network(norm(hidden))
  void done(pass& p) const;   ///< Tells who watches.
};

/// A block that normalises the stream after each part: hidden = norm(hidden + part(hidden)).
struct encoder_block {
  attention_layer attention;
  norm_weights attention_end_norm;
  feed_forward_layer network;
  norm_weights network_end_norm;
  std::size_t index = 0;

  encoder_block(encoder_block_weights found, config const& c, layer_shape const& shape, std::size_t layer);
  void apply(pass& p) const;
};

}  // namespace wherry::inline v0::engine
