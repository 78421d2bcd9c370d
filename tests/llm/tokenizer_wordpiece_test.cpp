#include <wherry/llm/tokenizer.hpp>

#include "tokenizer_samples.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace wherry;
using namespace wherry_test;

namespace {

// The pieces of a text as BERT's own vocabulary writes them.
std::vector<std::string> pieces_of(tokenizer const& t, std::string_view text) {
  std::vector<std::string> pieces;
  for (auto const id : t.encode(text)) {
    std::string piece(t.piece(id));
    if (t.kind(id) == token_kind::normal) piece = piece.starts_with("\xE2\x96\x81") ? piece.substr(3) : "##" + piece;
    pieces.push_back(piece);
  }
  return pieces;
}

using list = std::vector<std::string>;

}  // namespace

TEST_CASE("WordPiece spells a word by the longest pieces from the left", "[tokenizer]") {
  auto const t = build(wordpiece_model({"un", "u", "unaff", "##able", "##aff", "##a", "##ab", "##le"})).value();
  CHECK(t.family() == "wordpiece");
  CHECK(pieces_of(t, "unaffable") == list{"unaff", "##able"});
  CHECK(pieces_of(t, "unable") == list{"un", "##able"});
  CHECK(pieces_of(t, "able") == list{"[UNK]"});    // "##able" begins no word
  CHECK(pieces_of(t, "unaffx") == list{"[UNK]"});  // one token for the whole word
  CHECK(pieces_of(t, "una unaffx u") == list{"un", "##a", "[UNK]", "u"});
  CHECK(t.encode("").empty());
  CHECK(t.encode(" \t\n\xE3\x80\x80").empty());
}

TEST_CASE("WordPiece cuts at spaces, punctuation and ideographs", "[tokenizer]") {
  auto const t = build(wordpiece_model({"a", "b", "##a", "##b", "-", "\xC2\xBF", "\xE4\xB8\xAD", "\xE6\x96\x87",
                                        "\xE3\x82\xAB", "##\xE3\x83\x8A", "##1", "$"}))
                     .value();
  CHECK(pieces_of(t, "a-b") == list{"a", "-", "b"});
  CHECK(pieces_of(t, "a$b") == list{"a", "$", "b"});  // ASCII symbols count as punctuation
  CHECK(pieces_of(t, "a1") == list{"a", "##1"});
  CHECK(pieces_of(t,
                  "\xC2\xBF"
                  "a") == list{"\xC2\xBF", "a"});
  CHECK(pieces_of(t,
                  "a\xE4\xB8\xAD\xE6\x96\x87"
                  "b") == list{"a", "\xE4\xB8\xAD", "\xE6\x96\x87", "b"});
  CHECK(pieces_of(t, "\xE3\x82\xAB\xE3\x83\x8A") == list{"\xE3\x82\xAB", "##\xE3\x83\x8A"});  // kana are letters
  CHECK(pieces_of(t,
                  "a\xC2\xA0"
                  "b") == list{"a", "b"});
}

TEST_CASE("WordPiece drops control characters and broken bytes", "[tokenizer]") {
  auto const t = build(wordpiece_model({"a", "##b"})).value();
  for (auto const* between : {"", "\x01", "\x7F", "\xC2\x85", "\xE2\x80\x8B", "\xEF\xBB\xBF", "\xEF\xBF\xBD", "\xFF",
                              "\xC0", "\xED\xA0\x80", "\xEE\x80\x80"})
    CHECK(pieces_of(t, "a" + std::string(between) + "b") == list{"a", "##b"});
  CHECK(pieces_of(t, std::string("a\0b", 3)) == list{"a", "##b"});
}

TEST_CASE("WordPiece reads Hangul as its letters, all of them", "[tokenizer]") {
  // U+D55C is U+1112 U+1161 U+11AB; a syllable must not lose its vowel or final.
  auto const t = build(wordpiece_model({"\xE1\x84\x92", "##\xE1\x85\xA1", "##\xE1\x86\xAB"})).value();
  CHECK(pieces_of(t, "\xED\x95\x9C") == list{"\xE1\x84\x92", "##\xE1\x85\xA1", "##\xE1\x86\xAB"});
}

TEST_CASE("WordPiece folds case and accents unless its vocabulary has capitals", "[tokenizer]") {
  auto const uncased = build(wordpiece_model({"cafe", "\xCF\x83", "i", ";", "="})).value();
  CHECK(pieces_of(uncased, "CAF\xC3\x89 cafe\xCC\x81") == list{"cafe", "cafe"});
  CHECK(pieces_of(uncased, "\xCE\xA3") == list{"\xCF\x83"});
  CHECK(pieces_of(uncased, "\xC4\xB0") == list{"i"});      // I with a dot
  CHECK(pieces_of(uncased, "\xCD\xBE") == list{";"});      // Greek question mark is a semicolon, and ends a word
  CHECK(pieces_of(uncased, "\xE2\x89\xA0") == list{"="});  // not equal, without its stroke
  list letters{"caf\xC3\xA9", "cafe"};
  for (char c = 'A'; c <= 'Z'; ++c) letters.push_back(std::string(1, c));
  auto const cased = build(wordpiece_model(letters)).value();
  CHECK(pieces_of(cased, "A caf\xC3\xA9 cafe a") == list{"A", "caf\xC3\xA9", "cafe", "[UNK]"});
}

TEST_CASE("a word of more than a hundred characters is unknown", "[tokenizer]") {
  auto const t = build(wordpiece_model({"a", "##a", "\xC3\xB8", "##\xC3\xB8"})).value();
  CHECK(pieces_of(t, std::string(100, 'a')).size() == 100);
  CHECK(pieces_of(t, std::string(101, 'a')) == list{"[UNK]"});
  std::string two_bytes_each;
  for (int i = 0; i < 100; ++i) two_bytes_each += "\xC3\xB8";
  CHECK(pieces_of(t, two_bytes_each).size() == 100);
}

TEST_CASE("WordPiece decodes to words with a space in front, and tidy punctuation", "[tokenizer]") {
  auto const t = build(wordpiece_model({"we", "'", "re", "here", ",", "no", "##w", ".", "s"})).value();
  CHECK(t.decode(t.encode("We're here, now.")) == " we're here, now.");
  CHECK(t.decode(t.encode("here", {.add_special = true}), {.show_special = true}) == "[CLS] here[SEP]");
  CHECK(t.token_bytes(*t.find("w")) == "w");
}

TEST_CASE("control tokens of WordPiece come from text only with permission", "[tokenizer]") {
  auto const t = build(wordpiece_model({"[", "mask", "]"})).value();
  CHECK(pieces_of(t, "[MASK]") == list{"[", "mask", "]"});
  CHECK(t.encode("[MASK]", {.parse_special = true}) == std::vector<token_id>{*t.mask()});
}
