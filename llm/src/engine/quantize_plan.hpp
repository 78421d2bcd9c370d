#pragma once
// Which type each tensor of a model gets when it is quantised.

#include <wherry/llm/gguf.hpp>

#include <optional>
#include <string_view>
#include <vector>

namespace wherry::inline v0::engine {

/// A type by name, and what the file then says of itself (general.file_type).
struct quantization {
  std::string_view name;
  tensor_type type;
  std::uint32_t file_type;
  bool mixture = false;
};

/// By name, in upper or lower case.
std::optional<quantization> find_quantization(std::string_view name);

/// "F32, F16, ..., Q4_K_M".
std::string quantization_names();

struct planned_tensor {
  tensor_type type;
  bool narrow = false;  ///< Its rows are no multiple of the block of the type it would have had.
};

/// One entry for each tensor of the file, in order. The rules: quantize.hpp and docs/models.md, "Weights".
std::vector<planned_tensor> plan_quantization(gguf_file const& file, quantization const& wanted);

}  // namespace wherry::inline v0::engine
