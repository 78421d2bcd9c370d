#include "tokenizer/piece_trie.hpp"

#include <algorithm>
#include <numeric>

namespace wherry::inline v0::detail {
namespace {

// The first bytes as a number that orders as they do.
std::uint64_t leading_bytes(std::string_view text) {
  std::uint64_t key = 0;
  for (std::size_t i = 0; i < 8; ++i) key = key << 8 | (i < text.size() ? static_cast<std::uint8_t>(text[i]) : 0);
  return key;
}

std::vector<piece_trie::entry> sorted(std::vector<piece_trie::entry> entries) {
  struct keyed {
    std::uint64_t leading;
    piece_trie::entry what;
  };
  std::vector<keyed> order;
  order.reserve(entries.size());
  for (auto const& e : entries) order.push_back({leading_bytes(e.text), e});
  std::sort(order.begin(), order.end(), [](keyed const& a, keyed const& b) {
    if (a.leading != b.leading) return a.leading < b.leading;
    if (auto const c = a.what.text.compare(b.what.text); c != 0) return c < 0;
    return a.what.id < b.what.id;
  });
  entries.clear();
  for (auto const& k : order)
    if (entries.empty() || entries.back().text != k.what.text) entries.push_back(k.what);
  return entries;
}

}  // namespace

piece_trie::piece_trie(std::vector<entry> entries) : entries_(sorted(std::move(entries))) {
  struct range {  // the entries below a node
    std::uint32_t low, high;
  };
  std::vector<range> below;
  nodes_.reserve(entries_.size() * 2);
  below.reserve(entries_.size() * 2);
  auto const add_children = [&](range within, std::size_t depth) {
    for (auto low = within.low; low < within.high;) {
      auto const label = static_cast<std::uint8_t>(entries_[low].text[depth]);
      auto high = low + 1;
      while (high < within.high && static_cast<std::uint8_t>(entries_[high].text[depth]) == label) ++high;
      nodes_.push_back({.label = label});
      below.push_back({low, high});
      low = high;
    }
  };
  add_children({0, static_cast<std::uint32_t>(entries_.size())}, 0);
  first_byte_.fill(nowhere);
  for (std::uint32_t i = 0; i < nodes_.size(); ++i) first_byte_[nodes_[i].label] = i;

  std::size_t depth = 1, level_end = nodes_.size();
  for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
    if (i == level_end) {
      ++depth;
      level_end = nodes_.size();
    }
    auto within = below[i];
    if (within.high - within.low == 1) {
      nodes_[i].child = within.low;
      nodes_[i].child_count = leaf;
      continue;
    }
    if (entries_[within.low].text.size() == depth) nodes_[i].id = entries_[within.low++].id;
    auto const first = static_cast<std::uint32_t>(nodes_.size());
    add_children(within, depth);
    nodes_[i].child = first;
    nodes_[i].child_count = static_cast<std::uint16_t>(nodes_.size() - first);
  }
}

}  // namespace wherry::inline v0::detail
