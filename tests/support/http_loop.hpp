#pragma once
// A server on a loop of its own thread, and plain blocking sockets to pull at it byte by byte.

#include <wherry/core/runtime.hpp>
#include <wherry/http/server.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include <catch2/catch_test_macros.hpp>

#include <dirent.h>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace wherry_test {

/// An event loop on a thread of its own; ends with the object.
class loop_thread {
 public:
  loop_thread() : guard_(loop_.get_executor()), thread_([this] { loop_.run(); }) {}
  ~loop_thread() {
    guard_.reset();
    loop_.stop();
    thread_.join();
  }
  boost::asio::any_io_executor executor() { return loop_.get_executor(); }
  /// Runs a function on the loop and waits for it.
  template <class F>
  auto on_loop(F f) {
    std::packaged_task<decltype(f())()> job(std::move(f));
    auto done = job.get_future();
    boost::asio::post(loop_, [&job] { job(); });
    return done.get();
  }
  template <class T>
  T await(wherry::task<T> work) {
    return boost::asio::co_spawn(loop_, std::move(work), boost::asio::use_future).get();
  }

 private:
  boost::asio::io_context loop_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
  std::thread thread_;
};

/// A server on such a loop.
class running_server {
 public:
  explicit running_server(wherry::http_handler handler, wherry::http_server_options options = {}) {
    loop.on_loop([&] {
      auto made = wherry::http_server::start(loop.executor(), std::move(options), std::move(handler));
      if (!made) throw std::runtime_error(to_string(made.error()));
      server.emplace(std::move(*made));
    });
  }
  ~running_server() {
    loop.await(server->async_stop(std::chrono::milliseconds(0)));
    loop.on_loop([&] { server.reset(); });
  }
  std::uint16_t port() const { return server->port(); }
  std::string url(std::string const& path = "/") const { return server->origin() + path; }

  loop_thread loop;
  std::optional<wherry::http_server> server;
};

/// A blocking TCP connection to loopback. Every wait ends within five seconds.
class raw_client {
 public:
  explicit raw_client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) throw std::runtime_error("connect failed");
  }
  raw_client(raw_client const&) = delete;
  ~raw_client() { close(); }
  void close() {
    std::lock_guard const lock(ending_);
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  /// Ends what another thread waits for here.
  void shut_down() {
    std::lock_guard const lock(ending_);
    if (fd_ >= 0) ::shutdown(fd_, SHUT_RDWR);
  }
  /// Closes with a reset instead of an orderly end.
  void reset() {
    linger const now{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }
  bool send(std::string_view text) {
    while (!text.empty()) {
      auto const n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  /// Reads until `text` has been seen (or the end); gives all that was read since the last call.
  std::string until(std::string_view text) {
    std::string seen = std::move(rest_);
    rest_.clear();
    for (;;) {
      auto const at = text.empty() ? std::string::npos : seen.find(text);
      if (at != std::string::npos) {
        rest_ = seen.substr(at + text.size());
        seen.resize(at + text.size());
        return seen;
      }
      pollfd p{.fd = fd_, .events = POLLIN, .revents = 0};
      if (::poll(&p, 1, 5000) <= 0) return seen + "<nothing for five seconds>";
      char bytes[4096];
      auto const n = ::recv(fd_, bytes, sizeof bytes, 0);
      if (n <= 0) return seen;
      seen.append(bytes, static_cast<std::size_t>(n));
    }
  }
  std::string until_end() { return until({}); }
  int fd() const { return fd_; }
  /// Takes over a connected socket.
  struct adopt {
    int fd;
  };
  explicit raw_client(adopt a) : fd_(a.fd) {}

 private:
  std::mutex ending_;  ///< Against the descriptor's number being somebody else's by then.
  int fd_;
  std::string rest_;
};

/// A listener whose connections are played by a script, one after another, on a thread of its own.
class scripted_peer {
 public:
  explicit scripted_peer(std::function<void(raw_client&)> script, int connections = 1)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    if (::bind(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 || ::listen(fd_, 16) != 0 ||
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size) != 0)
      throw std::runtime_error("listen failed");
    port_ = ntohs(at.sin_port);
    thread_ = std::thread([this, script = std::move(script), connections] {
      for (int i = 0; i < connections; ++i) {
        pollfd p{.fd = fd_, .events = POLLIN, .revents = 0};
        if (::poll(&p, 1, 5000) <= 0) return;
        raw_client connection(raw_client::adopt{::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC)});
        script(connection);
      }
    });
  }
  ~scripted_peer() {
    thread_.join();
    ::close(fd_);
  }
  std::string url(std::string const& path = "/") const { return "http://127.0.0.1:" + std::to_string(port_) + path; }

 private:
  int fd_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

/// Time since its beginning, and how late this machine wakes its threads meanwhile: a bound on a wait is a bound on our
/// code, not on what else runs here.
class took {
 public:
  took() : from_(std::chrono::steady_clock::now()), watcher_([this] { watch(); }) {}
  took(took const&) = delete;
  ~took() {
    done_ = true;
    watcher_.join();
  }
  std::chrono::milliseconds ms() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - from_);
  }
  bool within(std::chrono::milliseconds limit) const { return ms() <= limit + std::chrono::milliseconds(3 * late_ms_); }

 private:
  void watch() {
    while (!done_) {
      auto const due = std::chrono::steady_clock::now() + std::chrono::milliseconds(2);
      std::this_thread::sleep_until(due);
      auto const late =
          std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - due).count();
      if (late > late_ms_) late_ms_ = late;
    }
  }
  std::chrono::steady_clock::time_point const from_;
  std::atomic<bool> done_{false};
  std::atomic<std::int64_t> late_ms_{0};
  std::thread watcher_;
};

inline std::size_t open_descriptors() {
  std::size_t n = 0;
  if (auto* const dir = ::opendir("/proc/self/fd")) {
    while (::readdir(dir)) ++n;
    ::closedir(dir);
  }
  return n;
}

}  // namespace wherry_test
