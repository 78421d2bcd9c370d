// The answer is a C++ value. A local model cannot write anything else; another model's answer is checked before it is
// typed.

#include "example_model.hpp"

#include <wherry/agent/agent.hpp>

#include <iostream>
#include <string>
#include <variant>
#include <vector>

namespace w = wherry;

enum class comfort { plain, good, first };
struct train {
  std::string from;
  comfort seat = comfort::plain;
};
struct flight {
  std::string airport;
};
struct trip {
  std::string city;
  std::vector<std::string> days;
  std::variant<train, flight> by;
};

int main() {
  auto llm = model_or(
      {w::say(R"({"city":"Seoul","days":["palaces","markets","the river"],"by":{"from":"Busan","seat":"good"}})")});
  auto planner = w::agent{llm, "Plan trips."};

  auto r = planner.run<trip>("Three days in Seoul, from Busan");
  if (!r) {
    std::cerr << r.error() << '\n';
    return 1;
  }
  trip const& plan = r->output;
  std::cout << plan.city << ", " << plan.days.size() << " days";
  for (auto const& day : plan.days) std::cout << "\n  " << day;
  if (auto const* by = std::get_if<train>(&plan.by)) std::cout << "\nby train from " << by->from;
  if (auto const* by = std::get_if<flight>(&plan.by)) std::cout << "\nby air to " << by->airport;
  std::cout << '\n';
}

// Expected output:
//   Seoul, 3 days
//     palaces
//     markets
//     the river
//   by train from Busan
