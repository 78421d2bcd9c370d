#include <wherry/core/random.hpp>
#include <wherry/llm/random_model.hpp>

#include <cmath>
#include <span>

namespace wherry::inline v0 {
namespace {

// Writes F32 tensors of even noise; a tensor depends on the seed and on how many came before it.
class noise_writer {
 public:
  explicit noise_writer(std::uint64_t seed) : seed_(seed) {}

  gguf_writer file;

  void matrix(std::string const& name, std::size_t rows, std::size_t columns, double spread = 0) {
    noise(name, {columns, rows}, spread != 0 ? spread : 1.2 / std::sqrt(static_cast<double>(columns)), 0);
  }
  void norm(std::string const& name, std::size_t size) {
    noise(name + ".weight", {size}, 0.1, 1);
    noise(name + ".bias", {size}, 0.1, 0);
  }
  void linear(std::string const& name, std::size_t rows, std::size_t columns) {
    matrix(name + ".weight", rows, columns);
    noise(name + ".bias", {rows}, 0.1, 0);
  }
  void noise(std::string const& name, std::vector<std::uint64_t> shape, double spread, double centre) {
    std::size_t count = 1;
    for (auto extent : shape) count *= extent;
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) {
      auto const bits = random_bits({seed_, tensors_, static_cast<std::uint32_t>(i)});
      values[i] = static_cast<float>(centre + spread * (static_cast<double>(bits >> 11) * 0x1p-52 - 1));
    }
    ++tensors_;
    file.add_tensor(name, tensor_type::f32, std::move(shape),
                    std::span(reinterpret_cast<std::uint8_t const*>(values.data()), values.size() * sizeof(float)));
  }

 private:
  std::uint64_t seed_;
  std::uint32_t tensors_ = 0;
};

constexpr std::uint32_t width = 64, feed_forward = 96, layers = 2, heads = 4;

std::vector<std::string> pieces() {
  std::vector<std::string> out{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  auto const both = [&](char c) {  // at the start of a word, and within one
    out.push_back("\u2581" + std::string(1, c));
    out.emplace_back(1, c);
  };
  for (char c = 'a'; c <= 'z'; ++c) both(c);
  for (char c = '0'; c <= '9'; ++c) both(c);
  for (auto const* word :
       {"the",  "a",     "of",    "and",  "to",    "in",   "is",    "it",     "on", "for", "river", "boat",
        "bank", "money", "water", "ship", "house", "city", "train", "people", ".",  ",",   "?",     "!"})
    if (std::string(word) != "a") out.push_back(std::string("\u2581") + word);
  return out;
}

void add_metadata(gguf_writer& file, random_encoder_options const& o) {
  auto const vocabulary = pieces();
  std::vector<std::int32_t> kinds(5, 3);
  kinds.resize(vocabulary.size(), 1);
  file.add("general.architecture", "bert");
  file.add("general.name", "random bert");
  file.add("bert.block_count", layers);
  file.add("bert.context_length", o.context_length);
  file.add("bert.embedding_length", width);
  file.add("bert.feed_forward_length", feed_forward);
  file.add("bert.attention.head_count", heads);
  file.add("bert.attention.layer_norm_epsilon", 1e-12f);
  file.add("bert.attention.causal", false);
  file.add("bert.pooling_type", std::uint32_t{o.head_outputs != 0 ? 4u : 1u});
  if (!o.labels.empty()) file.add("bert.classifier.output_labels", o.labels);
  file.add("tokenizer.ggml.model", "bert");
  file.add("tokenizer.ggml.tokens", vocabulary);
  file.add("tokenizer.ggml.token_type", kinds);
  for (auto const& [key, id] : {std::pair{"padding", 0u},
                                {"unknown", 1u},
                                {"cls", 2u},
                                {"bos", 2u},
                                {"seperator", 3u},
                                {"eos", 3u},
                                {"mask", 4u}})
    file.add(std::string("tokenizer.ggml.") + key + "_token_id", std::uint32_t{id});
}

void add_layer(noise_writer& w, std::string const& block) {
  for (auto const* name : {"attn_q", "attn_k", "attn_v", "attn_output"}) w.linear(block + name, width, width);
  w.norm(block + "attn_output_norm", width);
  w.linear(block + "ffn_up", feed_forward, width);
  w.linear(block + "ffn_down", width, feed_forward);
  w.norm(block + "layer_output_norm", width);
}

error wrong(char const* function, std::string const& what) {
  return {errc::invalid_argument, "cannot make a random model: " + what, function};
}

}  // namespace

result<gguf_file> make_random_encoder(random_encoder_options const& o) {
  if (o.context_length < 4 || o.context_length > 4096)
    return wrong("make_random_encoder", "context_length must be from 4 to 4096");
  if (o.head_outputs > 64) return wrong("make_random_encoder", "head_outputs must be at most 64");
  if (!o.labels.empty() && o.labels.size() != o.head_outputs)
    return wrong("make_random_encoder", "there must be as many labels as head_outputs");
  noise_writer w(o.seed);
  add_metadata(w.file, o);
  std::size_t const vocabulary = pieces().size();
  w.matrix("token_embd.weight", vocabulary, width, 0.6);
  w.matrix("position_embd.weight", o.context_length, width, 0.1);
  w.matrix("token_types.weight", 2, width, 0.1);
  w.norm("token_embd_norm", width);
  for (std::uint32_t i = 0; i < layers; ++i) add_layer(w, "blk." + std::to_string(i) + ".");
  if (o.head_outputs != 0) {
    w.linear("cls", width, width);
    w.linear("cls.output", o.head_outputs, width);
  }
  if (o.token_head) {
    w.linear("mlm.dense", width, width);
    w.norm("mlm.norm", width);
    w.noise("mlm.output.bias", {vocabulary}, 0.1, 0);
  }
  return gguf_file::from_bytes(w.file.bytes(), "random encoder " + std::to_string(o.seed));
}

result<gguf_file> make_random_adapter(gguf_file const& model, std::uint64_t seed) {
  constexpr std::size_t rank = 4;
  noise_writer w(seed);
  w.file.add("general.type", "adapter");
  w.file.add("general.architecture", std::string(model.find_string("general.architecture").value_or("")));
  w.file.add("adapter.type", "lora");
  w.file.add("adapter.lora.alpha", 16.0f);
  std::size_t adapted = 0;
  for (auto const& tensor : model.tensors()) {
    if (!tensor.name.ends_with(".attn_q.weight") && !tensor.name.ends_with(".attn_v.weight")) continue;
    w.matrix(tensor.name + ".lora_a", rank, tensor.shape[0]);
    w.matrix(tensor.name + ".lora_b", tensor.shape[1], rank);
    ++adapted;
  }
  if (adapted == 0) return wrong("make_random_adapter", "'" + model.name() + "' has no attn_q and attn_v matrices");
  return gguf_file::from_bytes(w.file.bytes(), "random adapter " + std::to_string(seed));
}

}  // namespace wherry::inline v0
