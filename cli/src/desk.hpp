#pragma once
// The agent that ask and chat talk to.

#include "settings.hpp"

#include <wherry/agent/agent.hpp>
#include <wherry/llm/local_model.hpp>

namespace wherry::cli {

/// With the instructions, tools, limits and sampling that were given on the command line.
agent make_desk(std::shared_ptr<model> llm, agent_settings const& given);

}  // namespace wherry::cli
