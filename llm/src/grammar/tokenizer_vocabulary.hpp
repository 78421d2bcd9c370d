#pragma once
// The vocabulary that masks are made over, from a model's tokenizer.

#include <wherry/llm/grammar.hpp>
#include <wherry/llm/tokenizer.hpp>

namespace wherry::inline v0::grammar {

/// Ordinary, user-defined and byte tokens by their bytes; all others are control tokens.
/// Fails with: as vocabulary::build.
result<vocabulary> vocabulary_of(tokenizer const& tokens);

}  // namespace wherry::inline v0::grammar
