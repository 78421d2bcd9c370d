#include "recall_news.hpp"

#include <algorithm>

namespace wherry::inline v0::memory_detail {
namespace {

utc_ms since(record const& r) { return r.valid_from ? r.valid_from : r.created; }

bool was_said(record const& r) { return r.origin == record_origin::user || r.origin == record_origin::tool; }

bool same_voice(record const& a, record const& b) {
  return was_said(a) && a.origin == b.origin && a.kind == b.kind && a.title == b.title && a.subject == b.subject;
}

bool is_news_on(recall_hit const& newer, recall_hit const& older, std::map<std::string, double> const& rarity) {
  if (since(newer.record) <= since(older.record) || !same_voice(newer.record, older.record)) return false;
  double all = 0, shared = 0;
  for (auto const& word : older.words) {
    auto const worth = rarity.at(word);
    all += worth;
    if (std::find(newer.words.begin(), newer.words.end(), word) != newer.words.end()) shared += worth;
  }
  return all > 0 && shared >= news_share * all;
}

}  // namespace

void put_newest_first(std::vector<recall_hit>& hits, std::map<std::string, double> const& rarity) {
  for (std::size_t n = 1; n < std::min(hits.size(), news_hits_max); ++n) {
    auto const here = hits.begin() + static_cast<std::ptrdiff_t>(n);
    auto const older = std::find_if(hits.begin(), here, [&](auto const& h) { return is_news_on(*here, h, rarity); });
    if (older == here) continue;
    here->ahead_of = older->record.id;
    std::rotate(older, here, here + 1);
  }
}

}  // namespace wherry::inline v0::memory_detail
