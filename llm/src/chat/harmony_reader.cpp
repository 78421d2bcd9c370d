// The harmony format of gpt-oss: an answer is several messages, each with a header that names its channel and, for a
// call, its recipient.
#include "chat/answer_reader.hpp"

#include <wherry/core/json.hpp>

namespace wherry::inline v0::detail::chat {
namespace {

constexpr std::size_t header_bytes_max = 1'024;

class harmony_reader final : public mark_reader {
 public:
  explicit harmony_reader(answer_options const& options) : mark_reader(options), options_(options) {
    channel_ = add_mark("<|channel|>");
    message_ = add_mark("<|message|>");
    constrain_ = add_mark("<|constrain|>");
    start_ = add_mark("<|start|>");
    for (auto const* end : {"<|end|>", "<|call|>", "<|return|>"}) ends_.push_back(add_mark(end));
    enter_header();  // the prompt ends with <|start|>assistant
  }

 private:
  enum class state { header, prose, arguments, behind_arguments };

  void enter_header() {
    header_.clear();
    channel_name_at_ = std::string::npos;
    state_ = state::header;
    watch({channel_, message_, constrain_, start_});
  }

  void on_byte(char byte) override {
    switch (state_) {
      case state::header:
        header_ += byte;
        if (header_.size() > header_bytes_max && any_mark_) broken("a message's header does not end");
        return;
      case state::prose: return take_prose(byte, reasoning_);
      case state::arguments:
        if (call_.arguments.empty() && is_white(byte)) return;
        if (call_.arguments.empty() && byte != '{') return broken("the arguments of a tool call begin with {");
        call_.arguments += byte;
        if (!scanner_.take(byte)) return;
        return end_arguments();
      case state::behind_arguments:
        if (!is_white(byte)) broken("something follows the arguments of a tool call");
    }
  }

  void on_mark(mark m) override {
    any_mark_ = true;
    if (state_ == state::header) return header_mark(m);
    enter_header();
  }

  void on_control(std::string_view spelling) override {
    if (state_ == state::arguments || state_ == state::behind_arguments)
      broken("the control token " + std::string(spelling) + " stands inside a tool call");
  }

  void header_mark(mark m) {
    if (m == message_) return enter_body();
    if (m == start_) return enter_header();
    header_ += ' ';
    if (m == channel_) channel_name_at_ = header_.size();
  }

  // "assistant", "to=functions.NAME", the channel's name and the content's type stand here in any order.
  void enter_body() {
    std::string recipient = word_behind("to=");
    constexpr std::string_view prefix = "functions.";
    if (recipient.starts_with(prefix)) recipient.erase(0, prefix.size());
    watch({});
    if (!recipient.empty() && recipient != "user") {
      if (!options_.tools) return broken("the model calls a tool, but none was offered");
      call_ = {"", std::move(recipient), ""};
      scanner_ = {};
      state_ = state::arguments;
    } else {
      reasoning_ = channel_name_at_ != std::string::npos && header_.compare(channel_name_at_, 8, "analysis") == 0;
      state_ = state::prose;
      begin_prose();
      watch_ends();
    }
  }

  void watch_ends() {
    std::vector<mark> marks = ends_;
    marks.push_back(start_);
    watch(std::move(marks));
  }

  std::string word_behind(std::string_view key) const {
    std::size_t at = header_.find(key);
    while (at != std::string::npos && at > 0 && !is_white(header_[at - 1])) at = header_.find(key, at + 1);
    if (at == std::string::npos) return {};
    std::size_t const begin = at + key.size();
    return header_.substr(begin, header_.find_first_of(" \t\r\n", begin) - begin);
  }

  void end_arguments() {
    if (auto const parsed = parse_json(call_.arguments); !parsed)
      return broken("the arguments of the tool call are not valid JSON: " + parsed.error().message);
    add_call(std::move(call_));
    state_ = state::behind_arguments;
    watch_ends();
  }

  void at_end() override {
    if (state_ == state::arguments) return broken("the answer ends inside a tool call");
    if (state_ != state::header) return;
    std::string const header = trimmed(header_);
    if (!any_mark_) {  // no harmony at all: text
      begin_prose();
      for (char const c : header) take_prose(c, false);
    } else if (!header.empty() && header != "assistant") {
      broken("the answer ends inside a message's header");
    }
  }

  answer_options const options_;
  mark channel_, message_, constrain_, start_;
  std::vector<mark> ends_;
  state state_ = state::header;
  std::string header_;
  std::size_t channel_name_at_ = std::string::npos;
  bool reasoning_ = false;
  bool any_mark_ = false;
  tool_call call_;
  json_scanner scanner_;
};

}  // namespace

std::unique_ptr<answer_reader> make_harmony_reader(family_row const&, answer_options const& options) {
  return std::make_unique<harmony_reader>(options);
}

}  // namespace wherry::inline v0::detail::chat
