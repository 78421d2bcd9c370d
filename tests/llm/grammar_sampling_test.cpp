// Walks through grammars with arbitrary choices: whatever is drawn from the masks must end complete, within the budget,
// and valid by the standards of a validator that knows nothing of automata.

#include "grammar_support.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace grammar_test;
namespace g = wherry::grammar;

namespace {

struct schema_case {
  char const* name;
  char const* text;
};

constexpr schema_case schemas[] = {
    {"flat object",
     R"({"type":"object","properties":{"name":{"type":"string","minLength":2,"maxLength":5},"id":{"type":"integer","minimum":-20,"maximum":345},
       "ok":{"type":"boolean"},"x":{"type":"number"},"y":{"type":"number","minimum":-0.5,"maximum":12.25},"kind":{"enum":["a","ab","abc",1,12,null,{"a":[1]}]}},"required":["name","kind"],"additionalProperties":false})"},
    {"arrays",
     R"({"type":"array","items":{"type":"array","items":{"type":["integer","null"]},"minItems":1,"maxItems":3},"minItems":2,"maxItems":5})"},
    {"tuple",
     R"({"type":"array","prefixItems":[{"const":"a"},{"type":"string"},{"type":"boolean"}],"items":{"type":"integer"},"minItems":1,"maxItems":6})"},
    {"optional members",
     R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"},"name":{"type":"string"}},"additionalProperties":false})"},
    {"map",
     R"({"type":"object","properties":{"a":{"type":"integer"},"aa":{"const":1}},"required":["aa"],"additionalProperties":{"type":"boolean"}})"},
    {"list by reference",
     R"({"$defs":{"node":{"type":"object","properties":{"id":{"type":"integer"},"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},
       "required":["id","next"],"additionalProperties":false}},"$ref":"#/$defs/node"})"},
    {"variant",
     R"({"oneOf":[{"type":"object","properties":{"kind":{"const":"a"},"name":{"type":"string"}},"required":["kind","name"],"additionalProperties":false},
       {"type":"object","properties":{"kind":{"const":"ab"},"id":{"type":"integer","exclusiveMinimum":5}},"required":["kind","id"],"additionalProperties":false},{"type":"null"}]})"},
    {"anything", R"({})"},
    {"undeclared required", R"({"type":"object","required":["z"],"properties":{"a":{"type":"string","maxLength":1}}})"},
};

// Narrow bounds are reached all the time; with wide ones text is answered from summaries.
constexpr g::bounds narrow{.string_bytes = 24, .array_items = 6, .object_members = 3, .depth = 4, .number_digits = 4};
constexpr g::bounds wide{};

class draws {
 public:
  explicit draws(std::uint64_t seed) : key_{.run = seed} {}
  std::size_t below(std::size_t n) {
    ++key_.position;
    return static_cast<std::size_t>(random_bits(key_) % n);
  }

 private:
  draw_key key_;
};

std::vector<token_id> ids(std::span<std::uint64_t const> mask, token_id size) {
  std::vector<token_id> allowed;
  for (token_id id = 0; id < size; ++id) {
    if (g::is_allowed(mask, id)) allowed.push_back(id);
  }
  return allowed;
}

// Generates within the budget; the text, or nothing when it got stuck or ran over.
std::optional<std::string> sample(program const& p, test_vocabulary const& v, std::size_t budget, draws& random) {
  matcher m(p);
  std::string text;
  for (std::size_t left = budget;; --left) {
    auto const allowed = ids(m.allowed(left), v.size());
    if (allowed.empty()) return std::nullopt;
    token_id const id = allowed[random.below(allowed.size())];
    if (!m.accept(id)) return std::nullopt;
    if (id == v.end) return text;
    if (left == 0) return std::nullopt;
    text += v.bytes[static_cast<std::size_t>(id)];
  }
}

void check_samples(test_vocabulary const& v, g::bounds const& limits, std::size_t rounds) {
  for (auto const& [name, text] : schemas) {
    INFO("schema: " << name);
    auto const p = g::compile(schema(text, limits), v.tokens);
    REQUIRE(p.has_value());
    validator const is_valid(parse_json(text).value());
    for (std::size_t round = 0; round < rounds; ++round) {
      draws random(round);
      std::size_t const extra[] = {0, 1, 2, 5, 20, 60, 300};
      std::size_t const budget = p->shortest_answer() + extra[round % std::size(extra)];
      INFO("round " << round << ", budget " << budget);
      auto const answer = sample(*p, v, budget, random);
      REQUIRE(answer.has_value());
      INFO(*answer);
      auto const value = parse_json(*answer);
      REQUIRE(value.has_value());
      REQUIRE(is_valid(*value));
    }
  }
}

}  // namespace

