#include "recall_fusion.hpp"
#include "scope_state.hpp"
#include "text_search.hpp"

#include <wherry/core/text.hpp>
#include <wherry/memory/scope.hpp>

#include <cstdio>
#include <shared_mutex>

namespace wherry::inline v0 {

using namespace memory_detail;

namespace {

error refused(std::string message) { return error{errc::invalid_argument, std::move(message), "recall"}; }

std::optional<error> refuse(recall_query const& q) {
  if (q.limit > recall_limit_max)
    return refused("a recall asks for " + std::to_string(q.limit) + " records; the most is " +
                   std::to_string(recall_limit_max));
  if (q.text.size() > recall_text_bytes_max)
    return refused("a recall's text is " + std::to_string(q.text.size()) + " bytes long; the most is " +
                   std::to_string(recall_text_bytes_max));
  if (!is_valid_utf8(q.text)) return refused("a recall's text is not UTF-8");
  if (q.text.empty() && q.vector.empty()) return refused("a recall has neither text nor vector");
  return std::nullopt;
}

/// The terms of the question that a record holds, as a reader would write them.
std::vector<std::string> words_in(text_found const& found, std::uint32_t number) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < found.terms.size(); ++i) {
    auto const& list = *found.lists[i];
    auto const at = std::lower_bound(list.begin(), list.end(), number,
                                     [](posting const& p, std::uint32_t n) { return p.number < n; });
    if (at != list.end() && at->number == number) out.push_back(found.terms[i]);
  }
  return out;
}

std::string number_text(char const* format, double value) {
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

}  // namespace

std::string explain(recall_hit const& hit) {
  std::string out;
  for (auto const& arm : hit.arms) {
    if (!out.empty()) out += ", ";
    out += arm.name + ' ' + std::to_string(arm.rank) + number_text(" (%.3g", arm.score);
    if (arm.name == "text") {
      out += ':';
      for (auto const& word : hit.words) out += ' ' + word;
      if (hit.lent > 0) out += number_text("; %.0f %% lent", 100 * hit.lent);
    }
    out += ')';
  }
  auto const factor = [&](char const* name, double value) {
    if (value != 1) out += std::string(", ") + name + number_text(" x%.3f", value);
  };
  factor("recency", hit.recency);
  factor("importance", hit.importance);
  factor("proof", hit.proof);
  return out;
}

result<recall_result> scope_handle::recall(recall_query const& q) const {
  if (auto wrong = refuse(q)) return *wrong;
  auto const& store = *state_->store;
  std::unique_lock lock(state_->mutex);
  if (auto ready = state_->load_locked(); !ready) return ready.error();
  if (!state_->id || q.limit == 0) return recall_result{};
  auto const index = state_->index_locked();
  if (!index) return index.error();
  auto const totals = state_->totals;
  lock.unlock();

  std::shared_lock const reading((*index)->mutex);
  auto filter = (*index)->filter(q.kinds, q.tags);
  filter.as_of = q.as_of;
  filter.known_at = q.known_at;
  filter.now = store.options.time_source->now();

  recall_result out;
  text_found text;
  std::vector<arm_hits> arms;
  if (!q.text.empty()) {
    auto found =
        search_text(store, **index, totals, store.analysers.borrow()->question(q.text), filter, q.text_options);
    if (!found) return found.error();
    text = std::move(*found);
    arm_hits arm{.name = "text"};
    for (auto const& hit : text.hits) arm.hits.push_back({hit.number, hit.score});
    arms.push_back(std::move(arm));
  }
  auto const fused = fuse(arms, (*index)->records(), q);
  out.candidates = fused.candidates;
  std::size_t bytes = 0;
  for (auto const& candidate : fused.best) {
    if (out.hits.size() == q.limit) break;
    auto const& known = (*index)->records()[candidate.number];
    auto const value = store.get(family::mem, record_key(*state_->id, known.id));
    if (!value) return value.error();
    if (!*value) continue;  // erased since
    auto stored = decode_record(**value, known.id);
    if (!stored) return store.damaged("record " + known.id.text() + " fails its checksum");
    if (stored->number != candidate.number) continue;  // its text was changed since
    if (q.text_bytes_max && bytes + stored->what.text.size() > q.text_bytes_max) continue;
    bytes += stored->what.text.size();
    recall_hit hit{.record = std::move(stored->what), .score = candidate.score};
    hit.recency = candidate.recency;
    hit.importance = candidate.importance;
    hit.proof = candidate.proof;
    hit.arms = arms_of(arms, candidate);
    if (!q.text.empty()) {
      hit.words = words_in(text, candidate.number);
      if (auto const rank = candidate.ranks[0]; rank > 0) {
        auto const& scored = text.hits[rank - 1];
        hit.lent = scored.score > 0 ? 1 - scored.own / scored.score : 0;
      }
    }
    out.hits.push_back(std::move(hit));
  }
  return out;
}

}  // namespace wherry::inline v0
