#include "local/answer_grammar.hpp"

#include <wherry/core/json.hpp>

namespace wherry::inline v0 {
namespace local {

namespace {

using grammar::choice;
using grammar::expr;
using grammar::literal;
using grammar::sequence;

constexpr std::size_t text_bytes_max = 1 << 20;  // of free text; max_tokens ends it long before
constexpr std::size_t calls_max = 16;            // tool calls in one answer

expr text_without(std::vector<std::string> marks) {
  return grammar::free_text({.bytes_max = text_bytes_max, .without = std::move(marks)});
}

std::string quoted(std::string const& text) { return to_text(json(text)); }

// {"tool":"NAME","arguments":{...}} or {"output":...} or text.
expr plain_answer(model_request const& request, answer_options const& may) {
  std::vector<expr> ways;
  if (may.tools)
    for (auto const& tool : *request.tools)
      ways.push_back(sequence({literal("{\"tool\":" + quoted(tool.name) + ",\"arguments\":"),
                               grammar::json_schema(tool.input_schema), literal("}")}));
  if (may.output)
    ways.push_back(sequence({literal("{\"output\":"), grammar::json_schema(*request.output_schema), literal("}")}));
  // The reader takes text that begins like an object for one.
  if (may.free_text) ways.push_back(text_without({"{\"tool\"", "{\"output\""}));
  return choice(std::move(ways));
}

// A mark that the vocabulary holds as a control token is meant as that token, otherwise as text.
expr mark(std::string const& spelling, tokenizer const& tokens) {
  auto const id = tokens.find(spelling);
  return id && tokens.kind(*id) == token_kind::control ? grammar::token(*id) : literal(spelling);
}

// Text, then calls, each <tool_call>\n{"name": NAME, "arguments": {...}}\n</tool_call>; or the output.
expr hermes_answer(model_request const& request, answer_options const& may, tokenizer const& tokens) {
  std::vector<expr> ways;
  auto const text = text_without({"<tool_call>", "</tool_call>", "<think>", "</think>"});
  if (may.tools) {
    std::vector<expr> one_call;
    for (auto const& tool : *request.tools)
      one_call.push_back(sequence({literal("{\"name\": " + quoted(tool.name) + ", \"arguments\": "),
                                   grammar::json_schema(tool.input_schema), literal("}")}));
    auto const call = sequence({mark("<tool_call>", tokens), literal("\n"), choice(std::move(one_call)), literal("\n"),
                                mark("</tool_call>", tokens)});
    auto const more = grammar::repeat(sequence({literal("\n"), call}), 0, calls_max - 1);
    auto const all = sequence({call, more});
    ways.push_back(may.free_text ? sequence({text, all}) : all);
  }
  if (may.output) ways.push_back(grammar::json_schema(*request.output_schema));
  if (may.free_text) ways.push_back(text);
  auto const answer = choice(std::move(ways));
  if (!may.in_reasoning) return answer;
  return sequence({text_without({"</think>", "<tool_call>"}), mark("</think>", tokens), literal("\n\n"), answer});
}

}  // namespace

answer_options options_of(model_request const& request, std::string_view prompt) {
  answer_options may;
  may.tools = request.tools && !request.tools->empty() && request.choice != tool_choice::none;
  may.output = request.output_schema.has_value() && request.choice != tool_choice::required;
  may.free_text = !request.output_schema && request.choice != tool_choice::required;
  if (!may.tools && !may.output) may.free_text = true;
  may.in_reasoning = prompt.ends_with("<think>") || prompt.ends_with("<think>\n");
  return may;
}

std::optional<grammar::expr> answer_grammar(model_request const& request, answer_options const& may,
                                            answer_family const& family, tokenizer const& tokens) {
  if (!may.tools && !may.output) return std::nullopt;
  return family.name == "hermes" ? hermes_answer(request, may, tokens) : plain_answer(request, may);
}

}  // namespace local
}  // namespace wherry::inline v0
