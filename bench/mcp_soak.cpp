// Sessions of the handshake era opened and abandoned, and stateless calls by the million: what a server holds must come
// back to what it held before, in memory and in descriptors. The server is a process of its own (this program again).
//
//   mcp_soak [--sessions N] [--calls N] [--json FILE]

#include "bench_report.hpp"
#include "http_drive.hpp"

#include <wherry/mcp/serve.hpp>

#include <boost/asio/io_context.hpp>

#include <csignal>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

namespace {

using namespace wherry_bench;
namespace mcp = wherry::mcp;

/// The server: sessions that nobody uses end after a second.
int serve(int tell) {
  mcp::server s{"soak", "1"};
  s.add(mcp::tool("echo", "Says it back.", {"message"}, [](std::string m) { return m; }).reads().inline_run());
  boost::asio::io_context loop(1);
  mcp::http_endpoint_options options;
  options.session_idle = std::chrono::seconds(1);
  auto endpoint = mcp::http_endpoint::start(loop.get_executor(), s, std::move(options));
  if (!endpoint) return 1;
  auto const port = endpoint->port();
  if (write(tell, &port, sizeof port) != sizeof port) return 1;
  loop.run();
  return 0;
}

double resident_mib(pid_t server) {
  std::ifstream status("/proc/" + std::to_string(server) + "/status");
  for (std::string word; status >> word;) {
    double kib = 0;
    if (word == "VmRSS:" && status >> kib) return kib / 1024;
  }
  return 0;
}

std::size_t descriptors(pid_t server) {
  auto const all = std::filesystem::directory_iterator("/proc/" + std::to_string(server) + "/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

int connected(std::uint16_t port) {
  int const fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto const at = loopback(port);
  if (connect(fd, reinterpret_cast<sockaddr const*>(&at), sizeof at) != 0) {
    std::perror("connect");
    std::exit(1);
  }
  // A reset on closing: an abandoned connection, and no port of ours that has to wait for its rest.
  linger const now{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  return fd;
}

void put(int fd, std::string_view text) {
  while (!text.empty()) {
    auto const n = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (n <= 0) std::exit(1);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

/// Reads until `count` answers have begun and the last is whole.
std::string take(int fd, int count) {
  std::string seen;
  std::size_t from = 0;
  for (char buffer[64 * 1024]; count > 0;) {
    auto const head = seen.find("\r\n\r\n", from);
    auto const length = seen.find("Content-Length: ", from);
    if (head != std::string::npos && length < head) {
      auto const end = head + 4 + std::strtoull(seen.c_str() + length + 16, nullptr, 10);
      if (seen.size() >= end) {
        if (seen.compare(from, 11, "HTTP/1.1 20") != 0) {
          std::fprintf(stderr, "%s\n", seen.substr(from, 500).c_str());
          std::exit(1);
        }
        from = end;
        --count;
        continue;
      }
    }
    pollfd p{fd, POLLIN, 0};
    auto const got = poll(&p, 1, 10'000) > 0 ? recv(fd, buffer, sizeof buffer, 0) : -1;
    if (got <= 0) {
      std::fprintf(stderr, "no answer\n");
      std::exit(1);
    }
    seen.append(buffer, static_cast<std::size_t>(got));
  }
  return seen;
}

std::string post(std::string_view more, std::string const& body) {
  return "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: application/json, "
         "text/event-stream\r\n" +
         std::string(more) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

/// Shakes hands, subscribes to something, and goes without a word.
void abandon_session(std::uint16_t port) {
  static std::string const hello = post(
      "",
      R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"soak","version":"1"}}})");
  int const fd = connected(port);
  put(fd, hello);
  auto const answer = take(fd, 1);
  auto const at = answer.find("Mcp-Session-Id: ");
  if (at == std::string::npos) std::exit(1);
  auto const id = answer.substr(at, answer.find("\r\n", at) + 2 - at);
  put(fd,
      post(id + "MCP-Protocol-Version: 2025-11-25\r\n", R"({"jsonrpc":"2.0","method":"notifications/initialized"})") +
          post(
              id + "MCP-Protocol-Version: 2025-11-25\r\n",
              R"({"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"message":"x"}}})"));
  close(fd);
}

void many_calls(std::uint16_t port, int calls) {
  constexpr int together = 32, per_connection = 4096;
  std::string const one = post(
      "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: echo\r\n",
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":"hello"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}})");
  std::string batch;
  for (int i = 0; i < together; ++i) batch += one;
  for (int done = 0; done < calls;) {
    int const fd = connected(port);
    for (int i = 0; i < per_connection && done < calls; i += together, done += together) {
      put(fd, batch);
      take(fd, together);
    }
    close(fd);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  int sessions = 60'000, calls = 1'000'000;
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::string_view(argv[i]) == "--sessions") sessions = std::atoi(argv[i + 1]);
    if (std::string_view(argv[i]) == "--calls") calls = std::atoi(argv[i + 1]);
  }
  int tell[2];
  if (pipe2(tell, O_CLOEXEC) != 0) return 1;
  pid_t const server = fork();
  if (server == 0) _exit(serve(tell[1]));
  std::uint16_t port = 0;
  if (read(tell[0], &port, sizeof port) != sizeof port) return 1;

  // What comes with use (code that is paged in, buffers that are kept) is there before the count begins.
  for (int i = 0; i < 1'100; ++i) abandon_session(port);
  many_calls(port, 2'000);
  auto const settle = [] { std::this_thread::sleep_for(std::chrono::milliseconds(3'000)); };
  settle();
  double const before = resident_mib(server);
  auto const open_before = descriptors(server);

  report out("soak of an MCP server over HTTP", argc, argv);
  double peak = before;
  for (int i = 0; i < sessions; ++i) {
    abandon_session(port);
    if (i % 1000 == 0) peak = std::max(peak, resident_mib(server));
  }
  settle();
  double const after_sessions = resident_mib(server);
  many_calls(port, calls);
  peak = std::max(peak, resident_mib(server));
  settle();
  double const after = resident_mib(server);
  out.inform("sessions opened and abandoned", sessions, "");
  out.inform("stateless calls", calls, "");
  out.inform("memory before", before, "MiB");
  out.inform("memory, most seen", peak, "MiB");
  out.at_most("memory after the sessions, of before", after_sessions / before, "x", 1.1);
  out.at_most("memory after the calls, of before", after / before, "x", 1.1);
  out.at_most("descriptors after, of before",
              static_cast<double>(descriptors(server)) / static_cast<double>(open_before), "x", 1.0);
  kill(server, SIGTERM);
  waitpid(server, nullptr, 0);
  return out.finish();
}
