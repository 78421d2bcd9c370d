// The smallest server worth measuring: says back what it is told, and adds two numbers.
//
//   mcp_echo_server --stdio | --port N

#include <wherry/mcp/serve.hpp>

#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

namespace w = wherry;

namespace {

struct sum {
  double sum = 0;
};

std::string echo(std::string message) { return message; }
sum add(double a, double b) { return {a + b}; }

}  // namespace

int main(int argc, char** argv) {
  w::mcp::server server{"wherry-echo", "1.0"};
  server.add(w::mcp::tool("echo", "Says it back.", {"message"}, echo).reads().inline_run());
  server.add(w::mcp::tool("add", "Adds two numbers.", {"a", "b"}, add).reads().inline_run());
  if (argc == 2 && std::string_view(argv[1]) == "--stdio") return w::mcp::serve_stdio(server);
  if (argc == 3 && std::string_view(argv[1]) == "--port") {
    w::mcp::http_endpoint_options options;
    options.http.port = static_cast<std::uint16_t>(std::atoi(argv[2]));
    return w::mcp::serve_http(server, options);
  }
  std::cerr << "usage: mcp_echo_server --stdio | --port N\n";
  return 2;
}
