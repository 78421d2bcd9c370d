#include <wherry/core/random.hpp>
#include <wherry/llm/tokenizer.hpp>

#include "tokenizer_samples.hpp"

#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <cmath>
#include <map>

using namespace wherry;
using namespace wherry_test;
using Catch::Matchers::ContainsSubstring;

namespace {

std::string const mark = "\xE2\x96\x81";

using list = std::vector<std::string>;

list pieces_of(tokenizer const& t, std::string_view text) {
  list pieces;
  for (auto const id : t.encode(text)) {
    std::string piece(t.piece(id));
    if (piece.starts_with(mark)) piece.replace(0, mark.size(), "_");
    pieces.push_back(piece);
  }
  return pieces;
}

std::vector<sample_token> const words{
    {mark, token_kind::normal, -2},    {"a", token_kind::normal, -3},        {"b", token_kind::normal, -3},
    {"ab", token_kind::normal, -4.5F}, {mark + "a", token_kind::normal, -3}, {mark + "ab", token_kind::normal, -9},
    {"abab", token_kind::normal, -9},  {"<x>", token_kind::user_defined},    {"c", token_kind::unused, 0}};

std::vector<sample_token> with_bytes(std::vector<sample_token> tokens) {
  for (unsigned b = 0; b < 256; ++b) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", b);
    tokens.push_back({name, token_kind::byte});
  }
  return tokens;
}

// The table of a normaliser in the published format. Each node of its trie owns 256 units: the children at their
// labels, the value of a key that ends there at 0.
class charsmap_builder {
 public:
  charsmap_builder& add(std::string const& from, std::string const& to) {
    entries_[from] = to;
    return *this;
  }

  std::vector<std::int32_t> bytes() const {
    std::map<std::string, std::uint32_t> base{{"", 256}};
    for (auto const& [from, to] : entries_)
      for (std::size_t length = 1; length <= from.size(); ++length)
        base.emplace(from.substr(0, length), static_cast<std::uint32_t>(base.size() + 1) * 256);
    std::vector<std::uint32_t> units((base.size() + 1) * 256, 0xFFu << 23);
    std::string strings;
    for (auto const& [node, own] : base) {
      auto const label = node.empty() ? 0u : static_cast<std::uint8_t>(node.back());
      auto const place = node.empty() ? 0u : base.at(node.substr(0, node.size() - 1)) ^ label;
      bool const ends = entries_.contains(node);
      units[place] = (place ^ own) << 10 | (ends ? 1u << 8 : 0) | label;
      if (!ends) continue;
      units[own] = static_cast<std::uint32_t>(strings.size()) | 1u << 31;
      strings += entries_.at(node) + '\0';
    }
    std::vector<std::int32_t> out;
    auto const put = [&](std::uint32_t word) {
      for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<std::int32_t>(word >> shift & 0xFF));
    };
    put(static_cast<std::uint32_t>(units.size() * 4));
    for (auto const unit : units) put(unit);
    for (char const c : strings) out.push_back(static_cast<std::uint8_t>(c));
    return out;
  }

 private:
  std::map<std::string, std::string> entries_;
};

}  // namespace

TEST_CASE("Unigram takes the cut with the highest sum of scores", "[tokenizer]") {
  auto const t = build(unigram_model(words)).value();
  CHECK(t.family() == "unigram");
  CHECK(pieces_of(t, "ab") == list{"_a", "b"});          // -6 beats -6.5 and -9
  CHECK(pieces_of(t, "abab") == list{"_a", "b", "ab"});  // -10.5 beats -11
  CHECK(t.encode("ab", {.add_special = true}).back() == t.eos());
  CHECK(t.encode("").empty());
}

TEST_CASE("a run of unknown characters is one unknown token", "[tokenizer]") {
  auto const t = build(unigram_model(words)).value();
  CHECK(pieces_of(t, "zzb") == list{"_", "<unk>", "b"});
  CHECK(pieces_of(t, "z \xEC\x84\x9C") == list{"_", "<unk>", "_", "<unk>"});
  CHECK(pieces_of(t, "c") == list{"_", "<unk>"});  // an unused piece is none
  CHECK(t.decode(t.encode("zb")) == "b");
}

TEST_CASE("a Unigram vocabulary with a token for each byte spells what it does not know", "[tokenizer]") {
  auto writer = unigram_model(with_bytes(words));
  writer.add("tokenizer.ggml.remove_extra_whitespaces", false);
  auto const t = build(writer).value();
  CHECK(pieces_of(t, "\xC3\xA9") == list{"_", "<0xC3>", "<0xA9>"});
  for (auto const* text : {"ab \xC3\xA9 a\n", "  a  ", "\xFF\xC3", "<0x41>"}) CHECK(t.decode(t.encode(text)) == text);
}

TEST_CASE("Unigram keeps one space between words and none at the ends", "[tokenizer]") {
  auto const t = build(unigram_model(words)).value();
  CHECK(pieces_of(t, "  a   b  ") == list{"_a", "_", "b"});
  CHECK(t.encode("   ").empty());
  auto keeping = unigram_model(words);
  keeping.add("tokenizer.ggml.remove_extra_whitespaces", false);
  CHECK(pieces_of(build(keeping).value(), " a  b") == list{"_", "_a", "_", "_", "b"});
  auto bare = unigram_model(words);
  bare.add("tokenizer.ggml.add_space_prefix", false);
  CHECK(pieces_of(build(bare).value(), " a b") == list{"a", "_", "b"});
}

