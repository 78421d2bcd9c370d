// A grammar as people write it up to the first zero byte, then choices: each byte picks a token among those the mask
// allows. A text that is read gives an expression; one that compiles leads to its end within the budget, and to a text
// that the recogniser takes for one of the language. A mistake is told with its place.

#include "byte_tokens.hpp"

#include <wherry/llm/grammar.hpp>

#include <cstdlib>
#include <string>
#include <vector>

namespace {

namespace g = wherry::grammar;
using wherry_fuzz::require;

constexpr g::ebnf_options limits{.repeat_max = 16, .depth = 4};
constexpr std::size_t tokens_more_than_needed = 48;
constexpr std::size_t walk_tokens_max = 400;  // a walk costs the square of its length

}  // namespace

int wherry_fuzz_ebnf(std::uint8_t const* data, std::size_t size) {
  static wherry_fuzz::byte_tokens const tokens({"ab", ", ", "1,", "))", "\xc3\xa9", "\xe2\x82", " = "});
  static g::vocabulary const vocabulary = tokens.vocabulary();
  std::string_view const input(reinterpret_cast<char const*>(data), size);
  std::size_t const grammar_size = std::min(input.find('\0'), input.size());
  auto const expression = g::ebnf(input.substr(0, grammar_size), limits);
  if (!expression) {
    require(expression.error().message.find("line ") != std::string::npos);
    return 0;
  }
  auto const program = g::compile(*expression, vocabulary);
  if (!program || program->shortest_answer() > walk_tokens_max) return 0;

  std::string_view const choices = input.substr(std::min(grammar_size + 1, input.size()));
  std::string text;
  g::matcher at(*program);
  for (std::size_t used = 0, left = program->shortest_answer() + tokens_more_than_needed;; ++used, --left) {
    std::vector<wherry::token_id> allowed;
    auto const mask = at.allowed(left);
    for (wherry::token_id id = 0; id <= tokens.end; ++id) {
      if (g::is_allowed(mask, id)) allowed.push_back(id);
    }
    require(!allowed.empty());
    auto const choice = used < choices.size() ? static_cast<std::uint8_t>(choices[used]) : std::uint8_t{255};
    wherry::token_id const id = allowed[choice * (allowed.size() - 1) / 255];
    require(at.accept(id));
    if (id == tokens.end) break;
    text += tokens.bytes[static_cast<std::size_t>(id)];
  }
  auto const recogniser = g::recogniser::make(*expression);
  require(recogniser.has_value() && recogniser->matches(text));
  return 0;
}
