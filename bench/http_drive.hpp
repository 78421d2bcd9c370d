#pragma once
// What the benchmarks of servers over HTTP share: a driver on plain sockets, a responder that reads and writes the same
// bytes and does nothing else, and the CPU clock of the thread that serves.

#include <algorithm>
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

namespace wherry_bench {

inline double cpu_seconds(pthread_t thread) {
  clockid_t clock{};
  timespec t{};
  pthread_getcpuclockid(thread, &clock);
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return at;
}

// Reads requests of a known size and writes answers of a known size.
inline void bare_responder(int listener, std::size_t request_size, std::string const& answer,
                           std::atomic<bool> const& stop) {
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
// Returns: the seconds it took; the milliseconds of each answer go to `latencies`, where somebody wants them, and to
// `turns` how many answers came from one answer of a connection to its next: all at their fair turn, that is in_flight.
inline double drive(std::uint16_t port, int in_flight, int count, std::string const& request, std::size_t answer_size,
                    std::vector<double>* latencies = nullptr, std::vector<double>* turns = nullptr) {
  using clock = std::chrono::steady_clock;
  std::vector<clock::time_point> since(4096);
  int const poll = epoll_create1(EPOLL_CLOEXEC);
  std::vector<int> sockets;
  std::vector<std::size_t> have(4096);
  std::vector<int> last_turn(4096);
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
    if (latencies) since[static_cast<std::size_t>(fd)] = clock::now();
    std::string_view rest = request;
    while (!rest.empty()) {
      auto const sent = send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent <= 0) std::exit(1);
      rest.remove_prefix(static_cast<std::size_t>(sent));
    }
  };
  auto const start = clock::now();
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
      if (latencies)
        latencies->push_back(
            std::chrono::duration<double, std::milli>(clock::now() - since[static_cast<std::size_t>(fd)]).count());
      ++answered;
      auto& last = last_turn[static_cast<std::size_t>(fd)];
      if (turns && last > 0) turns->push_back(answered - last);
      last = answered;
      if (asked < count) ask(fd), ++asked;
    }
  }
  std::chrono::duration<double> const took = clock::now() - start;
  for (int const fd : sockets) close(fd);
  close(poll);
  return took.count();
}

/// A listening socket on loopback, and its port.
inline int listen_on_loopback(std::uint16_t& port) {
  int const listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto at = loopback(0);
  socklen_t size = sizeof at;
  if (bind(listener, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 || listen(listener, 128) != 0) std::exit(1);
  getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size);
  port = ntohs(at.sin_port);
  return listener;
}

struct outcome {
  double cpu_us = 0, per_second = 0;
  std::vector<double> ms = {};  ///< Of each answer, as measured by the driver.
};

template <class Serve>
outcome measure(std::uint16_t port, Serve serve, std::atomic<bool>& stop, std::function<void()> const& wake,
                int in_flight, int count, std::string const& request, std::size_t answer_size) {
  stop = false;
  std::thread server(serve);
  drive(port, in_flight, in_flight * 20, request, answer_size);  // warm
  double const before = cpu_seconds(server.native_handle());
  std::vector<double> ms;
  double const seconds = drive(port, in_flight, count, request, answer_size, &ms);
  double const cpu = cpu_seconds(server.native_handle()) - before;
  stop = true;
  wake();
  server.join();
  return {.cpu_us = cpu * 1e6 / count, .per_second = count / seconds, .ms = std::move(ms)};
}

/// The responder that does nothing else, at the same byte counts.
inline outcome measure_bare(int in_flight, int count, std::string const& request, std::string const& answer) {
  std::atomic<bool> stop{false};
  std::uint16_t port = 0;
  int const listener = listen_on_loopback(port);
  auto const seen = measure(
      port, [&] { bare_responder(listener, request.size(), answer, stop); }, stop, [] {}, in_flight, count, request,
      answer.size());
  close(listener);
  return seen;
}

}  // namespace wherry_bench
