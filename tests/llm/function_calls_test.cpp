// The functions of BFCL as tools: what a model with random weights writes under their grammar parses and validates, and
// of the calls that are right the wrong ones beside them are refused.

#include "../support/shared_data.hpp"
#include "grammar_support.hpp"

#include <wherry/core/runtime.hpp>
#include <wherry/llm/json_validator.hpp>
#include <wherry/llm/local_model.hpp>
#include <wherry/llm/random_model.hpp>

#include <catch2/catch_test_macros.hpp>

#include <cstdio>
#include <fstream>
#include <map>

using namespace grammar_test;
namespace g = wherry::grammar;

namespace {

// BFCL names types as Python does.
void as_schema(json& s) {
  static std::map<std::string, std::string> const types = {
      {"dict", "object"}, {"float", "number"}, {"tuple", "array"}, {"any", ""}};
  if (auto const type = s.is_object() ? s.find("type") : s.end(); type != s.end() && type->is_string()) {
    if (auto const known = types.find(type->get<std::string>()); known != types.end()) {
      if (known->second.empty())
        s.erase("type");
      else
        *type = known->second;
    }
  }
  if (s.is_structured())
    for (auto& part : s) as_schema(part);
}

std::vector<json> documents(std::string const& path) {
  std::vector<json> out;
  std::ifstream in(wherry_test::shared("data/bfcl") / path);
  for (std::string line; std::getline(in, line);)
    if (auto entry = parse_json(line)) out.push_back(std::move(*entry));
  REQUIRE(out.size() >= 200);
  return out;
}

std::vector<tool_spec> functions(std::string const& file) {
  std::vector<tool_spec> out;
  for (auto& entry : documents(file)) {
    for (auto& f : entry["function"]) {
      as_schema(f["parameters"]);
      out.push_back({f["name"].get<std::string>(), f["description"].get<std::string>(), {to_text(f["parameters"])}});
    }
  }
  return out;
}

struct tally {
  std::size_t calls = 0, unparsed = 0, invalid = 0, not_called = 0;
};

// Each round asks for one call of each function.
tally sampled_calls(std::size_t wanted) {
  auto const m = local_model::from(
      make_random_model({.seed = 7, .width = 24, .feed_forward = 24, .layers = 1, .heads = 2, .kv_heads = 1}).value(),
      {.threads = 1});
  REQUIRE(m);
  std::shared_ptr<model> const writer = *m;
  std::vector<tool_spec> all = functions("BFCL_v4_simple_python.json");
  for (char const* more : {"BFCL_v4_multiple.json", "BFCL_v4_parallel.json"})
    for (auto& f : functions(more)) all.push_back(std::move(f));
  tally n;
  for (std::uint64_t round = 0; n.calls < wanted; ++round) {
    for (auto const& f : all) {
      if (n.calls == wanted) break;
      ++n.calls;
      model_request r;
      r.messages.push_back(message::user("Go."));
      r.tools = std::make_shared<std::vector<tool_spec> const>(std::vector<tool_spec>{{f.name, "", f.input_schema}});
      r.choice = tool_choice::required;
      r.parallel_calls = false;
      r.max_tokens = 512;
      r.sampling.temperature = 2;
      r.draws = {.run = round, .step = static_cast<std::uint32_t>(n.calls)};
      INFO(f.name << " " << f.input_schema.text);
      auto stream = writer->submit(r);
      REQUIRE(stream);
      auto const end = run_blocking(async_collect(std::move(*stream)), "collect", "async_collect");
      REQUIRE(end);
      auto const calls = end->answer.tool_calls();
      if (end->reason != finish_reason::tool_calls || calls.size() != 1 || calls[0].name != f.name) {
        ++n.not_called;
        continue;
      }
      if (!parse_json(calls[0].arguments)) {
        ++n.unparsed;
        continue;
      }
      auto const judge = json_validator::make(f.input_schema);
      REQUIRE(judge);
      auto const found = judge->validate(calls[0].arguments);
      REQUIRE(found);
      if (!found->empty()) {
        ++n.invalid;
        UNSCOPED_INFO(f.name << ": " << calls[0].arguments << ": " << to_string(found->front()));
      }
    }
  }
  return n;
}

void check_calls(std::size_t wanted) {
  auto const n = sampled_calls(wanted);
  std::printf("%zu calls sampled: %zu without a call, %zu unparsed, %zu invalid\n", n.calls, n.not_called, n.unparsed,
              n.invalid);
  CHECK(n.not_called == 0);
  CHECK(n.unparsed == 0);
  CHECK(n.invalid == 0);
}

// In the order of "properties".
std::string written(json const& arguments, json const& parameters) {
  json out = json::object();
  if (parameters.contains("properties")) {
    for (auto const& [name, unused] : parameters["properties"].items())
      if (arguments.contains(name)) out[name] = arguments[name];
  }
  for (auto const& [name, value] : arguments.items()) out[name] = value;
  return to_text(out);
}

json of_another_type(json const& value) {
  if (value.is_string()) return json::array({1});
  if (value.is_number()) return json("a text");
  if (value.is_boolean()) return json("a text");
  return json(3);
}

}  // namespace

