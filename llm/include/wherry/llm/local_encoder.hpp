#pragma once
// local_encoder: a transformer in this process that reads texts: sentence embeddings, re-ranking, classification, and
// guesses at masked words. What a file can do follows from its heads and its pooling.

#include <wherry/llm/embedder.hpp>
#include <wherry/llm/gguf.hpp>
#include <wherry/llm/tokenizer.hpp>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace wherry::inline v0 {

struct local_encoder_options {
  std::string kernels = "auto";  ///< "scalar", "avx2", "avx512", or the best this CPU has.
  std::size_t threads = 0;       ///< Kernel threads, the calling one included; 0: one per core, at most 8.
  /// What the model was trained to see before a text, e.g. "search_query: " and "search_document: ". Files do not say.
  std::string query_prefix, document_prefix;
  std::size_t texts_at_once = 32;  ///< Texts computed between two looks at the deadline.
};

/// What was loaded, told to people.
struct local_encoder_description {
  std::string file;
  std::string architecture;
  std::string quantisation;
  std::string kernels;
  std::string tokenizer;
  std::string pooling;  ///< "mean", "first token", "last token", "rank" or "none".
  std::size_t parameters = 0;
  std::size_t layers = 0, heads = 0, width = 0;
  std::size_t vocabulary = 0;
  std::size_t declared_context = 0;
  std::size_t file_bytes = 0;
  std::size_t threads = 0;
  bool embeds = false, ranks = false, classifies = false, fills_masks = false;
};

/// A word that may have stood where the mask stands.
struct mask_guess {
  token_id token = 0;
  std::string text;
  float probability = 0;
};

/// A reading model in this process. A cheap copyable handle; thread-safe: requests are computed one after the other.
/// Vectors and scores are the same to the last bit for every thread count and whatever texts stand beside.
class local_encoder {
 public:
  /// As open(); throws wherry::exception.
  explicit local_encoder(std::filesystem::path const& gguf, local_encoder_options options = {});

  /// Maps and checks the file; no weight is copied.
  /// Fails with: errc::not_found; errc::corrupt_file; errc::unsupported naming architecture, tensor type, tokenizer or
  /// kernel set together with what is supported.
  static result<local_encoder> open(std::filesystem::path const& gguf, local_encoder_options options = {});
  static result<local_encoder> from(gguf_file file, local_encoder_options options = {});

  local_encoder_description const& description() const noexcept;
  encoder_info const& info() const noexcept;
  wherry::v0::tokenizer const& tokenizer() const noexcept;

  /// The model as what it is good for. They share its weights and keep it alive.
  /// Fail with: errc::unsupported when the file has not what it takes, saying what it is.
  result<std::shared_ptr<embedder>> as_embedder() const;
  result<std::shared_ptr<reranker>> as_reranker() const;
  result<std::shared_ptr<classifier>> as_classifier() const;

  /// What the first mask token of a text may stand for, the most likely first. The mask is spelled as the vocabulary
  /// spells it ([MASK], <mask>).
  /// Fails with: errc::unsupported without a head for it; errc::invalid_argument for a text without a mask;
  /// errc::context_overflow.
  task<result<std::vector<mask_guess>>> async_fill_mask(std::string text, std::size_t guesses = 5) const;
  result<std::vector<mask_guess>> fill_mask(std::string text, std::size_t guesses = 5) const;

  class impl;

 private:
  explicit local_encoder(std::shared_ptr<impl> shared) : impl_(std::move(shared)) {}
  std::shared_ptr<impl> impl_;
};

}  // namespace wherry::inline v0
