#pragma once
// scope_handle: a user's place in a store. Every key begins with the scope's id, so no read can leave it.

#include <wherry/core/task.hpp>
#include <wherry/memory/erase.hpp>
#include <wherry/memory/items.hpp>
#include <wherry/memory/recall.hpp>
#include <wherry/memory/record.hpp>
#include <wherry/memory/session.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace wherry::inline v0 {

/// Longest name of a tenant, user, agent, namespace part, session, record kind or job kind, in bytes.
inline constexpr std::size_t name_bytes_max = 1024;
/// Longest effect key or idempotency key, in bytes.
inline constexpr std::size_t key_bytes_max = 1024;
/// Most parts of a namespace path.
inline constexpr std::size_t namespace_parts_max = 16;

/// Whose memory it is. Every combination is a place of its own: nothing is joined, matched or normalised, so "a", "ab",
/// "a%" and "" never meet. Names are UTF-8 and may hold any code point, NUL included.
struct scope_name {
  std::string tenant = {};
  std::string user = {};
  std::string agent = {};
  std::vector<std::string> space = {};  ///< Namespace path below the three.
  friend bool operator==(scope_name const&, scope_name const&) = default;
};

struct maintenance_options {
  std::size_t changes_before_image = 2000;     ///< An image is written when a graph changed so often since the last.
  double removed_share_before_rebuild = 0.25;  ///< Taken out vectors slow a graph down; beyond this it is made anew.
};

/// What scope_handle::maintain did.
struct maintenance_report {
  std::size_t expired = 0;
  std::size_t graphs_built = 0;
  std::size_t images_written = 0;
  friend bool operator==(maintenance_report const&, maintenance_report const&) = default;
};

/// A scope of an open store. Only store::scope makes one, so only the program that opened the store can: no text of a
/// model, a tool or the network ever becomes a scope.
///
/// Threads: thread-safe; copies share one state. Lifetime: keeps the store open.
/// Fails with, every function: errc::invalid_argument when the scope's name was refused (the message says why);
/// errc::store_damaged; errc::io_failed. A scope nobody has written to is empty, not an error.
class scope_handle {
 public:
  scope_name const& name() const noexcept;

  /// The session of that name, whether it exists already or not.
  wherry::v0::session session(std::string name) const;
  /// All sessions, by name (byte order).
  result<std::vector<session_info>> sessions() const;

  /// The items of a namespace, whether it holds any already or not.
  item_space items(std::string space) const;
  /// The namespaces that hold items, expired ones included, by name.
  result<std::vector<std::string>> item_spaces() const;

  /// Absent: nullopt.
  result<std::optional<wherry::v0::record>> record(ulid const& id) const;
  /// Records with an id after `after`, by id, at most `limit`.
  result<std::vector<wherry::v0::record>> records(ulid const& after = {}, std::size_t limit = 1000) const;
  /// The records that came from a document, in its order, found without looking at any other. Absent: empty.
  result<std::vector<wherry::v0::record>> document_records(std::string const& document) const;

  /// Finds records: by words, by vector, or both. See recall.hpp for what comes back and why.
  /// Fails with, also: errc::invalid_argument when the query has neither text nor vector or exceeds a bound.
  result<recall_result> recall(recall_query const& query) const;
  /// The same with models. The search is done on the compute pool, so a loop goes on meanwhile.
  /// Fails with, also: errc::invalid_argument for options out of bounds; errc::queue_full; errc::cancelled.
  static task<result<recall_result>> async_recall(scope_handle scope, recall_query query, recall_options options = {});
  /// The blocking form; the search is done on the calling thread. Where a model is asked on a thread that runs an event
  /// loop it fails with errc::would_block_loop.
  result<recall_result> recall(recall_query const& query, recall_options const& options) const;

  /// Ids of records that have no vector of an embedder, oldest first: what is left to embed, for a new record or a new
  /// embedder.
  result<std::vector<ulid>> records_without_vector(std::string const& fingerprint, std::size_t limit = 1000) const;
  /// The vectors of a record, one of each embedder that it has one of, as they are kept: of length 1, and rounded where
  /// they are kept as bytes. Such a vector can be given to transaction::embed of another scope. Absent record: none.
  result<std::vector<embedding>> embeddings(ulid const& record) const;
  /// Takes expired records away; puts a graph over vectors where they are many (see store_options::vectors_exact_max);
  /// writes images of graphs that changed. Works for minutes where much is new; recall goes on beside it.
  result<maintenance_report> maintain(maintenance_options options = {}) const;

  /// Is rid of what the request names: nothing finds it any more, and when this returns no byte of it is left in the
  /// store's files. Copies made before keep it. If the process dies meanwhile, the next opening of the store goes on.
  /// What erasers of the program (store::add_eraser) return as an error ends it before anything was taken out.
  /// Other commits to the scope wait; it takes as long as rewriting the scope's files.
  result<erase_receipt> erase(erase_request const& request) const;

  /// The journal's line of a key. Absent: nullopt.
  result<std::optional<effect_record>> effect(std::string const& key) const;
  /// Effects that are intents or unknown, by key: after a crash, what has to be resolved.
  result<std::vector<effect_record>> unfinished_effects() const;

  /// Jobs that are not done, claimed or not, by id.
  result<std::vector<outbox_job>> jobs() const;
  /// The oldest free job of a kind, now held for `lease`; nullopt when there is none. When the lease ends without
  /// transaction::finish, the job is free again, also after a crash.
  result<std::optional<outbox_job>> claim_job(std::string const& kind, std::chrono::milliseconds lease) const;

 private:
  friend class session;
  friend class store;
  friend class session;
  friend class transaction;
  explicit scope_handle(std::shared_ptr<memory_detail::scope_state> state);

  std::shared_ptr<memory_detail::scope_state> state_;
};

}  // namespace wherry::inline v0
