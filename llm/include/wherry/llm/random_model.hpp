#pragma once
// A small model with random weights, made in memory: what runs when there is no model file, and what tests use.

#include <wherry/llm/gguf.hpp>

#include <cstdint>

namespace wherry::inline v0 {

/// Shape and type of a random model. The defaults give some 200,000 weights.
struct random_model_options {
  std::uint64_t seed = 1;
  tensor_type type = tensor_type::f32;  ///< Of the matrices: F32, F16, BF16 or Q8_0. Vectors are F32.
  std::uint32_t width = 96;             ///< A multiple of 2 * heads, and of 32 for Q8_0; at most 4096.
  std::uint32_t feed_forward = 192;     ///< At most 16384; a multiple of 32 for Q8_0.
  std::uint32_t layers = 2;             ///< 1 to 64.
  std::uint32_t heads = 6;              ///< 1 to 64.
  std::uint32_t kv_heads = 2;           ///< Divides `heads`.
  std::uint32_t context_length = 4096;
  bool rope_factors = false;  ///< Adds rope_freqs.weight.
  bool tied_output = false;   ///< The embedding is the output head.
};

/// A model of the llama architecture with a SentencePiece vocabulary: unknown, begin and end of text, every byte, the
/// printable ASCII characters, and common English words and pieces of JSON that can be reached by merging. The same
/// options give the same bytes on every machine. Its text is noise.
///
/// Fails with: errc::invalid_argument naming the option that does not fit.
result<gguf_file> make_random_model(random_model_options const& options = {});

}  // namespace wherry::inline v0
