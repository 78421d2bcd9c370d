#pragma once
// From a kernel set to its functions.

#include <wherry/llm/gguf.hpp>
#include <wherry/llm/kernels.hpp>

#include "engine/kernel_table.hpp"

namespace wherry::inline v0::engine {

/// The functions of a set. The CPU must support it.
kernel_table const& kernels_of(kernel_set set) noexcept;

/// The matrix product for a type of weights; null when there is none.
matmul_function matmul_for(kernel_table const& kernels, tensor_type type) noexcept;

/// The types matmul_for knows, for messages: "F32, F16, BF16, Q8_0, Q4_0, ...".
std::string supported_weight_types();

}  // namespace wherry::inline v0::engine
