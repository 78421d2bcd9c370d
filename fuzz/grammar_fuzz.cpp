// A schema's text up to the first zero byte, then choices: each byte picks a token among those the mask allows.
// Whatever the schema, a program that compiles must lead to its end within the budget, and to JSON.

#include "byte_tokens.hpp"

#include <wherry/core/json.hpp>
#include <wherry/llm/grammar.hpp>

#include <cstdlib>
#include <string>
#include <vector>

namespace {

namespace g = wherry::grammar;
using wherry_fuzz::require;

constexpr g::bounds limits{.string_bytes = 64, .array_items = 8, .object_members = 4, .depth = 4, .number_digits = 4};
constexpr std::size_t tokens_more_than_needed = 64;

}  // namespace

int wherry_fuzz_grammar(std::uint8_t const* data, std::size_t size) {
  static wherry_fuzz::byte_tokens const tokens({"\",\"", "\":", "\":{\"", "}]", "\\u", "\\ud8", "aa", "\"}", "0,"});
  static g::vocabulary const vocabulary = tokens.vocabulary();
  std::string_view const input(reinterpret_cast<char const*>(data), size);
  std::size_t const schema_size = std::min(input.find('\0'), input.size());
  auto const program = g::compile(g::json_schema({std::string(input.substr(0, schema_size))}, limits), vocabulary);
  if (!program) return 0;

  std::string_view const choices = input.substr(std::min(schema_size + 1, input.size()));
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
  require(wherry::parse_json(text).has_value());
  return 0;
}
