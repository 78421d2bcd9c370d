#include <wherry/core/random.hpp>
#include <wherry/llm/random_model.hpp>

#include "engine/random_model_vocabulary.hpp"
#include "engine/tensor_rows.hpp"

#include <cmath>

namespace wherry::inline v0 {
namespace {

std::string wrong_option(random_model_options const& o) {
  auto const within = [](std::uint32_t value, std::uint32_t most) { return value >= 1 && value <= most; };
  if (!engine::can_pack(o.type)) return "type must be one of " + engine::packable_type_names();
  if (!within(o.layers, 64)) return "layers must be from 1 to 64";
  if (!within(o.heads, 64)) return "heads must be from 1 to 64";
  if (!within(o.kv_heads, o.heads) || o.heads % o.kv_heads != 0) return "kv_heads must divide heads";
  if (!within(o.width, 4096) || o.width % (2 * o.heads) != 0)
    return "width must be a multiple of 2 * heads, at most 4096";
  if (!within(o.feed_forward, 16384)) return "feed_forward must be from 1 to 16384";
  if (!within(o.context_length, 1 << 20)) return "context_length must be from 1 to 1048576";
  if (auto const block = layout_of(o.type).elements; o.width % block != 0 || o.feed_forward % block != 0)
    return "width and feed_forward must be multiples of " + std::to_string(block) + " for " + to_string(o.type);
  return {};
}

// Random weights in the order they are asked for: sums of four uniform numbers, near enough to normal ones.
class weight_source {
 public:
  explicit weight_source(std::uint64_t seed) : seed_(seed) {}

  /// `count` numbers with the given standard deviation around `mean`.
  std::vector<float> take(std::size_t count, float deviation, float mean = 0) {
    std::vector<float> out(count);
    for (std::size_t i = 0; i < count; ++i) out[i] = mean + deviation * next();
    return out;
  }

 private:
  float next() {
    if (lane_ == 0) bits_ = philox(seed_, {++drawn_, 0, 0, 0x6D6F6465});  // apart from other users of philox
    float sum = -2;
    for (std::size_t word = lane_; word < lane_ + 2; ++word)
      sum += static_cast<float>(bits_[word] & 0xFFFF) * 0x1p-16f + static_cast<float>(bits_[word] >> 16) * 0x1p-16f;
    lane_ = (lane_ + 2) % 4;
    return sum * 1.7320508f;  // the variance of four uniform numbers is 1/3
  }

  std::uint64_t seed_;
  std::uint32_t drawn_ = 0;
  std::size_t lane_ = 0;
  std::array<std::uint32_t, 4> bits_{};
};

class model_builder {
 public:
  explicit model_builder(random_model_options const& options) : o_(options), weights_(options.seed) {}

  std::vector<std::uint8_t> build() {
    auto const vocabulary = engine::make_random_model_vocabulary();
    add_metadata();
    add_vocabulary(vocabulary);
    auto const rows = static_cast<std::uint32_t>(vocabulary.tokens.size());
    std::uint32_t const kv_width = o_.width / o_.heads * o_.kv_heads;
    add_matrix("token_embd.weight", rows, o_.width, o_.tied_output ? 0.25f : 1.0f);
    for (std::uint32_t i = 0; i < o_.layers; ++i) {
      std::string const block = "blk." + std::to_string(i) + ".";
      add_norm(block + "attn_norm.weight");
      add_matrix(block + "attn_q.weight", o_.width, o_.width, scale_for(o_.width));
      add_matrix(block + "attn_k.weight", kv_width, o_.width, scale_for(o_.width));
      add_matrix(block + "attn_v.weight", kv_width, o_.width, scale_for(o_.width));
      add_matrix(block + "attn_output.weight", o_.width, o_.width, scale_for(o_.width));
      add_norm(block + "ffn_norm.weight");
      add_matrix(block + "ffn_gate.weight", o_.feed_forward, o_.width, scale_for(o_.width));
      add_matrix(block + "ffn_up.weight", o_.feed_forward, o_.width, scale_for(o_.width));
      add_matrix(block + "ffn_down.weight", o_.width, o_.feed_forward, scale_for(o_.feed_forward));
    }
    add_norm("output_norm.weight");
    if (!o_.tied_output) add_matrix("output.weight", rows, o_.width, 2 * scale_for(o_.width));
    if (o_.rope_factors) add_rope_factors();
    return writer_.bytes();
  }

