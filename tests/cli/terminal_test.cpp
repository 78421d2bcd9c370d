#include "terminal.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace wherry::cli;

TEST_CASE("text of a model cannot steer a terminal", "[unit]") {
  CHECK(harmless("plain \xC3\xA9 \xED\x95\x9C\n\ttext") == "plain \xC3\xA9 \xED\x95\x9C\n\ttext");
  CHECK(harmless("\x1b[31mred") == "\xEF\xBF\xBD[31mred");
  CHECK(harmless("a\rb\x7f") ==
        "a\xEF\xBF\xBD"
        "b\xEF\xBF\xBD");
  CHECK(harmless("\xC2\x9B"
                 "31m") ==
        "\xEF\xBF\xBD"
        "31m");  // the one-byte form of ESC [
  CHECK(harmless("\xC2\xA0") == "\xC2\xA0");
  CHECK(harmless("\xff") == "\xEF\xBF\xBD");
}

TEST_CASE("a line is cut on a code point", "[unit]") {
  CHECK(one_line("abc", 3) == "abc");
  CHECK(one_line("abcd", 3) == "abc\xE2\x80\xA6");
  CHECK(one_line("\xED\x95\x9C\xED\x95\x9C", 1) == "\xED\x95\x9C\xE2\x80\xA6");
  CHECK(one_line("a\nb\tc", 9) == "a b c");
}

TEST_CASE("sizes and times are told in fitting units", "[unit]") {
  CHECK(bytes_text(12) == "12 bytes");
  CHECK(bytes_text(96 << 20) == "96.0 MiB");
  CHECK(bytes_text(std::size_t{3} << 29) == "1.5 GiB");
  CHECK(duration_text(std::chrono::milliseconds(340)) == "340 ms");
  CHECK(duration_text(std::chrono::milliseconds(1249)) == "1.2 s");
}
