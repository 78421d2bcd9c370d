#include "line_reader.hpp"

#include "terminal.hpp"

#include <histedit.h>
#include <signal.h>

#include <cerrno>
#include <cstdio>
#include <iostream>
#include <stdexcept>

namespace wherry::cli {
namespace {

constexpr int history_lines_max = 500;

sig_atomic_t volatile line_dropped = 0;
void on_interrupt(int) { line_dropped = 1; }

}  // namespace

/// libedit, with Ctrl-C as "drop this line" while a line is read.
class line_reader::editor {
 public:
  editor() : line_(el_init("wherry", stdin, stdout, stderr)), history_(history_init()) {
    if (!line_ || !history_) throw std::runtime_error("the line editor could not be set up");
    HistEvent event;
    history(history_, &event, H_SETSIZE, history_lines_max);
    el_set(line_, EL_CLIENTDATA, this);
    el_set(line_, EL_PROMPT, &editor::prompt);
    el_set(line_, EL_EDITOR, "emacs");
    el_set(line_, EL_HIST, history, history_);
    el_set(line_, EL_SIGNAL, 0);
    el_source(line_, nullptr);
  }
  editor(editor const&) = delete;
  editor& operator=(editor const&) = delete;
  ~editor() {
    if (line_) el_end(line_);
    if (history_) history_end(history_);
  }

  std::optional<std::string> next(std::string const& prompt_text) {
    prompt_ = prompt_text;
    while (true) {
      line_dropped = 0;
      int length = 0;
      char const* const text = read_line(length);
      if (line_dropped) {
        put_raw("\n");
        el_reset(line_);
        say(styled(style::dim, "(/quit or Ctrl-D leaves)"));
        continue;
      }
      if (!text || length <= 0) return std::nullopt;
      std::string line(text, static_cast<std::size_t>(length));
      if (line.back() == '\n') line.pop_back();
      HistEvent event;
      if (!line.empty()) history(history_, &event, H_ENTER, line.c_str());
      return line;
    }
  }

 private:
  // Without SA_RESTART, so that the read under way ends.
  char const* read_line(int& length) {
    struct sigaction drop{}, before{};
    drop.sa_handler = on_interrupt;
    sigaction(SIGINT, &drop, &before);
    char const* const text = el_gets(line_, &length);
    sigaction(SIGINT, &before, nullptr);
    return text;
  }

  static char* prompt(EditLine* line) {
    editor* self = nullptr;
    el_get(line, EL_CLIENTDATA, &self);
    return self->prompt_.data();
  }

  EditLine* line_;
  History* history_;
  std::string prompt_;
};

line_reader::line_reader() : editor_(input_is_terminal() && output_is_terminal() ? new editor : nullptr) {}
line_reader::~line_reader() = default;

std::optional<std::string> line_reader::next(std::string const& prompt) {
  if (editor_) return editor_->next(prompt);
  std::string line;
  if (!std::getline(std::cin, line)) return std::nullopt;
  return line;
}

}  // namespace wherry::cli
