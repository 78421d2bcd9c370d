// Functionary 3.2: every part of an answer names its recipient in a line of its own. "all" is the user, others are
// tools. The prompt ends with the first >>>.
#include "chat/answer_reader.hpp"

#include <wherry/core/json.hpp>

#include <algorithm>

namespace wherry::inline v0::detail::chat {
namespace {

constexpr std::string_view mark_text = ">>>";
constexpr std::size_t recipient_bytes_max = 128;

class recipient_reader final : public mark_reader {
 public:
  explicit recipient_reader(answer_options const& options) : mark_reader(options), options_(options) {
    next_ = add_mark(mark_text);
    watch({next_});  // some templates leave the first >>> to the model
  }

 private:
  enum class state { recipient, text, arguments, behind_arguments };

  void on_byte(char byte) override {
    switch (state_) {
      case state::recipient: return take_recipient(byte);
      case state::text: return take_prose(byte, false);
      case state::arguments:
        if (call_.arguments.empty() && is_white(byte)) return;
        if (call_.arguments.empty() && byte != '{') return broken("the arguments of a tool call begin with {");
        call_.arguments += byte;
        if (!scanner_.take(byte)) return;
        return end_arguments();
      case state::behind_arguments:
        if (!is_white(byte)) broken("a tool call ends with >>> or the answer");
    }
  }

  void on_mark(mark) override {
    if (state_ == state::recipient && recipient_.empty() && !from_text_) return;
    from_text_ = state_ == state::text;
    recipient_.clear();
    state_ = state::recipient;
    watch({});
  }

  void take_recipient(char byte) {
    if (byte != '\n' && recipient_.size() < recipient_bytes_max) {
      recipient_ += byte;
      if (!recipient_.empty()) watch({});
      return;
    }
    std::string const name = trimmed(recipient_);
    if (name == "all") {
      enter_text();
    } else if (byte == '\n' && is_tool(name)) {
      if (!options_.tools) return broken("the model calls a tool, but none was offered");
      call_ = {"", name, ""};
      scanner_ = {};
      state_ = state::arguments;
      watch({});
    } else {
      not_a_recipient();
      take_prose(byte, false);
    }
  }

  // The >>> was part of the text, or the model named nobody.
  void not_a_recipient() {
    std::string const held = (from_text_ ? std::string(mark_text) : std::string()) + recipient_;
    bool const goes_on = from_text_;
    state_ = state::text;
    watch({next_});
    if (!goes_on) begin_prose();
    for (char const c : held) take_prose(c, false);
  }

  bool is_tool(std::string const& name) const {
    if (name.empty()) return false;
    if (options_.offered)
      return std::any_of(options_.offered->begin(), options_.offered->end(),
                         [&](tool_spec const& tool) { return tool.name == name; });
    return name.find_first_of(" \t(){}\"'") == std::string::npos;
  }

  void enter_text() {
    state_ = state::text;
    begin_prose();
    watch({next_});
  }

  void end_arguments() {
    if (auto const parsed = parse_json(call_.arguments); !parsed)
      return broken("the arguments of the tool call are not valid JSON: " + parsed.error().message);
    add_call(std::move(call_));
    state_ = state::behind_arguments;
    watch({next_});
  }

  void at_end() override {
    if (state_ == state::arguments) return broken("the answer ends inside a tool call");
    if (state_ != state::recipient || trimmed(recipient_) == "all") return;
    if (is_tool(trimmed(recipient_)) && options_.tools) return broken("the answer ends inside a tool call");
    not_a_recipient();
  }

  answer_options const options_;
  mark next_;
  state state_ = state::recipient;
  bool from_text_ = false;
  std::string recipient_;
  tool_call call_;
  json_scanner scanner_;
};

}  // namespace

std::unique_ptr<answer_reader> make_recipient_reader(family_row const&, answer_options const& options) {
  return std::make_unique<recipient_reader>(options);
}

}  // namespace wherry::inline v0::detail::chat
