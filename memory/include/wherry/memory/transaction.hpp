#pragma once
// transaction: the one way anything is written to a store. All of it is committed, or none of it.

#include <wherry/core/task.hpp>
#include <wherry/memory/store.hpp>

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

namespace wherry::inline v0 {

namespace memory_detail {
class scope_commit;
}

/// A point in the store's order of commits. Every change of the commit that returned it is at or before it.
using commit_seq = std::uint64_t;

/// Largest transaction, in payload bytes; a larger one is refused with errc::limit_reached.
inline constexpr std::size_t transaction_bytes_max = std::size_t{64} << 20;

/// Collects changes of one scope and commits them as one batch. Move only.
///
/// Threads: one at a time; transactions of different threads may commit at once, those of one scope follow each other.
/// Example:
///   transaction tx{scope};
///   tx.append(session, seen, {user_event, assistant_event}).put({.kind = "fact", .text = "likes tea"});
///   auto done = tx.commit(durability::synced);
class transaction {
 public:
  explicit transaction(scope_handle scope);
  transaction(transaction&&) noexcept = default;
  transaction& operator=(transaction&&) noexcept = default;

  /// Appends events to a session of this scope. `expected_seq` is the last sequence number the caller has seen (0 for
  /// an empty session); a session that has moved on makes commit fail with errc::conflict.
  transaction& append(session const& to, std::uint64_t expected_seq, std::vector<session_event> events);
  /// Writes a record as it is, new or in place of the one with its id. Returns: its id.
  ulid put(record r);
  /// Writes a record with regard to what the scope knows already. A text that is known (but for case, width, white
  /// space and closing punctuation, with the same kind, subject and attribute) is not written again; the known record's
  /// proofs go up. A record with an attribute ends the live one of the same kind, subject and attribute; if it began to
  /// hold before that one, it is kept as already ended. reports() tells what became of each. Returns: the id it has if
  /// it is new.
  ulid remember(record r);
  /// Takes a record away, with everything made from it. What it said may still lie in deleted space on the disk: to
  /// be rid of it there too, use store::erase. Commit fails with errc::not_found when it is not there.
  transaction& forget(ulid const& record_id);
  /// Gives a record of the scope, or of this transaction, its vector. Vectors of a fingerprint form a generation; a new
  /// fingerprint begins one, beside those there are. A changed text loses its vectors.
  transaction& embed(ulid const& record_id, embedding vector);
  /// Writes or takes away an item of a namespace of the scope; commit fails with errc::conflict when it has another
  /// version than expected. See item_space.
  transaction& put_item(std::string space, std::string key, std::string json_text, item_options options = {});
  transaction& remove_item(std::string space, std::string key, item_options options = {});
  /// Writes a line of the effect journal; effect_record says which changes are allowed.
  transaction& journal(effect_record e);
  /// Adds a job. Returns: its id. A job whose idempotency key is known already is not added, which is no error.
  ulid job(outbox_job j);
  /// Removes a job that is done. Commit fails with errc::conflict when it is not there: somebody else finished it.
  transaction& finish(ulid const& job_id);

  /// Writes everything as one batch and returns when it is as durable as asked (the store's default unless given).
  /// After success the transaction is empty and may be used again; after an error it keeps what it held and nothing of
  /// it is in the store.
  /// Fails with: errc::conflict (read again, build again); errc::invalid_argument; errc::limit_reached;
  /// errc::disk_full or errc::io_failed when the write failed, and errc::store_failed from every commit after that
  /// until the store is opened again; errc::unsupported on a read-only store.
  result<commit_seq> commit(std::optional<durability> how = std::nullopt);

  /// What became of the records given to remember, in that order, after a successful commit.
  std::vector<remember_report> const& reports() const noexcept { return reports_; }

  /// As commit, without blocking the caller's thread for the disk: a synced commit waits on the shared compute pool, a
  /// commit to the operating system takes microseconds and runs where it is called.
  /// Cancellation: the commit may or may not have happened; read the session's last_seq to know.
  /// Also fails with: errc::queue_full; errc::cancelled. The transaction is used up either way.
  static task<result<commit_seq>> async_commit(transaction tx, std::optional<durability> how = std::nullopt);

 private:
  struct append_op {
    session to;
    std::uint64_t expected_seq;
    std::vector<session_event> events;
  };
  struct finish_op {
    ulid job_id;
  };
  struct remember_op {
    record what;
  };
  struct forget_op {
    ulid record_id;
  };
  struct embed_op {
    ulid record_id;
    embedding vector;
  };
  struct item_op {
    std::string space;
    std::string key;
    std::optional<std::string> value;  ///< Absent: it is taken away.
    item_options options;
  };
  using operation =
      std::variant<append_op, record, effect_record, outbox_job, finish_op, remember_op, forget_op, embed_op, item_op>;

  result<void> add_to(memory_detail::scope_commit& changes, operation& what);

  scope_handle scope_;
  std::vector<operation> operations_;
  std::vector<remember_report> reports_;
};

}  // namespace wherry::inline v0
