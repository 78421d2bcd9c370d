#include "local/answer_grammar.hpp"

namespace wherry::inline v0 {
namespace local {
namespace {

bool offers_tools(model_request const& request) {
  return request.tools && !request.tools->empty() && request.choice != tool_choice::none;
}
bool wants_output(model_request const& request) {
  return request.output_schema.has_value() && request.choice != tool_choice::required;
}

}  // namespace

answer_family family_for(model_request const& request, answer_family own) {
  if (own.can_constrain() || (!offers_tools(request) && !wants_output(request))) return own;
  return answer_families().back();
}

answer_options options_of(model_request const& request, std::string_view prompt, answer_family family,
                          tokenizer const& tokens) {
  answer_options may;
  may.tools = offers_tools(request);
  may.output = wants_output(request);
  may.free_text = !request.output_schema && request.choice != tool_choice::required;
  if (!may.tools && !may.output) may.free_text = true;
  may.in_reasoning = family.opens_reasoning(prompt);
  may.control = family.control_marks(tokens);
  if (may.tools) may.offered = request.tools;
  return may;
}

}  // namespace local
}  // namespace wherry::inline v0
