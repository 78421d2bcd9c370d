#include "grammar_support.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace grammar_test;
namespace g = wherry::grammar;

namespace {

program compiled(std::string text, g::bounds const& limits = {}) {
  static test_vocabulary const v;
  auto p = g::compile(schema(std::move(text), limits), v.tokens);
  if (!p) FAIL(p.error().message);
  return *p;
}

void check_refused(std::string text, std::string_view keyword, std::string_view pointer) {
  static test_vocabulary const v;
  INFO(text);
  auto const p = g::compile(schema(std::move(text)), v.tokens);
  REQUIRE_FALSE(p.has_value());
  CHECK(p.error().is(errc::schema_unsupported));
  INFO(p.error().message);
  CHECK(p.error().message.find("\"" + std::string(keyword) + "\"") != std::string::npos);
  CHECK(p.error().path == pointer);
}

}  // namespace

TEST_CASE("schema: each type takes its values in compact form", "[unit][grammar]") {
  check(compiled(R"({"type":"null"})"), {"null"}, {"nul", "0", " null"});
  check(compiled(R"({"type":"boolean"})"), {"true", "false"}, {"True", "1"});
  check(compiled(R"({"type":"integer"})"), {"0", "-1", "9223372036854775807", "-9223372036854775808"},
        {"-0", "01", "1.0", "9223372036854775808", "-9223372036854775809", "+1", "", "-"});
  check(compiled(R"({"type":"number"})"), {"0", "-0.5", "1e5", "1.25E-10", "12345678901234567890"},
        {".5", "1.", "01", "1e", "1e999", "NaN"});
  check(compiled(R"({"type":["string","null"]})"), {R"("")", "null"}, {"0"});
  check(compiled(R"({"type":["integer","number"]})"), {"1", "1.5"}, {R"("1")"});
}

TEST_CASE("schema: strings are JSON strings to the last rule", "[unit][grammar]") {
  check(compiled(R"({"type":"string"})"),
        {R"("")", R"("a\"\\\/\b\f\n\r\t")", R"("\u00e9\uABCD\ud7ff\ue000")", R"("\ud83d\ude00")",
         "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\x9f\xbf\xee\x80\x80\"", "\"\x7f\""},
        {"\"",
         "\"\n\"",
         std::string_view("\"\0\"", 3),
         R"("\a")",
         R"("\u12")",
         R"("\u12g4")",
         R"("\ud83d")",
         R"("\ud83dx")",
         R"("\ud83d\n")",
         R"("\ud83d\u0041")",
         R"("\ud83d\ud83d")",
         R"("\ude00")",
         "\"\x80\"",
         "\"\xc0\xaf\"",
         "\"\xc1\xbf\"",
         "\"\xe0\x80\x80\"",
         "\"\xed\xa0\x80\"",
         "\"\xf0\x80\x80\x80\"",
         "\"\xf4\x90\x80\x80\"",
         "\"\xf5\x80\x80\x80\"",
         "\"\xc3\"",
         "\"\xe2\x82\""});
}

TEST_CASE("schema: string lengths count code points, however they are written", "[unit][grammar]") {
  auto const p = compiled(R"({"type":"string","minLength":2,"maxLength":3})");
  check(p, {R"("ab")", R"("abc")", "\"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\"", R"("\ud83d\ude00\n")", R"("\u0041bc")"},
        {R"("a")", R"("abcd")", "\"\xf0\x9f\x98\x80\"", R"("\ud83d\ude00")", R"("\u0041\u0041\u0041\u0041")"});
}

