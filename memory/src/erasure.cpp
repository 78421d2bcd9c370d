#include "erasure.hpp"

#include "files.hpp"
#include "scope_commit.hpp"
#include "vector_set.hpp"

#include <wherry/core/json.hpp>

#include <rocksdb/db.h>

#include <algorithm>
#include <filesystem>
#include <shared_mutex>

namespace wherry::inline v0::memory_detail {
namespace {

/// Rewrites a column family's files where a scope's keys were. Names of scopes stand in `meta` under their own prefix,
/// so that one is rewritten whole.
template <family f>
result<void> purge_family(store_state& store, erase_intent const& intent) {
  std::string const first(intent.scope.view());
  auto end = first;
  end.append(16, '\xFF');
  bool const whole = f == family::meta || f == family::unused;
  return store.rewrite(f, whole ? std::string() : first, whole ? std::string() : end);
}

result<void> purge_images(store_state& store, erase_intent const& intent) {
  if (!intent.drop_images) return {};
  std::error_code failure;
  auto const folder = store.path / "vectors";
  if (!std::filesystem::exists(folder, failure)) return {};
  for (auto const& entry : std::filesystem::directory_iterator(folder, failure))
    if (entry.path().filename().string().starts_with(intent.scope.text()))
      std::filesystem::remove(entry.path(), failure);
  if (failure)
    return error{failure, "could not remove an image of vectors: " + failure.message(), "store.erase", folder.string()};
  return sync_directory(folder);
}

/// Logs and the manifest hold keys and values until newer ones take their place.
result<void> purge_logs(store_state& store, erase_intent const&) { return store.roll_logs(); }
/// The key of a scope that is erased as a whole: with it every copy of the scope becomes unreadable.
result<void> purge_key(store_state& store, erase_intent const& intent) {
  if (!store.keys || !intent.receipt.everything) return {};
  return store.keys->destroy(intent.scope);
}
/// Hold numbers and this process's id, never anything of a user.
result<void> nothing_to_purge(store_state&, erase_intent const&) { return {}; }

}  // namespace

std::vector<place_eraser> const& place_erasers() {
  static std::vector<place_eraser> const all{{"default", purge_family<family::unused>},
                                             {"meta", purge_family<family::meta>},
                                             {"event", purge_family<family::event>},
                                             {"state", purge_family<family::state>},
                                             {"mem", purge_family<family::mem>},
                                             {"post", purge_family<family::post>},
                                             {"vec", purge_family<family::vec>},
                                             {"item", purge_family<family::item>},
                                             {"vectors", purge_images},
                                             {"logs", purge_logs},
                                             {"keys", purge_key},
                                             {"ACK", nothing_to_purge},
                                             {"OWNER", nothing_to_purge}};
  return all;
}

std::string intent_key(ulid const& id) { return "erase/" + std::string(id.view()); }
std::string receipt_key(ulid const& id) { return "receipt/" + std::string(id.view()); }

std::string encode_intent(erase_intent const& intent) {
  std::string out;
  put_be(out, std::uint8_t{1});
  out += intent.scope.view();
  put_be(out, static_cast<std::uint8_t>(intent.drop_images));
  put_be(out, intent.receipt.time);
  put_be(out, static_cast<std::uint64_t>(intent.receipt.records));
  put_be(out, static_cast<std::uint64_t>(intent.receipt.sessions));
  put_be(out, static_cast<std::uint64_t>(intent.receipt.items));
  put_be(out, static_cast<std::uint8_t>(intent.receipt.everything));
  put_be(out, static_cast<std::uint8_t>(intent.receipt.places.size()));
  for (auto const& place : intent.receipt.places) put_text(out, place);
  seal(out);
  return out;
}

std::optional<erase_intent> decode_intent(std::string_view value, ulid const& id) {
  auto in = byte_reader::unseal(value);
  if (in.be<std::uint8_t>() != 1) return std::nullopt;
  erase_intent intent;
  intent.receipt.id = id;
  intent.scope = in.id();
  intent.drop_images = in.be<std::uint8_t>() != 0;
  intent.receipt.time = in.be<utc_ms>();
  intent.receipt.records = in.be<std::uint64_t>();
  intent.receipt.sessions = in.be<std::uint64_t>();
  intent.receipt.items = in.be<std::uint64_t>();
  intent.receipt.everything = in.be<std::uint8_t>() != 0;
  intent.receipt.places.resize(in.be<std::uint8_t>());
  for (auto& place : intent.receipt.places) place = in.text();
  if (!in.complete()) return std::nullopt;
  return intent;
}

result<erase_receipt> finish_erase(store_state& store, erase_intent intent) {
  for (auto const& place : place_erasers()) {
    if (auto purged = place.purge(store, intent); !purged) return purged.error();
    if (std::find(intent.receipt.places.begin(), intent.receipt.places.end(), place.place) ==
        intent.receipt.places.end())
      intent.receipt.places.emplace_back(place.place);
  }
  auto batch = new_batch();
  batch.Delete(store.handle(family::meta), intent_key(intent.receipt.id));
  intent.scope = {};
  batch.Put(store.handle(family::meta), receipt_key(intent.receipt.id), encode_intent(intent));
  if (auto written = store.write(batch, durability::synced); !written) return written.error();
  return intent.receipt;
}

// ---- what a request means ------------------------------------------------------------------------------------------

namespace {

/// Collects one erase of a scope into a commit. The caller holds the scope's mutex.
class erasing {
 public:
  erasing(scope_state& scope, scope_commit& commit) : scope_(scope), commit_(commit) {}

