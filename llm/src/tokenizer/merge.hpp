#pragma once
// The merge loop of byte-pair encoding, shared by both tokenizer models: of all neighbouring symbols that may merge,
// the best pair merges first (the leftmost of equals), until none is left.
// Source: Sennrich, Haddow, Birch, "Neural machine translation of rare words with subword units", ACL 2016; the order
// by score instead of rank is SentencePiece's (Kudo, Richardson, EMNLP 2018).
//
// A short word is searched for its best pair again and again: nothing is faster for a few symbols. A long one keeps its
// candidates in a queue for each priority, in text order. A megabyte of anything repetitive has few priorities, so each
// step is O(1); at worst the whole is O(n log n).

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <optional>
#include <queue>
#include <unordered_map>
#include <vector>

namespace wherry::inline v0::detail {

inline constexpr std::uint32_t no_symbol = ~std::uint32_t{0};

// A run of bytes that is one symbol so far.
struct symbol {
  std::uint32_t begin = 0;
  std::uint32_t length = 0;
  std::uint32_t id = no_symbol;
};

// What two neighbours may become: lower priorities merge first.
struct merge_rule {
  float priority = 0;
  std::uint32_t id = no_symbol;
};

// Candidates of a long word: the best first, the leftmost of equals.
class candidate_queue {
 public:
  struct candidate {
    std::uint32_t left = 0;
    std::uint32_t length = 0;  // of both parts: tells a candidate whose parts have changed since
    std::uint32_t id = no_symbol;

    bool operator>(candidate const& other) const { return left > other.left; }
  };

  void clear() {
    lanes_.clear();
    lane_of_.clear();
    order_ = {};
  }
  bool empty() const { return order_.empty(); }

  void push(float priority, candidate const& c) {
    priority += 0.0F;  // of the two zeros one
    auto const [found, is_new] =
        lane_of_.try_emplace(std::bit_cast<std::uint32_t>(priority), static_cast<std::uint32_t>(lanes_.size()));
    if (is_new) lanes_.push_back({.priority = priority});
    auto& l = lanes_[found->second];
    if (l.empty()) {
      l.in_order.clear();
      l.next = 0;
      order_.push({priority, found->second});
    }
    if (l.next == l.in_order.size() || l.in_order.back().left <= c.left)
      l.in_order.push_back(c);
    else
      l.late.push(c);
  }

  candidate pop() {
    auto& l = lanes_[order_.top().lane];
    candidate best;
    if (l.late.empty() || (l.next < l.in_order.size() && l.in_order[l.next].left <= l.late.top().left)) {
      best = l.in_order[l.next++];
    } else {
      best = l.late.top();
      l.late.pop();
    }
    if (l.empty()) order_.pop();
    return best;
  }

 private:
  struct lane {
    float priority = 0;
    std::vector<candidate> in_order{};  // from `next` on
    std::size_t next = 0;
    std::priority_queue<candidate, std::vector<candidate>, std::greater<>> late{};  // came behind one further right

    bool empty() const { return next == in_order.size() && late.empty(); }
  };
  struct waiting {
    float priority;
    std::uint32_t lane;
    bool operator<(waiting const& other) const { return priority > other.priority; }
  };

  std::vector<lane> lanes_;
  std::unordered_map<std::uint32_t, std::uint32_t> lane_of_;  // by the bits of the priority
  std::priority_queue<waiting> order_;                        // the lanes that are not empty
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
    if (symbols_.size() <= short_word_max)
      merge_short(find_rule);
    else
      merge_long(find_rule);
    for (auto const& s : symbols_)
      if (s.length > 0) use(s);
  }

 private:
  static constexpr std::size_t short_word_max = 100;
  static constexpr float no_rule = std::numeric_limits<float>::infinity();

  struct neighbours {
    std::uint32_t previous = no_symbol, next = no_symbol;
  };

  template <class FindRule>
  void merge_short(FindRule& find_rule) {
    if (symbols_.size() < 2) return;
    auto const rule_of = [&](std::size_t left) {
      return find_rule(symbols_[left], symbols_[left + 1]).value_or(merge_rule{no_rule, no_symbol});
    };
    rules_.clear();  // of each symbol with the next
    for (std::size_t i = 0; i + 1 < symbols_.size(); ++i) rules_.push_back(rule_of(i));
    while (!rules_.empty()) {
      auto const best = std::min_element(rules_.begin(), rules_.end(), [](merge_rule const& a, merge_rule const& b) {
        return a.priority < b.priority;
      });
      if (best->id == no_symbol) break;
      auto const left = static_cast<std::size_t>(best - rules_.begin());
      symbols_[left].length += symbols_[left + 1].length;
      symbols_[left].id = best->id;
      symbols_.erase(symbols_.begin() + static_cast<std::ptrdiff_t>(left) + 1);
      rules_.erase(best);
      if (left < rules_.size()) rules_[left] = rule_of(left);
      if (left > 0) rules_[left - 1] = rule_of(left - 1);
    }
  }

  template <class FindRule>
  void merge_long(FindRule& find_rule) {
    candidates_.clear();
    auto const count = static_cast<std::uint32_t>(symbols_.size());
    beside_.resize(count);
    for (std::uint32_t i = 0; i < count; ++i)
      beside_[i] = {i == 0 ? no_symbol : i - 1, i + 1 == count ? no_symbol : i + 1};
    for (std::uint32_t i = 0; i < count; ++i) consider(i, find_rule);
    while (!candidates_.empty()) apply(candidates_.pop(), find_rule);
  }

  template <class FindRule>
  void apply(candidate_queue::candidate const& best, FindRule& find_rule) {
    auto& left = symbols_[best.left];
    auto& place = beside_[best.left];
    if (left.length == 0 || place.next == no_symbol) return;
    auto& right = symbols_[place.next];
    if (left.length + right.length != best.length) return;
    left.length = best.length;
    left.id = best.id;
    right.length = 0;
    place.next = beside_[place.next].next;
    if (place.next != no_symbol) beside_[place.next].previous = best.left;
    if (place.previous != no_symbol) consider(place.previous, find_rule);
    consider(best.left, find_rule);
  }

  // Queues the merge of a symbol with its right neighbour, if there is a rule for it.
  template <class FindRule>
  void consider(std::uint32_t left, FindRule& find_rule) {
    auto const next = beside_[left].next;
    if (next == no_symbol) return;
    auto const& first = symbols_[left];
    auto const& second = symbols_[next];
    if (auto const rule = find_rule(first, second))
      candidates_.push(rule->priority, {left, first.length + second.length, rule->id});
  }

  std::vector<symbol> symbols_;  // a long word's: `length` is 0 once one has merged into its left neighbour
  std::vector<merge_rule> rules_;
  std::vector<neighbours> beside_;
  candidate_queue candidates_;
};

}  // namespace wherry::inline v0::detail
