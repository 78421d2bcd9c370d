#pragma once
// An advisory lock between processes. Nobody waits for it without end: one that hangs while it holds a lock must not
// hang all others.

#include <wherry/core/result.hpp>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include <sys/file.h>

namespace wherry::inline v0::mcp::detail {

inline constexpr auto lock_time_default = std::chrono::milliseconds(5'000);

/// Locks a file or directory until the descriptor is closed. Blocks for `lock_time` at most.
/// Fails with: errc::deadline_exceeded when another process keeps it; the system's code.
inline result<void> lock_file(int fd, std::chrono::milliseconds lock_time, std::filesystem::path const& file,
                              std::string const& where) {
  constexpr auto look_again = std::chrono::milliseconds(5);
  auto const until = std::chrono::steady_clock::now() + lock_time;
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      return error(std::error_code(errno, std::generic_category()), "the lock cannot be taken", where, file.string());
    if (std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(look_again);
      continue;
    }
    error late(errc::deadline_exceeded,
               "another process has kept the lock for " + std::to_string(lock_time.count()) +
                   " ms; see which one it is, or try again later",
               where, file.string());
    late.retryable = true;
    return late;
  }
  return {};
}

}  // namespace wherry::inline v0::mcp::detail
