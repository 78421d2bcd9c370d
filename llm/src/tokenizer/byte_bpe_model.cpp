#include "tokenizer/code_points.hpp"
#include "tokenizer/merge.hpp"
#include "tokenizer/pre_tokenizer.hpp"
#include "tokenizer/splitter.hpp"
#include "tokenizer/text_model.hpp"

#include <wherry/core/text.hpp>

#include <array>
#include <bit>
#include <cassert>
#include <limits>
#include <unordered_map>

namespace wherry::inline v0::detail {
namespace {

constexpr std::size_t merges_max = 1u << 24;  // ranks up to here are exact as float

// Byte-level BPE spells each byte as one printable character: printable Latin-1 as itself, the rest from U+0100 up.
// Source: Radford et al., "Language models are unsupervised multitask learners" (GPT-2), 2019.
struct byte_alphabet {
  static constexpr std::size_t characters = 0x144;  // all of them lie below
  static constexpr int no_byte = -1;

  std::array<std::string, 256> spelled;
  std::array<int, characters> bytes{};  // by character

  byte_alphabet() {
    bytes.fill(no_byte);
    char32_t next = 0x100;
    for (unsigned b = 0; b < 256; ++b) {
      bool const printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      char32_t const c = printable ? b : next++;
      append_utf8(spelled[b], c);
      bytes[c] = static_cast<int>(b);
    }
  }

