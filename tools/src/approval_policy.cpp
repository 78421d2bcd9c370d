#include <wherry/tools/approval_policy.hpp>

#include <algorithm>

namespace wherry::inline v0 {

approval approval_policy::decide(tool_call const& call, effect_class effect) const {
  if (auto const named = tools.find(call.name); named != tools.end()) return named->second;
  if (decide_call)
    if (auto const decided = decide_call(call, effect)) return *decided;
  return effect == effect_class::reads ? reads : writes;
}

bool approval_policy::may_ask() const {
  if (reads == approval::ask || writes == approval::ask || decide_call) return true;
  return std::any_of(tools.begin(), tools.end(), [](auto const& t) { return t.second == approval::ask; });
}

bool approval_policy::always_denies(std::string const& tool, effect_class effect) const {
  if (auto const named = tools.find(tool); named != tools.end()) return named->second == approval::deny;
  return !decide_call && (effect == effect_class::reads ? reads : writes) == approval::deny;
}

}  // namespace wherry::inline v0
