#include "scope_state.hpp"

#include <wherry/core/text.hpp>

#include <shared_mutex>

namespace wherry::inline v0::memory_detail {
namespace {

std::optional<error> refuse_scope(scope_name const& name) {
  if (name.space.size() > namespace_parts_max)
    return error{errc::invalid_argument,
                 "the scope's namespace has more than " + std::to_string(namespace_parts_max) + " parts", "scope"};
  if (auto refused = refuse_name(name.tenant, "the scope's tenant")) return refused;
  if (auto refused = refuse_name(name.user, "the scope's user")) return refused;
  if (auto refused = refuse_name(name.agent, "the scope's agent")) return refused;
  for (auto const& part : name.space)
    if (auto refused = refuse_name(part, "a part of the scope's namespace")) return refused;
  return std::nullopt;
}

}  // namespace

std::optional<error> refuse_name(std::string_view name, char const* what) {
  if (name.size() > name_bytes_max)
    return error{errc::invalid_argument, std::string(what) + " is " + std::to_string(name.size()) +
                                             " bytes long; the most is " + std::to_string(name_bytes_max)};
  if (!is_valid_utf8(name)) return error{errc::invalid_argument, std::string(what) + " is not UTF-8"};
  return std::nullopt;
}

ulid new_id(store_state const& store) {
  auto id = ulid::fresh();
  auto const timed = ulid::draw(store.options.time_source->now(), {});
  constexpr std::size_t time_bytes = 6;
  std::copy_n(timed.bytes.begin(), time_bytes, id.bytes.begin());
  return id;
}

scope_state::scope_state(std::shared_ptr<store_state> in, scope_name of, std::string named)
    : store(std::move(in)), name(std::move(of)), key(std::move(named)), refused(refuse_scope(name)) {}

std::shared_ptr<session_state> scope_state::session(std::string const& session_name) {
  std::lock_guard const lock(sessions_mutex_);
  auto& slot = sessions_[session_name];
  if (auto known = slot.lock()) return known;
  auto made = std::make_shared<session_state>();
  made->name = session_name;
  made->refused = refuse_name(session_name, "the session's name");
  slot = made;
  if (sessions_.size() >= sessions_sweep_at_) {
    std::erase_if(sessions_, [](auto const& entry) { return entry.second.expired(); });
    sessions_sweep_at_ = 2 * sessions_.size() + 64;
  }
  return made;
}

result<void> scope_state::load_locked() {
  if (refused) return *refused;
  if (id_looked_up_) return {};
  auto const found = store->find_scope(key);
  if (!found) return found.error();
  id = *found;
  if (id)
    if (auto readable = store->check_readable(*id); !readable) return readable;
  id_looked_up_ = true;
  return {};
}

result<void> scope_state::load_locked(session_state& s) {
  if (auto ready = load_locked(); !ready) return ready;
  if (s.refused) return *s.refused;
  if (s.loaded) return {};
  if (!id) {
    s.loaded = true;
    return {};
  }
  auto const found = store->get(family::state, session_key(*id, s.name));
  if (!found) return found.error();
  if (*found) {
    auto row = decode_session(**found);
    if (!row) return store->damaged("the entry of session \"" + s.name + "\" fails its checksum");
    auto last = store->last(family::event, event_key(*id, row->id, 0), event_key(*id, row->id, latest_seq));
    if (!last) return last.error();
    if (*last) {
      s.last_seq = seq_of_event_key((*last)->first);
      s.last_hash = chain_hash_of((*last)->second);
    } else if (!row->inherited.empty()) {
      auto const& part = row->inherited.back();
      auto const value = store->get(family::event, event_key(*id, part.session, part.last_seq));
      if (!value) return value.error();
      if (!*value) return store->damaged("what session \"" + s.name + "\" was forked from is missing");
      s.last_seq = part.last_seq;
      s.last_hash = chain_hash_of(**value);
    }
    s.row = std::move(*row);
  }
  s.loaded = true;
  return {};
}

result<void> scope_state::visit_events(ulid const& scope, session_row const& row, std::uint64_t from, std::uint64_t to,
                                       event_visitor const& visit) const {
  bool more = true;
  std::uint64_t expected = std::max<std::uint64_t>(from, 1);
  auto const walk = [&](ulid const& session, std::uint64_t last_seq) -> result<void> {
    last_seq = std::min(last_seq, to);
    if (!more || expected > last_seq) return {};
    auto done = store->scan(family::event, event_key(scope, session, expected), event_key(scope, session, last_seq + 1),
                            [&](std::string_view k, std::string_view value) -> result<bool> {
                              auto const seq = seq_of_event_key(k);
                              auto e = decode_event(value, seq);
                              if (!e || seq != expected)
                                return store->damaged("event " + std::to_string(expected) +
                                                      " of a session is missing or "
                                                      "fails its checksum; restore the store from a backup");
                              ++expected;
                              auto go_on = visit(std::move(*e), value);
                              if (go_on) more = *go_on;
                              return go_on;
                            });
    if (done && more && expected <= last_seq)
      return store->damaged("event " + std::to_string(expected) +
                            " of a session is missing; restore the store from a "
                            "backup");
    return done;
  };
  for (auto const& part : row.inherited)
    if (auto walked = walk(part.session, part.last_seq); !walked) return walked;
  return walk(row.id, to);
}

result<void> scope_state::visit(session_state& s, std::uint64_t from, event_visitor const& see) {
  std::unique_lock lock(mutex);
  if (auto ready = load_locked(s); !ready) return ready;
  if (!s.row) return {};
  auto const scope = *id;
  auto const row = *s.row;
  auto const last_seq = s.last_seq;
  lock.unlock();  // events never change: what stands up to last_seq can be read beside a commit
  return visit_events(scope, row, from, last_seq, see);
}

result<void> scope_state::fold_locked(session_state& s) {
  if (auto ready = load_locked(s); !ready) return ready;
  if (!s.row || s.fold.covered() == s.last_seq) return {};
  return visit_events(*id, *s.row, s.fold.covered() + 1, s.last_seq,
                      [&](decoded_event&& e, std::string_view) -> result<bool> {
                        if (auto applied = s.fold.apply(std::move(e.event)); !applied) return applied.error();
                        return true;
                      });
}

result<std::optional<effect_record>> scope_state::effect_locked(std::string const& effect) const {
  if (!id) return std::optional<effect_record>{};
  auto const value = store->get(family::state, effect_key(*id, effect));
  if (!value) return value.error();
  if (!*value) return std::optional<effect_record>{};
  auto found = decode_effect(**value, effect);
  if (!found) return store->damaged("the effect \"" + effect + "\" fails its checksum");
  return found;
}

result<std::vector<outbox_job>> scope_state::jobs_locked() const {
  std::vector<outbox_job> out;
  if (!id) return out;
  auto listed = store->scan(family::state, prefix(*id, 'O'), prefix_end(*id, 'O'),
                            [&](std::string_view k, std::string_view value) -> result<bool> {
                              auto const job_id = id_in_key(k);
                              auto found = decode_job(value, job_id);
                              if (!found) return store->damaged("job " + job_id.text() + " fails its checksum");
                              out.push_back(std::move(*found));
                              return true;
                            });
  if (!listed) return listed.error();
  return out;
}

result<std::optional<stored_record>> scope_state::record_locked(ulid const& record) const {
  if (!id) return std::optional<stored_record>{};
  auto const value = store->get(family::mem, record_key(*id, record));
  if (!value) return value.error();
  if (!*value) return std::optional<stored_record>{};
  auto found = decode_record(**value, record);
  if (!found) return store->damaged("record " + record.text() + " fails its checksum");
  return found;
}

result<void> scope_state::load_totals_locked() {
  if (totals_loaded_ || !id) return {};
  auto const value = store->get(family::post, totals_key(*id));
  if (!value) return value.error();
  if (*value) {
    auto const found = decode_totals(**value);
    if (!found) return store->damaged("the totals of a scope's index fail their checksum");
    totals = *found;
  }
  auto const embedders = store->get(family::vec, generations_key(*id));
  if (!embedders) return embedders.error();
  if (*embedders) {
    auto found = decode_generations(**embedders);
    if (!found) return store->damaged("the list of a scope's embedders fails its checksum");
    generations = std::move(*found);
  }
  totals_loaded_ = true;
  return {};
}

result<std::shared_ptr<scope_index>> scope_state::index_locked() {
  if (auto ready = load_totals_locked(); !ready) return ready.error();
  if (index) return index;
  auto made = std::make_shared<scope_index>(*id);
  if (auto loaded = made->load(*store, totals.next_number); !loaded) return loaded.error();
  index = std::move(made);
  return index;
}

void scope_state::forget_locked(bool gone) {
  index.reset();
  totals_loaded_ = false;
  totals = {};
  generations.clear();
  if (gone) id.reset();
  std::lock_guard const lock(sessions_mutex_);
  for (auto& [called, held] : sessions_)
    if (auto const s = held.lock()) {
      s->loaded = false;
      s->row.reset();
      s->last_seq = 0;
      s->last_hash = {};
      s->fold = {};
    }
}

result<vector_set*> scope_state::vectors_locked(std::string_view fingerprint) {
  auto const ready = index_locked();
  if (!ready) return ready.error();
  for (auto const& generation : generations) {
    if (generation.fingerprint != fingerprint) continue;
    std::unique_lock const writing((*ready)->mutex);
    return (*ready)->load_vectors(*store, generation);
  }
  return static_cast<vector_set*>(nullptr);
}

}  // namespace wherry::inline v0::memory_detail
