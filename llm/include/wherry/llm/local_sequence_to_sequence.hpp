#pragma once
// An encoder-decoder in this process: one text in, another out (translation, summaries, rewriting).

#include <wherry/core/clock.hpp>
#include <wherry/core/random.hpp>
#include <wherry/core/result.hpp>
#include <wherry/core/task.hpp>
#include <wherry/llm/gguf.hpp>
#include <wherry/llm/sampling.hpp>
#include <wherry/llm/tokenizer.hpp>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace wherry::inline v0 {

struct transform_options {
  std::size_t max_tokens = 256;                 ///< Bound of the answer; at most 65,536.
  sampling_options sampling{.temperature = 0};  ///< Greedy unless asked otherwise.
  draw_key draws;                               ///< Where random numbers are drawn.
  deadline until = no_deadline;                 ///< Checked between tokens.
  /// Gets the answer as it grows, on a thread of the compute pool; deltas end on code points.
  std::function<void(std::string_view)> on_text = {};
};

struct transformed_text {
  std::string text;
  bool cut_off = false;  ///< max_tokens ended it.
  std::size_t prompt_tokens = 0, completion_tokens = 0;
};

/// Turns one text into another. Thread-safe.
class sequence_to_sequence {
 public:
  virtual ~sequence_to_sequence() = default;

  /// Fails with: errc::context_overflow for a text longer than the model reads; errc::invalid_argument for options out
  /// of range; errc::deadline_exceeded; errc::cancelled.
  /// Cancellation: the answer ends within a token.
  virtual task<result<transformed_text>> async_transform(std::string text, transform_options options = {}) = 0;

  /// The blocking form. On a thread that runs an event loop it fails with errc::would_block_loop.
  result<transformed_text> transform(std::string text, transform_options options = {});
};

struct local_sequence_to_sequence_options {
  std::string kernels = "auto";  ///< "scalar", "avx2", "avx512", or the best this CPU has.
  std::size_t threads = 0;       ///< Kernel threads, the calling one included; 0: one per core, at most 8.
};

/// Opens a GGUF file of the t5 family. What is returned keeps its file mapped; requests are computed one after the
/// other. Fails with: as local_model::open.
result<std::shared_ptr<sequence_to_sequence>> open_sequence_to_sequence(
    std::filesystem::path const& gguf, local_sequence_to_sequence_options options = {});
result<std::shared_ptr<sequence_to_sequence>> sequence_to_sequence_from(
    gguf_file file, local_sequence_to_sequence_options options = {});

}  // namespace wherry::inline v0
