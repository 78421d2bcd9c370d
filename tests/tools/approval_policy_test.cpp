#include <wherry/tools/approval_policy.hpp>

#include <catch2/catch_test_macros.hpp>

using namespace wherry;

TEST_CASE("approval policy allows everything unless told otherwise", "[unit]") {
  approval_policy const policy;
  CHECK(policy.decide({"1", "f", "{}"}, effect_class::writes) == approval::allow);
  CHECK(policy.decide({"1", "f", "{}"}, effect_class::reads) == approval::allow);
}

TEST_CASE("approval policy goes by name, then by the call, then by effect class", "[unit]") {
  approval_policy policy{.writes = approval::ask, .tools = {{"named", approval::deny}}};
  policy.decide_call = [](tool_call const& call, effect_class) -> std::optional<approval> {
    if (call.arguments.find("secret") != std::string::npos) return approval::deny;
    return std::nullopt;
  };
  CHECK(policy.decide({"1", "named", "{}"}, effect_class::reads) == approval::deny);
  CHECK(policy.decide({"1", "f", R"({"a":"secret"})"}, effect_class::reads) == approval::deny);
  CHECK(policy.decide({"1", "f", "{}"}, effect_class::writes) == approval::ask);
  CHECK(policy.decide({"1", "f", "{}"}, effect_class::reads) == approval::allow);
}

TEST_CASE("what is always denied is known before a call is made", "[unit]") {
  approval_policy policy{.writes = approval::deny, .tools = {{"named", approval::deny}, {"free", approval::allow}}};
  CHECK(policy.always_denies("named", effect_class::reads));
  CHECK(policy.always_denies("f", effect_class::writes));
  CHECK_FALSE(policy.always_denies("free", effect_class::writes));
  CHECK_FALSE(policy.always_denies("f", effect_class::reads));
  policy.decide_call = [](tool_call const&, effect_class) { return std::optional<approval>(); };
  CHECK(policy.always_denies("named", effect_class::reads));
  CHECK_FALSE(policy.always_denies("f", effect_class::writes));
}
