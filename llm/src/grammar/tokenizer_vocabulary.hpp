#pragma once
// The vocabulary that masks are made over, from a model's tokenizer.

#include <wherry/llm/grammar.hpp>
#include <wherry/llm/tokenizer.hpp>

#include <span>
#include <string>

namespace wherry::inline v0::grammar {

/// Ordinary, user-defined and byte tokens by their bytes; all others are control tokens, and so are those spelled like
/// one of `marks`, which no text produces.
/// Fails with: as vocabulary::build.
result<vocabulary> vocabulary_of(tokenizer const& tokens, std::span<std::string const> marks = {});

}  // namespace wherry::inline v0::grammar
