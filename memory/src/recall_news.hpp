#pragma once
// News first. Of two found records on the same matter the newer tells how it is now, and a reader who takes the first
// at its word should get that one, although the older often holds more of the question: it introduced the matter, the
// newer only says what changed.

#include <wherry/memory/recall.hpp>

#include <map>
#include <string>
#include <vector>

namespace wherry::inline v0::memory_detail {

/// So many hits take part; the others stay where they are.
inline constexpr std::size_t news_hits_max = 50;
/// A newer record is on the matter of an older one when it holds this share, by rarity, of the words of the question
/// that the older one holds.
inline constexpr double news_share = 0.5;

/// Puts each hit before the first older one on whose matter it is. `rarity` is what each word of the question is worth.
void put_newest_first(std::vector<recall_hit>& hits, std::map<std::string, double> const& rarity);

}  // namespace wherry::inline v0::memory_detail
