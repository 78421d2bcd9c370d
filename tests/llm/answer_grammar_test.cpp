// Whole answers under the grammar of each family: whatever tokens are drawn under the mask, the reader of the same row
// takes the answer, and its calls and its output match their schemas.
#include <wherry/core/json.hpp>
#include <wherry/core/random.hpp>
#include <wherry/llm/chat_answer.hpp>
#include <wherry/llm/json_validator.hpp>
#include "llm_support.hpp"

#include <catch2/catch_test_macros.hpp>

#include "bfcl_support.hpp"
#include "chat/family.hpp"
#include "tokenizer_samples.hpp"

#include <algorithm>
#include <map>

using namespace wherry;
using wherry_test::family;

namespace {

// A vocabulary of bytes, some longer tokens, and a family's marks as control tokens where that is wanted.
struct family_vocabulary {
  family_vocabulary(answer_family row, bool marks_are_tokens) : tokens(make(row, marks_are_tokens)) {
    std::vector<std::string> bytes(tokens.size());
    std::vector<token_id> control;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      auto const id = static_cast<token_id>(i);
      if (tokens.kind(id) == token_kind::control)
        control.push_back(id);
      else
        bytes[i] = tokens.token_bytes(id);
    }
    end = *tokens.find("<eos>");
    grammar = grammar::vocabulary::build(bytes, control, std::span(&end, 1)).value();
  }
  static tokenizer make(answer_family row, bool marks_are_tokens) {
    std::vector<wherry_test::sample_token> more = {{"<eos>", token_kind::control}, {"<other>", token_kind::control}};
    if (marks_are_tokens)
      for (auto const& mark : row.marks())
        if (mark[0] == '<' || mark[0] == '[') more.push_back({mark, token_kind::control});
    for (auto const* text :
         {"\",\"", "\":\"", "></", "\n</", "</parameter>\n", "\"}", ", ", "=", "</", "e>\n<", "\xec\x95"})
      more.push_back({wherry_test::spelled_bytes(text), token_kind::normal});
    return wherry_test::build(wherry_test::bpe_model("gpt-2", {}, more)).value();
  }

  tokenizer tokens;
  token_id end = 0;
  grammar::vocabulary grammar = grammar::vocabulary::build({"x"}, {}, {}).value();
};

// Random numbers that are the same everywhere.
class draws {
 public:
  explicit draws(std::uint64_t seed) : key_{.run = seed, .step = 0, .position = 0} {}
  std::size_t below(std::size_t limit) { return static_cast<std::size_t>(random_bits(key_, lane_++) % limit); }

 private:
  draw_key key_;
  std::uint32_t lane_ = 0;
};

struct drawn_answer {
  result<chat_answer> read = chat_answer{};
  std::string said;
  std::size_t tokens = 0;
};

// Draws among the allowed tokens. Marks are rare among bytes; without a push no call would ever be drawn.
drawn_answer draw_answer(answer_family row, grammar::program const& program, family_vocabulary const& words,
                         answer_options const& may, std::size_t budget, std::uint64_t seed) {
  draws random(seed);
  grammar::matcher matcher(program);
  answer_parser parser(row, may);
  drawn_answer out;
  bool const closes = random.below(2) == 0;  // prefers what ends strings
  std::vector<token_id> possible, marks;
  for (; budget > 0; --budget, ++out.tokens) {
    auto const allowed = matcher.allowed(budget);
    possible.clear();
    marks.clear();
    for (std::size_t word = 0; word < allowed.size(); ++word)
      for (auto bits = allowed[word]; bits != 0; bits &= bits - 1) {
        auto const id = static_cast<token_id>(word * 64 + static_cast<std::size_t>(__builtin_ctzll(bits)));
        possible.push_back(id);
        if (id != words.end && words.tokens.kind(id) == token_kind::control) marks.push_back(id);
      }
    if (possible.empty()) break;
    auto chosen = possible[random.below(possible.size())];
    if (!marks.empty() && random.below(4) == 0) chosen = marks[random.below(marks.size())];
    for (char const c : {'"', '<', '\n'}) {
      auto const closer = static_cast<token_id>(static_cast<unsigned char>(c));
      if (closes && random.below(4) == 0 && grammar::is_allowed(allowed, closer)) chosen = closer;
    }
    if (chosen == words.end) break;
    if (!matcher.accept(chosen)) {
      out.read = error(errc::internal, "an allowed token was not accepted");
      return out;
    }
    auto const text = words.tokens.token_bytes(chosen, {.show_special = true});
    out.said += text;
    auto const pushed =
        words.tokens.kind(chosen) == token_kind::control ? parser.push_control(text) : parser.push(text);
    if (!pushed) {
      out.read = pushed.error();
      return out;
    }
  }
  out.read = parser.finish();
  return out;
}

