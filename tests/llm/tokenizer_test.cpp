#include <wherry/core/random.hpp>
#include <wherry/llm/tokenizer.hpp>

#include "tokenizer_samples.hpp"

#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <algorithm>

using namespace wherry;
using namespace wherry_test;
using Catch::Matchers::ContainsSubstring;
using id_list = std::vector<token_id>;

namespace {

std::string const mark = "\xE2\x96\x81";  // SentencePiece's space

std::vector<sample_token> const hello_pieces{
    {mark, token_kind::normal, -10},
    {"h", token_kind::normal, -11},
    {"e", token_kind::normal, -11},
    {"l", token_kind::normal, -11},
    {"o", token_kind::normal, -11},
    {"he", token_kind::normal, -2},
    {"ll", token_kind::normal, -1},
    {"llo", token_kind::normal, -4},
    {mark + "he", token_kind::normal, -3},
    {mark + "hello", token_kind::normal, -5},
    {"<|im_start|>", token_kind::control},
    {"<|im_end|>", token_kind::control},
    {"<think>", token_kind::user_defined},
    {"<tool", token_kind::user_defined},
    {"<tool_call>", token_kind::user_defined},
};

// SentencePiece's prefix also follows special tokens, so only without it does every text come back as it was.
gguf_writer spm_without_prefix() {
  auto writer = spm_model(hello_pieces);
  writer.add("tokenizer.ggml.add_space_prefix", false);
  return writer;
}

// The id of each spelling, which must exist.
id_list ids_of(tokenizer const& t, std::vector<std::string> const& spellings) {
  id_list ids;
  for (auto const& spelling : spellings) {
    INFO("token " << spelling);
    REQUIRE(t.find(spelling));
    ids.push_back(*t.find(spelling));
  }
  return ids;
}

// A stream of random numbers for one test, repeatable from Catch's seed.
struct dice {
  std::uint64_t seed = Catch::getSeed();
  std::uint32_t drawn = 0;
  std::size_t below(std::size_t bound) { return random_bits({.run = seed, .position = drawn++}) % bound; }
};

std::string random_bytes(dice& d, std::size_t length) {
  std::string bytes;
  while (bytes.size() < length) bytes += static_cast<char>(d.below(256));
  return bytes;
}

std::string random_utf8(dice& d, std::size_t characters) {
  static std::vector<std::string> const alphabet{"a",
                                                 "e",
                                                 "h",
                                                 "l",
                                                 "o",
                                                 " ",
                                                 " ",
                                                 "\n",
                                                 "\t",
                                                 "1",
                                                 "2",
                                                 "'",
                                                 "'s",
                                                 "!",
                                                 "<",
                                                 "\xC3\xA9",
                                                 "\xCC\x81",
                                                 "\xEC\x84\x9C",
                                                 "\xE3\x80\x80",
                                                 "\xF0\x9F\x98\x80",
                                                 "\xE1\xA0\x8E",
                                                 "<|im_start|>",
                                                 "<think>"};
  std::string text;
  for (std::size_t i = 0; i < characters; ++i) text += alphabet[d.below(alphabet.size())];
  return text;
}

std::vector<std::string> const abc_merges{"a b", "ab c", "b c", "a a", "aa aa", "c ab", "Ġ a"};

// Merges as the definition says: the best pair anywhere, leftmost of equals, again and again.
template <class Cost>
std::vector<std::string> merged_by_definition(std::vector<std::string> parts, Cost cost) {
  while (true) {
    std::size_t best = parts.size();
    double best_cost = 1e30;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i)
      if (double const c = cost(parts[i], parts[i + 1]); c < best_cost) best = i, best_cost = c;
    if (best == parts.size()) return parts;
    parts[best] += parts[best + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

}  // namespace

TEST_CASE("SentencePiece merges by score and falls back to bytes", "[tokenizer]") {
  auto const t = build(spm_model(hello_pieces)).value();
  CHECK(t.family() == "spm");
  CHECK(t.encode("hello") == ids_of(t, {mark + "hello"}));
  CHECK(t.encode(" hello") == ids_of(t, {mark, mark + "hello"}));
  CHECK(t.encode("helo") == ids_of(t, {mark + "he", "l", "o"}));
  CHECK(t.encode("hex\n") == ids_of(t, {mark + "he", "<0x78>", "<0x0A>"}));
  CHECK(t.encode("\xEC\x84\x9C") == ids_of(t, {mark, "<0xEC>", "<0x84>", "<0x9C>"}));
  CHECK(t.encode("").empty());
  CHECK(t.decode(t.encode("hello")) == "hello");
  CHECK(t.token_bytes(*t.find(mark + "he")) == " he");
  CHECK(t.token_bytes(*t.find("<0xEC>")) == "\xEC");
}

TEST_CASE("the space prefix of SentencePiece can be switched off", "[tokenizer]") {
  auto const t = build(spm_without_prefix()).value();
  CHECK(t.encode("hello") == ids_of(t, {"he", "llo"}));
  CHECK(t.decode(t.encode(" hello")) == " hello");
}

TEST_CASE("BOS and EOS are added as the file declares", "[tokenizer]") {
  auto const plain = build(spm_model(hello_pieces)).value();  // SentencePiece adds BOS where nothing is said
  CHECK(plain.bos() == 1);
  CHECK(plain.eos() == 2);
  CHECK(plain.adds_bos());
  CHECK(plain.encode("", {.add_special = true}) == id_list{1});

  auto writer = spm_model(hello_pieces);
  writer.add("tokenizer.ggml.add_bos_token", false);
  writer.add("tokenizer.ggml.add_eos_token", true);
  writer.add("tokenizer.ggml.eos_token_id", std::uint32_t{2});
  auto const eos_only = build(writer).value();
  CHECK(!eos_only.adds_bos());
  CHECK(eos_only.encode("", {.add_special = true}) == id_list{2});

  auto const bpe = build(bpe_model("gpt-2", {})).value();  // nothing declared, nothing added
  CHECK(!bpe.bos());
  CHECK(bpe.encode("a", {.add_special = true}) == id_list{'a'});
}

TEST_CASE("byte-level BPE merges by rank within words", "[tokenizer]") {
  auto const t = build(bpe_model("gpt-2", {"a b", "Ġ ab", "b c", "Ġab c"})).value();
  CHECK(t.family() == "bpe:gpt-2");
  CHECK(t.encode("abc") == ids_of(t, {"ab", "c"}));  // "a b" comes before "b c"
  CHECK(t.encode("abc abc") == ids_of(t, {"ab", "c", "Ġabc"}));
  CHECK(t.encode("a  abc") == ids_of(t, {"a", "Ġ", "Ġabc"}));
  CHECK(t.token_bytes(*t.find("Ġabc")) == " abc");
  CHECK(t.token_bytes(0xFF) == "\xFF");
}

TEST_CASE("a whole word that is a token needs no merges in the Llama 3 family only", "[tokenizer]") {
  std::vector<sample_token> const word{{"zab"}};
  auto const llama = build(bpe_model("llama-bpe", {"a b"}, word)).value();
  auto const qwen = build(bpe_model("qwen2", {"a b"}, word)).value();
  CHECK(llama.encode("zab") == ids_of(llama, {"zab"}));
  CHECK(qwen.encode("zab") == ids_of(qwen, {"z", "ab"}));
}

TEST_CASE("digits are grouped as each family learnt them", "[tokenizer]") {
  std::vector<std::string> const merges{"1 1", "11 1", "111 1"};
  auto const counts = [&](std::string const& pre) {
    return build(bpe_model(pre, merges)).value().encode("1111111").size();
  };
  CHECK(counts("gpt-2") == 3);      // 1111 111, since whatever merges may
  CHECK(counts("llama-bpe") == 3);  // 111 111 1
  CHECK(counts("qwen2") == 7);
  CHECK(counts("starcoder") == 7);
}

TEST_CASE("white space is what Unicode calls so", "[tokenizer]") {
  // U+180E was a space once: now it belongs to the word that a space begins; U+3000 still is one.
  auto const t = build(bpe_model("gpt-2", {"Ġ á", "Ġ ã"})).value();
  CHECK(t.encode(" \xE1\xA0\x8E").front() == *t.find("Ġá"));
  CHECK(t.encode(" \xE3\x80\x80x").front() == *t.find("Ġ"));
}

TEST_CASE("control tokens come from text only with permission", "[tokenizer]") {
  auto const model = GENERATE_COPY(std::string("spm"), std::string("bpe"));
  CAPTURE(model);
  auto const t =
      (model == "spm" ? build(spm_model(hello_pieces)) : build(bpe_model("qwen2", {}, hello_pieces))).value();
  auto const start = *t.find("<|im_start|>"), think = *t.find("<think>");
  std::string const text = "<|im_start|>";
  CHECK(t.encode(text, {.parse_special = true}) == id_list{start});
  auto const plain = t.encode(text);
  CHECK(std::find(plain.begin(), plain.end(), start) == plain.end());
  CHECK(t.decode(plain) == text);
  CHECK(t.encode("<think>") == id_list{think});  // user-defined tokens need none
  CHECK(t.decode(id_list{start, think}) == "<think>");
  CHECK(t.decode(id_list{start, think}, {.show_special = true}) == "<|im_start|><think>");
  CHECK(t.encode("<tool_call><tool") == ids_of(t, {"<tool_call>", "<tool"}));
}

TEST_CASE("no piece of data becomes a control token, alone or with its neighbours", "[tokenizer]") {
  auto const t = build(bpe_model("qwen2", {}, hello_pieces)).value();
  auto const start = *t.find("<|im_start|>");
  auto const starts = [&](std::vector<encode_piece> const& pieces) {
    auto const ids = t.encode(pieces, false);
    std::string text;
    for (auto const& piece : pieces) text += piece.text;
    CHECK(t.decode(ids, {.show_special = true}) == text);
    return std::count(ids.begin(), ids.end(), start);
  };
  CHECK(starts({{"<|im_start|>", true}}) == 1);
  CHECK(starts({{"<|im_", true}, {"start|>", true}}) == 1);  // both allow it
  CHECK(starts({{"<|im_", true}, {"", false}, {"start|>", true}}) == 1);
  CHECK(starts({{"<|im_start|>", false}}) == 0);
  CHECK(starts({{"<|im_", true}, {"start|>", false}}) == 0);
  CHECK(starts({{"<|im_", false}, {"start|>", true}}) == 0);
  CHECK(starts({{"<|im_start|", true}, {">", false}}) == 0);
  CHECK(starts({{"<|im_start|>", true}, {"<|im_start|>", false}, {"<|im_start|>", true}}) == 2);
}

TEST_CASE("piece borders do not change how plain text is cut", "[tokenizer]") {
  auto const t = build(bpe_model("llama-bpe", abc_merges)).value();
  std::vector<encode_piece> const pieces{{"a", false}, {"bc", true}, {" a", false}};
  CHECK(t.encode(pieces, false) == t.encode("abc a"));
}

TEST_CASE("of overlapping special spellings the longest wins", "[tokenizer]") {
  std::vector<sample_token> const overlapping{{"[ab", token_kind::control},
                                              {"b]cd", token_kind::control},
                                              {"[a", token_kind::control},
                                              {"]]", token_kind::user_defined}};
  auto const t = build(bpe_model("qwen2", {}, overlapping)).value();
  auto const encode = [&](std::string_view text) { return t.encode(text, {.parse_special = true}); };
  CHECK(encode("[ab]cd") == ids_of(t, {"[a", "b]cd"}));  // "b]cd" is longer than "[ab", which then no longer fits
  CHECK(encode("[ab]") == ids_of(t, {"[ab", "]"}));
  CHECK(encode("]]]") == ids_of(t, {"]]", "]"}));  // the earlier of equals
}

TEST_CASE("the ends of a generation are collected from ids and control spellings", "[tokenizer]") {
  auto writer = bpe_model("qwen2", {},
                          {{"<|im_end|>", token_kind::control},
                           {"<|endoftext|>", token_kind::control},
                           {"<end_of_turn>", token_kind::normal},
                           {"<stop>", token_kind::control}});
  writer.add("tokenizer.ggml.eos_token_id", std::uint32_t{256});
  writer.add("tokenizer.ggml.eot_token_id", std::uint32_t{259});
  auto const t = build(writer).value();
  auto const ends = t.end_of_generation();
  CHECK(id_list(ends.begin(), ends.end()) == id_list{256, 257, 259});  // an ordinary token of that spelling is none
}

TEST_CASE("in harmony a message's end is not the answer's", "[tokenizer]") {
  auto const ends_of = [](std::vector<std::string> const& spellings) {
    std::vector<sample_token> tokens;
    for (auto const& spelling : spellings) tokens.push_back({spelling, token_kind::control});
    auto const t = build(bpe_model("gpt-4o", {}, tokens)).value();
    std::vector<std::string> ends;
    for (auto const id : t.end_of_generation()) ends.emplace_back(t.piece(id));
    return ends;
  };
  CHECK(ends_of({"<|end|>", "<|return|>", "<|call|>"}) == std::vector<std::string>{"<|return|>", "<|call|>"});
  CHECK(ends_of({"<|end|>", "<|user|>"}) == std::vector<std::string>{"<|end|>"});  // Phi-3
}

TEST_CASE("unsupported and broken vocabularies are refused with a reason", "[tokenizer]") {
  auto const refusal = [](gguf_writer const& writer, errc expected) {
    auto const t = build(writer);
    REQUIRE(!t);
    CHECK(t.error().is(expected));
    return t.error().message;
  };
  gguf_writer rwkv;
  rwkv.add("tokenizer.ggml.model", "rwkv");
  CHECK_THAT(refusal(rwkv, errc::unsupported), ContainsSubstring("'rwkv'") && ContainsSubstring("gpt2"));
  CHECK_THAT(refusal(gguf_writer(), errc::unsupported), ContainsSubstring("tokenizer.ggml.model"));
  CHECK_THAT(refusal(bpe_model("sonnet", {}), errc::unsupported),
             ContainsSubstring("'sonnet'") && ContainsSubstring("qwen2"));
  CHECK_THAT(refusal(bpe_model("gpt-2", {"ab"}), errc::corrupt_file), ContainsSubstring("merge 0"));
  auto beyond = spm_model({});
  beyond.add("tokenizer.ggml.bos_token_id", std::uint32_t{259});
  CHECK_THAT(refusal(beyond, errc::corrupt_file), ContainsSubstring("259"));
  gguf_writer short_scores;
  short_scores.add("tokenizer.ggml.model", "llama");
  short_scores.add("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b"});
  short_scores.add("tokenizer.ggml.scores", std::vector<float>{1});
  CHECK_THAT(refusal(short_scores, errc::corrupt_file), ContainsSubstring("scores"));
}

TEST_CASE("ids outside the vocabulary stand for nothing", "[tokenizer]") {
  auto const t = build(spm_model({})).value();
  CHECK(t.decode(id_list{-1, 1000, 'a' + 3}) == "a");
  CHECK(t.piece(-1).empty());
  CHECK(t.kind(1000) == token_kind::unused);
  CHECK(!t.find("nowhere"));
}

TEST_CASE("text and bytes survive encoding and decoding", "[tokenizer]") {
  dice d;
  INFO("seed " << d.seed);
  auto const prefixing = build(spm_model(hello_pieces)).value();
  std::vector<tokenizer> all{build(spm_without_prefix()).value()};
  for (auto const* pre : {"default", "gpt-2", "llama-bpe", "qwen2", "starcoder", "falcon", "deepseek-llm"})
    all.push_back(build(bpe_model(pre, abc_merges, hello_pieces)).value());
  for (int round = 0; round < 100; ++round) {
    auto const text = random_utf8(d, d.below(60)), bytes = random_bytes(d, d.below(60));
    CHECK(prefixing.decode(prefixing.encode(bytes)) == bytes);
    for (auto const& t : all) {
      INFO(t.family() << ": " << text);
      CHECK(t.decode(t.encode(text)) == text);
      CHECK(t.decode(t.encode(text, {.parse_special = true}), {.show_special = true}) == text);
      CHECK(t.decode(t.encode(bytes)) == bytes);
    }
  }
}

TEST_CASE("merging gives what the definition of byte-pair encoding gives", "[tokenizer]") {
  dice d;
  INFO("seed " << d.seed);
  auto const bpe = build(bpe_model("gpt-2", abc_merges)).value();
  std::vector<sample_token> pieces{{mark, token_kind::normal, -9}};
  for (auto const* piece : {"a", "b", "c", "ab", "abc", "bc", "aa", "aaaa", "cab", "ca", "bb", "abab"})
    pieces.push_back({piece, token_kind::normal, -static_cast<float>(d.below(6))});
  auto const spm = build(spm_model(pieces)).value();

  auto const rank = [](std::string const& left, std::string const& right) {
    auto const found = std::find(abc_merges.begin(), abc_merges.end(), left + " " + right);
    return found == abc_merges.end() ? 1e30 : static_cast<double>(found - abc_merges.begin());
  };
  auto const cost = [&](std::string const& left, std::string const& right) {
    auto const found =
        std::find_if(pieces.begin(), pieces.end(), [&](auto const& p) { return p.text == left + right; });
    return found == pieces.end() ? 1e30 : -double{found->score};
  };
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> letters;
    // Words of more than a hundred letters are merged another way than short ones.
    for (auto left = d.below(round % 10 == 0 ? 400 : 40) + 1; left > 0; --left)
      letters.push_back(std::string(1, static_cast<char>('a' + d.below(3))));
    std::string text;
    for (auto const& letter : letters) text += letter;
    INFO(text);
    CHECK(bpe.encode(text) == ids_of(bpe, merged_by_definition(letters, rank)));
    letters.insert(letters.begin(), mark);
    CHECK(spm.encode(text) == ids_of(spm, merged_by_definition(letters, cost)));
  }
}

