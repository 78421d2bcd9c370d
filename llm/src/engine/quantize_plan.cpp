#include "engine/quantize_plan.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

namespace wherry::inline v0::engine {
namespace {

using enum tensor_type;

// The numbers of general.file_type are llama.cpp's (enum llama_ftype); pure K types bear the number of their "S"
// mixture.
constexpr std::array quantizations{quantization{"F32", f32, 0},    quantization{"F16", f16, 1},
                                   quantization{"BF16", bf16, 32}, quantization{"Q8_0", q8_0, 7},
                                   quantization{"Q6_K", q6_k, 18}, quantization{"Q5_K", q5_k, 16},
                                   quantization{"Q5_1", q5_1, 9},  quantization{"Q5_0", q5_0, 8},
                                   quantization{"Q4_K", q4_k, 14}, quantization{"Q4_K_M", q4_k, 15, true},
                                   quantization{"Q4_1", q4_1, 3},  quantization{"Q4_0", q4_0, 2}};

// Parts of the names of matrices that stay as they are: they are small, and much depends on each of their numbers.
constexpr std::array kept_as_they_are{"_norm.",     "ffn_gate_inp", "position_embd", "token_types", "attn_rel_b",
                                      "ssm_conv1d", "shortconv",    "time_mix_",     "rope_"};

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

bool is_matrix_of_weights(tensor_info const& tensor) {
  bool const one_row = tensor.element_count() == tensor.shape[0];
  if (one_row || !std::string_view(tensor.name).ends_with(".weight")) return false;
  return std::none_of(kept_as_they_are.begin(), kept_as_they_are.end(),
                      [&](char const* part) { return contains(tensor.name, part); });
}

// "dec.blk.12.attn_v.weight" stands in stack "dec.", layer 12.
struct layer_place {
  std::string_view stack;
  std::size_t layer = 0;
};
std::optional<layer_place> place_of(std::string_view name) {
  auto const at = name.find("blk.");
  if (at == std::string_view::npos) return std::nullopt;
  layer_place place{name.substr(0, at)};
  auto const* const first = name.data() + at + 4;
  if (std::from_chars(first, name.data() + name.size(), place.layer).ptr == first) return std::nullopt;
  return place;
}

// Of the layers of a stack the first and the last eighth, and every third between them, get finer weights.
bool is_finer_layer(std::size_t layer, std::size_t layers) {
  std::size_t const eighth = layers / 8;
  return layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2;
}

class mixture {
 public:
  explicit mixture(gguf_file const& file)
      : head_(file.find_tensor("output.weight") ? "output.weight" : "token_embd.weight") {
    for (auto const& tensor : file.tensors())
      if (auto const place = place_of(tensor.name)) {
        auto& layers = layers_[place->stack];
        layers = std::max(layers, place->layer + 1);
      }
  }

  tensor_type type_of(std::string_view name) const {
    if (name == head_) return q6_k;  // a tied embedding is the output head
    if (contains(name, "attn_qkv")) return q5_k;
    bool const asks = contains(name, "attn_v.") || contains(name, "ffn_down");
    auto const place = place_of(name);
    return asks && place && is_finer_layer(place->layer, layers_.at(place->stack)) ? q6_k : q4_k;
  }

 private:
  std::string_view head_;
  std::map<std::string_view, std::size_t> layers_;
};

// The type for rows of `columns` weights.
tensor_type fit_columns(tensor_type type, std::uint64_t columns) {
  auto const fits = [&](tensor_type t) { return columns % layout_of(t).elements == 0; };
  if (fits(type)) return type;
  tensor_type other = f16;
  if (type == q4_k) other = q5_0;
  if (type == q5_k) other = q5_1;
  if (type == q6_k) other = q8_0;
  return fits(other) ? other : f16;
}

char to_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

}  // namespace

std::optional<quantization> find_quantization(std::string_view name) {
  for (auto const& q : quantizations)
    if (std::equal(name.begin(), name.end(), q.name.begin(), q.name.end(),
                   [](char a, char b) { return to_upper(a) == b; }))
      return q;
  return std::nullopt;
}

std::string quantization_names() {
  std::string names;
  for (auto const& q : quantizations) names += (names.empty() ? "" : ", ") + std::string(q.name);
  return names;
}

std::vector<planned_tensor> plan_quantization(gguf_file const& file, quantization const& wanted) {
  mixture const mixed(file);
  std::vector<planned_tensor> plan;
  for (auto const& tensor : file.tensors()) {
    if (!is_matrix_of_weights(tensor)) {
      plan.push_back({tensor.type});
      continue;
    }
    auto const type = wanted.mixture ? mixed.type_of(tensor.name) : wanted.type;
    auto const fitting = fit_columns(type, tensor.shape[0]);
    plan.push_back({fitting, fitting != type});
  }
  return plan;
}

}  // namespace wherry::inline v0::engine
