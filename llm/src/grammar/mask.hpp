#pragma once
// Masks: one walk over the token trie with all threads at once. Threads inside text start from the summary of their
// state and walk only where the text ends within a token.

#include "grammar/configuration.hpp"

#include <map>
#include <optional>

namespace wherry::inline v0 {
namespace grammar {

/// Fewest tokens that spell a text; `npos` when the vocabulary cannot. Plain dynamic programming from the back.
std::size_t token_count(spelling const& text, token_trie const& trie);
inline constexpr std::size_t cannot_be_spelled = static_cast<std::size_t>(-1);

/// Tokens of the shortest completion found for any of the threads.
std::size_t shortest_completion(configuration const& at, thread_list const& threads, token_trie const& trie);

struct mask {
  bitset bits;
  weight heaviest = 0;       ///< Of all tokens allowed, the greatest weight afterwards...
  weight reference = 0;      ///< ...when the weight before was this.
  bool has_missing = false;  ///< Some token leads to a completion that single-byte tokens cannot spell.
};

/// The tokens the grammar allows at the current threads; with `budget`, only those after which a completion fits.
mask compute_mask(configuration& at, vocabulary::impl const& tokens, std::optional<std::size_t> budget);

}  // namespace grammar
}  // namespace wherry::inline v0