TEST_CASE("schema: a pattern and a greatest length hold together", "[unit][grammar]") {
  auto const words = compiled(R"({"pattern":"^(\\S+ )*\\S+$","type":"string","maxLength":6,"minLength":2})");
  CHECK(accepts(words, R"("ab cde")"));
  CHECK(accepts(words, "\"a \xc3\xa9 \xe2\x82\xac\xe2\x82\xac\""));
  CHECK(accepts(words, R"("\\\\\\\\\\\\")"));
  CHECK_FALSE(accepts(words, R"("ab cdef")"));
  CHECK_FALSE(accepts(words, R"("a")"));
  CHECK_FALSE(accepts(words, R"("abcde ")"));
  matcher m(words);
  REQUIRE(m.accept_bytes("\"abcde"));
  CHECK_FALSE(m.accept_bytes(" "));  // no room for another word
  CHECK(m.accept_bytes("f\""));
}

TEST_CASE("schema: a quote may be part of a text under a pattern", "[unit][grammar]") {
  auto const p = compiled(R"({"type":"string","pattern":"^\"x\"$"})");
  check(p, {R"("\"x\"")"}, {R"("x")", R"(""x"")"});
  matcher m(p);
  REQUIRE(m.accept_bytes(R"("\)"));
  CHECK(m.forced() == R"("x\"")");
  CHECK(g::is_allowed(m.allowed(m.shortest_completion()), '"'));
}

TEST_CASE("schema: patterns that can be counted in many ways stay small", "[unit][grammar]") {
  auto const name = compiled(
      R"({"type":"string","pattern":"^(?!.*://)(?=.{1,255}$)((.{1,63}\\.){1,127}(?![0-9]*$)[a-z0-9-]+\\.?)$"})");
  for (char const* good : {R"("example.com")", R"("a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.example.com.")"})
    CHECK(accepts(name, good));
  for (char const* bad : {R"("example")", R"("http://example.com")", R"("example.123")"})
    CHECK_FALSE(accepts(name, bad));
  matcher m(name);
  REQUIRE(m.accept_bytes(R"("a.b-c.d.e)"));
  CHECK(g::is_allowed(m.allowed(), '.'));
}

TEST_CASE("schema: near the bounds of a text a mask allows what can be accepted", "[unit][grammar]") {
  test_vocabulary const v(crossing_tokens());
  g::bounds const small{.string_bytes = 9};
  for (char const* text :
       {R"({"type":"string"})", R"({"type":"string","minLength":3,"maxLength":7})",
        R"({"type":"string","pattern":"^([a-z]+[0-9])*$","maxLength":8})", R"({"type":["string","null"]})"}) {
    INFO(text);
    auto const p = g::compile(schema(text, small), v.tokens).value();
    for (std::uint64_t run = 0; run < 40; ++run) {
      draw_key key{.run = run};
      matcher m(p);
      for (std::size_t step = 0; step < 12; ++step, ++key.position) {
        auto const mask = m.allowed();
        std::vector<token_id> allowed;
        for (token_id id = 0; id < v.size(); ++id) {
          matcher next = m;
          bool const accepted = next.accept(id);
          INFO("token " << v.bytes[static_cast<std::size_t>(id)]);
          REQUIRE(accepted == g::is_allowed(mask, id));
          if (accepted && id != v.end) allowed.push_back(id);
        }
        if (allowed.empty()) break;
        REQUIRE(m.accept(allowed[random_bits(key) % allowed.size()]));
      }
    }
  }
}

TEST_CASE("schema: a string's bytes are bounded, and a character begun can always be finished", "[unit][grammar]") {
  auto const p = compiled(R"({"type":"string"})", {.string_bytes = 6});
  check(p, {R"("123456")", R"("\u0041")", "\"123\xe2\x82\xac\""}, {R"("1234567")", R"("1\u0041")"});
  CHECK_FALSE(matcher(p).accept_bytes("\"1234\xe2"));
  CHECK_FALSE(matcher(p).accept_bytes(R"("12345\)"));
  CHECK_FALSE(matcher(p).accept_bytes(R"("\ud8)"));  // its second half would not fit
}

TEST_CASE("schema: objects hold their members in the schema's order, commas between", "[unit][grammar]") {
  auto const p = compiled(
      R"({"type":"object","properties":{"a":{"type":"integer"},"b \"q\"":{"type":"null"},"c":{"type":"boolean"}},
                              "required":["b \"q\""],"additionalProperties":false})");
  check(p,
        {R"({"b \"q\"":null})", R"({"a":1,"b \"q\"":null})", R"({"a":1,"b \"q\"":null,"c":true})",
         R"({"b \"q\"":null,"c":true})"},
        {"{}", R"({"a":1})", R"({"c":true,"b \"q\"":null})", R"({,"b \"q\"":null})", R"({"b \"q\"":null,})",
         R"({"b \"q\"":null,"d":1})", R"({"b \"q\"": null})", R"({"b \"q\"":null,"b \"q\"":null})"});
  check(
      compiled(
          R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"additionalProperties":false})"),
      {"{}", R"({"a":1})", R"({"b":1})", R"({"a":1,"b":2})"}, {R"({"b":1,"a":2})", R"({"a":1"b":2})"});
  check(compiled(R"({"type":"object","properties":{"a":false,"b":{"type":"null"}}})"), {R"({"b":null})", R"({"c":1})"},
        {R"({"a":1})"});
}

