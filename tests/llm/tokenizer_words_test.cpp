// How byte-level BPE cuts text into words.

#include "tokenizer/character_class.hpp"
#include "tokenizer/code_points.hpp"
#include "tokenizer/pre_tokenizer.hpp"

#include <wherry/core/random.hpp>
#include <wherry/core/text.hpp>

#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>

#include <set>
#include <string>

using namespace wherry;
using namespace wherry::detail;

namespace {

using list = std::vector<std::string>;

list words_of(splitter const& words, std::string_view text) {
  list pieces;
  auto const take = [&](std::string_view word) { pieces.emplace_back(word); };
  words.split(text, word_sink(take));
  return pieces;
}

list words_of(std::string_view pre, std::string_view text) {
  auto const* row = find_pre_tokenizer(pre);
  REQUIRE(row);
  return words_of(splitter::compile(row->steps).value(), text);
}

list scanned(word_scanner scanner, std::string_view text) {
  list pieces;
  auto const take = [&](std::string_view word) { pieces.emplace_back(word); };
  scanner(text, word_sink(take));
  return pieces;
}

splitter by_pattern(std::string_view pattern) {
  split_step const step{pattern};
  return splitter::compile(std::span(&step, 1)).value();
}

std::string joined(list const& pieces) {
  std::string text;
  for (auto const& piece : pieces) text += piece;
  return text;
}

class dice {
 public:
  explicit dice(std::uint32_t lane) : lane_(lane) {}
  std::size_t below(std::size_t bound) {
    return random_bits({.run = Catch::getSeed(), .step = lane_, .position = drawn_++}) % bound;
  }

 private:
  std::uint32_t lane_, drawn_ = 0;
};

// Texts of all sorts of characters, near each other in ways that patterns care about. Left out are characters that the
// Unicode of PCRE2 and that of ICU put into different classes: each is right for its year.
class text_source {
 public:
  std::string draw(dice& d, std::size_t length) {
    static std::vector<std::string> const common{"a",
                                                 "b",
                                                 "Z",
                                                 "s",
                                                 "T",
                                                 "re",
                                                 "LL",
                                                 "'",
                                                 "'",
                                                 "'s",
                                                 "'Re",
                                                 " ",
                                                 " ",
                                                 "  ",
                                                 "\n",
                                                 "\r",
                                                 "\r\n",
                                                 "\t",
                                                 "\v",
                                                 "0",
                                                 "1",
                                                 "23",
                                                 "456",
                                                 "/",
                                                 ".",
                                                 ",",
                                                 "!",
                                                 "$",
                                                 "_",
                                                 "-",
                                                 "+",
                                                 "\xC2\xA0",
                                                 "\xC2\x85",
                                                 "\xE3\x80\x80",
                                                 "\xE2\x80\xA8",
                                                 "\xC3\xA9",
                                                 "\xC3\x89",
                                                 "\xC7\x85",
                                                 "\xCC\x81",
                                                 "\xEC\x84\x9C",
                                                 "\xE4\xB8\xAD",
                                                 "\xE3\x81\x82",
                                                 "\xE3\x80\x87",
                                                 "\xCA\xB0",
                                                 "\xC2\xBD",
                                                 "\xD9\xA3",
                                                 "\xE0\xA4\xA8",
                                                 "\xE0\xA4\xBF",
                                                 "\xF0\x9F\x98\x80",
                                                 "\xE2\x80\x8D",
                                                 "\xE1\xA0\x8E",
                                                 "\xC5\xBF",
                                                 "'\xC5\xBF",
                                                 "K",
                                                 "\xE2\x84\xAA",
                                                 "\xCA\xBC"};
    std::string text;
    for (std::size_t i = 0; i < length; ++i) {
      if (d.below(4) != 0)
        text += common[d.below(common.size())];
      else if (char32_t const c = static_cast<char32_t>(d.below(d.below(3) ? 0x3000 : 0x110000)); is_agreed(c))
        append_utf8(text, c);
    }
    return text;
  }

