// A language for the text of an answer, from the request to the answer.
#include "llm_support.hpp"

#include <wherry/llm/grammar.hpp>
#include <wherry/llm/local_model.hpp>
#include <wherry/llm/random_model.hpp>
#include <wherry/llm/repairing_model.hpp>
#include <wherry/llm/scripted_model.hpp>
#include "shared_data.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

using namespace wherry;
using Catch::Matchers::ContainsSubstring;
using wherry_test::answer;
namespace g = wherry::grammar;

namespace {

local_model noise() { return local_model::from(make_random_model({.seed = 1}).value(), {.threads = 1}).value(); }

model_request ask(g::expr language, std::size_t tokens = 64) {
  model_request r;
  r.messages.push_back(message::user("Which one?"));
  r.max_tokens = tokens;
  r.sampling.temperature = 1.5;
  r.constraint = std::make_shared<g::expr const>(std::move(language));
  return r;
}

std::vector<std::pair<char const*, g::expr>> languages() {
  return {{"a choice", g::choice({g::literal("yes"), g::literal(" no \n"), g::literal("{\"tool\":")})},
          {"a pattern", g::regex("^[A-C]{2}-[0-9]{1,4}( |\\n)*$")},
          {"a grammar", g::ebnf("s ::= '(' s ')' | [a-z\u00e9]{1,3}").value()},
          {"a piece of a text", g::span_of("The quick brown fox \xec\x95\x88\xeb\x85\x95", {.characters_max = 9})},
          {"a schema", g::json_schema({R"({"type":"array","items":{"type":"integer"},"maxItems":3})"})}};
}

std::shared_ptr<std::vector<tool_spec> const> one_tool() {
  return std::make_shared<std::vector<tool_spec> const>(
      std::vector<tool_spec>{{"clock", "", {R"({"type":"object","properties":{},"additionalProperties":false})"}}});
}

}  // namespace

TEST_CASE("a recogniser decides about texts and tells where one goes wrong", "[unit][grammar]") {
  auto const r = g::recogniser::make(g::ebnf("s ::= [0-9]{2} '-' word\nword ::= [a-z]+").value()).value();
  CHECK(r.matches("12-ab"));
  CHECK(r.begins("12-"));
  CHECK(r.begins(""));
  CHECK_FALSE(r.begins("1-"));
  CHECK_FALSE(r.matches("12-"));
  CHECK(r.check("12-ab"));
  auto const early = r.check("12-");
  CHECK(early.error().is(errc::output_invalid));
  CHECK_THAT(early.error().message, ContainsSubstring("ends at byte 3"));
  CHECK_THAT(r.check("12-aB").error().message, ContainsSubstring("byte 4") && ContainsSubstring("\"B\""));
  CHECK_THAT(r.check("x").error().message, ContainsSubstring("byte 0"));
  CHECK(g::recogniser::make(g::token(3)).error().is(errc::invalid_argument));
  CHECK_THAT(g::recogniser::make(g::regex("(a")).error().message, ContainsSubstring("(a"));
}

TEST_CASE("every answer under a constraint is in its language, to its end", "[unit][grammar]") {
  auto const m = noise();
  for (auto const& [name, language] : languages()) {
    auto const decided = g::recogniser::make(language).value();
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
      auto r = ask(language, 6 + 2 * seed);
      r.draws = {.run = seed, .step = 1};
      r.stop = {"e"};
      auto const end = answer(m, r);
      INFO(name);
      if (!end && end.error().is(errc::budget_too_small)) continue;
      REQUIRE(end);
      INFO(end->answer.text());
      CHECK(decided.matches(end->answer.text()));
      CHECK(end->reason == finish_reason::stop);
      REQUIRE(end->notices.size() == 1);
      CHECK(end->notices[0].feature == "stop");
    }
  }
}

TEST_CASE("the prompt does not change with a constraint", "[unit][grammar]") {
  std::shared_ptr<model> const m = noise();
  auto free = ask(g::literal("x"));
  free.constraint = nullptr;
  CHECK(m->render(ask(g::literal("x")))->ids == m->render(free)->ids);
}

