#include "engine/config.hpp"

#include "engine/elementary.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace wherry::inline v0::engine {
namespace {

// Looks keys up behind "<architecture>." and remembers the first thing that was wrong.
class key_reader {
 public:
  key_reader(gguf_file const& file, std::string_view architecture)
      : file_(file), keys_(file.keys()), prefix_(architecture) {}

  /// An integer in [1, most], or `fallback` (0: there is none) when the key is absent.
  std::size_t count(std::string_view key, std::uint64_t most, std::size_t fallback = 0) {
    if (!has(key) && fallback != 0) return fallback;
    auto const value = file_.find_uint(full(key));
    if (!value) {
      fail(has(key) ? "'" + full(key) + "' is not one whole number" : "it does not say '" + full(key) + "'");
    } else if (*value < 1 || *value > most) {
      fail("'" + full(key) + "' is " + std::to_string(*value) + "; 1 to " + std::to_string(most) + " is possible");
    } else {
      return static_cast<std::size_t>(*value);
    }
    return 1;  // keeps later divisions defined; the failure is reported
  }

  /// As count(), of each of `layers` layers: one integer for all, or a list. Zero is allowed in a list.
  std::vector<std::size_t> counts(std::string_view key, std::size_t layers, std::uint64_t most, std::size_t fallback) {
    auto const list = has(key) ? file_.find_ints(full(key)) : std::nullopt;
    if (!list) return std::vector<std::size_t>(layers, count(key, most, fallback));
    std::vector<std::size_t> out(layers, 1);
    if (list->size() < layers) {
      fail("'" + full(key) + "' lists " + std::to_string(list->size()) + " of " + std::to_string(layers) + " layers");
      return out;
    }
    for (std::size_t i = 0; i < layers; ++i) {
      auto const value = (*list)[i];
      if (value < 0 || static_cast<std::uint64_t>(value) > most)
        fail("'" + full(key) + "' is " + std::to_string(value) + " for layer " + std::to_string(i) + "; 0 to " +
             std::to_string(most) + " is possible");
      else
        out[i] = static_cast<std::size_t>(value);
    }
    return out;
  }

  /// A number in [least, most], or `fallback` when the key is absent.
  double number(std::string_view key, double least, double most, double fallback) {
    if (!has(key)) return fallback;
    auto const value = file_.find_float(full(key));
    if (value && *value >= least && *value <= most) return *value;
    std::ostringstream text;
    text << '\'' << full(key) << "' is " << file_.describe(full(key)) << "; a number from " << least << " to " << most
         << " is possible";
    fail(text.str());
    return fallback;
  }

  bool has(std::string_view key) const { return std::find(keys_.begin(), keys_.end(), full(key)) != keys_.end(); }
  /// Present and zero: as good as absent.
  bool is_zero(std::string_view key) const { return has(key) && file_.find_float(full(key)) == 0.0; }
  std::string full(std::string_view key) const { return prefix_ + "." + std::string(key); }
  void fail(std::string what) {
    if (failure_.empty()) failure_ = std::move(what);
  }
  std::string const& failure() const { return failure_; }

