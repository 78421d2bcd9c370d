#include "entity_search.hpp"
#include "recall_fusion.hpp"
#include "recall_news.hpp"
#include "scope_state.hpp"
#include "text_search.hpp"
#include "vector_set.hpp"

#include <wherry/core/text.hpp>
#include <wherry/memory/scope.hpp>

#include <cstdio>
#include <map>
#include <shared_mutex>

namespace wherry::inline v0 {

using namespace memory_detail;

namespace {

/// How many records the vector arm offers: so many for each that is asked for, at least so many.
constexpr std::size_t vector_hits_per_hit = 2;
constexpr std::size_t vector_hits_min = 50;
/// Likewise the text arm.
constexpr std::size_t text_hits_per_hit = 3;
constexpr std::size_t text_hits_min = recall_arm_hits_max;

error refused(std::string message) { return error{errc::invalid_argument, std::move(message), "recall"}; }

std::optional<error> refuse(recall_query const& q) {
  if (q.limit > recall_limit_max)
    return refused("a recall asks for " + std::to_string(q.limit) + " records; the most is " +
                   std::to_string(recall_limit_max));
  if (q.text.size() > recall_text_bytes_max)
    return refused("a recall's text is " + std::to_string(q.text.size()) + " bytes long; the most is " +
                   std::to_string(recall_text_bytes_max));
  if (!is_valid_utf8(q.text)) return refused("a recall's text is not UTF-8");
  if (q.text.empty() && q.vectors.empty()) return refused("a recall has neither text nor vector");
  for (auto const weight : {q.weights.text, q.weights.vector, q.weights.entity})
    if (!(weight >= 0 && weight <= recall_weight_max))
      return refused("a recall's weight of an arm is not between 0 and " +
                     std::to_string(static_cast<int>(recall_weight_max)));
  return std::nullopt;
}

/// The terms of the question that a record holds, as a reader would write them.
std::vector<std::string> words_in(text_found const& found, std::uint32_t number) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < found.terms.size(); ++i) {
    if (found.lists[i]->contains(number)) out.push_back(found.terms[i]);
  }
  return out;
}

/// The entities of the question that a record holds.
std::vector<std::string> entities_in(entity_found const& found, std::uint32_t number) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < found.entities.size(); ++i)
    if (std::binary_search(found.records[i].begin(), found.records[i].end(), number)) out.push_back(found.entities[i]);
  return out;
}

std::vector<std::string> dates_in(std::vector<term_at> const& question) {
  std::vector<std::string> out;
  for (auto const& at : question)
    if (at.term.front() == '@') out.push_back(at.term);
  return out;
}

/// How rare each word of the question is in the scope.
std::map<std::string, double> rarities(text_found const& found, index_totals const& totals) {
  std::uint64_t records = 0;
  for (auto const count : totals.records) records += count;
  std::map<std::string, double> out;
  for (std::size_t i = 0; i < found.terms.size(); ++i)
    out.emplace(found.terms[i], rarity(static_cast<double>(records), static_cast<double>(found.lists[i]->size())));
  return out;
}

struct vector_arm {
  vector_set* set;
  embedding const& asked;
};

/// The vector arm's hits; says in `into` what it could not see.
result<arm_hits> search_vectors(vector_set const& set, embedding const& asked, record_filter const& filter,
                                scope_index const& index, std::size_t limit, recall_result& into) {
  auto const& generation = set.generation();
  if (asked.values.size() != generation.dimensions)
    return refused("a recall's vector has " + std::to_string(asked.values.size()) + " dimensions; those of \"" +
                   asked.fingerprint + "\" have " + std::to_string(generation.dimensions));
  auto const packed = pack(generation.form, asked.values);
  if (packed.empty()) return refused("a recall's vector has no length, or one that is not finite");
  if (set.size() < index.live())
    into.degraded.push_back("vector: " + std::to_string(index.live() - set.size()) + " of " +
                            std::to_string(index.live()) + " records have no vector of the embedder \"" +
                            asked.fingerprint + "\" yet");
  arm_hits arm{.name = "vector"};
  auto const count = std::max(vector_hits_min, vector_hits_per_hit * limit);
  for (auto const& found : set.search(packed, count, filter, index.records()))
    arm.hits.push_back({found.number, found.score});
  return arm;
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
    if (arm.name == "entity")
      for (std::size_t i = 0; i < hit.entities.size(); ++i) out += (i ? ", " : ": ") + hit.entities[i];
    out += ')';
  }
  auto const factor = [&](char const* name, double value) {
    if (value != 1) out += std::string(", ") + name + number_text(" x%.3f", value);
  };
  factor("recency", hit.recency);
  factor("importance", hit.importance);
  factor("proof", hit.proof);
  factor("own words", hit.origin);
  if (hit.ahead_of != ulid{}) out += ", newer than " + hit.ahead_of.text();
  return out;
}

