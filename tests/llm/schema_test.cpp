#include "schema_types.hpp"

#include <wherry/core/random.hpp>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <array>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <sstream>
#include <string>

using namespace wherry;
using namespace schema_types;

namespace {

template <class T>
error failure_of(std::string_view text) {
  auto const r = decode<T>(text);
  REQUIRE_FALSE(r);
  CHECK(r.error().is(errc::output_invalid));
  return r.error();
}

std::string deep(std::size_t levels) {
  std::string text;
  for (std::size_t i = 0; i < levels; ++i) text += R"({"name":"n","children":[)";
  text += R"({"name":"leaf","children":[]})";
  for (std::size_t i = 0; i < levels; ++i) text += "]}";
  return text;
}

}  // namespace

// ---- schema text -------------------------------------------------------------------------------------------------

TEST_CASE("schema lists the fields of a struct in declaration order with what describe says", "[golden]") {
  CHECK(schema_of<forecast_in>().text ==
        R"({"type":"object","properties":{"city":{"type":"string","description":"City, e.g. Seoul"},)"
        R"("days":{"type":"integer","description":"Days ahead","minimum":0,"maximum":7}},)"
        R"("required":["city"],"additionalProperties":false})");
}

TEST_CASE("schema bounds strings, arrays and numbers, and describe may leave fields out", "[golden]") {
  CHECK(
      schema_of<order>().text ==
      R"({"type":"object","properties":{"code":{"type":"string","minLength":2,"maxLength":4},)"
      R"("lines":{"type":"array","description":"What is bought","items":{"type":"string"},"minItems":1,"maxItems":2},)"
      R"("discount":{"type":"number","description":"Share off","minimum":0.0,"maximum":0.5},)"
      R"("serial":{"type":"integer"}},"required":["code","lines","serial"],"additionalProperties":false})");
}

TEST_CASE("schema gives integers the range of their type when it is narrower than 64 bits", "[golden]") {
  CHECK(schema_of<std::int8_t>().text == R"({"type":"integer","minimum":-128,"maximum":127})");
  CHECK(schema_of<std::uint32_t>().text == R"({"type":"integer","minimum":0,"maximum":4294967295})");
  CHECK(schema_of<std::int64_t>().text == R"({"type":"integer"})");
  CHECK(schema_of<std::uint64_t>().text == R"({"type":"integer","minimum":0})");
}

TEST_CASE("schema of enums, maps, variants and optional items", "[golden]") {
  CHECK(schema_of<color>().text == R"({"type":"string","enum":["red","green","blue"]})");
  CHECK(schema_of<std::map<std::string, bool>>().text ==
        R"({"type":"object","additionalProperties":{"type":"boolean"}})");
  CHECK(schema_of<std::vector<std::optional<std::string>>>().text ==
        R"({"type":"array","items":{"anyOf":[{"type":"string"},{"type":"null"}]}})");
  CHECK(schema_of<std::variant<double, circle>>().text ==
        R"({"anyOf":[{"type":"number"},{"type":"object","properties":{"radius":{"type":"number"}},)"
        R"("required":["radius"],"additionalProperties":false}]})");
}

