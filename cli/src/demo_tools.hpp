#pragma once
// Tools to try things with: no network, no clock, no file; the same call has the same result.

#include <wherry/tools/tool.hpp>

#include <cstdint>
#include <vector>

namespace wherry::cli {

/// convert_length, dice, weather; by name. `seed` decides what the dice show.
std::vector<tool> demo_tools(std::uint64_t seed = 0);

/// Their names, for messages and completion.
std::vector<std::string> demo_tool_names();

}  // namespace wherry::cli
