#include "terminal.hpp"

#include <wherry/core/text.hpp>

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace wherry::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto slow_after = 2s;
constexpr std::string_view replacement = "\xEF\xBF\xBD";
constexpr std::string_view ellipsis = "\xE2\x80\xA6";

bool colour_wanted() noexcept {
  if (char const* no = std::getenv("NO_COLOR"); no && *no) return false;
  char const* term = std::getenv("TERM");
  return term && std::string_view(term) != "dumb";
}

std::string with_style(style how, std::string_view text, bool coloured) {
  if (!coloured || how == style::plain) return std::string(text);
  char const* const begin = how == style::bold ? "\x1b[1m" : how == style::dim ? "\x1b[2m" : "\x1b[33m";
  return begin + std::string(text) + "\x1b[0m";
}

// C0 but for newline and tab, DEL, and C1 (U+0080 to U+009F), which terminals obey too.
bool is_control(std::string_view code_point) noexcept {
  auto const first = static_cast<unsigned char>(code_point.front());
  if (code_point.size() == 1) return (first < 0x20 && first != '\n' && first != '\t') || first == 0x7F;
  return first == 0xC2 && static_cast<unsigned char>(code_point[1]) < 0xA0;
}

std::size_t code_point_bytes(char lead) noexcept {
  auto const byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

std::string formatted(char const* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

}  // namespace

bool input_is_terminal() noexcept { return isatty(STDIN_FILENO) == 1; }
bool output_is_terminal() noexcept { return isatty(STDOUT_FILENO) == 1; }
bool notes_are_terminal() noexcept { return isatty(STDERR_FILENO) == 1; }

std::string styled(style how, std::string_view text) {
  return with_style(how, text, notes_are_terminal() && colour_wanted());
}

std::string styled_output(style how, std::string_view text) {
  return with_style(how, text, output_is_terminal() && colour_wanted());
}

std::string harmless(std::string_view text) {
  std::string const valid = utf8_repaired(text);
  std::string out;
  for (std::size_t i = 0; i < valid.size();) {
    std::string_view const code_point = std::string_view(valid).substr(i, code_point_bytes(valid[i]));
    out += is_control(code_point) ? replacement : code_point;
    i += code_point.size();
  }
  return out;
}

std::string counted(std::size_t n, std::string_view what) {
  return std::to_string(n) + ' ' + std::string(what) + (n == 1 ? "" : "s");
}

std::string one_line(std::string_view text, std::size_t columns_max) {
  std::string const clean = harmless(text);
  std::string out;
  std::size_t columns = 0;
  for (std::size_t i = 0; i < clean.size();) {
    if (++columns > columns_max) return out.append(ellipsis);
    std::size_t const bytes = code_point_bytes(clean[i]);
    if (clean[i] == '\n' || clean[i] == '\t')
      out += ' ';
    else
      out.append(clean, i, bytes);
    i += bytes;
  }
  return out;
}

std::size_t terminal_columns() noexcept {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

void put_raw(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void put(std::string_view text) { put_raw(output_is_terminal() ? harmless(text) : std::string(text)); }

void say_part(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

void say(std::string_view line) { say_part(std::string(line) + '\n'); }

void say_notice(std::string_view text) { say(styled(style::dim, "wherry: notice: " + std::string(text))); }

slow_work::slow_work(std::string what) : what_(std::move(what)), watcher_([this] { watch(); }) {}

slow_work::~slow_work() {
  {
    std::lock_guard const lock(mutex_);
    over_ = true;
  }
  changed_.notify_one();
  watcher_.join();
}

void slow_work::watch() {
  std::unique_lock lock(mutex_);
  auto const since = std::chrono::steady_clock::now();
  if (changed_.wait_for(lock, slow_after, [this] { return over_; })) return;
  if (!notes_are_terminal()) {
    say("wherry: " + what_ + " ...");
    return;
  }
  do {
    auto const seconds = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - since);
    say_part("\rwherry: " + what_ + " ... " + std::to_string(seconds.count()) + " s");
  } while (!changed_.wait_for(lock, 1s, [this] { return over_; }));
  say_part("\r" + std::string(terminal_columns() - 1, ' ') + "\r");
}

std::string bytes_text(std::size_t bytes) {
  constexpr double kib = 1024;
  auto const value = static_cast<double>(bytes);
  if (value < kib) return std::to_string(bytes) + " bytes";
  if (value < kib * kib) return tenths(value / kib) + " KiB";
  if (value < kib * kib * kib) return tenths(value / kib / kib) + " MiB";
  return tenths(value / kib / kib / kib) + " GiB";
}

std::string duration_text(std::chrono::nanoseconds time) {
  auto const milliseconds = std::chrono::duration<double, std::milli>(time).count();
  return milliseconds < 1000 ? formatted("%.0f ms", milliseconds) : formatted("%.1f s", milliseconds / 1000);
}

std::string tenths(double value) { return formatted("%.1f", value); }

}  // namespace wherry::cli
