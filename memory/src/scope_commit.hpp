#pragma once
// One commit of one scope: changes are checked against what is there and gathered in a batch, then written at once.
// Every change to a store after its creation goes through here.

#include "scope_state.hpp"

#include <wherry/memory/transaction.hpp>

#include <rocksdb/write_batch.h>

#include <map>
#include <set>

namespace wherry::inline v0::memory_detail {

/// What is made from a record: rows with one right value, and rows that name one of the records that could claim them.
struct derived_rows {
  std::vector<std::pair<std::pair<family, std::string>, std::string>> rows;
  std::vector<std::pair<std::string, ulid>> shared;  ///< In `mem`.
};
derived_rows derive(scope_state const& scope, stored_record const& r);

/// The caller holds the scope's mutex from before the first change until after write(). A function that fails leaves
/// the commit unusable; nothing was written then.
class scope_commit {
 public:
  explicit scope_commit(scope_state& scope);
  scope_commit(scope_commit const&) = delete;
  scope_commit& operator=(scope_commit const&) = delete;
  ~scope_commit();

  /// The events stay the caller's, and where they are, until write(), which moves from them when it succeeds.
  result<void> append(std::shared_ptr<session_state> const& to, std::uint64_t expected_seq,
                      std::vector<session_event>& events);
  /// A record as it is, new or in place of the one with its id.
  result<void> put(record const& r);
  /// A record with regard to what is known: merged, or new and perhaps the end of an older one.
  result<remember_report> remember(record const& r);
  /// Takes a record away with everything made from it. Absent: errc::not_found.
  result<void> remove(ulid const& record);
  result<void> embed(ulid const& record, embedding const& vector);
  /// Says that the file of a generation's graph is the one with this checksum.
  result<void> image_written(std::uint32_t generation, std::uint32_t checksum);
  /// Returns: the version it has now.
  result<std::uint64_t> put_item(std::string const& space, std::string const& name, std::string const& json_text,
                                 item_options const& options);
  /// Returns: whether it was there.
  result<bool> remove_item(std::string const& space, std::string const& name, item_options const& options);
  result<void> journal(effect_record const& e);
  result<void> add(outbox_job const& j);
  result<void> update(outbox_job const& j);
  result<void> finish(ulid const& job_id);
  // Raw rows, for erasing.
  result<void> put_row(family f, std::string const& key, std::string const& value);
  result<void> erase_key(family f, std::string const& key);
  result<void> erase_range(family f, std::string const& first, std::string const& end);
  void erase_scope_name();
  result<void> fork(session_state& parent, std::shared_ptr<session_state> const& child, std::uint64_t at);

  result<commit_seq> write(durability how);

 private:
  /// Where a session stands once this commit is written.
  struct staged_session {
    std::shared_ptr<session_state> state;
    session_row row;
    std::uint64_t last_seq = 0;
    chain_hash last_hash{};
    std::vector<std::pair<session_event*, std::uint64_t>> events = {};  // with their sequence numbers
  };

  result<void> begin();
  result<staged_session*> stage(std::shared_ptr<session_state> const& s);
  result<void> put_value(family f, std::string const& key, std::string const& value);

  result<std::optional<item>> expect_item(std::string const& space, std::string const& name,
                                          item_options const& options);

  // records, in scope_commit_records.cpp
  /// What becomes of the index in memory once this commit is written.
  struct index_change {
    enum class what { add, change, remove, vector } how;
    stored_record record;
    std::vector<std::pair<std::string, posting>> postings = {};
    std::uint32_t generation = 0;
    std::string packed = {};
  };
  result<void> begin_records();
  result<std::optional<stored_record>> find_record(ulid const& id) const;
  result<std::optional<ulid>> find_id(std::string const& key) const;
  result<void> point(std::string const& key, ulid const& id);
  result<void> unpoint(std::string const& key, ulid const& id);
  result<void> write_record(stored_record const& r);
  result<void> add_record(record const& r);
  result<void> change_record(stored_record const& before, record const& after);
  result<void> remove_record(stored_record const& r);
  result<vector_generation> generation_for(embedding const& vector);
  result<ulid> similar_to(record const& r);
  void publish_records();

  scope_state& scope_;
  utc_ms const now_;
  rocksdb::WriteBatch batch_;
  std::size_t bytes_ = 0;
  bool new_scope_ = false;
  std::vector<staged_session> sessions_;
  std::map<std::string, effect_state, std::less<>> effects_;  ///< What this commit makes of effects.
  std::set<std::string, std::less<>> job_keys_;               ///< Idempotency keys this commit adds.
  std::set<ulid> finished_;
  std::optional<index_totals> totals_;                    ///< As this commit leaves them.
  std::map<ulid, std::optional<stored_record>> records_;  ///< Written or taken away by this commit.
  std::map<std::string, std::optional<ulid>> pointers_;   ///< Likewise, rows that name a record.
  std::vector<index_change> index_changes_;
  std::vector<vector_generation> generations_;                                ///< As this commit leaves them.
  std::map<std::pair<std::string, std::string>, std::optional<item>> items_;  ///< By namespace and key.
  std::string key_, value_;                                                   ///< Reused by every event.
};

}  // namespace wherry::inline v0::memory_detail
