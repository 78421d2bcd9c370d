#include "events.hpp"
#include "temp_dir.hpp"

#include <wherry/core/runtime.hpp>

#include <set>
#include <thread>

using namespace wherry;
using namespace wherry_test;

namespace {

struct fixture {
  temp_dir dir;
  std::shared_ptr<manual_clock> time = std::make_shared<manual_clock>(1'700'000'000'000);
  store db{dir.path(), {.time_source = time}};
  scope_handle scope = db.scope({.tenant = "acme", .user = "u"});
  session talk = scope.session("talk");

  result<commit_seq> journal(std::string key, effect_state state) {
    transaction tx{scope};
    tx.journal({.key = std::move(key), .state = state, .run = run_id(1), .call = "{}"});
    return tx.commit(durability::os);
  }
};

bool is(auto const& r, errc code) { return !r && r.error().is(code); }

}  // namespace

TEST_CASE_METHOD(fixture, "a writer that has not seen the last event gets a conflict and changes nothing", "[unit]") {
  commit(scope, talk, turn(1, "a", "A"));
  for (std::uint64_t const seen : {std::uint64_t{0}, std::uint64_t{3}, std::uint64_t{5}}) {
    transaction tx{scope};
    auto const id = tx.put({.kind = "fact", .text = "never"});
    tx.append(talk, seen, {note("late")});
    CHECK(is(tx.commit(), errc::conflict));
    CHECK(!scope.record(id).value());
  }
  CHECK(talk.last_seq().value() == 4);
  auto const fresh = scope.session("fresh");
  transaction tx{scope};
  tx.append(fresh, 1, {note("x")});
  CHECK(is(tx.commit(), errc::conflict));
  CHECK(scope.sessions().value().size() == 1);
}

TEST_CASE_METHOD(fixture, "a transaction commits all of its parts, or none", "[unit]") {
  auto const other = scope.session("other");
  transaction tx{scope};
  tx.append(talk, 0, {note("1"), note("2")}).append(talk, 2, {note("3")}).append(other, 0, {note("o")});
  auto const id = tx.put({.kind = "fact", .text = "likes tea", .source = {"talk", 1, 2}});
  tx.journal({.key = "k", .call = R"({"name":"pay"})"});
  auto const job = tx.job({.kind = "extract", .payload = "talk"});
  auto const first = tx.commit().value();
  CHECK(talk.last_seq().value() == 3);
  CHECK(talk.verify());
  CHECK(other.last_seq().value() == 1);
  auto const found = scope.record(id).value();
  REQUIRE(found);
  CHECK(found->text == "likes tea");
  CHECK(found->source == record_source{"talk", 1, 2});
  CHECK(found->created == 1'700'000'000'000);
  CHECK(scope.effect("k").value()->state == effect_state::intent);
  CHECK(scope.jobs().value()[0].id == job);

  tx.append(talk, 3, {note("4")}).append(other, 0, {note("stale")});
  CHECK(is(tx.commit(), errc::conflict));
  CHECK(talk.last_seq().value() == 3);
  transaction again{scope};
  again.append(talk, 3, {note("4")});
  CHECK(again.commit().value() > first);
}

TEST_CASE_METHOD(fixture, "a session of another scope is refused", "[unit]") {
  auto const stranger = db.scope({.tenant = "other"}).session("talk");
  transaction tx{scope};
  tx.append(stranger, 0, {note("x")});
  CHECK(is(tx.commit(), errc::invalid_argument));
  CHECK(stranger.last_seq().value() == 0);
}

