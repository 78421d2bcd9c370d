// Tools of another program: an agent takes what a server offers. Here the server is example 10, started as a child; any
// command or URL will do.

#include "example_model.hpp"

#include <wherry/agent/agent.hpp>
#include <wherry/mcp/tool_bridge.hpp>

#include <filesystem>
#include <iostream>
namespace w = wherry;

int main(int, char** argv) {
  auto const beside = std::filesystem::path(argv[0]).parent_path() / "example_10_an_mcp_server";
  w::mcp_server const boats{beside.string() + " --stdio"};

  auto llm = model_or({w::call("to_feet", R"({"metres":6.096})"), w::say("A wherry is 20 feet long.")});
  auto const desk = w::agent{llm, "You know boats."}.with(boats);
  for (auto const& t : desk.tools()) std::cout << t.name << ": " << t.description << '\n';
  auto const r = desk.run("How many feet are 6.096 metres?");
  if (!r) return std::cerr << r.error() << '\n', 1;
  std::cout << r->output << '\n';
}

// Expected output:
//   book: Books a boat, once the user has agreed.
//   to_feet: Converts metres to feet.
//   A wherry is 20 feet long.
