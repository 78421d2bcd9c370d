#include "commands.hpp"
#include "model_finder.hpp"
#include "outcome.hpp"
#include "terminal.hpp"

#include <wherry/core/json.hpp>

#include <algorithm>

namespace wherry::cli {

int model_list_command(settings const& given) {
  auto const found = find_models(model_folders::of_this_user());
  if (given.output.as_json) {
    json list = json::array();
    for (auto const& one : found)
      list.push_back({{"name", one.name}, {"source", one.source}, {"file", one.file.string()}, {"bytes", one.bytes}});
    put_raw(to_text(list) + '\n');
    return exit_ok;
  }
  if (found.empty()) {
    say("wherry: no models found in the folders of Ollama, LM Studio, llama.cpp and the Hugging Face cache");
    return exit_ok;
  }
  std::size_t widest = 0;
  for (auto const& one : found) widest = std::max(widest, one.name.size());
  for (auto const& one : found) {
    auto name = one.name;
    name.resize(std::min<std::size_t>(widest, 100) < name.size() ? name.size() : std::min<std::size_t>(widest, 100),
                ' ');
    put(name + "  " + bytes_text(one.bytes) + "  " + one.source + '\n');
  }
  return exit_ok;
}

}  // namespace wherry::cli
