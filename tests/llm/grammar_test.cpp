#include "grammar_support.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace grammar_test;
namespace g = wherry::grammar;

namespace {

program compiled(g::expr const& e) {
  static test_vocabulary const bytes;
  return g::compile(e, bytes.tokens).value();
}

}  // namespace

TEST_CASE("smoke", "[unit][grammar]") {
  auto p = compiled(schema(R"({"type":"object","properties":{"name":{"type":"string"},"n":{"type":"integer","minimum":0,"maximum":17},"tags":{"type":"array","items":{"type":"string"}}},"required":["name"],"additionalProperties":false})"));
  CHECK(accepts(p, R"({"name":"x"})"));
  CHECK(accepts(p, R"({"name":"","n":17,"tags":["a","b"]})"));
  CHECK_FALSE(accepts(p, R"({"name":"","n":18})"));
  CHECK_FALSE(accepts(p, R"({"n":1})"));
  CHECK_FALSE(accepts(p, R"({"name":"",})"));
  CHECK(p.shortest_answer() == 11);
  auto q = compiled(schema("{}"));
  CHECK(accepts(q, R"({"name":"","n":17,"tags":["a",{"b":{}}]})"));
  CHECK_FALSE(accepts(q, R"({"name":"","name":17})"));
  CHECK(accepts(q, R"(-1.5e+30)"));
  CHECK(accepts(q, R"("\ud83d\ude00")"));
  CHECK_FALSE(accepts(q, R"("\ud83d")"));
}
