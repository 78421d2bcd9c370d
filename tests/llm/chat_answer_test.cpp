#include "llm_support.hpp"

#include <wherry/llm/chat_answer.hpp>
#include <wherry/llm/chat_template.hpp>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <shared_data.hpp>

using namespace wherry;
using wherry_test::family;

namespace {

struct streamed {
  result<chat_answer> answer;
  std::string text;
  std::string reasoning;
  std::vector<tool_call> calls;
};

// Pushes the parts and joins the events.
streamed stream(answer_family row, answer_options const& options, std::vector<std::string_view> const& parts) {
  answer_parser parser(row, options);
  streamed out{chat_answer{}, {}, {}, {}};
  for (auto const part : parts) {
    auto const events = parser.push(part);
    if (!events) continue;
    for (auto const& event : *events) {
      if (auto const* text = std::get_if<text_delta>(&event)) out.text += text->text;
      if (auto const* thought = std::get_if<reasoning_delta>(&event)) out.reasoning += thought->text;
      if (auto const* ready = std::get_if<tool_call_ready>(&event)) out.calls.push_back(ready->call);
    }
  }
  out.answer = parser.finish();
  std::string whole;
  for (auto const part : parts) whole += part;
  CHECK(parser.raw() == whole);
  return out;
}

void check_every_cut(answer_family row, answer_options const& options, std::string_view text) {
  auto const whole = parse_answer(text, row, options);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    INFO("cut at " << cut << " of: " << text);
    auto const parts = stream(row, options, {text.substr(0, cut), text.substr(cut)});
    REQUIRE(parts.answer.has_value() == whole.has_value());
    if (!whole) {
      CHECK(parts.answer.error().message == whole.error().message);
      continue;
    }
    CHECK(*parts.answer == *whole);
    CHECK(whole->text.starts_with(parts.text));  // the end of the text may be in the result only
    CHECK(whole->reasoning.starts_with(parts.reasoning));
    CHECK(parts.calls == whole->calls);
  }
}

answer_options const with_tools{.tools = true};
answer_options const only_objects{.tools = true, .output = true, .free_text = false};

}  // namespace

TEST_CASE("plain reads text when nothing else was offered", "[unit]") {
  auto const answer = parse_answer(" {\"tool\":1} is text", family("plain"), {});
  CHECK(answer->text == "{\"tool\":1} is text");
  CHECK(answer->calls.empty());
}

TEST_CASE("plain reads a call and keeps its arguments byte for byte", "[unit]") {
  auto const answer =
      parse_answer("{\"tool\":\"f\",\"arguments\":{\"a\" : [1, \"}\\\"\"]}}\n", family("plain"), with_tools);
  REQUIRE(answer.has_value());
  REQUIRE(answer->calls.size() == 1);
  CHECK(answer->calls[0] == tool_call{"", "f", "{\"a\" : [1, \"}\\\"\"]}"});
  CHECK(answer->text.empty());
}

TEST_CASE("plain reads an output", "[unit]") {
  auto const answer = parse_answer("{\"output\":{\"city\": \"Seoul\"}}", family("plain"), only_objects);
  REQUIRE(answer.has_value());
  CHECK(answer->is_output);
  CHECK(answer->text == "{\"city\": \"Seoul\"}");
}

TEST_CASE("plain hands an output on while it is written", "[unit]") {
  for (std::string const head : {"{\"output\":", " { \"output\" : "}) {
    answer_parser parser(family("plain"), only_objects);
    std::string seen;
    auto const push = [&](std::string_view part) {
      auto const events = parser.push(part).value();
      for (auto const& event : events) seen += std::get<text_delta>(event).text;
    };
    push(head);
    CHECK(seen.empty());
    push("{\"city\":\"Seo");
    CHECK(seen == "{\"city\":\"Seo");
    push("}ul\", \"days\" : [1,");
    CHECK(seen == "{\"city\":\"Seo}ul\", \"days\" : [1,");
    push("{}] } ");
    push("} ");
    auto const answer = parser.finish();
    REQUIRE(answer.has_value());
    CHECK(answer->is_output);
    CHECK(answer->text == "{\"city\":\"Seo}ul\", \"days\" : [1,{}] }");
    CHECK(seen == answer->text);
  }
  CHECK(parse_answer("{\"output\": 12 }", family("plain"), only_objects)->text == "12");
  CHECK(parse_answer("{\"output\":\"}\\\"\"}", family("plain"), only_objects)->text == "\"}\\\"\"");
}

TEST_CASE("plain takes other JSON for text where text is allowed", "[unit]") {
  CHECK(parse_answer("{\"x\":1}", family("plain"), with_tools)->text == "{\"x\":1}");
  CHECK(parse_answer("{\"to", family("plain"), with_tools)->text == "{\"to");
}

