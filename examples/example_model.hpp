#pragma once
// The examples run against a script, so that they always behave the same; with WHERRY_MODEL=path.gguf in the
// environment they run against that model instead.

#include <wherry/llm/local_model.hpp>
#include <wherry/llm/scripted_model.hpp>

#include <cstdlib>
#include <memory>

inline std::shared_ptr<wherry::model> model_or(wherry::scripted_model script) {
  if (char const* path = std::getenv("WHERRY_MODEL"); path && *path) return wherry::local_model{path};
  return script;
}