 private:
  gguf_file const& file_;
  std::vector<std::string_view> keys_;
  std::string prefix_;
  std::string failure_;
};

error unsupported(gguf_file const& file, std::string const& what) {
  return {errc::unsupported, "cannot use the model: " + what, "transformer.load", file.name()};
}

error corrupt(gguf_file const& file, std::string const& what) {
  return {errc::corrupt_file, "cannot use the model: " + what, "transformer.load", file.name()};
}

// Refuses what a file declares and this build would silently leave out.
result<void> refuse_not_computed(gguf_file const& file, key_reader const& keys) {
  for (auto const& [key, neutral] : not_computed()) {
    if (!keys.has(key)) continue;
    auto const value = file.find_float(keys.full(key));
    auto const flag = file.find_bool(keys.full(key));
    if (value ? *value == neutral : flag && *flag == (neutral != 0)) continue;
    return unsupported(file, "it declares '" + keys.full(key) + "' = " + file.describe(keys.full(key)) +
                                 ", which is not supported yet");
  }
  return {};
}

std::size_t vocabulary_size(gguf_file const& file) {
  auto const* embedding = file.find_tensor("token_embd.weight");
  return embedding && embedding->shape.size() == 2 ? embedding->shape[1] : 0;
}

// Whether layer `index` looks at a window only, where the file declares one: a list of flags or a period in the file,
// else the architecture's own rule.
bool has_window(gguf_file const& file, key_reader const& keys, architecture const& row, std::size_t index) {
  auto const key = keys.full("attention.sliding_window_pattern");
  if (auto const flags = file.find_ints(key)) return index < flags->size() && (*flags)[index] != 0;
  auto const every = file.find_uint(key).value_or(row.full_attention_every);
  return every == 0 || index % every < every - 1;
}

void read_layers(gguf_file const& file, key_reader& keys, config& c) {
  using limits = config_limits;
  auto const& row = *c.architecture;
  bool const two_towers = row.kind == model_kind::encoder_decoder;
  std::size_t layers = keys.count("block_count", limits::layers_max);
  if (two_towers) {
    c.encoder_layers = layers;
    layers = keys.count("decoder_block_count", limits::layers_max, layers);
  }
  auto const kv_heads = keys.counts("attention.head_count_kv", layers, c.heads, c.heads);
  auto const feed_forward = keys.counts("feed_forward_length", layers, limits::feed_forward_max, 0);
  bool const windowed =
      keys.has("attention.sliding_window") && file.find_uint(keys.full("attention.sliding_window")) != std::uint64_t{0};
  std::size_t const window = windowed ? keys.count("attention.sliding_window", limits::context_max) : 0;
  if (keys.has("shortconv.l_cache")) c.convolution = keys.count("shortconv.l_cache", limits::convolution_max);
  for (std::size_t i = 0; i < layers; ++i) {
    layer_shape layer{.kv_heads = kv_heads[i], .feed_forward = feed_forward[i]};
    if (layer.kv_heads == 0) layer.mixer = mixer_kind::short_convolution;
    if (layer.kv_heads == 0 && c.convolution == 0)
      keys.fail("layer " + std::to_string(i) + " has no key/value heads, and the file declares no short convolution");
    if (layer.kv_heads != 0 && c.heads % layer.kv_heads != 0)
      keys.fail("its " + std::to_string(c.heads) + " heads cannot share " + std::to_string(layer.kv_heads) +
                " key/value heads evenly");
    if (windowed && has_window(file, keys, row, i)) layer.window = window;
    bool const unrotated =
        row.pairing == rope_pairing::none || (row.unrotated_every != 0 && (i + 1) % row.unrotated_every == 0);
    bool const own_base = c.windowed_rope_base != 0 && layer.window != 0;
    layer.rotation = unrotated ? rotation_kind::none : own_base ? rotation_kind::windowed : rotation_kind::full;
    c.layers.push_back(layer);
  }
}

void read_heads(key_reader& keys, config& c) {
  using limits = config_limits;
  c.heads = keys.count("attention.head_count", limits::heads_max);
  if (!keys.has("attention.key_length") && c.width % c.heads != 0)
    keys.fail("'" + keys.full("embedding_length") + "' is no multiple of its " + std::to_string(c.heads) + " heads");
  c.head_width =
      keys.count("attention.key_length", limits::head_width_max, std::max<std::size_t>(c.width / c.heads, 1));
  if (keys.count("attention.value_length", limits::head_width_max, c.head_width) != c.head_width)
    keys.fail("its keys and values differ in width, which this architecture does not know");
}

void read_rotation(key_reader& keys, config& c) {
  if (c.architecture->pairing == rope_pairing::none) return;
  c.rope_width = keys.count("rope.dimension_count", c.head_width, c.head_width);
  if (c.rope_width % 2 != 0) keys.fail("'" + keys.full("rope.dimension_count") + "' is odd");
  c.rope_base = keys.number("rope.freq_base", 1.0, 1e15, 10000.0);
  c.windowed_rope_base = keys.number("rope.freq_base_swa", 1.0, 1e15, c.architecture->windowed_rope_base);
}

// A file names the method, or has divisors as tensors.
result<void> read_scaling(gguf_file const& file, key_reader& keys, config& c) {
  auto& s = c.scaling;
  using method = rope_scaling::method;
  std::string const type(file.find_string(keys.full("rope.scaling.type")).value_or(""));
  s.factor = keys.number("rope.scaling.factor", 0.0, 1e6, 1.0);
  if (s.factor == 0) s.factor = 1;
  if (keys.has("rope.scale_linear")) s.factor = keys.number("rope.scale_linear", 1e-3, 1e6, 1.0);
  s.original_context = keys.number("rope.scaling.original_context_length", 1.0, double(config_limits::context_max),
                                   static_cast<double>(c.context_length));
  s.magnitude = keys.number("rope.scaling.attn_factor", 1e-3, 1e3, 1.0);
  s.beta_fast = keys.number("rope.scaling.yarn_beta_fast", 1e-3, 1e6, 32.0);
  s.beta_slow = keys.number("rope.scaling.yarn_beta_slow", 1e-3, 1e6, 1.0);
  if (file.find_tensor("rope_factors_long.weight") || file.find_tensor("rope_factors_short.weight")) {
    s.how = method::factors;
  } else if (type == "yarn") {
    s.how = method::yarn;
    s.magnitude *= 1 + 0.1 * logarithm(s.factor);
  } else if (type == "linear" || (type.empty() && s.factor != 1)) {
    s.how = method::linear;
  } else if (!type.empty() && type != "none" && !(type == "llama3" && file.find_tensor("rope_freqs.weight"))) {
    return unsupported(file, "it declares rope scaling '" + type +
                                 "', which is not supported yet; supported are none, linear, yarn, and factors "
                                 "in tensors (longrope, llama3)");
  }
  return {};
}

void read_experts(key_reader& keys, config& c) {
  if (!keys.has("expert_count") || keys.is_zero("expert_count")) return;
  auto& e = c.experts;
  e.count = keys.count("expert_count", config_limits::experts_max);
  e.used = keys.count("expert_used_count", e.count);
  e.feed_forward =
      keys.count("expert_feed_forward_length", config_limits::feed_forward_max, c.layers.front().feed_forward);
}

// What embeddings, scores and logits are scaled and bent by.
void read_scales(key_reader& keys, config& c) {
  auto const scale = [&keys](std::string_view key, double fallback) {
    return static_cast<float>(keys.number(key, 1e-9, 1e9, fallback));
  };
  auto const cap = [&keys](std::string_view key) {
    return static_cast<float>(keys.is_zero(key) ? 0.0 : keys.number(key, 1e-3, 1e9, 0.0));
  };
  auto const& row = *c.architecture;
  double const root_width = std::sqrt(static_cast<double>(c.width));
  c.embedding_scale = scale("embedding_scale", row.embedding_by_root_width ? root_width : 1.0);
  c.residual_scale = scale("residual_scale", 1.0);
  double per_head = 1 / std::sqrt(static_cast<double>(c.head_width));
  if (row.layers_scaled_by_width != 0 && c.layers.size() == row.layers_scaled_by_width)
    per_head = std::sqrt(static_cast<double>(c.heads)) / root_width;
  if (row.kind == model_kind::encoder_decoder) per_head = 1;  // its weights hold the scale
  c.attention_scale =
      keys.is_zero("attention.scale") ? static_cast<float>(per_head) : scale("attention.scale", per_head);
  c.attention_cap = cap("attn_logit_softcapping");
  c.logit_divisor = scale("logit_scale", 1.0);
  c.logit_cap = cap("final_logit_softcapping");
  auto const epsilon = row.norm == norm_kind::rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon";
  if (!keys.has(epsilon)) keys.fail("it does not say '" + keys.full(epsilon) + "'");
  c.norm_epsilon = static_cast<float>(keys.number(epsilon, 1e-13, 1.0, 1e-5));
}

void read_reading(gguf_file const& file, key_reader& keys, config& c) {
  c.causal = file.find_bool(keys.full("attention.causal")).value_or(c.architecture->kind != model_kind::encoder);
  auto const pooled = file.find_uint(keys.full("pooling_type"))
                          .value_or(c.architecture->kind == model_kind::encoder ? std::uint64_t{1} : std::uint64_t{0});
  if (pooled > static_cast<std::uint64_t>(pooling::rank))
    keys.fail("'" + keys.full("pooling_type") + "' is " + std::to_string(pooled) + "; 0 to 4 is possible");
  else
    c.pooled = static_cast<pooling>(pooled);
  auto const* types = file.find_tensor("token_types.weight");
  c.token_types = !types ? 0 : types->shape.size() == 2 ? types->shape[1] : 1;
  if (auto const labels = file.find_strings(keys.full("classifier.output_labels"))) {
    if (labels->size() > config_limits::labels_max) keys.fail("it declares more labels than are possible");
    for (auto const label : *labels) c.labels.emplace_back(label);
  }
  if (c.architecture->kind != model_kind::encoder_decoder) return;
  c.relative_buckets = keys.count("attention.relative_buckets_count", config_limits::buckets_max);
  if (c.relative_buckets % 4 != 0)
    keys.fail("'" + keys.full("attention.relative_buckets_count") + "' is no multiple of 4");
  if (keys.has("decoder_start_token_id") && !keys.is_zero("decoder_start_token_id"))
    c.start_token = keys.count("decoder_start_token_id", config_limits::vocabulary_max);
  if (c.start_token >= c.vocabulary)
    keys.fail("'" + keys.full("decoder_start_token_id") + "' is outside its vocabulary");
}

}  // namespace

