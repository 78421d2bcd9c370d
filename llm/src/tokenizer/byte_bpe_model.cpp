#include "tokenizer/merge.hpp"
#include "tokenizer/pre_tokenizer.hpp"
#include "tokenizer/splitter.hpp"
#include "tokenizer/text_model.hpp"

#include <array>
#include <bit>
#include <cassert>

namespace wherry::inline v0::detail {
namespace {

constexpr std::size_t merges_max = 1u << 24;  // ranks up to here are exact as float

// Byte-level BPE spells each byte as one printable character: printable Latin-1 as itself, the rest from U+0100 up.
// Source: Radford et al., "Language models are unsupervised multitask learners" (GPT-2), 2019.
struct byte_alphabet {
  std::array<std::string, 256> spelled;
  std::unordered_map<std::string_view, std::uint8_t> bytes;

  byte_alphabet() {
    char32_t next = 0x100;
    for (unsigned b = 0; b < 256; ++b) {
      bool const printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      char32_t const c = printable ? b : next++;
      if (c < 0x80)
        spelled[b] = static_cast<char>(c);
      else
        spelled[b] = {static_cast<char>(0xC0 | (c >> 6)), static_cast<char>(0x80 | (c & 0x3F))};
      bytes.emplace(spelled[b], static_cast<std::uint8_t>(b));
    }
  }
};

byte_alphabet const& alphabet() {
  static byte_alphabet const instance;
  return instance;
}

// (left, right) -> rule. Open addressing with a mixing hash: the one table that encoding a text asks for every pair.
class pair_table {
 public:
  explicit pair_table(std::size_t pairs) : slots_(std::bit_ceil(pairs * 2 + 2)) {}

  void insert(std::uint32_t left, std::uint32_t right, std::uint32_t rank, std::uint32_t id) {
    auto& cell = slots_[place_of(key_of(left, right))];
    if (cell.id == no_symbol) cell = {key_of(left, right), rank, id};  // of two equal merges the first counts
  }

  std::optional<merge_rule> find(std::uint32_t left, std::uint32_t right) const {
    auto const& cell = slots_[place_of(key_of(left, right))];
    if (cell.id == no_symbol) return std::nullopt;
    return merge_rule{static_cast<float>(cell.rank), cell.id};
  }

 private:
  struct slot {
    std::uint64_t key = 0;
    std::uint32_t rank = 0;
    std::uint32_t id = no_symbol;  // free
  };

  static std::uint64_t key_of(std::uint32_t left, std::uint32_t right) { return std::uint64_t{left} << 32 | right; }

  // The slot of a key, or the free one where it would stand. At least half of them are free.
  std::size_t place_of(std::uint64_t key) const {
    auto const mask = slots_.size() - 1;
    auto at = (key ^ key >> 29) * 0x9E3779B97F4A7C15u >> 20 & mask;
    while (slots_[at].id != no_symbol && slots_[at].key != key) at = (at + 1) & mask;
    return at;
  }

  std::vector<slot> slots_;
};

// Symbols are named by number: an id of the vocabulary, or beyond it what only stands between two merges.
class byte_bpe_model final : public text_model {
 public:
  byte_bpe_model(vocabulary const& vocab, splitter words, bool whole_words_first,
                 std::vector<std::string_view> const& merges)
      : vocab_(vocab), words_(std::move(words)), whole_words_first_(whole_words_first), rules_(merges.size()) {
    std::unordered_map<std::string, std::uint32_t> between;
    auto const number_of = [&](std::string_view piece) {
      if (auto const id = vocab.find_text(piece)) return static_cast<std::uint32_t>(*id);
      auto const fresh = static_cast<std::uint32_t>(vocab.size() + between.size());
      return between.emplace(piece, fresh).first->second;
    };
    for (std::size_t b = 0; b < 256; ++b) byte_symbols_[b] = number_of(alphabet().spelled[b]);
    std::string joined;
    for (std::uint32_t rank = 0; rank < merges.size(); ++rank) {
      auto const gap = merges[rank].find(' ', 1);
      auto const left = merges[rank].substr(0, gap), right = merges[rank].substr(gap + 1);
      joined.assign(left).append(right);
      rules_.insert(number_of(left), number_of(right), rank, number_of(joined));
    }
  }

