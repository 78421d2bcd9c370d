#include "erasure.hpp"
#include "scope_commit.hpp"

#include <wherry/memory/scope.hpp>

#include <shared_mutex>

namespace wherry::inline v0 {

using namespace memory_detail;

scope_handle::scope_handle(std::shared_ptr<scope_state> state) : state_(std::move(state)) {}

scope_name const& scope_handle::name() const noexcept { return state_->name; }

session scope_handle::session(std::string name) const {
  auto state = state_->session(name);
  return {state_, std::move(state)};
}

result<std::vector<session_info>> scope_handle::sessions() const {
  std::lock_guard const lock(state_->mutex);
  if (auto ready = state_->load_locked(); !ready) return ready.error();
  std::vector<session_info> out;
  if (!state_->id) return out;
  auto const& scope = *state_->id;
  auto listed = state_->store->scan(
      family::state, prefix(scope, 'S'), prefix_end(scope, 'S'),
      [&](std::string_view key, std::string_view value) -> result<bool> {
        session_info info{.name = std::string(rest_of_key(key))};
        auto const row = decode_session(value);
        if (!row) return state_->store->damaged("the entry of session \"" + info.name + "\" fails its checksum");
        auto const last =
            state_->store->last(family::event, event_key(scope, row->id, 0), event_key(scope, row->id, latest_seq));
        if (!last) return last.error();
        info.created = info.last_time = row->created;
        info.forked = !row->inherited.empty();
        if (info.forked) info.last_seq = row->inherited.back().last_seq;
        if (*last) {
          info.last_seq = seq_of_event_key((*last)->first);
          auto const e = decode_event((*last)->second, info.last_seq);
          if (!e) return state_->store->damaged("the last event of session \"" + info.name + "\" fails its checksum");
          info.last_time = e->event.time;
        }
        out.push_back(std::move(info));
        return true;
      });
  if (!listed) return listed.error();
  return out;
}

result<std::optional<record>> scope_handle::record(ulid const& id) const {
  std::lock_guard const lock(state_->mutex);
  if (auto ready = state_->load_locked(); !ready) return ready.error();
  if (!state_->id) return std::optional<wherry::v0::record>{};
  auto found = state_->record_locked(id);
  if (!found) return found.error();
  if (!*found) return std::optional<wherry::v0::record>{};
  return std::optional(std::move((*found)->what));
}

result<std::vector<record>> scope_handle::records(ulid const& after, std::size_t limit) const {
  std::lock_guard const lock(state_->mutex);
  if (auto ready = state_->load_locked(); !ready) return ready.error();
  std::vector<wherry::v0::record> out;
  if (!state_->id || limit == 0) return out;
  auto const& scope = *state_->id;
  auto const first = after == ulid{} ? prefix(scope, 'M') : record_key(scope, after) + '\0';
  auto listed = state_->store->scan(family::mem, first, prefix_end(scope, 'M'),
                                    [&](std::string_view key, std::string_view value) -> result<bool> {
                                      auto const id = id_in_key(key);
                                      auto found = decode_record(value, id);
                                      if (!found)
                                        return state_->store->damaged("record " + id.text() + " fails its checksum");
                                      out.push_back(std::move(found->what));
                                      return out.size() < limit;
                                    });
  if (!listed) return listed.error();
  return out;
}

result<std::vector<record>> scope_handle::document_records(std::string const& document) const {
  std::lock_guard const lock(state_->mutex);
  if (auto ready = state_->load_locked(); !ready) return ready.error();
  std::vector<wherry::v0::record> out;
  if (!state_->id) return out;
  auto const index = state_->index_locked();
  if (!index) return index.error();
  std::shared_lock const reading((*index)->mutex);
  for (auto const number : (*index)->of_document(document)) {
    auto found = state_->record_locked((*index)->records()[number].id);
    if (!found) return found.error();
    if (!*found) return state_->store->damaged("a chunk of document \"" + document + "\" is missing");
    out.push_back(std::move((*found)->what));
  }
  return out;
}

result<erase_receipt> scope_handle::erase(erase_request const& request) const { return erase_scope(*state_, request); }

result<std::optional<effect_record>> scope_handle::effect(std::string const& key) const {
  std::lock_guard const lock(state_->mutex);
  if (auto ready = state_->load_locked(); !ready) return ready.error();
  return state_->effect_locked(key);
}

result<std::vector<effect_record>> scope_handle::unfinished_effects() const {
  std::lock_guard const lock(state_->mutex);
  if (auto ready = state_->load_locked(); !ready) return ready.error();
  std::vector<effect_record> out;
  if (!state_->id) return out;
  auto const& scope = *state_->id;
  auto listed = state_->store->scan(family::state, prefix(scope, 'U'), prefix_end(scope, 'U'),
                                    [&](std::string_view key, std::string_view) -> result<bool> {
                                      std::string const name(rest_of_key(key));
                                      auto e = state_->effect_locked(name);
                                      if (!e) return e.error();
                                      if (!*e) return state_->store->damaged("the effect \"" + name + "\" is missing");
                                      out.push_back(std::move(**e));
                                      return true;
                                    });
  if (!listed) return listed.error();
  return out;
}

result<std::vector<outbox_job>> scope_handle::jobs() const {
  std::lock_guard const lock(state_->mutex);
  if (auto ready = state_->load_locked(); !ready) return ready.error();
  return state_->jobs_locked();
}

result<std::optional<outbox_job>> scope_handle::claim_job(std::string const& kind,
                                                          std::chrono::milliseconds lease) const {
  std::lock_guard const lock(state_->mutex);
  if (auto ready = state_->load_locked(); !ready) return ready.error();
  auto const open = state_->jobs_locked();
  if (!open) return open.error();
  auto const now = state_->store->options.time_source->now();
  for (auto job : *open) {
    if (job.kind != kind || job.claimed_until > now) continue;
    job.claimed_until = now + lease.count();
    ++job.attempts;
    scope_commit commit(*state_);
    if (auto claimed = commit.update(job); !claimed) return claimed.error();
    // A claim that a power cut takes back only makes the job free again, which a worker has to bear anyway.
    if (auto written = commit.write(durability::os); !written) return written.error();
    return std::optional(std::move(job));
  }
  return std::optional<outbox_job>{};
}

}  // namespace wherry::inline v0
