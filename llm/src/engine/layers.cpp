#include "engine/layers.hpp"

#include <algorithm>
#include <numeric>

namespace wherry::inline v0::engine {
namespace {

attention_rule rule_of(attention_weights const& weights, config const& c, layer_shape const& shape) {
  attention_rule rule;
  rule.kv_heads = shape.kv_heads;
  rule.scale = c.attention_scale;
  rule.cap = c.attention_cap;
  rule.window = shape.window;
  rule.causal = c.causal;
  rule.sinks = weights.sinks;
  return rule;
}

std::variant<attention_layer, short_convolution_layer> mixer_of(decoder_block_weights& found, config const& c,
                                                                layer_shape const& shape, std::size_t layer) {
  if (auto* attention = std::get_if<attention_weights>(&found.mixer))
    return attention_layer(std::move(*attention), c, shape, layer);
  return short_convolution_layer{std::get<short_convolution_weights>(std::move(found.mixer)), layer};
}

std::variant<feed_forward_layer, expert_layer> network_of(decoder_block_weights& found) {
  if (auto* dense = std::get_if<feed_forward_weights>(&found.network)) return feed_forward_layer{*dense};
  return expert_layer(std::get<expert_weights>(std::move(found.network)));
}

// An expert chosen for a row, and its weight there.
struct choice {
  std::size_t expert;
  float weight;
};

// The `count` experts with the highest router scores, highest first (of equals the first one), and their weights.
void choose(pass& p, float* scores, std::size_t experts, std::span<choice> out) {
  auto const rule = p.c.architecture->experts;
  std::vector<std::size_t> order(experts);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(out.size()), order.end(),
      [scores](std::size_t a, std::size_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
  std::vector<float> shares;
  if (rule == expert_weights_rule::choose_then_softmax) {
    for (std::size_t i = 0; i < out.size(); ++i) shares.push_back(scores[order[i]]);
    p.kernels.layer.softmax(shares.data(), shares.size(), 1.0f);
  } else {
    p.kernels.layer.softmax(scores, experts, 1.0f);
    for (std::size_t i = 0; i < out.size(); ++i) shares.push_back(scores[order[i]]);
    float total = 0;
    for (float share : shares) total += share;
    if (rule == expert_weights_rule::renormalised)
      for (float& share : shares) share /= total;
  }
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = {order[i], shares[i]};
}

}  // namespace

attention_layer::attention_layer(attention_weights found, config const& c, layer_shape const& shape, std::size_t layer)
    : weights(std::move(found)), rule(rule_of(weights, c, shape)), rotation(shape.rotation), index(layer) {}

void attention_layer::apply(pass& p, float const* x, float* out) const {
  multiply(p, weights.query, x, p.query);
  multiply(p, weights.key, x, p.key);
  multiply(p, weights.value, x, p.value);
  normalise_heads(p, weights.query_norm, p.query, p.c.heads);
  normalise_heads(p, weights.key_norm, p.key, rule.kv_heads);
  rotate(p, rotation, p.query, p.c.heads);
  rotate(p, rotation, p.key, rule.kv_heads);
  remember(p, index, rule.kv_heads);
  attend(p, index, rule);
  multiply(p, weights.output, p.attended, out);
}

cross_attention_layer::cross_attention_layer(attention_weights found, config const& c, layer_shape const& shape,
                                             std::size_t layer)
    : weights(std::move(found)), rule(rule_of(weights, c, shape)), index(layer) {}

void cross_attention_layer::apply(pass& p, cross_rows const& rows, float const* x, float* out) const {
  multiply(p, weights.query, x, p.query);
  attend_across(p, index, rule, rows);
  multiply(p, weights.output, p.attended, out);
}

void short_convolution_layer::apply(pass& p, float const* x, float* out) const {
  multiply(p, weights.input, x, p.mixed);
  convolve(p, index, weights.kernel, p.normed);
  multiply(p, weights.output, p.normed, p.mixed);
  std::copy_n(p.mixed, p.tokens * p.c.width, out);
}

void feed_forward_layer::apply(pass& p, float const* x, std::size_t rows, float* out) const {
  std::size_t const width = weights.up.weight.rows;
  multiply(p, weights.up, x, rows, p.up);
  if (!weights.gate.weight) {
    // Of an architecture with gates, a file without one is the older form, which has a ReLU.
    activate(p, p.c.architecture->gated ? activation::relu : p.c.architecture->gate, p.up, rows, width);
    multiply(p, weights.down, p.up, rows, out);
    return;
  }
  multiply(p, weights.gate, x, rows, p.gate);
  gate(p, p.c.architecture->gate, rows, width);
  multiply(p, weights.down, p.gate, rows, out);
}

expert_layer::expert_layer(expert_weights found) : router(found.router) {
  for (auto& weights : found.experts) experts.push_back({weights});
}

void expert_layer::apply(pass& p, float const* x, float* out) const {
  std::size_t const width = p.c.width, used = p.c.experts.used;
  std::vector<float> scores(p.tokens * experts.size());
  multiply(p, router, x, scores.data());
  std::vector<choice> choices(p.tokens * used);
  for (std::size_t t = 0; t < p.tokens; ++t)
    choose(p, scores.data() + t * experts.size(), experts.size(), std::span(choices).subspan(t * used, used));

  // The rows of one expert go through it together; what it gives is put where the row and its choice say.
  std::vector<float> rows, given;
  std::vector<std::size_t> places;
  for (std::size_t e = 0; e < experts.size(); ++e) {
    rows.clear();
    places.clear();
    for (std::size_t i = 0; i < choices.size(); ++i) {
      if (choices[i].expert != e) continue;
      places.push_back(i);
      rows.insert(rows.end(), x + i / used * width, x + (i / used + 1) * width);
    }
    if (places.empty()) continue;
    given.resize(rows.size());
    experts[e].apply(p, rows.data(), places.size(), given.data());
    for (std::size_t i = 0; i < places.size(); ++i)
      std::copy_n(given.data() + i * width, width, p.chosen + places[i] * width);
  }
  // Summed in the order of the choices, whatever else was computed beside them.
  std::fill_n(out, p.tokens * width, 0.0f);
  for (std::size_t i = 0; i < choices.size(); ++i)
    for (std::size_t c = 0; c < width; ++c) out[i / used * width + c] += choices[i].weight * p.chosen[i * width + c];
}

decoder_block::decoder_block(decoder_block_weights found, config const& c, layer_shape const& shape, std::size_t layer)
    : mixer_norm(found.mixer_norm),
      mixer_end_norm(found.mixer_end_norm),
      mixer(mixer_of(found, c, shape, layer)),
      network_norm(found.network_norm),
      network_end_norm(found.network_end_norm),
      network(network_of(found)),
      index(layer) {}

void decoder_block::mix(pass& p) const {
  normalise(p, mixer_norm, p.hidden, p.normed);
  std::visit([&p](auto const& part) { part.apply(p, p.normed, p.normed); }, mixer);
  normalise(p, mixer_end_norm, p.normed, p.normed);
  add_to_hidden(p, p.normed, p.c.residual_scale);
}

void decoder_block::think(pass& p) const {
  normalise(p, network_norm, p.hidden, p.normed);
  std::visit([&p](auto const& part) { part.apply(p, p.normed, p.normed); }, network);
  normalise(p, network_end_norm, p.normed, p.normed);
  add_to_hidden(p, p.normed, p.c.residual_scale);
}

void decoder_block::done(pass& p) const {
  if (p.watch) p.watch->layer_done(index, {p.hidden, p.tokens * p.c.width}, p.c.width);
}

encoder_block::encoder_block(encoder_block_weights found, config const& c, layer_shape const& shape, std::size_t layer)
    : attention(std::move(found.attention), c, shape, layer),
      attention_end_norm(found.attention_end_norm),
      network{found.network},
      network_end_norm(found.network_end_norm),
      index(layer) {}

void encoder_block::apply(pass& p) const {
  attention.apply(p, p.hidden, p.normed);
  add_to_hidden(p, p.normed);
  normalise(p, attention_end_norm, p.hidden, p.hidden);
  network.apply(p, p.hidden, p.normed);
  add_to_hidden(p, p.normed);
  normalise(p, network_end_norm, p.hidden, p.hidden);
  if (p.watch) p.watch->layer_done(index, {p.hidden, p.tokens * p.c.width}, p.c.width);
}

}  // namespace wherry::inline v0::engine
