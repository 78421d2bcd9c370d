#pragma once
// What a session is made of: events that are appended and never changed. Everything else a session can tell (its
// history, the runs that did not end, the calls that wait) is a fold over them.

#include <wherry/core/clock.hpp>
#include <wherry/core/id.hpp>
#include <wherry/llm/message.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace wherry::inline v0 {

/// Kinds of events. The numbers are on disk; a new kind goes at the end. A payload is a JSON object as text; the
/// members named here are read by the fold, others are the writer's own.
enum class event_type : std::uint8_t {
  run_opened = 1,     ///< A run begins: limits, seed, model fingerprint.
  user_message,       ///< The message a run answers, as to_json(message).
  assistant_message,  ///< The message a step ended with, as to_json(message).
  call_intent,        ///< An effectful call is about to be dispatched, with its effect key.
  tool_results,       ///< The results of a step's calls: a message of role tool, as to_json(message).
  call_pending,       ///< A call waits for approval: {"call": {"id", "name", "arguments"}}.
  call_resolved,      ///< The answer to it: {"call_id"}.
  run_ended,          ///< A run is over: {"keep": bool, "status"}. Only a kept run becomes history.
  undo,               ///< Takes the last kept turn out of history.
  note,               ///< Anything else; the fold passes it by.
};
/// The word of a kind as it stands in the enumeration ("run_ended").
char const* to_string(event_type type) noexcept;

/// Largest payload of one event; a longer one is refused with errc::limit_reached.
inline constexpr std::size_t event_payload_bytes_max = std::size_t{16} << 20;

/// One event. The store fills in `time` (unless it is set) and `seq`.
struct session_event {
  event_type type = event_type::note;
  ulid run = {};                             ///< The run it belongs to; all zero for an event outside any run.
  std::string payload = "{}";                ///< A JSON object as text.
  utc_ms time = 0;                           ///< When it was committed.
  std::uint64_t seq = 0;                     ///< Its place in the session; the first is 1.
  std::shared_ptr<message const> said = {};  ///< The payload's message where message_event made it; not stored.
  std::optional<bool> keeps = {};            ///< The payload's "keep" where run_ended_event made it; not stored.

  friend bool operator==(session_event const& a, session_event const& b) {
    return a.type == b.type && a.run == b.run && a.payload == b.payload && a.time == b.time && a.seq == b.seq;
  }
};

/// An event that carries a message; `type` is user_message, assistant_message or tool_results.
session_event message_event(event_type type, ulid const& run, message const& m);
/// The event that makes a call wait for approval.
session_event call_pending_event(ulid const& run, tool_call const& call);
/// The event that ends the waiting; `resolution` is a word such as "approved" or "denied".
session_event call_resolved_event(ulid const& run, std::string const& call_id, std::string const& resolution);
/// The event that ends a run; `status` is a word such as "completed" or "cancelled".
session_event run_ended_event(ulid const& run, bool keep, std::string const& status);

/// A run without a run_ended: the process died in it, it is paused, or it is still going on. Never part of history.
struct open_run {
  ulid run;
  std::vector<session_event> events;  ///< Everything journalled for it, in order.
};

/// A call that waits for approval.
struct pending_call {
  tool_call call;
  ulid run;
  std::uint64_t seq = 0;  ///< Of its call_pending event.
};

}  // namespace wherry::inline v0
