#pragma once
// session: the history of one conversation, as append-only events. State is their fold; a fork is a pointer.

#include <wherry/core/result.hpp>
#include <wherry/memory/event.hpp>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace wherry::inline v0 {

class scope_handle;

namespace memory_detail {
struct scope_state;
struct session_state;
}  // namespace memory_detail

/// How many events one call of session::events returns unless told otherwise.
inline constexpr std::size_t events_limit_default = 10'000;
/// Longest chain of forks; a session at its end cannot be forked (errc::limit_reached).
inline constexpr std::size_t fork_depth_max = 64;
/// "Up to here" for session::fork: everything the session holds now.
inline constexpr std::uint64_t latest_seq = std::numeric_limits<std::uint64_t>::max();

/// A handle to one session of a scope. The session begins to exist with the first event committed to it.
///
/// Threads: thread-safe; copies share one state. Lifetime: keeps the store open.
/// Fails with, every function: errc::invalid_argument when the name of the session or of its scope was refused (the
/// message says why); errc::store_damaged when an event fails its checksum; errc::io_failed.
class session {
 public:
  std::string const& name() const noexcept;
  /// The scope it belongs to; what a transaction needs.
  scope_handle scope() const;

  /// Sequence number of the last event; 0 for a session without any. Cheap after the first call.
  result<std::uint64_t> last_seq() const;

  /// Events from sequence number `from` on, in order, at most `limit`. Those a fork inherited are included.
  result<std::vector<session_event>> events(std::uint64_t from = 1, std::size_t limit = events_limit_default) const;

  /// The messages of all kept runs, in the order in which the runs ended; each run whole or not at all. Runs without an
  /// end, runs that ended without "keep" and undone turns are absent.
  /// The fold is kept with the session's state: only events since the last call are read again.
  result<std::vector<message>> history() const;

  /// Runs that have no end, in the order in which they began.
  result<std::vector<open_run>> open_runs() const;

  /// Calls that wait for approval, in the order in which they began to wait.
  result<std::vector<pending_call>> pending() const;

  /// Takes the last kept turn out of history, by an event; committed with the store's default durability.
  /// Fails with: errc::not_found when history is empty.
  result<void> undo() const;

  /// A new session that begins with this one's events up to and including `at`. Nothing is copied. A run that was open
  /// at that point is open in both.
  /// Fails with: errc::already_exists; errc::invalid_argument when `at` is beyond the end; errc::limit_reached.
  result<session> fork(std::string name, std::uint64_t at = latest_seq) const;

  /// Walks every event and checks sequence, checksum and hash chain.
  /// Fails with: errc::store_damaged; the message names the event.
  result<void> verify() const;

  /// The whole session, one JSON object a line: {"seq","time","type","run","payload"}.
  result<std::string> export_json() const;

 private:
  friend class scope_handle;
  friend class transaction;
  session(std::shared_ptr<memory_detail::scope_state> scope, std::shared_ptr<memory_detail::session_state> state);

  std::shared_ptr<memory_detail::scope_state> scope_;
  std::shared_ptr<memory_detail::session_state> state_;
};

/// A line of scope_handle::sessions().
struct session_info {
  std::string name;
  utc_ms created = 0;
  utc_ms last_time = 0;        ///< Of the last event; `created` when there is none of its own.
  std::uint64_t last_seq = 0;  ///< Number of events, inherited ones included.
  bool forked = false;
};

}  // namespace wherry::inline v0
