#include "events.hpp"
#include "temp_dir.hpp"

#include <wherry/core/json.hpp>

using namespace wherry;
using namespace wherry_test;
using strings = std::vector<std::string>;

namespace {

struct fixture {
  temp_dir dir;
  std::shared_ptr<manual_clock> time = std::make_shared<manual_clock>(1'700'000'000'000);
  store db{dir.path(), {.time_source = time}};
  scope_handle scope = db.scope({.tenant = "acme", .user = "u"});
  session talk = scope.session("talk");
};

}  // namespace

TEST_CASE_METHOD(fixture, "events come back as they were committed, numbered from one", "[unit]") {
  time->advance(std::chrono::seconds(5));
  commit(scope, talk, turn(1, "hello", "hi"));
  auto const events = talk.events().value();
  REQUIRE(events.size() == 4);
  for (std::size_t i = 0; i < events.size(); ++i) {
    CHECK(events[i].seq == i + 1);
    CHECK(events[i].time == 1'700'000'005'000);
    CHECK(events[i].run == run_id(1));
  }
  CHECK(events[1].type == event_type::user_message);
  CHECK(events[1].payload == user(1, "hello").payload);
  CHECK(talk.events(3).value().size() == 2);
  CHECK(talk.events(1, 2).value().size() == 2);
  CHECK(talk.events(5).value().empty());
  CHECK(talk.events(1, 0).value().empty());
}

TEST_CASE_METHOD(fixture, "only kept runs become history, whole and in the order they ended", "[unit]") {
  commit(scope, talk, {opened(1), user(1, "one")});
  commit(scope, talk, {opened(2), user(2, "two"), assistant(2, "2"), ended(2)});
  commit(scope, talk, turn(3, "dropped", "3", false));
  CHECK(texts(talk) == strings{"two", "2"});
  REQUIRE(talk.open_runs().value().size() == 1);
  CHECK(talk.open_runs().value()[0].run == run_id(1));
  CHECK(talk.open_runs().value()[0].events.size() == 2);
  commit(scope, talk, {assistant(1, "1"), ended(1)});
  CHECK(texts(talk) == strings{"two", "2", "one", "1"});
  CHECK(talk.open_runs().value().empty());
}

TEST_CASE_METHOD(fixture, "tool calls and their results are kept with their turn", "[unit]") {
  message asks{.role = role::assistant, .parts = {tool_call{"c1", "forecast", R"({"city":"Seoul"})"}}};
  message told{.role = role::tool, .parts = {tool_result{"c1", "forecast", "sunny", false}}};
  commit(scope, talk,
         {opened(1),
          user(1, "weather?"),
          message_event(event_type::assistant_message, run_id(1), asks),
          {.type = event_type::call_intent, .run = run_id(1), .payload = R"({"effect":"k"})"},
          message_event(event_type::tool_results, run_id(1), told),
          assistant(1, "Sunny."),
          ended(1)});
  auto const history = talk.history().value();
  REQUIRE(history.size() == 4);
  CHECK(history[1] == asks);
  CHECK(history[2] == told);
}

TEST_CASE_METHOD(fixture, "undo takes the last kept turn out of history and leaves the events", "[unit]") {
  commit(scope, talk, turn(1, "a", "A"));
  commit(scope, talk, turn(2, "b", "B"));
  commit(scope, talk, {opened(3), user(3, "open")});
  REQUIRE(talk.undo());
  CHECK(texts(talk) == strings{"a", "A"});
  CHECK(talk.last_seq().value() == 11);
  REQUIRE(talk.undo());
  CHECK(texts(talk).empty());
  CHECK(talk.open_runs().value().size() == 1);
  auto const nothing = talk.undo();
  REQUIRE(!nothing);
  CHECK(nothing.error().is(errc::not_found));
  CHECK(talk.last_seq().value() == 12);
}

TEST_CASE_METHOD(fixture, "an event that comes after its run's end changes nothing", "[unit]") {
  commit(scope, talk, turn(1, "a", "A"));
  commit(scope, talk, {assistant(1, "late"), ended(1)});
  CHECK(texts(talk) == strings{"a", "A"});
  CHECK(talk.open_runs().value().empty());
}

TEST_CASE_METHOD(fixture, "calls wait for approval until they are resolved or their run ends", "[unit]") {
  tool_call const pay{"c1", "pay", R"({"won":5})"}, book{"c2", "book", "{broken"};
  commit(scope, talk,
         {opened(1), user(1, "pay"), call_pending_event(run_id(1), pay), call_pending_event(run_id(1), book)});
  auto waiting = talk.pending().value();
  REQUIRE(waiting.size() == 2);
  CHECK(waiting[0].call == pay);
  CHECK(waiting[0].seq == 3);
  CHECK(waiting[1].call == book);
  commit(scope, talk, {call_resolved_event(run_id(1), "c1", "approved")});
  REQUIRE(talk.pending().value().size() == 1);
  CHECK(talk.pending().value()[0].call.id == "c2");
  commit(scope, talk, {ended(1, false)});
  CHECK(talk.pending().value().empty());
}

