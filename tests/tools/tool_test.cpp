#include <wherry/tools/tool.hpp>

#include <wherry/core/runtime.hpp>

#include <catch2/catch_test_macros.hpp>

#include <limits>
#include <memory>
#include <stdexcept>
#include <string>

using namespace wherry;

namespace {

struct forecast_in {
  std::string city;
  std::optional<int> days;
};

std::string forecast(forecast_in const& in) { return in.city + " " + std::to_string(in.days.value_or(1)); }
double convert(double amount, std::string const& from, std::string to) { return from == to ? amount : amount * 2; }
task<result<int>> count_later(forecast_in const& in) { co_return static_cast<int>(in.city.size()); }
task<void> nothing_later() { co_return; }
std::string where(tool_context const& context, int a) { return context.call_id + std::to_string(a); }

result<std::string> call(tool const& t, std::string_view arguments, tool_context const& context = {}) {
  auto bound = t.bind(arguments);
  if (!bound) return bound.error();
  if (bound->now) return bound->now(context);
  return run_blocking(bound->later(context), "call", "async_call");
}

}  // namespace

template <>
inline constexpr auto wherry::describe<forecast_in> =
    std::tuple{wherry::field<&forecast_in::days>("Days ahead").range(0, 7)};

TEST_CASE("tool made from a function of one struct shows its schema", "[golden]") {
  tool const t("forecast", "Weather forecast.", forecast);
  CHECK(t.spec() == tool_spec{"forecast",
                              "Weather forecast.",
                              {R"({"type":"object","properties":{"city":{"type":"string"},)"
                               R"("days":{"type":"integer","description":"Days ahead","minimum":0,"maximum":7}},)"
                               R"("required":["city"],"additionalProperties":false})"}});
  CHECK(call(t, R"({"city":"Seoul","days":3})").value() == "Seoul 3");
}

TEST_CASE("tool made from plain parameters names them in order", "[golden]") {
  tool const t("convert", "Convert money.", {"amount", "from", "to"}, convert);
  CHECK(t.spec().input_schema.text ==
        R"({"type":"object","properties":{"amount":{"type":"number"},"from":{"type":"string"},"to":{"type":"string"}},)"
        R"("required":["amount","from","to"],"additionalProperties":false})");
  CHECK(call(t, R"({"to":"EUR","amount":2,"from":"USD"})").value() == "4.0");
}

TEST_CASE("tool without parameters takes an empty object and nothing else", "[unit]") {
  tool const t("now", "The time.", [] { return 12; });
  CHECK(t.spec().input_schema.text ==
        R"({"type":"object","properties":{},"required":[],"additionalProperties":false})");
  CHECK(call(t, "{}").value() == "12");
  CHECK_FALSE(call(t, R"({"a":1})"));
  CHECK_FALSE(call(t, ""));
}

TEST_CASE("tool never calls its function with invalid arguments and names their place", "[unit]") {
  int calls = 0;
  tool const t("count", "", {"a", "b"}, [&calls](int a, std::optional<std::string>) { return calls += a; });
  auto const wrong = t.bind(R"({"a":1,"b":2})");
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().is(errc::output_invalid));
  CHECK(wrong.error().path == "/b");
  CHECK(t.bind(R"({"a":1})"));
  CHECK(calls == 0);
  CHECK(call(t, R"({"a":1})").value() == "1");
}

TEST_CASE("tool gives each kind of return value to the model as text", "[unit]") {
  auto const returned = [](auto function) { return call(tool("f", "", function), "{}").value(); };
  CHECK(returned([] { return std::string("as it is"); }) == "as it is");
  CHECK(returned([] { return "literal"; }) == "literal");
  CHECK(returned([] { return true; }) == "true");
  CHECK(returned([] { return raw_json{"[1, 2]"}; }) == "[1, 2]");
  CHECK(returned([] { return forecast_in{"Seoul", 2}; }) == R"({"city":"Seoul","days":2})");
  CHECK(returned([] { return result<std::vector<int>>(std::vector<int>{1}); }) == "[1]");
  CHECK(returned([] {}) == "ok");
  CHECK(returned([] { return result<void>{}; }) == "ok");
  CHECK(returned(nothing_later) == "ok");
  CHECK(returned([]() -> task<std::string> { co_return "later"; }) == "later");
}

