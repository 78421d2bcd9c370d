#include "engine/config.hpp"

#include <algorithm>
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
result<void> refuse_not_computed(gguf_file const& file, architecture const& row, key_reader const& keys,
                                 std::size_t context_length) {
  for (auto const& [key, neutral] : row.not_computed) {
    if (!keys.has(key)) continue;
    auto const value = file.find_float(keys.full(key));
    bool const beyond_reach = key == "attention.sliding_window" && value && *value >= double(context_length);
    if (!value || (*value != neutral && !beyond_reach))
      return unsupported(file, "it declares '" + keys.full(key) + "' = " + file.describe(keys.full(key)) +
                                   ", which is not supported yet");
  }
  auto const type = file.find_string(keys.full("rope.scaling.type"));
  auto const factor = file.find_float(keys.full("rope.scaling.factor")).value_or(1.0);
  bool const scales = type ? *type != "none" : factor != 1.0 && factor != 0.0;
  if (scales || (keys.has("rope.scaling.type") && !type))
    return unsupported(file, "it declares rope scaling '" + std::string(type.value_or("linear")) +
                                 "', which is not supported yet; supported are none and rope_freqs factors");
  if (file.find_bool(keys.full("attention.causal")) == false)
    return unsupported(file, "its attention is not causal, which is not supported yet");
  return {};
}

std::size_t vocabulary_size(gguf_file const& file) {
  auto const* embedding = file.find_tensor("token_embd.weight");
  return embedding && embedding->shape.size() == 2 ? embedding->shape[1] : 0;
}

}  // namespace

result<config> read_config(gguf_file const& file) {
  auto const name = file.find_string("general.architecture");
  if (!name) return corrupt(file, "it does not say 'general.architecture'");
  auto const* row = find_architecture(*name);
  if (!row)
    return unsupported(file, "its architecture is '" + std::string(*name) + "'; supported are " +
                                 std::string(supported_architectures()));

  key_reader keys(file, *name);
  using limits = config_limits;
  config c;
  c.architecture = row;
  c.vocabulary = vocabulary_size(file);
  c.layers = keys.count("block_count", limits::layers_max);
  c.width = keys.count("embedding_length", limits::width_max);
  c.feed_forward = keys.count("feed_forward_length", limits::feed_forward_max);
  c.context_length = keys.count("context_length", limits::context_max);
  c.heads = keys.count("attention.head_count", limits::heads_max);
  c.kv_heads = keys.count("attention.head_count_kv", c.heads, c.heads);
  if (!keys.has("attention.key_length") && c.width % c.heads != 0)
    keys.fail("'" + keys.full("embedding_length") + "' is no multiple of its " + std::to_string(c.heads) + " heads");
  c.head_width =
      keys.count("attention.key_length", limits::head_width_max, std::max<std::size_t>(c.width / c.heads, 1));
  if (keys.count("attention.value_length", limits::head_width_max, c.head_width) != c.head_width)
    keys.fail("its keys and values differ in width, which this architecture does not know");
  if (c.heads % c.kv_heads != 0)
    keys.fail("its " + std::to_string(c.heads) + " heads cannot share " + std::to_string(c.kv_heads) +
              " key/value heads evenly");
  c.rope_width = keys.count("rope.dimension_count", c.head_width, c.head_width);
  if (c.rope_width % 2 != 0) keys.fail("'" + keys.full("rope.dimension_count") + "' is odd");
  c.rope_base = keys.number("rope.freq_base", 1.0, 1e15, 10000.0);
  if (!keys.has("attention.layer_norm_rms_epsilon"))
    keys.fail("it does not say '" + keys.full("attention.layer_norm_rms_epsilon") + "'");
  c.norm_epsilon = static_cast<float>(keys.number("attention.layer_norm_rms_epsilon", 1e-12, 1.0, 1e-5));
  if (c.vocabulary < 1 || c.vocabulary > limits::vocabulary_max)
    keys.fail("its embedding 'token_embd.weight' is missing or has no possible number of rows");
  if (!keys.failure().empty()) return corrupt(file, keys.failure());
  if (auto computed = refuse_not_computed(file, *row, keys, c.context_length); !computed) return computed.error();
  return c;
}

}  // namespace wherry::inline v0::engine