TEST_CASE("schema: members in any order, where that is asked for", "[unit][grammar]") {
  g::bounds const any{.order = g::member_order::any};
  std::string const three = R"({"type":"object","properties":{"a":{"const":1},"b":{"const":2},"c":{"const":3}},)"
                            R"("required":["a","c"],"additionalProperties":false})";
  auto const p = compiled(three, any);
  for (char const* good : {R"({"a":1,"b":2,"c":3})", R"({"c":3,"b":2,"a":1})", R"({"b":2,"c":3,"a":1})",
                           R"({"c":3,"a":1})", R"({"a":1,"c":3,"b":2})"})
    CHECK(accepts(p, good));
  for (char const* bad : {R"({"a":1,"b":2})", R"({"a":1,"a":1,"c":3})", R"({"c":3,"a":1,"c":3})", R"({})",
                          R"({"b":2,"c":3,"a":1,"b":2})"})
    CHECK_FALSE(accepts(p, bad));
  CHECK(p.shortest_answer() == compiled(three).shortest_answer());
  CHECK_FALSE(accepts(compiled(three), R"({"c":3,"a":1})"));

  auto const open = compiled(
      R"({"properties":{"a":{"const":1},"b":{"const":2}},"type":"object","additionalProperties":{"const":0}})", any);
  CHECK(accepts(open, R"({"b":2,"a":1,"x":0})"));
  CHECK(accepts(open, R"({"x":0})"));
  CHECK_FALSE(accepts(open, R"({"b":2,"a":0})"));
  CHECK_FALSE(accepts(open, R"({"x":0,"b":2})"));

  // a member may be passed over by seven others and no more
  json many{{"type", "object"}, {"additionalProperties", false}};
  for (int i = 0; i < 12; ++i) many["properties"][std::string(1, static_cast<char>('a' + i))] = json{{"const", i}};
  auto const wide = compiled(to_text(many), any);
  CHECK(accepts(wide, R"({"h":7,"a":0})"));
  CHECK_FALSE(accepts(wide, R"({"i":8,"a":0})"));
  CHECK(accepts(wide, R"({"i":8,"b":1,"l":11,"e":4})"));
  many["required"] = json::array({"b"});
  auto const needs_b = compiled(to_text(many), any);
  CHECK_FALSE(accepts(needs_b, R"({"i":8})"));
  CHECK(accepts(needs_b, R"({"i":8,"b":1,"j":9})"));
  matcher at(needs_b);
  REQUIRE(at.accept_bytes("{"));
  CHECK_FALSE(at.accept_bytes(R"("j":9)"));  // b could not come any more
}

