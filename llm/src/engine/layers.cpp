#include "engine/layers.hpp"

namespace wherry::inline v0::engine {

void attention_layer::apply(pass& p) const {
  normalise(p, weights.norm, p.hidden, p.normed);
  multiply(p.pool, weights.query, p.normed, p.tokens, p.query);
  multiply(p.pool, weights.key, p.normed, p.tokens, p.key);
  multiply(p.pool, weights.value, p.normed, p.tokens, p.value);
  add_bias(p, weights.query_bias, p.query);
  add_bias(p, weights.key_bias, p.key);
  add_bias(p, weights.value_bias, p.value);
  normalise_heads(p, weights.query_norm, p.query, p.c.heads);
  normalise_heads(p, weights.key_norm, p.key, p.c.kv_heads);
  rotate(p, p.query, p.c.heads);
  rotate(p, p.key, p.c.kv_heads);
  remember(p, index);
  attend(p, index);
  multiply(p.pool, weights.output, p.attended, p.tokens, p.normed);
  add_to_hidden(p, p.normed);
}

void feed_forward_layer::apply(pass& p) const {
  normalise(p, weights.norm, p.hidden, p.normed);
  multiply(p.pool, weights.gate, p.normed, p.tokens, p.gate);
  multiply(p.pool, weights.up, p.normed, p.tokens, p.up);
  gate_with_silu(p);
  multiply(p.pool, weights.down, p.gate, p.tokens, p.normed);
  add_to_hidden(p, p.normed);
}

}  // namespace wherry::inline v0::engine