  result<void> gather(erase_request const& request) {
    std::set<ulid> records(request.records.begin(), request.records.end());
    std::set<std::string> const sessions_named(request.sessions.begin(), request.sessions.end());
    if (auto found = gather_sessions(sessions_named); !found) return found;
    std::set<std::string> subjects;
    for (auto const& subject : request.subjects) subjects.insert(normalised_text(subject));
    std::set<std::string> const documents(request.documents.begin(), request.documents.end());
    auto const& sid = *scope_.id;
    auto listed =
        scope_.store->scan(family::mem, prefix(sid, 'M'), prefix_end(sid, 'M'),
                           [&](std::string_view key, std::string_view value) -> result<bool> {
                             auto const id = id_in_key(key);
                             auto const found = decode_record(value, id);
                             if (!found) return scope_.store->damaged("record " + id.text() + " fails its checksum");
                             auto const& r = found->what;
                             if (sessions_.contains(r.source.session) || documents.contains(r.source.document) ||
                                 (!r.subject.empty() && subjects.contains(normalised_text(r.subject))))
                               records.insert(id);
                             return true;
                           });
    if (!listed) return listed;
    for (auto const& id : records) {
      auto const there = scope_.record_locked(id);
      if (!there) return there.error();
      if (!*there) continue;
      if (auto removed = commit_.remove(id); !removed) return removed;
      ++receipt.records;
    }
    for (auto const& space : request.item_spaces)
      if (auto gone = gather_items(space); !gone) return gone;
    if (auto found = gather_jobs(); !found) return found;
    return gather_effects();
  }

  std::vector<ulid> runs() const { return {runs_.begin(), runs_.end()}; }
  erase_receipt receipt;

