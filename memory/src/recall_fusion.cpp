#include "recall_fusion.hpp"

#include <algorithm>
#include <cmath>

namespace wherry::inline v0::memory_detail {
namespace {

void sort_best_first(std::vector<fused_hit>& hits) {
  std::sort(hits.begin(), hits.end(), [](fused_hit const& a, fused_hit const& b) {
    return a.score != b.score ? a.score > b.score : a.number > b.number;
  });
}

/// A factor around 1 for a value between 0 and 1.
double factor(double weight, double value) { return 1 + weight * (value - 0.5); }

void weigh(std::vector<fused_hit>& hits, std::vector<known_record> const& records, recall_boosts const& boosts) {
  // Recency is a place among the hits, not an age: an archive of last year has its newest facts too.
  std::vector<utc_ms> times;
  for (auto const& hit : hits) times.push_back(records[hit.number].since());
  std::sort(times.begin(), times.end());
  times.erase(std::unique(times.begin(), times.end()), times.end());
  constexpr double most_doublings = 4;
  for (auto& hit : hits) {
    auto const& r = records[hit.number];
    if (times.size() > 1) {
      auto const place = std::lower_bound(times.begin(), times.end(), r.since()) - times.begin();
      hit.recency = factor(boosts.recency, static_cast<double>(place) / static_cast<double>(times.size() - 1));
    }
    hit.importance = factor(boosts.importance, std::clamp(static_cast<double>(r.importance), 0.0, 1.0));
    hit.proof = 1 + boosts.proof / 2 * std::min(std::log2(std::max(1U, r.proofs)), most_doublings) / most_doublings;
    if (r.origin == record_origin::agent || r.origin == record_origin::recalled) hit.origin = 1 - boosts.own_words;
    hit.score *= hit.recency * hit.importance * hit.proof * hit.origin;
  }
}

double rank_of(arm_hits const& arm, std::size_t place) {
  auto const rank = arm.hits[place].rank;
  return rank > 0 ? rank : static_cast<double>(place + 1);
}

}  // namespace

fused_hits fuse(std::vector<arm_hits> const& arms, std::vector<known_record> const& records, recall_query const& q) {
  fused_hits out;
  std::unordered_map<std::uint32_t, std::size_t> place;
  for (std::size_t a = 0; a < arms.size(); ++a) {
    auto const count = arms.size() == 1 ? arms[a].hits.size() : std::min(arms[a].hits.size(), recall_arm_hits_max);
    for (std::size_t i = 0; i < count; ++i) {
      auto const& found = arms[a].hits[i];
      auto const [at, fresh] = place.emplace(found.number, out.best.size());
      if (fresh) out.best.push_back({.number = found.number, .places = std::vector<std::size_t>(arms.size(), 0)});
      auto& hit = out.best[at->second];
      hit.places[a] = i + 1;
      hit.score += arms.size() == 1 ? found.score : arms[a].weight / (reciprocal_rank_constant + rank_of(arms[a], i));
    }
    out.candidates = std::max(out.candidates, arms[a].hits.size());
  }
  out.candidates = std::max(out.candidates, out.best.size());
  sort_best_first(out.best);
  if (out.best.size() > std::max(weighed_min, weighed_per_hit * q.limit))
    out.best.resize(std::max(weighed_min, weighed_per_hit * q.limit));
  if (out.best.empty()) return out;
  auto const top = out.best.front().score > 0 ? out.best.front().score : 1.0;
  for (auto& hit : out.best) hit.score /= top;
  weigh(out.best, records, q.boosts);
  sort_best_first(out.best);
  return out;
}

std::vector<recall_arm> arms_of(std::vector<arm_hits> const& arms, fused_hit const& hit) {
  std::vector<recall_arm> out;
  for (std::size_t a = 0; a < arms.size(); ++a)
    if (auto const place = hit.places[a]; place > 0)
      out.push_back({.name = arms[a].name,
                     .rank = static_cast<std::size_t>(rank_of(arms[a], place - 1)),
                     .score = arms[a].hits[place - 1].score});
  return out;
}

}  // namespace wherry::inline v0::memory_detail
