#pragma once
// Lines from a person, with editing and a history, or from a pipe.

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace wherry::cli {

/// Reads lines from standard input. On a terminal lines can be edited and called back; Ctrl-C there drops the line.
class line_reader {
 public:
  line_reader();
  line_reader(line_reader const&) = delete;
  line_reader& operator=(line_reader const&) = delete;
  ~line_reader();

  /// The next line without its newline; nullopt at the end of input (Ctrl-D).
  std::optional<std::string> next(std::string const& prompt);

 private:
  class editor;
  std::unique_ptr<editor> editor_;  ///< Null when standard input is no terminal.
};

}  // namespace wherry::cli
