// The part of a commit that is about records: the record, the rows that find it again, and its postings.

#include "scope_commit.hpp"
#include "text_search.hpp"
#include "vector_set.hpp"

#include <wherry/core/text.hpp>

#include <algorithm>
#include <cmath>
#include <shared_mutex>

namespace wherry::inline v0::memory_detail {
namespace {

/// Positions of one term kept for phrases; a term that stands in a text more often is common there anyway.
constexpr std::size_t positions_max = 64;
/// A record that shares this part of its terms with a known one is told to be similar.
constexpr double similar_from = 0.5;
/// How many records the text arm offers for that.
constexpr std::size_t similar_candidates = 5;

error refused(errc code, std::string message) { return error{code, std::move(message), "transaction.commit"}; }

std::optional<error> refuse_text(std::string_view text, std::size_t bytes_max, char const* what) {
  if (text.size() > bytes_max)
    return refused(errc::limit_reached, std::string(what) + " is " + std::to_string(text.size()) +
                                            " bytes long; the most is " + std::to_string(bytes_max));
  if (!is_valid_utf8(text)) return refused(errc::invalid_argument, std::string(what) + " is not UTF-8");
  return std::nullopt;
}

std::optional<error> refuse_record(record const& r) {
  if (auto wrong = refuse_name(r.kind, "a record's kind")) return wrong;
  if (auto wrong = refuse_name(r.source.session, "a record's source")) return wrong;
  if (auto wrong = refuse_text(r.text, record_bytes_max, "a record's text")) return wrong;
  for (auto const& [label, what] :
       {std::pair(&r.title, "a record's title"), std::pair(&r.subject, "a record's subject"),
        std::pair(&r.attribute, "a record's attribute"), std::pair(&r.source.document, "a record's document")})
    if (auto wrong = refuse_text(*label, record_label_bytes_max, what)) return wrong;
  if (r.tags.size() > record_tags_max)
    return refused(errc::limit_reached, "a record has " + std::to_string(r.tags.size()) + " tags; the most is " +
                                            std::to_string(record_tags_max));
  for (auto const& tag : r.tags)
    for (auto const* part : {&tag.name, &tag.value})
      if (auto wrong = refuse_text(*part, record_label_bytes_max, "a record's tag")) return wrong;
  if (!(r.importance >= 0 && r.importance <= 1))
    return refused(errc::invalid_argument, "a record's importance is not between 0 and 1");
  if (r.origin < record_origin::user || r.origin > record_origin::recalled)
    return refused(errc::invalid_argument, "a record's origin does not exist");
  if (r.source.begin > r.source.end) return refused(errc::invalid_argument, "a record's span ends before it begins");
  if (r.valid_to && r.valid_to < r.valid_from)
    return refused(errc::invalid_argument, "a record ceases to hold before it begins to");
  return std::nullopt;
}

bool is_live(record const& r) { return r.superseded_at == 0; }
utc_ms since(record const& r) { return r.valid_from ? r.valid_from : r.created; }

/// Whether a change leaves everything alone that the postings are made from, or that orders them.
bool same_postings(record const& a, record const& b) {
  return a.text == b.text && a.title == b.title && a.kind == b.kind && a.source == b.source && since(a) == since(b);
}

/// A record's postings by term; fills in how long it is.
std::vector<std::pair<std::string, posting>> postings_of(scope_state const& scope, stored_record& r) {
  auto const analyser = scope.store->analysers.borrow();
  auto const text = analyser->document(r.what.text);
  auto const title = analyser->document(r.what.title);
  r.text_length = text.length;
  r.title_length = title.length;
  std::map<std::string, posting> by_term;
  auto const of = [&](std::string const& term) -> posting& {
    auto& p = by_term[term];
    p.number = r.number;
    p.length = text.length + title.length;
    return p;
  };
  for (auto const& at : text.terms) {
    auto& p = of(at.term);
    ++p.in_text;
    if (at.term.front() != '=' && p.positions.size() < positions_max &&
        (p.positions.empty() || p.positions.back() != at.position))
      p.positions.push_back(at.position);
  }
  for (auto const& at : title.terms) ++of(at.term).in_title;
  for (auto const& term : date_terms(since(r.what))) of(term).in_text = 1;
  return {by_term.begin(), by_term.end()};
}

}  // namespace

derived_rows derive(scope_state const& scope, stored_record const& r) {
  derived_rows out;
  auto again = r;
  for (auto const& [term, p] : postings_of(scope, again))
    out.rows.push_back({{family::post, posting_key(*scope.id, term, r.number)}, encode_posting(p)});
  if (r.what.expires) out.rows.push_back({{family::mem, expiry_key(*scope.id, r.what.expires, r.what.id)}, {}});
  if (!is_live(r.what)) return out;
  out.shared.emplace_back(same_text_key(*scope.id, r.what), r.what.id);
  if (!r.what.attribute.empty()) out.shared.emplace_back(attribute_key(*scope.id, r.what), r.what.id);
  return out;
}

result<void> scope_commit::begin_records() {
  if (auto ready = begin(); !ready) return ready;
  if (totals_) return {};
  if (auto ready = scope_.load_totals_locked(); !ready) return ready;
  totals_ = scope_.totals;
  generations_ = scope_.generations;
  return {};
}

result<std::optional<stored_record>> scope_commit::find_record(ulid const& id) const {
  if (auto const staged = records_.find(id); staged != records_.end()) return staged->second;
  if (new_scope_) return std::optional<stored_record>{};
  return scope_.record_locked(id);
}

result<std::optional<ulid>> scope_commit::find_id(std::string const& key) const {
  if (auto const staged = pointers_.find(key); staged != pointers_.end()) return staged->second;
  if (new_scope_) return std::optional<ulid>{};
  auto const value = scope_.store->get(family::mem, key);
  if (!value) return value.error();
  if (!*value) return std::optional<ulid>{};
  auto const id = decode_id(**value);
  if (!id) return scope_.store->damaged("a row that names a record fails its checksum");
  return id;
}

result<void> scope_commit::point(std::string const& key, ulid const& id) {
  pointers_[key] = id;
  return put_value(family::mem, key, encode_id(id));
}

/// Takes a row away if it names this record.
result<void> scope_commit::unpoint(std::string const& key, ulid const& id) {
  auto const named = find_id(key);
  if (!named) return named.error();
  if (*named != id) return {};
  pointers_[key] = std::nullopt;
  return erase_key(family::mem, key);
}

/// Writes the record's row and the rows that find it.
result<void> scope_commit::write_record(stored_record const& r) {
  records_[r.what.id] = r;
  if (is_live(r.what)) {
    if (auto done = point(same_text_key(*scope_.id, r.what), r.what.id); !done) return done;
    if (!r.what.attribute.empty())
      if (auto done = point(attribute_key(*scope_.id, r.what), r.what.id); !done) return done;
  }
  if (r.what.expires)
    if (auto put = put_value(family::mem, expiry_key(*scope_.id, r.what.expires, r.what.id), {}); !put) return put;
  return put_value(family::mem, record_key(*scope_.id, r.what.id), encode_record(r));
}

result<void> scope_commit::add_record(record const& r) {
  stored_record stored{.what = r, .number = totals_->next_number++};
  auto postings = postings_of(scope_, stored);
  for (auto const& [term, p] : postings) {
    auto const key = posting_key(*scope_.id, term, p.number);
    if (auto put = put_value(family::post, key, encode_posting(p)); !put) return put;
  }
  auto const profile = profile_of(r.kind);
  ++totals_->records[profile];
  totals_->length[profile] += stored.text_length + stored.title_length;
  if (auto put = write_record(stored); !put) return put;
  index_changes_.push_back({index_change::what::add, std::move(stored), std::move(postings)});
  return {};
}

result<void> scope_commit::remove_record(stored_record const& r) {
  auto gone = r;
  auto postings = postings_of(scope_, gone);
  for (auto const& [term, p] : postings)
    if (auto gone_too = erase_key(family::post, posting_key(*scope_.id, term, r.number)); !gone_too) return gone_too;
  for (auto const& g : generations_)
    if (auto gone_too = erase_key(family::vec, vector_key(*scope_.id, g.number, r.number)); !gone_too) return gone_too;
  auto const profile = profile_of(r.what.kind);
  --totals_->records[profile];
  totals_->length[profile] -= r.text_length + r.title_length;
  if (auto done = unpoint(same_text_key(*scope_.id, r.what), r.what.id); !done) return done;
  if (!r.what.attribute.empty())
    if (auto done = unpoint(attribute_key(*scope_.id, r.what), r.what.id); !done) return done;
  if (r.what.expires)
    if (auto done = erase_key(family::mem, expiry_key(*scope_.id, r.what.expires, r.what.id)); !done) return done;
  if (auto done = erase_key(family::mem, record_key(*scope_.id, r.what.id)); !done) return done;
  records_[r.what.id] = std::nullopt;
  index_changes_.push_back({index_change::what::remove, r, std::move(postings)});
  return {};
}

result<void> scope_commit::change_record(stored_record const& before, record const& after) {
  if (!same_postings(before.what, after)) {
    if (auto removed = remove_record(before); !removed) return removed;
    return add_record(after);
  }
  if (before.what.expires && before.what.expires != after.expires)
    if (auto done = erase_key(family::mem, expiry_key(*scope_.id, before.what.expires, after.id)); !done) return done;
  if (!is_live(after)) {
    if (auto done = unpoint(same_text_key(*scope_.id, before.what), after.id); !done) return done;
    if (!before.what.attribute.empty())
      if (auto done = unpoint(attribute_key(*scope_.id, before.what), after.id); !done) return done;
  } else if (before.what.subject != after.subject || before.what.attribute != after.attribute) {
    if (auto done = unpoint(same_text_key(*scope_.id, before.what), after.id); !done) return done;
    if (auto done = unpoint(attribute_key(*scope_.id, before.what), after.id); !done) return done;
  }
  auto stored = before;
  stored.what = after;
  if (auto put = write_record(stored); !put) return put;
  index_changes_.push_back({index_change::what::change, std::move(stored)});
  return {};
}

result<void> scope_commit::put(record const& r) {
  if (auto wrong = refuse_record(r)) return *wrong;
  if (auto ready = begin_records(); !ready) return ready;
  auto stored = r;
  if (stored.created == 0) stored.created = now_;
  auto const before = find_record(r.id);
  if (!before) return before.error();
  return *before ? change_record(**before, stored) : add_record(stored);
}

result<void> scope_commit::remove(ulid const& record) {
  if (auto ready = begin_records(); !ready) return ready;
  auto const before = find_record(record);
  if (!before) return before.error();
  if (!*before) return refused(errc::not_found, "there is no record " + record.text());
  return remove_record(**before);
}

result<remember_report> scope_commit::remember(record const& r) {
  if (auto wrong = refuse_record(r)) return *wrong;
  if (auto ready = begin_records(); !ready) return ready.error();
  auto fresh = r;
  if (fresh.created == 0) fresh.created = now_;

  auto const same = find_id(same_text_key(*scope_.id, fresh));
  if (!same) return same.error();
  if (*same) {
    auto const known = find_record(**same);
    if (!known) return known.error();
    bool const holds = *known && !((*known)->what.valid_to && (*known)->what.valid_to <= now_) &&
                       !((*known)->what.expires && (*known)->what.expires <= now_);
    if (holds) {
      auto merged = (*known)->what;
      // Said in the very same place it proves nothing more: the work was done twice.
      if (fresh.source.end == 0 || merged.source != fresh.source) merged.proofs += fresh.proofs;
      merged.importance = std::max(merged.importance, fresh.importance);
      if (merged.expires) merged.expires = fresh.expires ? std::max(merged.expires, fresh.expires) : 0;
      if (auto changed = change_record(**known, merged); !changed) return changed.error();
      return remember_report{.outcome = merged.text == fresh.text ? remembered::same : remembered::merged,
                             .id = merged.id};
    }
  }

  remember_report report{.outcome = remembered::created, .id = fresh.id};
  std::optional<stored_record> older;
  if (!fresh.attribute.empty()) {
    auto const named = find_id(attribute_key(*scope_.id, fresh));
    if (!named) return named.error();
    if (*named) {
      auto const found = find_record(**named);
      if (!found) return found.error();
      older = *found;
    }
  }
  if (older && since(fresh) < since(older->what)) {
    // News of how it was before what is known now: it is kept as already ended.
    fresh.superseded_by = older->what.id;
    fresh.superseded_at = now_;
    if (fresh.valid_to == 0 || fresh.valid_to > since(older->what)) fresh.valid_to = since(older->what);
    report.other = older->what.id;
  } else if (older) {
    auto ended = older->what;
    ended.superseded_by = fresh.id;
    ended.superseded_at = now_;
    if (ended.valid_to == 0 || ended.valid_to > since(fresh)) ended.valid_to = since(fresh);
    if (auto changed = change_record(*older, ended); !changed) return changed.error();
    report.outcome = remembered::superseded;
    report.other = older->what.id;
  } else {
    auto const similar = similar_to(fresh);
    if (!similar) return similar.error();
    report.similar = *similar;
  }
  if (auto added = add_record(fresh); !added) return added.error();
  return report;
}

/// The live record of the same kind that shares most of its terms with this one; all zero when none shares enough.
result<ulid> scope_commit::similar_to(record const& r) {
  if (new_scope_ || scope_.totals.next_number == 0) return ulid{};
  auto const index = scope_.index_locked();
  if (!index) return index.error();
  auto const analyser = scope_.store->analysers.borrow();
  auto const terms_of = [&](std::string_view text) {
    std::set<std::string> out;
    for (auto& at : analyser->document(text).terms) out.insert(std::move(at.term));
    return out;
  };
  auto const question =
      analyser->question(std::string_view(r.text).substr(0, utf8_complete_prefix(r.text.substr(0, 512))));
  std::shared_lock const reading((*index)->mutex);
  auto filter = (*index)->filter({r.kind}, {});
  filter.now = now_;
  text_tuning alone;
  alone.neighbour_weight = alone.thread_weight = 0;
  auto const found = search_text(*scope_.store, **index, scope_.totals, question, filter, alone, similar_candidates);
  if (!found) return found.error();
  auto const mine = terms_of(r.text);
  for (std::size_t i = 0; i < std::min(found->hits.size(), similar_candidates); ++i) {
    auto const other = find_record((*index)->records()[found->hits[i].number].id);
    if (!other) return other.error();
    if (!*other || (*other)->what.subject != r.subject) continue;
    auto const theirs = terms_of((*other)->what.text);
    std::size_t shared = 0;
    for (auto const& term : mine) shared += theirs.count(term);
    auto const all = mine.size() + theirs.size() - shared;
    if (all > 0 && static_cast<double>(shared) >= similar_from * static_cast<double>(all)) return (*other)->what.id;
  }
  return ulid{};
}

result<vector_generation> scope_commit::generation_for(embedding const& vector) {
  for (auto const& g : generations_) {
    if (g.fingerprint != vector.fingerprint) continue;
    if (g.dimensions == vector.values.size()) return g;
    return refused(errc::invalid_argument, "a vector has " + std::to_string(vector.values.size()) +
                                               " dimensions; those of its embedder have " +
                                               std::to_string(g.dimensions));
  }
  if (generations_.size() >= vector_generations_max)
    return refused(errc::limit_reached, "the scope keeps vectors of " + std::to_string(vector_generations_max) +
                                            " embedders, which is the most");
  vector_generation fresh{.number = generations_.empty() ? 1 : generations_.back().number + 1,
                          .dimensions = static_cast<std::uint32_t>(vector.values.size()),
                          .form = scope_.store->options.vectors_as_int8 ? vector_form::int8 : vector_form::f32,
                          .fingerprint = vector.fingerprint};
  generations_.push_back(fresh);
  auto put = put_value(family::vec, generations_key(*scope_.id), encode_generations(generations_));
  if (!put) return put.error();
  return fresh;
}

result<void> scope_commit::embed(ulid const& record, embedding const& vector) {
  if (auto wrong = refuse_text(vector.fingerprint, record_label_bytes_max, "an embedder's fingerprint")) return *wrong;
  if (vector.values.empty() || vector.values.size() > vector_dimensions_max)
    return refused(errc::invalid_argument, "a vector has " + std::to_string(vector.values.size()) +
                                               " dimensions; it needs 1 to " + std::to_string(vector_dimensions_max));
  if (auto ready = begin_records(); !ready) return ready;
  auto const known = find_record(record);
  if (!known) return known.error();
  if (!*known) return refused(errc::not_found, "there is no record " + record.text() + " to give a vector");
  auto const generation = generation_for(vector);
  if (!generation) return generation.error();
  auto packed = pack(generation->form, vector.values);
  if (packed.empty()) return refused(errc::invalid_argument, "a vector has no length, or one that is not finite");
  auto const number = (*known)->number;
  auto put = put_value(family::vec, vector_key(*scope_.id, generation->number, number), encode_vector(packed));
  if (!put) return put;
  index_changes_.push_back({.how = index_change::what::vector,
                            .record = {.number = number},
                            .generation = generation->number,
                            .packed = std::move(packed)});
  return {};
}

result<void> scope_commit::image_written(std::uint32_t generation, std::uint32_t checksum) {
  if (auto ready = begin(); !ready) return ready;
  return put_value(family::vec, image_key(*scope_.id, generation), encode_image(checksum));
}

void scope_commit::publish_records() {
  if (!totals_) return;
  scope_.totals = *totals_;
  scope_.generations = generations_;
  if (!scope_.index || index_changes_.empty()) return;
  auto& index = *scope_.index;
  std::unique_lock const writing(index.mutex);
  for (auto const& change : index_changes_) {
    switch (change.how) {
      case index_change::what::add:
        index.add(change.record);
        for (auto const& [term, p] : change.postings) index.add_posting(term, p);
        break;
      case index_change::what::change: index.change(change.record); break;
      case index_change::what::remove:
        index.remove(change.record.number);
        for (auto const& [term, p] : change.postings) index.forget_postings(term);
        break;
      case index_change::what::vector:
        if (auto* const set = index.vectors(change.generation)) {
          set->remove(change.record.number);
          set->add(change.record.number, change.packed);
        }
        break;
    }
  }
}

}  // namespace wherry::inline v0::memory_detail