std::size_t config::kv_heads_max() const noexcept {
  std::size_t most = 0;
  for (auto const& layer : layers) most = std::max(most, layer.kv_heads);
  return most;
}

std::size_t config::group_max() const noexcept {
  std::size_t most = 1;
  for (auto const& layer : layers)
    if (layer.kv_heads != 0) most = std::max(most, heads / layer.kv_heads);
  return most;
}

std::size_t config::feed_forward_max() const noexcept {
  std::size_t most = experts.count ? experts.feed_forward : 0;
  for (auto const& layer : layers) most = std::max(most, layer.feed_forward);
  return most;
}

result<config> read_config(gguf_file const& file) {
  auto const name = file.find_string("general.architecture");
  if (!name) return corrupt(file, "it does not say 'general.architecture'");
  auto const* row = find_architecture(*name);
  if (!row)
    return unsupported(file,
                       "its architecture is '" + std::string(*name) + "'; supported are " + supported_architectures());

  key_reader keys(file, *name);
  using limits = config_limits;
  config c;
  c.architecture = row;
  c.vocabulary = vocabulary_size(file);
  c.width = keys.count("embedding_length", limits::width_max);
  c.context_length = keys.count("context_length", limits::context_max);
  read_heads(keys, c);
  read_rotation(keys, c);
  read_layers(file, keys, c);
  read_experts(keys, c);
  read_scales(keys, c);
  read_reading(file, keys, c);
  auto const scaling = read_scaling(file, keys, c);
  if (c.vocabulary < 1 || c.vocabulary > limits::vocabulary_max)
    keys.fail("its embedding 'token_embd.weight' is missing or has no possible number of rows");
  if (!keys.failure().empty()) return corrupt(file, keys.failure());
  if (!scaling) return scaling.error();
  if (auto computed = refuse_not_computed(file, keys); !computed) return computed.error();
  if (!c.causal && row->kind != model_kind::encoder)
    return unsupported(file, "its attention is not causal, which is not supported for '" + std::string(*name) + "'");
  return c;
}

}  // namespace wherry::inline v0::engine
