#pragma once
// The numbers of a model, as its file declares them.

#include <wherry/llm/gguf.hpp>

#include "engine/architecture.hpp"

#include <vector>

namespace wherry::inline v0::engine {

/// Bounds on what a file may declare. They lie far above any real model and keep every product of two within 64 bits.
struct config_limits {
  static constexpr std::uint64_t vocabulary_max = 1 << 21;
  static constexpr std::uint64_t layers_max = 1 << 10;
  static constexpr std::uint64_t width_max = 1 << 17;
  static constexpr std::uint64_t feed_forward_max = 1 << 20;
  static constexpr std::uint64_t heads_max = 1 << 11;
  static constexpr std::uint64_t head_width_max = 1 << 12;
  static constexpr std::uint64_t experts_max = 1 << 10;
  static constexpr std::uint64_t convolution_max = 1 << 6;
  static constexpr std::uint64_t labels_max = 1 << 12;
  static constexpr std::uint64_t buckets_max = 1 << 12;
  static constexpr std::uint64_t context_max = 1 << 21;  ///< So that no rotation passes angle_max (elementary.hpp).
};

/// What mixes the tokens of a layer.
enum class mixer_kind : std::uint8_t { attention, short_convolution };

/// Which positions a layer's queries and keys are rotated by.
enum class rotation_kind : std::uint8_t { none, full, windowed };

/// The shape of one layer.
struct layer_shape {
  mixer_kind mixer = mixer_kind::attention;
  std::size_t kv_heads = 0;  ///< Divides config::heads: that many query heads share a key/value head.
  std::size_t feed_forward = 0;
  std::size_t window = 0;  ///< A token sees itself and the window - 1 before it; 0: all.
  rotation_kind rotation = rotation_kind::none;
};

/// How positions beyond the trained length are made to look like trained ones.
struct rope_scaling {
  enum class method : std::uint8_t {
    none,
    linear,  ///< Positions are divided by the factor. Chen et al., "Extending context window ...", 2023.
    yarn,    ///< Slow rotations are divided, fast ones kept. Peng et al., "YaRN", 2023.
    factors  ///< Each rotation has a divisor in the file: for sequences beyond the original context, and below.
  };
  method how = method::none;
  double factor = 1;
  double original_context = 0;
  double beta_fast = 32, beta_slow = 1;
  double magnitude = 1;  ///< What sines and cosines are multiplied by.
};

/// A mixture of experts: each token goes through `used` of `count` feed-forward networks.
struct expert_shape {
  std::size_t count = 0;  ///< 0: none.
  std::size_t used = 0;
  std::size_t feed_forward = 0;
};

/// How an encoder's token vectors become one. GGUF's numbers.
enum class pooling : std::uint8_t { none = 0, mean = 1, first = 2, last = 3, rank = 4 };

/// A model's shape. A value; what it says has been checked against the bounds.
struct config {
  engine::architecture const* architecture = nullptr;
  std::size_t vocabulary = 0;  ///< Rows of the embedding and of the output head.
  std::size_t width = 0;       ///< Floats of the residual stream per token.
  std::size_t heads = 0;
  std::size_t head_width = 0;
  std::size_t rope_width = 0;       ///< The first floats of a head that are rotated; even; 0 where nothing is.
  std::vector<layer_shape> layers;  ///< Of the decoder, or of an encoder that stands alone.
  std::size_t encoder_layers = 0;   ///< Of an encoder-decoder: like layers[0], over all positions.
  expert_shape experts;
  std::size_t convolution = 0;  ///< Taps of a short convolution.

  double rope_base = 10000;
  double windowed_rope_base = 0;  ///< Of layers with rotation_kind::windowed.
  rope_scaling scaling;
  float norm_epsilon = 0;
  float embedding_scale = 1, residual_scale = 1;
  float attention_scale = 1;
  float attention_cap = 0;  ///< Scores are bent below it with tanh; 0: not.
  float logit_divisor = 1;
  float logit_cap = 0;
  std::size_t context_length = 0;  ///< Positions the model was made for.

  bool causal = true;
  pooling pooled = pooling::none;
  std::size_t token_types = 0;
  std::size_t relative_buckets = 0;  ///< Of an encoder-decoder's relative positions.
  std::size_t start_token = 0;       ///< What its decoder begins with.
  std::vector<std::string> labels;   ///< Of a classification head.

  std::size_t query_width() const noexcept { return heads * head_width; }
  std::size_t kv_heads_max() const noexcept;
  std::size_t group_max() const noexcept;         ///< Query heads that share a key/value head, at most.
  std::size_t feed_forward_max() const noexcept;  ///< Of one network, be it dense or an expert.
};

/// Reads the configuration.
/// Fails with: errc::unsupported for an architecture, a rope scaling or another feature that this build does not
/// compute, naming it; errc::corrupt_file for a missing, absurd or contradictory number, naming its key.
result<config> read_config(gguf_file const& file);

}  // namespace wherry::inline v0::engine
