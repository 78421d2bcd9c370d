#include "interrupt.hpp"

#include "outcome.hpp"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <system_error>

namespace wherry::cli {
namespace {

// What the handler may touch: lock-free atomics and write(2). Set while a guard lives.
std::atomic<int> signal_pipe{-1};
std::atomic<int> interrupts{0};
static_assert(std::atomic<int>::is_always_lock_free);

struct sigaction previous_action;

constexpr char interrupted = 'i';
constexpr char finished = 'f';

void on_interrupt(int) {
  if (interrupts.fetch_add(1) > 0) _exit(exit_interrupted);
  int const saved = errno;
  [[maybe_unused]] auto const ignored = write(signal_pipe.load(), &interrupted, 1);
  errno = saved;
}

}  // namespace

interrupt_guard::interrupt_guard(std::function<void()> cancel) {
  if (pipe(pipe_) != 0) throw std::system_error(errno, std::generic_category(), "a pipe for Ctrl-C");
  interrupts = 0;
  signal_pipe = pipe_[1];
  watcher_ = std::thread([from = pipe_[0], act = std::move(cancel)] {
    char what = 0;
    while (read(from, &what, 1) == 1 && what == interrupted) act();
  });
  struct sigaction action{};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, &previous_action);
}

interrupt_guard::~interrupt_guard() {
  sigaction(SIGINT, &previous_action, nullptr);
  [[maybe_unused]] auto const ignored = write(pipe_[1], &finished, 1);
  watcher_.join();
  signal_pipe = -1;
  close(pipe_[0]);
  close(pipe_[1]);
}

}  // namespace wherry::cli
