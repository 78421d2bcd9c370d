// wherry tokenize: what a vocabulary makes of a text.

#include "process.hpp"
#include "temp_dir.hpp"

#include <wherry/core/json.hpp>
#include <wherry/llm/gguf.hpp>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

using namespace wherry_test;
using Catch::Matchers::ContainsSubstring;

namespace {

// A vocabulary without weights: WordPiece of a few words.
std::string vocabulary(temp_dir const& folder) {
  wherry::gguf_writer writer;
  writer.add("general.architecture", "bert");
  writer.add("tokenizer.ggml.model", "bert");
  std::string const mark = "\xE2\x96\x81";
  writer.add("tokenizer.ggml.tokens",
             std::vector<std::string>{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", mark + "a", "boat", mark + "row"});
  writer.add("tokenizer.ggml.token_type", std::vector<std::int32_t>{3, 3, 3, 3, 3, 1, 1, 1});
  auto const path = folder.path() / "words.gguf";
  REQUIRE(writer.write(path));
  return path.string();
}

}  // namespace

TEST_CASE("tokenize shows ids and pieces, and counts them", "[tokenizer]") {
  temp_dir const folder;
  auto const model = vocabulary(folder);
  auto const shown = wherry_test::wherry({"tokenize", "A rowboat", "--model", model});
  CHECK(shown.code == 0);
  CHECK(shown.err.empty());
  CHECK_THAT(shown.out, ContainsSubstring("5  \" a\"\n7  \" row\"\n6  \"boat\"\n"));
  CHECK_THAT(shown.out, ContainsSubstring("3 tokens for 9 bytes; wordpiece, 8 entries"));
  CHECK_THAT(shown.out, ContainsSubstring("special tokens: bos 2 \"[CLS]\", eos 3 \"[SEP]\""));
  CHECK(wherry_test::wherry({"tokenize", "A rowboat", "--ids", "--model", model}).out == "5 7 6\n");
}

TEST_CASE("tokenize reads standard input as it is", "[tokenizer]") {
  temp_dir const folder;
  auto const model = vocabulary(folder);
  CHECK(wherry_test::wherry({"tokenize", "-", "--ids"}, "row\na\n", {{"WHERRY_MODEL", model}}).out == "7 5\n");
  CHECK(wherry_test::wherry({"tokenize", "--ids", "--model", model}, "").out == "\n");
  CHECK_THAT(wherry_test::wherry({"tokenize", "-", "--model", model}, "a\n").out,
             ContainsSubstring("1 token for 2 bytes"));
}

TEST_CASE("tokenize makes control tokens only when asked", "[tokenizer]") {
  temp_dir const folder;
  auto const model = vocabulary(folder);
  CHECK(wherry_test::wherry({"tokenize", "a [MASK]", "--special", "--ids", "--model", model}).out == "2 5 4 3\n");
  CHECK(wherry_test::wherry({"tokenize", "a [MASK]", "--ids", "--model", model}).out == "5 1 1 1\n");
  auto const shown = wherry_test::wherry({"tokenize", "a", "--special", "--model", model});
  CHECK_THAT(shown.out, ContainsSubstring("2  \"[CLS]\"  control\n"));

  auto const r = wherry_test::wherry({"tokenize", "a boat", "--special", "--json", "--model", model});
  CHECK(r.code == 0);
  auto const j = wherry::parse_json(r.out).value();
  CHECK(j["tokenizer"] == "wordpiece");
  CHECK(j["count"] == 4);
  CHECK(j["bytes"] == 6);
  CHECK(j["tokens"][0]["kind"] == "control");
  CHECK(j["tokens"][1]["id"] == 5);
  CHECK(j["tokens"][1]["text"] == " a");
  CHECK(j["tokens"][1]["bytes_hex"] == "2061");
  CHECK(j["tokens"][2]["piece"] == "[UNK]");  // "boat" goes on with a word, but begins none
  CHECK(j["special_tokens"]["mask"]["id"] == 4);
}

TEST_CASE("tokenize without a vocabulary says what to give", "[tokenizer]") {
  auto const none = wherry_test::wherry({"tokenize", "a"});
  CHECK(none.code == 2);
  CHECK_THAT(none.err, ContainsSubstring("--model FILE"));
  auto const missing = wherry_test::wherry({"tokenize", "a", "--model", "nowhere.gguf"});
  CHECK(missing.code == 1);
  CHECK_THAT(missing.err, ContainsSubstring("nowhere.gguf"));
  CHECK(wherry_test::wherry({"tokenize", "a", "--ids", "--json"}).code == 2);
}
