#include "scenario.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "shared_data.hpp"

#include <string>

using namespace wherry;
using namespace wherry::cli;

namespace {

std::string with(std::string const& agent, std::string const& more = "") {
  return R"({"wherry_scenario": 1, )" + more + R"("agents": [{"name": "a"}, )" + agent +
         R"(], "messages": [{"to": "a", "text": "Hi"}]})";
}

}  // namespace

TEST_CASE("a scenario is read with its limits, asks, approvals and schema", "[unit]") {
  auto const s = parse_scenario(with(
      R"({"name": "b", "tools": ["dice"], "asks": [{"agent": "a", "tool": "ask_a", "description": "Asks a."}],
          "limits": {"steps": 3}, "sampling": {"temperature": 0}, "approvals": {"tools": {"ask_a": "deny"}},
          "first_step": "required", "output_schema": {"type": "object", "x-own": [1, 2]}})",
      R"("seed": 18446744073709551615, )"));
  REQUIRE(s);
  CHECK(s->seed == 18446744073709551615u);
  auto const& b = s->agents[1];
  CHECK(b.limits->steps == 3u);
  CHECK_FALSE(b.limits->step_tokens);
  CHECK(b.sampling->temperature == 0.0);
  CHECK(b.first_step == tool_choice::required);
  CHECK(b.approvals->tools->at("ask_a") == approval::deny);
  CHECK_FALSE(s->output_schemas[0]);
  CHECK(s->output_schemas[1]->text == R"({"type":"object","x-own":[1,2]})");
}

TEST_CASE("what is wrong in a scenario is named by its JSON pointer", "[unit]") {
  struct wrong {
    std::string text;
    std::string pointer;
  };
  for (auto const& [text, pointer] : std::vector<wrong>{
           {R"({"wherry_scenario": 2})", "/wherry_scenario"},
           {R"([])", "/"},
           {R"({"wherry_scenario": 1, "agents": [], "messages": []})", "/agents"},
           {with(R"({"name": 7})"), "/agents/1/name"},
           {with(R"({"name": "a"})"), "/agents/1/name"},
           {with(R"({"name": "b", "tools": ["dice", "hammer"]})"), "/agents/1/tools/1"},
           {with(R"({"name": "b", "limits": {"steps": -1}})"), "/agents/1/limits/steps"},
           {with(R"({"name": "b", "sampling": {"top_p": 1.5}})"), "/agents/1/sampling/top_p"},
           {with(R"({"name": "b", "first_step": "maybe"})"), "/agents/1/first_step"},
           {with(R"({"name": "b", "first_step": "required"})"), "/agents/1/first_step"},
           {with(R"({"name": "b", "output_schema": "text"})"), "/agents/1/output_schema"},
           {with(R"({"name": "b", "asks": [{"agent": "b", "tool": "t", "description": ""}]})"),
            "/agents/1/asks/0/agent"},
           {with(R"({"name": "b", "asks": [{"agent": "z", "tool": "t", "description": ""}]})"),
            "/agents/1/asks/0/agent"},
           {with(R"({"name": "b", "approvals": {"tools": {"dice": "ask"}}})"), "/agents/1/approvals/tools/dice"},
           {R"({"wherry_scenario": 1, "agents": [{"name": "a"}], "messages": [{"to": "z", "text": ""}]})",
            "/messages/0/to"}}) {
    CAPTURE(text);
    auto const s = parse_scenario(text);
    REQUIRE_FALSE(s);
    CHECK(s.error().path == pointer);
    CHECK_THAT(s.error().message, Catch::Matchers::StartsWith(pointer + ":"));
  }
}

TEST_CASE("a key that nobody reads, and text that is no JSON, are errors", "[unit]") {
  auto const unknown = parse_scenario(with(R"({"name": "b", "colour": "red"})"));
  REQUIRE_FALSE(unknown);
  CHECK_THAT(unknown.error().message, Catch::Matchers::ContainsSubstring("colour"));
  CHECK(parse_scenario("{").error().is(errc::parse_error));
}

TEST_CASE("the scenarios of the examples are well formed", "[unit]") {
  for (auto const* name : {"first_run.json", "two_agents.json"}) {
    auto const s = read_scenario(wherry_test::source_dir() / "examples/scenarios" / name);
    CAPTURE(name);
    CHECK(s);
  }
}
