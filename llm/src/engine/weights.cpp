#include "engine/weights.hpp"

#include "engine/tensor_taker.hpp"

#include <algorithm>

namespace wherry::inline v0::engine {
namespace {

// Query, key and value stand in the file one by one or, one below the other, as one.
attention_weights take_attention(tensor_taker& take, std::string const& name, config const& c, std::size_t kv_heads) {
  std::size_t const queries = c.query_width(), keys = kv_heads * c.head_width;
  auto const& row = *c.architecture;
  attention_weights w;
  if (take.has(name + "qkv.weight")) {
    auto const fused = take.take_linear(name + "qkv", queries + 2 * keys, c.width, row.projection_bias);
    w.query = fused.slice(0, queries);
    w.key = fused.slice(queries, keys);
    w.value = fused.slice(queries + keys, keys);
  } else {
    w.query = take.take_linear(name + "q", queries, c.width, row.projection_bias);
    w.key = take.take_linear(name + "k", keys, c.width, row.projection_bias);
    w.value = take.take_linear(name + "v", keys, c.width, row.projection_bias);
  }
  bool const towers = row.kind == model_kind::encoder_decoder;
  w.output = take.take_linear(name + (towers ? "o" : "output"), c.width, queries);
  if (row.heads == head_norm::each_head) {
    w.query_norm = take.take_vector(name + "q_norm.weight", c.head_width);
    w.key_norm = take.take_vector(name + "k_norm.weight", c.head_width);
  } else if (row.heads == head_norm::whole_row) {
    w.query_norm = take.take_vector(name + "q_norm.weight", queries);
    w.key_norm = take.take_vector(name + "k_norm.weight", keys);
  }
  w.sinks = take.find_vector(name + "sinks.weight", c.heads);
  return w;
}

short_convolution_weights take_convolution(tensor_taker& take, std::string const& block, config const& c) {
  short_convolution_weights w;
  w.input = take.take_linear(block + "shortconv.in_proj", 3 * c.width, c.width);
  w.output = take.take_linear(block + "shortconv.out_proj", c.width, c.width);
  auto const by_channel = take.take_floats(block + "shortconv.conv.weight", c.width, c.convolution);
  w.kernel.resize(by_channel.size());
  for (std::size_t i = 0; i < c.width; ++i)
    for (std::size_t tap = 0; tap < c.convolution; ++tap)
      w.kernel[tap * c.width + i] = by_channel[i * c.convolution + tap];
  return w;
}

// A gated network has its gate by itself, or above the other projection in one matrix.
feed_forward_weights take_feed_forward(tensor_taker& take, std::string const& block, config const& c,
                                       std::size_t width) {
  feed_forward_weights w;
  bool const gated = c.architecture->gated;
  if (gated && !take.has(block + "ffn_gate.weight") && take.rows_of(block + "ffn_up.weight") == 2 * width) {
    auto const fused = take.take_linear(block + "ffn_up", 2 * width, c.width);
    w.gate = fused.slice(0, width);
    w.up = fused.slice(width, width);
  } else {
    bool const may_lack_gate = c.architecture->kind == model_kind::encoder_decoder;  // the first T5
    if (gated && (!may_lack_gate || take.has(block + "ffn_gate.weight")))
      w.gate = take.take_linear(block + "ffn_gate", width, c.width);
    w.up = take.take_linear(block + "ffn_up", width, c.width);
  }
  w.down = take.take_linear(block + "ffn_down", c.width, width);
  return w;
}

expert_weights take_experts(tensor_taker& take, std::string const& block, config const& c) {
  auto const& e = c.experts;
  expert_weights w;
  w.router = take.take_linear(block + "ffn_gate_inp", e.count, c.width);
  auto const gates = take.take_matrices(block + "ffn_gate_exps.weight", e.count, e.feed_forward, c.width);
  auto const ups = take.take_matrices(block + "ffn_up_exps.weight", e.count, e.feed_forward, c.width);
  auto const downs = take.take_matrices(block + "ffn_down_exps.weight", e.count, c.width, e.feed_forward);
  auto const bias = [&](std::string const& name, std::size_t rows) {
    auto const all = take.has(name) ? take.take_matrix(name, e.count, rows) : matrix{};
    if (all && all.type != tensor_type::f32) take.fail(errc::unsupported, "its biases '" + name + "' are not F32");
    return reinterpret_cast<float const*>(all.data);
  };
  auto const* gate_bias = bias(block + "ffn_gate_exps.bias", e.feed_forward);
  auto const* up_bias = bias(block + "ffn_up_exps.bias", e.feed_forward);
  auto const* down_bias = bias(block + "ffn_down_exps.bias", c.width);
  auto const of_expert = [](float const* all, std::size_t i, std::size_t rows) {
    return all ? std::span(all + i * rows, rows) : std::span<float const>{};
  };
  for (std::size_t i = 0; i < e.count; ++i)
    w.experts.push_back({{gates[i], of_expert(gate_bias, i, e.feed_forward)},
                         {ups[i], of_expert(up_bias, i, e.feed_forward)},
                         {downs[i], of_expert(down_bias, i, c.width)}});
  return w;
}

decoder_block_weights take_decoder_block(tensor_taker& take, std::string const& block, config const& c,
                                         layer_shape const& shape) {
  auto const& row = *c.architecture;
  decoder_block_weights w;
  w.mixer_norm = take.take_norm(block + "attn_norm", c.width);
  if (shape.mixer == mixer_kind::attention)
    w.mixer = take_attention(take, block + "attn_", c, shape.kv_heads);
  else
    w.mixer = take_convolution(take, block, c);
  w.network_norm = take.take_norm(block + std::string(row.feed_forward_norm), c.width);
  if (c.experts.count != 0)
    w.network = take_experts(take, block, c);
  else
    w.network = take_feed_forward(take, block, c, shape.feed_forward);
  if (row.sublayer_norms) {
    w.mixer_end_norm = take.take_norm(block + "post_attention_norm", c.width);
    w.network_end_norm = take.take_norm(block + "post_ffw_norm", c.width);
  }
  return w;
}

std::span<float const> take_rope_factors(tensor_taker& take, std::string const& name, config const& c) {
  auto const factors = take.find_vector(name, c.rope_width / 2);
  constexpr float least = 0.5f, most = 1e6f;  // real files have 1 to 64
  if (!std::all_of(factors.begin(), factors.end(), [](float f) { return f >= least && f <= most; }))
    take.fail(errc::corrupt_file, "'" + name + "' holds a factor outside 0.5 to 1000000");
  return factors;
}

encoder_block_weights take_encoder_block(tensor_taker& take, std::string const& block, config const& c,
                                         layer_shape const& shape) {
  encoder_block_weights w;
  w.attention = take_attention(take, block + "attn_", c, shape.kv_heads);
  w.attention_end_norm = take.take_norm(block + "attn_output_norm", c.width);
  w.network = take_feed_forward(take, block, c, shape.feed_forward);
  w.network_end_norm = take.take_norm(block + "layer_output_norm", c.width);
  return w;
}

std::size_t head_outputs(gguf_file const& file, std::string const& name) {
  auto const* tensor = file.find_tensor(name);
  if (!tensor) return 0;
  return tensor->shape.size() < 2 ? 1 : static_cast<std::size_t>(tensor->shape[1]);
}

void take_heads(tensor_taker& take, gguf_file const& file, config const& c, encoder_weights& w) {
  if (auto const outputs = head_outputs(file, "cls.output.weight")) {
    if (outputs > config_limits::labels_max || (!c.labels.empty() && c.labels.size() != outputs))
      take.fail(errc::corrupt_file, "its head has " + std::to_string(outputs) + " outputs, but it declares " +
                                        std::to_string(c.labels.size()) + " labels");
    w.head.output = take.take_linear("cls.output", outputs, c.width);
    if (take.has("cls.weight")) w.head.dense = take.take_linear("cls", c.width, c.width);
  } else if (auto const plain = head_outputs(file, "cls.weight")) {
    w.head.output = take.take_linear("cls", std::min<std::size_t>(plain, config_limits::labels_max), c.width);
  }
  if (take.has("mlm.dense.weight")) {
    w.token_head.dense = take.take_linear("mlm.dense", c.width, c.width);
    w.token_head.norm = take.take_norm("mlm.norm", c.width);
    w.token_head.output.weight =
        take.has("mlm.output.weight") ? take.take_matrix("mlm.output.weight", c.vocabulary, c.width) : w.embedding;
    w.token_head.output.bias = take.find_vector("mlm.output.bias", c.vocabulary);
  }
}

tower_weights take_tower(tensor_taker& take, std::string const& name, config const& c, std::size_t layers) {
  tower_weights w;
  for (std::size_t i = 0; i < layers; ++i) {
    std::string const block = name + ".blk." + std::to_string(i) + ".";
    w.blocks.push_back(take_decoder_block(take, block, c, c.layers[std::min(i, c.layers.size() - 1)]));
  }
  w.relative_bias = take.take_floats(name + ".blk.0.attn_rel_b.weight", c.relative_buckets, c.heads);
  w.output_norm = take.take_norm(name + ".output_norm", c.width);
  return w;
}

}  // namespace

result<decoder_weights> find_decoder_weights(gguf_file const& file, config const& c, kernel_table const& kernels) {
  tensor_taker take(file, c, kernels);
  decoder_weights w;
  w.embedding = take.take_matrix("token_embd.weight", c.vocabulary, c.width);
  if (c.architecture->learned_positions)
    w.positions = take.take_matrix("position_embd.weight", c.context_length, c.width);
  for (std::size_t i = 0; i < c.layers.size(); ++i)
    w.blocks.push_back(take_decoder_block(take, "blk." + std::to_string(i) + ".", c, c.layers[i]));
  w.output_norm = take.take_norm(std::string(c.architecture->output_norm), c.width);
  w.output.weight = take.has("output.weight") ? take.take_matrix("output.weight", c.vocabulary, c.width) : w.embedding;
  w.output.bias = take.find_vector("output.bias", c.vocabulary);
  w.rope_factors = take_rope_factors(take, "rope_freqs.weight", c);
  w.rope_factors_long = take_rope_factors(take, "rope_factors_long.weight", c);
  w.rope_factors_short = take_rope_factors(take, "rope_factors_short.weight", c);
  if (auto complete = take.finish(); !complete) return complete.error();
  return w;
}

result<encoder_weights> find_encoder_weights(gguf_file const& file, config const& c, kernel_table const& kernels) {
  tensor_taker take(file, c, kernels);
  encoder_weights w;
  w.embedding = take.take_matrix("token_embd.weight", c.vocabulary, c.width);
  if (c.architecture->learned_positions)
    w.positions = take.take_matrix("position_embd.weight", c.context_length, c.width);
  if (c.token_types != 0) w.token_types = take.take_matrix("token_types.weight", c.token_types, c.width);
  w.embedding_norm = take.take_norm("token_embd_norm", c.width);
  for (std::size_t i = 0; i < c.layers.size(); ++i)
    w.blocks.push_back(take_encoder_block(take, "blk." + std::to_string(i) + ".", c, c.layers[i]));
  take_heads(take, file, c, w);
  if (auto complete = take.finish(); !complete) return complete.error();
  return w;
}

result<encoder_decoder_weights> find_encoder_decoder_weights(gguf_file const& file, config const& c,
                                                             kernel_table const& kernels) {
  tensor_taker take(file, c, kernels);
  encoder_decoder_weights w;
  w.embedding = take.take_matrix("token_embd.weight", c.vocabulary, c.width);
  w.encoder = take_tower(take, "enc", c, c.encoder_layers);
  w.decoder = take_tower(take, "dec", c, c.layers.size());
  for (std::size_t i = 0; i < c.layers.size(); ++i) {
    std::string const block = "dec.blk." + std::to_string(i) + ".";
    w.crossings.push_back({take.take_norm(block + "cross_attn_norm", c.width),
                           take_attention(take, block + "cross_attn_", c, c.layers[i].kv_heads)});
  }
  w.output_is_tied = !take.has("output.weight");
  w.output.weight = w.output_is_tied ? w.embedding : take.take_matrix("output.weight", c.vocabulary, c.width);
  if (auto complete = take.finish(); !complete) return complete.error();
  return w;
}

}  // namespace wherry::inline v0::engine