 private:
  /// The named sessions, and every fork that begins with one of them.
  result<void> gather_sessions(std::set<std::string> const& named) {
    auto const& sid = *scope_.id;
    std::map<std::string, session_row> all;
    auto listed = scope_.store->scan(family::state, prefix(sid, 'S'), prefix_end(sid, 'S'),
                                     [&](std::string_view key, std::string_view value) -> result<bool> {
                                       auto row = decode_session(value);
                                       if (!row) return scope_.store->damaged("a session's entry fails its checksum");
                                       all.emplace(rest_of_key(key), std::move(*row));
                                       return true;
                                     });
    if (!listed) return listed;
    std::set<ulid> gone;
    for (auto const& [name, row] : all)
      if (named.contains(name)) gone.insert(row.id);
    for (auto const& [name, row] : all) {
      bool const forked = std::any_of(row.inherited.begin(), row.inherited.end(),
                                      [&](inherited_part const& part) { return gone.contains(part.session); });
      if (!gone.contains(row.id) && !forked) continue;
      sessions_.insert(name);
      ++receipt.sessions;
      auto const first = event_key(sid, row.id, 0), end = event_key(sid, row.id, latest_seq);
      auto events = scope_.store->scan(family::event, first, end,
                                       [&](std::string_view key, std::string_view value) -> result<bool> {
                                         // What fails its checksum goes like the rest.
                                         if (auto const e = decode_event(value, seq_of_event_key(key)))
                                           if (e->event.run != ulid{}) runs_.insert(e->event.run);
                                         return true;
                                       });
      if (!events) return events;
      if (auto gone_too = commit_.erase_range(family::event, first, end); !gone_too) return gone_too;
      if (auto gone_too = commit_.erase_key(family::state, session_key(sid, name)); !gone_too) return gone_too;
    }
    return {};
  }

  /// Jobs that say to be about an erased session (outbox_job::payload).
  result<void> gather_jobs() {
    auto const& sid = *scope_.id;
    return scope_.store->scan(family::state, prefix(sid, 'O'), prefix_end(sid, 'O'),
                              [&](std::string_view key, std::string_view value) -> result<bool> {
                                auto const job = decode_job(value, id_in_key(key));
                                auto const payload = job ? parse_json(job->payload) : result<json>(json());
                                bool const names = payload && payload->is_object() && payload->contains("session") &&
                                                   (*payload)["session"].is_string();
                                if (!names || !sessions_.contains((*payload)["session"].get<std::string>()))
                                  return true;
                                commit_.erase_key(family::state, std::string(key));
                                if (!job->idempotency_key.empty())
                                  commit_.erase_key(family::state, job_dedup_key(sid, job->idempotency_key));
                                return true;
                              });
  }

  /// Effects of the erased runs.
  result<void> gather_effects() {
    if (runs_.empty()) return {};
    auto const& sid = *scope_.id;
    return scope_.store->scan(family::state, prefix(sid, 'J'), prefix_end(sid, 'J'),
                              [&](std::string_view key, std::string_view value) -> result<bool> {
                                auto const name = rest_of_key(key);
                                auto const e = decode_effect(value, name);
                                if (e && !runs_.contains(e->run)) return true;
                                for (auto const& gone : {std::string(key), unfinished_key(sid, name)})
                                  if (auto done = commit_.erase_key(family::state, gone); !done) return done.error();
                                return true;
                              });
  }

  result<void> gather_items(std::string const& space) {
    auto const first = item_prefix(*scope_.id, space), end = item_prefix_end(*scope_.id, space);
    auto counted =
        scope_.store->scan(family::item, first, end, [&](std::string_view, std::string_view) -> result<bool> {
          ++receipt.items;
          return true;
        });
    if (!counted) return counted;
    return commit_.erase_range(family::item, first, end);
  }

