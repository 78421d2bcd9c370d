#include "model_choice.hpp"

#include "model_finder.hpp"
#include "terminal.hpp"

#include <wherry/llm/random_model.hpp>

#include <cstdlib>

namespace wherry::cli {
namespace {

local_model_options options_of(model_settings const& given) {
  local_model_options options;
  options.kernels = given.kernels;
  options.threads = given.threads;
  options.context_tokens = given.context;
  options.exceed_declared_context = given.exceed_context;
  options.kv_bytes_max = given.kv_bytes;
  return options;
}

// FILE=STRENGTH. A file whose own name ends so is named with a strength behind it.
std::pair<std::filesystem::path, float> adapter_of(std::string const& named) {
  auto const at = named.rfind('=');
  if (at == std::string::npos) return {named, 1.0f};
  char* end = nullptr;
  float const strength = std::strtof(named.c_str() + at + 1, &end);
  if (end == named.c_str() + at + 1 || *end != '\0') return {named, 1.0f};
  return {named.substr(0, at), strength};
}

result<local_model> make_random(local_model_options options) {
  auto file = make_random_model({});
  if (!file) return std::move(file).error();
  return local_model::from(std::move(*file), std::move(options));
}

}  // namespace

model_choice choose_model(model_settings const& given) {
  if (!given.model.empty()) return {model_source::option, given.model};
  if (char const* named = std::getenv("WHERRY_MODEL"); named && *named) return {model_source::environment, named};
  return {};
}

std::string describe_choice(model_choice const& choice) {
  switch (choice.source) {
    case model_source::option: return choice.file + " (from --model)";
    case model_source::environment: return choice.file + " (from WHERRY_MODEL)";
    case model_source::random: break;
  }
  return "random weights made in memory: words are noise, calls and outputs are valid; "
         "name a GGUF with --model FILE or WHERRY_MODEL=FILE";
}

result<std::filesystem::path> model_file(model_settings const& given) {
  auto const choice = choose_model(given);
  if (choice.source == model_source::random)
    return error{errc::not_found, "this needs a model: name a GGUF with --model FILE or WHERRY_MODEL=FILE", "model"};
  return resolve_model(choice.file, model_folders::of_this_user());
}

result<local_model> load_model(model_settings const& given, bool quiet) {
  auto const choice = choose_model(given);
  bool const random = choice.source == model_source::random;
  std::filesystem::path file;
  if (!random) {
    auto resolved = model_file(given);
    if (!resolved) return std::move(resolved).error();
    file = std::move(*resolved);
  }
  auto loaded = [&] {
    slow_work const telling("loading " + (random ? "the model" : choice.file));
    return random ? make_random(options_of(given)) : local_model::open(file, options_of(given));
  }();
  if (!loaded) return loaded;
  for (auto const& named : given.adapters)
    if (auto added = loaded->load_adapter(named, adapter_of(named).first); !added) return std::move(added).error();
  if (quiet) return loaded;
  if (random) say_notice(describe_choice(choice));
  for (auto const& n : loaded->description().notices) say_notice(n.feature + ": " + n.effect);
  return loaded;
}

std::shared_ptr<model> with_named_adapters(local_model const& llm, model_settings const& given) {
  if (given.adapters.empty()) return llm;
  std::vector<adapter_choice> chosen;
  for (auto const& named : given.adapters) chosen.push_back({named, adapter_of(named).second});
  return llm.with_adapters(std::move(chosen)).value();
}

std::string context_text(local_model_description const& d) {
  return "context " + std::to_string(d.context) + " tokens, keys and values " +
         bytes_text(d.context * d.kv_bytes_per_token);
}

}  // namespace wherry::cli
