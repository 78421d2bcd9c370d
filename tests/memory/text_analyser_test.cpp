#include "text_analyser.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>

using namespace wherry;
using namespace wherry::memory_detail;

namespace {

std::vector<std::string> terms(std::vector<term_at> const& all) {
  std::vector<std::string> out;
  for (auto const& at : all) out.push_back(at.term);
  return out;
}
std::vector<std::string> document(std::string const& text, std::string const& language = "english") {
  return terms(text_analyser::create(language).value().document(text).terms);
}
std::vector<std::string> question(std::string const& text) {
  return terms(text_analyser::create("english").value().question(text));
}
bool has(std::vector<std::string> const& all, std::string const& term) {
  return std::find(all.begin(), all.end(), term) != all.end();
}
using words = std::vector<std::string>;

}  // namespace

TEST_CASE("words are folded and stemmed") {
  CHECK(document("Running, runs; RUN!") == words{"run", "run", "run"});
  CHECK(document("Caroline's") == words{"carolin"});
  CHECK(document("ＦＵＬＬ　ｗｉｄｔｈ") == words{"full", "width"});
  CHECK(document("Die Häuser", "german") == words{"die", "haus"});
  CHECK(document("Running", "") == words{"running"});
  CHECK(document("").empty());
  CHECK(document(" \n\t...!").empty());
}

TEST_CASE("a language without a stemmer is refused") {
  CHECK(text_analyser::create("klingon").error().is(errc::unsupported));
}

TEST_CASE("identifiers are kept whole beside their parts") {
  CHECK(has(document("We use C++20."), "=c++20"));
  CHECK(has(document("in C#, too"), "=c#"));
  CHECK(has(document("call foo_bar()"), "=foo_bar"));
  CHECK(has(document("pi is 3.14"), "=3.14"));
  CHECK(has(document("see v1.2.3, please"), "=v1.2.3"));
  CHECK(has(document("parseJson"), "pars"));
  CHECK(has(document("parseJson"), "json"));
  CHECK_FALSE(has(document("plain"), "=plain"));
}

TEST_CASE("Korean, Chinese and Japanese runs become pairs and whole forms") {
  CHECK(document("서울") == words{"=서울", "서울"});
  auto const particle = document("프로젝트를");
  for (auto const* term : {"=프로젝트를", "=프로젝트", "프로", "로젝", "젝트", "트를"}) CHECK(has(particle, term));
  CHECK(has(document("서울에서"), "=서울"));
  CHECK(has(document("東京都に行く"), "東京"));
  CHECK(document("가") == words{"가"});
  CHECK(document("日本") == words{"=日本", "日本"});
}

TEST_CASE("scripts without spaces that have a dictionary are split into words") {
  CHECK(document("ภาษาไทย").size() == 2);
}

TEST_CASE("a question leaves out what only makes it one") {
  CHECK(question("What did Caroline research?") == words{"carolin", "research"});
  CHECK(question("Who are you?") == words{"who", "are", "you"});
  CHECK(question("to be or not to be").size() == 6);
}

TEST_CASE("dates in a question become terms of dates") {
  auto const asked = question("What happened on 8 May, 2023?");
  for (auto const* term : {"@y2023", "@m05", "@d08"}) CHECK(has(asked, term));
  CHECK(has(question("the trip in December"), "@m12"));
  CHECK(has(question("2023-05-08"), "@d08"));
  CHECK(has(question("2023년 5월에 간 여행"), "@m05"));
  CHECK_FALSE(has(question("may I come?"), "@m05"));
  CHECK(date_terms(1'683'504'000'000) == words{"@y2023", "@m05", "@d08"});
}

TEST_CASE("terms stay within their bound, on code points") {
  auto const long_word = document(std::string(1000, 'x'), "");
  REQUIRE(long_word.size() == 1);
  CHECK(long_word[0].size() <= term_bytes_max);
  CHECK(document(std::string(1001, 'x'), "") != long_word);
}

TEST_CASE("bytes that are not UTF-8 and odd code points are survived") {
  CHECK_NOTHROW(document("\xff\xfe broken \xc3"));
  CHECK(has(document("\xff broken"), "broken"));
  CHECK_NOTHROW(document(std::string("a\0b", 3)));
  CHECK_NOTHROW(document("ﷺ 👩‍👩‍👧 é é"));
}

TEST_CASE("texts that differ in form alone are the same text") {
  CHECK(normalised_text("  Likes\n tea. ") == normalised_text("likes TEA"));
  CHECK(normalised_text("ｌｉｋｅｓ tea!") == normalised_text("likes tea"));
  for (auto const* other : {"likes tee", "likes tea?", "likes no tea", "likes tea 2", "likes tea, not"})
    CHECK(normalised_text(other) != normalised_text("likes tea"));
}