using validators = std::map<std::string, json_validator>;

validators validators_of(std::vector<tool_spec> const& tools) {
  validators out;
  for (auto const& tool : tools) out.emplace(tool.name, json_validator::make(tool.input_schema).value());
  return out;
}

void check_calls(chat_answer const& answer, validators const& schemas) {
  for (auto const& call : answer.calls) {
    INFO(call.name << ' ' << call.arguments);
    auto const schema = schemas.find(call.name);
    REQUIRE(schema != schemas.end());
    auto const valid = schema->second.check(call.arguments);
    if (!valid) FAIL_CHECK(valid.error());
  }
}

// What a schema can say about arguments that are written bare.
std::vector<tool_spec> hard_tools() {
  return {
      {"modes",
       "",
       {R"({"type":"object","properties":{"mode":{"enum":["a b","c\"d\\","5","True","</parameter>",5,null,true]},
            "n":{"type":["integer","null"]},"s":{"type":["string","null"],"maxLength":4},
            "fixed":{"const":{"k":[1,"two",null,false]}}},"required":["mode","s","fixed"]})"}},
      {"texts", "", {R"({"type":"object","properties":{"code":{"type":"string","pattern":"^[A-Z<>/]{2}-[0-9]{1,3}$"},
            "tag":{"type":"string","pattern":"^<.*>$","maxLength":14},
            "when":{"type":"string","format":"date"},"list":{"type":"array","items":{"type":"string","maxLength":3},"maxItems":3},
            "o":{"type":"object","properties":{"k":{"type":"boolean"},"weird: key":{"const":"x"}},"required":["k","weird: key"]}},
            "required":["code","o","tag"],"additionalProperties":false})"}},
      {"trees",
       "",
       {R"({"$defs":{"tree":{"type":"object","properties":{"v":{"type":"integer"},"next":{"$ref":"#/$defs/tree"}},"required":["v"]}},
            "type":"object","properties":{"tree":{"$ref":"#/$defs/tree"},
            "either":{"anyOf":[{"type":"string","minLength":2,"maxLength":5},{"type":"number","minimum":0,"maximum":9}]},
            "map":{"type":"object","additionalProperties":{"type":"boolean"}}},"required":["tree","either"]})"}},
      {"nothing", "", {R"({"type":"object","properties":{}})"}},
      {"any",
       "",
       {R"({"type":"object","properties":{"x":{},"y":{"type":"array"}},"required":["x"],"minProperties":2})"}},
  };
}

raw_json const output_schema{
    R"({"type":"object","properties":{"city":{"type":"string","maxLength":9},"days":{"type":"integer"}},"required":["city","days"],"additionalProperties":false})"};

constexpr std::size_t draws_per_grammar = 10;

