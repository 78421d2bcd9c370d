// The smallest agent: a model, instructions, one question.

#include "example_model.hpp"

#include <wherry/agent/agent.hpp>

#include <iostream>

namespace w = wherry;

int main() {
  auto llm = model_or({w::say("Hello! What shall we carry today?")});
  auto greeter = w::agent{llm, "Greet people briefly."};

  auto r = greeter.run("Good morning");
  if (!r) {
    std::cerr << r.error() << '\n';
    return 1;
  }
  std::cout << r->output << '\n';
}

// Expected output:
//   Hello! What shall we carry today?
