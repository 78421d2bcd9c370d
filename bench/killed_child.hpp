#pragma once
// A child that runs this program, tells through a pipe how far it is, and is killed with SIGKILL at a drawn moment.

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace killed_child {

/// What the child sends: small enough that a pipe takes it whole or not at all.
struct told {
  std::uint32_t what = 0;
  std::uint64_t number = 0;
};

/// Killed `delay` after it told of `aim`, once it has told so many things.
struct plan {
  std::size_t after = 0;
  std::uint32_t aim = 0;
  std::chrono::microseconds delay{0};
};

struct outcome {
  std::vector<told> heard;
  std::string wrong;  ///< Not empty: it hung, or ended by itself.
};

inline constexpr int silence_max_ms = 120'000;

inline void tell(int pipe, told one) {
  if (::write(pipe, &one, sizeof one) != sizeof one) std::_Exit(3);
}

/// Runs this program as NAME --child PIPE ARGUMENTS...
inline outcome run(std::vector<std::string> arguments, plan const& p) {
  int ends[2];
  if (::pipe(ends) != 0) std::abort();
  std::vector<std::string> words{"killed-child", "--child", std::to_string(ends[1])};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  auto const pid = ::fork();
  if (pid == 0) {
    ::close(ends[0]);
    ::execv("/proc/self/exe", argv.data());
    std::_Exit(127);
  }
  ::close(ends[1]);
  outcome out;
  told one;
  pollfd ready{ends[0], POLLIN, 0};
  bool killed = false;
  for (;;) {
    if (::poll(&ready, 1, silence_max_ms) <= 0) {
      out.wrong = "the child hangs";
      ::kill(pid, SIGKILL);
      break;
    }
    if (::read(ends[0], &one, sizeof one) != sizeof one) break;
    out.heard.push_back(one);
    if (killed || out.heard.size() < p.after || one.what != p.aim) continue;
    auto const until = std::chrono::steady_clock::now() + p.delay;
    while (std::chrono::steady_clock::now() < until) {
    }
    ::kill(pid, SIGKILL);
    killed = true;
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (!WIFSIGNALED(status) && out.wrong.empty())
    out.wrong = "the child ended by itself with status " + std::to_string(status);
  return out;
}

}  // namespace killed_child
