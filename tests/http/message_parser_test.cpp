#include "message_parser.hpp"

#include <catch2/catch_test_macros.hpp>

#include <string>

using namespace wherry::detail;

namespace {

// Offers `text` one byte more at a time, as a slow connection would.
void trickle(message_parser& parser, std::string const& text) {
  std::string waiting;
  for (char const c : text) {
    waiting += c;
    waiting.erase(0, parser.put(waiting));
  }
}

}  // namespace

TEST_CASE("a message is the same when it comes byte by byte", "[unit]") {
  for (auto const* body : {"0\r\n\r\n", "1\r\nx\r\n0\r\n\r\n", "3\r\nabc\r\n2;e=1\r\nde\r\n000\r\nT: u\r\n\r\n"}) {
    INFO(body);
    std::string const text = std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") + body;
    message_parser whole(message_kind::response, 1000, std::nullopt), slow(message_kind::response, 1000, std::nullopt);
    CHECK(whole.put(text) == text.size());
    trickle(slow, text);
    CHECK(whole.done());
    CHECK(slow.done());
    CHECK(slow.body() == whole.body());
    CHECK(slow.fields() == whole.fields());
  }
}

TEST_CASE("the bytes of a chunk are given out although the rest of it has not come", "[unit]") {
  message_parser parser(message_kind::response, 1000, std::nullopt);
  std::string const text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata:";
  parser.put(text);
  CHECK(parser.body() == "data:");
  CHECK(parser.put(" x") == 2);
  CHECK(parser.body() == "data: x");
}

TEST_CASE("an answer without a length lasts until the end of the connection", "[unit]") {
  message_parser parser(message_kind::response, 1000, std::nullopt);
  parser.put("HTTP/1.1 200 OK\r\n\r\nsome");
  CHECK_FALSE(parser.done());
  parser.put(" more");
  parser.put_eof();
  CHECK(parser.done());
  CHECK(parser.problem() == message_problem::none);
  CHECK(parser.body() == "some more");
}

TEST_CASE("a parser starts anew after a broken message", "[unit]") {
  message_parser parser(message_kind::request, 100, 10);
  parser.put("GET / HTTP/1.1\r\nX: " + std::string(200, 'x') + "\r\n\r\n");
  CHECK(parser.problem() == message_problem::header_too_large);
  parser.reset();
  parser.put("POST /a HTTP/1.1\r\nContent-Length: 11\r\n\r\n");
  CHECK(parser.problem() == message_problem::body_too_large);
  parser.reset();
  parser.put("POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\nab");
  CHECK(parser.done());
  CHECK(parser.body() == "ab");
  CHECK(parser.fields().size() == 1);
}
