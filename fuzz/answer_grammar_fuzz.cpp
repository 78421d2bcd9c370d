// A tool's schema up to the first zero byte, then choices: each byte picks a token among those that the grammar of a
// family's whole answer allows. Whatever the schema, a grammar that compiles leads to an answer that the family's
// reader takes, and to calls that match the schema. The size of the input chooses the family.

#include "grammar/tokenizer_vocabulary.hpp"

#include <wherry/llm/chat_answer.hpp>
#include <wherry/llm/gguf.hpp>
#include <wherry/llm/json_validator.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

namespace {

using namespace wherry;

constexpr std::size_t tokens_more_than_needed = 48;

void require(bool condition) {
  if (!condition) std::abort();
}

// Every byte, and a family's marks as control tokens where that is wanted.
tokenizer byte_tokenizer(answer_family family, bool marks_are_tokens) {
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  std::vector<std::int32_t> kinds = {2, 3, 3};
  for (unsigned byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", byte);
    tokens.emplace_back(name);
    kinds.push_back(static_cast<std::int32_t>(token_kind::byte));
  }
  if (marks_are_tokens)
    for (auto const& mark : family.marks()) {
      if (mark[0] != '<' && mark[0] != '[') continue;  // no vocabulary has ordinary words as control tokens
      tokens.push_back(mark);
      kinds.push_back(static_cast<std::int32_t>(token_kind::control));
    }
  gguf_writer writer;
  writer.add("general.architecture", "llama");
  writer.add("tokenizer.ggml.model", "llama");
  writer.add("tokenizer.ggml.scores", std::vector<float>(tokens.size(), 0.0F));
  writer.add("tokenizer.ggml.tokens", tokens);
  writer.add("tokenizer.ggml.token_type", kinds);
  return tokenizer::from(gguf_file::from_bytes(writer.bytes()).value()).value();
}

struct family_words {
  family_words(answer_family row, bool marks_are_tokens)
      : family(row), tokens(byte_tokenizer(row, marks_are_tokens)), marks(row.control_marks(tokens)) {}
  answer_family family;
  tokenizer tokens;
  std::vector<std::string> marks;
  grammar::vocabulary vocabulary = grammar::vocabulary_of(tokens, marks).value();
};

family_words const& words_for(std::size_t choice) {
  static std::map<std::size_t, family_words> known;
  auto const families = answer_families();
  std::size_t const index = choice % (2 * families.size());
  return known.try_emplace(index, families[index / 2], index % 2 == 0).first->second;
}

}  // namespace

int wherry_fuzz_answer_grammar(std::uint8_t const* data, std::size_t size) {
  std::string_view const input(reinterpret_cast<char const*>(data), size);
  std::size_t const schema_size = std::min(input.find('\0'), input.size());
  auto const& words = words_for(size);
  auto const offered = std::make_shared<std::vector<tool_spec> const>(
      std::vector<tool_spec>{{"f", "", {std::string(input.substr(0, schema_size))}}});
  std::string_view const choices = input.substr(std::min(schema_size + 1, input.size()));
  answer_options may{.tools = true, .free_text = choices.size() % 2 == 1, .control = words.marks, .offered = offered};
  auto const expression = words.family.constrain(*offered, std::nullopt, may, words.tokens);
  auto const program = grammar::compile(*expression, words.vocabulary);
  if (!program) return 0;

  answer_parser parser(words.family, may);
  grammar::matcher at(*program);
  std::vector<token_id> allowed;
  for (std::size_t used = 0, left = program->shortest_answer() + tokens_more_than_needed;; ++used, --left) {
    allowed.clear();
    auto const mask = at.allowed(left);
    for (std::size_t id = 0; id < words.tokens.size(); ++id)
      if (grammar::is_allowed(mask, static_cast<token_id>(id))) allowed.push_back(static_cast<token_id>(id));
    require(!allowed.empty());
    auto const choice = used < choices.size() ? static_cast<std::uint8_t>(choices[used]) : std::uint8_t{255};
    token_id const id = allowed[choice * (allowed.size() - 1) / 255];
    require(at.accept(id));
    if (at.is_finished()) break;
    bool const is_mark = words.tokens.kind(id) == token_kind::control;
    auto const text = words.tokens.token_bytes(id, {.show_special = true});
    require((is_mark ? parser.push_control(text) : parser.push(text)).has_value());
    if (left == 1) break;
  }
  auto const answer = parser.finish();
  require(answer.has_value());
  auto const schema = json_validator::make(offered->front().input_schema);
  for (auto const& call : answer->calls) {
    require(call.name == "f");
    if (!schema) continue;
    auto const valid = schema->check(call.arguments);
    require(valid || !valid.error().is(errc::output_invalid));
  }
  return 0;
}
