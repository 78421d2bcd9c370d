#pragma once
// store: one directory that holds everything a program knows about its users. What a commit acknowledged is there
// after a crash, whole; what it did not acknowledge is there whole or not at all.

#include <wherry/memory/durability.hpp>
#include <wherry/memory/scope.hpp>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace wherry::inline v0 {

namespace memory_detail {
struct store_state;
}

/// Encryption at rest. Every scope has a key of its own; it encrypts what the store holds of the scope, in tables, logs
/// and graphs. Keys lie in a directory of their own, wrapped by the master key, and erasing a scope destroys its key:
/// no copy of the store can be read for that scope any more. So keep copies of this directory apart from copies of the
/// store, and let them not outlive an erase. Without it, or without the master key, the store cannot be read.
struct store_keys {
  std::filesystem::path directory = {};  ///< Made, for its owner alone, with a new store. Not inside the store.
  std::string master_key = {};           ///< 32 bytes that nobody can guess. Never written anywhere.
};

/// Defaults keep a process with a store small; a server raises the three byte sizes.
struct store_options {
  bool read_only = false;         ///< A frozen view; works beside a writer in another process. Writes nothing.
  bool create_if_missing = true;  ///< Ignored when read_only.
  durability commit_durability = durability::synced;       ///< Of commits that do not name one.
  std::size_t write_buffer_bytes = std::size_t{16} << 20;  ///< Unflushed data, all column families together.
  std::size_t block_cache_bytes = std::size_t{8} << 20;    ///< Uncompressed blocks kept for reads.
  std::size_t log_bytes_max = std::size_t{64} << 20;       ///< Write-ahead log on disk before it is flushed away.
  std::shared_ptr<clock const> time_source = {};           ///< Null: the system's clock.
  /// Of a new store: the Snowball stemmer of its texts ("english", "german", ...), empty for none. An existing store
  /// keeps its own. Chinese, Japanese and Korean text is indexed alike with any.
  std::string text_language = "english";
  /// Keep the vectors of embedders that are new to a scope as one byte a dimension: a quarter of the memory, and a
  /// cosine that is off by some thousandths.
  bool vectors_as_int8 = false;
  /// Above so many vectors scope_handle::maintain puts a graph over them; up to there each is looked at, which is
  /// exact.
  std::size_t vectors_exact_max = 20'000;
  /// Tables on disk are compressed. Off: about twice the space, a little less work.
  bool compressed = true;
  /// Of a new store: encrypted with these keys; an existing one needs the keys it was made with. Unset: not encrypted.
  std::optional<store_keys> keys = {};
};

/// An open store. A cheap handle: copies, scopes and sessions share it; it closes when the last of them goes, and
/// closing syncs what was committed with durability::os and moves a long log into tables, so that opening is quick.
///
/// Threads: thread-safe. One writer per directory, across processes and within one; any number of readers.
/// Example: wherry::store db{"./data"};
class store {
 public:
  /// As open(); throws wherry::exception.
  explicit store(std::filesystem::path const& path, store_options options = {});

  /// Opens or creates the store in the directory `path`.
  /// Fails with: errc::store_busy, naming path and pid, while another writer has it (trying again helps once that one
  /// is gone); errc::store_damaged when it lacks data it once acknowledged or a checksum fails; errc::not_found when it
  /// does not exist and must not be created; errc::unsupported when a newer wherry wrote it; errc::denied when it is
  /// encrypted and the keys are missing, others, or of another master key (or it is not, and keys are given);
  /// errc::io_failed.
  static result<store> open(std::filesystem::path const& path, store_options options = {});

  /// A scope of this store. Never fails: a name that is refused (not UTF-8, longer than name_bytes_max, more than
  /// namespace_parts_max parts) shows as errc::invalid_argument from the first function called.
  scope_handle scope(scope_name name) const;

  /// Makes everything committed so far durable, durability::os included.
  result<void> sync() const;

  /// Lets the program's own places take part in every erase: run files, traces, caches. They run before anything is
  /// taken out of the store, in the order in which they were added, and may be asked again for the same.
  void add_eraser(eraser other) const;
  /// What was erased and when, oldest first.
  result<std::vector<erase_receipt>> receipts() const;

  /// Walks everything: checksums, the hash chains of sessions, and whether what was made from records (index, vectors,
  /// rows that find them) is as it would be made now. `repair`: makes derived data anew where it is not.
  /// Commits wait scope by scope. Fails with: errc::io_failed; damage is told in the report.
  result<verify_report> verify(bool repair = false) const;

  /// A copy of the store as it is now, in a directory that does not exist yet; it opens like any store. Works beside
  /// commits. Of an encrypted store the keys are not copied: the copy opens with the same ones, and a scope erased
  /// since is unreadable in it. Fails with: errc::already_exists; errc::disk_full; errc::io_failed.
  result<void> copy_to(std::filesystem::path const& where) const;

  std::filesystem::path const& path() const noexcept;

 private:
  explicit store(std::shared_ptr<memory_detail::store_state> state);
  std::shared_ptr<memory_detail::store_state> state_;
};

}  // namespace wherry::inline v0