TEST_CASE("a thousand calls by random weights, hot: all parse and validate", "[grammar][toolcall]") {
  check_calls(1'000);
}

TEST_CASE("a hundred thousand calls by random weights, hot: all parse and validate", "[.][slow][grammar][toolcall]") {
  check_calls(100'000);
}

TEST_CASE("right calls of real functions are accepted; a wrong type, a wrong name, a missing argument are not",
          "[grammar][toolcall]") {
  test_vocabulary const v(crossing_tokens());
  auto entries = documents("BFCL_v4_simple_python.json");
  auto const answers = documents("possible_answer/BFCL_v4_simple_python.json");
  REQUIRE(entries.size() == answers.size());
  std::size_t right = 0, wrong_type = 0, wrong_name = 0, missing = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    json& function = entries[i]["function"][0];
    as_schema(function["parameters"]);
    json const& parameters = function["parameters"];
    json const& gold = answers[i]["ground_truth"][0].begin().value();
    auto const judge = json_validator::make({to_text(parameters)}).value();
    json arguments = json::object();
    for (auto const& [name, values] : gold.items())
      for (auto const& value : values) {
        if (value == json("") || arguments.contains(name)) continue;
        arguments[name] = value;
        if (!judge.validate_value(arguments).has_value()) arguments.erase(name);
      }
    // Some answers are not of the type that their function declares.
    if (auto const found = judge.validate_value(arguments); !found || !found->empty()) continue;
    INFO(function["name"] << " " << to_text(arguments));
    auto const p = g::compile(schema(to_text(parameters)), v.tokens);
    REQUIRE(p);
    ++right;
    CHECK(accepts(*p, written(arguments, parameters)));
    for (auto const& [name, value] : arguments.items()) {
      json const& declared = parameters["properties"].contains(name) ? parameters["properties"][name] : json(true);
      bool const is_required = parameters.contains("required") &&
                               std::find(parameters["required"].begin(), parameters["required"].end(), json(name)) !=
                                   parameters["required"].end();
      if (declared.contains("type")) {
        json mutant = arguments;
        mutant[name] = of_another_type(value);
        ++wrong_type;
        CHECK_FALSE(accepts(*p, written(mutant, parameters)));
      }
      if (!is_required) continue;
      json mutant = arguments;
      mutant.erase(name);
      ++missing;
      CHECK_FALSE(accepts(*p, written(mutant, parameters)));
      mutant[name + "_"] = value;
      ++wrong_name;
      CHECK_FALSE(accepts(*p, written(mutant, parameters)));
    }
  }
  std::printf("%zu right calls accepted; refused: %zu of a wrong type, %zu misnamed, %zu without an argument\n", right,
              wrong_type, wrong_name, missing);
  CHECK(right > 300);
  CHECK(wrong_type > 300);
  CHECK(missing > 300);
}