// Answers under `rounds` grammars of every family, over the benchmark's tools and the hard ones; returns the calls
// drawn by family.
std::map<std::string, std::size_t> draw_answers(std::size_t rounds) {
  auto const many = wherry_test::bfcl_tools("multiple");
  auto const valid_output = json_validator::make(output_schema).value();
  std::map<std::string, std::size_t> calls;
  for (auto const& row : answer_families()) {
    family_vocabulary const vocabularies[] = {{row, true}, {row, false}};
    for (std::size_t round = 0; round < rounds; ++round) {
      auto const& words = vocabularies[round % 2];
      auto tools = many[(round * 7) % many.size()];
      if (round % 4 == 0) tools = hard_tools();
      answer_options may{.tools = round % 12 != 11, .output = round % 6 >= 4};
      may.free_text = !may.output && round % 3 != 0;
      may.in_reasoning = round % 5 == 2;
      may.control = row.control_marks(words.tokens);
      may.offered = std::make_shared<std::vector<tool_spec> const>(tools);
      INFO(row.name() << (round % 2 ? ", marks are text" : ", marks are tokens") << ", round " << round);
      std::optional<raw_json> const output = may.output ? std::optional(output_schema) : std::nullopt;
      auto const program = grammar::compile(*row.constrain(tools, output, may, words.tokens), words.grammar);
      if (!program) {
        FAIL_CHECK(program.error());
        continue;
      }
      auto const schemas = validators_of(tools);
      for (std::size_t draw = 0; draw < draws_per_grammar; ++draw) {
        std::size_t const budget = program->shortest_answer() + 20 * (draw + 1);
        auto const drawn = draw_answer(row, *program, words, may, budget, round * draws_per_grammar + draw);
        INFO(drawn.said);
        if (!drawn.read) {
          FAIL_CHECK(drawn.read.error());
          continue;
        }
        check_calls(*drawn.read, schemas);
        calls[std::string(row.name())] += drawn.read->calls.size();
        CHECK((may.tools || drawn.read->calls.empty()));
        if (may.output && drawn.read->calls.empty()) {
          CHECK(drawn.read->is_output);
          CHECK(valid_output.check(drawn.read->text).has_value());
        }
      }
    }
  }
  return calls;
}

}  // namespace

TEST_CASE("whatever a family's grammar allows its reader takes, and no call is invalid", "[toolcall][grammar]") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr std::size_t draws = 3;  // each is some fifty times slower
#else
  constexpr std::size_t draws = 20;
#endif
  auto const calls = draw_answers(draws);
  CHECK(calls.size() == answer_families().size());
  for (auto const& [name, count] : calls) {
    INFO(name);
    CHECK(count >= 4 * draws);
  }
}

TEST_CASE("of two thousand answers drawn from every family's grammar none is invalid", "[toolcall][grammar][slow]") {
  for (auto const& [name, count] : draw_answers(200)) {
    INFO(name);
    CHECK(count >= 800);
  }
}

TEST_CASE("every family's grammar holds the calls that the family writes", "[toolcall][grammar]") {
  tool_spec const tool{
      "forecast",
      "",
      {R"({"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"},"exact":{"type":"boolean"},
           "tags":{"type":"array","items":{"type":"string"}},"note":{"type":["string","null"]}},"required":["city"]})"}};
  std::vector<tool_call> const calls = {
      {"", "forecast", R"({"city":"Seoul, \"안녕\" <b>","days":2,"exact":true,"tags":["a","b"],"note":null})"},
      {"", "forecast", R"({"city":""})"},
      {"", "forecast", R"({"city":"two\nlines","note":"n"})"}};
  for (auto const& row : answer_families())
    for (bool const as_tokens : {true, false}) {
      family_vocabulary const words(row, as_tokens);
      answer_options may{.tools = true};
      may.control = row.control_marks(words.tokens);
      auto const program =
          grammar::compile(*row.constrain(std::vector{tool}, std::nullopt, may, words.tokens), words.grammar).value();
      for (auto const& call : calls) {
        auto const text = row.call_text({&call, 1});
        INFO(row.name() << (as_tokens ? ", marks are tokens" : ", marks are text") << "\n" << text);
        // Templates put spaces into arguments that are JSON; the grammar has none there.
        bool const spaced = text.find(call.arguments) == std::string::npos;
        std::vector<encode_piece> const pieces = {{text, true}};
        grammar::matcher matcher(program);
        bool accepted = true;
        for (auto const id : words.tokens.encode(pieces, false)) accepted = accepted && matcher.accept(id);
        bool const has_list = call.arguments.find("tags") != std::string::npos;
        if (!spaced || !has_list) CHECK((accepted && matcher.is_complete()));
      }
    }
}

