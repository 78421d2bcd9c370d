#pragma once
// What a request allows an answer to contain, and in whose syntax.

#include <wherry/llm/chat_answer.hpp>
#include <wherry/llm/model.hpp>
#include <wherry/llm/tokenizer.hpp>

#include <string_view>
#include <vector>

namespace wherry::inline v0 {
namespace local {

/// The tools that the answer may call; the prompt shows all of the request's.
std::vector<tool_spec> callable_tools(model_request const& request);

/// What an answer to the request may contain, after this prompt.
answer_options options_of(model_request const& request, std::string_view prompt, answer_family family,
                          tokenizer const& tokens);

}  // namespace local
}  // namespace wherry::inline v0
