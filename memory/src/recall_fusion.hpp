#pragma once
// How what several arms found becomes one order. Pure.
//
// With one arm its own score stands, as a share of its best. With several, reciprocal ranks are added (Cormack, Clarke
// and Buettcher, 2009), each times its arm's weight, because the arms' measures cannot be compared; the sum too is
// taken as a share of the best. Then each of the best is weighed by bounded factors.

#include "scope_index.hpp"

#include <wherry/memory/recall.hpp>

namespace wherry::inline v0::memory_detail {

/// The constant of reciprocal rank fusion: large enough that no arm's first hit decides alone.
inline constexpr double reciprocal_rank_constant = 60;
/// The best of the fused hits are weighed: this many times the limit, at least so many.
inline constexpr std::size_t weighed_per_hit = 3;
inline constexpr std::size_t weighed_min = 50;

struct arm_hit {
  std::uint32_t number = 0;
  double score = 0;
  double rank = 0;  ///< 0: its place, counted from 1.
};
/// What an arm found, best first.
struct arm_hits {
  std::string name;
  std::vector<arm_hit> hits = {};
  double weight = 1;
};

struct fused_hit {
  std::uint32_t number = 0;
  double score = 0;
  std::vector<std::size_t> places = {};  ///< In each arm, from 1; 0: not found.
  double recency = 1;
  double importance = 1;
  double proof = 1;
  double origin = 1;
};
struct fused_hits {
  std::vector<fused_hit> best;
  std::size_t candidates = 0;
};

fused_hits fuse(std::vector<arm_hits> const& arms, std::vector<known_record> const& records, recall_query const& q);
std::vector<recall_arm> arms_of(std::vector<arm_hits> const& arms, fused_hit const& hit);

}  // namespace wherry::inline v0::memory_detail
