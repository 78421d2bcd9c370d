// An answer that is a C++ value, shown while it is being written: each field is there as soon as it is whole, long
// before the answer is.

#include "example_model.hpp"

#include <wherry/agent/agent.hpp>
#include <wherry/llm/partial_json.hpp>

#include <iostream>
#include <string>
#include <variant>
#include <vector>

namespace w = wherry;

struct trip {
  std::string city;
  std::vector<std::string> days;
  double price = 0;
};

int main() {
  auto llm = model_or({w::say(R"({"city":"Seoul","days":["palaces","markets","the river"],"price":840.5})")});
  auto planner = w::agent{llm, "Plan trips."};

  w::partial<trip> so_far;
  auto run = planner.start<trip>("Three days in Seoul");
  for (auto const& event : run) {
    auto const* delta = std::get_if<w::answer_text>(&event);
    if (!delta) continue;
    auto const closed = so_far.push(delta->text);
    if (!closed) {
      std::cerr << closed.error() << '\n';
      return 1;
    }
    for (auto const& value : *closed) {
      if (value.path == "/city") std::cout << "to " << so_far.value.city << '\n';
      if (value.path.starts_with("/days/")) std::cout << "  " << value.value.text << '\n';
      if (value.path == "/price") std::cout << "for " << so_far.value.price << '\n';
    }
  }
  auto const whole = run.result();
  if (!whole) {
    std::cerr << whole.error() << '\n';
    return 1;
  }
  std::cout << whole->output.days.size() << " days, and the raw text is still there: " << so_far.text().size()
            << " bytes\n";
}

// Expected output:
//   to Seoul
//     "palaces"
//     "markets"
//     "the river"
//   for 840.5
//   3 days, and the raw text is still there: 71 bytes
