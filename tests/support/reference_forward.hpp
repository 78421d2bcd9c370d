#pragma once
// A llama forward pass in double precision, straight from the tensors of a file: what the engine is compared with.
// It shares no code with the engine, keeps no cache and computes everything anew; slow and plain on purpose.

#include <wherry/llm/gguf.hpp>
#include <wherry/llm/sampling.hpp>

#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace wherry_test {

using row = std::vector<double>;
using rows = std::vector<row>;

inline double half_value(std::uint16_t bits) {
  int const exponent = bits >> 10 & 31, mantissa = bits & 1023;
  double const magnitude = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

template <class T>
T number_at(std::uint8_t const* data, std::size_t index) {
  T value;
  std::memcpy(&value, data + index * sizeof(T), sizeof(T));
  return value;
}

/// Element `i` of a tensor, counted along its rows.
inline double element(wherry::tensor_info const& tensor, std::size_t i) {
  auto const* data = tensor.data.data();
  switch (tensor.type) {
    case wherry::tensor_type::f32: return number_at<float>(data, i);
    case wherry::tensor_type::f16: return half_value(number_at<std::uint16_t>(data, i));
    case wherry::tensor_type::bf16: {
      std::uint8_t const wide[4] = {0, 0, data[2 * i], data[2 * i + 1]};
      return number_at<float>(wide, 0);
    }
    case wherry::tensor_type::q8_0:
      return half_value(number_at<std::uint16_t>(data + i / 32 * 34, 0)) *
             static_cast<std::int8_t>(data[i / 32 * 34 + 2 + i % 32]);
    default: throw std::runtime_error("the reference does not know " + to_string(tensor.type));
  }
}

class reference_model {
 public:
  explicit reference_model(wherry::gguf_file file) : file_(std::move(file)) {
    layers_ = number("block_count");
    heads_ = number("attention.head_count");
    kv_heads_ = number("attention.head_count_kv");
    head_width_ = number("embedding_length") / heads_;
    epsilon_ = *file_.find_float("llama.attention.layer_norm_rms_epsilon");
    rope_base_ = *file_.find_float("llama.rope.freq_base");
  }

  /// Logits of every position.
  rows logits(std::vector<wherry::token_id> const& ids) const {
    rows hidden;
    auto const embedding = matrix("token_embd.weight");
    for (auto id : ids) hidden.push_back(embedding[static_cast<std::size_t>(id)]);
    for (std::size_t layer = 0; layer < layers_; ++layer) {
      std::string const block = "blk." + std::to_string(layer) + ".";
      add(hidden, attention(block, norm(hidden, block + "attn_norm.weight")));
      add(hidden, feed_forward(block, norm(hidden, block + "ffn_norm.weight")));
    }
    auto const* head = file_.find_tensor("output.weight") ? "output.weight" : "token_embd.weight";
    return times(norm(hidden, "output_norm.weight"), head);
  }

 private:
  std::size_t number(std::string const& key) const { return *file_.find_uint("llama." + key); }

  rows matrix(std::string const& name) const {
    auto const* tensor = file_.find_tensor(name);
    std::size_t const columns = tensor->shape[0], count = tensor->shape.size() > 1 ? tensor->shape[1] : 1;
    rows out(count, row(columns));
    for (std::size_t r = 0; r < count; ++r)
      for (std::size_t c = 0; c < columns; ++c) out[r][c] = element(*tensor, r * columns + c);
    return out;
  }

  rows times(rows const& x, std::string const& name) const {
    auto const weights = matrix(name);
    rows out(x.size(), row(weights.size()));
    for (std::size_t t = 0; t < x.size(); ++t)
      for (std::size_t r = 0; r < weights.size(); ++r)
        for (std::size_t c = 0; c < x[t].size(); ++c) out[t][r] += weights[r][c] * x[t][c];
    return out;
  }

  rows norm(rows const& x, std::string const& name) const {
    auto const weight = matrix(name)[0];
    rows out = x;
    for (auto& values : out) {
      double squares = 0;
      for (double v : values) squares += v * v;
      double const rms = std::sqrt(squares / static_cast<double>(values.size()) + epsilon_);
      for (std::size_t i = 0; i < values.size(); ++i) values[i] *= weight[i] / rms;
    }
    return out;
  }

  static void add(rows& x, rows const& change) {
    for (std::size_t t = 0; t < x.size(); ++t)
      for (std::size_t i = 0; i < x[t].size(); ++i) x[t][i] += change[t][i];
  }

  void rotate(rows& x) const {
    auto const* factors = file_.find_tensor("rope_freqs.weight");
    for (std::size_t t = 0; t < x.size(); ++t)
      for (std::size_t i = 0; i < x[t].size(); i += 2) {
        std::size_t const pair = i % head_width_ / 2;
        double angle = static_cast<double>(t) *
                       std::pow(rope_base_, -2.0 * static_cast<double>(pair) / static_cast<double>(head_width_));
        if (factors) angle /= element(*factors, pair);
        double const a = x[t][i], b = x[t][i + 1];
        x[t][i] = a * std::cos(angle) - b * std::sin(angle);
        x[t][i + 1] = a * std::sin(angle) + b * std::cos(angle);
      }
  }

  rows attention(std::string const& block, rows const& x) const {
    auto query = times(x, block + "attn_q.weight"), key = times(x, block + "attn_k.weight");
    auto const value = times(x, block + "attn_v.weight");
    rotate(query);
    rotate(key);
    rows mixed(x.size(), row(heads_ * head_width_));
    for (std::size_t t = 0; t < x.size(); ++t)
      for (std::size_t head = 0; head < heads_; ++head) {
        std::size_t const from = head * head_width_, shared = head / (heads_ / kv_heads_) * head_width_;
        row shares(t + 1);
        double total = 0;
        for (std::size_t s = 0; s <= t; ++s) {
          double score = 0;
          for (std::size_t i = 0; i < head_width_; ++i) score += query[t][from + i] * key[s][shared + i];
          total += shares[s] = std::exp(score / std::sqrt(static_cast<double>(head_width_)));
        }
        for (std::size_t s = 0; s <= t; ++s)
          for (std::size_t i = 0; i < head_width_; ++i) mixed[t][from + i] += shares[s] / total * value[s][shared + i];
      }
    return times(mixed, block + "attn_output.weight");
  }

  rows feed_forward(std::string const& block, rows const& x) const {
    auto gate = times(x, block + "ffn_gate.weight");
    auto const up = times(x, block + "ffn_up.weight");
    for (std::size_t t = 0; t < x.size(); ++t)
      for (std::size_t i = 0; i < gate[t].size(); ++i) gate[t][i] *= up[t][i] / (1 + std::exp(-gate[t][i]));
    return times(gate, block + "ffn_down.weight");
  }

  wherry::gguf_file file_;
  std::size_t layers_, heads_, kv_heads_, head_width_;
  double epsilon_, rope_base_;
};

}  // namespace wherry_test
