// uniqueItems: lists in which nothing stands twice, and out of which there is always a way.
#include "grammar_support.hpp"

#include <wherry/llm/json_validator.hpp>

#include <catch2/catch_test_macros.hpp>

#include <functional>
#include <set>

using namespace grammar_test;
namespace g = wherry::grammar;

namespace {

std::vector<std::string> list_tokens() {
  auto tokens = crossing_tokens();
  for (char const* more : {"[\"", "[\"a", "\"]", "a\"]", "a\",\"b", "\",\"a\"", "b\",", "a\",\"a\"", "true,false",
                           "[1,", "1,2", ",2]", "0,1,2", "[true", "false]", "\",\"ab\"]", "bb\"", "[\"a\",\"b\"]"})
    tokens.emplace_back(more);
  return tokens;
}

test_vocabulary const& words() {
  static test_vocabulary const v(list_tokens());
  return v;
}

program compiled(std::string text, g::bounds const& limits = {}) {
  auto p = g::compile(schema(std::move(text), limits), words().tokens);
  if (!p) FAIL(p.error().message);
  return *p;
}

// All lists of min to max different values, as text.
std::set<std::string> all_lists(std::vector<std::string> const& values, std::size_t min, std::size_t max) {
  std::set<std::string> out;
  std::function<void(std::vector<std::string> const&)> const add = [&](std::vector<std::string> const& list) {
    std::string text = "[";
    for (auto const& value : list) text += (text.size() > 1 ? "," : "") + value;
    if (list.size() >= min) out.insert(text + "]");
    if (list.size() == max) return;
    for (auto const& value : values) {
      if (std::find(list.begin(), list.end(), value) != list.end()) continue;
      auto longer = list;
      longer.push_back(value);
      add(longer);
    }
  };
  add({});
  return out;
}

bool some_begins(std::set<std::string> const& texts, std::string const& begin) {
  auto const at = texts.lower_bound(begin);
  return at != texts.end() && at->starts_with(begin);
}

// Along random lists every mask is exactly what the enumeration says.
void check_masks(std::string const& text, std::vector<std::string> const& values, std::size_t min, std::size_t max) {
  INFO(text);
  auto const lists = all_lists(values, min, max);
  auto const p = compiled(text);
  for (auto const& list : lists) {
    INFO(list);
    CHECK(accepts(p, list));
  }
  std::size_t places = 0;
  for (std::uint64_t run = 0; run < 24; ++run) {
    matcher m(p);
    draw_key key{.run = run};
    for (std::string said; !m.is_finished() && places < 400; ++places) {
      auto const mask = m.allowed();
      std::vector<token_id> allowed;
      for (token_id id = 0; id < words().size(); ++id) {
        bool const is_end = id == words().end;
        bool const right =
            is_end ? lists.contains(said)
                   : id != words().control && some_begins(lists, said + words().bytes[static_cast<std::size_t>(id)]);
        if (g::is_allowed(mask, id) != right) {
          INFO(said << " >>> " << words().bytes[static_cast<std::size_t>(id)]);
          CHECK(g::is_allowed(mask, id) == right);
          return;
        }
        if (right) allowed.push_back(id);
      }
      REQUIRE_FALSE(allowed.empty());
      ++key.position;
      auto const id = allowed[random_bits(key) % allowed.size()];
      REQUIRE(m.accept(id));
      if (id != words().end) said += words().bytes[static_cast<std::size_t>(id)];
    }
  }
}

// With budgets that leave little room any choice ends in a valid list.
void check_walks(std::string const& text) {
  INFO(text);
  auto const valid = json_validator::make(raw_json{text}).value();
  auto const p = compiled(text, {.string_bytes = 24, .array_items = 12});
  for (std::uint64_t run = 0; run < 60; ++run) {
    draw_key key{.run = run};
    matcher m(p);
    std::string said;
    for (std::size_t budget = p.shortest_answer() + run % 20; !m.is_finished(); --budget, ++key.position) {
      auto const mask = m.allowed(budget);
      std::vector<token_id> allowed;
      for (token_id id = 0; id < words().size(); ++id)
        if (g::is_allowed(mask, id)) allowed.push_back(id);
      INFO(said << " with " << budget << " tokens left");
      REQUIRE_FALSE(allowed.empty());
      // The comma and the quote more often, or few lists would be long.
      auto id = allowed[random_bits(key) % allowed.size()];
      for (char const c : {',', '"'})
        if (g::is_allowed(mask, static_cast<token_id>(c)) && random_bits(key, 1) % 3 == 0)
          id = static_cast<token_id>(c);
      REQUIRE(m.accept(id));
      if (id != words().end) said += words().bytes[static_cast<std::size_t>(id)];
    }
    INFO(said);
    CHECK(valid.check(said).has_value());
  }
}

}  // namespace

TEST_CASE("unique: texts of which none may stand twice", "[unit][grammar]") {
  check(compiled(R"({"type":"array","items":{"type":"string"},"uniqueItems":true,"minItems":1})"),
        {R"(["a"])", R"(["a","b",""])", R"(["a","A","aa"])", R"(["\"","\\"])"},
        {"[]", R"(["a","a"])", R"(["a","b","a"])", R"(["","x",""])", R"(["a",])", R"(["a":"b"])", R"(["\u0061"])"});
  check(compiled(R"({"items":{"type":"string","pattern":"^[ab]+$"},"type":"array","uniqueItems":true,"maxItems":2})"),
        {"[]", R"(["a","ab"])"}, {R"(["a","a"])", R"(["a","b","ab"])", R"(["c"])"});
  check(
      compiled(
          R"({"type":"array","uniqueItems":true,"items":{"anyOf":[{"enum":["x","y"]},{"type":"string","minLength":3}]}})"),
      {R"(["x","y","xyz"])"}, {R"(["x","x"])", R"(["z"])", R"(["xyz","xyz"])"});
}

