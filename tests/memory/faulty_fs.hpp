#pragma once
// A file system whose log files fail when they are told to.

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <atomic>
#include <memory>
#include <string>

namespace wherry_test {

/// What the next operation of a kind on a write-ahead log does.
enum class fault { none, fails, no_space };

class faulty_fs final : public rocksdb::FileSystemWrapper {
 public:
  faulty_fs() : rocksdb::FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  char const* Name() const override { return "faulty_fs"; }

  std::atomic<fault> on_append{fault::none};
  std::atomic<fault> on_sync{fault::none};

  rocksdb::IOStatus NewWritableFile(std::string const& name, rocksdb::FileOptions const& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override {
    auto status = FileSystemWrapper::NewWritableFile(name, options, file, debug);
    if (status.ok() && name.ends_with(".log")) *file = std::make_unique<log_file>(std::move(*file), *this);
    return status;
  }

 private:
  static rocksdb::IOStatus outcome(fault f) {
    return f == fault::no_space ? rocksdb::IOStatus::NoSpace("injected") : rocksdb::IOStatus::IOError("injected");
  }

  class log_file final : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    log_file(std::unique_ptr<rocksdb::FSWritableFile> file, faulty_fs& fs)
        : FSWritableFileOwnerWrapper(std::move(file)), fs_(fs) {}
    using FSWritableFileOwnerWrapper::Append;
    rocksdb::IOStatus Append(rocksdb::Slice const& data, rocksdb::IOOptions const& options,
                             rocksdb::IODebugContext* debug) override {
      if (auto const f = fs_.on_append.exchange(fault::none); f != fault::none) return outcome(f);
      return FSWritableFileOwnerWrapper::Append(data, options, debug);
    }
    rocksdb::IOStatus Sync(rocksdb::IOOptions const& options, rocksdb::IODebugContext* debug) override {
      if (auto const f = fs_.on_sync.exchange(fault::none); f != fault::none) return outcome(f);
      return FSWritableFileOwnerWrapper::Sync(options, debug);
    }

   private:
    faulty_fs& fs_;
  };
};

}  // namespace wherry_test
