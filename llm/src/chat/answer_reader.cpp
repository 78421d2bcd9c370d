#include "chat/answer_reader.hpp"

#include <wherry/core/json.hpp>
#include <wherry/core/text.hpp>

namespace wherry::inline v0::detail::chat {

void answer_reader::push(std::string_view delta) {
  for (char const byte : delta) {
    if (failure_) return;
    take(byte);
    ++offset_;
  }
}

void answer_reader::finish() {
  if (!failure_) end();
  flush(true);
}

std::vector<answer_event> answer_reader::take_events() {
  flush(false);
  return std::exchange(events_, {});
}

void answer_reader::flush(bool everything) {
  auto cut = [&](std::string& pending) {
    std::string ready = pending.substr(0, everything ? pending.size() : utf8_complete_prefix(pending));
    pending.erase(0, ready.size());
    return ready;
  };
  if (auto ready = cut(pending_reasoning_); !ready.empty()) events_.push_back(reasoning_delta{std::move(ready)});
  if (auto ready = cut(pending_text_); !ready.empty()) events_.push_back(text_delta{std::move(ready)});
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

void answer_reader::add_call(std::string_view object, std::string_view name_key) {
  auto const parsed = parse_json(object);
  if (!parsed) return broken("the tool call is not valid JSON: " + parsed.error().message);
  auto const name = parsed->find(name_key);
  auto const arguments = parsed->find("arguments");
  if (name == parsed->end() || !name->is_string())
    return broken("the tool call has no text \"" + std::string(name_key) + "\"");
  if (arguments == parsed->end() || !arguments->is_object()) return broken("the tool call has no object \"arguments\"");
  if (parsed->size() != 2) return broken("the tool call has more members than a name and arguments");
  flush(true);
  answer_.calls.push_back({"", name->get<std::string>(), std::string(*raw_member(object, "arguments"))});
  events_.push_back(tool_call_ready{answer_.calls.back()});
}

void answer_reader::add_output(std::string_view object) {
  auto const parsed = parse_json(object);
  if (!parsed) return broken("the output is not valid JSON: " + parsed.error().message);
  if (parsed->size() != 1 || !parsed->contains("output")) return broken("the answer has no single member \"output\"");
  answer_.is_output = true;
  add_text(*raw_member(object, "output"));
}

void answer_reader::broken(std::string const& what) {
  failure_ =
      error(errc::model_failed, "the model's answer breaks its syntax at byte " + std::to_string(offset_) + ": " + what,
            "chat.parse_answer");
}

}  // namespace wherry::inline v0::detail::chat

namespace wherry::inline v0 {
namespace {

bool teaches_hermes(std::string_view source) {
  // Qwen3-Coder's <function=...> inside the same tags is another syntax.
  return source.find("<tool_call>") != std::string_view::npos && source.find("<function=") == std::string_view::npos &&
         source.find("\"arguments\"") != std::string_view::npos;
}

std::string quoted(std::string const& text) { return to_text(json(text)); }

constexpr answer_family families[] = {
    {"hermes", teaches_hermes,
     [](tool_call const& call) {
       return "<tool_call>\n{\"name\": " + quoted(call.name) + ", \"arguments\": " + call.arguments + "}\n</tool_call>";
     },
     detail::chat::make_hermes_reader},
    {"plain", [](std::string_view) { return true; },
     [](tool_call const& call) { return "{\"tool\":" + quoted(call.name) + ",\"arguments\":" + call.arguments + "}"; },
     detail::chat::make_plain_reader},
};

}  // namespace

std::span<answer_family const> answer_families() noexcept { return families; }

answer_family const& family_of(std::string_view template_source) noexcept {
  for (auto const& family : families)
    if (family.taught_by(template_source)) return family;
  return families[std::size(families) - 1];
}

answer_parser::answer_parser(answer_family const& family, answer_options const& options)
    : reader_(family.reader(options)) {}
answer_parser::~answer_parser() = default;
answer_parser::answer_parser(answer_parser&&) noexcept = default;
answer_parser& answer_parser::operator=(answer_parser&&) noexcept = default;

result<std::vector<answer_event>> answer_parser::push(std::string_view delta) {
  raw_ += delta;
  reader_->push(delta);
  if (reader_->failure()) return *reader_->failure();
  return reader_->take_events();
}

result<chat_answer> answer_parser::finish() {
  reader_->finish();
  if (reader_->failure()) return *reader_->failure();
  return reader_->answer();
}

result<chat_answer> parse_answer(std::string_view text, answer_family const& family, answer_options const& options) {
  answer_parser parser(family, options);
  if (auto events = parser.push(text); !events) return events.error();
  return parser.finish();
}

}  // namespace wherry::inline v0
