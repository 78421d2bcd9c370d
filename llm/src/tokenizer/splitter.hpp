#pragma once
// Cuts text into words, the first step of byte-level BPE: by regular expressions (PCRE2), or by code that finds the
// same.

#include "tokenizer/word_scanner.hpp"

#include <wherry/core/result.hpp>

#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace wherry::inline v0::detail {

// A step: the pattern defines it, the scanner, where there is one, does it.
struct split_step {
  std::string_view pattern;
  word_scanner scanner = nullptr;
};

class splitter {
 public:
  // The steps apply in turn, each within the pieces the ones before have left: a match is a piece, and so is what lies
  // between two matches. "\s" means the Unicode property White_Space.
  static result<splitter> compile(std::span<split_step const> steps);

  // Hands over the pieces of the text in order; together they are the text. Bytes that are not UTF-8 match nothing and
  // end the text for the steps on both sides.
  void split(std::string_view text, word_sink const& sink) const;

  splitter(splitter&&) noexcept;
  splitter& operator=(splitter&&) noexcept;
  ~splitter();

 private:
  class step;
  explicit splitter(std::vector<step> steps);
  void apply(std::size_t number, std::string_view text, word_sink const& sink) const;

  std::vector<step> steps_;
};

}  // namespace wherry::inline v0::detail
