#pragma once
// The in-process transformer: token ids in, logits out.

#include "engine/layers.hpp"

#include <wherry/llm/sampling.hpp>

#include <memory>
#include <optional>
#include <span>
#include <stop_token>

namespace wherry::inline v0::engine {

/// A decoder model: configuration and weights, without run state. Immutable, so threads may share it; what a run
/// changes is in its sequence.
///
/// Results: the logits of a token depend on the model, its kernel set and the tokens before it, to the last bit; not on
/// the thread count, nor on how the tokens were split over calls.
class transformer {
 public:
  /// Tokens that go through the layers together; a longer prompt is read in chunks of this size.
  static constexpr std::size_t chunk_tokens = 64;

  /// Checks the file and finds its weights, which stay in its mapping. The CPU must support the kernel set.
  /// Fails with: errc::unsupported naming architecture, tensor type or feature and what is supported;
  /// errc::corrupt_file for a missing or mis-shaped tensor or an impossible number.
  static result<std::shared_ptr<transformer const>> load(gguf_file file, kernel_set kernels);

  config const& configuration() const noexcept { return config_; }
  kernel_set kernels() const noexcept { return kernel_set_; }
  gguf_file const& file() const noexcept { return file_; }

  /// An empty sequence with room for `positions_max` positions: the model's context length when not given. More than
  /// that is allowed (quality beyond the trained length is the caller's affair), up to config_limits::context_max; but
  /// not where the file has a row for each position.
  result<sequence> make_sequence(std::optional<std::size_t> positions_max = {}) const;

  /// How a pass may be asked for more than logits.
  struct forward_options {
    std::stop_token stop;
    active_adapters adapters;   ///< Must be the same for all tokens of a sequence.
    observer* watch = nullptr;  ///< Sees every chunk.
  };

  /// Appends tokens to the sequence and computes logits: `logits` receives one row of vocabulary floats for each of the
  /// last logits.size() / vocabulary tokens, in order. It may be empty, and holds at most ids.size() rows.
  /// Fails with: errc::invalid_argument for an id outside the vocabulary or no ids; errc::context_overflow when the
  /// sequence has no room (nothing is appended then); errc::cancelled when `stop` was requested between two chunks: the
  /// sequence then holds the chunks computed so far.
  result<void> forward(std::span<token_id const> ids, sequence& tokens_before, worker_pool& pool,
                       std::span<float> logits, forward_options const& options) const;
  result<void> forward(std::span<token_id const> ids, sequence& tokens_before, worker_pool& pool,
                       std::span<float> logits) const {
    return forward(ids, tokens_before, pool, logits, forward_options{});
  }

  /// Logits that one row of a residual stream would give if the layers ended there. [vocabulary]
  std::vector<float> logits_of(std::span<float const> row, worker_pool& pool) const;

 private:
  transformer(gguf_file file, kernel_set set, config const& c, decoder_weights weights);
  void read_chunk(std::span<token_id const> ids, sequence& tokens_before, worker_pool& pool, std::span<float> logits,
                  forward_options const& options) const;
  void embed(std::span<token_id const> ids, pass& p) const;
  void predict(pass& p, std::span<float> logits) const;
  rotary const& rotary_for(sequence const& cache) const noexcept;

  gguf_file file_;
  kernel_set kernel_set_;
  kernel_table const& kernels_;
  config config_;
  matrix embedding_, positions_;
  std::vector<decoder_block> blocks_;
  norm_weights output_norm_;
  linear output_;
  rotary full_, full_beyond_, windowed_;  // full_beyond_: for sequences beyond the original context
};

}  // namespace wherry::inline v0::engine
