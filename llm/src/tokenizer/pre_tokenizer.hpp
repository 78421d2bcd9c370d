#pragma once
// The table of pre-tokenizers: what tokenizer.ggml.pre stands for.

#include "tokenizer/splitter.hpp"

#include <span>
#include <string>
#include <string_view>

namespace wherry::inline v0::detail {

struct pre_tokenizer {
  std::string_view name;
  std::span<split_step const> steps;
  bool whole_words_first = false;  // a word that is a token needs no merges
  bool adds_bos = false;           // where the file does not say
};

std::span<pre_tokenizer const> pre_tokenizers() noexcept;

// nullptr for a name this build does not know.
pre_tokenizer const* find_pre_tokenizer(std::string_view name) noexcept;

// "default, gpt-2, ...": for messages.
std::string supported_pre_tokenizers();

}  // namespace wherry::inline v0::detail
