// What a request costs the server in CPU time, beside a bare epoll responder that reads and writes the same bytes and
// does nothing else. Both run in this process, one after the other, on a thread whose CPU clock is read; the driver has
// a thread of its own.
//
//   bench_http [--requests N] [--json FILE]

#include "bench_report.hpp"

#include <wherry/http/server.hpp>

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using wherry::http_exchange;
using wherry::http_fields;
using wherry::task;

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

double cpu_seconds(pthread_t thread) {
  clockid_t clock{};
  timespec t{};
  pthread_getcpuclockid(thread, &clock);
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return at;
}

// Reads requests of a known size and writes answers of a known size.
void bare_responder(int listener, std::size_t request_size, std::string const& answer, std::atomic<bool> const& stop) {
  int const poll = epoll_create1(EPOLL_CLOEXEC);
  epoll_event on{.events = EPOLLIN, .data = {.fd = listener}};
  epoll_ctl(poll, EPOLL_CTL_ADD, listener, &on);
  std::vector<std::size_t> pending(4096);
  std::vector<char> buffer(256u << 10);
  while (!stop) {
    epoll_event events[64];
    int const n = epoll_wait(poll, events, 64, 100);
    for (int i = 0; i < n; ++i) {
      int const fd = events[i].data.fd;
      if (fd == listener) {
        int const accepted = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        int const one = 1;
        setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        epoll_event next{.events = EPOLLIN, .data = {.fd = accepted}};
        epoll_ctl(poll, EPOLL_CTL_ADD, accepted, &next);
        continue;
      }
      auto const got = recv(fd, buffer.data(), buffer.size(), 0);
      if (got <= 0) {
        close(fd);
        continue;
      }
      auto& have = pending[static_cast<std::size_t>(fd)];
      have += static_cast<std::size_t>(got);
      if (have < request_size) continue;
      have -= request_size;
      std::string_view rest = answer;
      while (!rest.empty()) {
        auto const sent = send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
        if (sent > 0) rest.remove_prefix(static_cast<std::size_t>(sent));
      }
    }
  }
  close(poll);
}

// `in_flight` connections with one request each under way, until `count` answers of `answer_size` bytes have come.
double drive(std::uint16_t port, int in_flight, int count, std::string const& request, std::size_t answer_size) {
  int const poll = epoll_create1(EPOLL_CLOEXEC);
  std::vector<int> sockets;
  std::vector<std::size_t> have(4096);
  auto const at = loopback(port);
  for (int i = 0; i < in_flight; ++i) {
    int const fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, reinterpret_cast<sockaddr const*>(&at), sizeof at) != 0) std::exit(1);
    int const one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    epoll_event on{.events = EPOLLIN, .data = {.fd = fd}};
    epoll_ctl(poll, EPOLL_CTL_ADD, fd, &on);
    sockets.push_back(fd);
  }
  auto const ask = [&](int fd) {
    std::string_view rest = request;
    while (!rest.empty()) {
      auto const sent = send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent <= 0) std::exit(1);
      rest.remove_prefix(static_cast<std::size_t>(sent));
    }
  };
  auto const start = std::chrono::steady_clock::now();
  int asked = 0, answered = 0;
  for (int const fd : sockets) ask(fd), ++asked;
  std::vector<char> buffer(256u << 10);
  while (answered < count) {
    epoll_event events[64];
    int const n = epoll_wait(poll, events, 64, 5000);
    if (n == 0) {
      std::fprintf(stderr, "no answer for five seconds\n");
      std::exit(1);
    }
    for (int i = 0; i < n; ++i) {
      int const fd = events[i].data.fd;
      auto const got = recv(fd, buffer.data(), buffer.size(), 0);
      if (got <= 0) std::exit(1);
      auto& seen = have[static_cast<std::size_t>(fd)];
      seen += static_cast<std::size_t>(got);
      if (seen < answer_size) continue;
      if (seen > answer_size) {
        std::fprintf(stderr, "an answer of %zu bytes instead of %zu\n", seen, answer_size);
        std::exit(1);
      }
      seen = 0;
      ++answered;
      if (asked < count) ask(fd), ++asked;
    }
  }
  std::chrono::duration<double> const took = std::chrono::steady_clock::now() - start;
  for (int const fd : sockets) close(fd);
  close(poll);
  return took.count();
}

struct outcome {
  double cpu_us = 0, per_second = 0;
};

template <class Serve>
outcome measure(std::uint16_t port, Serve serve, std::atomic<bool>& stop, std::function<void()> const& wake,
                int in_flight, int count, std::string const& request, std::size_t answer_size) {
  stop = false;
  std::thread server(serve);
  drive(port, in_flight, in_flight * 20, request, answer_size);  // warm
  double const before = cpu_seconds(server.native_handle());
  double const seconds = drive(port, in_flight, count, request, answer_size);
  double const cpu = cpu_seconds(server.native_handle()) - before;
  stop = true;
  wake();
  server.join();
  return {.cpu_us = cpu * 1e6 / count, .per_second = count / seconds};
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
      std::atomic<bool> stop{false};

      int const listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      auto at = loopback(0);
      socklen_t size = sizeof at;
      if (bind(listener, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 || listen(listener, 128) != 0) return 1;
      getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size);
      auto const bare = measure(
          ntohs(at.sin_port), [&] { bare_responder(listener, request.size(), answer, stop); }, stop, [] {}, in_flight,
          count, request, answer.size());
      close(listener);

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
