#pragma once
// Servers as processes of their own, for benchmarks: started, spoken to over pipes or loopback, and looked at through
// the system's clocks.

#include "http_drive.hpp"

#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

namespace wherry_bench {

[[noreturn]] inline void fail(std::string const& what, std::string_view about = {}) {
  std::fprintf(stderr, "%s: %.500s\n", what.c_str(), std::string(about).c_str());
  std::exit(1);
}

inline double milliseconds_since(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - since).count();
}

/// User and system seconds of another process so far, all of its threads.
inline double cpu_seconds_of(pid_t pid) {
  clockid_t clock{};
  timespec t{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0) fail("a server is gone");
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

/// A line of /proc/PID/status, in MiB.
inline double status_mib(pid_t pid, std::string_view line) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; status >> word;)
    if (double kib = 0; word == line && status >> kib) return kib / 1024;
  return 0;
}
inline double resident_mib(pid_t pid) { return status_mib(pid, "VmRSS:"); }
inline double resident_max_mib(pid_t pid) { return status_mib(pid, "VmHWM:"); }

/// A server's process; with pipes, one that is spoken to by lines. Ends with this object.
class peer_process {
 public:
  using line_of = std::function<std::string(int id)>;

  /// `variable` (NAME=VALUE) is added to the environment unless empty.
  peer_process(std::vector<std::string> const& command, std::string const& variable, bool with_pipes = false) {
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    if (with_pipes && (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)) fail("no pipe");
    std::vector<char*> words;
    for (auto const& w : command) words.push_back(const_cast<char*>(w.c_str()));
    words.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      int const nothing = open("/dev/null", O_RDWR);
      dup2(with_pipes ? in[0] : nothing, STDIN_FILENO);
      dup2(with_pipes ? out[1] : nothing, STDOUT_FILENO);
      dup2(nothing, STDERR_FILENO);
      if (!variable.empty()) putenv(const_cast<char*>(variable.c_str()));
      execvp(words[0], words.data());
      _exit(127);
    }
    if (!with_pipes) return;
    close(in[0]);
    close(out[1]);
    to_ = in[1];
    from_ = out[0];
    fcntl(to_, F_SETFL, O_NONBLOCK);
  }
  peer_process(peer_process const&) = delete;
  peer_process& operator=(peer_process const&) = delete;
  ~peer_process() {
    if (to_ >= 0) close(to_);
    if (from_ >= 0) close(from_);
    kill(pid_, SIGTERM);
    for (int i = 0; i < 200; ++i) {
      if (waitpid(pid_, nullptr, WNOHANG) == pid_) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  pid_t pid() const noexcept { return pid_; }

  void say(std::string const& line) {
    unsent_ += line + '\n';
    flush();
  }

  /// Asks `count` times, `in_flight` at a time, and waits for all answers; each must have a result. Returns: seconds.
  double exchange(line_of const& ask, int in_flight, int count, std::vector<double>* ms = nullptr) {
    auto const start = std::chrono::steady_clock::now();
    int asked = 0, answered = 0;
    while (answered < count) {
      for (; asked < count && asked - answered < in_flight; ++asked) {
        auto const id = ++ids_;
        since_[id] = std::chrono::steady_clock::now();
        unsent_ += ask(id) + '\n';
      }
      flush();
      pollfd p[2] = {{from_, POLLIN, 0}, {unsent_.empty() ? -1 : to_, POLLOUT, 0}};
      if (poll(p, 2, 10'000) <= 0) fail("no answer for ten seconds");
      if ((p[0].revents & (POLLIN | POLLHUP)) == 0) continue;
      auto const n = read(from_, buffer_.data(), buffer_.size());
      if (n <= 0) fail("a server ended");
      seen_.append(buffer_.data(), static_cast<std::size_t>(n));
      answered += take_lines(ms);
    }
    return milliseconds_since(start) / 1000;
  }

 private:
  void flush() {
    if (unsent_.empty()) return;
    auto const n = write(to_, unsent_.data(), unsent_.size());
    if (n > 0) unsent_.erase(0, static_cast<std::size_t>(n));
  }

  int take_lines(std::vector<double>* ms) {
    int lines = 0;
    std::size_t from = 0;
    for (auto end = seen_.find('\n', scanned_); end != std::string::npos; end = seen_.find('\n', from)) {
      auto const line = std::string_view(seen_).substr(from, end - from);
      from = end + 1;
      if (line.find("\"result\"") == std::string_view::npos) fail("no result", line);
      // Some say the id first, some last; nobody says it within the echoed text.
      auto at = line.substr(0, 64).find("\"id\":");
      if (at == std::string_view::npos) at = line.rfind("\"id\":");
      auto const asked = since_.find(std::atoi(line.data() + at + 5));
      if (asked == since_.end()) fail("an answer to nothing", line);
      if (ms) ms->push_back(milliseconds_since(asked->second));
      since_.erase(asked);
      ++lines;
    }
    seen_.erase(0, from);
    scanned_ = seen_.size();
    return lines;
  }

  pid_t pid_ = -1;
  int to_ = -1, from_ = -1, ids_ = 1'000'000;
  std::string unsent_, seen_;
  std::size_t scanned_ = 0;  ///< Of `seen_`: no line ends before.
  std::string buffer_ = std::string(256 * 1024, '\0');
  std::unordered_map<int, std::chrono::steady_clock::time_point> since_;
};

/// The responder that does nothing else, as a process.
class bare_process {
 public:
  bare_process(std::size_t request_size, std::string const& answer) {
    int const listener = listen_on_loopback(port_);
    pid_ = fork();
    if (pid_ == 0) bare_responder(listener, request_size, answer, std::atomic<bool>{false});
    close(listener);
  }
  bare_process(bare_process const&) = delete;
  bare_process& operator=(bare_process const&) = delete;
  ~bare_process() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const noexcept { return pid_; }
  std::uint16_t port() const noexcept { return port_; }

 private:
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
};

/// Whether an answer of HTTP/1.1 is whole: by Content-Length, by chunks, or without a body.
inline bool is_whole(std::string const& answer) {
  auto const head = answer.find("\r\n\r\n");
  if (head == std::string::npos) return false;
  auto low = answer.substr(0, head);
  std::ranges::transform(low, low.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (auto const at = low.find("\r\ncontent-length: "); at != std::string::npos)
    return answer.size() >= head + 4 + std::strtoull(low.c_str() + at + 18, nullptr, 10);
  return low.find("\r\ntransfer-encoding: chunked") == std::string::npos || answer.ends_with("\r\n0\r\n\r\n");
}

/// Sends one request as soon as somebody listens. Returns: the answer, head and body as they came; its status is 2xx.
inline std::string ask_when_there(std::uint16_t port, std::string const& request) {
  auto const until = std::chrono::steady_clock::now() + std::chrono::seconds(15);
  auto const at = loopback(port);
  int fd = -1;
  for (;;) {
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, reinterpret_cast<sockaddr const*>(&at), sizeof at) == 0) break;
    close(fd);
    if (std::chrono::steady_clock::now() > until) fail("nobody listens");
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
  std::string_view rest = request;
  while (!rest.empty()) {
    auto const sent = send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent <= 0) fail("a server does not read");
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
  std::string answer;
  while (!is_whole(answer)) {
    char buffer[64 * 1024];
    pollfd p{fd, POLLIN, 0};
    auto const got = poll(&p, 1, 10'000) > 0 ? recv(fd, buffer, sizeof buffer, 0) : -1;
    if (got <= 0) fail("no answer", answer);
    answer.append(buffer, static_cast<std::size_t>(got));
  }
  close(fd);
  if (!answer.starts_with("HTTP/1.1 2")) fail("refused", answer);
  return answer;
}

}  // namespace wherry_bench