TEST_CASE("a word becomes the same ids wherever it stands in a long text", "[tokenizer]") {
  dice d;
  INFO("seed " << d.seed);
  auto const t = build(bpe_model("gpt-2", abc_merges)).value();
  std::string text;
  id_list expected;
  for (int i = 0; i < 20'000; ++i) {
    std::string word = " ";
    for (auto left = 1 + d.below(9); left > 0; --left) word += static_cast<char>('a' + d.below(3));
    text += word;
    auto const ids = t.encode(word);
    expected.insert(expected.end(), ids.begin(), ids.end());
  }
  CHECK(t.encode(text) == expected);
}

TEST_CASE("hostile texts are encoded without blowing up", "[tokenizer]") {
  std::string const unit = GENERATE("a", " ", "\n", " \n", "<", "<tool", "<|im_start|", "1", "'", "\xCC\x81",
                                    "\xE2\x96\x81", "\xFF", "a\xFF", "\xEC\x84\x9C", "a ");
  CAPTURE(unit);
  std::string text;
  while (text.size() < 100'000) text += unit;
  text += 'x';  // so that runs of white space do not end the text
  auto const spm = build(spm_without_prefix()).value();
  auto const spelled = spm.decode(spm.encode(text, {.parse_special = true}));
  // SentencePiece reads its own mark as a space.
  CHECK(spelled == (unit == mark ? std::string(text.size() / mark.size(), ' ') + 'x' : text));
  for (auto const* pre : {"default", "llama-bpe", "deepseek-llm"}) {
    auto const bpe = build(bpe_model(pre, abc_merges, hello_pieces)).value();
    CHECK(bpe.decode(bpe.encode(text, {.parse_special = true})) == text);
  }
}
