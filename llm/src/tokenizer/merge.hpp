#pragma once
// The merge loop of byte-pair encoding, shared by both tokenizer models: of all neighbouring symbols that may merge,
// the best pair merges first (the leftmost of equals), until none is left. A linked list and a heap: O(n log n).
// Source: Sennrich, Haddow, Birch, "Neural machine translation of rare words with subword units", ACL 2016; the order
// by score instead of rank is SentencePiece's (Kudo, Richardson, EMNLP 2018).

#include <algorithm>
#include <cstdint>
#include <optional>
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
  float priority = 0;
  std::uint32_t id = no_symbol;
};

// Symbols to be merged. Its memory is used again for the next word.
class merger {
 public:
  void clear() { symbols_.clear(); }
  bool empty() const { return symbols_.empty(); }
  void add(std::size_t begin, std::size_t length, std::uint32_t id) {
    symbols_.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(length), id});
  }

  // Merges until find_rule(left, right) -> std::optional<merge_rule> has no more to give, and hands each symbol that is
  // left to use(symbol), in order.
  template <class FindRule, class Use>
  void merge(FindRule find_rule, Use use) {
    link(find_rule);
    while (!heap_.empty()) {
      auto const best = heap_.front();
      std::pop_heap(heap_.begin(), heap_.end());
      heap_.pop_back();
      apply(best, find_rule);
    }
    for (auto const& s : symbols_)
      if (s.length > 0) use(s);
  }

 private:
  struct candidate {
    merge_rule rule;
    std::uint32_t left;
    std::uint32_t length;  // of both parts: tells a candidate whose parts have changed since

    bool operator<(candidate const& other) const {  // the heap gives the greatest
      return rule.priority != other.rule.priority ? rule.priority > other.rule.priority : left > other.left;
    }
  };

  template <class FindRule>
  void link(FindRule& find_rule) {
    heap_.clear();
    auto const count = static_cast<std::uint32_t>(symbols_.size());
    for (std::uint32_t i = 0; i < count; ++i) {
      symbols_[i].previous = i == 0 ? no_symbol : i - 1;
      symbols_[i].next = i + 1 == count ? no_symbol : i + 1;
    }
    for (std::uint32_t i = 0; i < count; ++i) consider(i, find_rule);
  }

  template <class FindRule>
  void apply(candidate const& best, FindRule& find_rule) {
    auto& left = symbols_[best.left];
    if (left.length == 0 || left.next == no_symbol) return;
    auto& right = symbols_[left.next];
    if (left.length + right.length != best.length) return;
    left.length = best.length;
    left.id = best.rule.id;
    left.next = right.next;
    right.length = 0;
    if (left.next != no_symbol) symbols_[left.next].previous = best.left;
    if (left.previous != no_symbol) consider(left.previous, find_rule);
    consider(best.left, find_rule);
  }

  // Queues the merge of a symbol with its right neighbour, if there is a rule for it.
  template <class FindRule>
  void consider(std::uint32_t left, FindRule& find_rule) {
    auto const& first = symbols_[left];
    if (first.next == no_symbol) return;
    auto const& second = symbols_[first.next];
    if (auto const rule = find_rule(first, second)) {
      heap_.push_back({*rule, left, first.length + second.length});
      std::push_heap(heap_.begin(), heap_.end());
    }
  }

  std::vector<symbol> symbols_;
  std::vector<candidate> heap_;
};

}  // namespace wherry::inline v0::detail
