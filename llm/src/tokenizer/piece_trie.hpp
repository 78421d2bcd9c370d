#pragma once
// Which pieces begin a text: a trie over bytes, built once, read from any thread. A branch under which only one piece
// is left is kept as that piece and compared as a whole, so nodes are about as many as pieces.

#include <wherry/llm/sampling.hpp>

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace wherry::inline v0::detail {

class piece_trie {
 public:
  struct entry {
    std::string_view text;  // not empty; must live as long as the trie
    token_id id = 0;
  };

  piece_trie() = default;
  // Of equal texts the lowest id counts.
  explicit piece_trie(std::vector<entry> entries);

  // Calls use(length in bytes, id) for each piece that begins text[at, ...), the shortest first. Time: the longest.
  template <class Use>
  void each_prefix(std::string_view text, std::size_t at, Use use) const {
    if (nodes_.empty() || at >= text.size()) return;
    auto const* const bytes = reinterpret_cast<std::uint8_t const*>(text.data()) + at;
    std::size_t const size = text.size() - at;
    std::uint32_t here = first_byte_[bytes[0]];
    for (std::size_t depth = 1; here != nowhere; ++depth) {
      auto const& n = nodes_[here];
      if (n.child_count == leaf) {  // the rest of one piece
        auto const& rest = entries_[n.child];
        auto const length = rest.text.size();
        if (length <= size && std::memcmp(rest.text.data() + depth, bytes + depth, length - depth) == 0)
          use(length, rest.id);
        return;
      }
      if (n.id >= 0) use(depth, n.id);
      if (depth == size) return;
      here = child_of(n, bytes[depth]);
    }
  }

 private:
  static constexpr std::uint32_t nowhere = ~std::uint32_t{0};
  static constexpr std::uint16_t leaf = ~std::uint16_t{0};

  struct node {
    std::uint32_t child = 0;  // the first child, or the entry of a leaf
    token_id id = -1;         // of the piece that ends here
    std::uint16_t child_count = 0;
    std::uint8_t label = 0;
  };

  std::uint32_t child_of(node const& n, std::uint8_t label) const {
    std::uint32_t low = n.child, high = n.child + n.child_count;
    while (high - low > 8) {
      auto const middle = low + (high - low) / 2;
      (nodes_[middle].label <= label ? low : high) = middle;
    }
    for (; low < high; ++low)
      if (nodes_[low].label == label) return low;
    return nowhere;
  }

  std::vector<entry> entries_;  // by text
  std::vector<node> nodes_;
  std::array<std::uint32_t, 256> first_byte_{};
};

}  // namespace wherry::inline v0::detail
