#pragma once
// The keys of an encrypted store, one for each scope, wrapped by the program's master key, in a directory beside the
// store and not in it: a copy of the store has none of them. Destroying a scope's key makes every copy of the scope
// unreadable, wherever it is.

#include "row_cipher.hpp"

#include <wherry/memory/store.hpp>

#include <map>
#include <memory>
#include <mutex>

namespace wherry::inline v0::memory_detail {

/// Thread-safe.
class key_ring {
 public:
  /// `create`: makes the directory where there is none.
  /// Fails with: errc::invalid_argument for a master key of another length; errc::denied when the directory's keys are
  /// of another master key or others may read them; errc::not_found; errc::io_failed.
  static result<std::shared_ptr<key_ring>> open(store_keys const& keys, bool create);
  ~key_ring();

  /// Which ring this is; the store it belongs to says the same.
  ulid const& id() const noexcept { return id_; }

  /// The cipher of a scope. Absent: it has no key, or no longer.
  result<std::shared_ptr<row_cipher const>> cipher(ulid const& scope);
  /// Makes a key; it is on the disk when this returns.
  result<std::shared_ptr<row_cipher const>> create(ulid const& scope);
  /// Destroys a key, on the disk and in memory. Absent: nothing to do.
  result<void> destroy(ulid const& scope);

  /// What the name of a scope becomes on disk.
  std::string hashed_name(std::string_view scope_key) const;

 private:
  explicit key_ring(std::filesystem::path directory) : directory_(std::move(directory)) {}
  std::filesystem::path file_of(ulid const& scope) const;

  std::filesystem::path const directory_;
  ulid id_ = {};
  secret_key wrapping_ = {}, names_ = {};
  std::mutex mutex_;
  std::map<ulid, std::shared_ptr<row_cipher const>> known_;
};

}  // namespace wherry::inline v0::memory_detail
