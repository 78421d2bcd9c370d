#pragma once
// The few files of a store's directory that are not RocksDB's.

#include <wherry/core/result.hpp>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

namespace wherry::inline v0::memory_detail {

/// An error with the code errno holds; it compares equal to the generic condition.
error system_error(std::string message, std::filesystem::path const& path);

/// At most `bytes_max` bytes of a file. Absent file: nullopt.
result<std::optional<std::string>> read_small_file(std::filesystem::path const& path, std::size_t bytes_max);

/// Makes names created in a directory durable.
result<void> sync_directory(std::filesystem::path const& directory);

/// OWNER: who writes to the directory ("pid 123"). It only informs: the lock is RocksDB's. Asking the kernel who holds
/// that lock would mean opening and closing its file, and closing it gives up the lock when it is our own.
void write_owner(std::filesystem::path const& directory);
void remove_owner(std::filesystem::path const& directory);
/// "process 123", or "another process" when the file does not say.
std::string owner_text(std::filesystem::path const& directory);

}  // namespace wherry::inline v0::memory_detail
