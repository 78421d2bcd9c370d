#include "grammar_support.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace grammar_test;
namespace g = wherry::grammar;

namespace {

test_vocabulary const& byte_tokens() {
  static test_vocabulary const v;
  return v;
}

program compiled(g::expr const& e) { return g::compile(e, byte_tokens().tokens).value(); }

error refusal(g::expr const& e) {
  auto const p = g::compile(e, byte_tokens().tokens);
  REQUIRE_FALSE(p.has_value());
  return p.error();
}

std::string forced_from(program const& p, std::string_view text) {
  matcher m(p);
  REQUIRE(m.accept_bytes(text));
  return m.forced();
}

g::expr const digit = g::one_of({{'0', '9'}});

}  // namespace

TEST_CASE("combinators accept what they spell and nothing else", "[unit][grammar]") {
  auto const p = compiled(g::sequence({g::literal("ab"), g::optional(g::literal("c")), g::repeat(digit, 2, 3),
                                       g::choice({g::literal("x"), g::literal("xy"), g::sequence({})})}));
  for (char const* good : {"ab12", "ab123", "abc12", "ab12x", "abc123xy"}) CHECK(accepts(p, good));
  for (char const* bad : {"", "ab", "ab1", "ab1234", "ac12", "ab12y", "ab12xyx", "abcc12"})
    CHECK_FALSE(accepts(p, bad));
}

TEST_CASE("a repetition of more than one byte counts its rounds", "[unit][grammar]") {
  auto const p = compiled(g::repeat(g::choice({g::literal("ab"), g::literal("abab"), g::literal("c")}), 2, 300));
  CHECK_FALSE(accepts(p, "ab"));
  CHECK(accepts(p, "abab"));
  CHECK(accepts(p, "ababab"));
  CHECK_FALSE(accepts(p, "aba"));
  CHECK(accepts(p, std::string(300, 'c')));
  CHECK_FALSE(accepts(p, std::string(301, 'c')));
}

TEST_CASE("rules recurse as deep as declared and no deeper", "[unit][grammar]") {
  auto const nested = g::choice({g::literal("x"), g::sequence({g::literal("("), g::rule("nested"), g::literal(")")})});
  auto const p = compiled(g::define({{"nested", nested}}, g::rule("nested"), 3));
  CHECK(accepts(p, "x"));
  CHECK(accepts(p, "(((x)))"));
  CHECK_FALSE(accepts(p, "((((x))))"));
  CHECK_FALSE(matcher(p).accept_bytes("(((("));
  CHECK_FALSE(accepts(p, "((x)"));
}

TEST_CASE("recursion is entered only where it can be left within the depth", "[unit][grammar]") {
  // a needs b, b needs c, c may go back to a: two uses of a stand inside each other at most
  auto const wrap = [](char const* left, g::expr const& inner) {
    return g::sequence({g::literal(left), inner, g::literal(".")});
  };
  auto const p = compiled(g::define({{"a", wrap("a", g::rule("b"))},
                                     {"b", wrap("b", g::rule("c"))},
                                     {"c", g::choice({g::literal("c"), g::rule("a")})}},
                                    g::rule("a"), 5));
  CHECK(accepts(p, "abc.."));
  CHECK(accepts(p, "ababc...."));
  CHECK_FALSE(matcher(p).accept_bytes("ababa"));
  CHECK(p.shortest_answer() == 5);
}

TEST_CASE("an inner definition hides an outer one of the same name", "[unit][grammar]") {
  auto const inner = g::define({{"r", g::literal("in")}}, g::rule("r"));
  auto const p = compiled(g::define({{"r", g::literal("out")}}, g::sequence({g::rule("r"), inner, g::rule("r")})));
  CHECK(accepts(p, "outinout"));
}

