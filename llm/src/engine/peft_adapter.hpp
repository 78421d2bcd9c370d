#pragma once
// Adapters as PEFT publishes them: adapter_model.safetensors with Hugging Face's names, beside adapter_config.json.

#include "engine/adapter.hpp"
#include "engine/config.hpp"
#include "gguf/safetensors_file.hpp"

#include <string_view>

namespace wherry::inline v0::engine {

/// Reads an adapter for the model in `model`, whose configuration is `c`. Names are translated to the model file's, and
/// the rows of query and key are put into the order of files whose rotation turns neighbours.
/// Fails with: errc::parse_error for a configuration that is not JSON; errc::unsupported for what is not plain LoRA
/// (DoRA, biases, modules saved whole, ranks by pattern), naming it; else as read_adapter.
result<adapter> read_peft_adapter(detail::safetensors_file const& file, std::string_view configuration,
                                  gguf_file const& model, config const& c, std::string name);

}  // namespace wherry::inline v0::engine
