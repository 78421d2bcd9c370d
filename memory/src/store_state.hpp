#pragma once
// The open directory: RocksDB, the ACK file, and the one function that writes.

#include "ack_file.hpp"
#include "analyser_pool.hpp"
#include "codec.hpp"
#include "key_ring.hpp"

#include <wherry/memory/erase.hpp>
#include <wherry/memory/store.hpp>

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>

namespace wherry::inline v0::memory_detail {

/// A RocksDB status as an error; `attempted` is what the sentence begins with.
error translate(rocksdb::Status const& status, std::string attempted, std::filesystem::path const& path);

/// Bytes per key with which RocksDB guards a batch on its way to the log and the memory table.
inline constexpr std::size_t batch_protection_bytes = 8;
inline constexpr std::size_t batch_bytes_usual = 1024;  ///< Room for a step of a run.
inline rocksdb::WriteBatch new_batch() { return rocksdb::WriteBatch(batch_bytes_usual, 0, batch_protection_bytes, 0); }

/// Thread-safe.
struct store_state : std::enable_shared_from_this<store_state> {
  /// `env` null: the system's. Tests bring one that fails.
  static result<std::shared_ptr<store_state>> open(std::filesystem::path path, store_options options,
                                                   rocksdb::Env* env = nullptr);
  store_state(std::filesystem::path path, store_options options, std::shared_ptr<key_ring> keys);
  store_state(store_state const&) = delete;
  store_state& operator=(store_state const&) = delete;
  ~store_state();

  /// Writes a batch: nothing else in this room does. Returns the store's sequence number after it.
  result<std::uint64_t> write(rocksdb::WriteBatch& batch, durability how);
  result<void> sync();

  rocksdb::ColumnFamilyHandle* handle(family f) const { return handles_[static_cast<std::size_t>(f)]; }

  /// Absent: nullopt.
  result<std::optional<std::string>> get(family f, std::string const& key) const;
  /// Calls visit(key, value) for the keys in [first, end) in order, until it returns false. In an encrypted store the
  /// postings of several terms come in no order. Fails with whatever visit fails with.
  using visitor = std::function<result<bool>(std::string_view key, std::string_view value)>;
  result<void> scan(family f, std::string const& first, std::string const& end, visitor const& visit) const {
    return scan(f, first, end, visit, scan_extent::some);
  }
  /// The same for ranges of many rows that are not read again soon: read in long steps, and not kept in the cache.
  result<void> scan_all(family f, std::string const& first, std::string const& end, visitor const& visit) const {
    return scan(f, first, end, visit, scan_extent::all);
  }
  /// The last key in [first, end) and its value. Absent: nullopt.
  result<std::optional<std::pair<std::string, std::string>>> last(family f, std::string const& first,
                                                                  std::string const& end) const;

  /// How many rows there are, readable or not.
  result<std::size_t> count(family f, std::string const& first, std::string const& end) const;

  // Into a batch, as the rows stand on the disk.
  result<void> put(rocksdb::WriteBatch& batch, family f, std::string const& key, std::string const& value) const;
  result<void> remove(rocksdb::WriteBatch& batch, family f, std::string const& key) const;
  result<void> remove_range(rocksdb::WriteBatch& batch, family f, std::string const& first,
                            std::string const& end) const;

  // Scopes: `key` is scope_key of a name.
  /// Absent: nullopt.
  result<std::optional<ulid>> find_scope(std::string const& key) const;
  result<void> put_scope(rocksdb::WriteBatch& batch, std::string const& key, ulid const& id) const;
  void remove_scope(rocksdb::WriteBatch& batch, std::string const& key) const;
  /// Names of all scopes; those of an encrypted copy whose key is gone are counted in `unreadable`.
  result<std::vector<scope_name>> scope_names(std::size_t& unreadable) const;
  /// Fails with errc::not_found when the key of a scope was destroyed. Nothing to say in a store that is not encrypted.
  result<void> check_readable(ulid const& scope) const;

  /// A file's bytes as they are kept on the disk, and back; absent: they are not what was kept under this name.
  result<std::string> sealed_file(ulid const& scope, std::string bytes, std::string_view name) const;
  std::optional<std::string> opened_file(ulid const& scope, std::string bytes, std::string_view name) const;

  /// Brings a family's keys in [first, end) (both empty: all) to the bottom level, where nothing deleted is left.
  result<void> rewrite(family f, std::string const& first, std::string const& end);
  /// Makes the log and the manifest begin anew and deletes the old ones.
  result<void> roll_logs();
  /// A copy of everything as it is now, in a directory that must not exist.
  result<void> copy_to(std::filesystem::path const& where);

  void add_eraser(eraser other);
  std::vector<eraser> erasers() const;

  error damaged(std::string what) const;
  /// The file of a graph of vectors.
  std::filesystem::path image_path(ulid const& scope, std::uint32_t generation) const;
  std::shared_ptr<scope_state> scope(scope_name name);

  std::filesystem::path const path;
  store_options const options;           ///< Without the master key.
  std::shared_ptr<key_ring> const keys;  ///< Null: not encrypted.
  mutable analyser_pool analysers;

 private:
  result<void> open_database(rocksdb::Env* env);
  result<void> open_directory();
  result<void> check_format(std::optional<std::uint64_t> acknowledged);
  result<void> check_keys(std::string_view format);
  void write_long_log_away();
  result<void> choose_language();
  /// Null: rows of this family stand as they are.
  result<std::shared_ptr<row_cipher const>> cipher_of(family f, std::string_view key) const;
  result<std::optional<std::string>> get_row(family f, std::string const& disk_key) const;
  result<std::optional<std::pair<std::string, std::string>>> last_row(family f, std::string const& first,
                                                                      std::string const& end) const;
  enum class scan_extent { some, all };
  result<void> scan(family f, std::string const& first, std::string const& end, visitor const& visit,
                    scan_extent extent) const;
  result<void> scan_rows(family f, std::string const& first, std::string const& end, visitor const& visit,
                         scan_extent extent = scan_extent::some) const;

  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  ack_file ack_;
  bool owner_ = false;
  std::atomic<bool> failed_{false};

  mutable std::mutex erasers_mutex_;
  std::vector<eraser> erasers_;

  std::mutex scopes_mutex_;
  std::map<std::string, std::weak_ptr<scope_state>> scopes_;
  std::size_t scopes_sweep_at_ = 64;  ///< Size of the map at which ended scopes are taken out.
};

}  // namespace wherry::inline v0::memory_detail
