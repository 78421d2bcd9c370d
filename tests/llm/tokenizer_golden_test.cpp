// The tokenizers against ids and bytes that other implementations computed from the same vocabularies.

#include <wherry/core/hash.hpp>
#include <wherry/llm/tokenizer.hpp>

#include "shared_data.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

using namespace wherry;
using nlohmann::json;
using id_list = std::vector<token_id>;

namespace {

tokenizer tokenizer_of(std::string const& path) {
  auto const file = gguf_file::open(wherry_test::shared(path)).value();
  return tokenizer::from(file).value();
}

void check_case(tokenizer const& t, json const& expected) {
  auto const text = expected.at("text").get<std::string>();
  INFO("text: " << text);
  auto const ids = expected.at("add_special_parse").get<id_list>();
  if (expected.contains(
          "bert_rules")) {  // BERT's own rules are ours; the other ids are those of an implementation that breaks them
    auto right = expected.at("bert_rules").get<id_list>();
    CHECK(t.encode(text) == right);
    CHECK(t.encode(text, {.parse_special = true}) == right);
    right.insert(right.begin(), *t.cls());
    right.push_back(*t.sep());
    CHECK(t.encode(text, {.add_special = true}) == right);
    CHECK(t.encode(text, {.add_special = true, .parse_special = true}) == right);
  } else {
    CHECK(t.encode(text) == expected.at("plain").get<id_list>());
    CHECK(t.encode(text, {.parse_special = true}) == expected.at("plain_parse").get<id_list>());
    CHECK(t.encode(text, {.add_special = true}) == expected.at("add_special").get<id_list>());
    CHECK(t.encode(text, {.add_special = true, .parse_special = true}) == ids);
  }
  CHECK(to_hex(t.decode(ids)) == expected.at("detok_hex").get<std::string>());
  CHECK(to_hex(t.decode(ids, {.show_special = true})) == expected.at("detok_unparse_hex").get<std::string>());
}

void check_token_bytes(tokenizer const& t, json const& golden) {
  auto const& hidden = golden.at("pieces_hex");
  auto const& shown = golden.at("pieces_special_hex");
  REQUIRE(t.size() == hidden.size());
  for (std::size_t i = 0; i < hidden.size(); ++i) {
    INFO("token " << i);
    auto const id = static_cast<token_id>(i);
    CHECK(to_hex(t.token_bytes(id)) == hidden[i].get<std::string>());
    CHECK(to_hex(t.token_bytes(id, {.show_special = true})) == shown[i].get<std::string>());
  }
}

// The texts of an .inp file: separated by lines of the marker.
std::vector<std::string> texts_of(std::string const& all) {
  std::string const marker = "\n__ggml_vocab_test__\n";
  std::vector<std::string> texts;
  std::size_t begin = 0;
  for (auto end = all.find(marker); end != all.npos; begin = end + marker.size(), end = all.find(marker, begin))
    texts.push_back(all.substr(begin, end - begin));
  return texts;
}

void check_golden(std::string const& name) {
  auto const path = wherry_test::shared("models/golden/tokenizers/" + name + ".json");
  auto const golden = json::parse(wherry_test::read_file(path));
  auto const t = tokenizer_of("models/golden/" + golden.at("from_model").get<std::string>());

  auto const& info = golden.at("info");
  CHECK(t.bos().value_or(-1) == info.at("bos").get<token_id>());
  CHECK(t.eos() == info.at("eos").get<token_id>());
  CHECK(t.adds_bos() == (info.at("add_bos").get<int>() != 0));
  auto const ends = t.end_of_generation();
  CHECK(id_list(ends.begin(), ends.end()) == info.at("eog").get<id_list>());
  REQUIRE(golden.at("cases").size() == 44);
  for (auto const& expected : golden.at("cases")) check_case(t, expected);
  check_token_bytes(t, golden);
}

void check_published(std::string const& name) {
  auto const base = "data/tokenizers/ggml-vocab-" + name + ".gguf";
  auto const t = tokenizer_of(base);
  auto const texts = texts_of(wherry_test::read_file(wherry_test::shared(base + ".inp")));
  std::istringstream lines(wherry_test::read_file(wherry_test::shared(base + ".out")));
  REQUIRE(texts.size() > 40);
  for (auto const& text : texts) {
    std::string line;
    REQUIRE(std::getline(lines, line));
    std::istringstream numbers(line);
    id_list expected;
    for (token_id id; numbers >> id;) expected.push_back(id);
    INFO("text: " << text);
    auto const ids = t.encode(text);
    CHECK(ids == expected);
    if (t.family() != "wordpiece") CHECK(t.decode(ids) == text);  // WordPiece keeps neither case nor spacing
  }
}

}  // namespace

// A line of ctest for each vocabulary.
TEST_CASE("ids and bytes equal the golden ones: spm", "[tokenizer]") { check_golden("spm"); }
TEST_CASE("ids and bytes equal the golden ones: spm-no-prefix", "[tokenizer]") { check_golden("spm-no-prefix"); }
TEST_CASE("ids and bytes equal the golden ones: spm-specials", "[tokenizer]") { check_golden("spm-specials"); }
TEST_CASE("ids and bytes equal the golden ones: bpe-gpt-2", "[tokenizer]") { check_golden("bpe-gpt-2"); }
TEST_CASE("ids and bytes equal the golden ones: bpe-llama-bpe", "[tokenizer]") { check_golden("bpe-llama-bpe"); }
TEST_CASE("ids and bytes equal the golden ones: bpe-olmo", "[tokenizer]") { check_golden("bpe-olmo"); }
TEST_CASE("ids and bytes equal the golden ones: bpe-qwen2", "[tokenizer]") { check_golden("bpe-qwen2"); }
TEST_CASE("ids and bytes equal the golden ones: bpe-refact", "[tokenizer]") { check_golden("bpe-refact"); }
TEST_CASE("ids and bytes equal the golden ones: bpe-smaug-bpe", "[tokenizer]") { check_golden("bpe-smaug-bpe"); }
TEST_CASE("ids and bytes equal the golden ones: unigram-t5", "[tokenizer]") { check_golden("unigram-t5"); }
TEST_CASE("ids and bytes equal the golden ones: unigram-xlmr", "[tokenizer]") { check_golden("unigram-xlmr"); }
TEST_CASE("ids and bytes equal the golden ones: wordpiece", "[tokenizer]") { check_golden("wordpiece"); }

TEST_CASE("ids equal the published ones: llama-spm", "[tokenizer]") { check_published("llama-spm"); }
TEST_CASE("ids equal the published ones: gpt-2", "[tokenizer]") { check_published("gpt-2"); }
TEST_CASE("ids equal the published ones: falcon", "[tokenizer]") { check_published("falcon"); }
TEST_CASE("ids equal the published ones: starcoder", "[tokenizer]") { check_published("starcoder"); }
TEST_CASE("ids equal the published ones: deepseek-llm", "[tokenizer]") { check_published("deepseek-llm"); }
TEST_CASE("ids equal the published ones: bert-bge", "[tokenizer]") { check_published("bert-bge"); }
