#pragma once
// Cuts text into words by regular expressions (PCRE2), the first step of byte-level BPE.

#include <wherry/core/result.hpp>

#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace wherry::inline v0::detail {

class splitter {
 public:
  // The patterns apply in turn, each within the pieces the ones before have left: a match is a piece, and so is what
  // lies between two matches. "\s" means the Unicode property White_Space.
  static result<splitter> compile(std::span<std::string_view const> patterns);

  // The pieces of the text in order; together they are the text. Bytes that are not UTF-8 match nothing and end the
  // text for the patterns on both sides.
  std::vector<std::string_view> split(std::string_view text) const;

  splitter(splitter&&) noexcept;
  splitter& operator=(splitter&&) noexcept;
  ~splitter();

 private:
  class pattern;
  explicit splitter(std::vector<pattern> patterns);
  std::vector<pattern> patterns_;
};

}  // namespace wherry::inline v0::detail