TEST_CASE("schema: members beyond the declared ones follow them, with names of their own", "[unit][grammar]") {
  auto const p = compiled(
      R"({"type":"object","properties":{"a":{"type":"integer"},"ab":{"type":"integer"}},"additionalProperties":{"type":"boolean"}})",
      {.object_members = 3});
  check(p,
        {"{}", R"({"x":true})", R"({"a":1,"x":true})", R"({"ab":1,"abc":true})", R"({"":true,"A":false,"\n":true})",
         R"({"x":true,"xx":false})"},
        {R"({"a":true})", R"({"x":1})", R"({"x":true,"a":1})", R"({"x":true,"x":true})",
         R"({"x":true,"y":true,"x":true})", R"({"1":true,"2":true,"3":true,"4":true})", R"({"ab":true})",
         R"({"\u0061":true})", R"({"\/":true})"});
  CHECK(accepts(compiled(R"({"type":"object"})"), R"({"x":{"x":[1,{"x":null}]},"y":"z"})"));
}

TEST_CASE("schema: the end of a name is never forced into a name that is taken", "[unit][grammar]") {
  auto const p = compiled(R"({"type":"object","additionalProperties":{"type":"null"}})",
                          {.string_bytes = 2, .object_members = 300});
  matcher m(p);
  REQUIRE(m.accept_bytes(R"({"aa":null,"a)"));
  CHECK_FALSE(g::is_allowed(m.allowed(), 'a'));  // two bytes are the bound, and "aa" is taken
  CHECK(g::is_allowed(m.allowed(), '"'));
  CHECK(g::is_allowed(m.allowed(), 'b'));
  REQUIRE(m.accept_bytes(R"(":null)"));
  CHECK_FALSE(g::is_allowed(m.allowed(), ','));  // a third name might find no room to be new
}

TEST_CASE("schema: an item that must be wrong is asked for in every dialect", "[unit][grammar]") {
  for (std::string const dialect :
       {"http://json-schema.org/draft-04/schema#", "https://json-schema.org/draft/2020-12/schema"}) {
    auto const p = compiled(R"({"$schema":")" + dialect + R"(","type":"array","not":{"items":{"type":"string"}}})");
    check(p, {R"([1])", R"(["a",1])"}, {R"([])", R"(["a"])"});
  }
}

TEST_CASE("schema: no comma where no name is left", "[unit][grammar]") {
  auto const p =
      compiled(R"({"type":"object","patternProperties":{"^(a|bbb)$":{"const":1}},"additionalProperties":false})");
  check(p, {R"({"bbb":1,"a":1})", R"({"a":1})"}, {R"({"a":1,"a":1})"});
  matcher m(p);
  REQUIRE(m.accept_bytes(R"({"a":1)"));
  CHECK_FALSE(g::is_allowed(m.allowed(7), ','));  // ,"bbb":1} are nine
  CHECK(g::is_allowed(m.allowed(9), ','));
  REQUIRE(m.accept_bytes(","));
  CHECK(m.shortest_completion() == 8);
  REQUIRE(m.accept_bytes(R"("bbb":1)"));
  CHECK_FALSE(m.accept_bytes(","));
}

TEST_CASE("schema: a required member that is not declared takes what other members take", "[unit][grammar]") {
  auto const p = compiled(
      R"({"type":"object","properties":{"a":{"type":"null"}},"required":["z"],"additionalProperties":{"type":"integer"}})");
  check(p, {R"({"z":1})", R"({"a":null,"z":1,"y":2})"}, {"{}", R"({"a":null})", R"({"z":null})", R"({"y":2,"z":1})"});
}

TEST_CASE("schema: arrays count their items", "[unit][grammar]") {
  check(compiled(R"({"type":"array","items":{"type":"integer"}})", {.array_items = 4}), {"[]", "[1]", "[1,2,3,4]"},
        {"[1,2,3,4,5]", "[1,]", "[,1]", "[1 ,2]", "[\"\"]"});
  check(compiled(R"({"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":3})"), {"[1,2]", "[1,2,3]"},
        {"[]", "[1]", "[1,2,3,4]"});
  check(compiled(R"({"type":"array","items":{"type":"integer"},"maxItems":0})"), {"[]"}, {"[1]"});
  check(compiled(R"({"type":"array","items":false})"), {"[]"}, {"[1]"});
  check(compiled(R"({"type":"array","items":{"type":"array","items":{"type":"null"},"minItems":1}})"),
        {"[]", "[[null]]", "[[null,null],[null]]"}, {"[[]]", "[null]"});
  check(compiled(R"({"type":"array"})"), {"[]", R"([1,"a",[{}],null])"}, {"[1,]"});
}

TEST_CASE("schema: tuples", "[unit][grammar]") {
  check(compiled(R"({"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"items":false,"minItems":2})"),
        {R"([1,"a"])"}, {"[]", "[1]", R"([1,"a",1])", R"(["a",1])"});
  check(
      compiled(
          R"({"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"items":{"type":"null"},"maxItems":3})"),
      {"[]", "[1]", R"([1,"a"])", R"([1,"a",null])"}, {"[null]", R"([1,"a",null,null])", R"([1,"a",1])"});
  check(compiled(R"({"type":"array","prefixItems":[{"type":"integer"}],"minItems":3})"), {"[1,2,{}]", "[1,2,3,4]"},
        {"[1]", "[1,2]"});
}