TEST_CASE("gold calls are in every family's grammar, and with a wrong type or name they are not",
          "[toolcall][grammar]") {
  auto const cases = wherry_test::gold_cases();
  for (auto const& row : answer_families()) {
    family_vocabulary const words(row, true);
    bool const json_written =
        row.call_text(std::vector<tool_call>{{"", "f", R"({"q":["w",1]})"}}).find(R"({"q":["w",1]})") !=
        std::string::npos;
    std::size_t held = 0, refused = 0;
    for (std::size_t i = 0; i < cases.size(); i += 8) {
      auto const& gold = cases[i];
      auto const& call = gold.calls[0];
      auto const tool =
          std::find_if(gold.tools.begin(), gold.tools.end(), [&](tool_spec const& t) { return t.name == call.name; });
      auto const schema = parse_json(tool->input_schema.text).value();
      // The grammar has the schema's order, and no spaces in values that are lists.
      auto const given = parse_json(call.arguments).value();
      json arguments = json::object();
      bool spaced = false;
      for (auto const& [key, unused] : schema["properties"].items())
        if (given.contains(key)) {
          arguments[key] = given[key];
          spaced = spaced || given[key].is_structured();
        }
      bool const valid = json_validator::make(tool->input_schema)->check(to_text(arguments)).has_value();
      if (!valid || (spaced && !json_written)) continue;
      answer_options may{.tools = true, .free_text = false};
      may.control = row.control_marks(words.tokens);
      auto const program =
          grammar::compile(*row.constrain(gold.tools, std::nullopt, may, words.tokens), words.grammar).value();
      auto const accepts = [&](json const& with) {
        auto const text = row.call_text(std::vector<tool_call>{{"", call.name, to_text(with)}});
        grammar::matcher matcher(program);
        std::vector<encode_piece> const pieces = {{text, true}};
        for (auto const id : words.tokens.encode(pieces, false))
          if (!matcher.accept(id)) return false;
        return matcher.is_complete();
      };
      INFO(row.name() << " / " << gold.id << ' ' << to_text(arguments));
      CHECK(accepts(arguments));
      ++held;
      for (auto const& name : schema.value("required", json::array())) {
        std::string const key = name;
        if (!arguments.contains(key)) continue;
        json misnamed = json::object(), mistyped = arguments;
        for (auto const& [own, value] : arguments.items()) misnamed[own == key ? key + "_x" : own] = value;
        INFO("mutated " << key);
        CHECK_FALSE(accepts(misnamed));
        ++refused;
        auto const type = schema["properties"][key].value("type", "");
        if (type != "integer" && type != "number" && type != "boolean") continue;
        mistyped[key] = "abc";
        CHECK_FALSE(accepts(mistyped));
        ++refused;
      }
    }
    INFO(row.name());
    CHECK(held >= 50);
    CHECK(refused >= 100);
  }
}