TEST_CASE("unique: a few values of any kind", "[unit][grammar]") {
  check(compiled(R"({"type":"array","items":{"enum":["a",1,null,[1],{"k":2}]},"uniqueItems":true})"),
        {"[]", R"(["a",1,null,[1],{"k":2}])", R"([{"k":2},[1]])"}, {"[1,1]", "[[1],[1]]", R"([{"k":2},{"k":2}])"});
  check(compiled(R"({"type":"array","items":{"type":"boolean"},"uniqueItems":true,"minItems":2})"),
        {"[true,false]", "[false,true]"}, {"[true]", "[true,true]", "[true,false,true]"});
  check(compiled(R"({"type":"array","items":{"type":"integer","minimum":9,"maximum":12},"uniqueItems":true})"),
        {"[9,12,10]"}, {"[9,9]", "[13]", "[1]"});
  check(compiled(R"({"type":"array","items":{"type":["null","integer"],"enum":[1,1.0,null,"x"]},"uniqueItems":true})"),
        {"[1,null]"}, {"[1,1.0]", R"(["x"])"});
  check(
      compiled(
          R"({"type":"array","prefixItems":[{"type":"string"},{"type":"integer"}],"items":false,"uniqueItems":true})"),
      {R"(["a",1])", R"(["a"])"}, {R"(["a","a"])"});
}

TEST_CASE("unique: masks are exactly what may follow", "[unit][grammar]") {
  check_masks(R"({"type":"array","items":{"type":"string","pattern":"^[ab]{1,2}$"},"uniqueItems":true,"maxItems":3})",
              {R"("a")", R"("b")", R"("aa")", R"("ab")", R"("ba")", R"("bb")"}, 0, 3);
  check_masks(R"({"type":"array","items":{"type":"string","pattern":"^(a|ab|b)$"},"uniqueItems":true,"minItems":2})",
              {R"("a")", R"("b")", R"("ab")"}, 2, 3);
  check_masks(R"({"type":"array","items":{"type":"string","pattern":"^a$"},"uniqueItems":true})", {R"("a")"}, 0, 1);
  check_masks(R"({"type":"array","items":{"type":"boolean"},"uniqueItems":true})", {"true", "false"}, 0, 2);
  check_masks(R"({"type":"array","items":{"enum":[1,12,2,"ab","b"]},"uniqueItems":true,"minItems":1,"maxItems":3})",
              {"1", "12", "2", R"("ab")", R"("b")"}, 1, 3);
}

TEST_CASE("unique: any choice within any budget ends in a valid list", "[unit][grammar]") {
  check_walks(R"({"type":"array","items":{"type":"string"},"uniqueItems":true,"minItems":3})");
  check_walks(R"({"type":"array","items":{"type":"string","maxLength":1},"uniqueItems":true,"minItems":5})");
  check_walks(R"({"type":"array","items":{"type":"string","pattern":"^[ab]{1,2}$"},"uniqueItems":true,"minItems":5})");
  check_walks(
      R"({"type":"array","items":{"type":"string","pattern":"^(b|abcabcabc|a{7})$"},"uniqueItems":true,"minItems":2})");
  check_walks(R"({"type":"array","items":{"type":"string","format":"date"},"uniqueItems":true,"minItems":2})");
  check_walks(R"({"type":"array","items":{"enum":["a",10,null,true,"ab","abc"]},"uniqueItems":true,"minItems":4})");
  check_walks(R"({"type":"object","properties":{"tags":{"type":"array","items":{"type":"string"},"uniqueItems":true,
                  "maxItems":4},"days":{"type":"array","items":{"type":"integer","minimum":0,"maximum":6},
                  "uniqueItems":true,"minItems":3}},"required":["tags","days"],"additionalProperties":false})");
  std::string many = R"({"type":"array","uniqueItems":true,"minItems":3,"items":{"enum":[)";
  for (int i = 0; i < 40; ++i) many += (i ? ",\"" : "\"") + std::to_string(i * 7) + "\"";
  check_walks(many + "]}}");
}

TEST_CASE("unique: what cannot be told apart is refused, and what has no value too", "[unit][grammar]") {
  auto const refused = [](std::string text) {
    auto const p = g::compile(schema(std::move(text)), words().tokens);
    REQUIRE_FALSE(p.has_value());
    CHECK(p.error().is(errc::schema_unsupported));
    INFO(p.error().message);
    CHECK(p.error().message.find("\"uniqueItems\"") != std::string::npos);
  };
  refused(R"({"type":"array","uniqueItems":true})");
  refused(R"({"type":"array","items":{"type":"object"},"uniqueItems":true})");
  refused(R"({"type":"array","items":{"type":"integer"},"uniqueItems":true})");
  refused(R"({"type":"array","items":{"type":["string","null"]},"uniqueItems":true})");
  refused(R"({"type":"array","prefixItems":[{"type":"string"},{"type":"string"}],"uniqueItems":true})");
  refused(R"({"type":"array","items":{"type":"string"},"contains":{"const":"a"},"uniqueItems":true})");
  refused(R"({"type":"array","items":{"type":"boolean"},"uniqueItems":true,"minItems":3})");
  check(compiled(R"({"type":"array","items":{"type":"object"},"uniqueItems":true,"maxItems":1})"), {"[]", "[{}]"}, {});
}
