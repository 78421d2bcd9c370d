#pragma once
// Small models with random weights of kinds that the library does not make: T5, and tensors of one's choice.

#include <wherry/core/random.hpp>
#include <wherry/llm/gguf.hpp>

#include <cmath>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace wherry_test {

/// Writes tensors of f32 noise, the same for the same seed.
class tiny_model_writer {
 public:
  explicit tiny_model_writer(std::uint64_t seed) : seed_(seed) {}

  wherry::gguf_writer file;

  void matrix(std::string const& name, std::size_t rows, std::size_t columns, double spread = 0) {
    noise(name, {columns, rows}, spread != 0 ? spread : 1.2 / std::sqrt(static_cast<double>(columns)), 0);
  }
  void norm(std::string const& name, std::size_t size, bool bias) {
    noise(name + ".weight", {size}, 0.1, 1);
    if (bias) noise(name + ".bias", {size}, 0.1, 0);
  }
  void bias(std::string const& name, std::size_t size) { noise(name + ".bias", {size}, 0.1, 0); }
  void noise(std::string const& name, std::vector<std::uint64_t> shape, double spread, double centre) {
    std::size_t count = 1;
    for (auto n : shape) count *= n;
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) {
      auto const bits = wherry::random_bits({seed_, tensors_, static_cast<std::uint32_t>(i)});
      values[i] = static_cast<float>(centre + spread * (static_cast<double>(bits >> 11) * 0x1p-52 - 1));
    }
    ++tensors_;
    file.add_tensor(name, wherry::tensor_type::f32, std::move(shape),
                    std::span(reinterpret_cast<std::uint8_t const*>(values.data()), values.size() * sizeof(float)));
  }
  wherry::gguf_file open() const { return wherry::gguf_file::from_bytes(file.bytes(), "tiny").value(); }

 private:
  std::uint64_t seed_;
  std::uint32_t tensors_ = 0;
};

/// Three layers of encoder, two of decoder, gated or with the first T5's ReLU and shared embedding.
inline wherry::gguf_file tiny_t5(std::uint64_t seed = 1, bool gated = true) {
  constexpr std::size_t width = 32, feed_forward = 48, heads = 4;
  std::vector<std::string> pieces{"<pad>", "</s>", "<unk>", "\u2581"};
  std::vector<std::int32_t> kinds{3, 3, 2, 1};
  std::vector<float> scores{0, 0, 0, -2};
  for (char c = 'a'; c <= 'z'; ++c) {
    pieces.emplace_back(1, c);
    scores.push_back(-3 - static_cast<float>(c - 'a') / 100);
  }
  kinds.resize(pieces.size(), 1);

  tiny_model_writer w(seed);
  auto& f = w.file;
  f.add("general.architecture", "t5");
  for (auto const& [key, value] :
       std::vector<std::pair<char const*, std::size_t>>{{"t5.block_count", 3},
                                                        {"t5.decoder_block_count", 2},
                                                        {"t5.context_length", 64},
                                                        {"t5.embedding_length", width},
                                                        {"t5.feed_forward_length", feed_forward},
                                                        {"t5.attention.head_count", heads},
                                                        {"t5.attention.key_length", 8},
                                                        {"t5.attention.value_length", 8},
                                                        {"t5.attention.relative_buckets_count", 32},
                                                        {"t5.decoder_start_token_id", 0},
                                                        {"tokenizer.ggml.eos_token_id", 1},
                                                        {"tokenizer.ggml.unknown_token_id", 2},
                                                        {"tokenizer.ggml.padding_token_id", 0}})
    f.add(key, static_cast<std::uint32_t>(value));
  f.add("t5.attention.layer_norm_rms_epsilon", 1e-6f);
  f.add("tokenizer.ggml.model", "t5");
  f.add("tokenizer.ggml.tokens", pieces);
  f.add("tokenizer.ggml.scores", scores);
  f.add("tokenizer.ggml.token_type", kinds);
  f.add("tokenizer.ggml.add_bos_token", false);
  f.add("tokenizer.ggml.add_eos_token", true);

  auto const attention = [&](std::string const& name) {
    for (auto const* part : {"q", "k", "v", "o"}) w.matrix(name + part + ".weight", width, width);
  };
  w.matrix("token_embd.weight", pieces.size(), width, 0.5);
  for (auto const& [side, layers] : {std::pair{"enc", 3}, {"dec", 2}}) {
    for (int i = 0; i < layers; ++i) {
      std::string const block = std::string(side) + ".blk." + std::to_string(i) + ".";
      w.norm(block + "attn_norm", width, false);
      attention(block + "attn_");
      if (i == 0) w.matrix(block + "attn_rel_b.weight", 32, heads, 0.5);
      if (side == std::string("dec")) {
        w.norm(block + "cross_attn_norm", width, false);
        attention(block + "cross_attn_");
      }
      w.norm(block + "ffn_norm", width, false);
      if (gated) w.matrix(block + "ffn_gate.weight", feed_forward, width);
      w.matrix(block + "ffn_up.weight", feed_forward, width);
      w.matrix(block + "ffn_down.weight", width, feed_forward);
    }
    w.norm(std::string(side) + ".output_norm", width, false);
  }
  if (gated) w.matrix("output.weight", pieces.size(), width, 0.6);
  return w.open();
}

}  // namespace wherry_test
