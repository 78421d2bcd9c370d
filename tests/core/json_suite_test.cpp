// JSONTestSuite: what our parser must take and must refuse.

#include <wherry/core/json.hpp>

#include "../support/shared_data.hpp"

#include <catch2/catch_test_macros.hpp>

#include <set>

using namespace wherry;

TEST_CASE("every text of JSONTestSuite is accepted or refused as it says", "[jsonparse]") {
  auto const folder = wherry_test::shared("data/jsontestsuite/test_parsing");
  // RFC 8259 leaves duplicate names to the parser; ours refuses them unless told that the last one counts.
  std::set<std::string> const duplicates = {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"};
  int accepted = 0, refused = 0, either = 0;
  for (auto const& entry : std::filesystem::directory_iterator(folder)) {
    std::string const name = entry.path().filename().string();
    auto const text = wherry_test::read_file(entry.path());
    auto const parsed = parse_json(text);
    INFO(name << (parsed ? " was accepted" : ": " + parsed.error().message));
    if (name.starts_with("y_")) {
      ++accepted;
      CHECK(parse_json(text, repeated_keys::keep_last).has_value());
      CHECK(parsed.has_value() == !duplicates.contains(name));
    } else if (name.starts_with("n_")) {
      ++refused;
      CHECK_FALSE(parsed.has_value());
      CHECK_FALSE(parse_json(text, repeated_keys::keep_last).has_value());
    } else {
      ++either;
    }
    if (parsed) CHECK(parse_json(to_text(*parsed)).has_value());
  }
  CHECK(accepted == 95);
  CHECK(refused == 188);
  CHECK(either == 35);
}

TEST_CASE("of a key that stands twice the last value can be kept, in the first one's place", "[unit]") {
  std::string_view const text = R"({"a":1,"b":2,"a":{"c":3,"c":[4]}})";
  CHECK_FALSE(parse_json(text).has_value());
  CHECK(to_text(parse_json(text, repeated_keys::keep_last).value()) == R"({"a":{"c":[4]},"b":2})");
}

TEST_CASE("a zero byte is no end of a JSON text", "[unit]") {
  CHECK_FALSE(parse_json(std::string_view("123\0", 4)).has_value());
  CHECK_FALSE(parse_json(std::string_view("{}\0{}", 5)).has_value());
}