TEST_CASE("mistakes in an expression are told when it is compiled", "[unit][grammar]") {
  CHECK(refusal(g::choice({})).is(errc::invalid_argument));
  CHECK(refusal(g::rule("missing")).message.find("\"missing\"") != std::string::npos);
  CHECK(refusal(g::repeat(digit, 3, 2)).is(errc::invalid_argument));
  CHECK(refusal(g::one_of({})).is(errc::invalid_argument));
  CHECK(refusal(g::token('a')).message.find("not a control token") != std::string::npos);
  CHECK(refusal(g::token(100'000)).is(errc::invalid_argument));
  CHECK(refusal(g::free_text({.bytes_max = 10, .without = {""}})).is(errc::invalid_argument));
}

TEST_CASE("repetition and recursion that consume nothing are refused", "[unit][grammar]") {
  CHECK(refusal(g::repeat(g::optional(g::sequence({digit, digit})), 0, 9)).is(errc::invalid_argument));
  CHECK(refusal(g::define({{"r", g::choice({g::sequence({g::rule("r"), digit}), digit})}}, g::rule("r")))
            .is(errc::invalid_argument));
  CHECK(refusal(g::define({{"r", g::choice({g::sequence({g::optional(digit), g::rule("r")}), digit})}}, g::rule("r")))
            .is(errc::invalid_argument));
}

TEST_CASE("a control token is allowed by its id, never by its spelling", "[unit][grammar]") {
  auto const& v = byte_tokens();
  auto const p = compiled(g::sequence({g::free_text({.bytes_max = 20}), g::token(v.control), g::literal("{}")}));
  matcher m(p);
  REQUIRE(m.accept_bytes("hi <call>"));
  CHECK_FALSE(m.is_complete());
  CHECK(g::is_allowed(m.allowed(), v.control));
  REQUIRE(m.accept(v.control));
  CHECK_FALSE(g::is_allowed(m.allowed(), v.control));
  CHECK(m.forced() == "{}");
  CHECK(m.shortest_completion() == 2);
  CHECK(p.shortest_answer() == 3);
}

TEST_CASE("end-of-generation tokens are allowed exactly when the text is complete", "[unit][grammar]") {
  auto const& v = byte_tokens();
  matcher m(compiled(g::choice({g::literal("a"), g::literal("ab")})));
  CHECK_FALSE(g::is_allowed(m.allowed(), v.end));
  CHECK_FALSE(m.accept(v.end));
  REQUIRE(m.accept('a'));
  CHECK(g::is_allowed(m.allowed(), v.end));
  CHECK(g::is_allowed(m.allowed(), 'b'));
  CHECK(g::is_allowed(m.allowed(0), v.end));
  CHECK_FALSE(g::is_allowed(m.allowed(0), 'b'));
  REQUIRE(m.accept(v.end));
  CHECK(m.is_finished());
  CHECK_FALSE(g::is_allowed(m.allowed(), v.end));
  CHECK_FALSE(m.accept('b'));
  m.reset();
  CHECK(g::is_allowed(m.allowed(), 'a'));
}

TEST_CASE("free text is UTF-8 without the strings it must not contain", "[unit][grammar]") {
  auto const p = compiled(g::free_text({.bytes_max = 12, .without = {"</s>", "aab"}}));
  for (char const* good : {"", "hello", "</s", "</</s", "aaa", "\xe2\x82\xac", "\n\t"}) CHECK(accepts(p, good));
  for (char const* bad : {"</s>", "x</s>", "</</s>", "aaab", "\xe2\x82", "\xff", "1234567890123"})
    CHECK_FALSE(accepts(p, bad));
  CHECK_FALSE(matcher(p).accept_bytes("12345678901\xe2"));  // no room for the rest of the character
}

TEST_CASE("text may be followed by what it also could contain", "[unit][grammar]") {
  auto const p =
      compiled(g::sequence({g::free_text({.bytes_max = 30, .without = {"\n"}}), g::literal("\nAnswer: "), digit}));
  CHECK(accepts(p, "thinking\nAnswer: 4"));
  CHECK_FALSE(accepts(p, "thinking Answer: 4"));
  CHECK(forced_from(p, "x\n") == "Answer: ");
}

TEST_CASE("forced bytes are those every continuation begins with", "[unit][grammar]") {
  auto const p =
      compiled(schema(R"({"type":"object","properties":{"name":{"enum":["alpha","alps"]},"n":{"type":"integer"}},
                                     "required":["name","n"],"additionalProperties":false})"));
  CHECK(matcher(p).forced() == R"({"name":"alp)");
  CHECK(forced_from(p, R"({"name":"alph)") == R"(a","n":)");
  CHECK(forced_from(p, R"({"name":"alps","n":0)") == "}");
  CHECK(forced_from(p, R"({"name":"alps","n":1)").empty());
  CHECK(forced_from(p, R"({"name":"alps","n":0})").empty());
}

TEST_CASE("a fork goes its own way", "[unit][grammar]") {
  matcher m(compiled(schema(R"({"type":["integer","boolean"]})")));
  REQUIRE(m.accept_bytes("t"));
  matcher fork = m;
  REQUIRE(fork.accept_bytes("rue"));
  CHECK(fork.is_complete());
  CHECK_FALSE(m.is_complete());
  CHECK(m.forced() == "rue");
}

TEST_CASE("a refused token changes nothing", "[unit][grammar]") {
  test_vocabulary const v({"12x", "12"});
  matcher m(g::compile(schema(R"({"type":"integer"})"), v.tokens).value());
  CHECK_FALSE(m.accept(256));
  CHECK_FALSE(m.accept(-1));
  CHECK_FALSE(m.accept(v.size()));
  REQUIRE(m.accept(257));
  CHECK(m.is_complete());
}

TEST_CASE("a budget below the shortest answer is refused before decoding", "[unit][grammar]") {
  test_vocabulary const v({"{\"", "\":", "name", "name\":\""});
  auto const p =
      g::compile(
          schema(
              R"({"type":"object","properties":{"name":{"type":"string","minLength":2}},"required":["name"],"additionalProperties":false})"),
          v.tokens)
          .value();
  CHECK(p.shortest_answer() == 6);  // {" name":" a a " }
  CHECK(p.check_budget(6).has_value());
  auto const refused = p.check_budget(5);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().is(errc::budget_too_small));
  matcher m(p);
  auto const nothing = m.allowed(5);
  CHECK(std::all_of(nothing.begin(), nothing.end(), [](auto word) { return word == 0; }));
  CHECK(g::is_allowed(m.allowed(6), 256));
  CHECK_FALSE(g::is_allowed(m.allowed(6), '{'));
}

TEST_CASE("what the vocabulary cannot spell is masked, or refused where nothing is left", "[unit][grammar]") {
  test_vocabulary const v({"beta"}, "bz");
  auto const either = g::compile(schema(R"({"enum":["zeta","beta","eta"]})"), v.tokens).value();
  matcher m(either);
  REQUIRE(m.accept('"'));
  CHECK(g::is_allowed(m.allowed(), 256));
  CHECK(g::is_allowed(m.allowed(), 'e'));
  auto const only = g::compile(schema(R"({"const":"zeta"})"), v.tokens);
  REQUIRE_FALSE(only.has_value());
  CHECK(only.error().is(errc::unsupported));
}

TEST_CASE("a vocabulary refuses ids it does not have", "[unit][grammar]") {
  token_id const outside = 3;
  CHECK_FALSE(g::vocabulary::build({"a", "b", "c"}, std::span(&outside, 1), {}).has_value());
  CHECK_FALSE(g::vocabulary::build({"a", "b", "c"}, {}, std::span(&outside, 1)).has_value());
  CHECK_FALSE(g::vocabulary::build({}, {}, {}).has_value());
}

TEST_CASE("ambiguity beyond the bound on threads narrows and never gets stuck", "[unit][grammar]") {
  // every way to cut a's into ones and twos stays alive: stacks multiply with each level
  auto const cut = g::choice({g::literal("a"), g::literal("aa")});
  g::expr e = g::repeat(cut, 1, 40);
  for (int level = 0; level < 3; ++level) e = g::repeat(e, 1, 40);
  matcher m(compiled(g::sequence({e, g::literal("!")})));
  for (int i = 0; i < 60; ++i) REQUIRE(m.accept('a'));
  CHECK(m.shortest_completion() == 1);
  CHECK(m.accept('!'));
}
