// The answers that the built-in template asks for.
#include "chat/answer_reader.hpp"

namespace wherry::inline v0::detail::chat {
namespace {

constexpr std::string_view call_head = "{\"tool\":";
constexpr std::string_view output_head = "{\"output\":";

class plain_reader final : public answer_reader {
 public:
  explicit plain_reader(answer_options const& options)
      : options_(options), text_allowed_(options.free_text || (!options.tools && !options.output)) {}

 private:
  enum class state { deciding, text, object, output, done };

  void take(char byte) override {
    switch (state_) {
      case state::deciding: return decide(byte);
      case state::text: return add_text({&byte, 1});
      case state::object: return follow(byte);
      case state::output: return take_output(byte);
      case state::done:
        if (!is_white(byte)) broken("something follows the JSON object");
    }
  }

  // Holds bytes back until they are the head of an object or cannot become one.
  void decide(char byte) {
    if (held_.empty() && is_white(byte)) return;
    held_ += byte;
    bool const call_possible = options_.tools && call_head.starts_with(held_);
    bool const output_possible = options_.output && output_head.starts_with(held_);
    bool const head_complete = (call_possible && held_ == call_head) || (output_possible && held_ == output_head);
    // Where only an object may come, its spacing is the model's business.
    bool const object_begins = text_allowed_ ? head_complete : held_ == "{";
    if (object_begins) {
      state_ = state::object;
      for (char const held : std::exchange(held_, {})) follow(held);
    } else if (!text_allowed_) {
      broken("neither a tool call nor an output begins here");
    } else if (!call_possible && !output_possible) {
      state_ = state::text;
      add_text(std::exchange(held_, {}));
    }
  }

  void follow(char byte) {
    held_ += byte;
    if (begins_output()) {
      state_ = state::output;
      held_.clear();
      scanner_ = {};
      return;
    }
    if (!scanner_.take(byte)) return;
    state_ = state::done;
    if (options_.tools)
      add_calls(held_, call_members{.name = "tool", .strict = true});
    else
      broken("the object is no output");
  }

  // Of an output only what is inside its object is handed on, as it comes.
  bool begins_output() const {
    if (!options_.output || !held_.ends_with(':')) return false;
    std::string head;
    for (char const c : held_)
      if (!is_white(c)) head += c;
    return head == output_head;
  }

  void take_output(char byte) {
    bool const between = scanner_.is_outside();
    if (between && is_white(byte)) {
      held_ += byte;
      return;
    }
    if (between && byte == '}') {
      state_ = state::done;
      return end_output();
    }
    if (between && byte == ',') return broken("the answer has no single member \"output\"");
    if (begun_) add_text(std::exchange(held_, {}));
    held_.clear();
    begun_ = true;
    add_text({&byte, 1});
    scanner_.take(byte);
  }

  void end() override {
    if (state_ == state::object || state_ == state::output || (state_ == state::deciding && !text_allowed_))
      broken("the answer ends before its JSON object does");
    else if (state_ == state::deciding)
      add_text(held_);
  }

  answer_options options_;
  bool text_allowed_;
  state state_ = state::deciding;
  std::string held_;
  json_scanner scanner_;
  bool begun_ = false;  // of an output something but white space was read
};

}  // namespace

std::unique_ptr<answer_reader> make_plain_reader(family_row const&, answer_options const& options) {
  return std::make_unique<plain_reader>(options);
}

}  // namespace wherry::inline v0::detail::chat
