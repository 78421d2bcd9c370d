#pragma once
// The grammar of a whole answer: what a request allows, in the syntax of the model's family.

#include <wherry/llm/chat_answer.hpp>
#include <wherry/llm/grammar.hpp>
#include <wherry/llm/model.hpp>
#include <wherry/llm/tokenizer.hpp>

#include <optional>
#include <string_view>

namespace wherry::inline v0 {
namespace local {

/// What an answer to the request may contain, after this prompt.
answer_options options_of(model_request const& request, std::string_view prompt);

/// The grammar for it; nullopt where nothing but plain text is possible.
std::optional<grammar::expr> answer_grammar(model_request const& request, answer_options const& may,
                                            answer_family const& family, tokenizer const& tokens);

}  // namespace local
}  // namespace wherry::inline v0
