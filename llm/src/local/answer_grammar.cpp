#include "local/answer_grammar.hpp"

#include <algorithm>

namespace wherry::inline v0 {
namespace local {
namespace {

bool wants_output(model_request const& request) {
  return request.output_schema.has_value() && request.choice != tool_choice::required;
}

}  // namespace

std::vector<tool_spec> callable_tools(model_request const& request) {
  std::vector<tool_spec> out;
  if (!request.tools || request.choice == tool_choice::none) return out;
  for (auto const& tool : *request.tools)
    if (!request.callable ||
        std::find(request.callable->begin(), request.callable->end(), tool.name) != request.callable->end())
      out.push_back(tool);
  return out;
}

answer_options options_of(model_request const& request, std::string_view prompt, answer_family family,
                          tokenizer const& tokens) {
  answer_options may;
  may.tools = !callable_tools(request).empty();
  may.output = wants_output(request);
  may.free_text = !request.output_schema && request.choice != tool_choice::required;
  if (!may.tools && !may.output) may.free_text = true;
  may.in_reasoning = family.opens_reasoning(prompt);
  may.control = family.control_marks(tokens);
  if (may.tools) may.offered = request.tools;
  if (!request.parallel_calls) may.calls_max = 1;
  if (may.free_text) may.constraint = request.constraint;
  return may;
}

}  // namespace local
}  // namespace wherry::inline v0