TEST_CASE("schema refers to a struct that contains itself and keeps an object at the root", "[golden]") {
  std::string const body =
      R"({"type":"object","properties":{"name":{"type":"string"},"children":{"type":"array","items":{"$ref":"#/$defs/node"}}},)"
      R"("required":["name","children"],"additionalProperties":false)";
  CHECK(schema_of<node>().text == body + R"(,"$defs":{"node":)" + body + "}}}");
  CHECK(schema_of<std::vector<node>>().text ==
        R"({"type":"array","items":{"$ref":"#/$defs/node"},"$defs":{"node":)" + body + "}}}");
}

namespace other {
struct node {
  std::map<std::string, node> inner;
};
}  // namespace other
struct two_trees {
  schema_types::node one;
  other::node two;
};

TEST_CASE("schema tells recursive structs of the same name apart", "[unit]") {
  auto const& text = schema_of<two_trees>().text;
  CHECK(text.find(R"("one":{"$ref":"#/$defs/node"})") != std::string::npos);
  CHECK(text.find(R"("two":{"$ref":"#/$defs/node_2"})") != std::string::npos);
}

struct nothing {};

TEST_CASE("schema of an empty struct allows no key", "[unit]") {
  CHECK(schema_of<nothing>().text == R"({"type":"object","properties":{},"required":[],"additionalProperties":false})");
  CHECK(decode<nothing>("{}"));
  CHECK(failure_of<nothing>(R"({"a":1})").path == "/a");
}

TEST_CASE("schema reaches all of 32 fields", "[unit]") {
  thirty_two value{};
  value.last = 7;
  auto const back = decode<thirty_two>(encode(value));
  REQUIRE(back);
  CHECK(back->last == 7);
  CHECK(schema_of<thirty_two>().text.find(R"("d0","last"])") != std::string::npos);
}

// ---- decode: every way to be wrong -------------------------------------------------------------------------------

TEST_CASE("decode names the place and what was expected there", "[unit]") {
  struct row {
    char const *text, *path, *message;
  };
  auto const [text, path, message] =
      GENERATE(row{R"({"city":"x","days":9})", "/days", "expected an integer between 0 and 7, found 9"},
               row{R"({"city":"x","days":-1})", "/days", "expected an integer between 0 and 7, found -1"},
               row{R"({"city":"x","days":1.5})", "/days", "expected an integer between 0 and 7, found 1.5"},
               row{R"({"city":"x","days":"1"})", "/days", "expected an integer between 0 and 7, found \"1\""},
               row{R"({"city":"x","days":18446744073709551616})", "/days",
                   "expected an integer between 0 and 7, found 18446744073709551616"},
               row{R"({"city":"x","days":null})", "/days",
                   "expected an integer between 0 and 7, found null; leave the field out instead"},
               row{R"({"city":null})", "/city", "expected a string, found null"},
               row{R"({"days":1})", "/city", "missing; expected a string"},
               row{R"({"city":"x","a/b~":1})", "/a~1b~0", "unknown field; the known ones are city, days"},
               row{R"(["x"])", "", "expected an object with city, days, found an array"},
               row{"3", "", "expected an object with city, days, found 3"});
  auto const e = failure_of<forecast_in>(text);
  CHECK(e.path == path);
  CHECK(e.message == message);
}

TEST_CASE("decode names items of arrays and keys of maps", "[unit]") {
  CHECK(failure_of<std::vector<bool>>("[true,0]").path == "/1");
  CHECK(failure_of<std::vector<bool>>("{}").message == "expected an array, found an object");
  auto const e = failure_of<std::map<std::string, std::vector<double>>>(R"({"a":[1],"b c":[1,2,"x"]})");
  CHECK(e.path == "/b c/2");
  CHECK(e.message == "expected a number, found \"x\"");
  CHECK(failure_of<std::map<std::string, int>>("[]").message == "expected an object, found an array");
}

TEST_CASE("decode holds declared lengths, counts and ranges", "[unit]") {
  auto const with = [](std::string const& code, std::string const& lines, std::string const& discount) {
    return R"({"code":)" + code + R"(,"lines":)" + lines + R"(,"discount":)" + discount + R"(,"serial":1})";
  };
  CHECK(decode<order>(with(R"("\uc11c\uc6b8")", R"(["a"])", "0.5")));  // two code points, six bytes
  CHECK(failure_of<order>(with(R"("\uc11c")", R"(["a"])", "0")).message ==
        "expected a string of 2 to 4 characters, found 1");
  CHECK(failure_of<order>(with(R"("abcde")", R"(["a"])", "0")).path == "/code");
  CHECK(failure_of<order>(with(R"("ab")", "[]", "0")).message == "expected an array of 1 to 2 items, found 0");
  CHECK(failure_of<order>(with(R"("ab")", R"(["a","b","c"])", "0")).path == "/lines");
  CHECK(failure_of<order>(with(R"("ab")", R"(["a"])", "0.51")).message ==
        "expected a number between 0.0 and 0.5, found 0.51");
}

TEST_CASE("decode takes an integral number for an integer as far as doubles are exact", "[unit]") {
  CHECK(decode<int>("3.0").value() == 3);
  CHECK(decode<int>("-2e2").value() == -200);
  CHECK(decode<std::int64_t>("9007199254740992.0").value() == 9007199254740992);
  CHECK_FALSE(decode<std::int64_t>("9007199254740994.0"));
  CHECK_FALSE(decode<int>("3.5"));
}

TEST_CASE("decode refuses what the integer type cannot hold", "[unit]") {
  CHECK(decode<std::int8_t>("-128").value() == -128);
  CHECK(failure_of<std::int8_t>("-129").message == "expected an integer between -128 and 127, found -129");
  CHECK(decode<std::uint64_t>("18446744073709551615").value() == std::numeric_limits<std::uint64_t>::max());
  CHECK(failure_of<std::uint64_t>("-1").message == "expected an integer between 0 and 18446744073709551615, found -1");
  CHECK(failure_of<std::int64_t>("9223372036854775808").message ==
        "expected an integer between -9223372036854775808 and 9223372036854775807, found 9223372036854775808");
  CHECK(failure_of<std::int64_t>("true").message == "expected an integer, found true");
}

TEST_CASE("decode refuses numbers a float or double cannot hold", "[unit]") {
  CHECK(decode<double>("18446744073709551616").value() == 18446744073709551616.0);
  CHECK(failure_of<float>("1e39").message == "expected a number that a float can hold, found 1e+39");
  CHECK_FALSE(decode<double>("1" + std::string(400, '0')));
  CHECK_FALSE(decode<double>("1e400"));
}

TEST_CASE("decode knows enumerators by name only", "[unit]") {
  CHECK(decode<color>("\"green\"").value() == color::green);
  CHECK(failure_of<color>("\"pink\"").message == "expected one of \"red\", \"green\", \"blue\", found \"pink\"");
  CHECK_FALSE(decode<color>("\"\""));
  CHECK_FALSE(decode<color>("5"));
}

TEST_CASE("decode takes the first alternative that fits strictly", "[unit]") {
  using figure = std::variant<circle, square>;
  CHECK(decode<figure>(R"({"side":2})").value().index() == 1);
  CHECK(decode<std::variant<double, int>>("1").value().index() == 0);
  auto const farthest = failure_of<figure>(R"({"side":2,"label":3})");
  CHECK(farthest.path == "/label");
  CHECK(farthest.message == "expected a string, found 3");
  CHECK(failure_of<figure>("null").message ==
        "expected an object with radius or an object with side, label, found null");
}

struct left;
struct right;
struct left {
  std::vector<std::variant<left, right>> next;
};
struct right {
  std::vector<std::variant<left, right>> next;
};

TEST_CASE("decode gives up on alternatives that multiply", "[robustness]") {
  std::string text;
  for (int i = 0; i < 60; ++i) text += R"({"next":[)";
  text += "0";
  for (int i = 0; i < 60; ++i) text += "]}";
  CHECK(failure_of<left>(text).message.find("gave up after looking at 1000000 values") == 0);
}

TEST_CASE("decode follows a struct that contains itself down to the depth of JSON", "[robustness]") {
  CHECK(decode<node>(deep(200)));
  CHECK(failure_of<node>(deep(300)).message.find("deeper than 512") != std::string::npos);
}

TEST_CASE("decode says where JSON is broken", "[unit]") {
  CHECK(failure_of<forecast_in>(R"({"city":"x")").message.find("JSON is not valid at byte") == 0);
  CHECK(failure_of<forecast_in>(R"({"city":"x","city":"y"})").message.find("stands twice") != std::string::npos);
  CHECK_FALSE(decode<forecast_in>(""));
}

TEST_CASE("decode shows a long offending string shortened on a code point", "[unit]") {
  auto const e = failure_of<bool>("\"" + std::string(39, 'a') + "\xc3\xa9\xc3\xa9\"");
  CHECK(e.message == "expected true or false, found \"" + std::string(39, 'a') + "\"...");
}

struct prefilled {
  std::vector<int> list{1, 2, 3};
  std::optional<int> maybe = 4;
  std::map<std::string, int> map{{"a", 1}};
};

TEST_CASE("decode replaces what default initialisers put into containers", "[unit]") {
  auto const r = decode<prefilled>(R"({"list":[],"map":{}})");
  REQUIRE(r);
  CHECK(r->list.empty());
  CHECK(r->map.empty());
  CHECK_FALSE(r->maybe);
}

// ---- encode ------------------------------------------------------------------------------------------------------

TEST_CASE("encode writes fields in declaration order and leaves absent ones out", "[golden]") {
  CHECK(encode(forecast_in{"Seoul", {}}).text == R"({"city":"Seoul"})");
  CHECK(encode(forecast_in{"a\"b\n", 3}).text == R"({"city":"a\"b\n","days":3})");
  CHECK(encode(std::vector<std::optional<int>>{1, {}}).text == "[1,null]");
  CHECK(encode(std::map<std::string, bool>{{"b", true}, {"a", false}}).text == R"({"a":false,"b":true})");
  CHECK(encode(std::numeric_limits<std::uint64_t>::max()).text == "18446744073709551615");
  CHECK(encode(std::numeric_limits<std::int64_t>::min()).text == "-9223372036854775808");
  CHECK(encode(std::vector<double>{0.1, -0.0, 1e300, 2}).text == "[0.1,-0.0,1e+300,2.0]");
  CHECK(encode(0.1f).text == "0.1");
}

TEST_CASE("encode writes null for what JSON cannot say", "[unit]") {
  CHECK(encode(std::numeric_limits<double>::quiet_NaN()).text == "null");
  CHECK(encode(-std::numeric_limits<float>::infinity()).text == "null");
  CHECK(encode(static_cast<color>(3)).text == "null");
  CHECK(encode(static_cast<color>(200)).text == "null");
  CHECK(encode(std::string("a\xff")).text == "\"a\xef\xbf\xbd\"");
}

// ---- round trips -------------------------------------------------------------------------------------------------

namespace {

/// Draws values from one seed.
class generator {
 public:
  explicit generator(std::uint64_t seed) : seed_(seed) {}

  std::uint64_t bits() { return random_bits({.run = seed_, .step = 0, .position = position_++}); }
  std::size_t below(std::size_t n) { return bits() % n; }
  double real() {
    for (;;) {
      auto const b = bits();
      double value;
      std::memcpy(&value, &b, sizeof value);
      if (std::isfinite(value)) return value;
    }
  }
  std::string text() {
    static constexpr char const* pieces[] = {
        "a", "\"", "\\", "\n", "\x01", "\xc3\xa9", "\xed\x95\x9c", "\xf0\x9f\x98\x80", "/~"};
    std::string s;
    for (auto n = below(6); n > 0; --n) s += pieces[below(std::size(pieces))];
    return s;
  }
  node tree(int depth) {
    node n{text(), {}};
    if (depth > 0)
      for (auto k = below(3); k > 0; --k) n.children.push_back(tree(depth - 1));
    return n;
  }
  everything all() {
    everything e;
    e.flag = below(2);
    e.tiny = static_cast<std::int8_t>(bits());
    e.port = static_cast<std::uint16_t>(bits());
    e.big = static_cast<std::int64_t>(bits());
    e.huge = bits();
    e.ratio = static_cast<float>(below(1000000)) / 7;
    e.amount = real();
    e.text = text();
    e.paint = std::array{color::red, color::green, color::blue}[below(3)];
    for (auto n = below(4); n > 0; --n) e.bits.push_back(below(2));
    for (auto n = below(4); n > 0; --n)
      e.gaps.push_back(below(2) ? std::optional<int>(static_cast<int>(bits())) : std::nullopt);
    for (auto n = below(3); n > 0; --n) e.series[text()] = {real(), real()};
    if (below(2)) e.forecast = forecast_in{text(), below(2) ? std::optional<int>(int(below(8))) : std::nullopt};
    if (below(2))
      e.figure = square{real(), below(2) ? std::optional(text()) : std::nullopt};
    else
      e.figure = circle{real()};
    e.tree = tree(3);
    return e;
  }

 private:
  std::uint64_t seed_;
  std::uint32_t position_ = 0;
};

}  // namespace

TEST_CASE("decode gives back what encode wrote", "[unit]") {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    auto const value = generator(seed).all();
    auto const text = encode(value);
    INFO("seed " << seed << ": " << text.text);
    auto const back = decode<everything>(text);
    REQUIRE(back);
    REQUIRE(*back == value);
    REQUIRE(encode(*back) == text);
  }
}

TEST_CASE("decode answers every cut of a valid text with an error", "[robustness]") {
  auto const text = encode(generator(3).all()).text;
  for (std::size_t length = 0; length < text.size(); ++length)
    REQUIRE_FALSE(decode<everything>(text.substr(0, length)));
}

// ---- doc ---------------------------------------------------------------------------------------------------------

struct documented {
  doc<std::string, "City, e.g. Seoul"> city = "Seoul";
  doc<std::optional<int>, "Days ahead"> days;
  doc<int, "How many"> count = 2;
  doc<std::vector<std::string>, "Tags"> tags;
  doc<color, "Paint"> paint = color::blue;
  std::vector<doc<bool, "Each bit">> bits;
};

TEST_CASE("doc describes a field where it stands", "[golden]") {
  CHECK(schema_of<documented>().text ==
        R"({"type":"object","properties":{"city":{"type":"string","description":"City, e.g. Seoul"},)"
        R"("days":{"type":"integer","description":"Days ahead","minimum":-2147483648,"maximum":2147483647},)"
        R"("count":{"type":"integer","description":"How many","minimum":-2147483648,"maximum":2147483647},)"
        R"("tags":{"type":"array","description":"Tags","items":{"type":"string"}},)"
        R"("paint":{"type":"string","description":"Paint","enum":["red","green","blue"]},)"
        R"("bits":{"type":"array","items":{"type":"boolean","description":"Each bit"}}},)"
        R"("required":["city","count","tags","paint","bits"],"additionalProperties":false})");
}

TEST_CASE("doc behaves as the type it documents", "[unit]") {
  documented d;
  d.city = "Jeju";
  CHECK(d.city + " island" == "Jeju island");
  CHECK("to " + d.city == "to Jeju");
  CHECK(d.city == "Jeju");
  CHECK(d.city == documented(d).city);
  CHECK_FALSE(d.city == documented().city);
  CHECK(d.city.size() == 4);
  std::ostringstream out;
  out << d.city << ' ' << d.count;
  CHECK(out.str() == "Jeju 2");
  CHECK(d.days.value_or(5) == 5);
  d.days = 3;
  CHECK(*d.days == 3);
  CHECK(d.days == 3);
  d.count = d.count + 1;
  CHECK(d.count == 3);
  d.tags.push_back("a");
  d.tags = std::vector<std::string>{"a", "b"};
  CHECK(d.tags.size() == 2);
  std::string const copy = d.city;
  CHECK(copy == "Jeju");
}

TEST_CASE("doc fields are encoded and decoded like plain ones", "[unit]") {
  documented d{.city = "Jeju",
               .days = 1,
               .count = 9,
               .tags = {std::vector<std::string>{"x"}},
               .paint = color::green,
               .bits = {true}};
  auto const text = encode(d);
  CHECK(text.text == R"({"city":"Jeju","days":1,"count":9,"tags":["x"],"paint":"green","bits":[true]})");
  auto const back = decode<documented>(text);
  REQUIRE(back);
  CHECK(back->city == "Jeju");
  CHECK(back->paint == color::green);
}