 private:
  struct category {
    std::uint8_t bit;
    splitter words;
  };

  // A match of the class leaves "x" and what is matched apart.
  bool is_agreed(char32_t c) {
    if (c == 0 || (c >= 0xD800 && c < 0xE000)) return false;
    std::string text = "x\x01";
    append_utf8(text, c);
    text += '\x01';
    auto const own = character_classes::instance().of(c);
    for (auto const& k : categories_)
      if ((words_of(k.words, text).size() > 1) != (own == k.bit)) return false;
    return true;
  }

  static category make(std::uint8_t bit, std::string const& classes) {
    return {bit, by_pattern("(?<=\x01)" + classes + "(?=\x01)")};
  }

  std::vector<category> const categories_ = [] {
    std::vector<category> all;
    all.push_back(make(upper_letter, R"([\p{Lu}\p{Lt}])"));
    all.push_back(make(lower_letter, R"(\p{Ll})"));
    all.push_back(make(other_letter, R"([\p{Lm}\p{Lo}])"));
    all.push_back(make(mark, R"(\p{M})"));
    all.push_back(make(number, R"(\p{N})"));
    all.push_back(make(punctuation, R"(\p{P})"));
    all.push_back(make(symbol_sign, R"(\p{S})"));
    all.push_back(make(space, R"(\s)"));
    return all;
  }();
};

}  // namespace

TEST_CASE("a scanner finds the words that its pattern finds", "[tokenizer]") {
  std::set<word_scanner> seen;
  text_source source;
  std::uint32_t lane = 0;
  for (auto const& row : pre_tokenizers())
    for (auto const& step : row.steps) {
      // A pattern that matches between characters defines cuts, not pieces; its scanner has a test of its own.
      if (!step.scanner || step.scanner == scan_grouped_digits || !seen.insert(step.scanner).second) continue;
      CAPTURE(row.name, step.pattern, Catch::getSeed());
      auto const pattern = by_pattern(step.pattern);
      dice d(++lane);
      for (int round = 0; round < 3000; ++round) {
        auto const text = source.draw(d, d.below(24));
        INFO(text);
        REQUIRE(scanned(step.scanner, text) == words_of(pattern, text));
      }
    }
  CHECK(seen.size() == 9);
}

TEST_CASE("digits are grouped from the right", "[tokenizer]") {
  CHECK(scanned(scan_grouped_numbers, "1234567") == list{"1", "234", "567"});
  CHECK(scanned(scan_grouped_numbers, "a123456b12") == list{"a", "123", "456", "b", "12"});
  CHECK(scanned(scan_grouped_digits_of_words, "12345 1234x") == list{"12", "345", " 1234x"});
  // Cut in front of each group of three only: what is left of it stays where it is.
  CHECK(scanned(scan_grouped_digits, "12345") == list{"12", "345"});
  CHECK(scanned(scan_grouped_digits, "123456") == list{"123", "456"});
  CHECK(scanned(scan_grouped_digits, "12") == list{"12"});
  CHECK(scanned(scan_grouped_digits,
                "\xC2\xBD"
                "1234") == list{"\xC2\xBD"
                                "1",
                                "234"});
  CHECK(words_of("superbpe", "in 1234567 days") == list{"in ", "1", "234", "567", " days"});
}

TEST_CASE("each pre-tokenizer cuts a text without losing any of it", "[tokenizer]") {
  text_source source;
  for (auto const& row : pre_tokenizers()) {
    CAPTURE(row.name, Catch::getSeed());
    CHECK(find_pre_tokenizer(row.name) == &row);  // no name stands twice
    auto const words = splitter::compile(row.steps).value();
    dice d(1000);
    for (int round = 0; round < 200; ++round) {
      auto text = source.draw(d, d.below(40));
      if (round % 3 == 0) text.insert(d.below(text.size() + 1), "\xFF");
      INFO(text);
      auto const pieces = words_of(words, text);
      REQUIRE(joined(pieces) == text);
      for (auto const& piece : pieces) REQUIRE(!piece.empty());
    }
  }
}

