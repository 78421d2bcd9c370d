#include "exchange_reply.hpp"

#include <wherry/core/random.hpp>

#include <boost/asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>

#include <map>

using namespace wherry;
using mcp::detail::event_id;
using mcp::detail::exchange_reply;

TEST_CASE("an event's id is read as it was written, and nothing else is", "[mcp]") {
  auto const id = event_id::parse(event_id{.stream = 18'446'744'073'709'551'615u, .number = 7}.text());
  REQUIRE(id);
  CHECK(id->stream == 18'446'744'073'709'551'615u);
  CHECK(id->number == 7);
  for (auto const* wrong :
       {"", "-", "1", "1-", "-1", "1-2-3", "1 -2", "+1-2", "1--2", "0x1-2", "18446744073709551616-1"}) {
    INFO(wrong);
    CHECK_FALSE(event_id::parse(wrong));
  }
}

TEST_CASE("whatever happens to a stream, its reader gets what is kept, in order, and not more is kept than allowed",
          "[mcp]") {
  boost::asio::io_context loop{1};
  for (std::uint64_t walk = 0; walk < 200; ++walk) {
    INFO("walk " << walk);
    std::uint32_t lane = 0;
    auto const draw = [&](std::uint64_t below) {
      return random_bits({.run = walk, .step = 0, .position = 0}, lane++) % below;
    };
    mcp::replay_options bounds;
    bounds.events_max = 1 + draw(6);
    bounds.bytes_max = 20 + draw(200);
    exchange_reply stream(loop.get_executor(), 400, bounds);
    stream.make_resumable(1);
    std::map<std::uint64_t, std::string> seen;  // every message that was ever given out
    std::uint64_t told = 0, place = 0, holder = stream.take_hold();
    bool reading = true, resumed = false;
    std::string const answer = "the answer";
    for (int turn = 0; turn < 200; ++turn) {
      switch (draw(6)) {
        case 0:
        case 1:
          if (!stream.finished) stream.notify("message " + std::to_string(++told) + std::string(draw(40), '.'));
          break;
        case 2:
          while (auto const e = reading ? stream.next() : std::nullopt) {
            // Nothing is left out but what a bound let go behind a gap of somebody who came back, or never took.
            CHECK((resumed ? e->number > place : e->number == place + 1));
            place = e->number;
            resumed = false;
            auto const [at, fresh] = seen.emplace(e->number, std::string(e->message));
            if (!fresh) CHECK(at->second == e->message);
          }
          break;
        case 3:
          stream.let_go(holder);
          reading = false;
          break;
        case 4: {
          auto const back_to = draw(place + 3);
          bool const known = back_to <= stream.place();
          CHECK(stream.rewind(back_to) == known);
          if (!known) break;
          place = back_to;
          resumed = true;
          holder = stream.take_hold();
          reading = true;
          break;
        }
        default:
          if (turn > 150) stream.finish(answer, 200);
      }
      if (!reading) CHECK(stream.bytes() <= answer.size() + 400 + bounds.bytes_max);
    }
    if (!reading) {
      holder = stream.take_hold();
      resumed = false;
    }
    stream.finish(answer, 200);
    std::string last;
    while (auto const e = stream.next()) last = e->message;
    if (place != stream.place()) CHECK(last == answer);
    CHECK(stream.drained());
    CHECK(stream.held_by(holder));
  }
}
