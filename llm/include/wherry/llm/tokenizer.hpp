#pragma once
// Text <-> token ids, by the vocabulary that stands in the model's own file.

#include <wherry/core/result.hpp>
#include <wherry/llm/gguf.hpp>
#include <wherry/llm/sampling.hpp>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0 {

/// What a vocabulary entry is (GGUF's tokenizer.ggml.token_type).
enum class token_kind : std::uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

struct encode_options {
  bool add_special = false;    ///< Add BOS/EOS as the file declares (add_bos_token, add_eos_token).
  bool parse_special = false;  ///< Text that spells a control token becomes that token. Never set for text from data.
};

/// A run of text with its own permission to spell control tokens.
struct encode_piece {
  std::string_view text;
  bool parse_special = false;
};

struct decode_options {
  bool show_special = false;  ///< Spell control tokens out; otherwise they decode to nothing.
};

/// How two texts become one.
struct pair_options {
  /// Most ids of the whole; beyond it the longer of the two texts loses its last token, again and again. 0: no limit.
  std::size_t tokens_max = 0;
};

/// Two texts as one input of an encoder, such as a re-ranker reads a question and a document.
struct encoded_pair {
  std::vector<token_id> ids;
  std::vector<std::int32_t>
      type_ids;            ///< One for each id: 1 in the second text of models that tell them apart, else 0.
  bool truncated = false;  ///< Tokens were left out to stay within pair_options::tokens_max.
};

/// A vocabulary with its rules. A cheap copyable handle, thread-safe.
class tokenizer {
 public:
  /// Builds the tokenizer a file declares.
  /// Fails with: errc::unsupported naming the model or pre-tokenizer and what is supported; errc::corrupt_file.
  static result<tokenizer> from(gguf_file const& file);

  /// The ids of a text, by the model's own rules. User-defined tokens are recognised everywhere, control tokens with
  /// permission only; of overlapping spellings the longest wins. Bytes that are not UTF-8 are encoded byte by byte; one
  /// that the vocabulary lacks becomes its unknown token, or nothing where there is none (some BPE vocabularies lack
  /// bytes that UTF-8 never uses). WordPiece drops such bytes, as it drops control characters, and gives one unknown
  /// token for a word it cannot spell; a Unigram vocabulary gives one for a run of unknown characters.
  /// Time: O(n log n), also for hostile text. Limits: below 1 GiB of text.
  std::vector<token_id> encode(std::string_view text, encode_options const& options = {}) const;

  /// Encodes the concatenation of the pieces as one text. A control token is recognised only where its whole spelling
  /// lies in pieces that allow it; everything else is plain text, tokenised across piece borders as if they were
  /// absent. So is a user-defined token spelled like one of `guarded`.
  std::vector<token_id> encode(std::span<encode_piece const> pieces, bool add_special,
                               std::span<std::string const> guarded = {}) const;

  /// Two texts in the layout of the model: [CLS] a [SEP] b [SEP] for the BERT family, with types 0 and 1;
  /// <s> a </s></s> b </s> for the RoBERTa family; a </s> b </s> where nothing opens a text (T5). Control tokens that
  /// the texts spell are plain text.
  /// Fails with: errc::unsupported where the vocabulary has nothing that separates texts; errc::invalid_argument when
  /// tokens_max leaves no room for the separators.
  result<encoded_pair> encode_pair(std::string_view a, std::string_view b, pair_options const& options = {}) const;

  /// The bytes the ids stand for. They may end inside a code point. Where the vocabulary puts a space in front of every
  /// text (SentencePiece), one leading space of the first id is taken off. Ids outside the vocabulary stand for
  /// nothing. WordPiece keeps neither case nor spacing: its words come back lower-case with a space in front of each,
  /// except before the marks . , ? ! and in contractions.
  std::string decode(std::span<token_id const> ids, decode_options const& options = {}) const;
  /// The bytes one id stands for in the middle of a text (no leading-space removal). Empty for control tokens unless
  /// shown.
  std::string token_bytes(token_id id, decode_options const& options = {}) const;

  std::size_t size() const noexcept;  ///< Vocabulary size; ids are 0 .. size()-1.
  token_kind kind(token_id id) const;
  std::string_view piece(token_id id) const;                   ///< The entry as it stands in the file.
  std::optional<token_id> find(std::string_view piece) const;  ///< The id of an entry spelled exactly so.

  std::optional<token_id> bos() const noexcept;
  std::optional<token_id> eos() const noexcept;
  bool adds_bos() const noexcept;
  bool adds_eos() const noexcept;
  /// What stands for text the vocabulary cannot spell.
  std::optional<token_id> unknown() const noexcept;
  /// What opens and separates the texts of an encoder: as the file names them, else the control tokens [CLS], [SEP].
  std::optional<token_id> cls() const noexcept;
  std::optional<token_id> sep() const noexcept;
  std::optional<token_id> pad() const noexcept;
  /// The place of a token to be predicted: the file's mask token, else the control token [MASK] or <mask>.
  std::optional<token_id> mask() const noexcept;
  /// Tokens that end a generation: eos, eot, eom, and the usual spellings of an end of turn among the control tokens.
  std::span<token_id const> end_of_generation() const noexcept;
  /// "spm", "unigram", "wordpiece" or "bpe:<pre-tokenizer>".
  std::string_view family() const noexcept;

  struct impl;

 private:
  static result<tokenizer> from_byte_bpe(gguf_file const& file);
  explicit tokenizer(std::shared_ptr<impl const> shared) : impl_(std::move(shared)) {}
  std::shared_ptr<impl const> impl_;
};

}  // namespace wherry::inline v0
