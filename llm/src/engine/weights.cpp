#include "engine/weights.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace wherry::inline v0::engine {
namespace {

std::string shape_text(std::vector<std::uint64_t> const& shape) {
  std::ostringstream out;
  for (std::size_t i = 0; i < shape.size(); ++i) out << (i ? " x " : "") << shape[i];
  return out.str();
}

// Takes tensors by name, remembers which ones were taken and the first thing that was wrong.
class tensor_taker {
 public:
  tensor_taker(gguf_file const& file, kernel_table const& kernels) : file_(file), kernels_(kernels) {}

  matrix take_matrix(std::string const& name, std::size_t rows, std::size_t columns) {
    auto const* tensor = take(name, {columns, rows});
    if (!tensor) return {};
    auto const product = matmul_for(kernels_, tensor->type);
    if (!product) {
      fail(errc::unsupported, "its tensor '" + name + "' has type " + to_string(tensor->type) + "; supported are " +
                                  supported_weight_types());
      return {};
    }
    return {tensor->type,        rows,   columns, static_cast<std::size_t>(tensor->data.size() / rows),
            tensor->data.data(), product};
  }

  std::span<float const> take_vector(std::string const& name, std::size_t size) {
    auto const* tensor = take(name, {size});
    if (!tensor) return {};
    if (tensor->type != tensor_type::f32) {
      fail(errc::unsupported, "its vector '" + name + "' has type " + to_string(tensor->type) + "; supported is F32");
      return {};
    }
    return {reinterpret_cast<float const*>(tensor->data.data()), size};  // GGUF aligns tensors to 8 bytes or more
  }

  bool has(std::string_view name) const { return file_.find_tensor(name) != nullptr; }

  void fail(errc code, std::string what) {
    if (!failure_) failure_ = error(code, "cannot use the model: " + std::move(what), "transformer.load", file_.name());
  }

  /// The first failure; else a complaint about a tensor that nobody took.
  result<void> finish() {
    std::sort(taken_.begin(), taken_.end());
    for (auto const& tensor : file_.tensors())
      if (!std::binary_search(taken_.begin(), taken_.end(), &tensor))
        fail(errc::unsupported, "its tensor '" + tensor.name + "' has no place in the architectures this build knows");
    if (failure_) return *failure_;
    return {};
  }

 private:
  tensor_info const* take(std::string const& name, std::vector<std::uint64_t> const& shape) {
    auto const* tensor = file_.find_tensor(name);
    if (!tensor) {
      fail(errc::corrupt_file, "its tensor '" + name + "' is missing");
      return nullptr;
    }
    taken_.push_back(tensor);
    if (tensor->shape == shape) return tensor;
    fail(errc::corrupt_file, "its tensor '" + name + "' has shape " + shape_text(tensor->shape) +
                                 " where its metadata asks for " + shape_text(shape));
    return nullptr;
  }

  gguf_file const& file_;
  kernel_table const& kernels_;
  std::vector<tensor_info const*> taken_;
  std::optional<error> failure_;
};

attention_weights take_attention(tensor_taker& take, std::string const& block, config const& c) {
  attention_weights w;
  w.norm = take.take_vector(block + "attn_norm.weight", c.width);
  w.query = take.take_matrix(block + "attn_q.weight", c.query_width(), c.width);
  w.key = take.take_matrix(block + "attn_k.weight", c.kv_width(), c.width);
  w.value = take.take_matrix(block + "attn_v.weight", c.kv_width(), c.width);
  w.output = take.take_matrix(block + "attn_output.weight", c.width, c.query_width());
  if (c.architecture->projection_bias) {
    w.query_bias = take.take_vector(block + "attn_q.bias", c.query_width());
    w.key_bias = take.take_vector(block + "attn_k.bias", c.kv_width());
    w.value_bias = take.take_vector(block + "attn_v.bias", c.kv_width());
  }
  if (c.architecture->head_norm) {
    w.query_norm = take.take_vector(block + "attn_q_norm.weight", c.head_width);
    w.key_norm = take.take_vector(block + "attn_k_norm.weight", c.head_width);
  }
  return w;
}

feed_forward_weights take_feed_forward(tensor_taker& take, std::string const& block, config const& c) {
  return {take.take_vector(block + "ffn_norm.weight", c.width),
          take.take_matrix(block + "ffn_gate.weight", c.feed_forward, c.width),
          take.take_matrix(block + "ffn_up.weight", c.feed_forward, c.width),
          take.take_matrix(block + "ffn_down.weight", c.width, c.feed_forward)};
}

std::span<float const> take_rope_factors(tensor_taker& take, config const& c) {
  if (!take.has("rope_freqs.weight")) return {};
  auto const factors = take.take_vector("rope_freqs.weight", c.rope_width / 2);
  constexpr float least = 0.5f, most = 1e6f;  // real files have 1 to 64
  if (!std::all_of(factors.begin(), factors.end(), [](float f) { return f >= least && f <= most; }))
    take.fail(errc::corrupt_file, "'rope_freqs.weight' holds a factor outside 0.5 to 1000000");
  return factors;
}

}  // namespace

result<model_weights> find_weights(gguf_file const& file, config const& c, kernel_table const& kernels) {
  tensor_taker take(file, kernels);
  model_weights w;
  w.embedding = take.take_matrix("token_embd.weight", c.vocabulary, c.width);
  for (std::size_t i = 0; i < c.layers; ++i) {
    std::string const block = "blk." + std::to_string(i) + ".";
    w.blocks.push_back({take_attention(take, block, c), take_feed_forward(take, block, c)});
  }
  w.output_norm = take.take_vector("output_norm.weight", c.width);
  w.output = take.has("output.weight") ? take.take_matrix("output.weight", c.vocabulary, c.width) : w.embedding;
  w.rope_factors = take_rope_factors(take, c);
  if (auto complete = take.finish(); !complete) return complete.error();
  return w;
}

}  // namespace wherry::inline v0::engine
