#pragma once
// Spelling -> id, for a vocabulary: a hash table with open addressing that keeps only a tag and the id of each piece.

#include <wherry/llm/sampling.hpp>

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace wherry::inline v0::detail {

// A hash for tables in memory; it may differ between machines.
inline std::uint64_t hash_of(std::string_view text) noexcept {
  constexpr std::uint64_t odd = 0x9E3779B97F4A7C15u;
  std::uint64_t hash = text.size() * odd;
  auto const mix = [&](std::uint64_t word) {
    hash = (hash ^ word) * odd;
    hash ^= hash >> 32;
  };
  std::size_t at = 0;
  for (; text.size() - at >= 8; at += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    mix(word);
  }
  if (at < text.size()) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, text.size() - at);
    mix(word);
  }
  return hash * odd;
}

class piece_index {
 public:
  // Of equal pieces the lowest id counts. The pieces must be the same ones in every later call. Returns: whether no two
  // are equal.
  bool build(std::vector<std::string_view> const& pieces) {
    bool all_differ = true;
    slots_.assign(std::bit_ceil(pieces.size() * 2 + 2), {});
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      auto const hash = hash_of(pieces[i]);
      auto& s = slots_[place_of(hash, pieces[i], pieces)];
      if (s.id < 0)
        s = {tag_of(hash), static_cast<token_id>(i)};
      else
        all_differ = false;
    }
    return all_differ;
  }

  // -1 when there is none.
  token_id find(std::string_view piece, std::vector<std::string_view> const& pieces) const {
    return slots_.empty() ? -1 : slots_[place_of(hash_of(piece), piece, pieces)].id;
  }

 private:
  struct slot {
    std::uint32_t tag = 0;
    token_id id = -1;
  };

  static std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash); }

  // The slot of a piece, or the free one where it would stand. At least half of them are free.
  std::size_t place_of(std::uint64_t hash, std::string_view piece, std::vector<std::string_view> const& pieces) const {
    auto const mask = slots_.size() - 1;
    for (auto at = hash >> 32 & mask;; at = (at + 1) & mask) {
      auto const& s = slots_[at];
      if (s.id < 0 || (s.tag == tag_of(hash) && pieces[static_cast<std::size_t>(s.id)] == piece)) return at;
    }
  }

  std::vector<slot> slots_;
};

}  // namespace wherry::inline v0::detail
