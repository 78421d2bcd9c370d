#pragma once
// Small models with random weights, made in memory: what runs when there is no model file, and what tests use.

#include <wherry/llm/gguf.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace wherry::inline v0 {

/// Shape and type of a random model. The defaults give some 200,000 weights.
struct random_model_options {
  std::uint64_t seed = 1;
  tensor_type type = tensor_type::f32;  ///< Of the matrices: F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1,
                                        ///< Q4_K, Q5_K or Q6_K. Vectors are F32.
  std::uint32_t width = 96;             ///< A multiple of 2 * heads, and of the type's block; at most 4096.
  std::uint32_t feed_forward = 192;     ///< At most 16384; a multiple of the type's block.
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

/// Shape and heads of a random encoder.
struct random_encoder_options {
  std::uint64_t seed = 1;
  std::uint32_t context_length = 128;  ///< 4 to 4096.
  std::uint32_t head_outputs = 0;      ///< 1: it ranks; 2 to 64: it classifies; 0: it embeds.
  std::vector<std::string> labels;     ///< Of the classes; none, or as many as head_outputs.
  bool token_head = false;             ///< It guesses masked words.
};

/// A model of the bert architecture with a WordPiece vocabulary of lower-case letters, digits and some English words;
/// its vectors mean nothing, but texts that share words come out alike. Weights are F32.
///
/// Fails with: errc::invalid_argument naming the option that does not fit.
result<gguf_file> make_random_encoder(random_encoder_options const& options = {});

/// A low-rank adapter for the attention of a decoder in `model`, rank 4, as a GGUF file: what local_model::load_adapter
/// takes.
///
/// Fails with: errc::invalid_argument when the model has no attn_q and attn_v matrices of its own.
result<gguf_file> make_random_adapter(gguf_file const& model, std::uint64_t seed = 1);

}  // namespace wherry::inline v0
