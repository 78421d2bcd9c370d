#include <wherry/tools/tool_registry.hpp>

#include <catch2/catch_test_macros.hpp>

using namespace wherry;

namespace {
tool named(std::string name) {
  return tool(std::move(name), "", [] {});
}
}  // namespace

TEST_CASE("registry orders tools by name whatever order they came in", "[unit]") {
  auto const r = tool_registry::make({named("b"), named("a"), named("C")});
  REQUIRE(r);
  auto const& specs = *r->specs();
  REQUIRE(specs.size() == 3);
  CHECK(specs[0].name == "C");
  CHECK(specs[1].name == "a");
  CHECK(specs[2].name == "b");
  CHECK(r->tools()[1].name() == "a");
}

TEST_CASE("registry finds a tool by its whole name only", "[unit]") {
  auto const r = tool_registry::make({named("alpha"), named("beta")}).value();
  REQUIRE(r.find("beta"));
  CHECK(r.find("beta")->name() == "beta");
  CHECK_FALSE(r.find("bet"));
  CHECK_FALSE(r.find("zeta"));
  CHECK_FALSE(tool_registry().find("alpha"));
}

TEST_CASE("registry refuses two tools of one name", "[unit]") {
  auto const r = tool_registry::make({named("a"), named("b"), named("a")});
  REQUIRE_FALSE(r);
  CHECK(r.error().is(errc::already_exists));
  CHECK(r.error().path == "a");
}

TEST_CASE("registry refuses names that models do not take", "[unit]") {
  for (auto const& name : {std::string(), std::string("a b"), std::string("caf\xc3\xa9"), std::string(65, 'a')}) {
    auto const r = tool_registry::make({named(name)});
    REQUIRE_FALSE(r);
    CHECK(r.error().is(errc::invalid_argument));
  }
  CHECK(tool_registry::make({named(std::string(64, 'a'))}));
}
