#pragma once
// How a command ends: its exit code, and what it says when it failed.

#include <wherry/core/error.hpp>

namespace wherry::cli {

/// The exit codes of the command; part of its interface.
enum exit_code : int {
  exit_ok = 0,
  exit_failed = 1,
  exit_usage = 2,
  exit_needs_approval = 3,
  exit_limit = 4,
  exit_interrupted = 130,  ///< A second Ctrl-C within a run.
};

/// Limits of any kind (steps, tokens, time, context, memory) are 4, waiting for approval is 3, the rest is 1.
exit_code exit_code_of(error const& e) noexcept;

/// Tells an error: one line "wherry: …" on standard error; with `as_json` also {"error":{…}} on standard output, so
/// that a reader of JSON gets JSON in any case. Returns: its exit code.
exit_code report(error const& e, bool as_json);

}  // namespace wherry::cli
