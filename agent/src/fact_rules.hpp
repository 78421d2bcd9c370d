#pragma once
// Facts without a model: sentences in which a user plainly states something of himself, or asks to remember it.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0::detail {

/// Bytes [begin, end) of a text.
struct text_span {
  std::size_t begin = 0;
  std::size_t end = 0;
  friend bool operator==(text_span const&, text_span const&) = default;
};

/// The sentences of a text, without the white space around them. They end at . ! ? 。 ！ ？ before a space or the end,
/// and at line ends.
std::vector<text_span> sentences_of(std::string_view text);

struct stated_fact {
  text_span at;           ///< The sentence, or the part of it that states the fact.
  std::string kind;       ///< "fact" or "preference".
  std::string attribute;  ///< "home", "name", ...; empty where the rule does not know.
};

std::vector<stated_fact> facts_by_rules(std::string_view text);

}  // namespace wherry::inline v0::detail
