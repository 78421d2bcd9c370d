#pragma once
// What a scope keeps beside its sessions: long-term memories, the journal of effects, the outbox of durable jobs.

#include <wherry/core/clock.hpp>
#include <wherry/core/id.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace wherry::inline v0 {

/// Largest text of one record, call or job payload; a longer one is refused with errc::limit_reached.
inline constexpr std::size_t record_bytes_max = std::size_t{1} << 20;

/// Longest title, thread, subject or attribute of a record, in bytes.
inline constexpr std::size_t record_label_bytes_max = 1024;
/// Most tags of a record.
inline constexpr std::size_t record_tags_max = 32;

/// Where a record came from: events [first_seq, last_seq] of a session of the same scope, or a document; and, where it
/// is known, the bytes [begin, end) of that event's text or of that document. Records of one source are neighbours in
/// the order of (first_seq, begin): recall lets a turn's neighbours speak for it.
struct record_source {
  std::string session = {};
  std::uint64_t first_seq = 0;
  std::uint64_t last_seq = 0;
  std::string document = {};  ///< A document's id; not empty: the numbers above count its parts.
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  friend bool operator==(record_source const&, record_source const&) = default;
};

/// Who said what a record holds. The numbers are on disk.
enum class record_origin : std::uint8_t {
  user = 1,  ///< A user's words.
  tool,      ///< What a tool returned.
  agent,     ///< A model's own words.
  document,  ///< A document that was read in.
  recalled,  ///< Text that recall had put before a model. It is never extracted again.
};
char const* to_string(record_origin origin) noexcept;

/// A name and a value that recall can filter by; exact, not indexed as text.
struct record_tag {
  std::string name = {};
  std::string value = {};
  friend bool operator==(record_tag const&, record_tag const&) = default;
};

/// One long-term memory. It holds in two times: `created` is when the store learned of it, [valid_from, valid_to) is
/// when it was said to hold. A newer record that says otherwise does not erase it; it ends it.
struct record {
  ulid id = {};  ///< All zero: the transaction gives it one.
  std::string kind =
      {};  ///< "fact", "preference", "procedure", "episode", "summary", "document", "message"; or your own.
  std::string text = {};  ///< UTF-8, kept byte for byte.
  record_source source = {};
  utc_ms created = 0;        ///< 0: the time of the commit.
  std::string title = {};    ///< Who speaks, or under which headings it stands; searched, and weighs more than text.
  std::string subject = {};  ///< What it is about: "user", "Caroline", ...
  /// What it says of its subject: "home city". Not empty: at most one live record of a scope has this kind, subject and
  /// attribute; transaction::remember ends the older one.
  std::string attribute = {};
  record_origin origin = record_origin::user;
  float importance = 0.5F;   ///< 0 to 1.
  std::uint32_t proofs = 1;  ///< How often it was said.
  utc_ms valid_from = 0;     ///< 0: since `created`.
  utc_ms valid_to = 0;       ///< 0: without end.
  utc_ms expires = 0;        ///< 0: never. Past it the record is no longer found, and swept away in time.
  ulid superseded_by = {};   ///< The record that ended this one; all zero while it lives.
  utc_ms superseded_at = 0;  ///< When the store learned of that.
  std::vector<record_tag> tags = {};
  friend bool operator==(record const&, record const&) = default;
};

/// What became of a record given to transaction::remember.
enum class remembered : std::uint8_t {
  created,     ///< It is new.
  same,        ///< The very text was known; its proofs went up by one.
  merged,      ///< The text was known but for case, width, white space or closing punctuation; likewise.
  superseded,  ///< It is new, and ended an older one that said otherwise.
};
char const* to_string(remembered outcome) noexcept;

/// A line of transaction::reports().
struct remember_report {
  remembered outcome = remembered::created;
  ulid id = {};     ///< The record that holds it now: the new one, or the known one it was merged with.
  ulid other = {};  ///< superseded: the record that was ended.
  /// created: a live record of the same kind that shares most of its words; only told, never merged. All zero: none.
  ulid similar = {};
  friend bool operator==(remember_report const&, remember_report const&) = default;
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
  std::string kind = {};  ///< What a worker looks for.
  /// The worker's business. Where it is a JSON object with a member "session", the job goes when that session is
  /// erased.
  std::string payload = {};
  std::string idempotency_key = {};  ///< Not empty: a second job with this key in the scope is not added, ever.
  ulid id = {};                      ///< All zero: the transaction gives it one.
  utc_ms created = 0;                ///< Filled in by the store.
  utc_ms claimed_until = 0;          ///< A worker holds it until then; past times mean it is free.
  std::uint32_t attempts = 0;        ///< How often it was claimed.
  friend bool operator==(outbox_job const&, outbox_job const&) = default;
};

}  // namespace wherry::inline v0
