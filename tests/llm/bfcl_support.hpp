#pragma once
// The function descriptions of the Berkeley Function-Calling Leaderboard (data/bfcl).

#include <wherry/core/json.hpp>
#include <wherry/llm/message.hpp>

#include <catch2/catch_test_macros.hpp>
#include <shared_data.hpp>

#include <algorithm>
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

struct gold_case {
  std::string id;
  std::vector<wherry::tool_call> calls;
  std::vector<wherry::tool_spec> tools;
};

// Gold values of nested objects are lists of acceptable ones too. "" stands for an argument left out; one gold value
// is no text where the schema wants one.
inline wherry::json first_acceptable(wherry::json const& values, bool wants_text = false) {
  for (auto const& value : values) {
    if (value == "" && values.size() > 1 && !(wants_text && !values[1].is_string())) continue;
    if (!value.is_object()) return value;
    wherry::json out = wherry::json::object();
    for (auto const& [key, member] : value.items()) out[key] = member.is_array() ? first_acceptable(member) : member;
    return out;
  }
  return nullptr;
}

inline bool type_of_parameter_is_text(std::vector<wherry::tool_spec> const& tools, std::string const& name,
                                      std::string const& key) {
  auto const tool =
      std::find_if(tools.begin(), tools.end(), [&](wherry::tool_spec const& t) { return t.name == name; });
  if (tool == tools.end()) return false;
  auto const schema = wherry::parse_json(tool->input_schema.text).value();
  return schema["properties"].value(key, wherry::json::object()).value("type", "") == "string";
}

/// Questions with their gold calls: simple, multiple, parallel.
inline std::vector<gold_case> gold_cases() {
  std::vector<gold_case> out;
  for (auto const* kind : {"simple_python", "multiple", "parallel"}) {
    std::string const name = std::string("BFCL_v4_") + kind + ".json";
    auto const questions = json_lines(shared("data/bfcl/" + name));
    auto const answers = json_lines(shared("data/bfcl/possible_answer/" + name));
    REQUIRE(questions.size() == answers.size());
    for (std::size_t i = 0; i < answers.size(); ++i) {
      gold_case one{answers[i]["id"], {}, tools_of(questions[i])};
      for (auto const& call : answers[i]["ground_truth"])
        for (auto const& [function, values] : call.items()) {
          wherry::json arguments = wherry::json::object();
          for (auto const& [key, acceptable] : values.items())
            arguments[key] = first_acceptable(acceptable, type_of_parameter_is_text(one.tools, function, key));
          one.calls.push_back({"", function, wherry::to_text(arguments)});
        }
      out.push_back(std::move(one));
    }
  }
  return out;
}

}  // namespace wherry_test
