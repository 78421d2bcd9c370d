#pragma once
// A file system that dies after so many writes and syncs, and whose files then lose what was not synced: all of it, or
// all but some blocks of 512 bytes at its beginning.

#include <wherry/core/random.hpp>

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace bench_memory {

class power_loss_fs final : public rocksdb::FileSystemWrapper {
 public:
  power_loss_fs(std::uint64_t operations, std::uint64_t seed)
      : rocksdb::FileSystemWrapper(rocksdb::FileSystem::Default()), left_(operations), seed_(seed) {}
  char const* Name() const override { return "power_loss_fs"; }

  rocksdb::IOStatus NewWritableFile(std::string const& name, rocksdb::FileOptions const& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override {
    if (!alive()) return dead();
    auto status = FileSystemWrapper::NewWritableFile(name, options, file, debug);
    if (!status.ok()) return status;
    std::lock_guard const lock(mutex_);
    synced_[name] = 0;
    *file = std::make_unique<tracked>(std::move(*file), *this, name);
    return status;
  }
  rocksdb::IOStatus RenameFile(std::string const& from, std::string const& to, rocksdb::IOOptions const& options,
                               rocksdb::IODebugContext* debug) override {
    if (!spend()) return dead();
    auto status = FileSystemWrapper::RenameFile(from, to, options, debug);
    std::lock_guard const lock(mutex_);
    if (auto const known = synced_.find(from); status.ok() && known != synced_.end()) {
      synced_[to] = known->second;
      synced_.erase(known);
    }
    return status;
  }
  rocksdb::IOStatus DeleteFile(std::string const& name, rocksdb::IOOptions const& options,
                               rocksdb::IODebugContext* debug) override {
    if (!alive()) return dead();
    auto status = FileSystemWrapper::DeleteFile(name, options, debug);
    std::lock_guard const lock(mutex_);
    synced_.erase(name);
    return status;
  }

  /// What is left on the disk. The store must be closed.
  void cut_power() {
    std::uint32_t lane = 0;
    for (auto const& [name, synced] : synced_) {
      std::error_code failure;
      auto const size = std::filesystem::file_size(name, failure);
      if (failure || size <= synced) continue;
      auto const blocks = (size - synced) / 512;
      auto const kept = wherry::random_bits({.run = seed_}, lane++) % (blocks + 1) * 512;
      std::filesystem::resize_file(name, synced + kept, failure);
    }
  }

 private:
  bool alive() {
    std::lock_guard const lock(mutex_);
    return left_ > 0;
  }
  bool spend() {
    std::lock_guard const lock(mutex_);
    if (left_ == 0) return false;
    return --left_ > 0;
  }
  static rocksdb::IOStatus dead() { return rocksdb::IOStatus::IOError("the power is gone"); }
  void note_synced(std::string const& name, std::uint64_t size) {
    std::lock_guard const lock(mutex_);
    synced_[name] = size;
  }

  class tracked final : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    tracked(std::unique_ptr<rocksdb::FSWritableFile> file, power_loss_fs& fs, std::string name)
        : FSWritableFileOwnerWrapper(std::move(file)), fs_(fs), name_(std::move(name)) {}
    rocksdb::IOStatus Append(rocksdb::Slice const& data, rocksdb::IOOptions const& options,
                             rocksdb::IODebugContext* debug) override {
      if (!fs_.spend()) return dead();
      auto status = FSWritableFileOwnerWrapper::Append(data, options, debug);
      if (status.ok()) size_ += data.size();
      return status;
    }
    rocksdb::IOStatus Append(rocksdb::Slice const& data, rocksdb::IOOptions const& options,
                             rocksdb::DataVerificationInfo const&, rocksdb::IODebugContext* debug) override {
      return Append(data, options, debug);
    }
    rocksdb::IOStatus Sync(rocksdb::IOOptions const& options, rocksdb::IODebugContext* debug) override {
      if (!fs_.spend()) return dead();
      auto status = FSWritableFileOwnerWrapper::Sync(options, debug);
      if (status.ok()) fs_.note_synced(name_, size_);
      return status;
    }
    rocksdb::IOStatus Fsync(rocksdb::IOOptions const& options, rocksdb::IODebugContext* debug) override {
      return Sync(options, debug);
    }
    rocksdb::IOStatus RangeSync(std::uint64_t, std::uint64_t, rocksdb::IOOptions const&,
                                rocksdb::IODebugContext*) override {
      return rocksdb::IOStatus::OK();  // promises nothing
    }

   private:
    power_loss_fs& fs_;
    std::string name_;
    std::uint64_t size_ = 0;
  };

  std::mutex mutex_;
  std::uint64_t left_;
  std::uint64_t seed_;
  std::map<std::string, std::uint64_t> synced_;
};

}  // namespace bench_memory
