// What a request costs the server in CPU time, beside a bare epoll responder that reads and writes the same bytes and
// does nothing else. Both run in this process, one after the other, on a thread whose CPU clock is read; the driver has
// a thread of its own.
//
//   bench_http [--requests N] [--json FILE]

#include "bench_report.hpp"
#include "http_drive.hpp"

#include <wherry/http/server.hpp>

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using wherry::http_exchange;
using wherry::http_fields;
using wherry::task;
using namespace wherry_bench;

std::string request_text(std::size_t payload) {
  std::string const body =
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":")" +
      std::string(payload, 'x') + R"("},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})";
  return "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json\r\n"
         "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n"
         "Mcp-Name: echo\r\nConnection: keep-alive\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string answer_body(std::size_t payload) {
  return R"({"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":")" +
         std::string(payload, 'x') + R"("}]}})";
}

}  // namespace

int main(int argc, char** argv) {
  wherry_bench::report out("http server, beside a bare epoll responder", argc, argv);
  int requests = 100'000;
  for (int i = 1; i + 1 < argc; ++i)
    if (std::string_view(argv[i]) == "--requests") requests = std::atoi(argv[i + 1]);
  for (std::size_t const payload : {std::size_t{64}, std::size_t{65'536}}) {
    int const count = payload > 1000 ? requests / 10 : requests;
    std::string const request = request_text(payload), body = answer_body(payload);
    std::string const answer =
        "HTTP/1.1 200 OK\r\nDate: Tue, 24 Nov 2026 00:00:00 GMT\r\nContent-Type: application/json\r\n"
        "Content-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body;
    for (int const in_flight : {1, 16, 64}) {
      auto const bare = measure_bare(in_flight, count, request, answer);

      std::atomic<bool> stop{false};
      boost::asio::io_context loop(1);
      auto handler = [&body](http_exchange& exchange) -> task<void> {
        auto const got = co_await exchange.async_body();
        if (got) exchange.reply(200, "application/json", body);
      };
      auto server = wherry::http_server::start(loop.get_executor(), {}, handler);
      if (!server) return 1;
      auto const ours = measure(
          server->port(), [&] { loop.run(); }, stop, [&] { loop.stop(); }, in_flight, count, request, answer.size());
      std::string const name = std::to_string(payload) + " bytes, " + std::to_string(in_flight) + " in flight: ";
      out.inform(name + "bare epoll, CPU a request", bare.cpu_us, "us");
      out.inform(name + "http_server, CPU a request", ours.cpu_us, "us");
      out.inform(name + "http_server", ours.per_second, "1/s");
      out.at_most(name + "ratio of CPU", ours.cpu_us / bare.cpu_us, "x", payload > 1000 ? 3.5 : 2.0);
    }
  }
  return out.finish();
}
