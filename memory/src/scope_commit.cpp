#include "scope_commit.hpp"

#include <algorithm>

namespace wherry::inline v0::memory_detail {
namespace {

error refused(errc code, std::string message) { return error{code, std::move(message), "transaction.commit"}; }

std::optional<error> refuse_event(session_event const& e) {
  if (e.type < event_type::run_opened || e.type > event_type::note)
    return refused(errc::invalid_argument, "an event has a type that does not exist");
  if (e.run == ulid{} && e.type != event_type::undo && e.type != event_type::note)
    return refused(errc::invalid_argument, std::string("an event of type ") + to_string(e.type) + " names no run");
  if (e.payload.size() > event_payload_bytes_max)
    return refused(errc::limit_reached, "the payload of an event is longer than event_payload_bytes_max");
  // Reading all of it costs more than writing it; this finds what was never meant to be JSON.
  if (e.payload.empty() || e.payload.front() != '{' || e.payload.back() != '}')
    return refused(errc::invalid_argument, "the payload of an event is not a JSON object");
  return std::nullopt;
}

std::optional<error> refuse_size(std::size_t bytes, std::size_t bytes_max, char const* what) {
  if (bytes <= bytes_max) return std::nullopt;
  return refused(errc::limit_reached, std::string(what) + " is " + std::to_string(bytes) + " bytes long; the most is " +
                                          std::to_string(bytes_max));
}

bool may_become(std::optional<effect_state> from, effect_state to) {
  if (!from) return to == effect_state::intent;
  if (*from == effect_state::intent) return to != effect_state::intent;
  return *from == effect_state::unknown;
}

}  // namespace

scope_commit::scope_commit(scope_state& scope)
    : scope_(scope), now_(scope.store->options.time_source->now()), batch_(new_batch()) {}

scope_commit::~scope_commit() {
  if (!new_scope_) return;
  scope_.id.reset();  // allotted here and never written
  scope_.index.reset();
}

/// The scope's id, allotted in this commit when it is the scope's first.
result<void> scope_commit::begin() {
  if (auto ready = scope_.load_locked(); !ready) return ready;
  if (scope_.id) return {};
  scope_.id = new_id(*scope_.store);
  new_scope_ = true;
  return scope_.store->put_scope(batch_, scope_.key, *scope_.id);
}

result<void> scope_commit::put_value(family f, std::string const& key, std::string const& value) {
  bytes_ += value.size();
  if (auto too_long = refuse_size(bytes_, transaction_bytes_max, "a transaction")) return *too_long;
  return scope_.store->put(batch_, f, key, value);
}

result<void> scope_commit::put_row(family f, std::string const& key, std::string const& value) {
  // A scope that has an id but cannot be read any more is erased through here.
  if (!scope_.id)
    if (auto ready = begin(); !ready) return ready;
  return put_value(f, key, value);
}
result<void> scope_commit::erase_key(family f, std::string const& key) { return scope_.store->remove(batch_, f, key); }
result<void> scope_commit::erase_range(family f, std::string const& first, std::string const& end) {
  return scope_.store->remove_range(batch_, f, first, end);
}
void scope_commit::erase_scope_name() { scope_.store->remove_scope(batch_, scope_.key); }

result<scope_commit::staged_session*> scope_commit::stage(std::shared_ptr<session_state> const& s) {
  if (auto ready = begin(); !ready) return ready.error();
  for (auto& staged : sessions_)
    if (staged.state == s) return &staged;
  if (auto ready = scope_.load_locked(*s); !ready) return ready.error();
  staged_session staged{.state = s, .row = {}, .last_seq = s->last_seq, .last_hash = s->last_hash};
  if (s->row) {
    staged.row = *s->row;
  } else {
    staged.row = {.id = new_id(*scope_.store), .created = now_, .inherited = {}};
    auto put = put_value(family::state, session_key(*scope_.id, s->name), encode_session(staged.row));
    if (!put) return put.error();
  }
  return &sessions_.emplace_back(std::move(staged));
}

result<void> scope_commit::append(std::shared_ptr<session_state> const& to, std::uint64_t expected_seq,
                                  std::vector<session_event>& events) {
  for (auto const& e : events)
    if (auto wrong = refuse_event(e)) return *wrong;
  auto const found = stage(to);
  if (!found) return found.error();
  auto& staged = **found;
  if (staged.last_seq != expected_seq)
    return refused(errc::conflict, "session \"" + to->name + "\" ends at event " + std::to_string(staged.last_seq) +
                                       ", not at " + std::to_string(expected_seq) + "; read it again");
  staged.events.reserve(staged.events.size() + events.size());
  for (auto& e : events) {
    encode_event(value_, e, e.time ? e.time : now_, staged.last_hash);
    event_key(key_, *scope_.id, staged.row.id, ++staged.last_seq);
    if (auto put = put_value(family::event, key_, value_); !put) return put;
    staged.last_hash = chain_hash_of(value_);
    staged.events.emplace_back(&e, staged.last_seq);
  }
  return {};
}

result<void> scope_commit::journal(effect_record const& e) {
  if (e.key.empty()) return refused(errc::invalid_argument, "an effect has no key");
  if (auto wrong = refuse_size(e.key.size(), key_bytes_max, "an effect's key")) return *wrong;
  if (auto wrong = refuse_size(e.call.size(), record_bytes_max, "an effect's call")) return *wrong;
  if (auto ready = begin(); !ready) return ready;
  std::optional<effect_state> from;
  if (auto const known = effects_.find(e.key); known != effects_.end()) {
    from = known->second;
  } else {
    auto const stored = scope_.effect_locked(e.key);
    if (!stored) return stored.error();
    if (*stored) from = (*stored)->state;
  }
  if (!may_become(from, e.state))
    return refused(errc::conflict, "effect \"" + e.key + "\" is " + (from ? to_string(*from) : "not journalled") +
                                       " and cannot become " + to_string(e.state));
  effects_[e.key] = e.state;
  auto stored = e;
  stored.time = now_;
  auto const open = unfinished_key(*scope_.id, e.key);
  auto const marked =
      e.state == effect_state::done ? erase_key(family::state, open) : put_value(family::state, open, {});
  if (!marked) return marked;
  return put_value(family::state, effect_key(*scope_.id, e.key), encode_effect(stored));
}

result<void> scope_commit::add(outbox_job const& j) {
  if (auto wrong = refuse_name(j.kind, "a job's kind")) return *wrong;
  if (auto wrong = refuse_size(j.idempotency_key.size(), key_bytes_max, "a job's idempotency key")) return *wrong;
  if (auto wrong = refuse_size(j.payload.size(), record_bytes_max, "a job's payload")) return *wrong;
  if (auto ready = begin(); !ready) return ready;
  if (!j.idempotency_key.empty()) {
    if (!job_keys_.insert(j.idempotency_key).second) return {};
    auto const key = job_dedup_key(*scope_.id, j.idempotency_key);
    auto const known = scope_.store->get(family::state, key);
    if (!known) return known.error();
    if (*known) return {};
    if (auto put = put_value(family::state, key, std::string(j.id.view())); !put) return put;
  }
  auto stored = j;
  stored.created = now_;
  return update(stored);
}

result<void> scope_commit::update(outbox_job const& j) {
  if (auto ready = begin(); !ready) return ready;
  return put_value(family::state, job_key(*scope_.id, j.id), encode_job(j));
}

result<void> scope_commit::finish(ulid const& job_id) {
  if (auto ready = begin(); !ready) return ready;
  auto const key = job_key(*scope_.id, job_id);
  auto const known = scope_.store->get(family::state, key);
  if (!known) return known.error();
  if (!*known || !finished_.insert(job_id).second)
    return refused(errc::conflict, "job " + job_id.text() + " is not open: it was finished before");
  return erase_key(family::state, key);
}

result<void> scope_commit::fork(session_state& parent, std::shared_ptr<session_state> const& child, std::uint64_t at) {
  if (auto ready = begin(); !ready) return ready;
  if (auto ready = scope_.load_locked(parent); !ready) return ready;
  if (auto ready = scope_.load_locked(*child); !ready) return ready;
  if (child->row) return refused(errc::already_exists, "there is a session \"" + child->name + "\" already");
  if (at == latest_seq) at = parent.last_seq;
  if (at > parent.last_seq)
    return refused(errc::invalid_argument, "session \"" + parent.name + "\" ends at event " +
                                               std::to_string(parent.last_seq) + ", before the fork's " +
                                               std::to_string(at));
  session_row row{.id = new_id(*scope_.store), .created = now_, .inherited = {}};
  std::uint64_t covered = 0;
  if (parent.row) {
    auto parts = parent.row->inherited;
    parts.push_back({parent.row->id, parent.last_seq});
    for (auto part : parts) {
      part.last_seq = std::min(part.last_seq, at);
      if (part.last_seq <= covered) continue;
      row.inherited.push_back(part);
      covered = part.last_seq;
    }
  }
  if (row.inherited.size() > fork_depth_max)
    return refused(errc::limit_reached, "session \"" + parent.name + "\" is at the end of a chain of " +
                                            std::to_string(fork_depth_max) + " forks");
  child->loaded = false;  // read back when it is used
  return put_value(family::state, session_key(*scope_.id, child->name), encode_session(row));
}

result<commit_seq> scope_commit::write(durability how) {
  if (totals_)
    if (auto put = put_value(family::post, totals_key(*scope_.id), encode_totals(*totals_)); !put) return put.error();
  auto const written = scope_.store->write(batch_, how);
  if (!written) return written.error();
  publish_records();
  new_scope_ = false;
  for (auto& staged : sessions_) {
    // A fold that has seen everything before sees these too; one that has not reads them when it is asked.
    bool current = staged.state->fold.covered() == staged.state->last_seq;
    for (auto const& [e, seq] : staged.events) {
      if (!current) break;
      e->seq = seq;
      if (!e->time) e->time = now_;
      current = staged.state->fold.apply(std::move(*e)).has_value();
    }
    staged.state->row = std::move(staged.row);
    staged.state->last_seq = staged.last_seq;
    staged.state->last_hash = staged.last_hash;
  }
  return *written;
}

}  // namespace wherry::inline v0::memory_detail
