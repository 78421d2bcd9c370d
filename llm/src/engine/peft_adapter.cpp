#include "engine/peft_adapter.hpp"

#include "engine/tensor_rows.hpp"

#include <wherry/core/json.hpp>

#include <array>
#include <charconv>
#include <cmath>

namespace wherry::inline v0::engine {
namespace {

using detail::safetensor;
using detail::safetensors_file;

error refuse(errc code, safetensors_file const& file, std::string const& what) {
  return {code, "cannot use the adapter: " + what, "adapter.load", file.name()};
}

// Hugging Face's module within a layer, and GGUF's.
constexpr std::array modules{
    std::pair{"self_attn.q_proj", "attn_q"},
    std::pair{"self_attn.k_proj", "attn_k"},
    std::pair{"self_attn.v_proj", "attn_v"},
    std::pair{"self_attn.o_proj", "attn_output"},
    std::pair{"self_attn.out_proj", "attn_output"},
    std::pair{"self_attn.qkv_proj", "attn_qkv"},
    std::pair{"mlp.gate_proj", "ffn_gate"},
    std::pair{"mlp.up_proj", "ffn_up"},
    std::pair{"mlp.down_proj", "ffn_down"},
    std::pair{"mlp.gate_up_proj", "ffn_up"},
    std::pair{"attn.c_attn", "attn_qkv"},
    std::pair{"attn.c_proj", "attn_output"},
    std::pair{"mlp.c_fc", "ffn_up"},
    std::pair{"mlp.c_proj", "ffn_down"},
};

struct place {
  std::string tensor;  // GGUF's name
  std::size_t layer = 0;
};

// "model.layers.3.self_attn.q_proj" -> blk.3.attn_q.weight
std::optional<place> translated(std::string_view module) {
  if (module == "lm_head" || module.ends_with(".lm_head")) return place{"output.weight", 0};
  for (std::string_view const list : {"layers.", "h."}) {
    auto const at = module.rfind("." + std::string(list));
    auto const begin = at != std::string_view::npos ? at + 1 + list.size()
                       : module.starts_with(list)   ? list.size()
                                                    : std::string_view::npos;
    if (begin == std::string_view::npos) continue;
    std::size_t layer = 0;
    auto const [end, wrong] = std::from_chars(module.data() + begin, module.data() + module.size(), layer);
    if (wrong != std::errc{} || end == module.data() + module.size() || *end != '.') continue;
    std::string_view const rest(end + 1, static_cast<std::size_t>(module.data() + module.size() - end - 1));
    for (auto const& [theirs, ours] : modules)
      if (rest == theirs) return place{"blk." + std::to_string(layer) + "." + ours + ".weight", layer};
  }
  return std::nullopt;
}

std::vector<float> unpacked(safetensor const& tensor) {
  std::vector<float> out(tensor.element_count());
  unpack_row(tensor.type, tensor.data.data(), out);
  return out;
}

// Files whose rotation turns neighbours keep the rows of a head in another order: row i of the first half, then row i
// of the second.
void interleave_heads(std::vector<float>& up, std::size_t rows, std::size_t rank, std::size_t head_width) {
  auto const from = up;
  std::size_t const half = head_width / 2;
  for (std::size_t head = 0; head < rows; head += head_width)
    for (std::size_t i = 0; i < half; ++i)
      for (std::size_t part = 0; part < 2; ++part)
        std::copy_n(from.begin() + static_cast<std::ptrdiff_t>((head + part * half + i) * rank), rank,
                    up.begin() + static_cast<std::ptrdiff_t>((head + 2 * i + part) * rank));
}

struct peft_settings {
  double alpha = 1;
  bool by_root_of_rank = false;
};

result<peft_settings> read_settings(safetensors_file const& file, std::string_view text) {
  auto const parsed = parse_json(text);
  if (!parsed || !parsed->is_object())
    return refuse(errc::parse_error, file, "its adapter_config.json is not a JSON object");
  auto const& j = *parsed;
  auto const kind = j.contains("peft_type") && j["peft_type"].is_string() ? j["peft_type"].get<std::string>() : "";
  if (kind != "LORA") return refuse(errc::unsupported, file, "its peft_type is '" + kind + "'; supported is LORA");
  auto const is_set = [&](char const* key) {
    if (!j.contains(key)) return false;
    auto const& v = j[key];
    if (v.is_boolean()) return v.get<bool>();
    if (v.is_string()) return v != "none" && v != "";
    return !v.is_null() && !(v.is_structured() && v.empty());
  };
  for (auto const* key : {"use_dora", "modules_to_save", "rank_pattern", "alpha_pattern", "layer_replication", "bias"})
    if (is_set(key))
      return refuse(errc::unsupported, file, "it sets '" + std::string(key) + "', which is not supported");
  peft_settings out;
  if (!j.contains("lora_alpha") || !j["lora_alpha"].is_number())
    return refuse(errc::corrupt_file, file, "its adapter_config.json has no number 'lora_alpha'");
  out.alpha = j["lora_alpha"].get<double>();
  out.by_root_of_rank = is_set("use_rslora");
  return out;
}

}  // namespace

result<adapter> read_peft_adapter(safetensors_file const& file, std::string_view configuration, gguf_file const& model,
                                  config const& c, std::string name) {
  auto const settings = read_settings(file, configuration);
  if (!settings) return settings.error();
  adapter out;
  out.name = std::move(name);
  constexpr std::string_view a = ".lora_A.weight", b = ".lora_B.weight";
  for (auto const& tensor : file.tensors()) {
    auto const cut = [&](std::string_view end) { return tensor.name.substr(0, tensor.name.size() - end.size()); };
    if (tensor.name.ends_with(b) && file.find(cut(b) + std::string(a))) continue;
    if (!tensor.name.ends_with(a))
      return refuse(errc::unsupported, file,
                    "its tensor '" + tensor.name + "' belongs to no pair of lora_A and lora_B");
    auto const* up = file.find(cut(a) + std::string(b));
    if (!up) return refuse(errc::corrupt_file, file, "'" + tensor.name + "' has no lora_B beside it");
    auto const where = translated(cut(a));
    if (!where)
      return refuse(errc::unsupported, file,
                    "it adapts '" + cut(a) + "', for which there is no place in GGUF that can be adapted");
    if (tensor.shape.size() != 2 || up->shape.size() != 2 || up->shape[1] != tensor.shape[0])
      return refuse(errc::corrupt_file, file,
                    "the pair for '" + cut(a) + "' does not consist of two matrices that fit");
    adapter_pair pair;
    pair.rank = tensor.shape[0];
    pair.columns = tensor.shape[1];
    pair.rows = up->shape[0];
    pair.down = unpacked(tensor);
    pair.up = unpacked(*up);
    double const rank = static_cast<double>(std::max<std::size_t>(pair.rank, 1));
    pair.scale = static_cast<float>(settings->alpha / (settings->by_root_of_rank ? std::sqrt(rank) : rank));
    bool const turned = where->tensor.ends_with("attn_q.weight") || where->tensor.ends_with("attn_k.weight");
    if (turned && c.architecture->pairing == rope_pairing::neighbours && pair.rows % c.head_width == 0)
      interleave_heads(pair.up, pair.rows, pair.rank, c.head_width);
    if (auto added = add_pair(out, model, where->tensor, file.name(), std::move(pair)); !added)
      return std::move(added).error();
  }
  if (out.pairs.empty()) return refuse(errc::invalid_argument, file, "it adapts nothing");
  name_weights(out);
  return out;
}

}  // namespace wherry::inline v0::engine
