#include "demo_tools.hpp"

#include <wherry/core/json.hpp>

#include <catch2/catch_test_macros.hpp>

using namespace wherry;

namespace {

result<std::string> call(std::size_t index, std::string const& arguments, std::string const& id = "c1",
                         std::uint64_t seed = 7) {
  auto bound = cli::demo_tools(seed)[index].bind(arguments);
  if (!bound) return bound.error();
  tool_context context;
  context.call_id = id;
  return bound->now(context);
}

}  // namespace

TEST_CASE("demo tools stand in the order of their names and only read", "[unit]") {
  CHECK(cli::demo_tool_names() == std::vector<std::string>{"convert_length", "dice", "weather"});
  for (auto const& t : cli::demo_tools()) CHECK(t.effect() == effect_class::reads);
}

TEST_CASE("lengths are converted", "[unit]") {
  CHECK(call(0, R"({"value":1,"from":"mile","to":"metre"})").value() == R"({"value":1609.344,"unit":"metre"})");
  CHECK(call(0, R"({"value":12,"from":"inch","to":"foot"})").value() == R"({"value":1.0,"unit":"foot"})");
  CHECK_FALSE(call(0, R"({"value":1,"from":"league","to":"metre"})"));
}

TEST_CASE("dice depend on seed and call, stay within their sides and add up", "[unit]") {
  auto const thrown = parse_json(call(1, R"({"sides":6,"count":10})").value()).value();
  int sum = 0;
  REQUIRE(thrown["shown"].size() == 10);
  for (auto const& one : thrown["shown"]) {
    CHECK((one >= 1 && one <= 6));
    sum += one.get<int>();
  }
  CHECK(thrown["sum"] == sum);
  CHECK(call(1, R"({"sides":6,"count":10})").value() == to_text(thrown));
  CHECK(call(1, R"({"sides":6,"count":10})", "c2").value() != to_text(thrown));
  CHECK(call(1, R"({"sides":6,"count":10})", "c1", 8).value() != to_text(thrown));
  CHECK_FALSE(call(1, R"({"sides":1})"));
}

TEST_CASE("the forecast depends on city and day", "[unit]") {
  auto const today = call(2, R"({"city":"Seoul"})").value();
  CHECK(today == call(2, R"({"city":"Seoul","days":0})", "c9", 99).value());
  CHECK(today != call(2, R"({"city":"Seoul","days":3})").value());
  auto const j = parse_json(today).value();
  CHECK(j["low_celsius"] < j["high_celsius"]);
  CHECK_FALSE(call(2, R"({"city":""})"));
  CHECK_FALSE(call(2, R"({"city":"Seoul","days":9})"));
}
