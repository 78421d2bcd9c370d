#include "recall_draft.hpp"

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

/// One search: the arms, their fusion, and the records of the best.
class recall_search {
 public:
  recall_search(scope_state& scope, recall_query const& q) : scope_(scope), store_(*scope.store), q_(q) {}

  result<recall_draft> run() {
    auto const begun = begin();
    if (!begun) return begun.error();
    if (!*begun) return recall_draft{};
    std::shared_lock const reading(index_->mutex);
    filter_ = index_->filter(q_.kinds, q_.tags);
    filter_.as_of = q_.as_of;
    filter_.known_at = q_.known_at;
    filter_.now = store_.options.time_source->now();
    if (auto searched = search_words(); !searched) return searched.error();
    for (auto const& [set, asked] : vector_sets_) {
      auto found = search_vectors(*set, *asked, filter_, *index_, q_.limit, out_);
      if (!found) return found.error();
      found->weight = q_.weights.vector;
      arms_.push_back(std::move(*found));
    }
    auto const fused = fuse(arms_, index_->records(), q_);
    out_.candidates = std::max(fused.candidates, text_.candidates);
    if (auto taken = take(fused.best); !taken) return taken.error();
    return recall_draft{std::move(out_), rarities(text_, totals_)};
  }

 private:
  /// What is searched, as it is now; false when there is nothing.
  result<bool> begin() {
    std::lock_guard const lock(scope_.mutex);
    if (auto ready = scope_.load_locked(); !ready) return ready.error();
    if (!scope_.id || q_.limit == 0) return false;
    auto const ready = scope_.index_locked();
    if (!ready) return ready.error();
    id_ = *scope_.id;
    index_ = *ready;  // outlives an erase beside us
    totals_ = scope_.totals;
    for (auto const& asked : q_.vectors) {
      if (q_.weights.vector == 0) break;
      auto const set = scope_.vectors_locked(asked.fingerprint);
      if (!set) return set.error();
      if (*set)
        vector_sets_.emplace_back(*set, &asked);
      else
        out_.degraded.push_back("vector: no record has a vector of the embedder \"" + asked.fingerprint + '"');
    }
    return true;
  }

  result<void> search_words() {
    if (q_.text.empty() || q_.weights.text + q_.weights.entity == 0) return {};
    auto const analyser = store_.analysers.borrow();
    auto const question = analyser->question(q_.text);
    if (q_.weights.text > 0) {
      auto found = search_text(store_, *index_, totals_, question, filter_, q_.text_options,
                               text_hits_per_hit * q_.limit + text_hits_min);
      if (!found) return found.error();
      text_ = std::move(*found);
      arm_hits arm{.name = "text", .weight = q_.weights.text};
      for (auto const& hit : text_.hits) arm.hits.push_back({hit.number, hit.score});
      arms_.push_back(std::move(arm));
    }
    if (q_.weights.entity > 0) {
      auto found = search_entities(store_, *index_, totals_, *analyser, q_.text, dates_in(question), filter_);
      if (!found) return found.error();
      entities_ = std::move(*found);
      entities_.arm.weight = q_.weights.entity;
      if (!entities_.arm.hits.empty()) arms_.push_back(entities_.arm);
    }
    return {};
  }

  /// Reads the records of the best, as many as are asked for and fit.
  result<void> take(std::vector<fused_hit> const& best) {
    std::size_t bytes = 0;
    for (auto const& candidate : best) {
      if (out_.hits.size() == q_.limit) break;
      auto const& known = index_->records()[candidate.number];
      auto const value = store_.get(family::mem, record_key(id_, known.id));
      if (!value) return value.error();
      if (!*value) continue;  // erased since
      auto stored = decode_record(**value, known.id);
      if (!stored) return store_.damaged("record " + known.id.text() + " fails its checksum");
      if (stored->number != candidate.number) continue;  // its text was changed since
      if (q_.text_bytes_max && bytes + stored->what.text.size() > q_.text_bytes_max) continue;
      bytes += stored->what.text.size();
      out_.hits.push_back(hit_of(candidate, std::move(stored->what)));
    }
    return {};
  }

  recall_hit hit_of(fused_hit const& candidate, record what) const {
    recall_hit hit{.record = std::move(what), .score = candidate.score};
    hit.recency = candidate.recency;
    hit.importance = candidate.importance;
    hit.proof = candidate.proof;
    hit.origin = candidate.origin;
    hit.arms = arms_of(arms_, candidate);
    hit.entities = entities_in(entities_, candidate.number);
    if (q_.text.empty() || q_.weights.text == 0) return hit;
    hit.words = words_in(text_, candidate.number);
    if (auto const place = candidate.places[0]; place > 0) {
      auto const& scored = text_.hits[place - 1];
      hit.lent = scored.score > 0 ? 1 - scored.own / scored.score : 0;
    }
    return hit;
  }

  scope_state& scope_;
  store_state const& store_;
  recall_query const& q_;
  ulid id_ = {};
  std::shared_ptr<scope_index> index_;
  index_totals totals_;
  std::vector<std::pair<vector_set*, embedding const*>> vector_sets_;
  record_filter filter_;
  text_found text_;
  entity_found entities_;
  std::vector<arm_hits> arms_;
  recall_result out_;
};

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
  if (hit.reranked_from > 0)
    out += number_text(", re-ranker %.3g", hit.rerank_score) + " (was " + std::to_string(hit.reranked_from) + ')';
  if (hit.ahead_of != ulid{}) out += ", newer than " + hit.ahead_of.text();
  return out;
}

namespace memory_detail {

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

result<recall_draft> draft_recall(scope_state& scope, recall_query const& q) { return recall_search(scope, q).run(); }

recall_result finish_recall(recall_draft draft, recall_query const& q) {
  auto out = std::move(draft.found);
  auto all = std::exchange(out.hits, {});
  std::size_t bytes = 0;
  for (auto& hit : all) {
    if (out.hits.size() == q.limit) break;
    if (q.text_bytes_max && bytes + hit.record.text.size() > q.text_bytes_max) continue;
    bytes += hit.record.text.size();
    out.hits.push_back(std::move(hit));
  }
  if (q.newest_first) put_newest_first(out.hits, draft.rarity);
  return out;
}

}  // namespace memory_detail

result<recall_result> scope_handle::recall(recall_query const& q) const {
  if (auto wrong = refuse(q)) return *wrong;
  auto draft = draft_recall(*state_, q);
  if (!draft) return std::move(draft).error();
  return finish_recall(std::move(*draft), q);
}

}  // namespace wherry::inline v0