TEST_CASE("any choice from the masks of a byte vocabulary ends valid and within the budget", "[unit][grammar]") {
  for (auto const& limits : {narrow, wide}) check_samples(test_vocabulary{}, limits, 70);
}

TEST_CASE("any choice from the masks of tokens across syntax borders ends valid and within the budget",
          "[unit][grammar]") {
  for (auto const& limits : {narrow, wide}) check_samples(test_vocabulary{crossing_tokens()}, limits, 140);
}

TEST_CASE("any choice from the masks of a vocabulary that lacks bytes ends valid and within the budget",
          "[unit][grammar]") {
  test_vocabulary const v(crossing_tokens(), "xyqQ@\xa0\x80\xbf\x8f");
  for (auto const& limits : {narrow, wide}) check_samples(v, limits, 140);
}

namespace {

// At every step of some walks, the mask against a fork for each token. A budget counts tokens of completions.
void check_masks(program const& p, test_vocabulary const& v, bool within_budget, std::size_t round) {
  draws random(round + 1'000);
  matcher m(p);
  for (std::size_t left = p.shortest_answer() + 10 + round * 3; !m.is_finished(); --left) {
    auto const mask = m.allowed(within_budget ? left : g::no_budget);
    std::vector<std::uint64_t> const kept(mask.begin(), mask.end());
    for (token_id id = 0; id < v.size(); ++id) {
      matcher fork = m;
      bool expected = fork.accept(id);
      if (within_budget && id != v.end) expected = expected && left > 0 && fork.shortest_completion() <= left - 1;
      INFO("token " << id << " '" << v.bytes[static_cast<std::size_t>(id)] << "', left " << left);
      REQUIRE(g::is_allowed(kept, id) == expected);
    }
    auto const allowed = ids(m.allowed(left), v.size());
    REQUIRE_FALSE(allowed.empty());
    REQUIRE(m.accept(allowed[random.below(allowed.size())]));
  }
}

}  // namespace

TEST_CASE("a mask allows exactly the tokens that a fork of the matcher accepts and can complete", "[unit][grammar]") {
  test_vocabulary const v(crossing_tokens());
  for (auto const& limits : {narrow, wide}) {
    for (auto const& [name, text] : schemas) {
      INFO("schema: " << name);
      auto const p = g::compile(schema(text, limits), v.tokens).value();
      for (std::size_t round = 0; round < 12; ++round) check_masks(p, v, round % 2 == 0, round);
    }
  }
}

TEST_CASE("masks of expressions other than schemas are exact too", "[unit][grammar]") {
  test_vocabulary const v(crossing_tokens());
  auto const thought = g::free_text({.bytes_max = 60, .without = {"\",\"", "ab"}});
  auto const nested = g::define(
      {{"list",
        g::sequence({g::literal("["), g::optional(g::choice({g::rule("list"), g::literal("12")})), g::literal("]")})}},
      g::rule("list"), 5);
  g::expr const expressions[] = {
      g::sequence({thought, g::literal("\"}"), g::token(v.control), nested}),
      g::repeat(g::choice({g::literal("a"), g::literal("aa"), g::literal("ab"), g::token(v.control)}), 3, 9),
      g::choice({g::sequence({thought, g::literal("]")}), g::sequence({nested, g::literal("a\",")})}),
  };
  for (auto const& e : expressions) {
    auto const p = g::compile(e, v.tokens).value();
    for (std::size_t round = 0; round < 20; ++round) check_masks(p, v, round % 2 == 0, round);
  }
}

TEST_CASE("every way to cut a valid text into tokens is allowed", "[unit][grammar]") {
  test_vocabulary const v(crossing_tokens());
  std::string const text = R"({"name":"abc","id":12,"ok":true,"x":-1.5e+30,"kind":"ab"})";
  auto const p = g::compile(schema(schemas[0].text), v.tokens).value();
  std::vector<std::optional<matcher>> at(text.size() + 1);  // by how much of the text was said; one way stands for all
  at[0].emplace(p);
  std::size_t cuts = 0;
  for (std::size_t from = 0; from < text.size(); ++from) {
    REQUIRE(at[from].has_value());
    auto const mask = at[from]->allowed();
    std::vector<std::uint64_t> const kept(mask.begin(), mask.end());
    for (token_id id = 0; id < v.end; ++id) {
      std::string const& bytes = v.bytes[static_cast<std::size_t>(id)];
      if (text.compare(from, bytes.size(), bytes) != 0) continue;
      INFO("after " << from << " bytes, '" << bytes << "'");
      CHECK(g::is_allowed(kept, id));
      matcher next = *at[from];
      REQUIRE(next.accept(id));
      at[from + bytes.size()] = std::move(next);
      ++cuts;
    }
  }
  CHECK(cuts > text.size());
  CHECK(at.back()->is_complete());
}
