#pragma once
// The tokens of a vocabulary as a byte trie in preorder: the children of node n begin at n + 1, and each node's `end`
// is its next sibling. A walk is a scan over one array that skips what the grammar refuses.

#include <wherry/llm/grammar.hpp>

#include "grammar/text_automaton.hpp"
#include "schema/byte_regex.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <mutex>

namespace wherry::inline v0 {
namespace grammar {

using bitset = std::vector<std::uint64_t>;

inline void set_bit(bitset& bits, token_id id) {
  bits[static_cast<std::size_t>(id) / 64] |= std::uint64_t{1} << (static_cast<std::size_t>(id) % 64);
}
inline void clear_bit(bitset& bits, token_id id) {
  bits[static_cast<std::size_t>(id) / 64] &= ~(std::uint64_t{1} << (static_cast<std::size_t>(id) % 64));
}

/// Some of the bytes below 127.
using ascii_set = std::array<std::uint64_t, 2>;
inline void add_byte(ascii_set& to, std::uint8_t byte) {
  std::uint8_t const bit = std::min<std::uint8_t>(byte, 127);
  to[bit / 64] |= std::uint64_t{1} << (bit % 64);
}

class token_trie {
 public:
  struct node {
    std::uint32_t end = 0;     ///< One past the subtree.
    std::uint32_t tokens = 0;  ///< First of its tokens in order(); also the first of its subtree.
    std::uint16_t depth = 0;
    std::uint16_t token_count = 0;
    std::uint8_t byte = 0;
  };
  static constexpr std::uint32_t root = 0;
  static constexpr std::uint32_t none = static_cast<std::uint32_t>(-1);

  /// `ids`: the tokens that stand for text, with bytes that are not empty.
  token_trie(std::vector<std::string> const& bytes, std::vector<token_id> ids);

  node const& at(std::uint32_t index) const { return nodes_[index]; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(nodes_.size()); }
  bool has_children(std::uint32_t index) const { return nodes_[index].end > index + 1; }
  std::uint32_t child(std::uint32_t index, std::uint8_t byte) const;
  std::span<token_id const> tokens(std::uint32_t index) const {
    return std::span(order_).subspan(nodes_[index].tokens, nodes_[index].token_count);
  }
  /// Some token whose bytes begin with the path to the node.
  token_id token_below(std::uint32_t index) const { return order_[nodes_[index].tokens]; }
  std::size_t longest_token() const { return longest_; }
  /// All tokens whose bytes begin with the path to the node.
  std::span<token_id const> tokens_below(std::uint32_t index) const {
    std::size_t const end = nodes_[index].end < size() ? nodes_[nodes_[index].end].tokens : order_.size();
    return std::span(order_).subspan(nodes_[index].tokens, end - nodes_[index].tokens);
  }
  /// Whether the byte of a node and all bytes below it are among these. Bytes that are not ASCII never are.
  bool uses_only(std::uint32_t index, ascii_set const& allowed) const {
    return (used_[index][0] & ~allowed[0]) == 0 && (used_[index][1] & ~allowed[1]) == 0;
  }

 private:
  std::vector<node> nodes_;
  std::vector<ascii_set> used_;  // by node; a byte that is not ASCII counts as 127
  std::vector<token_id> order_;  // sorted by bytes, then id
  std::array<std::uint32_t, 256> first_level_;
  std::size_t longest_ = 0;
};

inline constexpr std::uint32_t text_summary_refused = 0xffff'ffff;
inline constexpr std::uint32_t text_summary_ended = 0xffff'fffe;

/// What the tokens do when they begin in one state of a text whose bounds are far away.
struct text_summary {
  struct inner {
    std::uint16_t characters;         ///< Characters begun by the token.
    text_automaton::state character;  ///< Where it ends in its last character, in a language whose characters count.
    std::uint32_t end;                ///< The state it ends in.
    token_id token;
  };
  struct exit {
    std::uint32_t node;
    std::uint32_t characters;
  };
  /// Tokens that go on behind the end of the text, merged: what follows the text does not depend on how it ended.
  struct behind {
    std::uint8_t byte = 0;
    std::uint32_t end = 0;     ///< One past the subtree; children begin behind the node, as in token_trie.
    std::uint32_t tokens = 0;  ///< First of its tokens in behind_tokens.
    std::uint32_t token_count = 0;
  };
  static constexpr std::size_t counted_characters = 16;
  static constexpr std::size_t few_tokens = 1'024;

  std::vector<inner> inside;  ///< Tokens that stay in the text; by number of characters in an automaton that counts.
  bitset inside_bits;         ///< The same; empty when they are few.
  std::vector<bitset> inside_up_to;   ///< [n]: those with at most n characters, n < counted_characters; if counted.
  std::vector<std::uint32_t> ends;    ///< The different states they end in.
  std::vector<exit> exits;            ///< Trie nodes at which the text may end.
  std::vector<token_id> exit_tokens;  ///< Tokens that end exactly there.
  std::vector<behind> behinds;        ///< In preorder, without a root.
  std::vector<token_id> behind_tokens;

  void add_inside_to(bitset& bits) const;
  void add_exits_to(bitset& bits) const {
    for (token_id const id : exit_tokens) set_bit(bits, id);
  }
};

text_summary summarise(text_automaton const& automaton, text_automaton::state from, token_trie const& trie,
                       std::size_t mask_words);
/// `characters`, where they are counted: what the text is spelled in and the place in it.
text_summary summarise(regex::automaton& automaton, regex::automaton::state from, bool has_quote,
                       token_trie const& trie, std::vector<std::string> const& token_bytes, std::size_t mask_words,
                       text_automaton const* characters = nullptr, text_automaton::state characters_from = 0);

/// Summaries of one automaton's states, made when first asked for. Thread-safe.
class summary_cache {
 public:
  text_summary const& get(text_automaton const& automaton, text_automaton::state from, token_trie const& trie,
                          std::size_t mask_words) const;

 private:
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<text_summary const>> by_state_;
};

/// Free text without certain byte strings, with what its states know about a vocabulary.
struct free_text_unit {
  text_automaton automaton;
  summary_cache summaries;
};

struct vocabulary::impl {
  impl(std::vector<std::string> token_bytes, std::vector<bool> control, std::vector<token_id> end_of_generation);

  std::vector<std::string> bytes;
  std::vector<bool> is_control;  ///< End-of-generation tokens included.
  std::vector<token_id> end_of_generation;
  token_trie trie;
  std::array<bool, 256> has_byte{};  ///< Some token is this single byte.
  summary_cache json_string_summaries;
  summary_cache json_name_summaries;
  /// The numbers that schemas mostly mean.
  std::shared_ptr<text_automaton const> plain_integer, plain_number;
  summary_cache integer_summaries;
  summary_cache number_summaries;

  /// Made once for all programs: a family's marks are the same in every request. Thread-safe.
  std::shared_ptr<free_text_unit const> free_text_without(std::vector<std::string> const& words) const;

 private:
  static constexpr std::size_t free_texts_max = 64;
  mutable std::mutex free_texts_mutex_;
  mutable std::map<std::vector<std::string>, std::shared_ptr<free_text_unit const>> free_texts_;
};

}  // namespace grammar
}  // namespace wherry::inline v0
