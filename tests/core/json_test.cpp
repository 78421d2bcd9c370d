#include <wherry/core/json.hpp>

#include <catch2/catch_test_macros.hpp>

#include <string>

using namespace wherry;

TEST_CASE("json keeps members in the order they were written", "[unit]") {
  auto const value = parse_json(R"({"b":1,"a":{"z":null,"y":[true,2.5]}})");
  REQUIRE(value);
  CHECK(to_text(*value) == R"({"b":1,"a":{"z":null,"y":[true,2.5]}})");
}

TEST_CASE("json refuses a key that stands twice in one object", "[unit]") {
  auto const value = parse_json(R"({"a":1,"b":{"a":1,"a":2}})");
  REQUIRE_FALSE(value);
  CHECK(value.error().is(errc::parse_error));
  CHECK(value.error().message.find("\"a\" stands twice") != std::string::npos);
}

TEST_CASE("json keeps the digits of integers beyond 64 bits", "[unit]") {
  std::string const text = R"([18446744073709551616,-9223372036854775809,18446744073709551615])";
  auto const value = parse_json(text);
  REQUIRE(value);
  CHECK(is_big_integer((*value)[0]));
  CHECK(big_integer_text((*value)[1]) == "-9223372036854775809");
  CHECK((*value)[2].is_number_unsigned());
  CHECK(to_text(*value) == text);
}

TEST_CASE("json refuses nesting beyond its bound before parsing it", "[unit]") {
  CHECK(parse_json(std::string(json_depth_max, '[') + std::string(json_depth_max, ']')));
  auto const deep = parse_json(std::string(100'000, '['));
  REQUIRE_FALSE(deep);
  CHECK(deep.error().message.find("deeper than 512") != std::string::npos);
}

TEST_CASE("json refuses bytes that are not UTF-8 and tells where", "[unit]") {
  auto const value = parse_json("{\"a\":\"x\xff\"}");
  REQUIRE_FALSE(value);
  CHECK(value.error().message.find("byte 7") != std::string::npos);
}

TEST_CASE("json refuses text after the document, and broken text", "[unit]") {
  CHECK_FALSE(parse_json("{} x"));
  CHECK_FALSE(parse_json(""));
  CHECK_FALSE(parse_json("{\"a\":}"));
  CHECK_FALSE(parse_json("[1,]"));
}

TEST_CASE("json text is what nlohmann writes, character by character", "[unit]") {
  std::string every;
  for (int c = 1; c < 128; ++c) every += static_cast<char>(c);
  every += "\xC3\xA9\xED\x95\x9C\xF0\x9F\x98\x80";
  json value = {{"text", every}, {every, -7}, {"big", 18446744073709551615U}, {"real", 0.1}, {"none", nullptr}};
  value["list"] = {true, false, 1.5e300, std::string("nul\0byte", 8)};
  CHECK(to_text(value) == value.dump());
  CHECK(parse_json(to_text(value)).value() == value);
}

TEST_CASE("json finds a key that stands twice among many", "[unit]") {
  std::string text = "{";
  for (int i = 0; i < 100; ++i) text += "\"k" + std::to_string(i) + "\":0,";
  CHECK(parse_json(text + "\"last\":0}"));
  CHECK_FALSE(parse_json(text + "\"k3\":0}"));
  CHECK_FALSE(parse_json(text + "\"k99\":0}"));
}

TEST_CASE("json says at which byte a text stops being JSON", "[unit]") {
  auto const said = [](std::string_view text) { return parse_json(text).error().message; };
  CHECK(said("{\"a\":}") == "JSON is not valid at byte 5: a value should stand here");
  CHECK(said("{\"a\":1,\"a\":2}") == "JSON is not valid at byte 7: the key \"a\" stands twice in one object");
  CHECK(said("[1 2]") == "JSON is not valid at byte 3: a comma or ] should stand here");
  CHECK(said("\"\\ud800\"") == "JSON is not valid at byte 1: a high surrogate stands alone");
  CHECK(said("[1e400]") == "JSON is not valid at byte 1: the number is larger than a double can hold");
}

TEST_CASE("json keeps the kind of a number", "[unit]") {
  auto const value = parse_json("[0,-0,-1,1.0,1e2,1e-400,-1e-400,9223372036854775808,0.1]").value();
  CHECK(value[0].is_number_unsigned());
  CHECK((value[1].is_number_integer() && value[1] == 0));
  CHECK((value[2].is_number_integer() && value[2] == -1));
  CHECK((value[3].is_number_float() && value[4] == 100.0));
  CHECK((value[5] == 0.0 && value[6] == 0.0));
  CHECK((value[7].is_number_unsigned() && value[7].get<std::uint64_t>() == 9223372036854775808u));
  CHECK(to_text(value[8]) == "0.1");
}

TEST_CASE("json resolves escapes in keys and strings", "[unit]") {
  auto const value = parse_json(R"({"a\u0062":"\u00e9\ud83d\ude00\n\/\"","plain":"x"})").value();
  CHECK(value["ab"] == "\xC3\xA9\xF0\x9F\x98\x80\n/\"");
  CHECK(value["plain"] == "x");
}
