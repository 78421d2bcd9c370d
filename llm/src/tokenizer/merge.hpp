#pragma once
// The merge loop of byte-pair encoding, shared by both tokenizer models: of all neighbouring symbols that may merge,
// the best pair merges first (the leftmost of equals), until none is left. A linked list and a heap: O(n log n).
// Source: Sennrich, Haddow, Birch, "Neural machine translation of rare words with subword units", ACL 2016; the order
// by score instead of rank is SentencePiece's (Kudo, Richardson, EMNLP 2018).

#include <cstdint>
#include <optional>
#include <queue>
#include <vector>

namespace wherry::inline v0::detail {

inline constexpr std::uint32_t no_symbol = ~std::uint32_t{0};

// A run of bytes that is one symbol so far; `length` is 0 once it has merged into its left neighbour.
struct symbol {
  std::uint32_t begin = 0;
  std::uint32_t length = 0;
  std::uint32_t id = no_symbol;
  std::uint32_t previous = no_symbol, next = no_symbol;
};

// What two neighbours may become: lower priorities merge first.
struct merge_rule {
  double priority = 0;
  std::uint32_t id = no_symbol;
};

// Merges until find_rule(left, right) -> std::optional<merge_rule> has no more to give. The links are set here.
template <class FindRule>
void merge_symbols(std::vector<symbol>& symbols, FindRule find_rule) {
  struct candidate {
    merge_rule rule;
    std::uint32_t left, right;
    std::uint32_t length;  // of both: tells a candidate whose parts have changed since

    bool operator<(candidate const& other) const {  // the heap gives the greatest
      return rule.priority != other.rule.priority ? rule.priority > other.rule.priority : left > other.left;
    }
  };
  std::priority_queue<candidate> queue;
  auto const consider = [&](std::uint32_t left, std::uint32_t right) {
    if (left == no_symbol || right == no_symbol) return;
    if (auto const rule = find_rule(symbols[left], symbols[right]))
      queue.push({*rule, left, right, symbols[left].length + symbols[right].length});
  };
  auto const count = static_cast<std::uint32_t>(symbols.size());
  for (std::uint32_t i = 0; i < count; ++i) {
    symbols[i].previous = i == 0 ? no_symbol : i - 1;
    symbols[i].next = i + 1 == count ? no_symbol : i + 1;
    if (i > 0) consider(i - 1, i);
  }
  while (!queue.empty()) {
    auto const best = queue.top();
    queue.pop();
    auto& left = symbols[best.left];
    auto& right = symbols[best.right];
    if (left.length == 0 || right.length == 0 || left.length + right.length != best.length) continue;
    left.length += right.length;
    left.id = best.rule.id;
    left.next = right.next;
    right.length = 0;
    if (left.next != no_symbol) symbols[left.next].previous = best.left;
    consider(left.previous, best.left);
    consider(best.left, left.next);
  }
}

}  // namespace wherry::inline v0::detail
