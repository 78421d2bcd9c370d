#include "grammar/tokenizer_vocabulary.hpp"

namespace wherry::inline v0::grammar {

result<vocabulary> vocabulary_of(tokenizer const& tokens) {
  std::vector<std::string> bytes(tokens.size());
  std::vector<token_id> control;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    auto const id = static_cast<token_id>(i);
    auto const kind = tokens.kind(id);
    if (kind == token_kind::normal || kind == token_kind::user_defined || kind == token_kind::byte)
      bytes[i] = tokens.token_bytes(id);
    else
      control.push_back(id);
  }
  return vocabulary::build(std::move(bytes), control, tokens.end_of_generation());
}

}  // namespace wherry::inline v0::grammar
