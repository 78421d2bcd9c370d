// A server for the Model Context Protocol: two tools, a resource and a prompt, for any client, in both eras of the
// protocol. With --stdio it serves whoever started it; without, it shows what such a client gets to see.

#include <wherry/mcp/client.hpp>
#include <wherry/mcp/serve.hpp>

#include <iostream>
#include <string_view>
namespace w = wherry;

struct conversion {
  double amount;
  std::string unit;
};
conversion to_feet(double metres) { return {metres / 0.3048, "feet"}; }

w::task<w::result<std::string>> book(w::mcp::context client, std::string boat) {
  w::raw_json form{R"({"type":"object","properties":{}})"};
  auto const sure = co_await client.elicit("Book " + boat + "?", std::move(form));
  if (!sure) co_return sure.error();
  co_return *sure ? boat + " is yours" : boat + " was not booked";
}

int main(int argc, char** argv) {
  w::mcp::server server{"boats", "1.0"};
  server.add(w::mcp::tool("to_feet", "Converts metres to feet.", {"metres"}, to_feet).reads());
  server.add(w::mcp::tool("book", "Books a boat, once the user has agreed.", {"boat"}, book));
  server.add(
      w::mcp::resource("boats://list", "boats", "All boats.", "text/plain", [] { return "wherry, gig, skiff"; }));
  server.add(
      w::mcp::prompt("describe", "Asks for a description.", {"boat"}, [](std::string b) { return "Describe a " + b; }));
  if (argc > 1 && std::string_view(argv[1]) == "--stdio") return w::mcp::serve_stdio(server);

  w::mcp::client_options options;
  options.elicit = [](w::mcp::elicitation form) -> w::task<w::result<w::mcp::elicitation_answer>> {
    std::cout << "the user is asked: " << form.message << '\n';
    w::mcp::elicitation_answer yes{.action = w::mcp::elicited<w::raw_json>::action_type::accept};
    co_return yes;
  };
  auto const client = w::mcp::client::connect(w::mcp::make_loopback_transport(server), options);
  if (!client) return std::cerr << client.error() << '\n', 1;
  std::cout << "revision " << client->protocol().name << '\n';
  std::cout << client->call("to_feet", R"({"metres":3.048})")->structured.text << '\n';
  std::cout << client->call("book", R"({"boat":"the gig"})")->text() << '\n';
  std::cout << client->read("boats://list")->front().data << '\n';
}

// Expected output:
//   revision 2026-07-28
//   {"amount":10.0,"unit":"feet"}
//   the user is asked: Book the gig?
//   the gig is yours
//   wherry, gig, skiff
