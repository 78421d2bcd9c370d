#pragma once
// What seals the state that clients carry (server_options::secret), kept in a directory: processes that serve the same
// clients in turn share it, and a state outlives the process that sealed it.

#include <wherry/core/result.hpp>

#include <chrono>
#include <filesystem>
#include <string>

namespace wherry::inline v0::mcp {

/// For server_options::secret and previous_secret. Never printed.
struct request_secrets {
  std::string current, previous;
};

/// Reads DIRECTORY/mcp.secret, which its owner alone may read; draws a secret when there is none. Blocks.
/// Fails with: errc::deadline_exceeded when another process keeps the file locked for `lock_time`; errc::denied when
/// others may read the file; errc::parse_error; the system's code.
result<request_secrets> kept_request_secrets(std::filesystem::path const& directory,
                                             std::chrono::milliseconds lock_time = std::chrono::seconds(5));

/// Draws a new secret; the one before is accepted until the next renewal. Fails with: as kept_request_secrets.
result<request_secrets> renewed_request_secrets(std::filesystem::path const& directory,
                                                std::chrono::milliseconds lock_time = std::chrono::seconds(5));

}  // namespace wherry::inline v0::mcp