  // Appends the bytes that a piece spells; a character that spells none stands for itself.
  void append_bytes(std::string_view piece, std::string& text) const {
    for (std::size_t at = 0; at < piece.size();) {
      auto const c = code_point_at(piece, at);
      int const byte = c.valid && c.value < characters ? bytes[c.value] : no_byte;
      if (byte == no_byte)
        text += piece.substr(at, c.length);
      else
        text += static_cast<char>(byte);
      at += c.length;
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
  explicit pair_table(std::size_t pairs) : slots_(std::bit_ceil(pairs + pairs / 2 + 2)) {}

  void insert(std::uint32_t left, std::uint32_t right, std::uint32_t rank, std::uint32_t id) {
    auto& cell = slots_[place_of(key_of(left, right))];
    if (cell.id == no_symbol) cell = {key_of(left, right), rank, id};  // of two equal merges the first counts
  }

  // Asks for the memory that insert or find will need.
  void prepare(std::uint32_t left, std::uint32_t right) const {
    __builtin_prefetch(&slots_[first_place_of(key_of(left, right))]);
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

  std::size_t first_place_of(std::uint64_t key) const {
    return (key ^ key >> 29) * 0x9E3779B97F4A7C15u >> 20 & (slots_.size() - 1);
  }

  // The slot of a key, or the free one where it would stand. At least half of them are free.
  std::size_t place_of(std::uint64_t key) const {
    auto const mask = slots_.size() - 1;
    auto at = first_place_of(key);
    while (slots_[at].id != no_symbol && slots_[at].key != key) at = (at + 1) & mask;
    return at;
  }

  std::vector<slot> slots_;
};

// What the words of a text became, for when they come again: most words of a text do. The ids are where they were put,
// in the list that is being made. A word takes the place of another with the same slot.
class word_cache {
 public:
  word_cache(std::string_view text, std::vector<token_id>& ids) : text_(text), ids_(ids) {
    if (text.size() >= text_bytes_min) slots_.resize(std::min(slots_max, std::bit_ceil(text.size() / 16)));
  }

  // Appends the ids of the word again, or those that make(word) appends.
  template <class Make>
  void append(std::string_view word, Make make) {
    if (slots_.empty() || word.size() > word_bytes_max) return make(word);
    auto const hash = hash_of(word);
    auto& s = slots_[hash >> 32 & (slots_.size() - 1)];
    if (s.length == word.size() && text_.substr(s.begin, s.length) == word) {
      for (std::uint32_t i = 0; i < s.count; ++i) ids_.push_back(token_id{ids_[s.ids_begin + i]});
      return;
    }
    auto const before = ids_.size();
    make(word);
    if (before > std::numeric_limits<std::uint32_t>::max()) return;
    s = {static_cast<std::uint32_t>(word.data() - text_.data()), static_cast<std::uint32_t>(before),
         static_cast<std::uint16_t>(word.size()), static_cast<std::uint16_t>(ids_.size() - before)};
  }

 private:
  static constexpr std::size_t slots_max = 1u << 15;
  static constexpr std::size_t text_bytes_min = 512, word_bytes_max = 64;

  struct slot {
    std::uint32_t begin = 0, ids_begin = 0;
    std::uint16_t length = 0, count = 0;  // of bytes, 0 in a free slot; of ids
  };

  std::string_view text_;
  std::vector<token_id>& ids_;
  std::vector<slot> slots_;
};

// Symbols are named by number: an id of the vocabulary, or beyond it what only stands between two merges.
class byte_bpe_model final : public text_model {
 public:
  byte_bpe_model(vocabulary const& vocab, splitter words, bool whole_words_first,
                 std::vector<std::string_view> const& merges)
      : vocab_(vocab), words_(std::move(words)), whole_words_first_(whole_words_first), rules_(merges.size()) {
    for (std::size_t b = 0; b < 256; ++b) {
      auto const& spelled = alphabet().spelled[b];
      byte_symbols_[b] = number_of(spelled, vocab.find_text(spelled).value_or(-1));
    }
    for (std::size_t begin = 0; begin < merges.size(); begin += merge_batch::size_max)
      add_merges(std::span(merges).subspan(begin, std::min(merge_batch::size_max, merges.size() - begin)),
                 static_cast<std::uint32_t>(begin));
    between_.clear();
    spell_tokens();
  }

  void encode(std::string_view text, bool, std::vector<token_id>& ids) const override {
    ids.reserve(ids.size() + text.size() / 4);
    merger symbols;
    word_cache cache(text, ids);
    auto const make = [&](std::string_view word) { encode_word(word, symbols, ids); };
    auto const take = [&](std::string_view word) { cache.append(word, make); };
    words_.split(text, word_sink(take));
  }

  void append_bytes(token_id id, std::string& text) const override {
    auto const i = static_cast<std::size_t>(id);
    text.append(token_bytes_, token_ends_[i], token_ends_[i + 1] - token_ends_[i]);
  }

 private:
  // Some merges at a time: what takes long is waiting for memory, which many can do at once.
  struct merge_batch {
    static constexpr std::size_t size_max = 64;

    std::string joined;                    // what the merges make, one behind the other
    std::vector<std::string_view> wanted;  // for each merge: left, right, what they make
    std::vector<token_id> found;
    std::vector<std::array<std::uint32_t, 3>> numbers;
  };

  void add_merges(std::span<std::string_view const> merges, std::uint32_t first_rank) {
    auto& [joined, wanted, found, numbers] = batch_;
    joined.clear();
    for (auto const merge : merges)
      joined.append(merge.substr(0, merge.find(' ', 1))).append(merge.substr(merge.find(' ', 1) + 1));
    wanted.clear();
    std::string_view rest = joined;
    for (auto const merge : merges) {
      auto const gap = merge.find(' ', 1);
      wanted.insert(wanted.end(), {merge.substr(0, gap), merge.substr(gap + 1), rest.substr(0, merge.size() - 1)});
      rest.remove_prefix(merge.size() - 1);
    }
    found.resize(wanted.size());
    vocab_.find_texts(wanted, found);
    numbers.resize(merges.size());
    for (std::size_t i = 0; i < merges.size(); ++i) {
      for (std::size_t part = 0; part < 3; ++part)
        numbers[i][part] = number_of(wanted[i * 3 + part], found[i * 3 + part]);
      rules_.prepare(numbers[i][0], numbers[i][1]);
    }
    for (std::size_t i = 0; i < merges.size(); ++i)
      rules_.insert(numbers[i][0], numbers[i][1], first_rank + static_cast<std::uint32_t>(i), numbers[i][2]);
  }

  // The number of a piece that has this id, or none (-1).
  std::uint32_t number_of(std::string_view piece, token_id id) {
    if (id >= 0) return static_cast<std::uint32_t>(id);
    auto const fresh = static_cast<std::uint32_t>(vocab_.size() + between_.size());
    return between_.emplace(piece, fresh).first->second;
  }

  // The bytes of all tokens, one behind the other.
  void spell_tokens() {
    token_ends_.reserve(vocab_.size() + 1);
    token_ends_.push_back(0);
    for (auto const piece : vocab_.pieces) {
      alphabet().append_bytes(piece, token_bytes_);
      token_ends_.push_back(token_bytes_.size());
    }
  }

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
        spell(word.substr(s.begin, s.length), ids);
    });
  }

  std::optional<token_id> find_whole(std::string_view word) const {
    if (word.size() > vocab_.longest_piece_bytes) return std::nullopt;
    std::string spelled;
    for (char c : word) spelled += alphabet().spelled[static_cast<std::uint8_t>(c)];
    return vocab_.find_text(spelled);
  }

  // Bytes that merged into no token. One without a token of its own is the unknown token, or lost where there is none.
  void spell(std::string_view bytes, std::vector<token_id>& ids) const {
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
  std::unordered_map<std::string, std::uint32_t> between_;  // while the merges are read
  merge_batch batch_;
  std::string token_bytes_;
  std::vector<std::size_t> token_ends_;  // token i is [token_ends_[i], token_ends_[i + 1])
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