TEST_CASE("under a constraint tools may be called where the answer's beginning tells", "[unit][grammar]") {
  auto const m = noise();
  std::size_t calls = 0, texts = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    auto r = ask(g::choice({g::literal("yes"), g::literal("{no}")}));
    r.tools = one_tool();
    r.draws.run = seed;
    auto const end = answer(m, r).value();
    end.answer.tool_calls().empty() ? ++texts : ++calls;
    if (end.answer.tool_calls().empty()) CHECK((end.answer.text() == "yes" || end.answer.text() == "{no}"));
    r.choice = tool_choice::none;
    CHECK(answer(m, r)->answer.tool_calls().empty());
  }
  CHECK(calls > 0);
  CHECK(texts > 0);
  auto unclear = ask(g::regex("^.*$"));
  unclear.tools = one_tool();
  auto const refused = answer(m, unclear);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().is(errc::unsupported));
  CHECK_THAT(refused.error().message, ContainsSubstring("{\"tool\":"));
  unclear.choice = tool_choice::required;
  CHECK(answer(m, unclear)->answer.tool_calls().size() == 1);
}

TEST_CASE("what cannot be held is refused before decoding", "[unit][grammar]") {
  std::shared_ptr<model> const models[] = {noise(), scripted_model{say("x"), say("x"), say("x"), say("x")}};
  for (auto const& m : models) {
    auto both = ask(g::literal("x"));
    both.output_schema = raw_json{"{}"};
    CHECK(answer(m, both).error().is(errc::invalid_argument));
    CHECK_THAT(answer(m, ask(g::regex("(a"))).error().message, ContainsSubstring("(a"));
    CHECK(answer(m, ask(g::token(2))).error().is(errc::invalid_argument));
    CHECK(answer(m, ask(g::choice({}))).error().is(errc::invalid_argument));
  }
  CHECK(answer(noise(), ask(g::regex("^a{40}b$"), 3)).error().is(errc::budget_too_small));
  // Bytes that are no text: repaired for the reader, hence no answer.
  CHECK(answer(noise(), ask(g::one_of({{0xC3, 0xC3}}))).error().is(errc::output_invalid));
}

TEST_CASE("a model without logits checks the answer when it is whole", "[unit][grammar]") {
  scripted_model fake{say("maybe"), say("yes"), call("clock", "{}")};
  auto r = ask(g::choice({g::literal("yes"), g::literal("no")}));
  auto const wrong = answer(fake, r);
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().is(errc::output_invalid));
  auto const right = answer(fake, r).value();
  CHECK(right.answer.text() == "yes");
  CHECK(right.notices.at(0).feature == "grammar");
  r.tools = one_tool();
  CHECK(answer(fake, r)->answer.tool_calls().size() == 1);
}

TEST_CASE("an answer outside its constraint is asked for again with what was wrong", "[unit][grammar]") {
  scripted_model fake{say("perhaps"), say("yes!").after("at byte 0"), say("yes").after("at byte 3")};
  auto const r = ask(g::choice({g::literal("yes"), g::literal("no")}));
  auto const got = answer(make_repairing(fake), r);
  REQUIRE(got);
  CHECK(got->answer.text() == "yes");
  CHECK(got->notices.back().feature == "repair");
  auto const asked = fake.requests();
  REQUIRE(asked.size() == 3);
  CHECK(asked[2].messages[1].text() == "perhaps");
  scripted_model stubborn{say("a"), say("b")};
  CHECK(answer(make_repairing(stubborn, {.tries_max = 2}), r).error().is(errc::output_invalid));
  CHECK(stubborn.finish());
}

TEST_CASE("a trained model answers under constraints", "[grammar]") {
  auto const file = wherry_test::shared("models/stories260K/stories260Ktok512.gguf");
  auto const m = local_model::open(file, {.threads = 1}).value();
  for (auto const& [name, language] : languages()) {
    auto const decided = g::recogniser::make(language).value();
    auto r = ask(language, 48);
    r.sampling.temperature = 0.8;
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      r.draws.run = seed;
      auto const end = answer(m, r);
      INFO(name);
      REQUIRE(end);
      INFO(end->answer.text());
      CHECK(decided.matches(end->answer.text()));
    }
  }
}
