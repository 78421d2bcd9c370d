#pragma once
// What a scope keeps beside its sessions: long-term memories, the journal of effects, the outbox of durable jobs.

#include <wherry/core/clock.hpp>
#include <wherry/core/id.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace wherry::inline v0 {

/// Largest text of one record, call or job payload; a longer one is refused with errc::limit_reached.
inline constexpr std::size_t record_bytes_max = std::size_t{1} << 20;

/// Where a record came from: events [first_seq, last_seq] of a session of the same scope.
struct record_source {
  std::string session = {};
  std::uint64_t first_seq = 0;
  std::uint64_t last_seq = 0;
  friend bool operator==(record_source const&, record_source const&) = default;
};

/// One long-term memory.
struct record {
  ulid id = {};           ///< All zero: the transaction gives it one.
  std::string kind = {};  ///< The application's word: "fact", "preference", ...
  std::string text = {};  ///< UTF-8, kept byte for byte.
  record_source source = {};
  utc_ms created = 0;  ///< 0: the time of the commit.
  friend bool operator==(record const&, record const&) = default;
};

/// How far an effectful call got. The numbers are on disk.
enum class effect_state : std::uint8_t {
  intent = 1,  ///< It is about to be dispatched. Found after a crash it means: perhaps done, perhaps not.
  done,        ///< It came back, and what came back is journalled.
  unknown,     ///< Somebody looked and could not tell; it stays listed until resolved.
};
char const* to_string(effect_state state) noexcept;

/// One line of the effect journal: its current state, found by key.
///
/// Allowed changes: nothing -> intent; intent -> done or unknown; unknown -> done, unknown or (somebody decided to
/// dispatch it again) intent. Everything else, a second intent above all, is errc::conflict.
struct effect_record {
  std::string key = {};  ///< The stable effect key that the tool receives too.
  effect_state state = effect_state::intent;
  ulid run = {};          ///< The run that dispatches it.
  std::string call = {};  ///< The call as JSON text.
  utc_ms time = 0;        ///< Of the last change; filled in by the store.
  friend bool operator==(effect_record const&, effect_record const&) = default;
};

/// A durable job: committed with what asked for it, done at least once, its outcome committed exactly once.
struct outbox_job {
  std::string kind = {};             ///< What a worker looks for.
  std::string payload = {};          ///< The worker's business.
  std::string idempotency_key = {};  ///< Not empty: a second job with this key in the scope is not added, ever.
  ulid id = {};                      ///< All zero: the transaction gives it one.
  utc_ms created = 0;                ///< Filled in by the store.
  utc_ms claimed_until = 0;          ///< A worker holds it until then; past times mean it is free.
  std::uint32_t attempts = 0;        ///< How often it was claimed.
  friend bool operator==(outbox_job const&, outbox_job const&) = default;
};

}  // namespace wherry::inline v0
