#include "grammar/tokenizer_vocabulary.hpp"

#include <algorithm>

namespace wherry::inline v0::grammar {

result<vocabulary> vocabulary_of(tokenizer const& tokens, std::span<std::string const> marks) {
  std::vector<std::string> bytes(tokens.size());
  std::vector<token_id> control;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    auto const id = static_cast<token_id>(i);
    auto const kind = tokens.kind(id);
    bool const is_mark =
        kind == token_kind::user_defined && std::find(marks.begin(), marks.end(), tokens.piece(id)) != marks.end();
    if (is_mark)
      control.push_back(id);
    else if (kind == token_kind::normal || kind == token_kind::user_defined || kind == token_kind::byte)
      bytes[i] = tokens.token_bytes(id);
    else
      control.push_back(id);
  }
  return vocabulary::build(std::move(bytes), control, tokens.end_of_generation());
}

}  // namespace wherry::inline v0::grammar
