#include "scenario.hpp"

#include "demo_tools.hpp"

#include <wherry/core/json.hpp>

#include <algorithm>
#include <fstream>

namespace wherry::cli {
namespace {

error wrong(std::string const& pointer, std::string const& what) {
  return {errc::invalid_argument, pointer + ": " + what, "cli.scenario", pointer};
}

std::string joined(std::vector<std::string> const& words) {
  std::string out;
  for (auto const& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

// A schema may be any JSON, so it is taken out before the rest is read strictly.
result<std::vector<std::optional<raw_json>>> take_output_schemas(json& document) {
  std::vector<std::optional<raw_json>> schemas;
  if (!document.is_object() || !document.contains("agents") || !document["agents"].is_array()) return schemas;
  for (auto& agent : document["agents"]) {
    auto& schema = schemas.emplace_back();
    if (!agent.is_object() || !agent.contains("output_schema")) continue;
    auto const& given = agent["output_schema"];
    if (!given.is_object() || given.empty())
      return wrong("/agents/" + std::to_string(schemas.size() - 1) + "/output_schema",
                   "expected a JSON Schema, an object that is not empty");
    schema = raw_json{to_text(given)};
    agent.erase("output_schema");
  }
  return schemas;
}

result<void> check_version(json const& document) {
  if (!document.is_object() || !document.contains("wherry_scenario")) return {};  // the strict reading says it better
  auto const& version = document["wherry_scenario"];
  if (version.is_number_integer() && version != scenario_version)
    return wrong("/wherry_scenario", "this is version " + version.dump() + "; this wherry reads version " +
                                         std::to_string(scenario_version));
  return {};
}

result<void> check_agent(scenario const& s, std::size_t index) {
  auto const& agent = s.agents[index];
  auto const place = "/agents/" + std::to_string(index);
  if (s.index_of(agent.name) != index)
    return wrong(place + "/name", "there is an agent \"" + agent.name + "\" already; give each a name of its own");
  auto offered = agent.tools.value_or(std::vector<std::string>{});
  auto const known = demo_tool_names();
  for (std::size_t i = 0; i < offered.size(); ++i)
    if (std::find(known.begin(), known.end(), offered[i]) == known.end())
      return wrong(place + "/tools/" + std::to_string(i),
                   "there is no tool \"" + offered[i] + "\"; there are " + joined(known));
  if (agent.asks) {
    for (std::size_t i = 0; i < agent.asks->size(); ++i) {
      auto const& ask = (*agent.asks)[i];
      if (s.index_of(ask.agent) >= index)
        return wrong(place + "/asks/" + std::to_string(i) + "/agent",
                     "no agent \"" + ask.agent + "\" stands before this one; an agent asks those above it");
      offered.push_back(ask.tool);
    }
  }
  if (agent.first_step == tool_choice::required && offered.empty())
    return wrong(place + "/first_step",
                 "a call is required, but the agent has no tools; give it \"tools\" or \"asks\"");
  if (agent.approvals && agent.approvals->tools)
    for (auto const& [name, policy] : *agent.approvals->tools)
      if (std::find(offered.begin(), offered.end(), name) == offered.end())
        return wrong(place + "/approvals/tools/" + name, "the agent has no tool of this name");
  return {};
}

result<void> check_names(scenario const& s) {
  for (std::size_t i = 0; i < s.agents.size(); ++i)
    if (auto good = check_agent(s, i); !good) return good;
  for (std::size_t i = 0; i < s.messages.size(); ++i)
    if (s.index_of(s.messages[i].to) == s.agents.size())
      return wrong("/messages/" + std::to_string(i) + "/to", "there is no agent \"" + s.messages[i].to + "\"");
  return {};
}

}  // namespace

std::size_t scenario::index_of(std::string_view agent) const {
  auto const found =
      std::find_if(agents.begin(), agents.end(), [&](scenario_agent const& a) { return a.name == agent; });
  return static_cast<std::size_t>(found - agents.begin());
}

result<scenario> parse_scenario(std::string_view text) {
  auto document = parse_json(text);
  if (!document) return std::move(document).error();
  if (auto good = check_version(*document); !good) return good.error();
  auto schemas = take_output_schemas(*document);
  if (!schemas) return std::move(schemas).error();
  auto file = decode<scenario_file>(to_text(*document));
  if (!file) {
    error e = std::move(file).error();
    e.where = "cli.scenario";
    if (e.path.empty()) e.path = "/";
    if (!e.message.starts_with(e.path)) e.message = e.path + ": " + e.message;
    return e;
  }
  scenario s{std::move(*file), std::move(*schemas)};
  if (auto good = check_names(s); !good) return good.error();
  return s;
}

result<scenario> read_scenario(std::filesystem::path const& file) {
  std::error_code failed;
  auto const size = std::filesystem::file_size(file, failed);
  if (failed)
    return error{failed == std::errc::no_such_file_or_directory ? errc::not_found : errc::io_failed,
                 "the scenario " + file.string() + " could not be read: " + failed.message(), "cli.scenario",
                 file.string()};
  if (size > scenario_bytes_max)
    return error{errc::limit_reached,
                 "the scenario " + file.string() + " is larger than " + std::to_string(scenario_bytes_max) + " bytes",
                 "cli.scenario", file.string()};
  std::ifstream in(file, std::ios::binary);
  std::string const text{std::istreambuf_iterator<char>(in), {}};
  if (!in.good() && !in.eof())
    return error{errc::io_failed, "the scenario could not be read", "cli.scenario", file.string()};
  auto parsed = parse_scenario(text);
  if (!parsed) {
    error e = std::move(parsed).error();
    e.message = file.string() + ": " + e.message;
    return e;
  }
  return parsed;
}

}  // namespace wherry::cli
