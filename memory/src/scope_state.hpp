#pragma once
// One scope and one session of an open store, shared by all their handles. Everything here is guarded by the scope's
// mutex; functions with a `locked` in their name expect the caller to hold it.

#include "scope_index.hpp"
#include "session_fold.hpp"
#include "store_state.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <optional>

namespace wherry::inline v0::memory_detail {

struct session_state {
  std::string name;
  std::optional<error> refused;  ///< The name cannot be used.

  bool loaded = false;             ///< The three below are what the disk says.
  std::optional<session_row> row;  ///< Absent: nothing was committed to it yet.
  std::uint64_t last_seq = 0;
  chain_hash last_hash{};

  session_fold fold;
};

struct scope_state {
  scope_state(std::shared_ptr<store_state> store, scope_name name, std::string key);

  /// The session of a name; one state for all its handles.
  std::shared_ptr<session_state> session(std::string const& session_name);

  /// Refused names fail here; else looks the scope's id up once. An absent id means that nothing was written yet.
  result<void> load_locked();
  result<void> load_locked(session_state& s);
  /// Calls visit for the session's events in [from, to], inherited ones included.
  using event_visitor = std::function<result<bool>(decoded_event&& e, std::string_view value)>;
  result<void> visit_events(ulid const& scope, session_row const& row, std::uint64_t from, std::uint64_t to,
                            event_visitor const& visit) const;
  /// The same for a session, from `from` to its end; takes the mutex only to see where that is.
  result<void> visit(session_state& s, std::uint64_t from, event_visitor const& see);
  /// Brings the session's fold up to its last event.
  result<void> fold_locked(session_state& s);

  result<std::optional<effect_record>> effect_locked(std::string const& effect) const;
  result<std::vector<outbox_job>> jobs_locked() const;
  /// Absent: nullopt.
  result<std::optional<stored_record>> record_locked(ulid const& record) const;

  /// Absent: nullopt. An expired one is returned.
  result<std::optional<item>> item_locked(std::string_view space, std::string_view called) const;

  /// Reads how much is indexed; every commit that writes records needs it.
  result<void> load_totals_locked();
  /// The index in memory, made when it is first asked for. The scope must have an id.
  result<std::shared_ptr<scope_index>> index_locked();
  /// After an erase: what is in memory is read again when it is needed; `gone`: there is no such scope any more.
  void forget_locked(bool gone);
  /// The vectors of an embedder; nullptr when there are none of it.
  result<vector_set*> vectors_locked(std::string_view fingerprint);

  std::shared_ptr<store_state> const store;
  scope_name const name;
  std::string const key;

  std::mutex mutex;
  std::mutex maintenance_mutex;  ///< Before `mutex`; held through a whole maintenance.
  std::optional<error> refused;
  std::optional<ulid> id;
  index_totals totals;
  std::vector<vector_generation> generations;
  std::shared_ptr<scope_index> index;  ///< Its own mutex guards what is in it.

 private:
  bool totals_loaded_ = false;
  bool id_looked_up_ = false;
  std::mutex sessions_mutex_;
  std::map<std::string, std::weak_ptr<session_state>, std::less<>> sessions_;
  std::size_t sessions_sweep_at_ = 64;
};

/// Why a name cannot be used; `what` names it in the message.
std::optional<error> refuse_name(std::string_view name, char const* what);
/// An id whose time is the store's clock.
ulid new_id(store_state const& store);

}  // namespace wherry::inline v0::memory_detail
