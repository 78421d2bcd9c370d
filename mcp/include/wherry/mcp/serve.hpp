#pragma once
// Serving a server: over standard input and output, or any other pair of descriptors.

#include <wherry/core/result.hpp>
#include <wherry/core/task.hpp>
#include <wherry/mcp/server.hpp>

#include <chrono>
#include <cstddef>

namespace wherry::inline v0::mcp {

/// One message a line, in both directions.
struct stdio_options {
  int input = 0;  ///< Descriptors; they stay open.
  int output = 1;
  std::size_t outbound_high = std::size_t{1} << 20;  ///< Bytes not taken by the peer from which nothing more is read.
  std::size_t outbound_max = std::size_t{64} << 20;  ///< ... from which the connection is given up.
  std::chrono::milliseconds write_time{30'000};      ///< A peer that takes nothing for so long is given up.
  std::chrono::milliseconds drain_time{5'000};       ///< After the end of input: for calls under way to be answered.
};

/// Serves one client until its input ends. A line beyond server_options::message_bytes_max is answered with an error
/// and skipped. Fails with: errc::io_failed; errc::deadline_exceeded when the peer stopped reading. Cancellation:
/// Asio's; calls under way are told to end.
task<result<void>> async_serve_stdio(server s, stdio_options options = {});

/// The same, blocking. Returns an exit code: 0, or 1 after saying on standard error what went wrong.
int serve_stdio(server const& s, stdio_options options = {});

}  // namespace wherry::inline v0::mcp
