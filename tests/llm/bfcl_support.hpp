#pragma once
// The function descriptions of the Berkeley Function-Calling Leaderboard (data/bfcl).

#include <wherry/core/json.hpp>
#include <wherry/llm/message.hpp>

#include <shared_data.hpp>

#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace wherry_test {

// BFCL writes Python's names of types.
inline void use_json_types(wherry::json& schema) {
  static std::map<std::string, std::string> const names = {
      {"dict", "object"}, {"float", "number"}, {"tuple", "array"}, {"any", "string"}, {"list", "array"}};
  if (!schema.is_object()) return;
  if (auto const type = schema.find("type"); type != schema.end() && type->is_string())
    if (auto const known = names.find(*type); known != names.end()) *type = known->second;
  for (auto& [key, member] : schema.items()) {
    if (key == "properties")
      for (auto& [name, property] : member.items()) use_json_types(property);
    if (key == "items") use_json_types(member);
  }
}

inline std::vector<wherry::json> json_lines(std::filesystem::path const& path) {
  std::vector<wherry::json> out;
  std::istringstream lines(read_file(path));
  for (std::string line; std::getline(lines, line);)
    if (!line.empty()) out.push_back(wherry::parse_json(line).value());
  return out;
}

inline std::vector<wherry::tool_spec> tools_of(wherry::json const& question) {
  std::vector<wherry::tool_spec> out;
  for (auto function : question["function"]) {
    use_json_types(function["parameters"]);
    out.push_back({function["name"], function["description"], {wherry::to_text(function["parameters"])}});
  }
  return out;
}

/// The tools of each question of a kind ("simple_python", "multiple", "parallel").
inline std::vector<std::vector<wherry::tool_spec>> bfcl_tools(std::string const& kind) {
  std::vector<std::vector<wherry::tool_spec>> out;
  for (auto const& question : json_lines(shared("data/bfcl/BFCL_v4_" + kind + ".json")))
    out.push_back(tools_of(question));
  return out;
}

}  // namespace wherry_test
