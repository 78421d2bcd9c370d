#pragma once
// What differs between kinds of tokenizer: plain text to ids, and the bytes behind an id.

#include "tokenizer/vocabulary.hpp"

#include <memory>
#include <string>

namespace wherry::inline v0::detail {

class text_model {
 public:
  virtual ~text_model() = default;

  // Appends the ids of a run of plain text. `at_start`: it begins the text or follows a special token.
  virtual void encode(std::string_view text, bool at_start, std::vector<token_id>& ids) const = 0;

  // Appends the bytes of an id of kind normal or byte.
  virtual void append_bytes(token_id id, std::string& text) const = 0;

  // Whether a text is encoded with a space in front, which decoding takes off again.
  virtual bool adds_space() const noexcept { return false; }

  // What decoding does to the whole text in the end.
  virtual void tidy(std::string&) const {}
};

// SentencePiece BPE: merges by score, bytes for what the vocabulary lacks.
result<std::unique_ptr<text_model>> make_spm_model(vocabulary const& vocab);

// SentencePiece Unigram: the likeliest way to cut the text into pieces.
result<std::unique_ptr<text_model>> make_unigram_model(vocabulary const& vocab);

// WordPiece by BERT's rules.
result<std::unique_ptr<text_model>> make_wordpiece_model(vocabulary const& vocab);

// Byte-level BPE behind a pre-tokenizer, which tokenizer.ggml.pre names.
result<std::unique_ptr<text_model>> make_byte_bpe_model(vocabulary const& vocab, struct pre_tokenizer const& rules);

}  // namespace wherry::inline v0::detail
