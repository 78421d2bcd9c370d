// Plain functions are tools. Their argument types become the JSON Schema that the model sees, the grammar a local model
// decodes under, and the check before the call: a wrong call never reaches the function.

#include "example_model.hpp"

#include <wherry/agent/agent.hpp>

#include <iostream>
#include <optional>
#include <string>

namespace w = wherry;

struct forecast_in {
  std::string city;
  std::optional<int> days;  // optional: not required in the schema
};
template <>
inline constexpr auto w::describe<forecast_in> = std::tuple{w::field<&forecast_in::city>("City, e.g. Seoul"),
                                                            w::field<&forecast_in::days>("Days ahead").range(0, 7)};

std::string forecast(forecast_in const& in) {
  return in.city + " in " + std::to_string(in.days.value_or(0)) + " days: sunny, 21 degrees";
}

double convert(double celsius) { return celsius * 9 / 5 + 32; }

int main() {
  auto llm = model_or({
      w::call("forecast", R"({"city":"Seoul","days":9})"),  // 9 is out of range: refused, and the model is told why
      w::calls({{"forecast", R"({"city":"Seoul","days":2})"}, {"to_fahrenheit", R"({"celsius":21})"}}),
      w::say("Seoul will be sunny, 21 degrees (69.8 F)."),
  });
  auto desk = w::agent{llm, "Answer questions about the weather."}
                  .with(w::tool("forecast", "Weather forecast.", forecast).reads())
                  .with(w::tool("to_fahrenheit", "Celsius to Fahrenheit.", {"celsius"}, convert).reads());

  auto run = desk.start("What will the weather be in Seoul the day after tomorrow?");
  for (auto const& event : run)
    if (auto const* done = std::get_if<w::call_finished>(&event))
      std::cout << done->result.name << (done->result.failed ? " refused: " : ": ") << done->result.content << '\n';

  auto r = run.result();
  if (!r) {
    std::cerr << r.error() << '\n';
    return 1;
  }
  std::cout << r->output << '\n';
}

// Expected output:
//   forecast refused: failed: invalid arguments at /days: expected an integer between 0 and 7, found 9
//   forecast: Seoul in 2 days: sunny, 21 degrees
//   to_fahrenheit: 69.8
//   Seoul will be sunny, 21 degrees (69.8 F).
