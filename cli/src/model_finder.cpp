#include "model_finder.hpp"

#include <wherry/core/json.hpp>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <regex>

namespace wherry::cli {
namespace {

namespace fs = std::filesystem;

constexpr int depth_max = 8;
constexpr std::size_t manifest_bytes_max = 1 << 20;
constexpr std::size_t listed_max = 8;  // names in an error

std::string environment(char const* name) {
  char const* const value = std::getenv(name);
  return value ? value : "";
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// Calls f(path) for regular files (or links to them) below `root`.
template <class F>
void for_each_file(fs::path const& root, F const& f) {
  std::error_code ignored;
  fs::recursive_directory_iterator at(root, fs::directory_options::skip_permission_denied, ignored), end;
  for (; !ignored && at != end; at.increment(ignored)) {
    if (at.depth() >= depth_max) at.disable_recursion_pending();
    std::error_code unreadable;
    if (fs::is_regular_file(at->path(), unreadable)) f(at->path());
  }
}

bool is_later_part(std::string const& name) {
  static std::regex const part("-([0-9]{5})-of-[0-9]{5}\\.gguf$");
  std::smatch found;
  return std::regex_search(name, found, part) && found[1] != "00001";
}

void add(std::vector<found_model>& to, std::string name, char const* source, fs::path const& file) {
  std::error_code ignored;
  auto const bytes = fs::file_size(file, ignored);
  if (!ignored && to.size() < models_found_max) to.push_back({std::move(name), source, file, bytes});
}

// GGUF files named by their path below `root`.
void find_files(std::vector<found_model>& to, fs::path const& root, char const* source) {
  for_each_file(root, [&](fs::path const& file) {
    auto const name = file.lexically_relative(root).generic_string();
    // What goes along with a model that sees is not a language model.
    bool const beside = lower(file.filename().string()).starts_with("mmproj");
    if (file.extension() == ".gguf" && !is_later_part(name) && !beside) add(to, name, source, file);
  });
}

// hub/models--ORG--NAME/snapshots/REVISION/FILE -> ORG/NAME/FILE
void find_in_hub(std::vector<found_model>& to, fs::path const& root) {
  std::error_code ignored;
  for (fs::directory_iterator at(root, ignored), end; !ignored && at != end; at.increment(ignored)) {
    auto repository = at->path().filename().string();
    if (!repository.starts_with("models--")) continue;
    repository.erase(0, 8);
    if (auto const split = repository.find("--"); split != std::string::npos) repository.replace(split, 2, "/");
    std::vector<found_model> files;
    find_files(files, at->path() / "snapshots", "Hugging Face");
    for (auto& one : files) {
      one.name = repository + one.name.substr(std::min(one.name.find('/'), one.name.size()));
      if (to.size() < models_found_max) to.push_back(std::move(one));
    }
  }
}

// manifests/HOST/NAMESPACE/NAME/TAG names the blob that is the model.
void find_in_manifests(std::vector<found_model>& to, fs::path const& root) {
  for_each_file(root / "manifests", [&](fs::path const& manifest) {
    std::vector<std::string> parts;
    for (auto const& part : manifest.lexically_relative(root / "manifests")) parts.push_back(part.string());
    std::error_code ignored;
    if (parts.size() != 4 || fs::file_size(manifest, ignored) > manifest_bytes_max || ignored) return;
    std::ifstream in(manifest, std::ios::binary);
    auto const read = parse_json(std::string(std::istreambuf_iterator<char>(in), {}));
    if (!read || !read->is_object() || !read->contains("layers") || !(*read)["layers"].is_array()) return;
    for (auto const& layer : (*read)["layers"]) {
      if (!layer.is_object() || !layer.contains("mediaType") || !layer.contains("digest")) continue;
      auto const& type = layer["mediaType"];
      auto const& digest = layer["digest"];
      if (!type.is_string() || !digest.is_string() || !type.get<std::string>().ends_with("image.model")) continue;
      auto blob = digest.get<std::string>();
      if (blob.find('/') != std::string::npos) continue;
      std::replace(blob.begin(), blob.end(), ':', '-');
      std::string const family = parts[1] == "library" ? "" : parts[1] + '/';
      add(to, family + parts[2] + ':' + parts[3], "Ollama", root / "blobs" / blob);
    }
  });
}

std::string names_of(std::vector<found_model> const& models) {
  std::string out;
  for (std::size_t i = 0; i < std::min(models.size(), listed_max); ++i) out += (i ? ", " : "") + models[i].name;
  return out + (models.size() > listed_max ? ", ..." : "");
}

}  // namespace

model_folders model_folders::of_this_user() {
  model_folders out;
  fs::path const home = environment("HOME");
  fs::path const cache =
      environment("XDG_CACHE_HOME").empty() ? home / ".cache" : fs::path(environment("XDG_CACHE_HOME"));
  if (auto const own = environment("OLLAMA_MODELS"); !own.empty())
    out.ollama = {own};
  else
    out.ollama = {home / ".ollama/models", "/usr/share/ollama/.ollama/models"};
  out.lm_studio = {home / ".lmstudio/models", cache / "lm-studio/models"};
  auto const llama = environment("LLAMA_CACHE");
  out.llama_cpp = {llama.empty() ? cache / "llama.cpp" : fs::path(llama)};
  auto const hub = environment("HF_HUB_CACHE"), hugging_face = environment("HF_HOME");
  out.hugging_face = {!hub.empty()            ? fs::path(hub)
                      : !hugging_face.empty() ? fs::path(hugging_face) / "hub"
                                              : cache / "huggingface/hub"};
  return out;
}

std::vector<found_model> find_models(model_folders const& folders) {
  std::vector<found_model> out;
  for (auto const& root : folders.ollama) find_in_manifests(out, root);
  for (auto const& root : folders.lm_studio) find_files(out, root, "LM Studio");
  for (auto const& root : folders.llama_cpp) find_files(out, root, "llama.cpp");
  for (auto const& root : folders.hugging_face) find_in_hub(out, root);
  std::stable_sort(out.begin(), out.end(), [](auto const& a, auto const& b) {
    return std::tie(a.source, a.name) < std::tie(b.source, b.name);
  });
  return out;
}

result<fs::path> resolve_model(std::string const& named, model_folders const& folders) {
  std::error_code ignored;
  if (fs::exists(named, ignored)) return fs::path(named);
  auto const all = find_models(folders);
  for (auto const& one : all)
    if (one.name == named || one.name == named + ":latest") return one.file;
  std::vector<found_model> near;
  for (auto const& one : all)
    if (lower(one.name).find(lower(named)) != std::string::npos) near.push_back(one);
  if (near.size() == 1) return near.front().file;
  if (near.empty())
    return error{errc::not_found,
                 "there is no file '" + named + "', and no model of that name; " +
                     (all.empty() ? "no other program's models were found either"
                                  : "'wherry model list' shows what was found: " + names_of(all)),
                 "model"};
  return error{errc::invalid_argument, "'" + named + "' could be any of: " + names_of(near) + "; say more of the name",
               "model"};
}

}  // namespace wherry::cli
