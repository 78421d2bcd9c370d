// Answers whose text is in a language of the request's: it is read as it stands, white space and all, whatever it
// spells. Only how an answer begins decides what it is; calls are then the family's own reader's business.
#include "chat/answer_reader.hpp"

namespace wherry::inline v0::detail::chat {
namespace {

class constrained_reader final : public mark_reader {
 public:
  constrained_reader(family_row const& row, answer_options const& options, std::unique_ptr<answer_reader> calls)
      : mark_reader(options), control_(options.control), calls_(std::move(calls)) {
    auto const written = beginnings_of(row);
    text_open_ = add_mark(written.text);
    if (options.tools) call_open_ = add_mark(call_text_ = written.call);
    reasoning_open_ = add_mark(written.reasoning);
    reasoning_close_ = add_mark(written.after_reasoning);
    if (!is_control(reasoning_open_)) reasoning_open_ = no_mark;
    if (options.in_reasoning && reasoning_close_ != no_mark)
      enter_reasoning();
    else
      enter_beginning();
  }

 private:
  enum class state { beginning, reasoning, text, calls };

  void enter_beginning() {
    state_ = state::beginning;
    watch({text_open_, call_open_, reasoning_open_});
  }
  void enter_reasoning() {
    state_ = state::reasoning;
    begin_prose();
    watch({reasoning_close_});
  }
  void enter_text() {
    state_ = state::text;
    watch({});
  }

  void on_byte(char byte) override {
    switch (state_) {
      case state::beginning:
        if (text_open_ != no_mark) {  // text would have begun otherwise
          enter_calls();
          return hand_on({&byte, 1});
        }
        enter_text();
        [[fallthrough]];
      case state::text: return add_text({&byte, 1});
      case state::reasoning: return take_prose(byte, true);
      case state::calls: return hand_on({&byte, 1});
    }
  }

  void on_mark(mark m) override {
    if (state_ == state::reasoning) return enter_beginning();
    if (m == text_open_) return enter_text();
    if (m == reasoning_open_) return enter_reasoning();
    enter_calls();
    hand_on(call_text_);
  }

  void on_control(std::string_view spelling) override {
    if (state_ == state::beginning && text_open_ != no_mark) enter_calls();
    if (state_ != state::calls) return;
    calls_->push_control(spelling);
    take_over();
  }

  void at_end() override {
    if (state_ != state::calls) return;
    calls_->finish(cut_off());
    take_over();
  }

  void enter_calls() {
    state_ = state::calls;
    watch({});
  }
  // Text of the template's or of the model's, with the control tokens that it spells.
  void hand_on(std::string_view text) {
    while (!text.empty()) {
      std::string const* token = nullptr;
      for (auto const& spelling : control_)
        if (text.size() > 1 && text.starts_with(spelling) && (!token || spelling.size() > token->size()))
          token = &spelling;
      if (token)
        calls_->push_control(*token);
      else
        calls_->push(text.substr(0, 1));
      text.remove_prefix(token ? token->size() : 1);
    }
    take_over();
  }
  void take_over() {
    for (auto& event : calls_->take_events())
      if (auto* ready = std::get_if<tool_call_ready>(&event)) add_call(std::move(ready->call));
    if (calls_->failure()) broken(calls_->failure()->message);
  }

  std::vector<std::string> const control_;
  std::unique_ptr<answer_reader> const calls_;
  std::string call_text_;
  mark text_open_ = no_mark, call_open_ = no_mark, reasoning_open_ = no_mark, reasoning_close_ = no_mark;
  state state_ = state::beginning;
};

std::string_view before_field(std::string_view layout) { return layout.substr(0, layout.find('$')); }

}  // namespace

answer_beginnings beginnings_of(family_row const& row) {
  auto const& layout = row.layout;
  answer_beginnings out;
  out.text = before_field(layout.text);
  out.call = std::string(layout.open) + std::string(before_field(layout.call));
  std::string_view const close = row.syntax.reasoning[0].close;
  std::size_t const at = layout.reasoning.find(close);
  if (!close.empty()) out.after_reasoning = at == std::string_view::npos ? close : layout.reasoning.substr(at);
  if (layout.reasoning.empty()) return out;
  out.reasoning = before_field(layout.reasoning);
  while (!out.reasoning.empty() && is_white(out.reasoning.back())) out.reasoning.pop_back();
  constexpr std::string_view field = "$reasoning";
  if (close.empty()) out.after_reasoning = layout.reasoning.substr(layout.reasoning.find(field) + field.size());
  return out;
}

std::unique_ptr<answer_reader> make_constrained_reader(family_row const& row, answer_options const& options,
                                                       std::unique_ptr<answer_reader> calls) {
  return std::make_unique<constrained_reader>(row, options, std::move(calls));
}

}  // namespace wherry::inline v0::detail::chat
