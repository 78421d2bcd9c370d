#pragma once
// Low-rank adapters: y = W x + scale * B (A x), W as it is. Source: Hu et al., "LoRA: low-rank adaptation of large
// language models", 2021.

#include "engine/weights.hpp"

#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace wherry::inline v0::engine {

/// What an adapter adds to one tensor of the model.
struct adapter_pair {
  std::size_t rank = 0, rows = 0, columns = 0;  ///< Of the tensor it adapts: `rows` outputs of `columns` inputs.
  std::vector<float> down;                      ///< A: [rank][columns]
  std::vector<float> up;                        ///< B: [rows][rank]
  float scale = 1;                              ///< alpha / rank: what choosing the adapter with strength 1 means.
};

/// A loaded adapter. Immutable; threads may share it.
struct adapter {
  std::string name;
  std::string fingerprint;                              ///< Names its weights.
  std::unordered_map<std::size_t, adapter_pair> pairs;  ///< By the tensor's index in the model's file.
};

/// An adapter chosen for a pass, and how strongly.
struct active_adapter {
  engine::adapter const* adapter = nullptr;
  float strength = 1;  ///< Multiplies the adapter's own scale.
};
using active_adapters = std::span<active_adapter const>;

/// Bounds on what an adapter file may declare.
struct adapter_limits {
  static constexpr std::size_t rank_max = 1 << 12;
  static constexpr std::size_t pairs_max = 1 << 14;
};

/// Reads an adapter in GGUF form: pairs NAME.lora_a [rank rows of inputs] and NAME.lora_b for tensors NAME of `model`.
/// Fails with: errc::invalid_argument when it is no adapter or made for another model, naming what does not fit;
/// errc::unsupported for an adapted tensor that is not a plain matrix; errc::corrupt_file for a pair that lacks a half.
result<adapter> read_adapter(gguf_file const& file, gguf_file const& model, std::string name);

// For readers of other forms.

/// The index of the tensor with this name, if it can be adapted.
result<std::size_t> adapted_tensor(gguf_file const& model, std::string const& name, std::string const& adapter_file);
/// Adds a checked pair.
result<void> add_pair(adapter& to, gguf_file const& model, std::string const& name, std::string const& adapter_file,
                      adapter_pair pair);
/// Fills the fingerprint.
void name_weights(adapter& a);

}  // namespace wherry::inline v0::engine
