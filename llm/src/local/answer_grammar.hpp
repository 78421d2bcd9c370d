#pragma once
// What a request allows an answer to contain, and in whose syntax.

#include <wherry/llm/chat_answer.hpp>
#include <wherry/llm/model.hpp>
#include <wherry/llm/tokenizer.hpp>

#include <string_view>

namespace wherry::inline v0 {
namespace local {

/// The family an answer is read by: the template's own, except where the request needs a grammar (tools, an output
/// schema) and the family has none. Then it is "plain".
answer_family family_for(model_request const& request, answer_family own);

/// What an answer to the request may contain, after this prompt.
answer_options options_of(model_request const& request, std::string_view prompt, answer_family family,
                          tokenizer const& tokens);

}  // namespace local
}  // namespace wherry::inline v0
