#pragma once
// What an agent is made of. Shared and never changed once an agent holds it.

#include <wherry/agent/agent.hpp>
#include <wherry/core/trace.hpp>
#include <wherry/memory/store.hpp>
#include <wherry/tools/tool_executor.hpp>

namespace wherry::inline v0 {

struct agent::definition {
  std::string name = "agent";
  std::string instructions;
  std::shared_ptr<model> llm;
  tool_executor executor{tool_registry{}};  // the tools, frozen, with the policy that guards them
  std::vector<std::shared_ptr<context_source>> sources;
  context_budget budget;
  std::vector<output_guard> guards;
  bool learns = false;
  run_limits limits;
  sampling_options sampling;
  std::optional<std::uint64_t> seed;
  tool_choice first_step = tool_choice::automatic;
  approval_policy approvals;
  wherry::v0::durability durability = wherry::v0::durability::synced;
  std::shared_ptr<trace_sink> trace;
  std::shared_ptr<clock const> time_source = clock::system();
  std::vector<std::string> stop;
  std::optional<error> broken;  // a mistake made while the agent was put together; every run reports it
};

}  // namespace wherry::inline v0
