// Answers with <think> and <tool_call> blocks among text.
#include "chat/answer_reader.hpp"

#include <algorithm>

namespace wherry::inline v0::detail::chat {
namespace {

constexpr std::string_view white_space = " \t\r\n";
constexpr std::string_view think_open = "<think>";
constexpr std::string_view think_close = "</think>";
constexpr std::string_view call_open = "<tool_call>";
constexpr std::string_view call_close = "</tool_call>";

class hermes_reader final : public answer_reader {
 public:
  explicit hermes_reader(answer_options const& options)
      : tools_(options.tools), state_(options.in_reasoning ? state::reasoning : state::text) {}

 private:
  enum class state { text, reasoning, before_object, object, behind_object };

  void take(char byte) override {
    switch (state_) {
      case state::text:
      case state::reasoning: return take_prose(byte);
      case state::before_object:
        if (white_space.find(byte) != std::string_view::npos) return;
        if (byte != '{') return broken("a tool call begins with {");
        state_ = state::object;
        [[fallthrough]];
      case state::object:
        held_ += byte;
        if (!scanner_.take(byte)) return;
        add_call(std::exchange(held_, {}), "name");
        state_ = state::behind_object;
        return;
      case state::behind_object:
        if (held_.empty() && white_space.find(byte) != std::string_view::npos) return;
        held_ += byte;
        if (!call_close.starts_with(held_)) return broken("a tool call ends with </tool_call>");
        if (held_ == call_close) open(state::text);
    }
  }

  // Holds back white space, which is dropped beside a tag, and what may become a tag.
  void take_prose(char byte) {
    held_ += byte;
    while (!held_.empty()) {
      std::size_t const begin = std::min(held_.find_first_not_of(white_space), held_.size());
      std::string_view const tail = std::string_view(held_).substr(begin);
      if (tail.empty()) return;
      if (state_ == state::reasoning) {
        if (tail == think_close) return open(state::text);
        if (think_close.starts_with(tail)) return;
      } else {
        if (tail == think_open) return open(state::reasoning);
        if (tools_ && tail == call_open) return open(state::before_object);
        if (think_open.starts_with(tail) || (tools_ && call_open.starts_with(tail))) return;
      }
      add_prose(std::string_view(held_).substr(0, begin + 1));
      held_.erase(0, begin + 1);
    }
  }

  void open(state next) {
    held_.clear();
    scanner_ = {};
    begins_ = true;
    state_ = next;
  }

  void add_prose(std::string_view text) {
    bool const reasoning = state_ == state::reasoning;
    // Between two blocks of text the white space that surrounded the block is one line break.
    if (std::exchange(begins_, false)) {
      text.remove_prefix(std::min(text.find_first_not_of(white_space), text.size()));
      bool const continues = !(reasoning ? answer().reasoning : answer().text).empty();
      if (continues && reasoning) add_reasoning("\n");
      if (continues && !reasoning) add_text("\n");
    }
    if (reasoning)
      add_reasoning(text);
    else
      add_text(text);
  }

  void end() override {
    if (state_ != state::text && state_ != state::reasoning) return broken("the answer ends inside a tool call");
    std::size_t const size = held_.find_last_not_of(white_space) + 1;
    if (size > 0) add_prose(std::string(held_, 0, size));
  }

  bool tools_;
  state state_;
  bool begins_ = true;
  std::string held_;
  json_scanner scanner_;
};

}  // namespace

std::unique_ptr<answer_reader> make_hermes_reader(answer_options const& options) {
  return std::make_unique<hermes_reader>(options);
}

}  // namespace wherry::inline v0::detail::chat
