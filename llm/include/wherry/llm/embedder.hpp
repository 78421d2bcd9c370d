#pragma once
// Models that read a text and do not write one: embedders, re-rankers, classifiers. Interfaces of one function each;
// local_encoder.hpp has those that compute in this process.

#include <wherry/core/clock.hpp>
#include <wherry/core/result.hpp>
#include <wherry/core/task.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace wherry::inline v0 {

/// What a text is embedded for. Some models are trained with a prefix for each.
enum class text_purpose {
  document,  ///< To be found.
  query,     ///< To find with.
};

/// What a reading model is.
struct encoder_info {
  std::string name;
  /// Names the weights and everything that changes results: equal means that vectors and scores are comparable.
  std::string fingerprint;
  std::size_t dimensions = 0;      ///< Floats of an embedding; 0 for a model that gives none.
  std::size_t context_tokens = 0;  ///< Tokens of one text, special tokens included; 0: unknown.
};

/// What to do with a text that is longer than the model's context.
enum class overlong_text {
  refuse,   ///< Fail with errc::context_overflow naming the text.
  shorten,  ///< Use its beginning.
};

struct encode_text_options {
  overlong_text overlong = overlong_text::refuse;
  deadline until = no_deadline;  ///< Checked between batches.
};

/// Vectors of equal length, one for each text, in order.
struct embeddings {
  std::size_t dimensions = 0;
  std::vector<float> values;    ///< [texts][dimensions]
  std::size_t token_count = 0;  ///< Tokens read for all of them.

  std::size_t size() const noexcept { return dimensions == 0 ? 0 : values.size() / dimensions; }
  std::span<float const> operator[](std::size_t i) const noexcept {
    return std::span(values).subspan(i * dimensions, dimensions);
  }
};

/// Turns texts into unit vectors whose dot product tells how near their meanings are. Thread-safe.
class embedder {
 public:
  virtual ~embedder() = default;
  virtual encoder_info const& info() const noexcept = 0;

  /// Returns: one vector of length 1 per text, in order; the vector of a text does not depend on the others.
  /// Fails with: errc::context_overflow naming the text (see encode_text_options::overlong); errc::deadline_exceeded;
  /// errc::cancelled; errc::model_failed.
  virtual task<result<embeddings>> async_embed(std::vector<std::string> texts,
                                               text_purpose purpose = text_purpose::document,
                                               encode_text_options options = {}) = 0;

  /// The blocking form. On a thread that runs an event loop it fails with errc::would_block_loop.
  result<embeddings> embed(std::vector<std::string> texts, text_purpose purpose = text_purpose::document,
                           encode_text_options options = {});
};

/// Judges how well texts answer a query, reading both together. Thread-safe.
class reranker {
 public:
  virtual ~reranker() = default;
  virtual encoder_info const& info() const noexcept = 0;

  /// Returns: the model's raw score (a logit, not a probability) per text, in the order of the texts; larger is better.
  /// Fails with: as embedder::async_embed; the length that counts is that of query and text together, and
  /// overlong_text::shorten takes from the end of the longer of the two.
  virtual task<result<std::vector<float>>> async_score(std::string query, std::vector<std::string> texts,
                                                       encode_text_options options = {}) = 0;

  /// The blocking form. On a thread that runs an event loop it fails with errc::would_block_loop.
  result<std::vector<float>> score(std::string query, std::vector<std::string> texts, encode_text_options options = {});
};

/// A label and how sure the model is of it.
struct label_score {
  std::string label;
  float logit = 0;
  float probability = 0;  ///< Softmax over the labels.
};

/// Puts texts into classes. Thread-safe.
class classifier {
 public:
  virtual ~classifier() = default;
  virtual encoder_info const& info() const noexcept = 0;
  virtual std::vector<std::string> const& labels() const noexcept = 0;

  /// Returns: for each text its labels, the most likely first.
  /// Fails with: as embedder::async_embed.
  virtual task<result<std::vector<std::vector<label_score>>>> async_classify(std::vector<std::string> texts,
                                                                             encode_text_options options = {}) = 0;

  /// The blocking form. On a thread that runs an event loop it fails with errc::would_block_loop.
  result<std::vector<std::vector<label_score>>> classify(std::vector<std::string> texts,
                                                         encode_text_options options = {});
};

}  // namespace wherry::inline v0
