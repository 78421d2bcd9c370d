// Answers made of blocks among text: reasoning and calls between marks. What the marks are, and which form a call has,
// is the row's.
#include "chat/answer_reader.hpp"
#include "chat/call_values.hpp"

#include <wherry/core/json.hpp>

#include <algorithm>

namespace wherry::inline v0::detail::chat {
namespace {

constexpr std::size_t lead_bytes_max = 64;  // between a name and its arguments

// Whether a text can be, is, or cannot be the beginning of a call without opener.
enum class likelihood { open, call, text };

likelihood looks_like_object(std::string_view rest, tagged_syntax const& s) {
  rest.remove_prefix(std::min(rest.find_first_not_of(white_space), rest.size()));
  if (rest.empty()) return likelihood::open;
  if (rest[0] != '"') return likelihood::text;
  for (auto const key : {s.name_key, s.arguments_key, std::string_view("type"), std::string_view("function")}) {
    std::string const quoted = '"' + std::string(key) + '"';
    if (rest.starts_with(quoted)) return likelihood::call;
    if (quoted.starts_with(rest)) return likelihood::open;
  }
  return likelihood::text;
}

likelihood looks_like_call(std::string_view text, tagged_syntax const& s) {
  if (text[0] == '{') return looks_like_object(text.substr(1), s);
  std::string_view rest = text.substr(1);  // behind [
  rest.remove_prefix(std::min(rest.find_first_not_of(white_space), rest.size()));
  if (rest.empty()) return likelihood::open;
  if (rest[0] == '{') return looks_like_object(rest.substr(1), s);
  std::size_t const name = std::min(
      rest.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"), rest.size());
  if (name == rest.size()) return likelihood::open;
  return name > 0 && rest[name] == '(' ? likelihood::call : likelihood::text;
}

class tagged_reader final : public mark_reader {
 public:
  tagged_reader(family_row const& row, answer_options const& options)
      : mark_reader(options), syntax_(row.syntax), options_(options) {
    for (auto const& block : syntax_.reasoning) {
      reasoning_opens_.push_back(add_mark(block.open));
      reasoning_closes_.push_back(add_mark(block.close));
    }
    for (auto const& spelling : syntax_.ignored) ignored_.push_back(add_mark(spelling));
    section_open_ = add_mark(syntax_.section_open);
    section_close_ = add_mark(syntax_.section_close);
    call_open_ = add_mark(syntax_.call_open);
    call_close_ = add_mark(syntax_.call_close);
    head_end_ = add_mark(syntax_.head_end);
    name_end_ = add_mark(syntax_.name_end);
    id_open_ = add_mark(syntax_.id_open);
    key_open_ = add_mark(syntax_.key_open);
    key_close_ = add_mark(syntax_.key_close);
    string_flag_ = add_mark(syntax_.string_flag);
    value_open_ = add_mark(syntax_.value_open);
    value_close_ = add_mark(syntax_.value_close);
    quote_ = add_mark(syntax_.quote);
    pads_values_ = row.layout.parameter.find("\n$value\n") != std::string_view::npos;
    options.in_reasoning&& reasoning_closes_[0] != no_mark ? enter_reasoning() : enter_text();
  }

 private:
  enum class state {
    text,
    reasoning,
    section,  // between calls
    unsure,   // what may be a call without opener
    json,
    head,
    name,
    id,
    before_arguments,
    arguments,
    keys,  // between parameters
    key,
    flag,
    value_gap,
    value,
    gemma_name,
    gemma,
    python,
    behind_body,
    behind_bare,
  };

  mark first_opener() const { return section_open_ != no_mark ? section_open_ : call_open_; }

  // -- text and reasoning --------------------------------------------------------------------------------------------

  void enter_text() {
    state_ = state::text;
    begin_prose();
    watch_text();
  }

  void watch_text() {
    std::vector<mark> marks = reasoning_opens_;
    marks.insert(marks.end(), ignored_.begin(), ignored_.end());
    // A closer without opener, at the beginning: the model had nothing to think.
    if (answer().text.empty()) marks.insert(marks.end(), reasoning_closes_.begin(), reasoning_closes_.end());
    if (options_.tools || is_control(first_opener())) marks.push_back(first_opener());
    if (is_control(call_open_)) marks.push_back(call_open_);  // some models forget to open the section
    watch(std::move(marks));
  }

  void enter_reasoning() {
    state_ = state::reasoning;
    begin_prose();
    std::vector<mark> marks = reasoning_closes_;
    if (is_control(first_opener())) marks.push_back(first_opener());  // some models call while they think
    watch(std::move(marks));
  }

  void take_prose(char byte) {
    bool const first = state_ == state::text && answer().text.empty();
    answer_reader::take_prose(byte, state_ == state::reasoning);
    if (first && !answer().text.empty()) watch_text();  // a closer is text from here on
  }

  // -- where bytes go ------------------------------------------------------------------------------------------------

  void on_byte(char byte) override {
    switch (state_) {
      case state::text:
        if (may_be_bare(byte)) {
          begin_unsure(byte);
          return;
        }
        [[fallthrough]];
      case state::reasoning: return take_prose(byte);
      case state::section:
        if (!is_white(byte)) broken("a tool call or the end of the tool calls is expected");
        return;
      case state::unsure: return take_unsure(byte);
      case state::json: return take_json(byte);
      case state::head:
      case state::id:
      case state::key:
      case state::flag:
      case state::value: collected_ += byte; return;
      case state::name: return take_name(byte);
      case state::before_arguments: return take_lead(byte);
      case state::arguments: return take_argument_byte(byte);
      case state::keys:
      case state::value_gap:
        if (!is_white(byte)) broken("a parameter or the end of the tool call is expected");
        return;
      case state::gemma_name: return take_gemma_name(byte);
      case state::gemma:
        gemma_.take(byte);
        if (gemma_.done()) end_gemma();
        return;
      case state::python: return take_python(byte);
      case state::behind_body: return take_behind(byte);
      case state::behind_bare: return take_behind_bare(byte);
    }
  }

  void on_mark(mark m) override {
    switch (state_) {
      case state::text:
      case state::reasoning: return leave_prose(m);
      case state::section: return m == call_open_ ? begin_body() : enter_text();
      case state::head:
        collected_.clear();
        state_ = state::name;
        watch({name_end_, id_open_});
        return;
      case state::name:
      case state::id: return end_name(m);
      case state::keys:
        if (m == key_open_) return begin_key();
        end_parameters();
        return;
      case state::key: return end_key(m);
      case state::flag:
        text_flag_ = collected_ == "true";
        if (collected_ != "true" && collected_ != "false") return broken("a parameter says neither true nor false");
        return begin_value();
      case state::value_gap:
        collected_.clear();
        state_ = state::value;
        watch({value_close_});
        return;
      case state::value: return end_value();
      case state::gemma: gemma_.quote(); return;
      case state::behind_body:
        if (wrapped_ && trimmed(lead_) != syntax_.arguments_close)
          return broken("the arguments of the tool call end with " + std::string(syntax_.arguments_close));
        return after_call();
      case state::behind_bare: enter_text(); return leave_prose(m);
      default: return;  // nothing is looked for
    }
  }

  void on_control(std::string_view spelling) override {
    if (state_ != state::text && state_ != state::reasoning)
      broken("the control token " + std::string(spelling) + " stands inside a tool call");
  }

  void at_end() override {
    if (state_ == state::text || state_ == state::reasoning || state_ == state::behind_bare) return;
    // Whole calls, but the section was left open: some templates show it so.
    if (state_ == state::section && !answer().calls.empty() && !cut_off()) return;
    broken("the answer ends inside a tool call");
  }

  void leave_prose(mark m) {
    auto const is_one_of = [&](std::vector<mark> const& marks) {
      return std::find(marks.begin(), marks.end(), m) != marks.end();
    };
    if (is_one_of(reasoning_opens_)) return enter_reasoning();
    if (is_one_of(reasoning_closes_) || is_one_of(ignored_)) return enter_text();
    if (!options_.tools) return broken("the model calls a tool, but none was offered");
    if (m == call_open_ || call_open_ == no_mark) return begin_body();
    enter_section();
  }

  void enter_section() {
    state_ = state::section;
    watch({call_open_, section_close_});
  }

  // -- the body of a call --------------------------------------------------------------------------------------------

  void begin_body() {
    collected_.clear();
    lead_.clear();
    scanner_ = {};
    python_ = {};
    call_ = {};
    arguments_ = {};
    gemma_ = {};
    forced_ = true;
    wrapped_ = false;
    watch({});
    switch (syntax_.form) {
      case call_form::json:
        state_ = syntax_.bare ? state::python : state::json;
        if (syntax_.open_is_text) on_byte(syntax_.section_open.back());
        return;
      case call_form::named:
        state_ = head_end_ == no_mark ? state::name : state::head;
        if (head_end_ == no_mark)
          watch({name_end_, id_open_});
        else
          watch({head_end_});
        return;
      case call_form::parameters:
        state_ = state::name;
        if (name_end_ == no_mark)
          watch({key_open_, call_close_});
        else
          watch({name_end_});
        return;
      case call_form::gemma: state_ = state::gemma_name; return;
      case call_form::python: state_ = state::python; return;
    }
  }

  void end_body() {
    lead_.clear();
    mark const closer = !forced_ ? no_mark : call_open_ != no_mark ? call_close_ : section_close_;
    if (failure()) return;
    if (syntax_.bare && closer == no_mark) {
      state_ = state::behind_bare;
      std::vector<mark> marks = reasoning_opens_;
      marks.push_back(first_opener());
      watch(std::move(marks));
    } else if (closer == no_mark) {
      after_call();
    } else {
      state_ = state::behind_body;
      watch({closer});
    }
  }

  void after_call() {
    if (call_open_ != no_mark && section_open_ != no_mark)
      enter_section();
    else
      enter_text();
  }

  // The optional text behind the arguments, then the closer.
  void take_behind(char byte) {
    if (lead_.empty() && is_white(byte)) return;
    lead_ += byte;
    bool const fits = syntax_.arguments_close.starts_with(lead_) || trimmed(lead_) == syntax_.arguments_close;
    if (!fits)
      broken("a tool call ends with " +
             std::string(call_open_ != no_mark ? syntax_.call_close : syntax_.section_close));
  }

  void take_json(char byte) {
    if (collected_.empty() && byte != '{' && byte != '[') {
      lead_ += byte;
      bool const fits = trimmed(lead_).empty() || syntax_.arguments_open.starts_with(trimmed(lead_));
      if (!fits || lead_.size() > lead_bytes_max) broken("a tool call begins with { or [");
      return;
    }
    collected_ += byte;
    if (scanner_.take(byte)) end_json();
  }

  void end_json() {
    call_members const members{syntax_.name_key, syntax_.arguments_key, syntax_.name_is_key, false,
                               syntax_.no_call_name};
    std::string const object = std::exchange(collected_, {});
    if (!forced_ && is_other_object(object)) {
      enter_text();
      for (char const c : object) take_prose(c);
      return;
    }
    add_calls(object, members);
    end_body();
  }

  // JSON that was no call after all: an answer in JSON may begin like one.
  bool is_other_object(std::string const& text) const {
    auto const parsed = parse_json(text);
    if (!parsed || !parsed->is_object()) return false;
    return !parsed->contains("arguments") && !parsed->contains("parameters") && !parsed->contains("function");
  }

  // -- named: the name, then the arguments ---------------------------------------------------------------------------

  void take_name(char byte) {
    if (syntax_.form == call_form::named && syntax_.json_too && trimmed(collected_).empty() &&
        (byte == '[' || byte == '{')) {
      collected_.clear();
      state_ = state::json;
      watch({});
      return take_json(byte);
    }
    collected_ += byte;
  }

  void end_name(mark m) {
    if (state_ == state::name) call_.name = trimmed(collected_);
    if (state_ == state::id) call_.id = trimmed(collected_);
    collected_.clear();
    if (m == id_open_ && state_ == state::name) {
      state_ = state::id;
      watch({name_end_});
      return;
    }
    if (syntax_.split_name) syntax_.split_name(call_.name, call_.id);
    if (call_.name.empty()) return broken("the tool call has no name");
    if (syntax_.form == call_form::named) {
      state_ = state::before_arguments;
      watch({});
    } else if (m == key_open_) {
      begin_key();
    } else if (m == call_close_) {
      end_parameters();
    } else {
      enter_keys();
    }
  }

  void take_lead(char byte) {
    if (byte == '{') {
      wrapped_ = !trimmed(lead_).empty();
      state_ = state::arguments;
      return take_argument_byte(byte);
    }
    lead_ += byte;
    std::string const seen = trimmed(lead_);
    if (lead_.size() > lead_bytes_max || !(seen.empty() || syntax_.arguments_open.starts_with(seen)))
      broken("the arguments of a tool call begin with {");
  }

  void take_argument_byte(char byte) {
    collected_ += byte;
    if (!scanner_.take(byte)) return;
    call_.arguments = std::exchange(collected_, {});
    if (auto const parsed = parse_json(call_.arguments); !parsed)
      return broken("the arguments of the tool call are not valid JSON: " + parsed.error().message);
    add_call(std::move(call_));
    end_body();
  }

  // -- parameters between marks --------------------------------------------------------------------------------------

  void enter_keys() {
    state_ = state::keys;
    watch({key_open_, call_close_});
  }

  void begin_key() {
    collected_.clear();
    text_flag_.reset();
    state_ = state::key;
    watch({key_close_, string_flag_});
  }

  void end_key(mark m) {
    key_ = trimmed(collected_);
    collected_.clear();
    if (key_.empty()) return broken("a parameter has no name");
    if (m == string_flag_) {
      state_ = state::flag;
      watch({key_close_});
      return;
    }
    begin_value();
  }

  void begin_value() {
    collected_.clear();
    state_ = value_open_ == no_mark ? state::value : state::value_gap;
    watch({value_open_ == no_mark ? value_close_ : value_open_});
  }

  void end_value() {
    std::string_view value = collected_;
    if (pads_values_) {
      if (value.starts_with('\n')) value.remove_prefix(1);
      if (value.ends_with('\n')) value.remove_suffix(1);
    }
    auto const read = bare_value(value, text_flag_, options_.offered.get(), call_.name, key_);
    if (!arguments_.add(key_, read)) return broken("the parameter \"" + key_ + "\" stands twice");
    enter_keys();
  }

  void end_parameters() {
    call_.arguments = arguments_.text();
    add_call(std::move(call_));
    if (!failure()) after_call();
  }

  // -- Gemma's and Python's notations --------------------------------------------------------------------------------

  void take_gemma_name(char byte) {
    if (byte != '{') {
      collected_ += byte;
      return;
    }
    std::string const name = trimmed(collected_);
    constexpr std::string_view prefix = "call:";
    if (!name.starts_with(prefix)) return broken("a tool call begins with call:");
    call_.name = trimmed(std::string_view(name).substr(prefix.size()));
    state_ = state::gemma;
    watch({quote_});
    gemma_.take(byte);
  }

  void end_gemma() {
    auto object = gemma_.object();
    if (!object) return broken("the arguments of the tool call cannot be read");
    call_.arguments = std::move(*object);
    add_call(std::move(call_));
    end_body();
  }

  // A body in Python, or in JSON all the same; the first characters tell.
  void take_python(char byte) {
    if (collected_.empty() && is_white(byte)) return;
    collected_ += byte;
    std::size_t const second = collected_.find_first_not_of(white_space, 1);
    if (collected_[0] == '{' || (collected_[0] == '[' && second != std::string::npos && collected_[second] == '{')) {
      state_ = state::json;
      for (char const c : std::exchange(collected_, {})) take_json(c);
      return;
    }
    if (!python_.take(byte)) return;
    auto read = calls_from_python(collected_);
    if (!read.problem.empty()) return broken("the tool calls cannot be read: " + read.problem);
    collected_.clear();
    for (auto& call : read.calls) add_call(std::move(call));
    end_body();
  }

  // -- calls without opener ------------------------------------------------------------------------------------------

  // Only at the beginning of an answer; elsewhere a bracket is text.
  bool may_be_bare(char byte) const {
    return syntax_.bare && options_.tools && prose_begins() && answer().text.empty() && (byte == '{' || byte == '[');
  }

  void begin_unsure(char byte) {
    begin_body();
    forced_ = false;
    state_ = state::unsure;
    collected_ = byte;
  }

  void take_unsure(char byte) {
    collected_ += byte;
    auto const what = looks_like_call(collected_, syntax_);
    if (what == likelihood::open) return;
    std::string const held = std::exchange(collected_, {});
    if (what == likelihood::text)
      enter_text();
    else
      state_ = state::python;
    for (char const c : held) what == likelihood::text ? take_prose(c) : on_byte(c);
  }

  // Several calls follow one another with ; or , between; anything else is text.
  void take_behind_bare(char byte) {
    if (is_white(byte) || byte == ';' || byte == ',') return;
    if (byte == '{' || byte == '[') {
      begin_unsure(byte);
      return;
    }
    enter_text();
    take_prose(byte);
  }

  tagged_syntax const& syntax_;
  answer_options const options_;

  std::vector<mark> reasoning_opens_, reasoning_closes_, ignored_;
  mark section_open_, section_close_, call_open_, call_close_, head_end_, name_end_, id_open_;
  mark key_open_, key_close_, string_flag_, value_open_, value_close_, quote_;
  bool pads_values_ = false;

  state state_ = state::text;
  bool forced_ = true;  // an opener was there: what follows is a call or broken
  std::string collected_;
  std::string lead_;
  bool wrapped_ = false;  // the arguments stand between arguments_open and arguments_close
  json_scanner scanner_;
  python_scanner python_;
  gemma_reader gemma_;
  tool_call call_;
  std::string key_;
  std::optional<bool> text_flag_;
  arguments_writer arguments_;
};

}  // namespace

std::unique_ptr<answer_reader> make_tagged_reader(family_row const& row, answer_options const& options) {
  return std::make_unique<tagged_reader>(row, options);
}

}  // namespace wherry::inline v0::detail::chat
