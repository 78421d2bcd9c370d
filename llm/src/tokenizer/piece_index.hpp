#pragma once
// Spelling -> id, for a vocabulary: a hash table with open addressing that keeps only a tag and the id of each piece.

#include <wherry/llm/sampling.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
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
  // Of equal pieces the lowest id counts. The pieces must be the same ones in every later call.
  void build(std::vector<std::string_view> const& pieces) {
    slots_.assign(std::bit_ceil(pieces.size() * 2 + 2), {});
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      auto const hash = hash_of(pieces[i]);
      auto& s = slots_[place_of(hash, pieces[i], pieces)];
      if (s.id < 0) s = {tag_of(hash), static_cast<token_id>(i)};
    }
  }

  // As find, for many: memory is asked for all before any is needed. `ids` is as long as `wanted`.
  void find_many(std::span<std::string_view const> wanted, std::span<token_id> ids,
                 std::vector<std::string_view> const& pieces) const {
    constexpr std::size_t together = 64;
    std::array<std::uint64_t, together> hashes;
    auto const mask = slots_.size() - 1;
    for (std::size_t begin = 0; begin < wanted.size(); begin += together) {
      auto const count = std::min(together, wanted.size() - begin);
      for (std::size_t i = 0; i < count; ++i) {
        hashes[i] = hash_of(wanted[begin + i]);
        __builtin_prefetch(&slots_[hashes[i] >> 32 & mask]);
      }
      for (auto const pass : {0, 1})
        for (std::size_t i = 0; i < count; ++i) {
          auto const id = slots_[hashes[i] >> 32 & mask].id;
          if (id < 0) continue;
          auto const& piece = pieces[static_cast<std::size_t>(id)];
          pass == 0 ? __builtin_prefetch(&piece) : __builtin_prefetch(piece.data());
        }
      for (std::size_t i = 0; i < count; ++i)
        ids[begin + i] = slots_[place_of(hashes[i], wanted[begin + i], pieces)].id;
    }
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
