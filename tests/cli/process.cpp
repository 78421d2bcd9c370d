#include "process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <stdexcept>

namespace wherry_test {
namespace {

using clock = std::chrono::steady_clock;
constexpr auto patience = std::chrono::seconds(60);  // far beyond what any of them takes

[[noreturn]] void become(std::vector<std::string> const& arguments, environment const& extra) {
  unsetenv("WHERRY_MODEL");
  for (auto const& [name, value] : extra) setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> list;
  for (auto const& a : arguments) list.push_back(const_cast<char*>(a.c_str()));
  list.push_back(nullptr);
  execvp(list[0], list.data());
  _exit(127);
}

struct pipe_ends {
  int read_end = -1;
  int write_end = -1;
  pipe_ends() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    read_end = ends[0];
    write_end = ends[1];
  }
};

int exit_code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }

// False at the end of the stream.
bool append_available(int from, std::string& to) {
  char buffer[4096];
  auto const got = read(from, buffer, sizeof buffer);
  if (got > 0) to.append(buffer, static_cast<std::size_t>(got));
  return got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN));
}

}  // namespace

outcome run_program(std::vector<std::string> arguments, std::string const& input, environment const& extra) {
  pipe_ends in, out, err;
  pid_t const pid = fork();
  if (pid == 0) {
    dup2(in.read_end, STDIN_FILENO);
    dup2(out.write_end, STDOUT_FILENO);
    dup2(err.write_end, STDERR_FILENO);
    become(arguments, extra);
  }
  close(in.read_end);
  close(out.write_end);
  close(err.write_end);
  ::signal(SIGPIPE, SIG_IGN);  // a command that does not read its input is fine
  [[maybe_unused]] auto const written =
      ::write(in.write_end, input.data(), input.size());  // tests fit the pipe's buffer
  close(in.write_end);

  outcome result;
  auto const until = clock::now() + patience;
  bool out_open = true, err_open = true;
  while ((out_open || err_open) && clock::now() < until) {
    pollfd files[2] = {{out_open ? out.read_end : -1, POLLIN, 0}, {err_open ? err.read_end : -1, POLLIN, 0}};
    poll(files, 2, 1000);
    if (files[0].revents) out_open = append_available(out.read_end, result.out);
    if (files[1].revents) err_open = append_available(err.read_end, result.err);
  }
  if (out_open || err_open) kill(pid, SIGKILL);
  int status = 0;
  waitpid(pid, &status, 0);
  close(out.read_end);
  close(err.read_end);
  result.code = exit_code_of(status);
  return result;
}

outcome wherry(std::vector<std::string> arguments, std::string const& input, environment const& extra) {
  arguments.insert(arguments.begin(), WHERRY_COMMAND);
  return run_program(std::move(arguments), input, extra);
}

process::process(std::vector<std::string> arguments, on where, environment const& extra) {
  arguments.insert(arguments.begin(), WHERRY_COMMAND);
  if (where == on::terminal) {
    winsize size{24, 120, 0, 0};
    pid_ = forkpty(&from_, nullptr, nullptr, &size);
    if (pid_ == 0) {
      setenv("TERM", "xterm", 1);
      become(arguments, extra);
    }
    to_ = from_;
    return;
  }
  pipe_ends in, out;
  pid_ = fork();
  if (pid_ == 0) {
    dup2(in.read_end, STDIN_FILENO);
    dup2(out.write_end, STDOUT_FILENO);
    dup2(out.write_end, STDERR_FILENO);
    become(arguments, extra);
  }
  close(in.read_end);
  close(out.write_end);
  to_ = in.write_end;
  from_ = out.read_end;
}

process::~process() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(from_);
  if (to_ != from_ && to_ >= 0) close(to_);
}

void process::write(std::string_view text) {
  if (::write(to_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) throw std::runtime_error("write");
}

bool process::read_some(clock::time_point until) {
  auto const left = std::chrono::duration_cast<std::chrono::milliseconds>(until - clock::now()).count();
  if (left <= 0) return false;
  pollfd file{from_, POLLIN, 0};
  if (poll(&file, 1, static_cast<int>(left)) <= 0) return false;
  return append_available(from_, seen_);
}

bool process::wait_for(std::string_view text) {
  auto const until = clock::now() + patience;
  while (seen_.find(text) == std::string::npos)
    if (!read_some(until)) return false;
  return true;
}

void process::signal(int number) { kill(pid_, number); }

int process::end() {
  if (to_ != from_) {
    close(to_);
    to_ = -1;
  }
  auto const until = clock::now() + patience;
  while (read_some(until)) {
  }
  if (clock::now() >= until) kill(pid_, SIGKILL);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return exit_code_of(status);
}

}  // namespace wherry_test