TEST_CASE("tool that returns a value has its schema, and one that returns text has none", "[unit]") {
  auto const schema = [](auto function) { return tool("f", "", function).output_schema().text; };
  auto const whole = schema_of<forecast_in>().text;
  CHECK(schema([] { return forecast_in{}; }) == whole);
  CHECK(schema([] { return result<forecast_in>(forecast_in{}); }) == whole);
  CHECK(schema([]() -> task<result<forecast_in>> { co_return forecast_in{}; }) == whole);
  CHECK(schema([] { return std::vector<int>{1}; }) == schema_of<std::vector<int>>().text);
  CHECK(schema([] { return std::string(); }).empty());
  CHECK(schema([] { return "literal"; }).empty());
  CHECK(schema([] { return raw_json{"1"}; }).empty());
  CHECK(schema([] {}).empty());
  CHECK(schema(nothing_later).empty());
  CHECK(tool("convert", "", {"amount", "from", "to"}, convert).output_schema().text == schema_of<double>().text);
}

TEST_CASE("tool that returns what its schema does not allow fails and says where", "[unit]") {
  auto const why = [](auto function) {
    auto const outcome = call(tool("f", "", function), "{}");
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().is(errc::tool_failed));
    return outcome.error();
  };
  auto const days = why([] { return forecast_in{"Seoul", 9}; });
  CHECK(days.path == "/days");
  CHECK(days.message.find("the tool ran, but its result does not fit its output schema at /days") == 0);
  CHECK(why([] { return std::numeric_limits<double>::quiet_NaN(); }).message.find("null") != std::string::npos);
  CHECK(why([]() -> task<forecast_in> { co_return forecast_in{"Seoul", -1}; }).path == "/days");
}

TEST_CASE("tool with schemas known at run time has its results checked, blocking or not", "[unit]") {
  raw_json const schema{R"({"type":"object","properties":{"n":{"type":"integer","maximum":3}},"required":["n"]})"};
  auto const made = [&](bool later) {
    argument_binder bind = [later](std::string_view arguments) -> result<bound_call> {
      bound_call bound;
      if (later)
        bound.later = [text = std::string(arguments)](tool_context) -> task<result<std::string>> { co_return text; };
      else
        bound.now = [text = std::string(arguments)](tool_context const&) -> result<std::string> { return text; };
      return bound;
    };
    return tool::with_output({"f", "", {"{}"}}, schema, std::move(bind)).value();
  };
  for (bool const later : {false, true}) {
    auto const t = made(later);
    CHECK(t.output_schema() == schema);
    CHECK(call(t, R"({"n":3})").value() == R"({"n":3})");
    CHECK(call(t, R"({"n":4})").error().path == "/n");
    CHECK(call(t, "not json").error().is(errc::tool_failed));
  }
  argument_binder never = [](std::string_view) -> result<bound_call> { return error{errc::internal, "never"}; };
  CHECK(tool::with_output({"f", "", {"{}"}}, {"[]"}, never).error().is(errc::schema_unsupported));
}

TEST_CASE("tool passes on the error of its function", "[unit]") {
  tool const t("f", "", []() -> result<int> { return error(errc::not_found, "no such city"); });
  auto const r = call(t, "{}");
  REQUIRE_FALSE(r);
  CHECK(r.error().message == "no such city");
}

TEST_CASE("tool keeps the arguments of a coroutine alive until it ends", "[unit]") {
  auto bound = tool("count", "", count_later).bind(R"({"city":"a name too long for the small buffer"})").value();
  auto work = bound.later({});
  bound = {};
  CHECK(run_blocking(std::move(work), "call", "async_call").value() == "36");
}

TEST_CASE("tool hands the context of the call to a function that asks for it", "[unit]") {
  tool_context context;
  context.call_id = "c";
  CHECK(call(tool("where", "", {"a"}, where), R"({"a":7})", context).value() == "c7");
  CHECK(call(tool("id", "", [](tool_context const& c) { return c.call_id; }), "{}", context).value() == "c");
}

TEST_CASE("tool accepts functors with state and lambdas that hold what cannot be copied twice", "[unit]") {
  struct adder {
    int by;
    int operator()(int a) const noexcept { return a + by; }
  };
  CHECK(call(tool("add", "", {"a"}, adder{3}), R"({"a":4})").value() == "7");
  auto shared = std::make_shared<int>(0);
  tool const t("step", "", [shared]() mutable { return ++*shared; });
  CHECK(call(t, "{}").value() == "1");
  CHECK(call(t, "{}").value() == "2");
}

TEST_CASE("tool writes unless it says that it reads, and its options leave the original alone", "[unit]") {
  tool const t("f", "", [] {});
  CHECK(t.effect() == effect_class::writes);
  CHECK_FALSE(t.time_limit());
  CHECK_FALSE(t.runs_inline());
  auto const changed = t.reads().deadline(std::chrono::seconds(2)).inline_run();
  CHECK(changed.effect() == effect_class::reads);
  CHECK(changed.time_limit() == std::chrono::milliseconds(2000));
  CHECK(changed.runs_inline());
  CHECK(changed.writes().effect() == effect_class::writes);
  CHECK(t.effect() == effect_class::writes);
}
