#pragma once
// The layers of a decoder: each owns its weights and says in which order its operations run.

#include "engine/ops.hpp"

namespace wherry::inline v0::engine {

/// Self-attention with rotary positions: hidden += output(attend(query, key, value of norm(hidden))).
struct attention_layer {
  attention_weights weights;
  std::size_t index = 0;  ///< Which layer of the cache it writes.
  void apply(pass& p) const;
};

/// The gated feed-forward network: hidden += down(silu(gate(x)) * up(x)) with x = norm(hidden).
struct feed_forward_layer {
  feed_forward_weights weights;
  void apply(pass& p) const;
};

/// A decoder block: attention, then feed-forward.
struct decoder_block {
  attention_layer attention;
  feed_forward_layer feed_forward;
  void apply(pass& p) const {
    attention.apply(p);
    feed_forward.apply(p);
  }
};

}  // namespace wherry::inline v0::engine
