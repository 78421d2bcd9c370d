#pragma once
// What tells one architecture from another, as rows of a table. A new model family that is made of the layers at hand
// is a new row; docs/models.md walks through one.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace wherry::inline v0::engine {

enum class model_kind : std::uint8_t {
  decoder,          ///< Reads tokens one after the other and predicts the next.
  encoder,          ///< Reads a whole text and gives a vector for each token.
  encoder_decoder,  ///< An encoder whose output a decoder attends to.
};

enum class norm_kind : std::uint8_t {
  rms,    ///< Scaled by the root of the mean square; no bias.
  layer,  ///< Centred and scaled; with bias.
};

/// Which elements of a head a rotation turns together.
enum class rope_pairing : std::uint8_t {
  none,        ///< Nothing is rotated.
  neighbours,  ///< (0, 1), (2, 3), ...
  halves,      ///< (0, n / 2), (1, n / 2 + 1), ... for the first n floats of a head.
};

/// What is RMS-normalised of queries and keys before they are rotated.
enum class head_norm : std::uint8_t {
  none,
  each_head,  ///< Every head by itself, with one weight for all.
  whole_row,  ///< All heads of a token together.
};

enum class activation : std::uint8_t {
  silu,
  gelu,      ///< The tanh form.
  gelu_erf,  ///< The exact form.
  relu,
  silu_clamped,  ///< silu with a slope of 1.702, its inputs cut at 7, and one added to the other factor.
};

/// How the chosen experts of a token are weighed.
enum class expert_weights_rule : std::uint8_t {
  softmax_then_choose,  ///< Their shares among all experts, as they are.
  renormalised,         ///< The same, scaled to a sum of one.
  choose_then_softmax,  ///< Softmax over the chosen alone.
};

/// A metadata key of an architecture (behind "<name>.") and the value at which it changes nothing.
struct neutral_key {
  std::string_view key;
  double neutral;
};

/// A row: the name a file gives in general.architecture and how its layers differ.
struct architecture {
  std::string_view name;
  model_kind kind = model_kind::decoder;
  norm_kind norm = norm_kind::rms;
  rope_pairing pairing = rope_pairing::none;
  bool learned_positions = false;  ///< position_embd is added to the embedding.
  bool projection_bias = false;    ///< Query, key and value must have biases; else they may.
  head_norm heads = head_norm::none;
  activation gate = activation::silu;
  bool gated = true;                     ///< The feed-forward network multiplies two projections.
  bool sublayer_norms = false;           ///< What a sub-layer gives is normalised before it is added.
  bool embedding_by_root_width = false;  ///< The embedding is multiplied by sqrt(width).
  expert_weights_rule experts = expert_weights_rule::renormalised;
  /// A declared window holds for every layer (0), or for all but each n-th.
  std::uint8_t full_attention_every = 0;
  double windowed_rope_base = 0;     ///< Base of the layers with a window; 0: the same as the others'.
  std::uint8_t unrotated_every = 0;  ///< Each n-th layer has no positions; 0: none.
  /// Of the model with this many layers attention is scaled by sqrt(heads / width), not by sqrt(1 / head width).
  std::uint8_t layers_scaled_by_width = 0;
  /// The name of the tensor that normalises what the feed-forward network reads, and of the last norm.
  std::string_view feed_forward_norm = "ffn_norm";
  std::string_view output_norm = "output_norm";
  /// A published description was followed, but no reference output was there to compare with.
  bool unverified = false;
};

/// Keys whose effect this build does not compute, whatever the architecture: a file with another value is refused,
/// never computed wrongly.
std::span<neutral_key const> not_computed() noexcept;

/// The row with this name, or null.
architecture const* find_architecture(std::string_view name) noexcept;

/// The names of a kind, for messages: "llama, qwen2, qwen3".
std::string supported_architectures(model_kind kind);
std::string supported_architectures();

}  // namespace wherry::inline v0::engine
