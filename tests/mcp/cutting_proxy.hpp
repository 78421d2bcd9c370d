#pragma once
// Between a client and a server on loopback: passes bytes on, and cuts a connection where the test says.

#include "../support/http_loop.hpp"

#include <mutex>
#include <vector>

namespace wherry_test {

class cutting_proxy {
 public:
  /// `keep(seen)` is asked after each piece from the server with all of the connection's bytes so far; the connection
  /// is reset once it names fewer: these are still passed on.
  using rule = std::function<std::size_t(std::string const& seen)>;
  static constexpr std::size_t all = std::string::npos;

  cutting_proxy(std::uint16_t server, rule keep)
      : server_(server), keep_(std::move(keep)), fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    if (::bind(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 || ::listen(fd_, 64) != 0 ||
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size) != 0)
      throw std::runtime_error("listen failed");
    port_ = ntohs(at.sin_port);
    accepting_ = std::thread([this] { accept(); });
  }
  cutting_proxy(cutting_proxy const&) = delete;
  ~cutting_proxy() {
    over_ = true;
    ::shutdown(fd_, SHUT_RDWR);
    accepting_.join();
    for (auto& t : threads_) t.join();
    ::close(fd_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/mcp"; }
  int cuts() const { return cuts_; }

 private:
  void accept() {
    for (;;) {
      int const fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      threads_.emplace_back([this, fd] { pass_on(fd); });
    }
  }

  void pass_on(int fd) {
    raw_client client(raw_client::adopt{fd});
    raw_client server(server_);
    std::string seen;
    char bytes[16 * 1024];
    while (!over_) {
      pollfd both[2] = {{.fd = client.fd(), .events = POLLIN, .revents = 0},
                        {.fd = server.fd(), .events = POLLIN, .revents = 0}};
      if (::poll(both, 2, 20) <= 0) continue;
      if (both[0].revents != 0) {
        auto const n = ::recv(client.fd(), bytes, sizeof bytes, 0);
        if (n <= 0 || !server.send({bytes, static_cast<std::size_t>(n)})) return;
      }
      if (both[1].revents == 0) continue;
      auto const n = ::recv(server.fd(), bytes, sizeof bytes, 0);
      if (n <= 0) return;
      auto const before = seen.size();
      seen.append(bytes, static_cast<std::size_t>(n));
      auto const kept = keep_(seen);
      if (kept >= seen.size()) {
        if (!client.send({bytes, static_cast<std::size_t>(n)})) return;
        continue;
      }
      if (kept > before) client.send({bytes, kept - before});
      ++cuts_;
      return;  // both ends see it: what was not read yet makes it a reset for the server
    }
  }

  std::uint16_t server_;
  rule keep_;
  int fd_;
  std::uint16_t port_ = 0;
  std::atomic<bool> over_{false};
  std::atomic<int> cuts_{0};
  std::vector<std::thread> threads_;
  std::thread accepting_;
};

}  // namespace wherry_test
