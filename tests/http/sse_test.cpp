#include <wherry/http/sse.hpp>

#include <catch2/catch_test_macros.hpp>

#include <vector>

using namespace wherry;
using namespace std::chrono_literals;

namespace {

std::vector<sse_event> all_of(sse_parser& parser) {
  std::vector<sse_event> out;
  while (auto event = parser.next()) out.push_back(std::move(*event));
  return out;
}

std::vector<sse_event> events_of(std::string_view text) {
  sse_parser parser;
  REQUIRE(parser.feed(text));
  return all_of(parser);
}

}  // namespace

TEST_CASE("an event stream is the same however it is cut", "[unit]") {
  std::string const text =
      "\xEF\xBB\xBF: hello\r\ndata: one\r\ndata:two\rdata: \xED\x95\x9C\n\nevent: end\nid: 7\nretry: 250\ndata\n\n";
  std::vector<sse_event> const expected{{.data = "one\ntwo\n\xED\x95\x9C"},
                                        {.data = "", .type = "end", .id = "7", .retry = 250ms}};
  CHECK(events_of(text) == expected);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    sse_parser parser;
    REQUIRE(parser.feed(text.substr(0, cut)));
    REQUIRE(parser.feed(text.substr(cut)));
    CHECK(all_of(parser) == expected);
  }
  sse_parser bytewise;
  for (char const c : text) REQUIRE(bytewise.feed({&c, 1}));
  CHECK(all_of(bytewise) == expected);
}

TEST_CASE("an event without data is not dispatched, but its id and retry count", "[unit]") {
  sse_parser parser;
  REQUIRE(parser.feed("id: 41\nretry: 3000\n\n"));
  CHECK_FALSE(parser.next());
  CHECK(parser.last_event_id() == "41");
  CHECK(parser.retry() == 3000ms);
  REQUIRE(parser.feed("data: x\n\n"));
  CHECK(parser.next() == sse_event{.data = "x", .id = "41"});
}

TEST_CASE("an id holds from the blank line on, and an unfinished event is dropped", "[unit]") {
  sse_parser parser;
  REQUIRE(parser.feed("id: 1\ndata: a\n\nid: 2\ndata: b\n"));
  CHECK(all_of(parser) == std::vector<sse_event>{{.data = "a", .id = "1"}});
  CHECK(parser.last_event_id() == "1");
}

TEST_CASE("what the standard says to ignore is ignored", "[unit]") {
  using namespace std::string_literals;
  sse_parser parser;
  REQUIRE(parser.feed("id: a\0b\nretry: 12x\nretry: -5\nretry: 99999999999999999999\nunknown: y\ndata: x\n\n"s));
  CHECK(parser.next() == sse_event{.data = "x"});
  CHECK_FALSE(parser.retry());
}

TEST_CASE("a line, an event and text beyond their bounds are errors, and the parser stays closed", "[unit]") {
  sse_parser lines{{.line_bytes_max = 8, .event_bytes_max = 100}};
  REQUIRE(lines.feed("data: "));
  auto const long_line = lines.feed("abc");
  REQUIRE_FALSE(long_line);
  CHECK(long_line.error().is(errc::limit_reached));
  CHECK_FALSE(lines.feed("\n"));

  sse_parser events{{.line_bytes_max = 100, .event_bytes_max = 6}};
  REQUIRE(events.feed("data: abc\n"));
  CHECK(events.feed("data: def\n").error().is(errc::limit_reached));

  sse_parser text;
  CHECK(text.feed("data: \xFF\n").error().is(errc::parse_error));
}

TEST_CASE("what is written is read back, whatever line ends the data holds", "[unit]") {
  std::string out;
  append_sse_comment(out, "two\nlines");
  REQUIRE(append_sse(out, {.data = "a\nb\r\nc\rd\n", .type = "t", .id = "9", .retry = 5ms}));
  REQUIRE(append_sse(out, {.data = ""}));
  append_sse_comment(out);
  CHECK(events_of(out) == std::vector<sse_event>{{.data = "a\nb\nc\nd\n", .type = "t", .id = "9", .retry = 5ms},
                                                 {.data = "", .id = "9"}});
}

TEST_CASE("an event cannot smuggle a field through its type or id", "[unit]") {
  std::string out;
  CHECK(append_sse(out, {.data = "x", .type = "a\ndata: y"}).error().is(errc::invalid_argument));
  CHECK(append_sse(out, {.data = "x", .id = "a\rb"}).error().is(errc::invalid_argument));
  CHECK(out.empty());
}
