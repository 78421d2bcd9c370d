#include "text_search.hpp"

#include <algorithm>
#include <cmath>

namespace wherry::inline v0::memory_detail {
namespace {

/// One search: scores by record number, and which records have one.
class text_scores {
 public:
  text_scores(scope_index const& index, index_totals const& totals, text_tuning const& tuning)
      : records_(index.records()), tuning_(tuning), own_(records_.size(), 0.0) {
    for (std::size_t i = 0; i < index_totals::profiles; ++i) {
      all_ += static_cast<double>(totals.records[i]);
      average_[i] =
          totals.records[i] ? static_cast<double>(totals.length[i]) / static_cast<double>(totals.records[i]) : 1;
      average_[i] = std::max(average_[i], 1.0);
    }
  }

  double rarity(posting_list const& list) const {
    return memory_detail::rarity(all_, static_cast<double>(list.size()));
  }

  void add_term(posting_list const& list, double times) {
    auto const idf = rarity(list) * times;
    for (auto const& p : list.entries()) {
      if (!known(p.number)) continue;
      auto const profile = records_[p.number].profile;
      auto const& t = profile ? tuning_.long_texts : tuning_.short_texts;
      auto const tf = p.in_text + tuning_.title_weight * p.in_title;
      auto const held_back = t.k1 * (1 - t.b + t.b * p.length / average_[profile]);
      add(p.number, idf * tf * (t.k1 + 1) / (tf + held_back));
    }
  }

  /// Two terms that follow each other, wherever they do so in a text.
  void add_phrase(posting_list const& first, posting_list const& second) {
    auto const worth = tuning_.phrase_weight * std::min(rarity(first), rarity(second));
    auto b = second.entries().begin();
    auto const end = second.entries().end();
    for (auto const& a : first.entries()) {
      while (b != end && b->number < a.number) ++b;
      if (b == end) return;
      if (b->number != a.number || !known(a.number)) continue;
      auto const follow = second.positions(*b);
      auto at = follow.begin();
      for (auto const position : first.positions(a)) {
        while (at != follow.end() && *at <= position) ++at;
        if (at == follow.end() || *at != position + 1) continue;
        add(a.number, worth);
        break;
      }
    }
  }

  void take_hits(record_filter const& filter, std::size_t threads, std::size_t keep, text_found& into) {
    auto const lent = lend(threads);
    auto& hits = into.hits;
    hits.reserve(touched_.size());
    for (auto const number : touched_)
      if (filter.admits(records_[number])) hits.push_back({number, own_[number] + lent[number], own_[number]});
    into.candidates = hits.size();
    auto const best = hits.begin() + static_cast<std::ptrdiff_t>(std::min(keep, hits.size()));
    std::partial_sort(hits.begin(), best, hits.end(), [](text_hit const& a, text_hit const& b) {
      return a.score != b.score ? a.score > b.score : a.number > b.number;
    });
    hits.erase(best, hits.end());
  }

 private:
  bool known(std::uint32_t number) const { return number < records_.size() && records_[number].exists(); }

  void add(std::uint32_t number, double score) {
    if (own_[number] == 0) touched_.push_back(number);
    own_[number] += score;
  }

  /// What each record is lent by its neighbours and its thread; those who have nothing of their own join touched_.
  std::vector<double> lend(std::size_t threads) {
    std::vector<double> lent(records_.size(), 0.0), best(threads, 0.0);
    if (threads == 0) return lent;
    auto const lenders = touched_.size();
    auto const give = [&](std::uint32_t to, double score) {
      if (score <= 0) return;
      if (own_[to] == 0 && lent[to] == 0) touched_.push_back(to);
      lent[to] += score;
    };
    for (std::size_t i = 0; i < lenders; ++i) {
      auto const from = touched_[i];
      if (records_[from].thread == no_number) continue;
      best[records_[from].thread] = std::max(best[records_[from].thread], own_[from]);
      auto left = records_[from].before, right = records_[from].after;
      for (std::size_t distance = 1; distance <= tuning_.neighbour_reach; ++distance) {
        auto const part = tuning_.neighbour_weight / static_cast<double>(distance) * own_[from];
        if (left != no_number) give(left, part), left = records_[left].before;
        if (right != no_number) give(right, part), right = records_[right].after;
      }
    }
    for (auto const number : touched_)
      if (records_[number].thread != no_number) lent[number] += tuning_.thread_weight * best[records_[number].thread];
    return lent;
  }

  std::vector<known_record> const& records_;
  text_tuning const& tuning_;
  std::vector<double> own_;
  std::vector<std::uint32_t> touched_;
  double all_ = 0;
  std::array<double, index_totals::profiles> average_{};
};

}  // namespace

double rarity(double records, double with_term) {
  return std::log(1 + (std::max(records - with_term, 0.0) + 0.5) / (with_term + 0.5));
}

result<text_found> search_text(store_state const& store, scope_index& index, index_totals const& totals,
                               std::vector<term_at> const& question, record_filter const& filter,
                               text_tuning const& tuning, std::size_t keep) {
  text_found found;
  std::vector<double> times;
  std::vector<std::size_t> place;  // of each question term among the distinct ones
  for (auto const& asked : question) {
    auto const known = std::find(found.terms.begin(), found.terms.end(), asked.term);
    place.push_back(static_cast<std::size_t>(known - found.terms.begin()));
    if (known != found.terms.end()) {
      times[place.back()] += 1;
      continue;
    }
    auto list = index.postings(store, asked.term);
    if (!list) return list.error();
    found.terms.push_back(asked.term);
    found.lists.push_back(std::move(*list));
    times.push_back(1);
  }
  text_scores scores(index, totals, tuning);
  for (std::size_t i = 0; i < found.terms.size(); ++i) scores.add_term(*found.lists[i], times[i]);
  for (std::size_t i = 0; tuning.phrase_weight > 0 && i < question.size(); ++i)
    for (std::size_t j = i + 1; j < question.size() && question[j].position <= question[i].position + 1; ++j)
      if (question[j].position == question[i].position + 1)
        scores.add_phrase(*found.lists[place[i]], *found.lists[place[j]]);
  scores.take_hits(filter, index.threads(), keep, found);
  return found;
}

}  // namespace wherry::inline v0::memory_detail
