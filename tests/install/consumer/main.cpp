// Ten lines of agent against the installed headers, and the model contract as the author of a backend would run it.

#include <wherry/agent/agent.hpp>
#include <wherry/llm/scripted_model.hpp>
#include <wherry/testing/model_contract.hpp>

#include <iostream>

namespace w = wherry;

int add(int a, int b) { return a + b; }

int main() {
  w::scripted_model llm{w::call("add", R"({"a":2,"b":3})"), w::say("Five.").after("5")};
  auto const adder = w::agent{llm, "Add numbers."}.with(w::tool("add", "Adds.", {"a", "b"}, add).reads());
  auto const r = adder.run("2 and 3?");
  if (!r || r->output != "Five.") {
    std::cerr << (r ? "another answer: " + r->output : to_string(r.error())) << '\n';
    return 1;
  }

  auto const broken = w::check_model_contract([] {
    return std::shared_ptr<w::model>(w::scripted_model{std::vector<w::script_line>(12, w::say("a few words"))});
  });
  for (auto const& b : broken) std::cerr << b.promise << ": " << b.found << '\n';
  return broken.empty() ? 0 : 1;
}