 private:
  void add_metadata() {
    writer_.add("general.architecture", "llama");
    writer_.add("general.name", "random llama");
    writer_.add("llama.context_length", o_.context_length);
    writer_.add("llama.embedding_length", o_.width);
    writer_.add("llama.block_count", o_.layers);
    writer_.add("llama.feed_forward_length", o_.feed_forward);
    writer_.add("llama.attention.head_count", o_.heads);
    writer_.add("llama.attention.head_count_kv", o_.kv_heads);
    writer_.add("llama.attention.layer_norm_rms_epsilon", 1e-5f);
    writer_.add("llama.rope.dimension_count", o_.width / o_.heads);
    writer_.add("llama.rope.freq_base", 10000.0f);
  }

  void add_vocabulary(engine::spm_vocabulary const& v) {
    writer_.add("tokenizer.ggml.model", "llama");
    writer_.add("tokenizer.ggml.tokens", v.tokens);
    writer_.add("tokenizer.ggml.scores", v.scores);
    writer_.add("tokenizer.ggml.token_type", v.types);
    writer_.add("tokenizer.ggml.unknown_token_id", std::uint32_t{0});
    writer_.add("tokenizer.ggml.bos_token_id", std::uint32_t{1});
    writer_.add("tokenizer.ggml.eos_token_id", std::uint32_t{2});
    writer_.add("tokenizer.ggml.add_bos_token", true);
  }

  static float scale_for(std::uint32_t columns) { return 1.0f / std::sqrt(static_cast<float>(columns)); }

  void add_matrix(std::string name, std::uint32_t rows, std::uint32_t columns, float deviation) {
    auto const layout = layout_of(o_.type);
    std::size_t const row_bytes = columns / layout.elements * layout.bytes;
    std::vector<std::uint8_t> data(rows * row_bytes);
    for (std::size_t r = 0; r < rows; ++r)
      engine::pack_row(o_.type, weights_.take(columns, deviation), std::span(data).subspan(r * row_bytes, row_bytes));
    writer_.add_tensor(std::move(name), o_.type, {columns, rows}, data);
  }

  void add_vector(std::string name, std::vector<float> const& values) {
    std::vector<std::uint8_t> data(values.size() * sizeof(float));
    engine::pack_row(tensor_type::f32, values, data);
    writer_.add_tensor(std::move(name), tensor_type::f32, {values.size()}, data);
  }

  void add_norm(std::string name) { add_vector(std::move(name), weights_.take(o_.width, 0.1f, 1.0f)); }

  // Slower rotations are slowed down further, as in files for long contexts.
  void add_rope_factors() {
    std::vector<float> factors(o_.width / o_.heads / 2);
    for (std::size_t i = 0; i < factors.size(); ++i)
      factors[i] = 1.0f + 7.0f * static_cast<float>(i) / static_cast<float>(factors.size());
    add_vector("rope_freqs.weight", factors);
  }

  random_model_options const& o_;
  weight_source weights_;
  gguf_writer writer_;
};

}  // namespace

result<gguf_file> make_random_model(random_model_options const& options) {
  if (auto wrong = wrong_option(options); !wrong.empty())
    return error(errc::invalid_argument, "cannot make a random model: " + wrong, "make_random_model");
  return gguf_file::from_bytes(model_builder(options).build(), "random model " + std::to_string(options.seed));
}

}  // namespace wherry::inline v0
