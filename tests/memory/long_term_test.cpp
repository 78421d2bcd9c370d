#include "temp_dir.hpp"

#include <wherry/core/random.hpp>
#include <wherry/memory/transaction.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>

using namespace wherry;
using namespace wherry_test;

namespace {

struct life {
  temp_dir dir;
  std::shared_ptr<manual_clock> time = std::make_shared<manual_clock>(1'700'000'000'000);
  store db{dir.path(), {.commit_durability = durability::os, .time_source = time}};
  scope_handle scope = db.scope({.tenant = "acme"});

  remember_report remember(record r) {
    r.kind = "fact";
    transaction tx{scope};
    tx.remember(std::move(r));
    tx.commit().value();
    return tx.reports().at(0);
  }
};

constexpr std::array attributes{"home city", "employer", "favourite drink", "phone model", "car"};
constexpr std::array colours{"red", "green", "blue", "amber", "violet", "black", "white", "grey", "teal", "pink"};

std::string person(std::size_t n) { return "Person" + std::to_string(n); }
std::string says(std::size_t n, std::string const& value) {
  return person(n / attributes.size()) + " now has as " + attributes[n % attributes.size()] + " " + value;
}

}  // namespace

TEST_CASE_METHOD(life, "of 200 updates the newest is recalled, the old as of then, and look-alikes stay", "[memory]") {
  constexpr std::size_t updates = 200, distractors = 100;
  auto const told = [&](std::size_t n, std::string const& value) {
    return record{.text = says(n, value),
                  .subject = person(n / attributes.size()),
                  .attribute = attributes[n % attributes.size()]};
  };
  for (std::size_t n = 0; n < updates; ++n) remember(told(n, "old" + std::to_string(n)));
  std::vector<ulid> alike;
  for (std::size_t n = 0; n < distractors; ++n)
    alike.push_back(remember({.text = says(n, "maybe" + std::to_string(n)),
                              .subject = person(1000 + n),
                              .attribute = attributes[n % attributes.size()]})
                        .id);
  auto const then = time->now() + 1;
  time->advance(std::chrono::hours(24));
  std::size_t superseded = 0;
  for (std::size_t n = 0; n < updates; ++n)
    superseded += remember(told(n, "new" + std::to_string(n))).outcome == remembered::superseded;
  CHECK(superseded == updates);

  std::size_t newest = 0, old = 0;
  for (std::size_t n = 0; n < updates; ++n) {
    recall_query q{.text = "What is the " + std::string(attributes[n % attributes.size()]) + " of " +
                           person(n / attributes.size()) + " now?",
                   .limit = 3};
    auto const holds = [&](std::string const& text) {
      auto const hits = scope.recall(q).value().hits;
      return std::any_of(hits.begin(), hits.end(), [&](auto const& h) { return h.record.text == text; });
    };
    newest += holds(says(n, "new" + std::to_string(n)));
    CHECK_FALSE(holds(says(n, "old" + std::to_string(n))));
    q.as_of = then;
    old += holds(says(n, "old" + std::to_string(n)));
    CHECK_FALSE(holds(says(n, "new" + std::to_string(n))));
  }
  CHECK(newest >= updates * 98 / 100);
  CHECK(old == updates);
  for (auto const& id : alike) CHECK(scope.record(id).value()->superseded_at == 0);
}

TEST_CASE_METHOD(life, "repeats of any form are merged, and of 300 near misses none", "[memory]") {
  std::size_t merged = 0, near_misses = 0;
  for (std::size_t n = 0; n < 50; ++n) {
    auto const amount = std::to_string(10 + n), day = std::to_string(1 + n % 28), colour = std::string(colours[n % 10]);
    auto const fact = person(n) + " pays " + amount + " euro on day " + day + " for the " + colour + " bicycle.";
    REQUIRE(remember({.text = fact}).outcome == remembered::created);
    auto loud = fact;
    for (auto& c : loud) c = static_cast<char>(std::toupper(c));
    for (auto const& again : {fact, "  " + fact, loud, fact.substr(0, fact.size() - 1), fact + "!"})
      merged += remember({.text = again}).outcome != remembered::created;
    for (auto const& other :
         {person(n) + " pays " + amount + "0 euro on day " + day + " for the " + colour + " bicycle.",
          person(n) + " pays " + amount + " euro on day 3" + day + " for the " + colour + " bicycle.",
          person(n + 500) + " pays " + amount + " euro on day " + day + " for the " + colour + " bicycle.",
          person(n) + " never pays " + amount + " euro on day " + day + " for the " + colour + " bicycle.",
          person(n) + " pays " + amount + " cent on day " + day + " for the " + colour + " bicycle.",
          person(n) + " pays " + amount + " euro on day " + day + " for the " + colour + "ish bicycle."}) {
      auto const report = remember({.text = other});
      near_misses += report.outcome == remembered::created;
      CHECK(report.similar != ulid{});
    }
  }
  CHECK(merged == 250);
  CHECK(near_misses == 300);
  CHECK(scope.records(ulid{}, 1000).value().size() == 350);
}
