#pragma once
// All substrings of a text, by character: Blumer et al., "The smallest automaton recognizing the subwords of a text",
// Theoretical Computer Science 1985. At most twice as many states as the text has characters.

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

namespace wherry::inline v0 {
namespace grammar {

/// State 0 is the start; every path from it spells a substring, and every substring is a path.
class substring_automaton {
 public:
  explicit substring_automaton(std::u32string_view text) {
    std::uint32_t last = 0;
    states_.emplace_back();
    for (char32_t const c : text) last = extend(last, c);
  }
  std::size_t size() const { return states_.size(); }
  std::map<char32_t, std::uint32_t> const& edges(std::uint32_t of) const { return states_[of].next; }

 private:
  static constexpr std::uint32_t none = static_cast<std::uint32_t>(-1);
  struct state {
    std::map<char32_t, std::uint32_t> next;
    std::uint32_t link = none;
    std::uint32_t length = 0;
  };
  std::uint32_t add(state s) {
    states_.push_back(std::move(s));
    return static_cast<std::uint32_t>(states_.size() - 1);
  }
  std::uint32_t extend(std::uint32_t last, char32_t c) {
    std::uint32_t const made = add({.next = {}, .link = 0, .length = states_[last].length + 1});
    std::uint32_t at = last;
    for (; at != none && !states_[at].next.contains(c); at = states_[at].link) states_[at].next[c] = made;
    if (at == none) return made;
    std::uint32_t const target = states_[at].next[c];
    if (states_[at].length + 1 == states_[target].length) {
      states_[made].link = target;
      return made;
    }
    state copy = states_[target];
    copy.length = states_[at].length + 1;
    std::uint32_t const clone = add(std::move(copy));
    for (; at != none; at = states_[at].link) {
      auto const edge = states_[at].next.find(c);
      if (edge == states_[at].next.end() || edge->second != target) break;
      edge->second = clone;
    }
    states_[target].link = states_[made].link = clone;
    return made;
  }
  std::vector<state> states_;
};

}  // namespace grammar
}  // namespace wherry::inline v0
