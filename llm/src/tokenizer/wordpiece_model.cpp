// WordPiece as BERT has it: text is cleaned, cut into words, and each word is spelled by the longest pieces from its
// left end. Source: Devlin et al., "BERT: Pre-training of deep bidirectional transformers", 2019, and the rules of its
// published tokenizer. GGUF writes a piece that begins a word with U+2581 in front, and one that goes on bare.
#include "tokenizer/code_points.hpp"
#include "tokenizer/piece_trie.hpp"
#include "tokenizer/text_model.hpp"

#include <wherry/core/text.hpp>

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>

#include <algorithm>
#include <array>

namespace wherry::inline v0::detail {
namespace {

constexpr std::string_view word_mark = "\xE2\x96\x81";  // U+2581
constexpr std::size_t word_characters_max = 100;        // BERT's own: a longer word is unknown

bool is_punctuation(char32_t c) {
  if (c < 0x80) return c > 0x20 && c < 0x7F && !(c >= '0' && c <= '9') && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
  return (U_GET_GC_MASK(static_cast<UChar32>(c)) & U_GC_P_MASK) != 0;
}

bool is_space(char32_t c) { return u_isUWhiteSpace(static_cast<UChar32>(c)) != 0; }

// What BERT's cleaning takes out of a text: control, format and private characters. Those that are not assigned stay.
bool is_dropped(char32_t c) {
  if (c == '\t' || c == '\n' || c == '\r') return false;
  return c == 0xFFFD || (U_GET_GC_MASK(static_cast<UChar32>(c)) & (U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK)) != 0;
}

// Ideographs, which are words by themselves. Kana and Hangul are not among them.
bool is_ideograph(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

// A vocabulary with capital letters was made from text as it stands; the others from lower-case text without accents.
bool keeps_case(vocabulary const& vocab) {
  for (char c = 'A'; c <= 'Z'; ++c)
    if (!vocab.find_text(std::string(word_mark) + c)) return false;
  return true;
}

class wordpiece_model final : public text_model {
 public:
  explicit wordpiece_model(vocabulary const& vocab)
      : vocab_(vocab), keeps_case_(keeps_case(vocab)), decomposition_(nfd()) {
    std::vector<piece_trie::entry> first, further;
    for (token_id id = 0; vocab.contains(id); ++id) {
      if (!vocab.is_text(id)) continue;
      auto piece = vocab.piece(id);
      bool const begins = piece.starts_with(word_mark);
      if (begins) piece.remove_prefix(word_mark.size());
      if (!piece.empty()) (begins ? first : further).push_back({piece, id});
    }
    first_ = piece_trie(std::move(first));
    further_ = piece_trie(std::move(further));
  }

  void encode(std::string_view text, bool, std::vector<token_id>& ids) const override {
    word_builder words{*this, ids, {}, 0};
    for (std::size_t at = 0; at < text.size();) {
      auto const c = code_point_at(text, at);
      at += c.length;
      if (!c.valid || is_dropped(c.value)) continue;
      if (is_space(c.value)) {
        words.end();
      } else if (is_ideograph(c.value)) {
        words.end();
        add(c.value, words);
        words.end();
      } else {
        add(c.value, words);
      }
    }
    words.end();
  }

  void append_bytes(token_id id, std::string& text) const override {
    auto piece = vocab_.piece(id);
    if (piece.starts_with(word_mark)) {
      text += ' ';
      piece.remove_prefix(word_mark.size());
    }
    text += piece;
  }

  // The convention of these models: no space before . ? ! , and none inside contractions.
  void tidy(std::string& text) const override {
    for (std::string_view const joined : {".", "?", "!", ","}) replace(text, " " + std::string(joined), joined);
    replace(text, " ' ", "'");
    for (std::string_view const ending : {"n't", "'m", "'s", "'ve", "'re"})
      replace(text, " " + std::string(ending), ending);
  }

 private:
  struct word_builder {
    wordpiece_model const& model;
    std::vector<token_id>& ids;
    std::string word;
    std::size_t characters;

    void add(char32_t c) {
      if (++characters <= word_characters_max) append_utf8(word, c);
    }
    void end() {
      if (characters > word_characters_max)
        model.add_unknown(ids);
      else
        model.spell(word, ids);
      word.clear();
      characters = 0;
    }
  };

  static icu::Normalizer2 const* nfd() {
    UErrorCode status = U_ZERO_ERROR;
    auto const* instance = icu::Normalizer2::getNFDInstance(status);
    return U_SUCCESS(status) ? instance : nullptr;
  }

  // A character of a word: decomposed, without accents and in lower case unless the vocabulary keeps them.
  void add(char32_t c, word_builder& words) const {
    if (c < 0x80) {
      add_folded(keeps_case_ || c < 'A' || c > 'Z' ? c : c + 0x20, words);
      return;
    }
    if (keeps_case_) {
      add_folded(c, words);
      return;
    }
    icu::UnicodeString parts;
    if (!decomposition_ || !decomposition_->getDecomposition(static_cast<UChar32>(c), parts))
      parts = static_cast<UChar32>(c);
    for (std::int32_t i = 0; i < parts.length(); i = parts.moveIndex32(i, 1)) {
      auto const part = parts.char32At(i);
      if (u_charType(part) != U_NON_SPACING_MARK) add_folded(static_cast<char32_t>(u_tolower(part)), words);
    }
  }

  void add_folded(char32_t c, word_builder& words) const {
    if (is_punctuation(c)) {
      words.end();
      words.add(c);
      words.end();
    } else {
      words.add(c);
    }
  }

  // The longest piece from the left, again and again; one unknown token for a word that cannot be spelled so.
  void spell(std::string_view word, std::vector<token_id>& ids) const {
    auto const before = ids.size();
    std::size_t longest = 0;
    for (std::size_t at = 0; at < word.size(); at += longest) {
      longest = 0;
      token_id best = 0;
      (at == 0 ? first_ : further_).each_prefix(word, at, [&](std::size_t length, token_id id) {
        longest = length;
        best = id;
      });
      if (longest == 0) {
        ids.resize(before);
        add_unknown(ids);
        return;
      }
      ids.push_back(best);
    }
  }

  void add_unknown(std::vector<token_id>& ids) const {
    if (vocab_.unknown) ids.push_back(*vocab_.unknown);
  }

  static void replace(std::string& text, std::string_view from, std::string_view to) {
    auto at = text.find(from);
    if (at == text.npos) return;
    std::string out;
    out.reserve(text.size());
    std::size_t done = 0;
    for (; at != text.npos; at = text.find(from, done)) {
      out.append(text, done, at - done).append(to);
      done = at + from.size();
    }
    text = out.append(text, done);
  }

  vocabulary const& vocab_;
  bool keeps_case_;
  icu::Normalizer2 const* decomposition_;  // ICU's own, never freed
  piece_trie first_, further_;
};

}  // namespace

result<std::unique_ptr<text_model>> make_wordpiece_model(vocabulary const& vocab) {
  return std::unique_ptr<text_model>(std::make_unique<wordpiece_model>(vocab));
}

}  // namespace wherry::inline v0::detail
