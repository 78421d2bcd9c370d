#pragma once
// Ctrl-C while something is under way: it cancels that, not the program.

#include <functional>
#include <thread>

namespace wherry::cli {

/// As long as it lives, the first Ctrl-C calls `cancel` (on a thread of its own) and the second one ends the program
/// with exit code 130. One at a time.
class interrupt_guard {
 public:
  explicit interrupt_guard(std::function<void()> cancel);
  interrupt_guard(interrupt_guard const&) = delete;
  interrupt_guard& operator=(interrupt_guard const&) = delete;
  ~interrupt_guard();

 private:
  int pipe_[2] = {-1, -1};
  std::thread watcher_;
};

}  // namespace wherry::cli
