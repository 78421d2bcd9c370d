// An agent can be a tool of another agent: it asks, gets an answer, and goes on. Each has its own model, instructions
// and limits; the calls of one run side by side when both only read.

#include "example_model.hpp"

#include <wherry/agent/agent.hpp>

#include <iostream>

namespace w = wherry;

int main() {
  auto librarian =
      w::agent{model_or({w::say("The Old Bridge, 1817, third shelf.")}), "You know where every book stands."}
          .named("librarian")
          .limits({.steps = 2});
  auto desk = w::agent{model_or({w::call("ask_librarian", R"({"message":"Where is the book about the bridge?"})"),
                                 w::say("You will find it on the third shelf.")}),
                       "Help visitors. Ask the librarian about books."}
                  .named("desk")
                  .with(librarian.ask("ask_librarian", "Asks the librarian."));

  auto run = desk.start("I look for a book about the bridge.");
  run.on([](w::run_event const& event) {
    if (auto const* call = std::get_if<w::call_requested>(&event))
      std::cout << "desk -> librarian: " << call->call.arguments << '\n';
    if (auto const* done = std::get_if<w::call_finished>(&event))
      std::cout << "librarian -> desk: " << done->result.content << '\n';
  });
  auto r = run.result();
  if (!r) {
    std::cerr << r.error() << '\n';
    return 1;
  }
  std::cout << "desk: " << r->output << '\n';
}

// Expected output:
//   desk -> librarian: {"message":"Where is the book about the bridge?"}
//   librarian -> desk: The Old Bridge, 1817, third shelf.
//   desk: You will find it on the third shelf.
