// Schemas of the real world as constraints: whatever the masks leave open ends valid, and no token that spells what may
// come is missing. The judge is the validator, which shares no automaton with the grammar.

#include "../support/shared_data.hpp"
#include "grammar_support.hpp"

#include <wherry/llm/json_validator.hpp>

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>

using namespace grammar_test;
namespace g = wherry::grammar;

namespace {

std::vector<std::string> lines_of(std::string const& command, std::size_t most) {
  std::vector<std::string> lines;
  std::unique_ptr<FILE, int (*)(FILE*)> in(popen(command.c_str(), "r"), pclose);
  REQUIRE(in);
  std::string line;
  for (int c; lines.size() < most && (c = std::fgetc(in.get())) != EOF;) {
    if (c != '\n') {
      line += static_cast<char>(c);
    } else {
      lines.push_back(std::move(line));
      line.clear();
    }
  }
  return lines;
}

struct draws {
  draw_key key;
  std::size_t below(std::size_t n) {
    ++key.position;
    return static_cast<std::size_t>(random_bits(key) % n);
  }
};

std::optional<std::string> sample(g::program const& p, test_vocabulary const& v, std::size_t budget, draws& random) {
  matcher m(p);
  std::string text;
  std::vector<token_id> allowed;
  for (std::size_t left = budget;; --left) {
    auto const mask = m.allowed(left);
    allowed.clear();
    for (token_id id = 0; id < v.size(); ++id)
      if (g::is_allowed(mask, id)) allowed.push_back(id);
    if (allowed.empty()) return std::nullopt;
    // Ends are taken whenever possible now and then, or open objects would fill every budget.
    token_id id = allowed[random.below(allowed.size())];
    if (g::is_allowed(mask, v.end) && random.below(2) == 0) id = v.end;
    if (!m.accept(id)) return std::nullopt;
    if (id == v.end) return text;
    if (left == 0) return std::nullopt;
    text += v.bytes[static_cast<std::size_t>(id)];
  }
}

// At each byte of an answer every token that spells what comes next must be allowed.
std::string missing_token(g::program const& p, test_vocabulary const& v, std::string const& text) {
  matcher m(p);
  for (std::size_t at = 0; at < text.size(); ++at) {
    auto const mask = m.allowed();
    std::string_view const rest = std::string_view(text).substr(at);
    for (token_id id = 0; id < v.end; ++id) {
      auto const& bytes = v.bytes[static_cast<std::size_t>(id)];
      if (!bytes.empty() && rest.starts_with(bytes) && !g::is_allowed(mask, id))
        return text.substr(0, at) + " >>> " + bytes;
    }
    if (!m.accept_bytes(rest.substr(0, 1))) return text.substr(0, at) + " is not accepted";
  }
  return {};
}

struct counts {
  std::size_t schemas = 0, refused = 0, answers = 0;
};

void check(json const& schema_json, test_vocabulary const& v, std::size_t rounds, std::size_t budget_more, counts& n) {
  std::string const text = to_text(schema_json);
  INFO(text.substr(0, 2'000));
  ++n.schemas;
  auto const p = g::compile(schema(text), v.tokens);
  if (!p) {
    ++n.refused;
    CHECK(!p.error().message.empty());
    return;
  }
  auto const judge = json_validator::make({text});
  REQUIRE(judge);
  for (std::size_t round = 0; round < rounds; ++round) {
    draws random{{.run = n.schemas * 1'000 + round}};
    auto const answer = sample(*p, v, p->shortest_answer() + budget_more * round, random);
    REQUIRE(answer);
    INFO(*answer);
    auto const found = judge->validate(*answer);
    REQUIRE(found);
    std::string first = found->empty() ? "" : to_string(found->front());
    CHECK(first == "");
    CHECK(missing_token(*p, v, *answer) == "");
    ++n.answers;
  }
}

counts check_maskbench(std::size_t of_each, std::size_t bytes_max, std::size_t rounds) {
  auto const folder = wherry_test::shared("data/maskbench");
  test_vocabulary const v(crossing_tokens());
  counts n;
  for (char const* split : {"Github_easy", "Github_medium", "Github_hard", "Kubernetes", "Snowplow", "JsonSchemaStore",
                            "Handwritten", "Synthesized", "Glaiveai2K", "WashingtonPost"}) {
    auto const file = folder / (std::string(split) + ".jsonl.gz");
    for (auto const& line : lines_of("gzip -dc '" + file.string() + "' 2>/dev/null", of_each)) {
      auto const entry = parse_json(line, repeated_keys::keep_last);
      if (!entry || to_text((*entry)["schema"]).size() > bytes_max) continue;
      check((*entry)["schema"], v, rounds, 40, n);
    }
  }
  return n;
}

}  // namespace

TEST_CASE("real schemas: any choice ends valid, and no token that spells it is missing", "[grammar]") {
  auto const n = check_maskbench(12, 3'000, 2);
  CHECK(n.answers > 100);
}

TEST_CASE("2,000 real schemas: any choice ends valid, and no token that spells it is missing", "[.][slow][grammar]") {
  auto const n = check_maskbench(260, 12'000, 5);
  std::printf("%zu schemas, %zu refused, %zu answers\n", n.schemas, n.refused, n.answers);
  CHECK(n.answers > 5'000);
}

TEST_CASE("real functions: sampled arguments parse and validate", "[grammar]") {
  auto const folder = wherry_test::shared("data/bfcl");
  test_vocabulary const v(crossing_tokens());
  counts n;
  std::function<void(json&)> const as_schema = [&](json& s) {
    if (s.is_object()) {
      auto const type = s.find("type");
      if (type != s.end() && type->is_string()) {
        if (*type == json("dict")) *type = "object";
        if (*type == json("float")) *type = "number";
        if (*type == json("tuple")) *type = "array";
        if (*type == json("any")) s.erase("type");
      }
    }
    if (s.is_structured())
      for (auto& part : s) as_schema(part);
  };
  for (char const* name : {"simple_python", "multiple"}) {
    for (auto const& line :
         lines_of("cat '" + (folder / ("BFCL_v4_" + std::string(name) + ".json")).string() + "'", 400)) {
      auto entry = parse_json(line);
      if (!entry || !entry->contains("function")) continue;
      for (auto& function : (*entry)["function"]) {
        as_schema(function["parameters"]);
        check(function["parameters"], v, 1, 452, n);
      }
    }
  }
  CHECK(n.refused == 0);
  CHECK(n.answers >= 600);
}
