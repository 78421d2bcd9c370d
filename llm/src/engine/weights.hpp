#pragma once
// The weights of a model: views into its file, found by their GGUF names and checked against the configuration.

#include "engine/config.hpp"
#include "engine/kernels.hpp"

#include <limits>
#include <optional>
#include <span>
#include <variant>
#include <vector>

namespace wherry::inline v0::engine {

/// Where a matrix lies among the file's tensors: what an adapter is matched with.
struct matrix_place {
  std::size_t tensor = std::numeric_limits<std::size_t>::max();  ///< Index in gguf_file::tensors().
  std::size_t first_row = 0;                                     ///< Of a matrix that is part of a fused tensor.
};

/// A matrix in the file: `rows` outputs of `columns` inputs each.
struct matrix {
  tensor_type type = tensor_type::f32;
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t row_bytes = 0;
  std::uint8_t const* data = nullptr;
  matmul_function product = nullptr;  ///< The kernel for this type.
  matrix_place place;

  explicit operator bool() const noexcept { return data != nullptr; }
  /// Rows [first, first + count).
  matrix slice(std::size_t first, std::size_t count) const noexcept;
};

/// y = weight x + bias. An empty bias adds nothing.
struct linear {
  matrix weight;
  std::span<float const> bias;

  linear slice(std::size_t first, std::size_t count) const noexcept;
};

/// RMS normalisation where the bias is empty, layer normalisation otherwise; absent where the weight is empty.
struct norm_weights {
  std::span<float const> weight;
  std::span<float const> bias;
};

struct attention_weights {
  linear query, key, value, output;
  std::span<float const> query_norm, key_norm;  ///< One head or a whole row wide; empty where there is none.
  std::span<float const> sinks;                 ///< A score per head that takes a share and gives nothing.
};

struct short_convolution_weights {
  linear input;               ///< width -> 3 width: two gates and what is mixed.
  std::vector<float> kernel;  ///< [taps][width], the oldest tap first.
  linear output;
};

struct feed_forward_weights {
  linear gate, up, down;  ///< No gate where the network is not gated.
};

struct expert_weights {
  linear router;
  std::vector<feed_forward_weights> experts;
};

/// A layer that normalises what its parts read (and, in some architectures, what they give).
struct decoder_block_weights {
  norm_weights mixer_norm, mixer_end_norm;
  std::variant<attention_weights, short_convolution_weights> mixer;
  norm_weights network_norm, network_end_norm;
  std::variant<feed_forward_weights, expert_weights> network;
};

struct decoder_weights {
  matrix embedding;
  matrix positions;  ///< Absent where positions are rotated.
  std::vector<decoder_block_weights> blocks;
  norm_weights output_norm;
  linear output;                                                 ///< The embedding again where the file ties them.
  std::span<float const> rope_factors;                           ///< Empty, or a divisor for each rotation's frequency.
  std::span<float const> rope_factors_long, rope_factors_short;  ///< The same, for either length of a sequence.
};

/// A layer that normalises the sum after each part.
struct encoder_block_weights {
  attention_weights attention;
  norm_weights attention_end_norm;
  feed_forward_weights network;
  norm_weights network_end_norm;
};

/// What makes a score or classes of a pooled vector: output(tanh(dense(x))), the first part where there is one.
struct head_weights {
  linear dense, output;
};

/// What predicts masked tokens: logits = embedding . norm(activation(dense x)) + bias.
struct token_head_weights {
  linear dense;
  norm_weights norm;
  linear output;
};

struct encoder_weights {
  matrix embedding, positions, token_types;
  norm_weights embedding_norm;
  std::vector<encoder_block_weights> blocks;
  head_weights head;              ///< Absent where the file has none.
  token_head_weights token_head;  ///< Absent where the file has none.
};

struct tower_weights {
  std::vector<decoder_block_weights> blocks;
  std::vector<float> relative_bias;  ///< [buckets][heads]
  norm_weights output_norm;
};

struct cross_attention_weights {
  norm_weights norm;
  attention_weights attention;
};

struct encoder_decoder_weights {
  matrix embedding;
  tower_weights encoder, decoder;
  std::vector<cross_attention_weights> crossings;  ///< One for each layer of the decoder.
  linear output;
  bool output_is_tied = false;
};

/// Find every weight that the configuration asks for. The views live as long as `file` or a copy of it.
/// Fail with: errc::corrupt_file for a missing or mis-shaped tensor, errc::unsupported for a type without kernels and
/// for a tensor that has no place in the architecture (leaving it out would be silently wrong).
result<decoder_weights> find_decoder_weights(gguf_file const& file, config const& c, kernel_table const& kernels);
result<encoder_weights> find_encoder_weights(gguf_file const& file, config const& c, kernel_table const& kernels);
result<encoder_decoder_weights> find_encoder_decoder_weights(gguf_file const& file, config const& c,
                                                             kernel_table const& kernels);

}  // namespace wherry::inline v0::engine
