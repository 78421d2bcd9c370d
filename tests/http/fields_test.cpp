#include <wherry/http/fields.hpp>

#include <catch2/catch_test_macros.hpp>

using namespace wherry;

TEST_CASE("fields keep their order and are found whatever their case", "[unit]") {
  http_fields f;
  f.add("Content-Type", "text/plain").add("X-A", "1").add("x-a", "2");
  CHECK(f.get("content-type") == "text/plain");
  CHECK(f.get("X-A") == "1");
  CHECK(f.count("x-A") == 2);
  CHECK_FALSE(f.find("absent"));
  f.set("x-A", f.get("X-A"));  // a view into the list itself
  CHECK(f.count("x-a") == 1);
  CHECK(f.size() == 2);
  CHECK(f[1].name == "x-A");
  CHECK(f[1].value == "1");
}

TEST_CASE("a list of tokens is read across fields and white space", "[unit]") {
  http_fields f;
  f.add("Connection", "keep-alive ,\tUpgrade").add("connection", "close");
  CHECK(f.lists("connection", "upgrade"));
  CHECK(f.lists("connection", "close"));
  CHECK_FALSE(f.lists("connection", "keep"));
  CHECK_FALSE(f.lists("accept", "close"));
}

TEST_CASE("a field that would split a message is told", "[unit]") {
  for (auto const* bad : {"a\r\nb", "a\n", "\x7F", " a", "a ", "a\tb\x01"}) {
    http_fields f;
    f.add("ok", "fine \xED\x95\x9C").add("Bad", bad);
    CHECK(f.first_invalid() == "Bad");
  }
  for (auto const* bad : {"", "a b", "a:", "a\n"}) CHECK_FALSE(http_fields::valid_name(bad));
  CHECK(http_fields::valid_value("a\tb"));
}
