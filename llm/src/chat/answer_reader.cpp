#include "chat/answer_reader.hpp"

#include <wherry/core/json.hpp>
#include <wherry/core/text.hpp>

#include <algorithm>

namespace wherry::inline v0::detail::chat {

std::string trimmed(std::string_view text) {
  std::size_t const begin = std::min(text.find_first_not_of(white_space), text.size());
  return std::string(text.substr(begin, text.find_last_not_of(white_space) + 1 - begin));
}

void answer_reader::push(std::string_view delta) {
  for (char const byte : delta) {
    if (failure_) return;
    take(byte);
    ++offset_;
  }
}

void answer_reader::push_control(std::string_view spelling) {
  if (failure_) return;
  take_control(spelling);
  offset_ += spelling.size();
}

void answer_reader::finish(bool cut_off) {
  cut_off_ = cut_off;
  if (!failure_) end();
  flush(true);
}

std::vector<answer_event> answer_reader::take_events() {
  flush(false);
  return std::exchange(events_, {});
}

void answer_reader::take_control(std::string_view) {}

void answer_reader::flush(bool everything) {
  auto cut = [&](std::string& pending) {
    std::string ready = pending.substr(0, everything ? pending.size() : utf8_complete_prefix(pending));
    pending.erase(0, ready.size());
    return ready;
  };
  if (auto ready = cut(pending_reasoning_); !ready.empty()) events_.push_back(reasoning_delta{std::move(ready)});
  if (auto ready = cut(pending_text_); !ready.empty()) events_.push_back(text_delta{std::move(ready)});
}

void answer_reader::begin_prose() {
  begins_ = true;
  space_.clear();
}

void answer_reader::take_prose(char byte, bool reasoning) {
  if (is_white(byte)) {
    space_ += byte;
    return;
  }
  if (std::exchange(begins_, false)) space_ = (reasoning ? answer_.reasoning : answer_.text).empty() ? "" : "\n";
  space_ += byte;
  if (reasoning)
    add_reasoning(space_);
  else
    add_text(space_);
  space_.clear();
}

void answer_reader::add_text(std::string_view text) {
  if (!pending_reasoning_.empty()) flush(true);
  answer_.text += text;
  pending_text_ += text;
}

void answer_reader::add_reasoning(std::string_view text) {
  if (!pending_text_.empty()) flush(true);
  answer_.reasoning += text;
  pending_reasoning_ += text;
}

void answer_reader::add_call(tool_call call) {
  if (call.name.empty()) return broken("the tool call has no name");
  flush(true);
  answer_.calls.push_back(std::move(call));
  events_.push_back(tool_call_ready{answer_.calls.back()});
}

void answer_reader::add_calls(std::string_view value, call_members const& members) {
  std::size_t const begin = std::min(value.find_first_not_of(white_space), value.size());
  if (begin == value.size() || value[begin] != '[') return add_object(value, members);
  if (auto const parsed = parse_json(value); !parsed)
    return broken("the tool calls are not valid JSON: " + parsed.error().message);
  for (auto const item : raw_items(value.substr(begin)))
    if (!failure_) add_object(item, members);
}

void answer_reader::add_object(std::string_view object, call_members const& members) {
  auto const parsed = parse_json(object);
  if (!parsed) return broken("the tool call is not valid JSON: " + parsed.error().message);
  if (!parsed->is_object()) return broken("a tool call is a JSON object");
  if (members.name_is_key) {
    if (parsed->size() != 1 || !parsed->front().is_object())
      return broken("the tool call is no object with the name as its one member");
    std::string const name = parsed->begin().key();
    return add_call({"", name, std::string(*raw_member(object, name))});
  }
  // The form of the OpenAI API, which some models repeat: {"type": "function", "function": {...}}.
  if (!members.strict && !parsed->contains(members.name) && parsed->contains("function") &&
      (*parsed)["function"].is_object())
    return add_object(*raw_member(object, "function"), members);
  auto const name = parsed->find(members.name);
  if (name == parsed->end() || !name->is_string())
    return broken("the tool call has no text \"" + std::string(members.name) + "\"");
  if (!members.no_call_name.empty() && name->get_ref<std::string const&>() == members.no_call_name) return;
  // Models mix the two names of this member up.
  auto key = members.arguments;
  if (!members.strict && !parsed->contains(key)) key = key == "parameters" ? "arguments" : "parameters";
  auto const arguments = parsed->find(key);
  if (arguments == parsed->end() || !arguments->is_object())
    return broken("the tool call has no object \"" + std::string(members.arguments) + "\"");
  if (members.strict && parsed->size() != 2) return broken("the tool call has more members than a name and arguments");
  std::string id;
  for (auto const* member : {"id", "tool_call_id"})
    if (auto const found = parsed->find(member); found != parsed->end() && found->is_string()) id = *found;
  add_call({std::move(id), name->get<std::string>(), std::string(*raw_member(object, key))});
}

void answer_reader::end_output() {
  if (auto const parsed = parse_json(answer_.text); !parsed)
    return broken("the output is not valid JSON: " + parsed.error().message);
  answer_.is_output = true;
}

void answer_reader::broken(std::string const& what) {
  if (failure_) return;
  std::size_t const held = bytes_held();
  failure_ = error(
      errc::model_failed,
      "the model's answer breaks its syntax at byte " + std::to_string(offset_ - std::min(offset_, held)) + ": " + what,
      "chat.parse_answer");
}

// -- marks ------------------------------------------------------------------------------------------------------------

mark_reader::mark mark_reader::add_mark(std::string_view spelling) {
  if (spelling.empty()) return no_mark;
  std::vector<unit> units;
  for (std::size_t at = 0; at < spelling.size();) {
    // Of control tokens that begin here the longest counts.
    std::size_t best = control_.size();
    for (std::size_t i = 0; i < control_.size(); ++i)
      if (!control_[i].empty() && spelling.substr(at).starts_with(control_[i]) &&
          (best == control_.size() || control_[i].size() > control_[best].size()))
        best = i;
    if (best == control_.size()) {
      units.push_back(static_cast<unsigned char>(spelling[at++]));
    } else {
      units.push_back(static_cast<unit>(first_control + best));
      at += control_[best].size();
    }
  }
  marks_.push_back(std::move(units));
  return marks_.size() - 1;
}

void mark_reader::watch(std::vector<mark> marks) {
  std::erase(marks, no_mark);
  watched_ = std::move(marks);
}

bool mark_reader::is_control(mark m) const {
  return m != no_mark && std::any_of(marks_[m].begin(), marks_[m].end(), [](unit u) { return u >= first_control; });
}

void mark_reader::on_control(std::string_view) {}

void mark_reader::take_control(std::string_view spelling) {
  auto const found = std::find(control_.begin(), control_.end(), spelling);
  take_unit(found == control_.end() ? unknown_control : static_cast<unit>(first_control + (found - control_.begin())));
}

void mark_reader::take_unit(unit u) {
  if (u == unknown_control) {  // it parts what stands before from what follows, and is nothing itself
    settle(true);
    return;
  }
  held_.push_back(u);
  settle(false);
}

// Finds marks at the beginning of what is held and hands on what cannot belong to one. A mark counts once nothing
// longer is possible.
void mark_reader::settle(bool everything) {
  while (!held_.empty() && !failure()) {
    mark complete = no_mark;
    bool waits = false;
    for (auto const m : watched_) {
      auto const& units = marks_[m];
      std::size_t const shared = std::min(units.size(), held_.size());
      if (!std::equal(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(shared), units.begin())) continue;
      if (units.size() > held_.size())
        waits = true;
      else if (complete == no_mark || units.size() > marks_[complete].size())
        complete = m;
    }
    if (waits && !everything) return;
    if (complete != no_mark) {
      held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(marks_[complete].size()));
      on_mark(complete);
      continue;
    }
    unit const u = held_.front();
    held_.erase(held_.begin());
    if (u < first_control)
      on_byte(static_cast<char>(u));
    else
      on_control(control_[u - first_control]);
  }
}

