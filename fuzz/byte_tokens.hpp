#pragma once
// A small vocabulary for fuzz entries: every byte, some longer tokens, and one that ends an answer.

#include <wherry/llm/grammar.hpp>

#include <cstdlib>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace wherry_fuzz {

struct byte_tokens {
  explicit byte_tokens(std::initializer_list<char const*> longer) {
    for (int byte = 0; byte < 256; ++byte) bytes.emplace_back(1, static_cast<char>(byte));
    bytes.insert(bytes.end(), longer.begin(), longer.end());
    end = static_cast<wherry::token_id>(bytes.size());
    bytes.emplace_back("<end>");
  }
  wherry::grammar::vocabulary vocabulary() const {
    return wherry::grammar::vocabulary::build(bytes, {}, std::span(&end, 1)).value();
  }

  std::vector<std::string> bytes;
  wherry::token_id end = 0;
};

inline void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace wherry_fuzz
