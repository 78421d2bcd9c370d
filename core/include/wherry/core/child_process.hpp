#pragma once
// Another program, started without a shell, spoken to through pipes, and ended for certain.

#include <wherry/core/clock.hpp>
#include <wherry/core/result.hpp>
#include <wherry/core/task.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wherry::inline v0 {

struct child_options {
  /// Program and arguments, as they are: no shell reads them. A program without '/' is looked for in PATH.
  std::vector<std::string> command;
  std::string directory;                                         ///< Where it runs; empty: where we run.
  std::vector<std::pair<std::string, std::string>> environment;  ///< Set, over what is inherited.
  bool inherit_environment = true;                               ///< False: it gets `environment` alone.
  std::size_t error_bytes_max = 64u << 10;                       ///< The last bytes of standard error are kept.
  std::function<void(std::string_view)> on_error_output;         ///< Called with each piece of it, on the executor.
  std::chrono::milliseconds grace{2000};  ///< How long stop waits after closing its input, and again after SIGTERM.
};

/// How a program ended.
struct child_exit {
  int code = -1;   ///< Exit status; -1 when a signal ended it, or when nobody can know.
  int signal = 0;  ///< The signal that ended it; 0 for none.

  bool clean() const noexcept { return code == 0; }
  friend bool operator==(child_exit const&, child_exit const&) = default;
};
std::string to_string(child_exit const& e);

/// A running child. Move-only; belongs to its executor, where one thread at a time uses it.
///
/// The child leads a process group of its own; signals go to all of it, and what is left of the group when the child
/// has ended is killed. It inherits no descriptor but its three pipes, and the default signal handlers. Destroying the
/// object kills the group at once; the child is reaped.
class child_process {
 public:
  /// Starts the program.
  /// Fails with: the system's code (no such file, permission denied, ...), the message naming the program;
  /// errc::invalid_argument for an empty command or a NUL in a text.
  static result<child_process> start(boost::asio::any_io_executor executor, child_options options);

  child_process(child_process&&) noexcept;
  child_process& operator=(child_process&&) noexcept;
  ~child_process();

  /// The next bytes of its standard output, "" at the end. The view lasts until the next call.
  /// Fails with: errc::cancelled; errc::io_failed.
  task<result<std::string_view>> async_read();

  /// Writes all of it to its standard input. One write at a time.
  /// Fails with: errc::io_failed when the child has closed its input or is gone (no SIGPIPE is raised);
  /// errc::deadline_exceeded when it does not read; errc::cancelled. Part of the text may have been written.
  task<result<void>> async_write(std::string_view text, deadline until = no_deadline);

  /// Ends its standard input. No effect the second time.
  void close_input();

  /// Waits for its end. Several may wait. Fails with: errc::deadline_exceeded, errc::cancelled.
  task<result<child_exit>> async_wait(deadline until = no_deadline);

  /// Ends it: closes its input, after `grace` sends SIGTERM, after `grace` again SIGKILL. At once when it has ended.
  task<child_exit> async_stop();

  /// How it ended; nullopt while it runs, as far as is known.
  std::optional<child_exit> exit() const;
  int pid() const noexcept;
  /// Sends a signal to its process group; no effect after its end.
  void signal(int number);

  /// The last error_bytes_max bytes of its standard error, on whole code points.
  std::string error_text() const;
  /// How many bytes of it were dropped before those.
  std::size_t error_bytes_dropped() const;

  struct impl;

 private:
  explicit child_process(std::shared_ptr<impl> i) noexcept;
  std::shared_ptr<impl> impl_;
};

/// When a child that ended by itself is started again. Data; restart_schedule applies it.
struct restart_policy {
  int restarts_max = 5;  ///< Within `window`; 0: never.
  std::chrono::milliseconds window{60'000};
  std::chrono::milliseconds first_delay{
      200};  ///< Before the first restart; doubled for each further one in the window.
  std::chrono::milliseconds delay_max{10'000};

  /// A child that ended stays ended.
  static constexpr restart_policy never() noexcept;
  /// Started again after each end of its own, within the bounds above.
  static constexpr restart_policy on_exit() noexcept;
};
constexpr restart_policy restart_policy::never() noexcept { return {.restarts_max = 0}; }
constexpr restart_policy restart_policy::on_exit() noexcept { return {}; }

/// Decides about restarts. No I/O, no clock of its own.
class restart_schedule {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  explicit restart_schedule(restart_policy policy = {}) : policy_(policy) {}

  /// The child ended at `now`: how long to wait before starting it again; nullopt: give up.
  std::optional<std::chrono::milliseconds> ended(time_point now);
  int restarts_in_window() const noexcept { return static_cast<int>(recent_.size()); }

 private:
  restart_policy policy_;
  std::deque<time_point> recent_;
};

}  // namespace wherry::inline v0