void mark_reader::end() {
  settle(true);
  if (!failure()) at_end();
}

std::size_t mark_reader::bytes_held() const {
  std::size_t bytes = 0;
  for (auto const u : held_) bytes += u < first_control ? 1 : control_[u - first_control].size();
  return bytes;
}

}  // namespace wherry::inline v0::detail::chat

namespace wherry::inline v0 {

answer_parser::answer_parser(answer_family family, answer_options const& options)
    : reader_((family.row().reader ? family.row().reader : detail::chat::make_tagged_reader)(family.row(), options)),
      is_output_or_calls_(options.output && !options.free_text) {
  if (options.constraint) reader_ = detail::chat::make_constrained_reader(family.row(), options, std::move(reader_));
}
answer_parser::~answer_parser() = default;
answer_parser::answer_parser(answer_parser&&) noexcept = default;
answer_parser& answer_parser::operator=(answer_parser&&) noexcept = default;

result<std::vector<answer_event>> answer_parser::push(std::string_view delta) {
  raw_ += delta;
  reader_->push(delta);
  if (reader_->failure()) return *reader_->failure();
  return reader_->take_events();
}

result<std::vector<answer_event>> answer_parser::push_control(std::string_view spelling) {
  raw_ += spelling;
  reader_->push_control(spelling);
  if (reader_->failure()) return *reader_->failure();
  return reader_->take_events();
}

result<chat_answer> answer_parser::finish(bool cut_off) {
  reader_->finish(cut_off);
  if (reader_->failure()) return *reader_->failure();
  chat_answer answer = reader_->answer();
  // What may be nothing else and is JSON is the output.
  if (is_output_or_calls_ && answer.calls.empty() && parse_json(answer.text)) answer.is_output = true;
  return answer;
}

result<chat_answer> parse_answer(std::string_view text, answer_family family, answer_options const& options) {
  answer_parser parser(family, options);
  if (auto events = parser.push(text); !events) return events.error();
  return parser.finish();
}

}  // namespace wherry::inline v0
