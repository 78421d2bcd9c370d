// What a tools/call of 2026-07-28 costs the server: over Streamable HTTP beside a bare epoll responder that reads and
// writes the same bytes, and over a pair of pipes. Everything runs in this process; the CPU clock read is that of the
// thread that serves. mcp_peers measures processes, those of the TypeScript SDKs beside ours.
//
//   bench_mcp [--calls N] [--json FILE]

#include "bench_report.hpp"
#include "http_drive.hpp"

#include <wherry/mcp/serve.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <fcntl.h>
#include <poll.h>
#include <csignal>

namespace {

using namespace wherry_bench;
namespace mcp = wherry::mcp;

std::string message(std::size_t payload) {
  return R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":")" +
         std::string(payload, 'x') +
         R"("},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}})";
}

std::string request(std::size_t payload) {
  auto const body = message(payload);
  return "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json\r\n"
         "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n"
         "Mcp-Name: echo\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

mcp::server echo_server() {
  mcp::server s{"bench", "1"};
  s.add(mcp::tool("echo", "Says it back.", {"message"}, [](std::string m) { return m; }).reads().inline_run());
  return s;
}

/// One answer of the server, whole: what the bare responder will say.
std::string one_answer(std::uint16_t port, std::string const& ask) {
  int const fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto const at = loopback(port);
  if (connect(fd, reinterpret_cast<sockaddr const*>(&at), sizeof at) != 0) std::exit(1);
  if (send(fd, ask.data(), ask.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(ask.size())) std::exit(1);
  std::string seen;
  for (;;) {
    auto const body = seen.find("\r\n\r\n");
    auto const length = seen.find("Content-Length: ");
    if (body != std::string::npos && length != std::string::npos &&
        seen.size() >= body + 4 + std::strtoull(seen.c_str() + length + 16, nullptr, 10))
      break;
    char buffer[64 * 1024];
    auto const got = recv(fd, buffer, sizeof buffer, 0);
    if (got <= 0) std::exit(1);
    seen.append(buffer, static_cast<std::size_t>(got));
  }
  close(fd);
  if (!seen.starts_with("HTTP/1.1 200") || seen.find(R"("resultType":"complete")") == std::string::npos) {
    std::fprintf(stderr, "not an answer: %s\n", seen.substr(0, 500).c_str());
    std::exit(1);
  }
  return seen;
}

void over_http(report& out, std::size_t payload, int in_flight, int calls) {
  auto const ask = request(payload);
  boost::asio::io_context loop(1);
  auto endpoint = mcp::http_endpoint::start(loop.get_executor(), echo_server(), {});
  if (!endpoint) std::exit(1);
  std::string answer;
  {
    std::thread serving([&] { loop.run(); });
    answer = one_answer(endpoint->port(), ask);
    loop.stop();
    serving.join();
  }
  loop.restart();
  std::atomic<bool> stop{false};
  auto const ours =
      measure(endpoint->port(), [&] { loop.run(); }, stop, [&] { loop.stop(); }, in_flight, calls, ask, answer.size());
  auto const bare = measure_bare(in_flight, calls, ask, answer);
  auto const name = "http, " + std::to_string(payload) + " bytes, " + std::to_string(in_flight) + " in flight: ";
  out.inform(name + "bare epoll, CPU", bare.cpu_us, "us");
  if (payload > 1000)
    out.at_most(name + "CPU a call", ours.cpu_us, "us", 200);
  else
    out.inform(name + "CPU a call", ours.cpu_us, "us");
  out.inform(name + "calls", ours.per_second, "1/s");
  auto const half = quantile(ours.ms, 0.5), late = quantile(ours.ms, 0.99);
  out.inform(name + "p50", half, "ms");
  out.inform(name + "p99", late, "ms");
  if (payload > 1000) return;
  out.at_most(name + "CPU, beside the bare", ours.cpu_us / bare.cpu_us, "x", 3.5);
  if (in_flight == 64) out.at_most(name + "p99 / p50", late / half, "x", 8);
}

void over_pipes(report& out, std::size_t payload, int in_flight, int calls) {
  int to_server[2], to_client[2];
  if (pipe2(to_server, O_CLOEXEC) != 0 || pipe2(to_client, O_CLOEXEC) != 0) std::exit(1);
  boost::asio::io_context loop(1);
  mcp::stdio_options const options{.input = to_server[0], .output = to_client[1]};
  boost::asio::co_spawn(loop, mcp::async_serve_stdio(echo_server(), options),
                        [](std::exception_ptr, wherry::result<void> const&) {});
  std::thread server([&] { loop.run(); });
  auto const line = message(payload) + "\n";
  fcntl(to_server[1], F_SETFL, O_NONBLOCK);
  std::string buffer(256u << 10, '\0');
  int asked = 0, answered = 0;
  std::string unsent;
  auto const exchange = [&](int until) {
    while (answered < until) {
      while (asked < until && asked - answered < in_flight) unsent += line, ++asked;
      if (!unsent.empty()) {
        auto const n = write(to_server[1], unsent.data(), unsent.size());
        if (n > 0) unsent.erase(0, static_cast<std::size_t>(n));
      }
      pollfd p[2] = {{to_client[0], POLLIN, 0}, {unsent.empty() ? -1 : to_server[1], POLLOUT, 0}};
      if (poll(p, 2, 5000) <= 0) std::exit(1);
      if ((p[0].revents & POLLIN) == 0) continue;
      auto const n = read(to_client[0], buffer.data(), buffer.size());
      if (n <= 0) std::exit(1);
      answered += static_cast<int>(std::count(buffer.begin(), buffer.begin() + n, '\n'));
    }
  };
  exchange(in_flight * 20);
  double const before = cpu_seconds(server.native_handle());
  auto const start = std::chrono::steady_clock::now();
  exchange(answered + calls);
  std::chrono::duration<double> const took = std::chrono::steady_clock::now() - start;
  double const cpu = cpu_seconds(server.native_handle()) - before;
  close(to_server[1]);
  server.join();
  for (int const fd : {to_server[0], to_client[0], to_client[1]}) close(fd);
  auto const name = "stdio, " + std::to_string(payload) + " bytes, " + std::to_string(in_flight) + " in flight: ";
  out.at_most(name + "CPU a call", cpu * 1e6 / calls, "us", payload > 1000 ? 200 : 8);
  out.inform(name + "calls", calls / took.count(), "1/s");
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  report out("tools/call of 2026-07-28", argc, argv);
  int calls = 100'000;
  for (int i = 1; i + 1 < argc; ++i)
    if (std::string_view(argv[i]) == "--calls") calls = std::atoi(argv[i + 1]);
  for (int const in_flight : {1, 16, 64}) over_http(out, 16, in_flight, calls);
  for (int const in_flight : {1, 16}) over_http(out, 65'536, in_flight, calls / 10);
  for (int const in_flight : {1, 16, 64}) over_pipes(out, 16, in_flight, calls);
  for (int const in_flight : {1, 16}) over_pipes(out, 65'536, in_flight, calls / 10);
  return out.finish();
}