TEST_CASE_METHOD(fixture, "what is too large or was never JSON is refused", "[robustness]") {
  auto const refusal = [&](auto fill) {
    transaction tx{scope};
    fill(tx);
    auto const done = tx.commit(durability::os);
    REQUIRE(!done);
    return done.error();
  };
  session_event const no_run{.type = event_type::user_message, .payload = "{}"};
  session_event const no_json{.payload = "hello"};
  session_event const long_payload{.payload = "{" + std::string(event_payload_bytes_max, ' ') + "}"};
  session_event const big{.payload = "{" + std::string(event_payload_bytes_max - 2, ' ') + "}"};
  CHECK(refusal([&](auto& tx) { tx.append(talk, 0, {no_run}); }).is(errc::invalid_argument));
  CHECK(refusal([&](auto& tx) { tx.append(talk, 0, {no_json}); }).is(errc::invalid_argument));
  CHECK(refusal([&](auto& tx) { tx.append(talk, 0, {long_payload}); }).is(errc::limit_reached));
  CHECK(refusal([&](auto& tx) { tx.append(talk, 0, {big, big, big, big, big}); }).is(errc::limit_reached));
  CHECK(refusal([&](auto& tx) { tx.put({.text = std::string(record_bytes_max + 1, 'x')}); }).is(errc::limit_reached));
  CHECK(refusal([&](auto& tx) { tx.journal({.key = std::string(64 << 10, 'k')}); }).is(errc::limit_reached));
  CHECK(refusal([&](auto& tx) { tx.journal({}); }).is(errc::invalid_argument));
  CHECK(scope.sessions().value().empty());
  commit(scope, talk, {note("fine")});
}

TEST_CASE_METHOD(fixture, "records are found by id and listed in the order of their ids", "[unit]") {
  std::vector<ulid> ids;
  for (int i = 0; i < 5; ++i) {
    time->advance(std::chrono::seconds(1));
    transaction tx{scope};
    ids.push_back(tx.put({.kind = "fact", .text = std::to_string(i)}));
    REQUIRE(tx.commit(durability::os));
  }
  auto const all = scope.records().value();
  REQUIRE(all.size() == 5);
  for (std::size_t i = 0; i < 5; ++i) CHECK(all[i].id == ids[i]);
  auto const page = scope.records(ids[1], 2).value();
  REQUIRE(page.size() == 2);
  CHECK(page[0].id == ids[2]);
  auto changed = all[0];
  changed.text = "changed";
  transaction tx{scope};
  tx.put(changed);
  REQUIRE(tx.commit(durability::os));
  CHECK(*scope.record(ids[0]).value() == changed);
  CHECK(!scope.record(run_id(9)).value());
}

TEST_CASE_METHOD(fixture, "an effect is never journalled as an intent twice", "[unit]") {
  CHECK(is(journal("k", effect_state::done), errc::conflict));
  REQUIRE(journal("k", effect_state::intent));
  CHECK(is(journal("k", effect_state::intent), errc::conflict));
  REQUIRE(scope.unfinished_effects().value().size() == 1);
  REQUIRE(journal("k", effect_state::unknown));
  CHECK(scope.unfinished_effects().value()[0].state == effect_state::unknown);
  REQUIRE(journal("k", effect_state::intent));  // somebody decided to dispatch it again
  REQUIRE(journal("k", effect_state::done));
  CHECK(scope.unfinished_effects().value().empty());
  CHECK(scope.effect("k").value()->state == effect_state::done);
  CHECK(is(journal("k", effect_state::intent), errc::conflict));
  CHECK(is(journal("k", effect_state::unknown), errc::conflict));
  transaction twice{scope};
  twice.journal({.key = "new"}).journal({.key = "new"});
  CHECK(is(twice.commit(), errc::conflict));
  CHECK(!scope.effect("new").value());
}