TEST_CASE_METHOD(fixture, "a fork begins with its parent's events and goes its own way", "[unit]") {
  commit(scope, talk, turn(1, "a", "A"));
  commit(scope, talk, turn(2, "b", "B"));
  auto child = talk.fork("child").value();
  auto early = talk.fork("early", 4).value();
  commit(scope, talk, turn(3, "parent", "P"));
  commit(scope, child, turn(4, "child", "C"));
  auto grandchild = child.fork("grandchild", 12).value();
  commit(scope, grandchild, turn(5, "grand", "G"));
  CHECK(texts(talk) == strings{"a", "A", "b", "B", "parent", "P"});
  CHECK(texts(child) == strings{"a", "A", "b", "B", "child", "C"});
  CHECK(texts(early) == strings{"a", "A"});
  CHECK(texts(grandchild) == strings{"a", "A", "b", "B", "child", "C", "grand", "G"});
  auto const events = grandchild.events().value();
  REQUIRE(events.size() == 16);
  for (std::size_t i = 0; i < events.size(); ++i) CHECK(events[i].seq == i + 1);
  CHECK(grandchild.events(7, 4).value().size() == 4);
  for (auto const& s : {talk, child, early, grandchild}) CHECK(s.verify());
  // A fork of a fork's inherited part points past the fork.
  CHECK(texts(grandchild.fork("old", 4).value()) == strings{"a", "A"});
  auto const taken = talk.fork("early");
  REQUIRE(!taken);
  CHECK(taken.error().is(errc::already_exists));
  auto const beyond = talk.fork("beyond", 99);
  REQUIRE(!beyond);
  CHECK(beyond.error().is(errc::invalid_argument));
}

TEST_CASE_METHOD(fixture, "a chain of forks has an end", "[robustness]") {
  auto at = talk;
  commit(scope, at, {note("0")});
  for (std::size_t i = 1; i <= fork_depth_max; ++i) {
    at = at.fork("f" + std::to_string(i)).value();
    commit(scope, at, {note(std::to_string(i))});
  }
  CHECK(at.events().value().size() == fork_depth_max + 1);
  CHECK(at.verify());
  auto const further = at.fork("further");
  REQUIRE(!further);
  CHECK(further.error().is(errc::limit_reached));
}

TEST_CASE_METHOD(fixture, "sessions are listed with their length and last time", "[unit]") {
  CHECK(scope.sessions().value().empty());
  commit(scope, talk, turn(1, "a", "A"));
  time->advance(std::chrono::seconds(1));
  REQUIRE(talk.fork("branch"));
  time->advance(std::chrono::seconds(1));
  commit(scope, talk, {note("x")});
  auto const listed = scope.sessions().value();
  REQUIRE(listed.size() == 2);
  CHECK(listed[0].name == "branch");
  CHECK(listed[0].forked);
  CHECK(listed[0].last_seq == 4);
  CHECK(listed[0].last_time == 1'700'000'001'000);
  CHECK(listed[1].name == "talk");
  CHECK(listed[1].last_seq == 5);
  CHECK(listed[1].created == 1'700'000'000'000);
  CHECK(listed[1].last_time == 1'700'000'002'000);
}

TEST_CASE_METHOD(fixture, "a session is exported as one JSON object a line", "[unit]") {
  commit(scope, talk, {{.type = event_type::note, .payload = "{\n  \"a\": \"b\\nc\"\n}"}, user(1, "\xEC\x84\x9C")});
  auto const text = talk.export_json().value();
  auto const end = text.find('\n');
  auto const first = parse_json(text.substr(0, end)).value();
  CHECK(first["seq"] == 1);
  CHECK(first["type"] == "note");
  CHECK(first["time"] == "2023-11-14T22:13:20.000Z");
  CHECK(first["payload"]["a"] == "b\nc");
  auto const second = parse_json(text.substr(end + 1, text.size() - end - 2)).value();
  CHECK(second["run"] == run_id(1).text());
  CHECK(message_from_json(second["payload"]).value() == message::user("\xEC\x84\x9C"));
}

TEST_CASE_METHOD(fixture, "a message event that holds no message is named by the history that meets it",
                 "[robustness]") {
  commit(scope, talk, {opened(1), {.type = event_type::user_message, .run = run_id(1), .payload = R"({"a":1})"}});
  CHECK(talk.history());  // its run is open
  commit(scope, talk, {ended(1)});
  auto const history = talk.history();
  REQUIRE(!history);
  CHECK(history.error().is(errc::parse_error));
  CHECK(history.error().message.find("event 2") != std::string::npos);
}

TEST_CASE_METHOD(fixture, "a long session's history is the same from the cached fold and from the disk", "[unit]") {
  for (std::uint32_t i = 0; i < 300; ++i) {
    commit(scope, talk, turn(i, "q" + std::to_string(i), "a" + std::to_string(i)));
    if (i % 50 == 0) CHECK(texts(talk).size() == 2 * (i + 1));
  }
  auto const reader = store::open(dir.path(), {.read_only = true}).value();
  CHECK(texts(reader.scope({.tenant = "acme", .user = "u"}).session("talk")) == texts(talk));
}