TEST_CASE("malformed plain answers are typed errors that keep the raw text", "[unit]") {
  std::string const text = GENERATE(
      as<std::string>{}, "hello", "{\"tool\":\"f\"}", "{\"tool\":\"f\",\"arguments\":[]}",
      "{\"tool\":\"f\",\"arguments\":{}", "{\"tool\":\"f\",\"arguments\":{}} more",
      "{\"tool\":\"f\",\"arguments\":{},\"x\":1}", "{\"tool\":\"f\",\"tool\":\"g\",\"arguments\":{}}", "{\"output\":}",
      "{}", "", "{\"output\":1,\"x\":2}", "{\"output\":1", "{\"output\":1 2}", "{\"output\":]}", "{\"output\":1}}");
  INFO(text);
  answer_parser parser(family("plain"), only_objects);
  (void)parser.push(text);
  auto const answer = parser.finish();
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().is(errc::model_failed));
  CHECK(parser.raw() == text);
}

TEST_CASE("a call that was cut off is an error even where text is allowed", "[unit]") {
  CHECK(parse_answer("{\"tool\":\"f\",\"arg", family("plain"), with_tools).error().is(errc::model_failed));
  CHECK(parse_answer("<tool_call>{\"name\":", family("hermes"), with_tools).error().is(errc::model_failed));
}

TEST_CASE("hermes reads reasoning, text and several calls", "[unit]") {
  auto const answer = parse_answer(
      "<think>\nhm, <b>\n</think>\n\nLet me look.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": "
      "\"</tool_call>\"}}\n"
      "</tool_call>\n<tool_call>{\"arguments\": {}, \"name\": \"g\"}</tool_call>\n",
      family("hermes"), with_tools);
  REQUIRE(answer.has_value());
  CHECK(answer->reasoning == "hm, <b>");
  CHECK(answer->text == "Let me look.");
  REQUIRE(answer->calls.size() == 2);
  CHECK(answer->calls[0] == tool_call{"", "f", "{\"x\": \"</tool_call>\"}"});
  CHECK(answer->calls[1] == tool_call{"", "g", "{}"});
}

TEST_CASE("hermes begins in reasoning where the prompt opened it", "[unit]") {
  auto const answer = parse_answer("so\n</think>\n\nyes", family("hermes"), {.in_reasoning = true});
  CHECK(answer->reasoning == "so");
  CHECK(answer->text == "yes");
}

TEST_CASE("hermes takes tags for text when no tools were offered", "[unit]") {
  CHECK(parse_answer("a <tool_call>", family("hermes"), {})->text == "a <tool_call>");
}

TEST_CASE("an answer is the same wherever the stream is cut", "[unit]") {
  for (auto const& text : {"  Grüße, 안녕 <<tool_call <think", "{\"tool\":\"f\",\"arguments\":{\"a\":\"\\\"}\"}}",
                           "{\"tool\":\"f\",\"arguments\":{}} x", "{\"toot"}) {
    check_every_cut(family("plain"), with_tools, text);
    check_every_cut(family("plain"), only_objects, text);
  }
  for (auto const& text :
       {"<think>안녕</think> a <tool_call>\n{\"name\":\"f\",\"arguments\":{\"a\":\"}\"}}\n</tool_call> b",
        "<tool_call>{\"name\":\"f\"}</tool_call>", "<<tool_call>[]", " a\n\n<tool_calls> b </think>  "})
    check_every_cut(family("hermes"), with_tools, text);
}

TEST_CASE("what a family writes, it reads", "[unit]") {
  tool_call const call{"", "say_hi", R"({"a": "<tool>\n", "b": [1, 2.5], "c": {"d": null, "e": true}})"};
  for (auto const& row : answer_families()) {
    INFO(row.name());
    auto const answer = parse_answer(row.call_text({&call, 1}), row, with_tools);
    REQUIRE(answer.has_value());
    REQUIRE(answer->calls.size() == 1);
    CHECK(answer->calls[0].name == call.name);
    CHECK(answer->calls[0].arguments == call.arguments);
  }
}

TEST_CASE("the family is found in the template", "[template]") {
  auto const folder = wherry_test::shared("data/chat-templates");  // here, since a skip inside a CHECK is a failure
  auto name_for = [&](std::string const& file) { return family_of(wherry_test::read_file(folder / file)).name(); };
  CHECK(family_of(plain_template_source).name() == "plain");
  CHECK(name_for("Qwen-Qwen2.5-7B-Instruct.jinja") == "hermes");
  CHECK(name_for("Qwen-Qwen3-0.6B.jinja") == "hermes");
  CHECK(name_for("NousResearch-Hermes-3-Llama-3.1-8B-tool_use.jinja") == "hermes");
  CHECK(name_for("Qwen3-Coder.jinja") == "qwen3_coder");
  CHECK(name_for("meta-llama-Llama-3.2-3B-Instruct.jinja") == "llama3");
  CHECK(name_for("microsoft-Phi-3.5-mini-instruct.jinja") == "plain");
}
