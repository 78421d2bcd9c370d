#pragma once
// What sort of character a code point is, as the patterns of pre-tokenizers ask: a table over all of Unicode.

#include <cstdint>
#include <vector>

namespace wherry::inline v0::detail {

enum character_class : std::uint8_t {
  upper_letter = 1,  // Lu, Lt
  lower_letter = 2,  // Ll
  other_letter = 4,  // Lm, Lo
  mark = 8,          // M
  number = 16,       // N
  punctuation = 32,  // P
  symbol_sign = 64,  // S
  space = 128,       // the property White_Space
  any_letter = upper_letter | lower_letter | other_letter
};

class character_classes {
 public:
  // Made at the first use, of Unicode's data as ICU has it.
  static character_classes const& instance();

  std::uint8_t of(char32_t c) const noexcept { return table_[c]; }  // c <= U+10FFFF

 private:
  character_classes();
  std::vector<std::uint8_t> table_;
};

}  // namespace wherry::inline v0::detail
