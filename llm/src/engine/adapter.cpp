#include "engine/adapter.hpp"

#include "engine/tensor_rows.hpp"

#include <wherry/core/hash.hpp>

#include <algorithm>
#include <cmath>

namespace wherry::inline v0::engine {
namespace {

error refuse(errc code, gguf_file const& file, std::string const& what) {
  return {code, "cannot use the adapter: " + what, "adapter.load", file.name()};
}

std::vector<float> unpacked(tensor_info const& tensor) {
  std::size_t const columns = tensor.shape[0], rows = tensor.element_count() / columns;
  std::vector<float> out(rows * columns);
  for (std::size_t r = 0; r < rows; ++r)
    unpack_row(tensor.type, tensor.data.data() + r * (tensor.data.size() / rows),
               std::span(out).subspan(r * columns, columns));
  return out;
}

result<void> check_header(gguf_file const& file, gguf_file const& model) {
  auto const type = file.find_string("general.type").value_or("");
  auto const kind = file.find_string("adapter.type").value_or("");
  if (type != "adapter" || kind != "lora")
    return refuse(errc::invalid_argument, file,
                  "the file is no LoRA adapter (general.type is '" + std::string(type) + "', adapter.type '" +
                      std::string(kind) + "')");
  auto const made_for = file.find_string("general.architecture").value_or("");
  auto const here = model.find_string("general.architecture").value_or("");
  if (made_for != here)
    return refuse(
        errc::invalid_argument, file,
        "it was made for the architecture '" + std::string(made_for) + "', the model is '" + std::string(here) + "'");
  return {};
}

}  // namespace

result<std::size_t> adapted_tensor(gguf_file const& model, std::string const& name, std::string const& adapter_file) {
  auto const* tensor = model.find_tensor(name);
  auto const refused = [&](errc code, std::string const& why) {
    return error(code, "cannot use the adapter: it adapts '" + name + "', " + why, "adapter.load", adapter_file);
  };
  if (!tensor) return refused(errc::invalid_argument, "which the model does not have");
  if (tensor->shape.size() != 2 || name == "token_embd.weight")
    return refused(errc::unsupported,
                   "which is not a plain projection; those of attention and dense feed-forward "
                   "networks can be adapted");
  return static_cast<std::size_t>(tensor - model.tensors().data());
}

result<void> add_pair(adapter& to, gguf_file const& model, std::string const& name, std::string const& adapter_file,
                      adapter_pair pair) {
  auto const index = adapted_tensor(model, name, adapter_file);
  if (!index) return index.error();
  auto const& tensor = model.tensors()[*index];
  auto const wrong = [&](std::string const& what) {
    return error(errc::invalid_argument, "cannot use the adapter: for '" + name + "' " + what, "adapter.load",
                 adapter_file);
  };
  if (pair.rank < 1 || pair.rank > adapter_limits::rank_max)
    return wrong("it has rank " + std::to_string(pair.rank) + "; 1 to " + std::to_string(adapter_limits::rank_max) +
                 " is possible");
  if (pair.columns != tensor.shape[0] || pair.rows != tensor.shape[1])
    return wrong("it maps " + std::to_string(pair.columns) + " inputs to " + std::to_string(pair.rows) +
                 " outputs, the model's tensor " + std::to_string(tensor.shape[0]) + " to " +
                 std::to_string(tensor.shape[1]));
  auto const finite = [](std::vector<float> const& values) {
    return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
  };
  if (!finite(pair.down) || !finite(pair.up) || !std::isfinite(pair.scale))
    return wrong("it holds a number that is not finite");
  if (to.pairs.size() >= adapter_limits::pairs_max) return wrong("it adapts too many tensors");
  if (!to.pairs.emplace(*index, std::move(pair)).second) return wrong("it has two pairs");
  return {};
}

void name_weights(adapter& a) {
  std::vector<std::size_t> order;
  for (auto const& [index, pair] : a.pairs) order.push_back(index);
  std::sort(order.begin(), order.end());
  std::string text;
  auto const hash_of = [](std::vector<float> const& values) {
    return content_hash({reinterpret_cast<char const*>(values.data()), values.size() * sizeof(float)});
  };
  for (auto const index : order) {
    auto const& pair = a.pairs.at(index);
    text += std::to_string(index) + ' ' + std::to_string(pair.scale) + ' ' + hash_of(pair.down) + hash_of(pair.up);
  }
  a.fingerprint = content_hash(text).substr(0, 16);
}

result<adapter> read_adapter(gguf_file const& file, gguf_file const& model, std::string name) {
  if (auto fits = check_header(file, model); !fits) return std::move(fits).error();
  auto const alpha = file.find_float("adapter.lora.alpha");
  adapter out;
  out.name = std::move(name);
  constexpr std::string_view a = ".lora_a", b = ".lora_b";
  for (auto const& tensor : file.tensors()) {
    if (tensor.name.ends_with(b) &&
        file.find_tensor(tensor.name.substr(0, tensor.name.size() - b.size()) + std::string(a)))
      continue;
    if (!tensor.name.ends_with(a))
      return refuse(errc::corrupt_file, file,
                    "its tensor '" + tensor.name + "' belongs to no pair of lora_a and lora_b");
    auto const base = tensor.name.substr(0, tensor.name.size() - a.size());
    auto const* up = file.find_tensor(base + std::string(b));
    if (!up) return refuse(errc::corrupt_file, file, "'" + tensor.name + "' has no '" + base + std::string(b) + "'");
    if (tensor.shape.size() != 2 || up->shape.size() != 2 || tensor.shape[1] != up->shape[0])
      return refuse(errc::unsupported, file, "the pair for '" + base + "' does not consist of two matrices that fit");
    adapter_pair pair;
    pair.rank = tensor.shape[1];
    pair.columns = tensor.shape[0];
    pair.rows = up->shape[1];
    pair.down = unpacked(tensor);
    pair.up = unpacked(*up);
    pair.scale = alpha ? static_cast<float>(*alpha / static_cast<double>(pair.rank)) : 1.0f;
    if (auto added = add_pair(out, model, base, file.name(), std::move(pair)); !added) return std::move(added).error();
  }
  if (out.pairs.empty()) return refuse(errc::invalid_argument, file, "it adapts nothing");
  name_weights(out);
  return out;
}

}  // namespace wherry::inline v0::engine