  scope_state& scope_;
  scope_commit& commit_;
  std::set<std::string> sessions_;
  std::set<ulid> runs_;
};

/// The whole scope: every family's rows with its id, and its name.
result<erase_receipt> gather_everything(scope_state& scope, scope_commit& commit) {
  auto const& sid = *scope.id;
  erase_receipt receipt{.everything = true};
  auto const& store = *scope.store;
  auto const records = store.count(family::mem, prefix(sid, 'M'), prefix_end(sid, 'M'));
  auto const sessions = store.count(family::state, prefix(sid, 'S'), prefix_end(sid, 'S'));
  auto const items = store.count(family::item, prefix(sid, 'I'), prefix_end(sid, 'I'));
  for (auto const* counted : {&records, &sessions, &items})
    if (!*counted) return counted->error();
  receipt.records = *records;
  receipt.sessions = *sessions;
  receipt.items = *items;
  std::string const first(sid.view());
  auto end = first;
  end.append(32, '\xFF');
  for (auto const f : {family::event, family::state, family::mem, family::post, family::vec, family::item})
    if (auto gone = commit.erase_range(f, first, end); !gone) return gone.error();
  commit.erase_scope_name();
  return receipt;
}

struct gathered_erase {
  erase_receipt receipt;
  std::vector<ulid> runs;
};

result<gathered_erase> gather(scope_state& scope, scope_commit& commit, erase_request const& request) {
  if (request.everything) {
    auto receipt = gather_everything(scope, commit);
    if (!receipt) return receipt.error();
    return gathered_erase{std::move(*receipt), {}};
  }
  erasing what(scope, commit);
  if (auto found = what.gather(request); !found) return found.error();
  return gathered_erase{what.receipt, what.runs()};
}

}  // namespace

result<erase_receipt> erase_scope(scope_state& scope, erase_request const& request) {
  std::lock_guard const no_maintenance(scope.maintenance_mutex);
  std::unique_lock lock(scope.mutex);
  auto& store = *scope.store;
  // A copy's scope whose key is gone can still be erased as a whole.
  bool const unreadable = store.keys && request.everything && !scope.load_locked() && scope.id;
  if (!unreadable) {
    if (auto ready = scope.load_locked(); !ready) return ready.error();
    if (auto ready = scope.load_totals_locked(); !ready) return ready.error();
  }
  auto const others = store.erasers();
  erase_receipt empty{.id = new_id(store), .time = store.options.time_source->now(), .everything = request.everything};
  if (!scope.id && others.empty()) return empty;

  // The program's own places first: should this process die before the batch below, the erase was never acknowledged
  // and is asked for again. They may call back into the store, so no lock is held.
  std::vector<ulid> runs;
  if (scope.id) {
    scope_commit look(scope);
    auto const found = gather(scope, look, request);
    if (!found) return found.error();
    runs = found->runs;
  }
  lock.unlock();
  for (auto const& other : others) {
    if (auto erased = other.erase(runs, request.everything); !erased) return erased.error();
    empty.places.push_back(other.name);
  }
  lock.lock();
  if (!scope.id) return empty;

  scope_commit commit(scope);
  auto found = gather(scope, commit, request);
  if (!found) return found.error();
  erase_intent intent{
      .scope = *scope.id, .drop_images = unreadable || !scope.generations.empty(), .receipt = found->receipt};
  intent.receipt.id = empty.id;
  intent.receipt.time = empty.time;
  intent.receipt.places = empty.places;
  if (!request.everything)
    for (auto const& generation : scope.generations)
      commit.erase_key(family::vec, image_key(*scope.id, generation.number));
  if (auto put = commit.put_row(family::meta, intent_key(intent.receipt.id), encode_intent(intent)); !put)
    return put.error();
  if (auto written = commit.write(durability::synced); !written) return written.error();
  scope.forget_locked(request.everything);
  lock.unlock();
  return finish_erase(store, std::move(intent));
}

result<void> resume_erases(store_state& store) {
  std::vector<erase_intent> open;
  auto listed =
      store.scan(family::meta, "erase/", "erase0", [&](std::string_view key, std::string_view value) -> result<bool> {
        auto intent = decode_intent(value, byte_reader(key.substr(6)).id());
        if (!intent) return store.damaged("an intent to erase fails its checksum");
        open.push_back(std::move(*intent));
        return true;
      });
  if (!listed) return listed;
  for (auto& intent : open)
    if (auto done = finish_erase(store, std::move(intent)); !done) return done.error();
  return {};
}

result<std::vector<erase_receipt>> receipts(store_state const& store) {
  std::vector<erase_receipt> out;
  auto listed = store.scan(family::meta, "receipt/", "receipt0",
                           [&](std::string_view key, std::string_view value) -> result<bool> {
                             auto receipt = decode_intent(value, byte_reader(key.substr(8)).id());
                             if (!receipt) return store.damaged("a receipt of an erase fails its checksum");
                             out.push_back(std::move(receipt->receipt));
                             return true;
                           });
  if (!listed) return listed.error();
  return out;
}

}  // namespace wherry::inline v0::memory_detail
