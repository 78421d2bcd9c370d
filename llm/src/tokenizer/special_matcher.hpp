#pragma once
// Finds the spellings of control and user-defined tokens in a text.
//
// Of overlapping spellings the longest wins, wherever it begins; among equals the lower id, then the earlier place. A
// heap holds at most one candidate per position, the longest that still fits there, so that a megabyte of "<<<<" or of
// newlines costs O(n log n) whatever the vocabulary.

#include "tokenizer/vocabulary.hpp"

#include <array>

namespace wherry::inline v0::detail {

// A half-open run of bytes.
struct byte_range {
  std::size_t begin = 0;
  std::size_t end = 0;
};

struct special_match {
  byte_range bytes;  // spelling, and the white space that the token swallows
  token_id id = 0;
};

class special_matcher {
 public:
  explicit special_matcher(vocabulary const& vocab);

  // Matches in text order. Control and unknown tokens are found only inside one of the `permitted` runs, which are
  // ascending, not empty and do not touch; user-defined ones everywhere, unless they are spelled like a `guarded` one.
  std::vector<special_match> find(std::string_view text, std::vector<byte_range> const& permitted,
                                  std::span<std::string const> guarded = {}) const;

 private:
  struct entry {
    std::string_view text;
    token_id id;
    bool needs_permission;
    bool swallows_space;
  };
  struct search;

  std::vector<entry> entries_;                   // by spelling
  std::array<std::uint32_t, 257> first_byte_{};  // entries that begin with byte b: [first_byte_[b], first_byte_[b + 1])
};

}  // namespace wherry::inline v0::detail