TEST_CASE("every family's grammar holds a whole answer: reasoning, text, calls; and reasoning, output",
          "[toolcall][grammar]") {
  std::vector<tool_spec> const tools = {
      {"forecast", "", {R"({"type":"object","properties":{"city":{"type":"string"}},"required":["city"]})"}},
      {"clock", "", {R"({"type":"object","properties":{}})"}}};
  std::vector<tool_call> const calls = {{"call00001", "forecast", R"({"city":"Seoul"})"}, {"call00002", "clock", "{}"}};
  std::string const output = R"({"city":"Busan","days":3})";
  for (auto const& row : answer_families())
    for (bool const as_tokens : {true, false}) {
      family_vocabulary const words(row, as_tokens);
      bool const plain = row.name() == "plain";
      bool const bare = row.name() == "llama3" || row.name() == "llama_pythonic";
      bool const thinks =
          joined(row.replay({role::assistant, {reasoning_part{"Hm.", ""}}})).find("Hm.") != std::string::npos;
      auto const accepts = [&](answer_options may, std::optional<raw_json> const& schema, std::string const& text) {
        may.control = row.control_marks(words.tokens);
        auto const program = grammar::compile(*row.constrain(tools, schema, may, words.tokens), words.grammar).value();
        grammar::matcher matcher(program);
        std::vector<encode_piece> const pieces = {{text, true}};
        for (auto const id : words.tokens.encode(pieces, false))
          if (!matcher.accept(id)) return false;
        return matcher.is_complete();
      };
      message spoken{role::assistant, {}};
      if (thinks) spoken.parts.push_back(reasoning_part{"Think\nof it.", ""});
      message answered = spoken;
      if (!plain && !bare) spoken.parts.push_back(text_part{"Let me look."});
      spoken.parts.insert(spoken.parts.end(), calls.begin(), plain ? calls.begin() + 1 : calls.end());
      auto const whole = joined(row.replay(spoken));
      INFO(row.name() << (as_tokens ? ", marks are tokens" : ", marks are text") << "\n" << whole);
      CHECK(accepts({.tools = true}, std::nullopt, whole));
      answered.parts.push_back(text_part{plain ? "{\"output\":" + output + "}" : output});
      auto const final_answer = joined(row.replay(answered));
      INFO(final_answer);
      answer_options const closed{.tools = true, .output = true, .free_text = false};
      CHECK(accepts(closed, output_schema, final_answer));
      CHECK_FALSE(accepts(closed, output_schema, joined(row.replay({role::assistant, {text_part{"No."}}}))));
      if (plain) continue;
      // The prompt may have opened the reasoning already.
      auto inside = closed;
      inside.in_reasoning = true;
      auto const opened = whole.find("Think");
      if (thinks && row.row().syntax.reasoning[0].close != "") {
        CHECK(accepts({.tools = true, .in_reasoning = true}, std::nullopt, whole.substr(opened)));
        CHECK(accepts(inside, output_schema, final_answer.substr(final_answer.find("Think"))));
      }
    }
}

TEST_CASE("which tools may be called is a matter of the mask", "[toolcall][grammar]") {
  std::vector<tool_spec> const tools = {{"first", "", {R"({"type":"object","properties":{}})"}},
                                        {"second", "", {R"({"type":"object","properties":{}})"}}};
  tool_call const call{"", "first", "{}"};
  for (auto const& row : answer_families()) {
    INFO(row.name());
    family_vocabulary const words(row, true);
    auto const accepts = [&](std::vector<tool_spec> const& offered, answer_options may, std::size_t count) {
      may.control = row.control_marks(words.tokens);
      auto const program =
          grammar::compile(*row.constrain(offered, std::nullopt, may, words.tokens), words.grammar).value();
      std::vector<tool_call> const calls(count, call);
      auto const text = row.call_text(calls);
      std::vector<encode_piece> const pieces = {{text, true}};
      grammar::matcher matcher(program);
      for (auto const id : words.tokens.encode(pieces, false))
        if (!matcher.accept(id)) return false;
      return matcher.is_complete();
    };
    CHECK(accepts(tools, {.tools = true}, 1));
    CHECK_FALSE(accepts({tools[1]}, {.tools = true}, 1));
    CHECK_FALSE(accepts(tools, {.tools = false}, 1));
    bool const several = row.name() != "plain";
    CHECK(accepts(tools, {.tools = true}, 2) == several);
    CHECK_FALSE(accepts(tools, {.tools = true, .calls_max = 1}, 2));
  }
}

