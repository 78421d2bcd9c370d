// Answers from any model: every family reads any bytes to an answer or an error, the same whichever way they are cut,
// and hands out no call whose arguments are not a JSON object.
#include <wherry/core/json.hpp>
#include <wherry/llm/chat_answer.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

std::shared_ptr<std::vector<wherry::tool_spec> const> offered() {
  static auto const tools = std::make_shared<std::vector<wherry::tool_spec> const>(std::vector<wherry::tool_spec>{
      {"f",
       "",
       {R"({"type":"object","properties":{"city":{"type":["string","null"],"maxLength":20},"n":{"type":"number"},
            "list":{"type":"array","maxItems":3},"o":{"anyOf":[{"type":"object"},{"enum":["k",5]}]}}})"}}});
  return tools;
}

}  // namespace

int wherry_fuzz_chat_answer(std::uint8_t const* data, std::size_t size) {
  using namespace wherry;
  if (size < 2) return 0;
  auto const families = answer_families();
  auto const family = families[data[0] % families.size()];
  std::size_t const cut = 1 + data[1] % 7;
  std::string const text(reinterpret_cast<char const*>(data) + 2, size - 2);
  answer_options options{
      .tools = (data[0] & 0x80) == 0, .output = (data[1] & 0x10) != 0, .in_reasoning = (data[1] & 0x40) != 0};
  options.free_text = !options.output;
  if (data[1] & 0x80) options.control = family.marks();
  if (data[1] & 0x20) options.offered = offered();

  auto const whole = parse_answer(text, family, options);
  answer_parser parser(family, options);
  chat_answer events;
  for (std::size_t at = 0; at < text.size(); at += cut) {
    auto const some = parser.push(std::string_view(text).substr(at, cut));
    if (!some) break;
    for (auto const& event : *some) {
      if (auto const* delta = std::get_if<text_delta>(&event)) events.text += delta->text;
      if (auto const* thought = std::get_if<reasoning_delta>(&event)) events.reasoning += thought->text;
      if (auto const* ready = std::get_if<tool_call_ready>(&event)) events.calls.push_back(ready->call);
    }
  }
  auto const parts = parser.finish();
  if (whole.has_value() != parts.has_value()) std::abort();
  if (!whole) {
    if (!whole.error().is(errc::model_failed) || whole.error().message != parts.error().message) std::abort();
    return 0;
  }
  if (!(*whole == *parts) || events.calls != whole->calls) std::abort();
  if (!whole->text.starts_with(events.text) || !whole->reasoning.starts_with(events.reasoning)) std::abort();
  if (!options.tools && !whole->calls.empty()) std::abort();
  for (auto const& call : whole->calls) {
    auto const arguments = parse_json(call.arguments);
    if (call.name.empty() || !arguments || !arguments->is_object()) std::abort();
  }
  return 0;
}
