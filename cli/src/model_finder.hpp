#pragma once
// Model files that other programs have put on this machine: found, named, never changed.

#include <wherry/core/result.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace wherry::cli {

/// A GGUF file and what to call it.
struct found_model {
  std::string name;    ///< What --model takes, e.g. "qwen3:0.6b" or "publisher/repository/file.gguf".
  std::string source;  ///< "Ollama", "LM Studio", "llama.cpp", "Hugging Face".
  std::filesystem::path file;
  std::uintmax_t bytes = 0;
};

/// Where the programs keep their models, by the environment and the home folder.
struct model_folders {
  std::vector<std::filesystem::path> ollama, lm_studio, llama_cpp, hugging_face;
  static model_folders of_this_user();
};

/// All models found, by source and name. Files of several parts count once, by their first part. At most
/// `models_found_max` files are listed; what cannot be read is left out.
inline constexpr std::size_t models_found_max = 10'000;
std::vector<found_model> find_models(model_folders const& folders);

/// The file that a person means: a path that exists, else the one model found whose name this is, or whose name holds
/// it (capital letters do not count).
/// Fails with: errc::not_found, listing those that come near; errc::invalid_argument when several fit, listing them.
result<std::filesystem::path> resolve_model(std::string const& named, model_folders const& folders);

}  // namespace wherry::cli
