#include "oracle_backend.hpp"
#include "rocks_backend.hpp"

#include <wherry/core/random.hpp>

#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <functional>

using namespace wherry;
using namespace wherry_test;

namespace {

// Backends under test, by name. A further one is a further row.
struct backend_row {
  char const* name;
  std::function<std::unique_ptr<store_backend>(std::shared_ptr<manual_clock>)> make;
};

std::unique_ptr<rocks_backend> make_rocks(std::shared_ptr<manual_clock> time, bool encrypted = false) {
  return std::make_unique<rocks_backend>(
      store_options{.commit_durability = durability::os, .time_source = std::move(time), .text_language = ""},
      encrypted);
}

std::vector<backend_row> const backends{
    {"oracle", [](std::shared_ptr<manual_clock> time) { return std::make_unique<oracle_backend>(std::move(time)); }},
    {"rocksdb", [](std::shared_ptr<manual_clock> time) { return make_rocks(std::move(time)); }},
    {"rocksdb, encrypted", [](std::shared_ptr<manual_clock> time) { return make_rocks(std::move(time), true); }},
};

struct contract {
  std::shared_ptr<manual_clock> time = std::make_shared<manual_clock>(1'700'000'000'000);
  std::unique_ptr<store_backend> db;

  contract() {
    auto const& row = backends[GENERATE(range(std::size_t{0}, backends.size()))];
    UNSCOPED_INFO("backend " << row.name);
    db = row.make(time);
  }
};

ulid id_of(std::uint64_t n) { return ulid::draw(1'000 + static_cast<utc_ms>(n), {.run = n}); }
record fact(std::uint64_t n, std::string text) { return {.id = id_of(n), .kind = "fact", .text = std::move(text)}; }

/// Names that begin with each other, hold what other stores take for wildcards or separators, or are empty.
std::vector<scope_name> hostile_names() {
  std::vector<std::string> const parts{"", "a", "ab", "a%", "a_", std::string("a\0", 2), "🙂", "a/b", "*"};
  std::vector<scope_name> out;
  for (auto const& part : parts) out.push_back({.tenant = part});
  for (auto const& part : parts) out.push_back({.tenant = "a", .user = part.empty() ? "b" : part});
  out.push_back({.tenant = "a", .agent = "b"});
  out.push_back({.tenant = "a", .space = {"b"}});
  out.push_back({.tenant = "a", .space = {"b", ""}});
  out.push_back({.tenant = "a", .space = {"", "b"}});
  return out;
}

void walk_beside_oracle(std::uint64_t seed, std::uint32_t steps, bool encrypted = false) {
  auto const time = std::make_shared<manual_clock>(1'700'000'000'000);
  oracle_backend oracle(time);
  auto const rocks = make_rocks(time, encrypted);
  auto const names = hostile_names();
  std::vector<std::string> const spaces{"n", "n2", ""}, keys{"a", "ab", "a%", "b", ""}, talks{"t", "t2", "t/", ""},
      people{"ann", "bob", "cy"};
  static constexpr std::array words{"zabaq", "zebeq", "zibiq", "zoboq", "zubuq", "zacaq", "zeceq", "zofoq"};

  for (std::uint32_t step = 0; step < steps; ++step) {
    std::uint32_t lane = 0;
    auto const draw = [&](std::size_t below) { return random_bits({.run = seed, .step = step}, lane++) % below; };
    auto const pick = [&](auto const& from) { return from[draw(from.size())]; };
    auto const& scope = names[draw(names.size())];
    auto const some_text = [&] {
      std::string out;
      for (auto n = 1 + draw(6); n > 0; --n) (out += out.empty() ? "" : " ") += pick(words);
      return out;
    };
    constexpr std::uint32_t changes_max = 3;
    std::uint64_t next_id = step * changes_max;
    auto const known_id = [&] { return id_of(draw(step * changes_max + 1)); };  // often of another scope, or of nothing
    auto const what = draw(1000);
    INFO("seed " << seed << " step " << step << " kind " << what);
    auto const same = [&](auto const& a, auto const& b) {
      REQUIRE(a.has_value() == b.has_value());
      if (!a) {
        INFO(to_string(b.error()));
        REQUIRE(b.error().code == a.error().code);
      }
      return a.has_value();
    };
    auto const equal = [&](auto const& a, auto const& b) {
      if (same(a, b)) REQUIRE(*a == *b);
    };
    auto const some_change = [&]() -> change {
      switch (draw(9)) {
        case 0:
        case 1: {
          auto const talk = pick(talks);
          auto seq = oracle.events(scope, talk)->size();
          if (draw(8) == 0) ++seq;
          return append_change{talk, seq,
                               std::vector<std::string>(1 + draw(3), "{\"n\":" + std::to_string(step) + "}")};
        }
        case 2: {
          auto r = fact(++next_id, some_text());
          if (draw(3) == 0) r.kind = "document";
          if (draw(3) == 0) r.title = some_text();
          if (draw(3) == 0) r.source.session = pick(talks);
          if (draw(4) == 0) r.subject = pick(people);
          if (draw(5) == 0) r.expires = time->now() + 200;
          if (draw(5) == 0) r.valid_to = time->now() + 300;
          if (draw(3) == 0) r.tags = {{"t", pick(people)}};
          if (draw(4) == 0) {  // another text in place of a known one; without what remember compares
            auto const known = oracle.records(scope, {}, 1000).value();
            auto const old = known.empty() ? id_of(0) : pick(known).id;
            if (auto const before = oracle.record(scope, old).value(); before && before->kind != "told") r.id = old;
          }
          return put_change{std::move(r)};
        }
        case 3: {
          auto r = fact(++next_id, some_text());
          r.kind = "told";
          if (draw(2) == 0) r.text += ".";
          r.subject = pick(people);
          if (draw(2) == 0) r.attribute = pick(keys) + "x";
          if (draw(4) == 0) r.valid_from = time->now() - static_cast<utc_ms>(draw(1000));
          return remember_change{std::move(r)};
        }
        case 4: return forget_change{known_id()};
        case 5:
        case 6: {
          item_change i{pick(spaces), pick(keys), "{\"step\":" + std::to_string(step) + "}"};
          if (draw(4) == 0) i.value.reset();
          if (draw(3) == 0) {
            auto const now = oracle.item(scope, i.space, i.key).value();
            i.expected_version = (now ? now->version : 0) + (draw(4) == 0);
          }
          if (draw(4) == 0) i.expires = time->now() + 150;
          return i;
        }
        case 7:
          return effect_change{
              {.key = pick(keys) + "e", .state = static_cast<effect_state>(1 + draw(3)), .call = std::to_string(step)}};
        default:
          if (draw(3) == 0) return finish_change{known_id()};
          return job_change{{.kind = pick(people),
                             .payload = std::to_string(step),
                             .idempotency_key = draw(2) == 0 ? pick(keys) : std::string(),
                             .id = id_of(++next_id)}};
      }
    };
    if (what < 500) {
      std::vector<change> changes;
      for (auto n = 1 + draw(changes_max); n > 0; --n) changes.push_back(some_change());
      auto const wanted = oracle.commit(scope, changes);
      auto found = rocks->commit(scope, std::move(changes));
      if (found)
        for (auto& report : *found) report.similar = {};
      equal(wanted, found);
    } else if (what < 600) {
      recall_query q{.text = some_text(), .limit = 1000};
      if (draw(4) == 0) q.as_of = time->now() - static_cast<utc_ms>(draw(2000));
      if (draw(4) == 0) q.kinds = {draw(2) == 0 ? "fact" : "told"};
      if (draw(4) == 0) q.tags = {{"t", pick(people)}};
      auto wanted = oracle.recall(scope, q).value();
      auto found = rocks->recall(scope, q).value();
      REQUIRE(found.size() == wanted.size());
      for (auto* const list : {&wanted, &found})
        std::sort(list->begin(), list->end(), [](auto const& a, auto const& b) { return a.id < b.id; });
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        REQUIRE(found[i].id == wanted[i].id);
        REQUIRE(std::abs(found[i].score - wanted[i].score) < 1e-9);
      }
    } else if (what < 680) {
      auto const talk = pick(talks);
      equal(oracle.events(scope, talk), rocks->events(scope, talk));
      equal(oracle.sessions(scope), rocks->sessions(scope));
    } else if (what < 760) {
      auto const space = pick(spaces), prefix = draw(2) == 0 ? pick(keys) : std::string(), after = pick(keys);
      auto const limit = draw(4);
      equal(oracle.items(scope, space, prefix, after, limit), rocks->items(scope, space, prefix, after, limit));
      equal(oracle.item(scope, space, after), rocks->item(scope, space, after));
    } else if (what < 840) {
      auto const after = draw(2) == 0 ? ulid{} : known_id();
      auto const limit = draw(20);
      equal(oracle.records(scope, after, limit), rocks->records(scope, after, limit));
      equal(oracle.record(scope, after), rocks->record(scope, after));
    } else if (what < 900) {
      auto const key = pick(keys) + "e";
      equal(oracle.effect(scope, key), rocks->effect(scope, key));
      equal(oracle.unfinished(scope), rocks->unfinished(scope));
      equal(oracle.jobs(scope), rocks->jobs(scope));
    } else if (what < 930) {
      auto const kind = pick(people);
      auto const lease = std::chrono::milliseconds(100);
      equal(oracle.claim(scope, kind, lease), rocks->claim(scope, kind, lease));
    } else if (what < 955) {
      auto const from = pick(talks), to = pick(talks) + std::to_string(draw(4));
      auto const at = draw(2) == 0 ? latest_seq : draw(6);
      same(oracle.fork(scope, from, to, at), rocks->fork(scope, from, to, at));
    } else if (what < 996) {
      time->advance(std::chrono::milliseconds(draw(200)));
    } else if (what < 998) {
      rocks->reopen();
    } else {
      erase_request request;
      if (draw(3) == 0) request.everything = true;
      if (draw(2) == 0) request.sessions = {pick(talks)};
      if (draw(2) == 0) request.records = {known_id(), known_id()};
      if (draw(2) == 0) request.subjects = {pick(people)};
      if (draw(2) == 0) request.item_spaces = {pick(spaces)};
      auto const wanted = oracle.erase(scope, request).value();
      auto const found = rocks->erase(scope, request).value();
      REQUIRE(std::tuple(found.records, found.sessions, found.items) ==
              std::tuple(wanted.records, wanted.sessions, wanted.items));
    }
  }
  CHECK(rocks->db().verify().value().problems == std::vector<std::string>{});
}

}  // namespace

TEST_CASE_METHOD(contract, "a commit is whole: one change that is refused takes the others with it", "[memory]") {
  scope_name const scope{.tenant = "a"};
  db->commit(scope, {append_change{"talk", 0, {R"({"n":1})"}}}).value();
  auto const refused =
      db->commit(scope, {append_change{"talk", 1, {R"({"n":2})"}}, put_change{fact(1, "kept")},
                         item_change{"s", "k", "1"}, effect_change{{.key = "e"}},
                         job_change{{.kind = "j", .id = id_of(2)}}, append_change{"other", 7, {R"({"n":3})"}}});
  CHECK(refused.error().is(errc::conflict));
  CHECK(db->events(scope, "talk").value() == std::vector<std::string>{R"(1 {"n":1})"});
  CHECK(db->records(scope, {}, 10).value().empty());
  CHECK_FALSE(db->item(scope, "s", "k").value());
  CHECK_FALSE(db->effect(scope, "e").value());
  CHECK(db->jobs(scope).value().empty());
  CHECK(db->sessions(scope).value().size() == 1);
}

TEST_CASE_METHOD(contract, "what is committed is read at once and after opening again", "[memory]") {
  scope_name const scope{.user = "u"};
  db->commit(scope, {append_change{"talk", 0, {R"({"n":1})", R"({"n":2})"}}, put_change{fact(1, "alpha beta")},
                     item_change{"s", "k", "[1]"}})
      .value();
  for (int opened = 0; opened < 2; ++opened) {
    CHECK(db->events(scope, "talk").value() == std::vector<std::string>{R"(1 {"n":1})", R"(2 {"n":2})"});
    CHECK(db->record(scope, id_of(1)).value()->text == "alpha beta");
    CHECK(db->item(scope, "s", "k").value()->value == "[1]");
    CHECK(db->recall(scope, {.text = "beta"}).value().size() == 1);
    db->reopen();
  }
}

TEST_CASE_METHOD(contract, "scopes whose names begin with each other never meet", "[isolation]") {
  auto const names = hostile_names();
  for (std::size_t n = 0; n < names.size(); ++n)
    db->commit(names[n], {append_change{"s", 0, {"{\"n\":" + std::to_string(n) + "}"}},
                          put_change{fact(n + 1, "common w" + std::string(n + 1, 'x'))},
                          item_change{"i", "k", std::to_string(n)}, effect_change{{.key = "e" + std::to_string(n)}},
                          job_change{{.kind = "j", .payload = std::to_string(n), .id = id_of(100 + n)}}})
        .value();
  db->erase(names[1], {.everything = true}).value();
  db->reopen();
  for (std::size_t n = 0; n < names.size(); ++n) {
    auto const hits = db->recall(names[n], {.text = "common"}).value();
    auto const records = db->records(names[n], {}, 100).value();
    if (n == 1) {
      CHECK((hits.empty() && records.empty() && db->jobs(names[n]).value().empty()));
      continue;
    }
    INFO("scope " << n);
    REQUIRE((hits.size() == 1 && records.size() == 1));
    CHECK(hits[0].id == id_of(n + 1));
    CHECK(db->events(names[n], "s").value() == std::vector<std::string>{"1 {\"n\":" + std::to_string(n) + "}"});
    CHECK(db->items(names[n], "i", "", "", 10).value().at(0).value == std::to_string(n));
    CHECK(db->unfinished(names[n]).value().at(0).key == "e" + std::to_string(n));
    CHECK(db->jobs(names[n]).value().at(0).payload == std::to_string(n));
  }
}

TEST_CASE_METHOD(contract, "keys are what they are: prefixes, order and limits of a listing", "[memory]") {
  scope_name const scope{};
  for (auto const* key : {"b", "a", "ab", "abc", "", "%", "a%", "é"})
    db->commit(scope, {item_change{"n", key, "1"}}).value();
  db->commit(scope, {item_change{"n2", "a", "2"}, item_change{"", "a", "3"}}).value();
  auto const keys = [&](std::string const& prefix, std::string const& after, std::size_t limit) {
    std::vector<std::string> out;
    for (auto const& i : db->items(scope, "n", prefix, after, limit).value()) out.push_back(i.key);
    return out;
  };
  CHECK(keys("", "", 100) == std::vector<std::string>{"", "%", "a", "a%", "ab", "abc", "b", "é"});
  CHECK(keys("a", "", 100) == std::vector<std::string>{"a", "a%", "ab", "abc"});
  CHECK(keys("a", "a%", 1) == std::vector<std::string>{"ab"});
  CHECK(keys("", "b", 9) == std::vector<std::string>{"é"});
}

TEST_CASE("the store on RocksDB does what the oracle does, step by step", "[memory]") {
  std::uint64_t const seed = 1;
  walk_beside_oracle(seed, 4'000);
}

TEST_CASE("an encrypted store does what the oracle does, step by step", "[memory]") {
  walk_beside_oracle(7, 3'000, true);
}

TEST_CASE("the store on RocksDB does what the oracle does, on long walks", "[memory][slow]") {
  for (std::uint64_t seed = 2; seed < 6; ++seed) walk_beside_oracle(seed, 25'000, seed % 2 == 1);
}