  void encode(std::string_view text, bool, std::vector<token_id>& ids) const override {
    merger symbols;
    auto const take = [&](std::string_view word) { encode_word(word, symbols, ids); };
    words_.split(text, word_sink(take));
  }

  std::string bytes_of(token_id id) const override {
    auto const piece = vocab_.piece(id);
    std::string bytes;
    for (std::size_t at = 0; at < piece.size();) {
      bool const two = static_cast<std::uint8_t>(piece[at]) >= 0xC0 && at + 1 < piece.size();
      auto const character = piece.substr(at, two ? 2 : 1);
      auto const found = alphabet().bytes.find(character);
      if (found == alphabet().bytes.end())
        bytes += character;  // no byte's spelling: it stands for itself
      else
        bytes += static_cast<char>(found->second);
      at += character.size();
    }
    return bytes;
  }

 private:
  void encode_word(std::string_view word, merger& symbols, std::vector<token_id>& ids) const {
    assert(word.size() < no_symbol);
    if (whole_words_first_) {
      if (auto const id = find_whole(word)) {
        ids.push_back(*id);
        return;
      }
    }
    symbols.clear();
    for (std::size_t at = 0; at < word.size(); ++at)
      symbols.add(at, 1, byte_symbols_[static_cast<std::uint8_t>(word[at])]);
    auto const find_rule = [&](symbol const& left, symbol const& right) { return rules_.find(left.id, right.id); };
    symbols.merge(find_rule, [&](symbol const& s) {
      if (s.id < vocab_.size())
        ids.push_back(static_cast<token_id>(s.id));
      else
        append_bytes(word.substr(s.begin, s.length), ids);
    });
  }

  std::optional<token_id> find_whole(std::string_view word) const {
    if (word.size() > vocab_.longest_piece_bytes) return std::nullopt;
    std::string spelled;
    for (char c : word) spelled += alphabet().spelled[static_cast<std::uint8_t>(c)];
    return vocab_.find_text(spelled);
  }

  // Bytes that merged into no token. One without a token of its own is the unknown token, or lost where there is none.
  void append_bytes(std::string_view bytes, std::vector<token_id>& ids) const {
    for (char c : bytes) {
      auto const id = byte_symbols_[static_cast<std::uint8_t>(c)];
      if (id < vocab_.size())
        ids.push_back(static_cast<token_id>(id));
      else if (vocab_.unknown)
        ids.push_back(*vocab_.unknown);
    }
  }

  vocabulary const& vocab_;
  splitter words_;
  bool whole_words_first_;
  pair_table rules_;
  std::array<std::uint32_t, 256> byte_symbols_{};
};

}  // namespace

result<std::unique_ptr<text_model>> make_byte_bpe_model(vocabulary const& vocab, pre_tokenizer const& rules) {
  auto const merges = vocab.file.find_strings("tokenizer.ggml.merges");
  if (!merges || merges->size() > merges_max)
    return vocabulary_error(errc::corrupt_file, "tokenizer.ggml.merges is absent or too long; convert the model again",
                            vocab.file);
  for (std::size_t i = 0; i < merges->size(); ++i)
    if ((*merges)[i].find(' ', 1) == std::string_view::npos)
      return vocabulary_error(errc::corrupt_file, "merge " + std::to_string(i) + " does not name two parts",
                              vocab.file);
  auto words = splitter::compile(rules.steps);
  if (!words) return words.error();
  return std::unique_ptr<text_model>(
      std::make_unique<byte_bpe_model>(vocab, std::move(*words), rules.whole_words_first, *merges));
}

}  // namespace wherry::inline v0::detail
