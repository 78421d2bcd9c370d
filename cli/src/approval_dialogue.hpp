#pragma once
// Asking a person about calls before they are dispatched.

#include "line_reader.hpp"

#include <wherry/agent/agent.hpp>

#include <optional>
#include <string>
#include <vector>

namespace wherry::cli {

/// Which calls of a conversation are asked about; what is always allowed is remembered until the command ends.
class approval_dialogue {
 public:
  /// `confirm`: "none", "writes" (calls that may change something) or "all".
  explicit approval_dialogue(std::string const& confirm);

  approval_policy const& policy() const noexcept { return policy_; }

  /// Shows each call and asks until the person has said yes, no or always.
  /// Absent: the input ended (Ctrl-D); the calls go on waiting.
  std::optional<std::vector<call_answer>> ask(std::vector<pending_call> const& waiting, line_reader& lines);

 private:
  enum class decision { yes, no, always };
  static std::optional<decision> decide(tool_call const& call, line_reader& lines);

  approval_policy policy_;
};

}  // namespace wherry::cli
