#pragma once
// Seeing inside a model: what a text becomes on its way through the layers. For learning and for finding out why; a
// model that runs answers pays nothing for it.

#include <wherry/core/result.hpp>
#include <wherry/llm/gguf.hpp>
#include <wherry/llm/sampling.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0 {

struct inspect_options {
  std::string kernels = "auto";
  std::optional<std::size_t> layer;  ///< Attention of this layer alone; absent: of all.
  std::optional<std::size_t> head;   ///< Attention of this head alone; absent: of all.
  std::size_t next_tokens = 10;      ///< How many of the likeliest next tokens are listed.
  std::size_t answer_tokens = 12;    ///< Of an encoder-decoder: longest answer that is followed (greedy).
  std::size_t tokens_max = 1024;     ///< Longest text.
  std::size_t attention_bytes_max = std::size_t{256} << 20;  ///< Bound of all attention tables together.
};

struct inspected_token {
  token_id id = 0;
  std::string piece;  ///< The vocabulary's entry.
  std::string bytes;  ///< What it stands for; control tokens are spelled out.
};

/// Rows of floats.
struct float_table {
  std::size_t rows = 0, columns = 0;
  std::vector<float> values;  ///< [rows][columns]
  std::span<float const> operator[](std::size_t row) const noexcept {
    return std::span(values).subspan(row * columns, columns);
  }
};

/// Which piece looks at which: row i holds the shares of what token i looks at; what it does not see is 0.
struct attention_table {
  std::size_t layer = 0, head = 0;
  float_table shares;
};

struct likely_token {
  inspected_token token;
  double probability = 0;
};

/// A text, or the answer to one, on its way through a stack of layers.
struct inspected_stack {
  std::vector<inspected_token> tokens;
  float_table embedded;                    ///< [tokens][width]: what enters the first layer.
  std::vector<float_table> residual;       ///< After each layer.
  std::vector<attention_table> attention;  ///< Those asked for, by layer and head.
  std::vector<attention_table> across;     ///< Of a decoder that looks at an encoder's rows: [tokens][rows there].
};

struct inspection {
  std::string architecture;
  std::string kind;       ///< "decoder", "encoder" or "encoder-decoder".
  std::string positions;  ///< How the model knows them: "rotary", "learned", "relative" and so on, in words.
  std::size_t layers = 0, heads = 0, head_width = 0, width = 0, vocabulary = 0;
  inspected_stack text;
  float_table context_vectors;            ///< What an encoder gives: [tokens][width]. Empty for a decoder.
  std::optional<inspected_stack> answer;  ///< Of an encoder-decoder.
  std::vector<likely_token> next;         ///< Decoders: after the last token, the most likely first.
  /// Decoders: the likeliest next token if the layers ended here, after the embedding and after each layer.
  std::vector<likely_token> next_by_layer;
};

/// Computes a text once and tells what happened.
/// Fails with: errc::invalid_argument for a layer or head that is not there and for an empty text;
/// errc::limit_reached beyond the bounds of the options, saying which; else as local_model::open.
result<inspection> inspect(gguf_file const& file, std::string_view text, inspect_options const& options = {});

}  // namespace wherry::inline v0