TEST_CASE("words of well-known pre-tokenizers", "[tokenizer]") {
  CHECK(words_of("gpt-2", "I'll pay  $12, 'TIS it") ==
        list{"I", "'ll", " pay", " ", " $", "12", ",", " '", "TIS", " it"});
  CHECK(words_of("llama-bpe", "I'LL pay  $12345\n\n x") ==
        list{"I", "'LL", " pay", " ", " $", "123", "45", "\n\n", " x"});
  CHECK(words_of("qwen2", "v2.5\n  y") == list{"v", "2", ".", "5", "\n", " ", " y"});
  CHECK(words_of("gpt-4o", "camelCaseHTTPServer's path/\n\nOK") ==
        list{"camel", "Case", "HTTPServer's", " path", "/\n\n", "OK"});
  CHECK(words_of("tekken", "don't HTTPServer 12") == list{"don", "'t", " HTTPServer", " ", "1", "2"});
  CHECK(words_of("starcoder", "x10 = 5") == list{"x", "1", "0", " =", " ", "5"});
  CHECK(words_of("falcon", "a.b 12345") == list{"a", ".", "b", " ", "123", "45"});
  CHECK(words_of("deepseek-v3", "x1234\xE4\xB8\xAD.abc\n") == list{"x", "123", "4", "\xE4\xB8\xAD", ".abc", "\n"});
  CHECK(words_of("bloom", "Hello, world!") == list{"Hello", ",", " world", "!"});
  CHECK(words_of("kimi-k2",
                 "abc\xE4\xB8\xAD\xE6\x96\x87"
                 "def") == list{"abc", "\xE4\xB8\xAD\xE6\x96\x87", "def"});
  CHECK(words_of("kimi-k2", "\xE4\xB8\xAD\xE3\x80\x81\xE6\x96\x87") ==
        list{"\xE4\xB8\xAD", "\xE3\x80\x81", "\xE6\x96\x87"});  // a comma is not of the script, if often beside it
  CHECK(words_of("jais-2", "!\n \n  b") == list{"!\n", " \n", " ", " b"});
  CHECK(words_of("jais-2", "a        b") == list{"a", "    ", "  ", " ", " b"});
  CHECK(words_of("exaone-moe", "one two  three") == list{"one two", " ", " three"});
  CHECK(words_of("qwen35", "\xE0\xA4\xA8\xE0\xA4\xBF x") == list{"\xE0\xA4\xA8\xE0\xA4\xBF", " x"});
  CHECK(words_of("qwen2", "\xE0\xA4\xA8\xE0\xA4\xBF x") == list{"\xE0\xA4\xA8", "\xE0\xA4\xBF", " x"});
}

TEST_CASE("no pre-tokenizer searches a long run again and again", "[tokenizer]") {
  // Quadratic time would be minutes here, and the limit of a test ends it.
  for (std::string const unit :
       {"a", " ", "\n", " \n", "\t ", "1", "!", "\xCC\x81", "aB", "\xE3\x80\x80", "\xE4\xB8\xAD"}) {
    std::string text;
    while (text.size() < 300'000) text += unit;
    text += 'x';
    for (auto const& row : pre_tokenizers()) {
      CAPTURE(unit, row.name);
      std::size_t bytes = 0;
      auto const take = [&](std::string_view word) { bytes += word.size(); };
      splitter::compile(row.steps).value().split(text, word_sink(take));
      CHECK(bytes == text.size());
    }
  }
}

TEST_CASE("bytes that are not UTF-8 end the text on both sides", "[tokenizer]") {
  CHECK(words_of("gpt-2",
                 "a  \xFF"
                 "b") == list{"a", "  ", "\xFF", "b"});
  CHECK(words_of("llama-bpe", "\xC3") == list{"\xC3"});
}
