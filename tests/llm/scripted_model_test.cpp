#include <wherry/core/runtime.hpp>
#include <wherry/llm/scripted_model.hpp>
#include "llm_support.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace wherry;
using wherry_test::answer;

namespace {

model_request ask(std::string text) {
  model_request r;
  r.messages.push_back(message::user(std::move(text)));
  return r;
}

}  // namespace

TEST_CASE("a scripted model answers its lines in order and notices what is left", "[unit]") {
  scripted_model fake{say("hello"), call("convert", R"({"amount":1})")};
  CHECK(answer(fake, ask("hi"))->answer.text() == "hello");
  REQUIRE_FALSE(fake.finish());
  CHECK(fake.finish().error().message.find("2 lines, but only 1") != std::string::npos);
  auto const second = answer(fake, ask("more"));
  REQUIRE(second);
  CHECK(second->reason == finish_reason::tool_calls);
  CHECK(second->answer.tool_calls().at(0).id == "call-2-1");
  CHECK(fake.finish());
  CHECK(fake.requests().size() == 2);
}

TEST_CASE("a scripted model that is asked too often says so", "[unit]") {
  scripted_model fake{say("only one")};
  REQUIRE(answer(fake, ask("a")));
  auto const r = answer(fake, ask("b"));
  REQUIRE_FALSE(r);
  CHECK(r.error().is(errc::script_mismatch));
  CHECK(r.error().message.find("only 1 lines") != std::string::npos);
}

TEST_CASE("a line can say what it expects to answer", "[unit]") {
  scripted_model fake{say("ok").after("weather")};
  auto const r = answer(fake, ask("tell me a story"));
  REQUIRE_FALSE(r);
  CHECK(r.error().message.find("tell me a story") != std::string::npos);
}

TEST_CASE("a scripted model breaks off, and hangs until its deadline", "[unit]") {
  scripted_model fake{breaks("half", errc::model_failed), hangs("half")};
  CHECK(answer(fake, ask("a")).error().is(errc::model_failed));
  auto late = ask("b");
  late.until = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
  CHECK(answer(fake, late).error().is(errc::deadline_exceeded));
}

TEST_CASE("a model refuses a part it cannot take by name", "[unit]") {
  scripted_model fake{say("never")};
  auto r = ask("look");
  r.messages[0].parts.push_back(image_part{"image/png", "x", ""});
  auto const refused = answer(fake, r);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().is(errc::model_refused_part));
  CHECK(refused.error().message.find("\"image\"") != std::string::npos);
}

TEST_CASE("what a model lacks is reported by name", "[unit]") {
  scripted_model fake{say("text")};
  auto r = ask("give me JSON");
  r.output_schema = raw_json{R"({"type":"object"})"};
  r.sampling.logprobs = true;
  auto const end = answer(fake, r);
  REQUIRE(end);
  REQUIRE(end->notices.size() == 2);
  CHECK(end->notices[0].feature == "grammar");
  CHECK(end->notices[1].feature == "logprobs");
}