result<recall_result> scope_handle::recall(recall_query const& q) const {
  if (auto wrong = refuse(q)) return *wrong;
  auto const& store = *state_->store;
  std::unique_lock lock(state_->mutex);
  if (auto ready = state_->load_locked(); !ready) return ready.error();
  if (!state_->id || q.limit == 0) return recall_result{};
  auto const ready_index = state_->index_locked();
  if (!ready_index) return ready_index.error();
  auto const index = *ready_index;  // outlives an erase beside us
  auto const totals = state_->totals;
  recall_result out;
  std::vector<vector_arm> vector_arms;
  for (auto const& asked : q.vectors) {
    if (q.weights.vector == 0) break;
    auto const set = state_->vectors_locked(asked.fingerprint);
    if (!set) return set.error();
    if (*set)
      vector_arms.push_back({*set, asked});
    else
      out.degraded.push_back("vector: no record has a vector of the embedder \"" + asked.fingerprint + '"');
  }
  lock.unlock();

  std::shared_lock const reading(index->mutex);
  auto filter = index->filter(q.kinds, q.tags);
  filter.as_of = q.as_of;
  filter.known_at = q.known_at;
  filter.now = store.options.time_source->now();

  text_found text;
  entity_found entities;
  std::vector<arm_hits> arms;
  if (!q.text.empty() && q.weights.text + q.weights.entity > 0) {
    auto const analyser = store.analysers.borrow();
    auto const question = analyser->question(q.text);
    if (q.weights.text > 0) {
      auto found = search_text(store, *index, totals, question, filter, q.text_options,
                               text_hits_per_hit * q.limit + text_hits_min);
      if (!found) return found.error();
      text = std::move(*found);
      arm_hits arm{.name = "text", .weight = q.weights.text};
      for (auto const& hit : text.hits) arm.hits.push_back({hit.number, hit.score});
      arms.push_back(std::move(arm));
    }
    if (q.weights.entity > 0) {
      auto found = search_entities(store, *index, totals, *analyser, q.text, dates_in(question), filter);
      if (!found) return found.error();
      entities = std::move(*found);
      entities.arm.weight = q.weights.entity;
      if (!entities.arm.hits.empty()) arms.push_back(entities.arm);
    }
  }
  for (auto const& [set, asked] : vector_arms) {
    auto found = search_vectors(*set, asked, filter, *index, q.limit, out);
    if (!found) return found.error();
    found->weight = q.weights.vector;
    arms.push_back(std::move(*found));
  }
  auto const fused = fuse(arms, index->records(), q);
  out.candidates = std::max(fused.candidates, text.candidates);
  std::size_t bytes = 0;
  for (auto const& candidate : fused.best) {
    if (out.hits.size() == q.limit) break;
    auto const& known = index->records()[candidate.number];
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
    hit.origin = candidate.origin;
    hit.arms = arms_of(arms, candidate);
    hit.entities = entities_in(entities, candidate.number);
    if (!q.text.empty() && q.weights.text > 0) {
      hit.words = words_in(text, candidate.number);
      if (auto const place = candidate.places[0]; place > 0) {
        auto const& scored = text.hits[place - 1];
        hit.lent = scored.score > 0 ? 1 - scored.own / scored.score : 0;
      }
    }
    out.hits.push_back(std::move(hit));
  }
  if (q.newest_first) put_newest_first(out.hits, rarities(text, totals));
  return out;
}

}  // namespace wherry::inline v0