TEST_CASE("schema: constants and enumerations are spelled compactly", "[unit][grammar]") {
  check(compiled(R"({"enum":["a","ab",1,12,null,{"k":[1, "x"]}]})"),
        {R"("a")", R"("ab")", "1", "12", "null", R"({"k":[1,"x"]})"},
        {R"("b")", "11", R"("abc")", R"({"k":[1, "x"]})"});
  check(compiled(R"({"const":"\u00e9\n"})"), {"\"\xc3\xa9\\n\""}, {R"("\u00e9\n")"});
  check(compiled(R"({"type":"string","enum":["a",1,"b"]})"), {R"("a")", R"("b")"}, {"1"});
  check(compiled(R"({"type":"integer","enum":[1,1.5,2.0]})"), {"1", "2.0"}, {"1.5"});
}

TEST_CASE("schema: alternatives", "[unit][grammar]") {
  check(compiled(R"({"anyOf":[{"type":"integer"},{"type":"string"},{"const":null}]})"), {"1", R"("a")", "null"},
        {"true"});
  check(
      compiled(
          R"({"anyOf":[{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":false},
                              {"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"null"}},"required":["a","b"],"additionalProperties":false}]})"),
      {R"({"a":1})", R"({"a":1,"b":null})"}, {"{}", R"({"b":null})"});
}

TEST_CASE("schema: oneOf is taken where its alternatives exclude each other", "[unit][grammar]") {
  check(compiled(R"({"oneOf":[{"type":"integer"},{"type":"string"},{"enum":[true,null]}]})"),
        {"1", R"("")", "true", "null"}, {"false"});
  compiled(R"({"oneOf":[{"const":1},{"const":2},{"type":"string"}]})");
  compiled(
      R"({"$defs":{"a":{"type":"object","properties":{"t":{"const":"a"}},"required":["t"]},"b":{"type":"object","properties":{"t":{"const":"b"}},"required":["t"]}},
               "oneOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/b"}]})");
  compiled(
      R"({"oneOf":[{"type":"object","properties":{"x":{}},"required":["x"],"additionalProperties":false},{"type":"object","properties":{"y":{}},"required":["y"]}]})");
  // Where they overlap, what matches one of them must not match the others.
  check(compiled(R"({"oneOf":[{"enum":["a","b"]},{"enum":["b","c"]}]})"), {R"("a")", R"("c")"}, {R"("b")"});
  check(compiled(R"({"oneOf":[{"type":"string"},{}]})"), {"1", "[]"}, {R"("b")"});
  check(
      compiled(
          R"({"oneOf":[{"type":"object","properties":{"t":{"const":"a"}}},{"type":"object","properties":{"t":{"const":"b"}}}]})"),
      {R"({"t":"a"})", R"({"t":"b"})"}, {"{}", R"({"x":1})", R"({"t":"c"})"});
  check(compiled(R"({"oneOf":[{"type":"integer"},{"type":"number"}]})"), {"1.5"}, {"1", "1.0"});
}

