#pragma once
// The file ACK: the highest sequence number a synced commit was acknowledged with. RocksDB takes a log that ends early
// for a log that ended there; this file knows better.

#include <wherry/core/result.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>

namespace wherry::inline v0::memory_detail {

/// Thread-safe. Written in place without a sync of its own at each commit, synced about once a second: a process that
/// is killed leaves the exact number, a machine that loses power one that is at most a second old.
class ack_file {
 public:
  static constexpr std::chrono::milliseconds sync_interval{1000};

  /// What a directory's ACK says. Absent: nullopt. Fails with: errc::store_damaged when it fails its checksum.
  static result<std::optional<std::uint64_t>> read(std::filesystem::path const& directory);

  /// Opens it for writing, made with the number `seq` when it is absent.
  static result<ack_file> open(std::filesystem::path const& directory, std::uint64_t seq);

  ack_file() = default;
  ack_file(ack_file&& other) noexcept;
  ack_file& operator=(ack_file&& other) noexcept;
  ~ack_file();

  /// Raises the number. A failure to write leaves it lower, which weakens a later check and breaks nothing.
  void advance(std::uint64_t seq) noexcept;
  void sync() noexcept;

 private:
  void write() noexcept;

  std::mutex mutex_;
  int file_ = -1;
  std::uint64_t seq_ = 0;
  std::chrono::steady_clock::time_point synced_{};
};

}  // namespace wherry::inline v0::memory_detail
