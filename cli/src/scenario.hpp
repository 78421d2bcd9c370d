#pragma once
// Scenarios: several agents, what they may do, and what they are told, as one JSON file. The format is described in
// docs/scenarios.md; these structs are its schema.

#include <wherry/core/json_fwd.hpp>
#include <wherry/core/result.hpp>
#include <wherry/llm/model.hpp>
#include <wherry/llm/schema.hpp>
#include <wherry/tools/approval_policy.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::cli {

inline constexpr int scenario_version = 1;
/// Largest scenario file that is read.
inline constexpr std::size_t scenario_bytes_max = std::size_t{4} << 20;

/// As run_limits; what is absent keeps its default.
struct scenario_limits {
  std::optional<std::uint32_t> steps, total_tokens, step_tokens, tool_calls, time_ms;
};

/// As sampling_options; what is absent keeps its default.
struct scenario_sampling {
  std::optional<double> temperature;
  std::optional<int> top_k;
  std::optional<double> top_p, min_p, repetition_penalty, presence_penalty, frequency_penalty;
};

/// Another agent as a tool of this one.
struct scenario_ask {
  std::string agent;  ///< Must stand earlier in the file.
  std::string tool;   ///< The tool's name.
  std::string description;
};

/// As approval_policy.
struct scenario_approvals {
  std::optional<approval> reads, writes;
  std::optional<std::map<std::string, approval>> tools;
};

struct scenario_agent {
  std::string name;
  std::optional<std::string> instructions;
  std::optional<std::vector<std::string>> tools;  ///< Names of demo tools.
  std::optional<std::vector<scenario_ask>> asks;
  std::optional<tool_choice> first_step;
  std::optional<scenario_limits> limits;
  std::optional<scenario_sampling> sampling;
  std::optional<std::vector<std::string>> stop;
  std::optional<scenario_approvals> approvals;
};

struct scenario_message {
  std::string to;
  std::string text;
};

struct scenario_file {
  int wherry_scenario = scenario_version;
  std::optional<std::string> description;
  std::optional<std::uint64_t> seed;
  std::optional<std::string> session;
  std::vector<scenario_agent> agents;
  std::vector<scenario_message> messages;
};

/// A scenario that has been read and checked.
struct scenario : scenario_file {
  std::vector<std::optional<raw_json>> output_schemas;  ///< One for each agent.

  std::size_t index_of(std::string_view agent) const;  ///< agents.size() when there is none of that name.
};

/// Fails with: errc::parse_error (no JSON); errc::output_invalid or errc::invalid_argument (no scenario): error::path
/// is the JSON pointer of the offending place, and the message begins with it.
result<scenario> parse_scenario(std::string_view text);

/// Reads a file. Fails with: errc::not_found, errc::io_failed, errc::limit_reached; parse_scenario.
result<scenario> read_scenario(std::filesystem::path const& file);

}  // namespace wherry::cli

template <>
inline constexpr auto wherry::describe<wherry::cli::scenario_sampling> =
    std::tuple{wherry::field<&wherry::cli::scenario_sampling::temperature>("0 is greedy").range(0.0, 100.0),
               wherry::field<&wherry::cli::scenario_sampling::top_p>("Nucleus").range(0.0, 1.0),
               wherry::field<&wherry::cli::scenario_sampling::min_p>("Share of the best token").range(0.0, 1.0)};
template <>
inline constexpr auto wherry::describe<wherry::cli::scenario_agent> =
    std::tuple{wherry::field<&wherry::cli::scenario_agent::name>("Its name").length(1, 64)};
template <>
inline constexpr auto wherry::describe<wherry::cli::scenario_file> =
    std::tuple{wherry::field<&wherry::cli::scenario_file::agents>("Who takes part").items(1, 64),
               wherry::field<&wherry::cli::scenario_file::messages>("What they are told, in order").items(1, 1024)};
