#pragma once
// The weights of a model: views into its file, found by their GGUF names and checked against the configuration.

#include "engine/config.hpp"
#include "engine/kernels.hpp"

#include <span>
#include <vector>

namespace wherry::inline v0::engine {

/// A matrix in the file: `rows` outputs of `columns` inputs each.
struct matrix {
  tensor_type type = tensor_type::f32;
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t row_bytes = 0;
  std::uint8_t const* data = nullptr;
  matmul_function product = nullptr;  ///< The kernel for this type.
};

struct attention_weights {
  std::span<float const> norm;
  matrix query, key, value, output;
  std::span<float const> query_bias, key_bias, value_bias;  ///< Empty where the architecture has none.
  std::span<float const> query_norm, key_norm;              ///< One head wide; empty where there is none.
};

struct feed_forward_weights {
  std::span<float const> norm;
  matrix gate, up, down;
};

struct block_weights {
  attention_weights attention;
  feed_forward_weights feed_forward;
};

struct model_weights {
  matrix embedding;
  std::vector<block_weights> blocks;
  std::span<float const> output_norm;
  matrix output;                        ///< The embedding again where the file ties them.
  std::span<float const> rope_factors;  ///< Empty, or a divisor for each rotation's frequency.
};

/// Finds every weight that the configuration asks for. The views live as long as `file` or a copy of it.
/// Fails with: errc::corrupt_file for a missing or mis-shaped tensor, errc::unsupported for a type without kernels and
/// for a tensor that has no place in the architecture (leaving it out would be silently wrong).
result<model_weights> find_weights(gguf_file const& file, config const& c, kernel_table const& kernels);

}  // namespace wherry::inline v0::engine