TEST_CASE_METHOD(fixture, "a job is claimed by one worker at a time and finished once", "[unit]") {
  transaction tx{scope};
  auto const id = tx.job({.kind = "extract", .payload = "1", .idempotency_key = "e1"});
  tx.job({.kind = "extract", .payload = "again", .idempotency_key = "e1"});
  tx.job({.kind = "other", .payload = "2"});
  REQUIRE(tx.commit(durability::os));
  CHECK(scope.jobs().value().size() == 2);

  auto const lease = std::chrono::seconds(30);
  auto const claimed = scope.claim_job("extract", lease).value();
  REQUIRE(claimed);
  CHECK(claimed->id == id);
  CHECK(claimed->attempts == 1);
  CHECK(!scope.claim_job("extract", lease).value());
  time->advance(lease + std::chrono::milliseconds(1));
  CHECK(scope.claim_job("extract", lease).value()->attempts == 2);

  transaction done{scope};
  done.put({.kind = "fact", .text = "extracted"});
  done.finish(id);
  REQUIRE(done.commit(durability::os));
  transaction late{scope};
  auto const record = late.put({.kind = "fact", .text = "extracted twice"});
  late.finish(id);
  CHECK(is(late.commit(), errc::conflict));
  CHECK(!scope.record(record).value());
  transaction same{scope};
  same.job({.kind = "extract", .payload = "1", .idempotency_key = "e1"});
  REQUIRE(same.commit(durability::os));
  CHECK(scope.jobs().value().size() == 1);  // its key is known for good
}

TEST_CASE_METHOD(fixture, "a commit can be awaited, synced or not", "[unit]") {
  for (auto const how : {durability::synced, durability::os}) {
    auto const seen = talk.last_seq().value();
    transaction tx{scope};
    tx.append(talk, seen, {note("awaited")});
    auto const done = run_blocking(transaction::async_commit(std::move(tx), how), "commit", "async_commit");
    REQUIRE(done);
    CHECK(talk.last_seq().value() == seen + 1);
    transaction late{scope};
    late.append(talk, seen, {note("late")});
    auto const refused = run_blocking(transaction::async_commit(std::move(late), how), "commit", "async_commit");
    CHECK(is(refused, errc::conflict));
  }
}

TEST_CASE_METHOD(fixture, "threads that append to one session lose nothing and overwrite nothing", "[unit]") {
  constexpr int threads = 4, appends = 50;
  std::vector<std::thread> running;
  for (int t = 0; t < threads; ++t)
    running.emplace_back([&, t] {
      auto const mine = db.scope({.tenant = "acme", .user = "u"});
      auto const s = mine.session("talk");
      auto const own = mine.session("own " + std::to_string(t));
      for (int i = 0; i < appends;) {
        transaction tx{mine};
        tx.append(s, s.last_seq().value(), {note(std::to_string(t) + " " + std::to_string(i))});
        tx.append(own, static_cast<std::uint64_t>(i), {note(std::to_string(i))});
        auto const done = tx.commit(i % 10 == 0 ? durability::synced : durability::os);
        if (done) ++i;
        (void)s.history();
      }
    });
  for (auto& t : running) t.join();
  CHECK(talk.last_seq().value() == threads * appends);
  CHECK(talk.verify());
  std::set<std::string> seen;
  for (auto const& e : talk.events().value()) seen.insert(e.payload);
  CHECK(seen.size() == threads * appends);
  for (int t = 0; t < threads; ++t) CHECK(scope.session("own " + std::to_string(t)).last_seq().value() == appends);
}

TEST_CASE_METHOD(fixture, "threads that write to scopes of their own do not disturb each other", "[unit]") {
  constexpr int threads = 4, turns = 25;
  std::vector<std::thread> running;
  for (int t = 0; t < threads; ++t)
    running.emplace_back([&, t] {
      auto const mine = db.scope({.tenant = "t" + std::to_string(t)});
      for (std::uint32_t i = 0; i < turns; ++i) {
        transaction tx{mine};
        tx.append(mine.session("s"), 4 * i, turn(i, "q", std::to_string(t)));
        if (!tx.commit(i % 5 == 0 ? durability::synced : durability::os)) return;
      }
    });
  for (auto& t : running) t.join();
  for (int t = 0; t < threads; ++t) {
    auto const said = texts(db.scope({.tenant = "t" + std::to_string(t)}).session("s"));
    REQUIRE(said.size() == 2 * turns);
    for (std::size_t i = 1; i < said.size(); i += 2) CHECK(said[i] == std::to_string(t));
  }
}
