#pragma once
// The two streams of the command: standard output carries answers and data, standard error everything said to a person.

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace wherry::cli {

enum class style { plain, bold, dim, warning };

/// Whether standard input, output and error are a person's terminal.
bool input_is_terminal() noexcept;
bool output_is_terminal() noexcept;
bool notes_are_terminal() noexcept;

/// `text` in a style for standard error: unchanged unless that is a terminal which wants colour (NO_COLOR, TERM=dumb).
std::string styled(style how, std::string_view text);
/// The same for standard output.
std::string styled_output(style how, std::string_view text);

/// Text from a model or a tool made harmless for a terminal: control characters other than newline and tab become
/// U+FFFD, so no escape sequence in an answer can move the cursor or change the title.
std::string harmless(std::string_view text);
/// The same on one line of at most `columns_max` code points; what is cut shows as "…".
std::string one_line(std::string_view text, std::size_t columns_max);

/// "1 record", "2 records": a number and what is counted, for words that take an s.
std::string counted(std::size_t n, std::string_view what);

/// Columns of the terminal behind standard error; 80 when unknown.
std::size_t terminal_columns() noexcept;

/// Writes to standard output, and flushes: answers, data. On a terminal the text is made harmless.
void put(std::string_view text);
/// The same as it is, for text that the command itself has styled.
void put_raw(std::string_view text);
/// One line on standard error.
void say(std::string_view line);
/// "wherry: notice: …" on standard error.
void say_notice(std::string_view text);
/// Part of a line on standard error.
void say_part(std::string_view text);

/// Tells what takes long: nothing for two seconds, then one line on standard error; on a terminal it counts the seconds
/// and is wiped at the end.
class slow_work {
 public:
  explicit slow_work(std::string what);
  slow_work(slow_work const&) = delete;
  slow_work& operator=(slow_work const&) = delete;
  ~slow_work();

 private:
  void watch();

  std::string what_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::thread watcher_;
};

/// "96.0 MiB", "1.5 GiB", "12 bytes".
std::string bytes_text(std::size_t bytes);
/// "1.2 s", "340 ms".
std::string duration_text(std::chrono::nanoseconds time);
/// With one digit behind the point: "31.4".
std::string tenths(double value);

}  // namespace wherry::cli
