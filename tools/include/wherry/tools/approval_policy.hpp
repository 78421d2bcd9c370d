#pragma once
// Who may call what without being asked.

#include <wherry/tools/tool.hpp>

#include <functional>
#include <map>
#include <optional>
#include <string>

namespace wherry::inline v0 {

enum class approval {
  allow,  ///< Dispatch it.
  ask,    ///< Pause the run until somebody has decided.
  deny,   ///< Answer the model with a failed result. An agent's model is not let to call what is always denied.
};

/// Decides on a valid call: by the tool's name, else by `decide_call`, else by its effect class.
/// Example: approval_policy{.writes = approval::ask, .tools = {{"send_mail", approval::deny}}}.
struct approval_policy {
  approval reads = approval::allow;
  approval writes = approval::allow;
  std::map<std::string, approval> tools = {};
  /// Looks at the call itself; nothing leaves the decision to the effect class. Called on the run's thread, must not
  /// block.
  std::function<std::optional<approval>(tool_call const&, effect_class)> decide_call = {};

  approval decide(tool_call const& call, effect_class effect) const;
  /// False when no call whatever would be asked about.
  bool may_ask() const;
  /// True when every call of the tool would be denied, whatever its arguments.
  bool always_denies(std::string const& tool, effect_class effect) const;
};

}  // namespace wherry::inline v0
