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
};

/// A loaded adapter. Immutable; threads may share it.
struct adapter {
  std::string name;
  float scale = 1;                                      ///< alpha / rank: what 1 means when it is chosen.
  std::unordered_map<std::size_t, adapter_pair> pairs;  ///< By the tensor's index in the model's file.
};

/// An adapter chosen for a pass, and how strongly.
struct active_adapter {
  engine::adapter const* adapter = nullptr;
  float scale = 1;  ///< Multiplies the adapter's own.
};
using active_adapters = std::span<active_adapter const>;

}  // namespace wherry::inline v0::engine
