#pragma once
// The numbers of a model, as its file declares them.

#include <wherry/llm/gguf.hpp>

#include "engine/architecture.hpp"

namespace wherry::inline v0::engine {

/// Bounds on what a file may declare. They lie far above any real model and keep every product of two within 64 bits.
struct config_limits {
  static constexpr std::uint64_t vocabulary_max = 1 << 21;
  static constexpr std::uint64_t layers_max = 1 << 10;
  static constexpr std::uint64_t width_max = 1 << 17;
  static constexpr std::uint64_t feed_forward_max = 1 << 20;
  static constexpr std::uint64_t heads_max = 1 << 11;
  static constexpr std::uint64_t head_width_max = 1 << 12;
  static constexpr std::uint64_t context_max = 1 << 21;  ///< So that no rotation passes angle_max (elementary.hpp).
};

/// A model's shape. A value; what it says has been checked against the bounds.
struct config {
  engine::architecture const* architecture = nullptr;
  std::size_t vocabulary = 0;  ///< Rows of the embedding and of the output head.
  std::size_t layers = 0;
  std::size_t width = 0;  ///< Floats of the residual stream per token.
  std::size_t feed_forward = 0;
  std::size_t heads = 0;
  std::size_t kv_heads = 0;  ///< Divides `heads`: that many query heads share a key/value head.
  std::size_t head_width = 0;
  std::size_t rope_width = 0;  ///< The first floats of a head that are rotated; even.
  double rope_base = 10000;
  float norm_epsilon = 0;
  std::size_t context_length = 0;  ///< Positions the model was made for.

  std::size_t query_width() const noexcept { return heads * head_width; }
  std::size_t kv_width() const noexcept { return kv_heads * head_width; }
};

/// Reads the configuration.
/// Fails with: errc::unsupported for an architecture, a rope scaling or another feature that this build does not
/// compute, naming it; errc::corrupt_file for a missing, absurd or contradictory number, naming its key.
result<config> read_config(gguf_file const& file);

}  // namespace wherry::inline v0::engine
