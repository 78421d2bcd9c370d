#include "store_state.hpp"

#include "erasure.hpp"
#include "files.hpp"
#include "rocks_options.hpp"
#include "scope_state.hpp"

#include <rocksdb/utilities/checkpoint.h>

namespace wherry::inline v0::memory_detail {
namespace {

/// A reader beside a writer may list files that are gone when it opens them; it looks again this often.
constexpr int read_only_attempts = 5;

/// How much is read at once of a range that is read as a whole.
constexpr std::size_t long_step_bytes = std::size_t{1} << 20;

/// A longer log is written to tables when a store is closed: it takes about 30 ms a mebibyte to read it again.
constexpr std::uint64_t log_bytes_when_closed_max = std::uint64_t{2} << 20;

bool is_lock_failure(rocksdb::Status const& status) {
  auto const text = status.ToString();
  return status.IsIOError() && (text.find("lock hold by current process") != std::string::npos ||
                                text.find("While lock file") != std::string::npos);
}

}  // namespace

error translate(rocksdb::Status const& status, std::string attempted, std::filesystem::path const& path) {
  auto const say = [&](errc code, char const* advice) {
    return error{code, attempted + ": " + status.ToString() + advice, "store", path.string()};
  };
  if (status.IsNoSpace())
    return say(errc::disk_full, "; make room, then close every handle of the store and open it again");
  if (status.IsCorruption()) return say(errc::store_damaged, "; restore the store from a backup");
  if (status.IsInvalidArgument()) return say(errc::unsupported, "; is this directory a wherry store?");
  return say(errc::io_failed, "");
}

store_state::store_state(std::filesystem::path where, store_options how, std::shared_ptr<key_ring> ring)
    : path(std::move(where)), options(std::move(how)), keys(std::move(ring)) {}

result<std::shared_ptr<store_state>> store_state::open(std::filesystem::path path, store_options options,
                                                       rocksdb::Env* env) {
  if (!options.time_source) options.time_source = clock::system();
  std::shared_ptr<key_ring> keys;
  if (options.keys) {
    std::error_code failure;
    bool const fresh = !options.read_only && options.create_if_missing && !std::filesystem::exists(path, failure);
    auto ring = key_ring::open(*options.keys, fresh || std::filesystem::is_empty(path, failure));
    if (!ring) return ring.error();
    keys = std::move(*ring);
    options.keys.reset();
  }
  auto state = std::make_shared<store_state>(std::move(path), std::move(options), std::move(keys));
  if (auto ready = state->open_directory(); !ready) return ready.error();
  // Read before the database: a writer beside us may go on while we open, and then we see more than this, never less.
  auto const acknowledged = ack_file::read(state->path);
  if (!acknowledged) return acknowledged.error();
  if (auto opened = state->open_database(env); !opened) return opened.error();
  if (auto checked = state->check_format(*acknowledged); !checked) return checked.error();
  if (auto chosen = state->choose_language(); !chosen) return chosen.error();
  if (!state->options.read_only)
    if (auto resumed = resume_erases(*state); !resumed) return resumed.error();
  return state;
}

result<void> store_state::open_directory() {
  std::error_code failure;
  bool const exists = std::filesystem::exists(path / "CURRENT", failure);
  if (!failure && !exists) {
    if (std::filesystem::exists(path / "ACK", failure))
      return damaged("the file CURRENT is missing; restore the store from a backup");
    if (options.read_only || !options.create_if_missing)
      return error{errc::not_found, "there is no store here", "store.open", path.string()};
    std::filesystem::create_directories(path, failure);
  }
  if (failure) return error{failure, "could not use the directory: " + failure.message(), "store.open", path.string()};
  return {};
}

result<void> store_state::open_database(rocksdb::Env* env) {
  auto database = database_options(options, env);
  auto const family_options = column_family_options(options);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (auto const* name : family_names) families.emplace_back(name, family_options);

  bool const existed = std::filesystem::exists(path / "CURRENT");
  rocksdb::DB* db = nullptr;
  rocksdb::Status status;
  if (options.read_only) {
    for (int attempt = 0; attempt < read_only_attempts; ++attempt) {
      status = rocksdb::DB::OpenForReadOnly(database, path.string(), families, &handles_, &db);
      if (status.ok() || !(status.IsPathNotFound() || status.IsCorruption())) break;
    }
  } else {
    status = rocksdb::DB::Open(database, path.string(), families, &handles_, &db);
  }
  if (status.ok()) {
    db_.reset(db);
    return {};
  }
  if (is_lock_failure(status)) {
    error busy{errc::store_busy, "the store is open for writing in " + owner_text(path) + "; close it there first",
               "store.open", path.string()};
    busy.retryable = true;
    return busy;
  }
  if (existed && (status.IsPathNotFound() || status.IsNotFound()))
    return damaged("a file of the store is missing: " + status.ToString() + "; restore the store from a backup");
  return translate(status, "could not open the store", path);
}

result<void> store_state::check_format(std::optional<std::uint64_t> acknowledged) {
  auto const reached = db_->GetLatestSequenceNumber();
  if (acknowledged && reached < *acknowledged)
    return damaged("the log ends at change " + std::to_string(reached) + ", but " + std::to_string(*acknowledged) +
                   " were acknowledged; restore the store from a backup");
  auto const format = get(family::meta, format_key());
  if (!format) return format.error();
  bool const fresh = !format->has_value();
  if (fresh && (options.read_only || acknowledged.value_or(0) > 0))
    return damaged("the store's format is not written in it; restore the store from a backup");
  if (!fresh && **format != format_value(false) && **format != format_value(true))
    return error{errc::unsupported, "the store was written in a format this version of wherry does not read",
                 "store.open", path.string()};
  if (!fresh)
    if (auto right = check_keys(**format); !right) return right;
  if (!fresh && !acknowledged)
    return damaged("the file ACK, which says what was acknowledged, is missing; restore the store from a backup");
  if (options.read_only) return {};

  auto ack = ack_file::open(path, acknowledged.value_or(0));
  if (!ack) return ack.error();
  ack_ = std::move(*ack);
  write_owner(path);
  owner_ = true;
  if (!fresh) return {};
  if (auto known = text_analyser::create(options.text_language); !known) return known.error();
  auto batch = new_batch();
  batch.Put(handle(family::meta), format_key(), format_value(keys != nullptr));
  if (keys) {
    std::string ring(keys->id().view());
    seal(ring);
    batch.Put(handle(family::meta), keys_key(), ring);
  }
  std::string language = options.text_language;
  seal(language);
  batch.Put(handle(family::meta), language_key(), language);
  if (auto written = write(batch, durability::synced); !written) return written.error();
  return {};
}

/// An encrypted store is opened with its own keys, another with none.
result<void> store_state::check_keys(std::string_view format) {
  auto const denied = [&](char const* why) { return error{errc::denied, why, "store.open", path.string()}; };
  bool const encrypted = format == format_value(true);
  if (encrypted && !keys) return denied("the store is encrypted; open it with its keys (store_options::keys)");
  if (!encrypted && keys)
    return denied("the store is not encrypted; open it without keys, or bring what it holds into a new one that is");
  if (!encrypted) return {};
  auto const row = get(family::meta, keys_key());
  if (!row) return row.error();
  auto body = byte_reader::unseal(*row ? std::string_view(**row) : std::string_view());
  auto const ring = body.id();
  if (!body.complete())
    return damaged("the name of the store's keys fails its checksum; restore the store from a backup");
  if (ring != keys->id()) return denied("the store was made with other keys");
  return {};
}

/// The language of texts is chosen when a store is made; what is indexed depends on it.
result<void> store_state::choose_language() {
  auto const stored = get(family::meta, language_key());
  if (!stored) return stored.error();
  if (!*stored) return damaged("the store's language is not written in it; restore the store from a backup");
  auto body = byte_reader::unseal(**stored);
  auto const language = std::string(body.rest());
  if (!body.complete()) return damaged("the store's language fails its checksum; restore the store from a backup");
  return analysers.use_language(language);
}

store_state::~store_state() {
  if (!db_) return;
  if (owner_) {
    if (sync()) write_long_log_away();
    ack_.sync();
    remove_owner(path);  // before the lock goes: the next owner writes its own
  }
  for (auto* const handle : handles_) db_->DestroyColumnFamilyHandle(handle);
  db_->Close();
}

/// What stands only in the log is read again by the next opening; a long one would make it slow. All is durable
/// already, so a failure here only means that it stays in the log.
void store_state::write_long_log_away() {
  rocksdb::VectorLogPtr logs;
  if (!db_->GetSortedWalFiles(logs).ok()) return;
  std::uint64_t bytes = 0;
  for (auto const& log : logs) bytes += log->SizeFileBytes();
  if (bytes > log_bytes_when_closed_max) (void)db_->Flush({}, handles_);
}

result<std::uint64_t> store_state::write(rocksdb::WriteBatch& batch, durability how) {
  if (options.read_only)
    return error{errc::unsupported, "could not commit: the store is open for reading only", "store.commit",
                 path.string()};
  if (failed_)
    return error{errc::store_failed,
                 "could not commit: an earlier write failed; close every handle of the store and open it again",
                 "store.commit", path.string()};
  rocksdb::WriteOptions write_options;
  write_options.sync = how == durability::synced;
  write_options.protection_bytes_per_key = batch_protection_bytes;
  auto const before = db_->GetLatestSequenceNumber();
  auto const status = db_->Write(write_options, &batch);
  if (!status.ok()) {
    failed_ = true;
    return translate(status, "could not commit", path);
  }
  // What had been published before and this batch are on the disk now. Other threads may have published more since,
  // not yet synced, so the latest number would say too much.
  if (write_options.sync) ack_.advance(before + batch.Count());
  return db_->GetLatestSequenceNumber();
}

result<void> store_state::sync() {
  if (options.read_only) return {};
  if (failed_)
    return error{errc::store_failed,
                 "could not sync: an earlier write failed; close every handle of the store and open it again",
                 "store.sync", path.string()};
  auto const reached = db_->GetLatestSequenceNumber();
  if (auto const status = db_->SyncWAL(); !status.ok()) {
    failed_ = true;
    return translate(status, "could not sync the log", path);
  }
  ack_.advance(reached);
  return {};
}

result<std::optional<std::string>> store_state::get_row(family f, std::string const& key) const {
  std::string value;
  auto const status = db_->Get(rocksdb::ReadOptions{}, handle(f), key, &value);
  if (status.IsNotFound()) return std::optional<std::string>{};
  if (!status.ok()) return translate(status, "could not read", path);
  return std::optional(std::move(value));
}

result<void> store_state::scan_rows(family f, std::string const& first, std::string const& end, visitor const& visit,
                                    scan_extent extent) const {
  rocksdb::Slice const upper(end);
  rocksdb::ReadOptions read_options;
  if (extent == scan_extent::all) {
    read_options.readahead_size = long_step_bytes;
    read_options.fill_cache = false;
  }
  read_options.iterate_upper_bound = &upper;
  std::unique_ptr<rocksdb::Iterator> const at(db_->NewIterator(read_options, handle(f)));
  for (at->Seek(first); at->Valid(); at->Next()) {
    auto const more = visit(at->key().ToStringView(), at->value().ToStringView());
    if (!more) return more.error();
    if (!*more) return {};
  }
  if (!at->status().ok()) return translate(at->status(), "could not read", path);
  return {};
}

result<std::optional<std::pair<std::string, std::string>>> store_state::last_row(family f, std::string const& first,
                                                                                 std::string const& end) const {
  using found = std::optional<std::pair<std::string, std::string>>;
  rocksdb::Slice const lower(first), upper(end);
  rocksdb::ReadOptions read_options;
  read_options.iterate_lower_bound = &lower;
  read_options.iterate_upper_bound = &upper;
  std::unique_ptr<rocksdb::Iterator> const at(db_->NewIterator(read_options, handle(f)));
  at->SeekToLast();
  if (at->Valid()) return found(std::pair(at->key().ToString(), at->value().ToString()));
  if (!at->status().ok()) return translate(at->status(), "could not read", path);
  return found{};
}

result<void> store_state::rewrite(family f, std::string const& first, std::string const& end) {
  rocksdb::CompactRangeOptions how;
  how.exclusive_manual_compaction = true;
  how.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
  rocksdb::Slice const from(first), to(end);
  bool const whole = first.empty() && end.empty();
  auto status = db_->Flush({}, handle(f));
  if (status.ok()) status = db_->CompactRange(how, handle(f), whole ? nullptr : &from, whole ? nullptr : &to);
  if (!status.ok()) return translate(status, "could not rewrite a part of the store", path);
  return {};
}

result<void> store_state::roll_logs() {
  // A log goes when no column family needs it any more. The manifest begins anew with every change of files.
  auto batch = new_batch();
  batch.Put(handle(family::unused), "rolled", "");
  batch.Delete(handle(family::unused), "rolled");
  if (auto written = write(batch, durability::synced); !written) return written.error();
  std::vector<rocksdb::ColumnFamilyHandle*> const all(handles_.begin(), handles_.end());
  auto status = db_->Flush({}, all);
  if (status.ok()) status = db_->EnableFileDeletions(true);  // deletes what is waiting to be deleted
  if (!status.ok()) return translate(status, "could not begin a new log", path);
  return {};
}

result<void> store_state::copy_to(std::filesystem::path const& where) {
  std::error_code failure;
  if (std::filesystem::exists(where, failure))
    return error{errc::already_exists, "a copy needs a directory that does not exist yet", "store.copy",
                 where.string()};
  if (auto synced = sync(); !synced) return synced;
  auto const reached = db_->GetLatestSequenceNumber();
  rocksdb::Checkpoint* made = nullptr;
  auto status = rocksdb::Checkpoint::Create(db_.get(), &made);
  std::unique_ptr<rocksdb::Checkpoint> const checkpoint(made);
  if (status.ok()) status = checkpoint->CreateCheckpoint(where.string());
  if (!status.ok()) return translate(status, "could not copy the store", where);
  auto const ack = ack_file::open(where, reached);
  if (!ack) return ack.error();
  return {};
}

void store_state::add_eraser(eraser other) {
  std::lock_guard const lock(erasers_mutex_);
  erasers_.push_back(std::move(other));
}

std::vector<eraser> store_state::erasers() const {
  std::lock_guard const lock(erasers_mutex_);
  return erasers_;
}

std::filesystem::path store_state::image_path(ulid const& scope, std::uint32_t generation) const {
  return path / "vectors" / (scope.text() + '-' + std::to_string(generation) + ".graph");
}

error store_state::damaged(std::string what) const {
  return error{errc::store_damaged, std::move(what), "store", path.string()};
}

std::shared_ptr<scope_state> store_state::scope(scope_name name) {
  auto key = scope_key(name);
  std::lock_guard const lock(scopes_mutex_);
  auto& slot = scopes_[key];
  if (auto known = slot.lock()) return known;
  auto made = std::make_shared<scope_state>(shared_from_this(), std::move(name), std::move(key));
  slot = made;
  if (scopes_.size() >= scopes_sweep_at_) {
    std::erase_if(scopes_, [](auto const& entry) { return entry.second.expired(); });
    scopes_sweep_at_ = 2 * scopes_.size() + 64;
  }
  return made;
}

}  // namespace wherry::inline v0::memory_detail
