// Calls as the families write them, read back: by the models' own templates, from the benchmark's gold answers, cut,
// cut off, and hostile.
#include <wherry/llm/chat_answer.hpp>
#include <wherry/llm/chat_template.hpp>
#include "llm_support.hpp"

#include <wherry/core/json.hpp>

#include <catch2/catch_test_macros.hpp>
#include <shared_data.hpp>

#include "bfcl_support.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <random>

using namespace wherry;
using wherry_test::family;

namespace {

std::vector<std::filesystem::path> template_files() {
  std::vector<std::filesystem::path> out;
  for (auto const& entry : std::filesystem::directory_iterator(wherry_test::shared("data/chat-templates")))
    if (entry.path().extension() == ".jinja") out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

render_options template_options() {
  render_options options;
  options.bos_token = "<s>";
  options.eos_token = "</s>";
  options.clock = std::make_shared<manual_clock>(1'764'000'000'000);
  options.lenient = true;
  options.variables.text = R"({"datetime": "2025-11-24"})";
  return options;
}

// -- generated calls --------------------------------------------------------------------------------------------------

class call_maker {
 public:
  explicit call_maker(std::uint32_t seed) : random_(seed) {}

  std::vector<tool_call> calls(std::size_t count) {
    std::vector<tool_call> out;
    for (std::size_t i = 0; i < count; ++i) {
      static constexpr std::array<char const*, 5> names = {"forecast", "get_weather_2", "search-web", "f", "Convert"};
      json arguments = json::object();
      for (std::size_t n = below(4), k = 0; k < n; ++k) arguments[key(k)] = value(0);
      out.push_back({"call0000" + std::to_string(i + 1), names[below(names.size())], to_text(arguments)});
    }
    return out;
  }

  std::size_t below(std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_); }

 private:
  std::string key(std::size_t k) {
    static constexpr std::array<char const*, 4> keys = {"city", "max_days", "x", "Optionen"};
    return keys[k];
  }

  // Texts that every family can write: its marks occur in none. Those that read as another type are left out, since
  // without a schema families without quotes cannot tell; see the test with schemas.
  std::string text() {
    static constexpr std::array<char const*, 12> parts = {
        "Seoul",          " ",    "안녕 하세요", "it's \"quoted\"", "a\\b", "line\nbreak", "{\"a\": [1}", "😀",
        "x < y && z > 1", ")]};", "tab\tend",    "ends with call()"};
    std::string out = "t";
    for (std::size_t n = below(3) + 1; n > 0; --n) out += parts[below(parts.size())];
    return out + ".";
  }

  json value(int depth) {
    switch (below(depth < 2 ? 8 : 6)) {
      case 0: return below(1'000'000);
      case 1: return -static_cast<std::int64_t>(below(1'000));
      case 2: return static_cast<double>(below(1'000)) + 0.25;
      case 3: return below(2) == 0;
      case 4: return nullptr;
      case 5: return text();
      case 6: {
        json list = json::array();
        for (std::size_t n = below(3); n > 0; --n) list.push_back(value(depth + 1));
        return list;
      }
      default: {
        json object = json::object();
        for (std::size_t n = below(3), k = 0; k < n; ++k) object[key(k)] = value(depth + 1);
        return object;
      }
    }
  }

  std::mt19937 random_;
};

struct plain_call {
  std::string name;
  json arguments;
  friend bool operator==(plain_call const&, plain_call const&) = default;
};
std::vector<plain_call> plain(std::vector<tool_call> const& calls) {
  std::vector<plain_call> out;
  for (auto const& call : calls) {
    auto arguments = parse_json(call.arguments);
    out.push_back({call.name, arguments ? *arguments : json("not JSON: " + call.arguments)});
  }
  return out;
}
std::string shown(std::vector<plain_call> const& calls) {
  std::string out;
  for (auto const& call : calls) out += call.name + to_text(call.arguments) + ' ';
  return out;
}

std::vector<tool_spec> offered_for(std::vector<tool_call> const& calls) {
  std::vector<tool_spec> out;
  for (auto const& call : calls)
    if (std::none_of(out.begin(), out.end(), [&](tool_spec const& t) { return t.name == call.name; }))
      out.push_back({call.name, "Does it.", {R"({"type":"object","properties":{},"required":[]})"}});
  return out;
}

answer_options offering(std::vector<tool_spec> tools) {
  answer_options options{.tools = true};
  options.offered = std::make_shared<std::vector<tool_spec> const>(std::move(tools));
  return options;
}

// One byte at a time: every cut at once.
result<chat_answer> read_bytewise(std::string_view text, answer_family row, answer_options const& options) {
  answer_parser parser(row, options);
  chat_answer joined_events;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto events = parser.push(text.substr(i, 1));
    if (!events) return events.error();
    for (auto& event : *events) {
      if (auto* delta = std::get_if<text_delta>(&event)) joined_events.text += delta->text;
      if (auto* thought = std::get_if<reasoning_delta>(&event)) joined_events.reasoning += thought->text;
      if (auto* ready = std::get_if<tool_call_ready>(&event)) joined_events.calls.push_back(ready->call);
    }
  }
  auto answer = parser.finish();
  if (answer) {
    CHECK(answer->text.starts_with(joined_events.text));
    CHECK(answer->reasoning.starts_with(joined_events.reasoning));
    CHECK(answer->calls == joined_events.calls);
  }
  return answer;
}

// What the assistant said in a rendered conversation, without the header before it.
std::string spoken_part(chat_template const& chat, std::vector<message> conversation, render_options options,
                        std::vector<tool_spec> const& tools) {
  options.add_generation_prompt = false;
  auto const whole = joined(render_chat(chat, conversation, tools, options).value());
  if (auto const action = whole.find("Action:\n```json\n[\n    {\n        \"tool_name\": \"");
      action != std::string::npos) {
    // Command R's template goes on with instructions behind the calls.
    return whole.substr(action, whole.find("<|START_OF_TURN_TOKEN|>", action) - action);
  }
  conversation.pop_back();
  options.add_generation_prompt = true;
  auto const prompted = joined(render_chat(chat, conversation, tools, options).value());
  // The header is what the prompt and the finished answer share, back to the last whole mark.
  auto end = static_cast<std::size_t>(
      std::mismatch(whole.begin(), whole.end(), prompted.begin(), prompted.end()).first - whole.begin());
  auto const opened = whole.rfind('<', end == 0 ? 0 : end - 1);
  if (opened != std::string::npos && opened < end && whole.find('>', opened) >= end) end = opened;
  return whole.substr(end);
}

std::string without_end_of_turn(std::string text) {
  static constexpr std::array<std::string_view, 16> ends = {"<|im_end|>",
                                                            "<|eot_id|>",
                                                            "<|eom_id|>",
                                                            "</s>",
                                                            "<|end|>",
                                                            "<|end_of_text|>",
                                                            "<turn|>",
                                                            "<|assistant_end|>",
                                                            "<|END_OF_TURN_TOKEN|>",
                                                            "<seed:eos>",
                                                            "<｜end▁of▁sentence｜>",
                                                            "<end_of_turn>",
                                                            "<|message_sep|>",
                                                            "<sep>",
                                                            "<|return|>",
                                                            "\n"};
  for (bool cut = true; cut;) {
    cut = false;
    for (auto const end : ends)
      if (text.ends_with(end)) {
        text.resize(text.size() - end.size());
        cut = true;
      }
  }
  return text;
}

}  // namespace

TEST_CASE("calls written by every published template come back as the same calls", "[toolcall][template]") {
  std::map<std::string, std::size_t> read;
  for (auto const& file : template_files()) {
    auto const source = wherry_test::read_file(file);
    auto const chat = chat_template::parse(source).value();
    auto const row = family_of(source);
    auto const options = template_options();
    call_maker make(7);
    for (int round = 0; round < 200; ++round) {
      // These templates show one call a message, and plain answers are one call.
      static constexpr std::array<std::string_view, 5> single = {"plain", "llama3", "harmony", "gigachat_3",
                                                                 "gigachat_3_1"};
      bool const one = std::find(single.begin(), single.end(), row.name()) != single.end();
      // This one closes the section behind every call but the first.
      bool const two = file.stem() == "deepseek-ai-DeepSeek-R1-Distill-Llama-8B";
      auto const calls = make.calls(one ? 1 : 1 + make.below(two ? 2 : 3));
      auto const tools = offered_for(calls);
      std::vector<message> const conversation = {message::user("Go."), {role::assistant, {calls.begin(), calls.end()}}};
      auto const spoken = without_end_of_turn(spoken_part(chat, conversation, options, tools));
      INFO(file.stem() << " (" << row.name() << ")\n" << spoken);
      auto const answer = read_bytewise(spoken, row, offering(tools));
      if (!answer) {
        FAIL_CHECK(answer.error());
        break;
      }
      INFO("expected " << shown(plain(calls)) << "\nread     " << shown(plain(answer->calls)));
      CHECK(plain(answer->calls) == plain(calls));
      if (plain(answer->calls) != plain(calls)) break;
      ++read[std::string(row.name())];
    }
  }
  for (auto const& [name, count] : read) UNSCOPED_INFO(name << ": " << count);
  CHECK(read.size() >= 20);
}

TEST_CASE("calls replayed by every family come back as the same calls", "[toolcall]") {
  for (auto const& row : answer_families()) {
    call_maker make(11);
    for (int round = 0; round < 200; ++round) {
      // The plain family has one call in an answer.
      auto const calls = make.calls(row.name() == "plain" ? 1 : 1 + make.below(3));
      message spoken{role::assistant, {calls.begin(), calls.end()}};
      bool const with_text =
          row.name() != "plain" && row.name() != "llama3" && row.name() != "llama_pythonic" && round % 2;
      bool const thinks = round % 3 == 0 && !row.replay({role::assistant, {reasoning_part{"Hm.", ""}}}).empty();
      if (with_text) spoken.parts.insert(spoken.parts.begin(), text_part{"Let me look."});
      if (thinks) spoken.parts.insert(spoken.parts.begin(), reasoning_part{"Think\n\nof it.", ""});
      auto const text = joined(row.replay(spoken));
      INFO(row.name() << "\n" << text);
      auto const answer = read_bytewise(text, row, offering(offered_for(calls)));
      if (!answer) {
        FAIL_CHECK(answer.error());
        break;
      }
      INFO("expected " << shown(plain(calls)) << "\nread     " << shown(plain(answer->calls)));
      CHECK(plain(answer->calls) == plain(calls));
      CHECK(answer->text == (with_text ? "Let me look." : ""));
      CHECK(answer->reasoning == (thinks ? "Think\n\nof it." : ""));
      if (plain(answer->calls) != plain(calls)) break;
    }
  }
}

TEST_CASE("the benchmark's gold calls come back from every family", "[toolcall]") {
  auto const cases = wherry_test::gold_cases();
  REQUIRE(cases.size() == 800);
  for (auto const& row : answer_families()) {
    std::size_t matched = 0;
    for (auto const& gold : cases) {
      // The plain family has one call in an answer.
      auto const calls = row.name() == "plain" ? std::vector{gold.calls[0]} : gold.calls;
      auto const text = row.call_text(calls);
      auto const answer = parse_answer(text, row, offering(gold.tools));
      INFO(row.name() << " / " << gold.id << "\n" << text);
      if (!answer) {
        FAIL_CHECK(answer.error());
        continue;
      }
      INFO("expected " << shown(plain(calls)) << "\nread     " << shown(plain(answer->calls)));
      bool const same = plain(answer->calls) == plain(calls);
      CHECK(same);
      matched += same ? 1 : 0;
    }
    CHECK(matched == cases.size());
  }
}

TEST_CASE("a schema tells which bare arguments are texts", "[toolcall]") {
  tool_spec const tool{
      "f",
      "",
      {R"({"type":"object","properties":{"t":{"type":"string"},"e":{"enum":["1","2"]},"n":{"type":"integer"},"o":{"type":["integer","string"]}}})"}};
  std::vector<tool_call> const calls = {{"", "f", R"({"t": "5", "e": "1", "n": 5, "o": 7})"},
                                        {"", "f", R"({"t": "{\"a\": [true]}", "e": "2", "n": -1, "o": "x"})"},
                                        {"", "f", R"({"t": "None", "n": 0})"},
                                        {"", "f", R"({"t": "  spaces \n kept  ", "n": 0})"},
                                        {"", "f", R"({"t": "", "n": 0})"}};
  for (auto const* name :
       {"qwen3_coder", "seed_oss", "glm_4_5", "glm_4_7", "minimax_m2", "deepseek_v3_2", "deepseek_v4"}) {
    auto const text = family(name).call_text(calls);
    INFO(name << "\n" << text);
    auto const answer = read_bytewise(text, family(name), offering({tool}));
    REQUIRE(answer.has_value());
    CHECK(plain(answer->calls) == plain(calls));
  }
  // Without schemas what reads as JSON is JSON, except where the family says what is a text.
  std::vector<tool_call> const one = {{"", "f", R"({"t": "5"})"}};
  CHECK(
      parse_answer(family("qwen3_coder").call_text(one), family("qwen3_coder"), {.tools = true})->calls[0].arguments ==
      R"({"t": 5})");
  CHECK(
      parse_answer(family("deepseek_v4").call_text(one), family("deepseek_v4"), {.tools = true})->calls[0].arguments ==
      R"({"t": "5"})");
}

TEST_CASE("an answer that was cut off holds whole calls or is an error, in every family", "[toolcall]") {
  std::vector<tool_call> const calls = {{"", "forecast", R"({"city": "Seoul {", "days": 2})"},
                                        {"", "convert", R"({"amount": 1.5, "o": {"k": [1, "}"]}})"}};
  for (auto const& row : answer_families()) {
    message spoken{role::assistant, {text_part{"Let me look."}}};
    bool const one = row.name() == "plain";
    bool const bare = row.name() == "llama3" || row.name() == "llama_pythonic";
    if (one || bare) spoken.parts.clear();
    spoken.parts.insert(spoken.parts.end(), calls.begin(), one ? calls.begin() + 1 : calls.end());
    auto const text = joined(row.replay(spoken));
    auto const options = offering(offered_for(calls));
    auto const whole = parse_answer(text, row, options);
    INFO(row.name() << "\n" << text);
    REQUIRE(whole.has_value());
    std::size_t errors = 0;
    for (std::size_t size = 0; size < text.size(); ++size) {
      auto const answer = parse_answer(std::string_view(text).substr(0, size), row, options);
      if (!answer) {
        CHECK(answer.error().is(errc::model_failed));
        ++errors;
        continue;
      }
      INFO("cut off at " << size);
      REQUIRE(answer->calls.size() <= whole->calls.size());
      CHECK(std::equal(answer->calls.begin(), answer->calls.end(), whole->calls.begin()));
    }
    CHECK(errors > 20);
  }
}

TEST_CASE("a malformed call is an error that names the byte and keeps the text", "[toolcall]") {
  struct broken_answer {
    char const* family;
    char const* text;
  };
  static constexpr broken_answer broken[] = {
      {"hermes", "<tool_call>{\"name\": \"f\"}</tool_call>"},
      {"hermes", "<tool_call>{\"name\": \"f\", \"arguments\": [1]}</tool_call>"},
      {"hermes", "<tool_call>{\"name\": 5, \"arguments\": {}}</tool_call>"},
      {"hermes", "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": }}</tool_call>"},
      {"hermes", "<tool_call>f</tool_call>"},
      {"hermes", "<tool_call>{\"name\": \"f\", \"arguments\": {}} and more</tool_call>"},
      {"hermes", "<tool_call>{\"name\": \"f\", \"arguments\": {}}"},
      {"hermes", "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1, \"a\": 2}}</tool_call>"},
      {"mistral_args", "[TOOL_CALLS]f[ARGS]{\"a\": 1"},
      {"mistral_args", "[TOOL_CALLS]f[ARGS][1]"},
      {"mistral_args", "[TOOL_CALLS][ARGS]{}"},
      {"mistral_args", "[TOOL_CALLS]f"},
      {"mistral", "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {}}, {\"name\": \"g\"}]"},
      {"mistral", "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {}}"},
      {"qwen3_coder", "<tool_call>\n<function=f>\n<parameter=a>\n1\n</function>\n</tool_call>"},
      {"qwen3_coder", "<tool_call>\n<function=f>\n<parameter=a>\n1\n</parameter>\n<parameter=a>\n2\n</parameter>"},
      {"qwen3_coder", "<tool_call>\n{\"name\": \"f\"}\n</tool_call>"},
      {"qwen3_coder", "<tool_call>\n<function=>\n</function>\n</tool_call>"},
      {"glm_4_5", "<tool_call>f\n<arg_key>a</arg_key>\n1"},
      {"glm_4_5", "<tool_call>f\n<arg_key>a</arg_key>\nx<arg_value>1</arg_value></tool_call>"},
      {"deepseek_v3_1", "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{}<｜tool▁calls▁end｜>"},
      {"deepseek_v3_1", "<｜tool▁calls▁begin｜>f<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"},
      {"deepseek_v4",
       "<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"f\">\n<｜DSML｜parameter name=\"a\" string=\"maybe\">1"},
      {"kimi_k2", "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{]"},
      {"gemma4", "<|tool_call>call:f{a:<|\"|>x<|\"|>}"},
      {"gemma4", "<|tool_call>f{a:1}<tool_call|>"},
      {"gemma4", "<|tool_call>call:f{a:b}<tool_call|>"},
      {"gemma4", "<|tool_call>call:f{a:[1}<tool_call|>"},
      {"lfm2", "<|tool_call_start|>[f(1)]<|tool_call_end|>"},
      {"lfm2", "<|tool_call_start|>[f(a=b)]<|tool_call_end|>"},
      {"lfm2", "<|tool_call_start|>[f(a=1, a=2)]<|tool_call_end|>"},
      {"lfm2", "<|tool_call_start|>[f(a='x]<|tool_call_end|>"},
      {"llama3", "{\"name\": \"f\", \"parameters\": {\"a\": tru}}"},
      {"llama3", "{\"name\": \"f\", \"parameters\": 5}"},
      {"llama3", "<|python_tag|>print(1)"},
      {"llama_pythonic", "[f(a=1), g(b=]"},
      {"harmony", "<|channel|>commentary to=functions.f <|constrain|>json<|message|>{\"a\": 1<|call|>"},
      {"harmony", "<|channel|>commentary to=functions.f <|constrain|>json<|message|>[1]<|call|>"},
      {"harmony", "<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}x<|call|>"},
      {"harmony", "<|channel|>commentary to=functions.f"},
      {"functionary_v3_1", "<function=f>{\"a\": 1}"},
      {"functionary_v3_2", "f\n{\"a\": }"},
      {"functionary_v3_2", "all\nSo:>>>f\n[1]"},
      {"firefunction", " functools[{\"name\": \"f\"}]"},
      {"apertus", "<|tools_prefix|>[{\"f\": 1}]<|tools_suffix|>"},
      {"apertus", "<|tools_prefix|>[{\"f\": {}, \"g\": {}}]<|tools_suffix|>"},
      {"command_r7b", "<|START_ACTION|>[{\"tool_name\": \"f\"}]<|END_ACTION|>"},
      {"command_r", "Action:\n```json\n[{\"tool_name\": \"f\", \"parameters\": {}}"},
      {"mcp_tags", "<use_mcp_tool>\n<tool_name>f</tool_name>\n<arguments>\n{}\n</use_mcp_tool>"},
  };
  for (auto const& one : broken) {
    INFO(one.family << ": " << one.text);
    answer_parser parser(family(one.family), {.tools = true});
    (void)parser.push(one.text);
    auto const answer = parser.finish();
    CHECK(answer.has_error());
    if (!answer) {
      CHECK(answer.error().is(errc::model_failed));
      CHECK(answer.error().message.find("at byte ") != std::string::npos);
    }
    CHECK(parser.raw() == one.text);
    CHECK(parser.push("more").has_error());
  }
}

TEST_CASE("strings, braces, marks and escapes inside arguments mislead no family", "[toolcall]") {
  for (auto const& row : answer_families()) {
    // Marks of other families, and where JSON is written, of this one.
    std::vector<std::string> texts = {
        "}", "]",  "{\"name\": \"g\", \"arguments\": {}}", "\\", "\\\"", "\"", "'", "```", "😀 안녕", "[f(a=1)]",
        ";", "<x>"};
    bool const json_written =
        row.call_text(std::vector<tool_call>{{"", "f", R"({"q":"w"})"}}).find(R"({"q":"w"})") != std::string::npos;
    if (json_written)
      for (auto const& mark : row.marks()) texts.push_back("a " + mark + " b");
    for (auto const& text : texts) {
      std::vector<tool_call> calls = {{"", "f", to_text(json{{"a", "x" + text}, {"b", {{"c", text + "y"}}}})}};
      if (json_written) calls[0].arguments.insert(1, R"("u":"\u00e9\ud83d\ude00\"",)");
      auto const written = row.call_text(calls);
      INFO(row.name() << "\n" << written);
      auto const answer = read_bytewise(written, row, offering(offered_for(calls)));
      if (!answer) {
        FAIL_CHECK(answer.error());
        continue;
      }
      CHECK(plain(answer->calls) == plain(calls));
      if (json_written && !answer->calls.empty()) CHECK(answer->calls[0].arguments == calls[0].arguments);
    }
  }
}

TEST_CASE("where marks are control tokens, text that spells them is text", "[toolcall]") {
  std::vector<tool_call> const calls = {{"", "f", R"({"a": 1})"}};
  for (auto const& row : answer_families()) {
    if (row.marks().empty() || row.name() == "command_r") continue;  // nothing but text
    auto options = offering(offered_for(calls));
    options.control = row.marks();
    INFO(row.name());
    // As text: no call, and nothing is lost but white space at the ends.
    auto const text = joined(row.replay({role::assistant, {text_part{"Say: "}, calls[0]}}));
    bool const names_recipients = row.name() == "functionary_v3_2";  // its text begins with a line of its own
    bool const bare = row.name() == "llama3" || row.name() == "llama_pythonic";
    if (!names_recipients && !bare) {
      auto const spelled = parse_answer(text, row, options);
      REQUIRE(spelled.has_value());
      CHECK(spelled->calls.empty());
      CHECK(spelled->text.find("Say:") != std::string::npos);
      for (auto const& mark : row.marks())
        if (text.find(mark) != std::string::npos) CHECK(spelled->text.find(mark) != std::string::npos);
    }
    // As tokens: the call.
    answer_parser parser(row, options);
    auto const marks = row.marks();  // longest first
    std::string const written = row.call_text(calls);
    for (std::size_t at = 0; at < written.size();) {
      auto const mark = std::find_if(marks.begin(), marks.end(),
                                     [&](std::string const& m) { return written.compare(at, m.size(), m) == 0; });
      auto const pushed = mark == marks.end() ? parser.push(written.substr(at, 1)) : parser.push_control(*mark);
      REQUIRE(pushed.has_value());
      at += mark == marks.end() ? 1 : mark->size();
    }
    auto const answer = parser.finish();
    REQUIRE(answer.has_value());
    CHECK(plain(answer->calls) == plain(calls));
    CHECK(parser.raw() == written);
  }
}

TEST_CASE("control tokens that a family does not know are no part of the answer", "[toolcall]") {
  answer_parser parser(family("hermes"), {.tools = true});
  CHECK(parser.push("a").has_value());
  CHECK(parser.push_control("<|fim_pad|>").has_value());
  CHECK(parser.push("b").has_value());
  CHECK(parser.finish()->text == "ab");
  CHECK(parser.raw() == "a<|fim_pad|>b");
}

TEST_CASE("a call by control token is an error when no tool was offered", "[toolcall]") {
  answer_options options;
  options.control = {"[TOOL_CALLS]", "[ARGS]"};
  answer_parser parser(family("mistral_args"), options);
  CHECK(parser.push_control("[TOOL_CALLS]").has_error());
  CHECK(parse_answer("[TOOL_CALLS] is a token", family("mistral_args"), {})->text == "[TOOL_CALLS] is a token");
}

namespace {

struct transcript {
  char const* text;
  std::vector<plain_call> calls;
  char const* said = "";
  char const* thought = "";
};

json object_of(char const* text) { return parse_json(text).value(); }

}  // namespace

// Written by hand after the vendors' documentation: these families have no template in the collection, or one that
// shows no calls.
TEST_CASE("transcripts of families whose templates show no calls are read", "[toolcall]") {
  std::map<std::string, std::vector<transcript>> transcripts;
  transcripts["functiongemma"] = {
      {"<start_function_call>call:f{}<end_function_call>", {{"f", object_of("{}")}}},
      {"<start_function_call>call:get_weather{city:<escape>London<escape>}<end_function_call>",
       {{"get_weather", object_of(R"({"city":"London"})")}}},
      {"<start_function_call>call:set{on:true,level:3,ratio:0.5}<end_function_call>",
       {{"set", object_of(R"({"on":true,"level":3,"ratio":0.5})")}}},
      {"<start_function_call>call:f{a:[1,2,3]}<end_function_call>", {{"f", object_of(R"({"a":[1,2,3]})")}}},
      {"<start_function_call>call:f{a:[<escape>x<escape>,<escape>y, z<escape>]}<end_function_call>",
       {{"f", object_of(R"({"a":["x","y, z"]})")}}},
      {"<start_function_call>call:f{o:{k:<escape>v<escape>,n:-1}}<end_function_call>",
       {{"f", object_of(R"({"o":{"k":"v","n":-1}})")}}},
      {"<start_function_call>call:f{a:1}<end_function_call><start_function_call>call:g{b:2}<end_function_call>",
       {{"f", object_of(R"({"a":1})")}, {"g", object_of(R"({"b":2})")}}},
      {"Sure. <start_function_call>call:f{a:<escape>{}[]:,<escape>}<end_function_call>",
       {{"f", object_of(R"({"a":"{}[]:,"})")}},
       "Sure."},
      {"<start_function_call>call:f{ a : <escape> spaced <escape> , b : 2 }<end_function_call>",
       {{"f", object_of(R"({"a":" spaced ","b":2})")}}},
      {"I cannot help with that.", {}, "I cannot help with that."}};
  transcripts["minimax_m2"] = {
      {"<minimax:tool_call>\n<invoke name=\"f\">\n</invoke>\n</minimax:tool_call>", {{"f", object_of("{}")}}},
      {"<minimax:tool_call><invoke name=\"w\"><parameter "
       "name=\"location\">Sydney</parameter></invoke></minimax:tool_call>",
       {{"w", object_of(R"({"location":"Sydney"})")}}},
      {"<minimax:tool_call>\n<invoke name=\"w\">\n<parameter name=\"location\">San Francisco, "
       "CA</parameter>\n<parameter "
       "name=\"unit\">celsius</parameter>\n</invoke>\n</minimax:tool_call>",
       {{"w", object_of(R"({"location":"San Francisco, CA","unit":"celsius"})")}}},
      {"<think>The user asks.</think>\n\n<minimax:tool_call>\n<invoke name=\"f\">\n<parameter "
       "name=\"n\">3</parameter>\n"
       "</invoke>\n</minimax:tool_call>",
       {{"f", object_of(R"({"n":3})")}},
       "",
       "The user asks."},
      {"<minimax:tool_call>\n<invoke name=\"f\">\n<parameter name=\"a\">[1, "
       "\"x\"]</parameter>\n</invoke>\n</minimax:tool_call>",
       {{"f", object_of(R"({"a":[1,"x"]})")}}},
      {"<minimax:tool_call>\n<invoke name=\"f\">\n<parameter name=\"a\">1</parameter>\n</invoke>\n<invoke name=\"g\">\n"
       "<parameter name=\"b\">two</parameter>\n</invoke>\n</minimax:tool_call>",
       {{"f", object_of(R"({"a":1})")}, {"g", object_of(R"({"b":"two"})")}}},
      {"Let me look.\n<minimax:tool_call>\n<invoke name=\"f\">\n<parameter name=\"q\">a & b < "
       "c</parameter>\n</invoke>\n"
       "</minimax:tool_call>",
       {{"f", object_of(R"({"q":"a & b < c"})")}},
       "Let me look."},
      {"<minimax:tool_call>\n<invoke name=\"f\">\n<parameter "
       "name=\"q\">two\nlines</parameter>\n</invoke>\n</minimax:tool_call>\n",
       {{"f", object_of(R"({"q":"two\nlines"})")}}},
      {"<minimax:tool_call>\n<invoke name=\"f\">\n<parameter name=\"o\">{\"k\": {\"n\": null}}</parameter>\n</invoke>\n"
       "</minimax:tool_call>",
       {{"f", object_of(R"({"o":{"k":{"n":null}}})")}}},
      {"<think>\nNothing to call.\n</think>\n\nHello!", {}, "Hello!", "Nothing to call."}};
  transcripts["phi4_mini"] = {
      {"<|tool_call|>[{\"name\": \"f\", \"arguments\": {}}]<|/tool_call|>", {{"f", object_of("{}")}}},
      {"<|tool_call|>[{\"name\":\"w\",\"arguments\":{\"city\":\"Paris\"}}]<|/tool_call|>",
       {{"w", object_of(R"({"city":"Paris"})")}}},
      {"<|tool_call|>[{\"name\": \"f\", \"parameters\": {\"a\": 1}}]<|/tool_call|>", {{"f", object_of(R"({"a":1})")}}},
      {"<|tool_call|>[ {\"type\": \"function\", \"function\": {\"name\": \"f\", \"arguments\": {\"path\": \"x.py\"}}} "
       "]<|/tool_call|>",
       {{"f", object_of(R"({"path":"x.py"})")}}},
      {"<|tool_call|>[{\"name\": \"f\", \"arguments\": {\"a\": 1}}, {\"name\": \"g\", \"arguments\": {\"b\": "
       "[true]}}]<|/tool_call|>",
       {{"f", object_of(R"({"a":1})")}, {"g", object_of(R"({"b":[true]})")}}},
      {"<|tool_call|>{\"name\": \"f\", \"arguments\": {\"a\": \"]\"}}<|/tool_call|>",
       {{"f", object_of(R"({"a":"]"})")}}},
      {"I will check.<|tool_call|>[{\"name\": \"f\", \"arguments\": {}}]<|/tool_call|>",
       {{"f", object_of("{}")}},
       "I will check."},
      {"<|tool_call|>\n[\n  {\"name\": \"f\", \"arguments\": {\"s\": \"\\u00e9\"}}\n]\n<|/tool_call|>",
       {{"f", object_of(R"({"s":"é"})")}}},
      {"<|tool_call|>[]<|/tool_call|>None needed.", {}, "None needed."},
      {"Plain text.", {}, "Plain text."}};
  transcripts["nemotron"] = {
      {"<TOOLCALL>[{\"name\": \"f\", \"arguments\": {}}]</TOOLCALL>", {{"f", object_of("{}")}}},
      {"<TOOLCALL>[{\"name\": \"w\", \"arguments\": {\"city\": \"Oslo\"}}]</TOOLCALL>",
       {{"w", object_of(R"({"city":"Oslo"})")}}},
      {"<think>\nI need it.\n</think>\n\n<TOOLCALL>[{\"name\": \"f\", \"arguments\": {\"n\": 1}}]</TOOLCALL>",
       {{"f", object_of(R"({"n":1})")}},
       "",
       "I need it."},
      {"<TOOLCALL>[{\"name\": \"f\", \"arguments\": {}}, {\"name\": \"g\", \"arguments\": {}}]</TOOLCALL>",
       {{"f", object_of("{}")}, {"g", object_of("{}")}}},
      {"<TOOLCALL>[\n{\"name\": \"f\", \"arguments\": {\"a\": [1, 2]}}\n]</TOOLCALL>",
       {{"f", object_of(R"({"a":[1,2]})")}}},
      {"<TOOLCALL>[{\"arguments\": {\"a\": null}, \"name\": \"f\"}]</TOOLCALL>", {{"f", object_of(R"({"a":null})")}}},
      {"Checking. <TOOLCALL>[{\"name\": \"f\", \"arguments\": {\"a\": \"</TOOLCALL>\"}}]</TOOLCALL>",
       {{"f", object_of(R"({"a":"</TOOLCALL>"})")}},
       "Checking."},
      {"<TOOLCALL>[{\"name\": \"f\", \"arguments\": {\"x\": {\"y\": {\"z\": 0}}}}]</TOOLCALL>\n",
       {{"f", object_of(R"({"x":{"y":{"z":0}}})")}}},
      {"<think></think>Hi.", {}, "Hi."},
      {"<TOOLCALL>[]</TOOLCALL>", {}}};
  transcripts["llama_pythonic"] = {
      {"[f()]", {{"f", object_of("{}")}}},
      {"[get_weather(city='San Francisco', metric='celsius')]",
       {{"get_weather", object_of(R"({"city":"San Francisco","metric":"celsius"})")}}},
      {"[f(a=1), g(b=2.5, c=True)]", {{"f", object_of(R"({"a":1})")}, {"g", object_of(R"({"b":2.5,"c":true})")}}},
      {"[f(a=[1, 2], b={'k': None})]", {{"f", object_of(R"({"a":[1,2],"b":{"k":null}})")}}},
      {"<|python_start|>[f(a=\"x)]\")]<|python_end|>", {{"f", object_of(R"({"a":"x)]"})")}}},
      {"[f(a='it\\'s', b=\"say \\\"hi\\\"\")]", {{"f", object_of(R"({"a":"it's","b":"say \"hi\""})")}}},
      {"[f(n=-3, m=1e3, p=+2)]", {{"f", object_of(R"({"n":-3,"m":1e3,"p":2})")}}},
      {"[math.add(a=1,\n b=2)]", {{"math.add", object_of(R"({"a":1,"b":2})")}}},
      {"[1, 2, 3] are numbers.", {}, "[1, 2, 3] are numbers."},
      {"[See the list](http://x) for more.", {}, "[See the list](http://x) for more."}};
  transcripts["llama3"] = {
      {"{\"name\": \"f\", \"parameters\": {\"a\": \"1\"}}", {{"f", object_of(R"({"a":"1"})")}}},
      {"{\"type\": \"function\", \"name\": \"f\", \"parameters\": {}}", {{"f", object_of("{}")}}},
      {"<|python_tag|>{\"name\": \"f\", \"parameters\": {\"a\": 1}}", {{"f", object_of(R"({"a":1})")}}},
      {"<|python_tag|>brave_search.call(query=\"wherry boats\")",
       {{"brave_search", object_of(R"({"query":"wherry boats"})")}}},
      {"{\"name\": \"f\", \"parameters\": {}}; {\"name\": \"g\", \"parameters\": {\"b\": 2}}",
       {{"f", object_of("{}")}, {"g", object_of(R"({"b":2})")}}},
      {"[f(a=1)]", {{"f", object_of(R"({"a":1})")}}},
      {"{\"name\": \"Bo\", \"age\": 5}", {}, "{\"name\": \"Bo\", \"age\": 5}"},
      {"{\"answer\": 42}", {}, "{\"answer\": 42}"},
      {"The set {1, 2} has two members.", {}, "The set {1, 2} has two members."},
      {"\n\n{\"name\": \"f\", \"parameters\": {\"s\": \"}\"}}", {{"f", object_of(R"({"s":"}"})")}}}};
  transcripts["lfm2"] = {
      {"<|tool_call_start|>[get_candidate_status(candidate_id=\"12345\")]<|tool_call_end|>Checking the current status "
       "of "
       "candidate ID 12345.",
       {{"get_candidate_status", object_of(R"({"candidate_id":"12345"})")}},
       "Checking the current status of candidate ID 12345."},
      {"<|tool_call_start|>[f(), g(a='b')]<|tool_call_end|>Checking now.",
       {{"f", object_of("{}")}, {"g", object_of(R"({"a":"b"})")}},
       "Checking now."},
      {"<|tool_call_start|>[{\"name\": \"f\", \"arguments\": {\"a\": 1}}]<|tool_call_end|>",
       {{"f", object_of(R"({"a":1})")}}},
      {"<|tool_call_start|>{\"name\": \"f\", \"arguments\": {\"a\": [true]}}<|tool_call_end|>",
       {{"f", object_of(R"({"a":[true]})")}}},
      {"<|tool_call_start|>f(a=1)<|tool_call_end|>", {{"f", object_of(R"({"a":1})")}}},
      {"<think>Look it up.</think>\n<|tool_call_start|>[f(n=-0.5)]<|tool_call_end|>",
       {{"f", object_of(R"({"n":-0.5})")}},
       "",
       "Look it up."},
      {"<|tool_call_start|>[f(o={\"k\": [1, 2.5]}, t=(1, 2), n=None, b=False)]<|tool_call_end|>",
       {{"f", object_of(R"({"o":{"k":[1,2.5]},"t":[1,2],"n":null,"b":false})")}}},
      {"<|tool_call_start|>[f()]<|tool_call_end|><|tool_call_start|>[g()]<|tool_call_end|>",
       {{"f", object_of("{}")}, {"g", object_of("{}")}}},
      {"Let me see. <|tool_call_start|>[f(q=\"a, b=c)]\")]<|tool_call_end|>",
       {{"f", object_of(R"({"q":"a, b=c)]"})")}},
       "Let me see."},
      {"<|tool_call_start|>\n[\n  f(\n    a=1,\n  ),\n]\n<|tool_call_end|>", {{"f", object_of(R"({"a":1})")}}},
      {"<|tool_call_start|>[f(s='it\\'s \"x\"\\n')]<|tool_call_end|>", {{"f", object_of(R"({"s":"it's \"x\"\n"})")}}},
      {"<|tool_call_start|>[]<|tool_call_end|>Nothing to look up.", {}, "Nothing to look up."},
      {"Hello.", {}, "Hello."}};
  transcripts["granite"] = {
      {"<|tool_call|>[{\"name\": \"get_current_weather\", \"arguments\": {\"location\": \"New York\"}}]",
       {{"get_current_weather", object_of(R"({"location":"New York"})")}}},
      {"<|tool_call|>[{\"arguments\": {}, \"name\": \"f\"}, {\"name\": \"g\", \"arguments\": {}}]",
       {{"f", object_of("{}")}, {"g", object_of("{}")}}},
      {"<|tool_call|>\n[\n  {\"name\": \"f\", \"arguments\": {\"s\": \"]}\\u00e9\"}}\n]\n",
       {{"f", object_of(R"({"s":"]}é"})")}}},
      {"<|tool_call|>{\"name\": \"f\", \"arguments\": {\"a\": null}}", {{"f", object_of(R"({"a":null})")}}},
      {"<|tool_call|>[{\"type\": \"function\", \"function\": {\"name\": \"f\", \"arguments\": {\"a\": 1}}}]",
       {{"f", object_of(R"({"a":1})")}}},
      {"<think>Two places.</think>\n<|tool_call|>[{\"name\": \"f\", \"arguments\": {\"a\": [1, {\"b\": 2}]}}]",
       {{"f", object_of(R"({"a":[1,{"b":2}]})")}},
       "",
       "Two places."},
      {"<think>Hm.</think><response>Yes.</response>", {}, "Yes.", "Hm."},
      {"<think>\nHm.\n</think>\n\n<response>\nYes,\nno.\n</response>\n", {}, "Yes,\nno.", "Hm."},
      {"<think></think>Hi.", {}, "Hi."},
      {"<response>Hello.</response>", {}, "Hello."},
      {"Sure. <|tool_call|>[{\"name\": \"f\", \"arguments\": {}}]", {{"f", object_of("{}")}}, "Sure."},
      {"<|tool_call|>[]", {}},
      {"A list: [1, 2].", {}, "A list: [1, 2]."}};
  transcripts["harmony"] = {
      {"<|channel|>final<|message|>Hi.", {}, "Hi."},
      {"<|channel|>analysis<|message|>Think.<|end|><|start|>assistant<|channel|>final<|message|>Hi.<|return|>",
       {},
       "Hi.",
       "Think."},
      {"<|channel|>analysis<|message|>Need to use function get_current_weather.<|end|><|start|>assistant<|channel|>"
       "commentary to=functions.get_current_weather <|constrain|>json<|message|>{\"location\":\"San "
       "Francisco\"}<|call|>",
       {{"get_current_weather", object_of(R"({"location":"San Francisco"})")}},
       "",
       "Need to use function get_current_weather."},
      {"<|channel|>analysis<|message|>Look.<|end|><|start|>assistant<|channel|>commentary to=functions.f "
       "<|constrain|>json<|message|>{\"a\": 1}<|call|>",
       {{"f", object_of(R"({"a":1})")}},
       "",
       "Look."},
      {" to=functions.f<|channel|>commentary json<|message|>{}<|call|>", {{"f", object_of("{}")}}},
      {"<|start|>assistant to=functions.f<|channel|>commentary <|constrain|>json<|message|>{\"a\": [\"x\"]}<|call|>",
       {{"f", object_of(R"({"a":["x"]})")}}},
      {"<|channel|>commentary<|message|>First I look.<|end|><|start|>assistant<|channel|>commentary "
       "to=functions.f<|message|>{}",
       {{"f", object_of("{}")}},
       "First I look."},
      {"<|channel|>analysis<|message|>A plan.<|end|><|start|>assistant<|channel|>commentary<|message|>**Action "
       "plan**:\n1. Generate\n2. Start\n---\nWill start<|end|><|start|>assistant<|channel|>commentary "
       "to=functions.generate_file<|channel|>commentary <|constrain|>json<|message|>{\"template\": \"basic_html\", "
       "\"path\": \"index.html\"}<|call|>",
       {{"generate_file", object_of(R"({"template":"basic_html","path":"index.html"})")}},
       "**Action plan**:\n1. Generate\n2. Start\n---\nWill start",
       "A plan."},
      {"<|channel|>commentary to=f <|constrain|>json<|message|>{\"s\": \"<|end|>\"}<|call|>",
       {{"f", object_of(R"({"s":"<|end|>"})")}}},
      {"<|channel|>commentary to=browser.search <|constrain|>json<|message|>{\"query\": \"boats\"}<|call|>",
       {{"browser.search", object_of(R"({"query":"boats"})")}}},
      {"<|channel|>analysis<|message|>A.<|end|><|start|>assistant<|channel|>analysis<|message|>B.<|end|><|start|>"
       "assistant<|channel|>final<|message|>C.",
       {},
       "C.",
       "A.\nB."}};
  transcripts["hermes"] = {
      {"<think>\n\n</think>\n\nHi.", {}, "Hi."},
      {"</think>\n\nHi.", {}, "Hi."},
      {"Use </think> to close.", {}, "Use </think> to close."},
      {"<tool_call>\n[{\"name\": \"f\", \"arguments\": {}}, {\"name\": \"g\", \"arguments\": {}}]\n</tool_call>",
       {{"f", object_of("{}")}, {"g", object_of("{}")}}}};

  for (auto const& [name, all] : transcripts)
    for (auto const& one : all) {
      INFO(name << "\n" << one.text);
      answer_options const options{.tools = true};
      auto const answer = read_bytewise(one.text, family(name), options);
      if (!answer) {
        FAIL_CHECK(answer.error());
        continue;
      }
      INFO("read " << shown(plain(answer->calls)));
      CHECK(plain(answer->calls) == one.calls);
      CHECK(answer->text == one.said);
      CHECK(answer->reasoning == one.thought);
      CHECK(*answer == *parse_answer(one.text, family(name), options));
    }
}
