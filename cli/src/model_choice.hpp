#pragma once
// Which model answers, and how it comes into memory.

#include "settings.hpp"

#include <wherry/core/result.hpp>
#include <wherry/llm/local_model.hpp>

#include <filesystem>
#include <memory>
#include <string>

namespace wherry::cli {

enum class model_source { option, environment, random };

struct model_choice {
  model_source source = model_source::random;
  std::string file;  ///< Empty for random weights.
};

/// --model, else $WHERRY_MODEL, else random weights made in memory.
model_choice choose_model(model_settings const& given);

/// "qwen.gguf (from WHERRY_MODEL)", "random weights made in memory (…)".
std::string describe_choice(model_choice const& choice);

/// The file of the chosen model, which another program's folder may hold (model_finder.hpp).
/// Fails with: errc::not_found, also when no model was named; errc::invalid_argument for a name that several have.
result<std::filesystem::path> model_file(model_settings const& given);

/// Loads it; tells its notices, and progress when it takes long, on standard error. `quiet` leaves the notices out, for
/// commands that print them as data.
/// Fails with: what local_model::open fails with.
result<local_model> load_model(model_settings const& given, bool quiet = false);

/// The model with the adapters that were named; load_model has loaded them.
std::shared_ptr<model> with_named_adapters(local_model const& llm, model_settings const& given);

/// "context 2048 tokens, keys and values 24.0 MiB": what a full context of one sequence takes.
std::string context_text(local_model_description const& d);

}  // namespace wherry::cli
