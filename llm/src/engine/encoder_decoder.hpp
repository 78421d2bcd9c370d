#pragma once
// An encoder whose output a decoder attends to: one text in, another out.
// Source: Raffel et al., "Exploring the limits of transfer learning with a unified text-to-text transformer", 2020.

#include "engine/layers.hpp"

#include <wherry/llm/sampling.hpp>

#include <memory>
#include <span>
#include <vector>

namespace wherry::inline v0::engine {

/// A text that has been read, as the decoder sees it.
struct encoded_text {
  std::size_t rows = 0;
  std::vector<float> vectors;  ///< [rows][width]: the encoder's output.
  struct layer {
    std::vector<float> keys, values;  ///< [rows][kv_heads][head_width]
  };
  std::vector<layer> layers;  ///< Of the decoder.
};

/// Immutable, so threads may share it. What it computes depends on the model, its kernel set and the tokens alone.
class encoder_decoder {
 public:
  /// Fails as transformer::load.
  static result<std::shared_ptr<encoder_decoder const>> load(gguf_file file, kernel_set kernels);

  config const& configuration() const noexcept { return config_; }
  kernel_set kernels() const noexcept { return kernel_set_; }
  gguf_file const& file() const noexcept { return file_; }

  /// Reads a text.
  /// Fails with: errc::invalid_argument for no ids or an id outside the vocabulary; errc::context_overflow.
  result<encoded_text> encode(std::span<token_id const> ids, worker_pool& pool, observer* watch = nullptr) const;

  /// An empty answer with room for `positions_max` tokens, the start token included; at most
  /// config_limits::context_max.
  result<sequence> make_sequence(std::size_t positions_max) const;

  /// Appends tokens to an answer and computes the logits of the last logits.size() / vocabulary of them. An answer
  /// begins with configuration().start_token. Fails as transformer::forward.
  result<void> decode(std::span<token_id const> ids, encoded_text const& text, sequence& answer, worker_pool& pool,
                      std::span<float> logits, observer* watch = nullptr) const;

 private:
  struct decoder_layer {
    decoder_block block;  ///< Self-attention and feed-forward network.
    norm_weights crossing_norm;
    cross_attention_layer crossing;
    void apply(pass& p, cross_rows const& rows) const;
  };

  encoder_decoder(gguf_file file, kernel_set set, config const& c, encoder_decoder_weights weights);
  result<void> check(std::span<token_id const> ids, char const* where) const;

  gguf_file file_;
  kernel_set kernel_set_;
  kernel_table const& kernels_;
  config config_;
  matrix embedding_;
  std::vector<float> encoder_bias_, decoder_bias_;
  std::vector<decoder_block> encoder_;
  std::vector<decoder_layer> decoder_;
  norm_weights encoder_norm_, decoder_norm_;
  linear output_;
  float output_scale_ = 1;
};

}  // namespace wherry::inline v0::engine