TEST_CASE("user-defined tokens cut a text, control tokens with permission only", "[tokenizer]") {
  auto const t = build(unigram_model(words)).value();
  CHECK(pieces_of(t, "a<x>b") == list{"_a", "<x>", "_", "b"});
  CHECK(t.encode("</s>", {.parse_special = true}) == std::vector<token_id>{1});
  CHECK(pieces_of(t, "</s>") == list{"_", "<unk>"});
}

TEST_CASE("the normaliser of the file is applied", "[tokenizer]") {
  auto writer = unigram_model(words);
  charsmap_builder map;
  map.add("A", "a").add("\xEF\xBC\xA1", "a").add("\xE2\x85\xA1", "ab").add("AB", "b").add("\t", " ").add("\x01", "");
  writer.add("tokenizer.ggml.precompiled_charsmap", map.bytes());
  auto const t = build(writer).value();
  CHECK(pieces_of(t, "Ab") == list{"_a", "b"});
  CHECK(pieces_of(t, "\xEF\xBC\xA1") == list{"_a"});             // a full-width letter
  CHECK(pieces_of(t, "b\xE2\x85\xA1") == list{"_", "b", "ab"});  // one character becomes two
  CHECK(pieces_of(t, "bAB") == list{"_", "b", "b"});             // the longest entry counts
  CHECK(pieces_of(t, "\t a\t\tb\t") == list{"_a", "_", "b"});    // what becomes a space is one
  CHECK(pieces_of(t,
                  "a\x01"
                  "b") == list{"_a", "b"});
  CHECK(t.encode("\x01").empty());
}

TEST_CASE("a broken normaliser is refused or harmless", "[tokenizer]") {
  auto const with = [](std::vector<std::int32_t> const& map) {
    auto writer = unigram_model(words);
    writer.add("tokenizer.ggml.precompiled_charsmap", map);
    return build(writer);
  };
  auto const whole = charsmap_builder().add("A", "a").add("AB", "b").bytes();
  REQUIRE(with(whole));
  for (auto const& broken : {std::vector<std::int32_t>{1, 2}, {8, 0, 0, 0, 1, 2, 3}, {3, 0, 0, 0, 1, 2, 3, 4}}) {
    auto const refused = with(broken);
    REQUIRE(!refused);
    CHECK_THAT(refused.error().message, ContainsSubstring("precompiled_charsmap"));
  }
  CHECK(with({}));
  for (std::uint32_t round = 0; round < 300; ++round) {
    auto damaged = whole;
    for (std::uint32_t i = 0; i < 1 + round % 20; ++i) {
      auto const bits = random_bits({.run = Catch::getSeed(), .position = round * 32 + i});
      damaged[4 + bits % (damaged.size() - 4)] = static_cast<std::int32_t>(bits >> 40 & 0xFF);
    }
    auto const t = with(damaged);
    if (t) CHECK(t->encode("AAB \xEF\xBC\xA1 ABA").size() < 100);
  }
}

TEST_CASE("Unigram's cut is the best of all cuts", "[tokenizer]") {
  for (std::uint32_t round = 0; round < 200; ++round) {
    std::uint32_t drawn = 0;
    auto const below = [&](std::size_t bound) -> std::size_t {
      return random_bits({.run = Catch::getSeed(), .step = round, .position = drawn++}) % bound;
    };
    std::vector<sample_token> tokens{{mark, token_kind::normal, -1}};
    std::map<std::string, double> scores{{mark, -1}};
    for (auto const* piece : {"a", "b", "ab", "ba", "aa", "aba", "bab", "abba"}) {
      if (below(4) == 0) continue;
      auto const score = -static_cast<float>(1 + below(100)) / 8;
      tokens.push_back({piece, token_kind::normal, score});
      scores[piece] = double{score};
    }
    double worst = 0;
    for (auto const& [piece, score] : scores) worst = std::min(worst, score);
    std::string text;
    for (auto left = 1 + below(9); left > 0; --left) text += below(2) ? 'a' : 'b';
    CAPTURE(Catch::getSeed(), round, text);

    // Best sum by trying every cut, from the right.
    std::vector<double> best(text.size() + 1, 0);
    for (std::size_t at = text.size(); at-- > 0;) {
      best[at] = -1e30;
      for (std::size_t length = 1; at + length <= text.size(); ++length) {
        auto const found = scores.find(text.substr(at, length));
        if (found != scores.end()) best[at] = std::max(best[at], found->second + best[at + length]);
        if (found == scores.end() && length == 1) best[at] = std::max(best[at], worst - 10 + best[at + 1]);
      }
    }
    auto const t = build(unigram_model(with_bytes(tokens))).value();
    double sum = 0;
    std::string spelled;
    for (auto const id : t.encode(text)) {
      auto const known = scores.find(std::string(t.piece(id)));
      sum += known == scores.end() ? worst - 10 : known->second;
      spelled += t.token_bytes(id);
    }
    CHECK(spelled == " " + text);
    CHECK(std::abs(sum - (best[0] - 1)) < 1e-6);
  }
}