TEST_CASE("schema: references recurse within the depth", "[unit][grammar]") {
  char const* const tree =
      R"({"$defs":{"tree":{"type":"object","properties":{"left":{"$ref":"#/$defs/tree"},"right":{"$ref":"#/$defs/tree"}},"additionalProperties":false}},"$ref":"#/$defs/tree"})";
  check(compiled(tree, {.depth = 2}), {"{}", R"({"left":{"left":{}},"right":{}})"},
        {R"({"left":{"left":{"left":{}}}})"});
  check(compiled(R"({"type":"object","properties":{"next":{"$ref":"#"}},"additionalProperties":false})"),
        {"{}", R"({"next":{"next":{}}})"}, {R"({"next":1})"});
  check(
      compiled(
          R"({"definitions":{"a/b~c d":{"type":"integer"}},"type":"array","items":{"$ref":"#/definitions/a~1b~0c%20d"}})"),
      {"[1,2]"}, {"[null]"});
  CHECK_FALSE(matcher(compiled("true", {.depth = 2})).accept_bytes("[[[["));
  CHECK(matcher(compiled("true", {.depth = 2})).accept_bytes("[[["));
}

TEST_CASE("schema: annotations change nothing", "[unit][grammar]") {
  check(
      compiled(
          R"({"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"x","title":"t","description":"d","default":1,"examples":[2],"$comment":"c","type":"null"})"),
      {"null"}, {"1"});
}

TEST_CASE("schema: what cannot be compiled is refused by keyword and place", "[unit][grammar]") {
  check_refused(R"({"type":"string","pattern":"(?<=a)b"})", "pattern", "");
  check_refused(R"({"type":"object","properties":{"a/b":{"type":"array","items":{"type":"string","format":"regex"}}}})",
                "format", "/properties/a~1b/items");
  check_refused(R"({"type":"object","additionalProperties":{"multipleOf":0}})", "multipleOf", "/additionalProperties");
  check_refused(R"({"type":"array","items":{"type":"array","uniqueItems":true}})", "uniqueItems", "/items");
  check_refused(R"({"not":{"type":"object","patternProperties":{"a":{"type":"null"}}}})", "patternProperties", "/not");
  check_refused(R"({"$ref":"http://example.com/schema"})", "$ref", "");
  check_refused(R"({"$ref":"#/$defs/missing"})", "$ref", "");
  check_refused(R"({"type":"strng"})", "type", "");
  check_refused(R"({"minLength":"3"})", "minLength", "");
  check_refused(R"({"properties":{"a":{"required":true}}})", "required", "/properties/a");
}

TEST_CASE("schema: contradictions are refused, not answered", "[unit][grammar]") {
  check_refused("false", "false", "");
  check_refused(R"({"enum":[]})", "enum", "");
  check_refused(R"({"type":"string","const":1})", "const", "");
  check_refused(R"({"allOf":[{"type":"string"},{"type":"null"}]})", "type", "/allOf/1");
  check_refused(R"({"type":"string","pattern":"^a","not":{"pattern":"^[ab]"}})", "pattern", "");
  check_refused(R"({"type":"integer","minimum":3,"maximum":2})", "minimum", "");
  check_refused(R"({"type":"string","minLength":3,"maxLength":2})", "minLength", "");
  check_refused(R"({"type":"string","minLength":5000})", "minLength", "");
  check_refused(R"({"type":"array","minItems":300})", "minItems", "");
  check_refused(R"({"type":"array","prefixItems":[{}],"items":false,"minItems":2})", "minItems", "");
  check_refused(R"({"type":"object","required":["a"],"additionalProperties":false})", "required", "");
  check_refused(R"({"type":"object","properties":{"a":false},"required":["a"]})", "false", "/properties/a");
  check_refused(R"({"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/a"},{"type":"null"}]}},"$ref":"#/$defs/a"})", "$ref",
                "/$defs/a/anyOf/0");
  check_refused(R"({"$ref":"#"})", "$ref", "");
}

TEST_CASE("schema: text that is no JSON, or nested too deep to end, is refused", "[unit][grammar]") {
  static test_vocabulary const v;
  auto const broken = g::compile(schema("{"), v.tokens);
  REQUIRE_FALSE(broken.has_value());
  CHECK(broken.error().is(errc::parse_error));
  auto const endless =
      g::compile(schema(R"({"type":"object","properties":{"next":{"$ref":"#"}},"required":["next"]})"), v.tokens);
  REQUIRE_FALSE(endless.has_value());
  CHECK(endless.error().is(errc::schema_unsupported));
}

TEST_CASE("schema: integer ranges are exact", "[unit][grammar]") {
  auto const range = [](std::int64_t first, std::int64_t last) {
    return compiled(R"({"type":"integer","minimum":)" + std::to_string(first) + R"(,"maximum":)" +
                    std::to_string(last) + "}");
  };
  auto const check_around = [&](std::int64_t first, std::int64_t last) {
    auto const p = range(first, last);
    INFO(first << " .. " << last);
    for (std::int64_t const edge : {first, last}) {
      for (std::int64_t offset = -12; offset <= 12; ++offset) {
        std::int64_t number = 0;
        if (__builtin_add_overflow(edge, offset, &number)) continue;
        CHECK(accepts(p, std::to_string(number)) == (first <= number && number <= last));
      }
    }
  };
  check_around(0, 0);
  check_around(-1, 1);
  check_around(99, 101);
  check_around(-105, -98);
  check_around(INT64_MIN, INT64_MAX);
  check_around(INT64_MIN, INT64_MIN);
  check_around(INT64_MAX - 3, INT64_MAX);
  for (std::uint32_t round = 0; round < 200; ++round) {
    auto const draw = [round](std::uint32_t lane) {
      auto const bits = random_bits({.run = 3, .position = round}, lane);
      return static_cast<std::int64_t>(bits) >> (random_bits({.run = 4, .position = round}, lane) % 63);
    };
    auto const [first, last] = std::minmax({draw(0), draw(1)});
    check_around(first, last);
    auto const p = range(first, last);
    for (std::uint32_t lane = 2; lane < 8; ++lane)
      CHECK(accepts(p, std::to_string(draw(lane))) == (first <= draw(lane) && draw(lane) <= last));
  }
}

TEST_CASE("schema: exclusive, fractional and unsigned limits of integers", "[unit][grammar]") {
  check(compiled(R"({"type":"integer","exclusiveMinimum":-1,"exclusiveMaximum":10})"), {"0", "9"}, {"-1", "10"});
  check(compiled(R"({"type":"integer","minimum":0.5,"maximum":2.5})"), {"1", "2"}, {"0", "3"});
  check(compiled(R"({"type":"integer","exclusiveMinimum":0.5,"exclusiveMaximum":2.5})"), {"1", "2"}, {"0", "3"});
  check(compiled(R"({"type":"integer","exclusiveMinimum":-100,"maximum":-99})"), {"-99"}, {"-100", "-98"});
  check(compiled(R"({"type":"integer","minimum":0,"maximum":18446744073709551615})"), {"0", "18446744073709551615"},
        {"18446744073709551616", "-1"});
  check(compiled(R"({"type":"integer","minimum":5,"exclusiveMinimum":7})"), {"8"}, {"7", "5"});
}

TEST_CASE("schema: ranges of numbers are exact, without exponents", "[unit][grammar]") {
  check(compiled(R"({"type":"number","minimum":0,"maximum":1})"), {"0", "1", "0.5", "0.0", "1.000", "0.99999"},
        {"1.0001", "-0.1", "2", "1e0", "10", "0.", ".5", "-1"});
  check(compiled(R"({"type":"number","minimum":-1.25,"maximum":3.5})"),
        {"-1.25", "-1.250", "-1.2499", "-0.5", "-1", "0", "3", "3.5", "3.49", "3.500"},
        {"-1.26", "-1.251", "-2", "3.51", "3.5001", "4", "35"});
  check(compiled(R"({"type":"number","minimum":99.5,"maximum":1000})"), {"99.5", "99.51", "100", "999.999", "1000.0"},
        {"99", "99.4", "99.49", "1000.1", "1001", "9.95", "9"});
  check(compiled(R"({"type":"number","minimum":-3,"maximum":-2.5})"), {"-3", "-2.5", "-2.75"},
        {"-2.4", "-3.1", "2.75", "0", "-2"});
  check(compiled(R"({"type":"number","minimum":1e-3})"), {"0.001", "1", "123456789.5"}, {"0.0009", "0", "-1"});
  check(compiled(R"({"type":"number","minimum":1e22})"), {"10000000000000000000000", "10000000000000000000000.5"},
        {"9999999999999999999999"});
  check(compiled(R"({"type":"number","maximum":-1.5e-7})"), {"-0.00000015", "-1"}, {"-0.00000014", "0"});
  check_refused(R"({"type":"number","minimum":2,"maximum":1})", "minimum", "");
}

TEST_CASE("schema: a drawn number is accepted when it lies in the drawn range", "[unit][grammar]") {
  for (std::uint32_t round = 0; round < 300; ++round) {
    auto const draw = [round](std::uint32_t lane) {  // hundredths, so that comparing them is exact
      auto const bits = random_bits({.run = 11, .position = round}, lane);
      return static_cast<std::int64_t>(bits) >> (48 + random_bits({.run = 12, .position = round}, lane) % 14);
    };
    auto const text = [](std::int64_t hundredths) {
      std::string digits = std::to_string(std::abs(hundredths));
      if (digits.size() < 3) digits.insert(0, 3 - digits.size(), '0');
      return (hundredths < 0 ? "-" : "") + digits.insert(digits.size() - 2, ".");
    };
    auto const [first, last] = std::minmax({draw(0), draw(1)});
    INFO(text(first) << " .. " << text(last));
    auto const p = compiled(R"({"type":"number","minimum":)" + text(first) + R"(,"maximum":)" + text(last) + "}");
    for (std::int64_t const near : {first, last, draw(2), draw(3), draw(4), std::int64_t{0}}) {
      for (std::int64_t offset = -2; offset <= 2; ++offset) {
        INFO(text(near + offset));
        CHECK(accepts(p, text(near + offset)) == (first <= near + offset && near + offset <= last));
      }
    }
  }
}

TEST_CASE("schema: numbers that are no integers, and no multiples", "[unit][grammar]") {
  check(compiled(R"({"not":{"type":"integer"}})"),
        {"1.5", "-0.25", "10.01", "0.00001", R"("1")", "null", "[1]", "{}", "true"},
        {"1", "1.0", "-0.0", "0", "12.00", "1e3"});
  check(compiled(R"({"type":"number","not":{"multipleOf":2.5},"minimum":-10,"maximum":10})"),
        {"1", "2.4", "2.501", "-9.99", "9.0"}, {"0", "10.0", "2.5", "2.50", "5", "-7.5", "10", "11", "1e0"});
  check(compiled(R"({"type":"integer","not":{"multipleOf":3}})"), {"1", "-2", "100"}, {"0", "3", "-99", "1.0"});
  check(compiled(R"({"type":["number","null"],"not":{"type":["integer","string"]}})"), {"null", "0.5"}, {"1", "\"a\""});
  check(compiled(R"({"type":"number","allOf":[{"not":{"multipleOf":3}},{"not":{"type":"integer"}}]})"), {"0.5", "3.5"},
        {"1", "3"});
  check_refused(R"({"type":"number","multipleOf":2,"not":{"multipleOf":3}})", "multipleOf", "");
  check_refused(R"({"type":"number","multipleOf":6,"not":{"multipleOf":3}})", "multipleOf", "");
}