TEST_CASE("arguments are an object, whatever else a tool's schema allows", "[toolcall][grammar]") {
  for (auto const& row : answer_families()) {
    family_vocabulary const words(row, true);
    answer_options may{.tools = true, .free_text = false};
    may.control = row.control_marks(words.tokens);
    for (auto const* schema : {"true", "{}", R"({"type":["object","number","string"],"properties":{"a":{"const":1}}})",
                               R"({"anyOf":[{"type":"array"},{"properties":{"a":{"type":"integer"}}}]})"}) {
      INFO(row.name() << ' ' << schema);
      tool_spec const tool{"f", "", {schema}};
      auto const program =
          grammar::compile(*row.constrain(std::vector{tool}, std::nullopt, may, words.tokens), words.grammar);
      REQUIRE(program.has_value());
      for (std::uint64_t seed = 0; seed < 8; ++seed) {
        auto const drawn = draw_answer(row, *program, words, may, program->shortest_answer() + 30, seed);
        INFO(drawn.said);
        REQUIRE(drawn.read.has_value());
        CHECK_FALSE(drawn.read->calls.empty());
      }
    }
    auto const none = grammar::compile(
        *row.constrain(std::vector<tool_spec>{{"f", "", {R"({"type":"number"})"}}}, std::nullopt, may, words.tokens),
        words.grammar);
    CHECK(none.has_error());
  }
}

TEST_CASE("a tool that a family cannot write is refused by name", "[toolcall][grammar]") {
  tool_spec const tool{
      "f", "", {R"({"type":"object","properties":{"two words":{"type":"string"}},"required":["two words"]})"}};
  for (auto const* name : {"qwen3_coder", "lfm2", "llama_pythonic", "glm_4_5"}) {
    INFO(name);
    family_vocabulary const words(family(name), false);
    auto const program = grammar::compile(
        *family(name).constrain(std::vector{tool}, std::nullopt, {.tools = true}, words.tokens), words.grammar);
    REQUIRE_FALSE(program.has_value());
    CHECK(program.error().is(errc::schema_unsupported));
    CHECK(program.error().message.find("two words") != std::string::npos);
  }
}

TEST_CASE("text under a constraint is read as it stands, in every family, beside calls and reasoning",
          "[toolcall][grammar]") {
  std::vector<tool_spec> const tools = {{"clock", "", {R"({"type":"object","properties":{}})"}}};
  std::vector<std::string> const texts = {" yes \n",      "<think>",      "</think>\n\nno", "<tool_call>",
                                          "</tool_call>", "{\"output\":", "\n\n",           "",
                                          "all\n",        ">>>clock\n{}", "\xec\x95\x88"};
  std::vector<grammar::expr> ways;
  for (auto const& text : texts) ways.push_back(grammar::literal(text));
  auto const constraint = std::make_shared<grammar::expr const>(grammar::choice(ways));
  auto const language = grammar::recogniser::make(*constraint).value();
  std::size_t calls = 0, reasoned = 0, refused = 0;
  for (auto const& row : answer_families())
    for (bool const as_tokens : {true, false})
      for (unsigned how = 0; how < 4; ++how) {
        family_vocabulary const words(row, as_tokens);
        answer_options may{.tools = (how & 1) != 0, .in_reasoning = (how & 2) != 0};
        may.control = row.control_marks(words.tokens);
        may.offered = std::make_shared<std::vector<tool_spec> const>(tools);
        may.constraint = constraint;
        auto const call = row.call_beginning_in_text(words.tokens);
        if (may.tools && call && language.begins(*call)) {
          ++refused;
          continue;
        }
        INFO(row.name() << (as_tokens ? ", marks are tokens " : ", marks are text ") << how);
        auto const program =
            grammar::compile(*row.constrain(tools, std::nullopt, may, words.tokens), words.grammar).value();
        for (std::uint64_t seed = 0; seed < 12; ++seed) {
          auto const drawn = draw_answer(row, program, words, may, program.shortest_answer() + 40, seed);
          INFO(drawn.said);
          if (!drawn.read) {
            FAIL_CHECK(drawn.read.error());
            continue;
          }
          calls += drawn.read->calls.size();
          reasoned += drawn.read->reasoning.empty() ? 0 : 1;
          if (drawn.read->calls.empty()) {
            INFO(drawn.read->text);
            CHECK(std::find(texts.begin(), texts.end(), drawn.read->text) != texts.end());
          } else {
            CHECK(may.tools);
            CHECK(drawn.read->text.empty());
          }
        }
      }
  CHECK(calls > 100);
  CHECK(reasoned > 100);
  CHECK(refused > 0);   // <tool_call> as text
  CHECK(refused < 30);  // but not many
}
