#include "entity_search.hpp"

#include "entities.hpp"
#include "text_search.hpp"

#include <algorithm>

namespace wherry::inline v0::memory_detail {
namespace {

using lists = std::vector<std::shared_ptr<posting_list const>>;

/// The terms that say whether a text holds the entity: its whole form where it has one, else its words in order.
std::vector<std::string> terms_of(text_analyser const& analyser, std::string const& entity) {
  auto const analysed = analyser.document(entity);
  std::vector<std::string> words;
  std::uint32_t last = 0;
  for (auto const& at : analysed.terms) {
    bool const whole = at.term.front() == '=';
    if (whole && at.position == 0 && entity.find(' ') == std::string::npos) return {at.term};
    if (whole || (!words.empty() && at.position == last)) continue;  // parts of one word: "parseJson"
    words.push_back(at.term);
    last = at.position;
  }
  return words;
}

posting_list::entry const* entry_of(posting_list const& list, std::uint32_t number) {
  auto const& all = list.entries();
  auto const at = std::lower_bound(all.begin(), all.end(), number,
                                   [](posting_list::entry const& e, std::uint32_t n) { return e.number < n; });
  return at != all.end() && at->number == number ? &*at : nullptr;
}

bool stand_together(lists const& terms, std::uint32_t number) {
  std::vector<posting_list::entry const*> found;
  bool titled = true;
  for (auto const& list : terms) {
    found.push_back(entry_of(*list, number));
    if (!found.back()) return false;
    titled = titled && found.back()->in_title > 0;
  }
  if (titled) return true;
  for (auto const first : terms[0]->positions(*found[0])) {
    bool follows = true;
    for (std::size_t i = 1; follows && i < terms.size(); ++i) {
      auto const positions = terms[i]->positions(*found[i]);
      follows = std::binary_search(positions.begin(), positions.end(), first + static_cast<std::uint32_t>(i));
    }
    if (follows) return true;
  }
  return false;
}

result<std::vector<std::uint32_t>> records_with(store_state const& store, scope_index& index,
                                                std::vector<std::string> const& terms) {
  lists found;
  std::vector<std::uint32_t> out;
  for (auto const& term : terms) {
    auto list = index.postings(store, term);
    if (!list) return list.error();
    if ((*list)->size() == 0) return out;
    found.push_back(std::move(*list));
  }
  if (found.empty()) return out;
  auto const rarest =
      std::min_element(found.begin(), found.end(), [](auto const& a, auto const& b) { return a->size() < b->size(); });
  for (auto const& e : (*rarest)->entries()) {
    if (e.number >= index.records().size() || !index.records()[e.number].exists()) continue;
    if (found.size() == 1 || stand_together(found, e.number)) out.push_back(e.number);
  }
  return out;
}

/// Keeps the best and gives each its rank; equals share the one in their middle. Equals whose rank lies beyond what
/// takes part in a fusion are dropped together, and with them all that come after.
void rank(std::vector<arm_hit>& hits) {
  constexpr auto most = 2 * recall_arm_hits_max;  // equals with a rank within the bound end before this
  auto const keep = hits.begin() + static_cast<std::ptrdiff_t>(std::min(hits.size(), most + 1));
  std::partial_sort(hits.begin(), keep, hits.end(), [](arm_hit const& a, arm_hit const& b) {
    return a.score != b.score ? a.score > b.score : a.number > b.number;
  });
  hits.erase(keep, hits.end());
  for (std::size_t first = 0; first < hits.size();) {
    auto end = first;
    while (end < hits.size() && hits[end].score == hits[first].score) ++end;
    auto const middle = static_cast<double>(first + 1 + end) / 2;
    if (end > most || middle > static_cast<double>(recall_arm_hits_max)) return hits.resize(first);
    for (auto i = first; i < end; ++i) hits[i].rank = middle;
    first = end;
  }
}

}  // namespace

result<entity_found> search_entities(store_state const& store, scope_index& index, index_totals const& totals,
                                     text_analyser const& analyser, std::string_view question,
                                     std::vector<std::string> const& dates, record_filter const& filter) {
  entity_found out;
  std::vector<std::vector<std::string>> asked;  // terms, each entity once however it is written
  auto const look = [&](std::string name, std::vector<std::string> terms) -> result<void> {
    if (terms.empty() || std::find(asked.begin(), asked.end(), terms) != asked.end()) return {};
    auto numbers = records_with(store, index, terms);
    if (!numbers) return numbers.error();
    asked.push_back(std::move(terms));
    if (numbers->empty()) return {};
    out.entities.push_back(std::move(name));
    out.records.push_back(std::move(*numbers));
    return {};
  };
  for (auto& entity : entities_of(question)) {
    auto terms = terms_of(analyser, entity.text);
    if (auto looked = look(std::move(entity.text), std::move(terms)); !looked) return looked.error();
  }
  for (auto const& date : dates)
    if (auto looked = look(date, {date}); !looked) return looked.error();

  double all = 0;
  for (auto const count : totals.records) all += static_cast<double>(count);
  std::vector<double> scores(out.entities.empty() ? 0 : index.records().size(), 0.0);
  for (std::size_t i = 0; i < out.entities.size(); ++i) {
    auto const worth = rarity(all, static_cast<double>(out.records[i].size()));
    for (auto const number : out.records[i]) {
      if (!filter.admits(index.records()[number])) continue;
      if (scores[number] == 0) out.arm.hits.push_back({.number = number});
      scores[number] += worth;
    }
  }
  for (auto& hit : out.arm.hits) hit.score = scores[hit.number];
  rank(out.arm.hits);
  return out;
}

}  // namespace wherry::inline v0::memory_detail
