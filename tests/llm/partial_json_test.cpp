#include <wherry/core/json.hpp>
#include <wherry/llm/partial_json.hpp>

#include <catch2/catch_test_macros.hpp>

#include <optional>

using namespace wherry;

namespace {

struct stop {
  std::string name;
  std::optional<int> nights;
};
struct trip {
  std::string city;
  std::vector<stop> stops;
  std::optional<double> price;
};

std::vector<closed_value> all_of(std::string_view text, std::size_t piece) {
  partial_json reader;
  std::vector<closed_value> events;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    auto got = reader.push(text.substr(at, piece));
    REQUIRE(got);
    events.insert(events.end(), got->begin(), got->end());
  }
  auto last = reader.finish();
  REQUIRE(last);
  events.insert(events.end(), last->begin(), last->end());
  CHECK(reader.text() == text);
  return events;
}

}  // namespace

TEST_CASE("each value of a text that is being written is told when it closes, however the text is cut", "[unit]") {
  std::string const text = R"( {"a/b": [1, {"x":null}, "y\"\\"], "n": -2.5e3 , "e":{} } )";
  std::vector<closed_value> const expected = {{"/a~1b/0", {"1"}},
                                              {"/a~1b/1/x", {"null"}},
                                              {"/a~1b/1", {R"({"x":null})"}},
                                              {"/a~1b/2", {R"("y\"\\")"}},
                                              {"/a~1b", {R"([1, {"x":null}, "y\"\\"])"}},
                                              {"/n", {"-2.5e3"}},
                                              {"/e", {"{}"}},
                                              {"", {text.substr(1, text.size() - 2)}}};
  for (std::size_t piece = 1; piece <= text.size(); ++piece) CHECK(all_of(text, piece) == expected);
  CHECK(all_of("17", 1) == std::vector<closed_value>{{"", {"17"}}});
}

TEST_CASE("what is closed so far is a document at every byte", "[unit]") {
  std::string const text = R"({"a":[1,{"b":"c"}],"d":tru)";
  partial_json reader;
  for (char const c : text) {
    REQUIRE(reader.push(std::string_view(&c, 1)));
    INFO(reader.text() << " -> " << reader.closed_text());
    CHECK(parse_json(reader.closed_text()).has_value());
  }
  CHECK(reader.closed_text() == R"({"a":[1,{"b":"c"}]})");
}

TEST_CASE("a text that cannot become JSON is refused at its byte", "[unit]") {
  for (std::string const text :
       {"{]", "[1 2", "{\"a\" 1", "[01", "{\"a\":1,}", "nul,", "\"\n\"", "[\"\\x\"", "1}", "{1"}) {
    partial_json reader;
    auto const got = reader.push(text + " ");
    INFO(text);
    REQUIRE_FALSE(got);
    CHECK(got.error().is(errc::parse_error));
    CHECK_FALSE(reader.push("[]"));
  }
  partial_json cut;
  REQUIRE(cut.push("[1,"));
  CHECK_FALSE(cut.finish());
  partial_json deep;
  CHECK_FALSE(deep.push(std::string(json_depth_max + 1, '[')));
}

TEST_CASE("fields of a struct are filled as they close", "[unit]") {
  partial<trip> so_far;
  REQUIRE(so_far.push(R"({"city":"Se)"));
  CHECK(so_far.value.city.empty());
  REQUIRE(so_far.push(R"(oul","stops":[{"name":"palace","nights":2})"));
  CHECK(so_far.value.city == "Seoul");
  CHECK(so_far.value.stops.empty());
  REQUIRE(so_far.push(R"(],"price":4)"));
  REQUIRE(so_far.value.stops.size() == 1);
  CHECK(so_far.value.stops[0].nights == 2);
  CHECK_FALSE(so_far.value.price.has_value());
  REQUIRE(so_far.push("0.5}"));
  CHECK(so_far.value.price == 40.5);
  CHECK(so_far.closed == std::vector<std::string>{"city", "stops", "price"});
  CHECK(so_far.is_whole());

  partial<trip> wrong;
  auto const refused = wrong.push(R"({"stops":[{"name":1}])");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().path == "/stops/0/name");
}
