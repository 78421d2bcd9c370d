#include "commands.hpp"
#include "event_printer.hpp"
#include "model_choice.hpp"
#include "model_finder.hpp"
#include "outcome.hpp"

#include <wherry/llm/gguf.hpp>
#include <wherry/llm/local_encoder.hpp>

#include <array>
#include <map>

namespace wherry::cli {
namespace {

constexpr std::array<std::size_t, 2> told_contexts{4'096, 32'768};  // memory is told for these

json description_json(local_model_description const& d) {
  json j;
  j["file"] = d.file;
  j["architecture"] = d.architecture;
  j["quantisation"] = d.quantisation;
  j["parameters"] = d.parameters;
  j["layers"] = d.layers;
  j["heads"] = d.heads;
  j["kv_heads"] = d.kv_heads;
  j["width"] = d.width;
  j["vocabulary"] = d.vocabulary;
  j["tokenizer"] = d.tokenizer;
  j["chat_template"] = d.chat_template;
  j["answer_family"] = d.answer_family;
  j["declared_context"] = d.declared_context;
  j["context"] = d.context;
  j["kv_bytes_per_token"] = d.kv_bytes_per_token;
  j["kv_bytes"] = d.kv_bytes_per_token * d.context;
  for (auto const tokens : told_contexts)
    j["memory_bytes"][std::to_string(tokens)] = d.file_bytes + d.kv_bytes_per_token * tokens;
  j["file_bytes"] = d.file_bytes;
  j["kernels"] = d.kernels;
  j["threads"] = d.threads;
  json notices = json::array();
  for (auto const& n : d.notices) notices.push_back(n.feature + ": " + n.effect);
  j["notices"] = std::move(notices);
  return j;
}

void line(std::string name, std::string const& value) {
  name.resize(16, ' ');
  put_raw(styled_output(style::bold, name) + harmless(value) + '\n');
}

void show_description(local_model_description const& d) {
  line("file", d.file + ", " + bytes_text(d.file_bytes));
  line("architecture",
       d.architecture + ", " + tenths(static_cast<double>(d.parameters) / 1e6) + " M parameters, " + d.quantisation);
  line("layers", std::to_string(d.layers) + ", width " + std::to_string(d.width) + ", " + std::to_string(d.heads) +
                     " heads, " + std::to_string(d.kv_heads) + " for keys and values");
  line("tokenizer", d.tokenizer + ", " + std::to_string(d.vocabulary) + " tokens");
  line("chat template", d.chat_template + ", answers read as " + d.answer_family);
  line("context", std::to_string(d.context) + " tokens used, " + std::to_string(d.declared_context) + " declared");
  line("keys and values", bytes_text(d.kv_bytes_per_token * d.context) + " for a full context");
  for (auto const tokens : told_contexts)
    line("memory at " + std::to_string(tokens / 1024) + "k",
         bytes_text(d.file_bytes + d.kv_bytes_per_token * tokens) + " (weights, and one sequence of that length)");
  line("computes with", d.kernels + ", " + std::to_string(d.threads) + (d.threads == 1 ? " thread" : " threads"));
  for (auto const& n : d.notices) line("notice", n.feature + ": " + n.effect);
}

json description_json(local_encoder_description const& d) {
  json j;
  j["file"] = d.file;
  j["architecture"] = d.architecture;
  j["quantisation"] = d.quantisation;
  j["parameters"] = d.parameters;
  j["layers"] = d.layers;
  j["heads"] = d.heads;
  j["width"] = d.width;
  j["vocabulary"] = d.vocabulary;
  j["tokenizer"] = d.tokenizer;
  j["pooling"] = d.pooling;
  j["declared_context"] = d.declared_context;
  j["file_bytes"] = d.file_bytes;
  j["kernels"] = d.kernels;
  j["embeds"] = d.embeds;
  j["ranks"] = d.ranks;
  j["classifies"] = d.classifies;
  j["fills_masks"] = d.fills_masks;
  return j;
}

void show_description(local_encoder_description const& d) {
  line("file", d.file + ", " + bytes_text(d.file_bytes));
  line("architecture", d.architecture + " (reads texts and writes none), " +
                           tenths(static_cast<double>(d.parameters) / 1e6) + " M parameters, " + d.quantisation);
  line("layers",
       std::to_string(d.layers) + ", width " + std::to_string(d.width) + ", " + std::to_string(d.heads) + " heads");
  line("tokenizer", d.tokenizer + ", " + std::to_string(d.vocabulary) + " tokens");
  line("context", std::to_string(d.declared_context) + " tokens");
  line("pooling", d.pooling);
  line("good for", std::string(d.embeds        ? "embeddings: wherry embed"
                               : d.ranks       ? "ranking texts: wherry rerank"
                               : d.classifies  ? "classes"
                               : d.fills_masks ? "masked words"
                                               : "nothing that its heads tell"));
  line("computes with", d.kernels + ", " + std::to_string(d.threads) + (d.threads == 1 ? " thread" : " threads"));
}

// What can be told of a file that this build cannot run.
json file_json(gguf_file const& file, bool everything) {
  json j;
  j["name"] = file.name();
  j["gguf_version"] = file.version();
  j["bytes"] = file.size_bytes();
  j["tensors"] = file.tensors().size();
  std::map<std::string, std::size_t> types;
  for (auto const& t : file.tensors()) ++types[to_string(t.type)];
  for (auto const& [type, count] : types) j["tensor_types"][type] = count;
  if (everything)
    for (auto const key : file.keys()) j["metadata"][std::string(key)] = file.describe(key);
  return j;
}

void show_file(json const& j) {
  line("gguf", "version " + j["gguf_version"].dump() + ", " + j["tensors"].dump() + " tensors");
  if (j.contains("tensor_types"))
    for (auto const& [type, count] : j["tensor_types"].items()) line("  " + type, count.dump());
  if (j.contains("metadata"))
    for (auto const& [key, value] : j["metadata"].items()) put(key + " = " + value.get<std::string>() + '\n');
}

}  // namespace

int model_info_command(settings const& given) {
  auto const& output = given.output;
  auto const path = resolve_model(given.file, model_folders::of_this_user());
  if (!path) return report(path.error(), output.as_json);
  auto file = gguf_file::open(*path);
  if (!file) return report(file.error(), output.as_json);
  auto const about_file = file_json(*file, output.verbose);
  // A file that only reads texts is told as what it is.
  if (auto const reader = local_encoder::from(*file, {.kernels = given.model.kernels, .threads = given.model.threads});
      reader && (reader->description().architecture.find("bert") != std::string::npos)) {
    if (output.as_json) {
      put_raw(to_text(json{{"model", description_json(reader->description())}, {"gguf", about_file}}) + '\n');
    } else {
      show_description(reader->description());
      show_file(about_file);
    }
    return exit_ok;
  }
  auto wanted = given.model;
  wanted.model = given.file;
  auto const loaded = load_model(wanted, true);
  if (output.as_json) {
    json j;
    if (loaded) j["model"] = description_json(loaded->description());
    j["gguf"] = about_file;
    if (!loaded) j["error"] = {{"code", loaded.error().code.message()}, {"message", loaded.error().message}};
    put_raw(to_text(j) + '\n');
  } else {
    if (loaded) show_description(loaded->description());
    show_file(about_file);
  }
  return loaded ? exit_ok : report(loaded.error(), false);
}

}  // namespace wherry::cli
