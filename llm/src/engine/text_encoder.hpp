#pragma once
// A transformer that reads whole texts: a vector for each token, one for the text, and what its heads make of them.

#include "engine/layers.hpp"

#include <wherry/llm/sampling.hpp>

#include <memory>
#include <span>
#include <variant>
#include <vector>

namespace wherry::inline v0::engine {

/// An encoder (BERT and its kin), or a decoder used as one (an embedding model that pools its last token).
/// Immutable, so threads may share it. A text's vectors depend on the model, its kernel set and the text alone, to the
/// last bit; not on the thread count nor on the texts beside it.
class text_encoder {
 public:
  /// Rows that go through the layers together; texts are grouped up to it, a longer one goes alone.
  static constexpr std::size_t rows_at_once = 512;

  /// A text as tokens; `types` says which part each belongs to (empty: all to the first).
  struct input {
    std::span<token_id const> ids;
    std::span<std::uint8_t const> types;
  };

  /// Fails as transformer::load; errc::unsupported for an encoder-decoder and for a decoder that declares no pooling.
  static result<std::shared_ptr<text_encoder const>> load(gguf_file file, kernel_set kernels);

  config const& configuration() const noexcept { return config_; }
  kernel_set kernels() const noexcept { return kernel_set_; }
  gguf_file const& file() const noexcept { return file_; }

  /// The final vector of every token: the rows of the texts one after the other, [tokens of all][width].
  /// Fails with: errc::invalid_argument for no ids, an id or a type that the model does not have;
  /// errc::context_overflow for a text longer than the model's context.
  result<std::vector<float>> encode(std::span<input const> texts, worker_pool& pool, observer* watch = nullptr) const;

  /// One vector of a text's rows, by the file's pooling: the mean, the first or the last row. Not normalised.
  std::vector<float> pool(std::span<float const> rows) const;

  bool has_head() const noexcept { return static_cast<bool>(head_.output.weight); }
  std::size_t head_outputs() const noexcept { return head_.output.weight.rows; }
  /// The head's outputs for a text's rows: a score, or a logit per label.
  std::vector<float> judge(std::span<float const> rows, worker_pool& pool) const;

  bool has_token_head() const noexcept { return static_cast<bool>(token_head_.dense.weight); }
  /// Logits over the vocabulary for one row: what a masked token may have been.
  std::vector<float> predict(std::span<float const> row, worker_pool& pool) const;

 private:
  text_encoder(gguf_file file, kernel_set set, config const& c, encoder_weights weights);
  text_encoder(gguf_file file, kernel_set set, config const& c, decoder_weights weights);
  result<void> check(input const& text) const;
  void read(std::span<input const> texts, worker_pool& pool, float* out, observer* watch) const;

  gguf_file file_;
  kernel_set kernel_set_;
  kernel_table const& kernels_;
  config config_;
  matrix embedding_, positions_, token_types_;
  norm_weights embedding_norm_, output_norm_;
  std::vector<std::variant<encoder_block, decoder_block>> blocks_;
  head_weights head_;
  token_head_weights token_head_;
  rotary full_, windowed_;
};

}  // namespace wherry::inline v0::engine
