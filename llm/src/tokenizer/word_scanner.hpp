#pragma once
// The patterns of the commonest pre-tokenizers, written out: what PCRE2 finds, several times faster and in linear time
// for any text. tests/llm/tokenizer_words_test.cpp holds each to its pattern.

#include <cstddef>
#include <string_view>

namespace wherry::inline v0::detail {

// Takes the words of a text in order.
class word_sink {
 public:
  template <class Take>
  explicit word_sink(Take const& take)
      : context_(&take),
        call_([](void const* context, std::string_view word) { (*static_cast<Take const*>(context))(word); }) {}

  void operator()(std::string_view word) const { call_(context_, word); }

 private:
  void const* context_;
  void (*call_)(void const*, std::string_view);
};

// Hands the words of a text, which is valid UTF-8, to the sink.
using word_scanner = void (*)(std::string_view text, word_sink const& sink);

void scan_gpt2_words(std::string_view text, word_sink const& sink);
void scan_llama3_words(std::string_view text, word_sink const& sink);  // up to three digits together
void scan_qwen2_words(std::string_view text, word_sink const& sink);   // each digit by itself
void scan_qwen35_words(std::string_view text, word_sink const& sink);  // as qwen2; marks are letters
void scan_gpt4o_words(std::string_view text, word_sink const& sink);
void scan_tekken_words(std::string_view text, word_sink const& sink);  // as gpt-4o, without contractions
void scan_numbers(std::string_view text, word_sink const& sink);       // each number by itself, and what lies between

// Runs of digits cut into groups of three from their right end, and what lies between.
void scan_grouped_numbers(std::string_view text, word_sink const& sink);          // of \p{N}
void scan_grouped_digits_of_words(std::string_view text, word_sink const& sink);  // of \d, unless a word goes on there
void scan_grouped_digits(std::string_view text, word_sink const& sink);  // of \d; the rest stays joined to them

}  // namespace wherry::inline v0::detail
