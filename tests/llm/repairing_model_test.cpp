#include <wherry/core/runtime.hpp>
#include <wherry/llm/repairing_model.hpp>
#include <wherry/llm/scripted_model.hpp>
#include "llm_support.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace wherry;
using wherry_test::answer;

namespace {

capabilities without_grammar() {
  auto can = scripted_model::default_capabilities();
  can.grammar = false;
  return can;
}

model_request ask() {
  model_request r;
  r.messages.push_back(message::user("How many days?"));
  r.output_schema =
      raw_json{R"({"type":"object","properties":{"days":{"type":"integer","maximum":7}},"required":["days"]})"};
  return r;
}

}  // namespace

TEST_CASE("an answer that does not match is asked for again with what was wrong", "[unit]") {
  scripted_model fake({say("seven"), say(R"({"days":9})").after("is no JSON"),
                       say(R"({"days":7})").after("/days: expected a number at most 7, found 9")},
                      without_grammar());
  auto const got = answer(make_repairing(fake), ask());
  REQUIRE(got);
  CHECK(got->answer.text() == R"({"days":7})");
  REQUIRE_FALSE(got->notices.empty());
  CHECK(got->notices.back().feature == "repair");
  CHECK(fake.finish());
  auto const asked = fake.requests();
  REQUIRE(asked.size() == 3);
  CHECK(asked[2].messages.size() == 5);  // the question, and an answer and a complaint twice
  CHECK(asked[2].messages[1].text() == "seven");
  CHECK(asked[0].draws.step != asked[1].draws.step);
}

TEST_CASE("after the last try the violations are the error", "[unit]") {
  scripted_model fake({say(R"({"days":8})"), say(R"({"days":"x"})")}, without_grammar());
  auto const got = answer(make_repairing(fake, {.tries_max = 2}), ask());
  REQUIRE_FALSE(got);
  CHECK(got.error().is(errc::output_invalid));
  CHECK(got.error().path == "/days");
  CHECK(got.error().message.find("expected an integer") != std::string::npos);
  CHECK(fake.finish());
}

TEST_CASE("what needs no repair passes through", "[unit]") {
  scripted_model text({say("free text")}, without_grammar());
  auto plain = ask();
  plain.output_schema.reset();
  CHECK(answer(make_repairing(text), plain)->answer.text() == "free text");
  scripted_model constrained({say("not looked at")}, [] {
    auto can = scripted_model::default_capabilities();
    can.grammar = true;
    return can;
  }());
  CHECK(answer(make_repairing(constrained), ask())->answer.text() == "not looked at");
  scripted_model broken({say("x")}, without_grammar());
  auto wrong = ask();
  wrong.output_schema = raw_json{"[]"};
  CHECK_FALSE(make_repairing(broken)->submit(wrong));
}
