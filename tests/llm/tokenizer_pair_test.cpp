// Two texts as one input of an encoder.

#include <wherry/llm/tokenizer.hpp>

#include "shared_data.hpp"
#include "tokenizer_samples.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

using namespace wherry;
using namespace wherry_test;
using Catch::Matchers::ContainsSubstring;
using id_list = std::vector<token_id>;

namespace {

std::vector<std::string> spelled(tokenizer const& t, id_list const& ids) {
  std::vector<std::string> pieces;
  for (auto const id : ids) pieces.emplace_back(t.piece(id));
  return pieces;
}

using pieces = std::vector<std::string>;
using types = std::vector<std::int32_t>;

std::string const mark = "\xE2\x96\x81";

}  // namespace

TEST_CASE("BERT sees two texts as [CLS] a [SEP] b [SEP] with two types", "[tokenizer]") {
  auto const t = build(wordpiece_model({"one", "two", "three", "[", "]", "sep"})).value();
  auto const pair = t.encode_pair("one", "two three").value();
  CHECK(spelled(t, pair.ids) == pieces{"[CLS]", mark + "one", "[SEP]", mark + "two", mark + "three", "[SEP]"});
  CHECK(pair.type_ids == types{0, 0, 0, 1, 1, 1});
  CHECK(!pair.truncated);
  CHECK(spelled(t, t.encode_pair("", "").value().ids) == pieces{"[CLS]", "[SEP]", "[SEP]"});
}

TEST_CASE("text in a pair cannot forge a separator", "[tokenizer]") {
  auto const t = build(wordpiece_model({"one", "two", "[", "]", "sep"})).value();
  auto const ids = t.encode_pair("one [SEP] two", "[SEP]").value().ids;
  CHECK(std::count(ids.begin(), ids.end(), *t.sep()) == 2);
}

TEST_CASE("the RoBERTa family doubles the separator and has one type", "[tokenizer]") {
  auto const file = gguf_file::open(shared("models/golden/xlmr-rank/xlmr-rank-f16.gguf")).value();
  auto const t = tokenizer::from(file).value();
  auto const pair = t.encode_pair("one", "two").value();
  id_list expected{*t.cls()};
  auto const append = [&](id_list const& ids) { expected.insert(expected.end(), ids.begin(), ids.end()); };
  append(t.encode("one"));
  append({*t.sep(), *t.sep()});
  append(t.encode("two"));
  append({*t.sep()});
  CHECK(spelled(t, pair.ids).front() == "<s>");
  CHECK(spelled(t, pair.ids).back() == "</s>");
  CHECK(pair.ids == expected);
  CHECK(pair.type_ids == types(expected.size(), 0));
}

TEST_CASE("where nothing opens a text, its end separates two", "[tokenizer]") {
  auto const t =
      build(unigram_model({{mark + "a", token_kind::normal, -1}, {mark + "b", token_kind::normal, -1}})).value();
  CHECK(spelled(t, t.encode_pair("a", "b").value().ids) == pieces{mark + "a", "</s>", mark + "b", "</s>"});
}

TEST_CASE("a pair that is too long loses the ends of its longer text", "[tokenizer]") {
  auto const t = build(wordpiece_model({"a", "b"})).value();
  auto const counts = [&](std::size_t a, std::size_t b, std::size_t tokens_max) {
    std::string first, second;
    for (std::size_t i = 0; i < a; ++i) first += "a ";
    for (std::size_t i = 0; i < b; ++i) second += "b ";
    auto const pair = t.encode_pair(first, second, {.tokens_max = tokens_max}).value();
    CHECK(pair.truncated == (a + b + 3 > tokens_max));
    CHECK(pair.type_ids.size() == pair.ids.size());
    auto const count = [&](char const* piece) {
      return std::count(pair.ids.begin(), pair.ids.end(), *t.find(mark + piece));
    };
    return std::pair(count("a"), count("b"));
  };
  CHECK(counts(2, 3, 8) == std::pair(2L, 3L));
  CHECK(counts(2, 9, 8) == std::pair(2L, 3L));
  CHECK(counts(9, 2, 8) == std::pair(3L, 2L));
  CHECK(counts(5, 5, 10) == std::pair(4L, 3L));
  CHECK(counts(4, 9, 10) == std::pair(4L, 3L));
  CHECK(counts(9, 4, 10) == std::pair(4L, 3L));
  CHECK(counts(9, 9, 3) == std::pair(0L, 0L));
  auto const refused = t.encode_pair("a", "b", {.tokens_max = 2});
  REQUIRE(!refused);
  CHECK(refused.error().is(errc::invalid_argument));
}

TEST_CASE("a vocabulary without a separator says so", "[tokenizer]") {
  auto const t = build(bpe_model("gpt-2", {})).value();
  auto const refused = t.encode_pair("a", "b");
  REQUIRE(!refused);
  CHECK(refused.error().is(errc::unsupported));
  CHECK_THAT(refused.error().message, ContainsSubstring("separator"));
}

TEST_CASE("the special tokens of an encoder are found by id or by spelling", "[tokenizer]") {
  auto const t = build(wordpiece_model({"a"})).value();
  CHECK(t.pad() == 0);
  CHECK(t.unknown() == 1);
  CHECK(t.cls() == 2);
  CHECK(t.sep() == 3);
  CHECK(t.mask() == 4);
  CHECK(t.bos() == 2);
  CHECK(t.eos() == 3);
  CHECK(t.adds_bos());
  CHECK(t.adds_eos());
  gguf_writer untyped;  // as early files are
  untyped.add("tokenizer.ggml.model", "bert");
  untyped.add("tokenizer.ggml.tokens", std::vector<std::string>{"[UNK]", "[CLS]", "[SEP]", mark + "a"});
  CHECK(build(untyped).value().encode("a b [CLS]", {.add_special = true}) == id_list{1, 3, 0, 0, 0, 0, 2});
  auto moved = wordpiece_model({"a", "b"});
  moved.add("tokenizer.ggml.cls_token_id", std::uint32_t{5});
  moved.add("tokenizer.ggml.seperator_token_id", std::uint32_t{6});
  CHECK(build(moved).value().encode("", {.add_special = true}) == id_list{5, 6});
  auto const bpe = build(bpe_model("gpt-2", {}, {{"<mask>", token_kind::control}, {"[CLS]"}})).value();
  CHECK(bpe.mask() == 256);
  CHECK(!bpe.cls());  // an ordinary token of that spelling is none
  CHECK(!bpe.pad());
}
