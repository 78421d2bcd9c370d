#pragma once
// Runs the built command as a person or a script would.

#include <sys/types.h>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wherry_test {

struct outcome {
  int code = -1;  ///< Exit code; -1 when a signal ended it.
  std::string out;
  std::string err;
};

using environment = std::vector<std::pair<std::string, std::string>>;

/// Runs `wherry` with these arguments, `input` on standard input, and WHERRY_MODEL unset unless `extra` sets it.
outcome wherry(std::vector<std::string> arguments, std::string const& input = "", environment const& extra = {});
/// Runs any program the same way.
outcome run_program(std::vector<std::string> arguments, std::string const& input = "", environment const& extra = {});

/// The command under way, on a pipe or on a terminal of its own.
class process {
 public:
  enum class on { pipe, terminal };
  process(std::vector<std::string> arguments, on where, environment const& extra = {});
  process(process const&) = delete;
  process& operator=(process const&) = delete;
  ~process();

  void write(std::string_view text);
  /// Reads what it says until `text` was seen. False after ten seconds or at its end.
  bool wait_for(std::string_view text);
  void signal(int number);
  /// Closes its input, waits for its end. Returns: the exit code, or -1.
  int end();
  std::string const& seen() const { return seen_; }

 private:
  bool read_some(std::chrono::steady_clock::time_point until);

  pid_t pid_ = -1;
  int to_ = -1;
  int from_ = -1;
  std::string seen_;  ///< Standard output and error as they came.
};

}  // namespace wherry_test
