#include "grammar_support.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace grammar_test;
namespace g = wherry::grammar;

namespace {

program of_ebnf(std::string_view text, g::ebnf_options const& options = {}) {
  static test_vocabulary const v(crossing_tokens());
  auto const expression = g::ebnf(text, options);
  if (!expression) FAIL(expression.error().message);
  auto p = g::compile(*expression, v.tokens);
  if (!p) FAIL(p.error().message);
  return *p;
}

// Any choice ends whole, within the budget.
void check_random_walks(program const& p, test_vocabulary const& v) {
  for (std::uint64_t run = 0; run < 60; ++run) {
    draw_key key{.run = run};
    matcher m(p);
    for (std::size_t budget = p.shortest_answer() + run % 12; !m.is_finished(); --budget, ++key.position) {
      auto const mask = m.allowed(budget);
      std::vector<token_id> allowed;
      for (token_id id = 0; id < v.size(); ++id) {
        matcher next = m;
        if (!g::is_allowed(mask, id)) continue;
        REQUIRE(next.accept(id));
        allowed.push_back(id);
      }
      REQUIRE_FALSE(allowed.empty());
      REQUIRE(m.accept(allowed[random_bits(key) % allowed.size()]));
    }
    CHECK(m.is_complete());
  }
}

}  // namespace

TEST_CASE("ebnf: rules, literals, classes, groups and repetitions", "[unit][grammar]") {
  check(of_ebnf("list ::= item (\",\" item)*  # a comment\n"
                "item ::= [a-z]+ | '\"' word '\"'\n"
                "word ::= /[^\"]{1,4}/"),
        {"a", "ab,c", "\"x y\",z", "\"\xc3\xa9\xc3\xa9\""}, {"", "a,", "\"\"", "\"12345\"", "A"});
  check(of_ebnf("s = 'a'{2} 'b'{1,2} [c-e]{2,} 'f'? ;"), {"aabcd", "aabbeeef"}, {"abcd", "aabbbcd", "aabc"});
  check(of_ebnf("s ::= \"\\n\\t\\\\\\\"\" '\\x41\\u00e9\\U0001F600' . [^a\\]]"),
        {"\n\t\\\"A\xc3\xa9\xf0\x9f\x98\x80xb"}, {"\n\t\\\"A\xc3\xa9\xf0\x9f\x98\x80x]"});
}

TEST_CASE("ebnf: rules recurse within the depth", "[unit][grammar]") {
  auto const sum = of_ebnf("sum ::= term (('+' | '-') term)*\nterm ::= [0-9]+ | '(' sum ')'", {.depth = 6});
  check(sum, {"1", "1+2-3", "(1+2)-3", "((1))"}, {"", "1+", "(1", "(((((1)))))"});
  test_vocabulary const v(crossing_tokens());
  check_random_walks(sum, v);
}

TEST_CASE("ebnf: mistakes are told by line and column", "[unit][grammar]") {
  for (auto const& [text, where, what] :
       std::initializer_list<std::array<char const*, 3>>{{"", "line 1, column 1", "no rules"},
                                                         {"a ::= b", "line 1, column 7", "no rule named \"b\""},
                                                         {"a ::= 'x'\na ::= 'y'", "line 2, column 1", "twice"},
                                                         {"a ::= 'x", "line 1, column 7", "quote"},
                                                         {"a ::=\n  ('x'", "line 2, column 7", "a ) is missing"},
                                                         {"a ::= /x", "line 1, column 7", "a / is missing"},
                                                         {"a ::= /", "line 1, column 7", "a / is missing"},
                                                         {"a ::= [x", "line 1, column 7", "a ] is missing"},
                                                         {"a ::= 'x'{3,2}", "line 1, column 10", "count"},
                                                         {"a ::= 'x'{5000}", "line 1, column 10", "repeat_max"},
                                                         {"a ::= '\\q'", "line 1, column 8", "escape"},
                                                         {"a ::= '\\ud800'", "line 1, column 8", "escape"},
                                                         {"a ::= )", "line 1, column 7", "a rule is expected"},
                                                         {"a ::= [a-z", "line 1, column 7", "missing"},
                                                         {"a ::= 'x' * $", "line 1, column 11", "begins nothing"}}) {
    INFO(text);
    auto const read = g::ebnf(text);
    REQUIRE_FALSE(read);
    CHECK(read.error().is(errc::parse_error));
    INFO(read.error().message);
    CHECK(read.error().message.find(where) != std::string::npos);
    CHECK(read.error().message.find(what) != std::string::npos);
  }
  std::string deep = "a ::= ";
  deep.append(10'000, '(');
  CHECK_FALSE(g::ebnf(deep));
  test_vocabulary const v;
  CHECK_FALSE(g::compile(g::ebnf("a ::= a 'x' | 'x'").value(), v.tokens));
  CHECK_FALSE(g::compile(g::ebnf("a ::= ('x'?)*").value(), v.tokens));
}

TEST_CASE("a span is a piece of its context and nothing else", "[unit][grammar]") {
  test_vocabulary const v(crossing_tokens());
  std::string const context = "abcabx \xc3\xa9\xe2\x82\xac \"q\"\n";
  auto const p = g::compile(g::span_of(context), v.tokens).value();
  for (std::size_t from = 0; from < context.size(); ++from) {
    for (std::size_t size = 1; from + size <= context.size(); ++size) {
      std::string const piece = context.substr(from, size);
      auto const is_inside = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; };
      bool const whole =
          !is_inside(piece.front()) && (from + size == context.size() || !is_inside(context[from + size]));
      INFO(from << " " << size);
      CHECK(accepts(p, piece) == whole);
    }
  }
  check(p, {"cab", "bx"}, {"", "abab", "xa", "cabc", "q\"\nx"});
  CHECK(p.shortest_answer() == 1);
  check_random_walks(p, v);

  auto const few = g::compile(g::span_of(context, {.characters_max = 3}), v.tokens).value();
  check(few, {"abc", "x \xc3\xa9", "\xc3\xa9\xe2\x82\xac "}, {"abca", "x \xc3\xa9\xe2\x82\xac"});
  check_random_walks(few, v);

  auto const quoted =
      g::compile(g::sequence({g::literal("{\"q\":"), g::span_of(context, {.as_json = true}), g::literal("}")}),
                 v.tokens)
          .value();
  check(quoted, {R"({"q":"cab"})", R"({"q":" \"q\"\n"})"}, {R"({"q":""})", R"({"q":"cc"})", R"({"q":cab})"});
  check_random_walks(quoted, v);
}

TEST_CASE("a span's context has to be text of a bounded size", "[unit][grammar]") {
  test_vocabulary const v;
  for (std::string const& context : {std::string(), std::string("\xc3"), std::string(70'000, 'a')}) {
    auto const p = g::compile(g::span_of(context), v.tokens);
    REQUIRE_FALSE(p);
    CHECK(p.error().is(errc::invalid_argument));
  }
  std::string text;
  for (std::uint64_t i = 0; text.size() < 60'000; ++i)
    text += "word" + std::to_string(random_bits({.run = i}) % 5'000) + " ";
  auto const p = g::compile(g::span_of(text), v.tokens);
  REQUIRE(p);
  CHECK(accepts(*p, text.substr(31'000, 900)));
  CHECK_FALSE(accepts(*p, text.substr(31'000, 900) + "~"));
}
