#include <wherry/tools/effect_journal.hpp>

#include <catch2/catch_test_macros.hpp>

using namespace wherry;

TEST_CASE("effect key is the same for the same call however its arguments are laid out", "[golden]") {
  auto const key = effect_key("run", {"c1", "pay", R"({"to":"x","amount":{"b":1,"a":[2,{"d":3,"c":4}]}})"});
  CHECK(key == effect_key("run", {"c1", "pay", R"( {"amount": {"a":[2,{"c":4,"d":3}],"b":1}, "to":"\u0078"} )"}));
  // It is written to disk: a change of this value needs a new version of the journal.
  CHECK(key == "47bcee977b0054a93e59e743a3c00785a348e69c8386ddb5696c9af7a95cb92b");
}

TEST_CASE("effect key tells run, call, tool and arguments apart", "[unit]") {
  auto const key = effect_key("run", {"c1", "pay", "{}"});
  CHECK(key != effect_key("run2", {"c1", "pay", "{}"}));
  CHECK(key != effect_key("run", {"c2", "pay", "{}"}));
  CHECK(key != effect_key("run", {"c1", "pax", "{}"}));
  CHECK(key != effect_key("run", {"c1", "pay", "[]"}));
  CHECK(effect_key("ab", {"c", "d", "{}"}) != effect_key("a", {"bc", "d", "{}"}));
  CHECK(effect_key("run", {"c", "d", "{broken"}) != effect_key("run", {"c", "d", "{broken}"}));
}
