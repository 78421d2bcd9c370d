#include "events.hpp"
#include "temp_dir.hpp"

#include <wherry/memory/transaction.hpp>

using namespace wherry;
using namespace wherry_test;

namespace {

struct facts {
  temp_dir dir;
  std::shared_ptr<manual_clock> time = std::make_shared<manual_clock>(1'700'000'000'000);
  store db{dir.path(), {.commit_durability = durability::os, .time_source = time}};
  scope_handle scope = db.scope({.tenant = "acme"});

  remember_report remember(record r) {
    if (r.kind.empty()) r.kind = "fact";
    transaction tx{scope};
    tx.remember(std::move(r));
    tx.commit().value();
    REQUIRE(tx.reports().size() == 1);
    return tx.reports()[0];
  }
  record at(ulid const& id) const { return scope.record(id).value().value(); }
  std::vector<std::string> find(recall_query q) const {
    std::vector<std::string> out;
    for (auto const& hit : scope.recall(q).value().hits) out.push_back(hit.record.text);
    return out;
  }
};
using texts_list = std::vector<std::string>;

}  // namespace

TEST_CASE_METHOD(facts, "a record keeps everything it was given", "[memory]") {
  record const r{.id = ulid::fresh(),
                 .kind = "fact",
                 .text = "  Kept as it came.\n",
                 .source = {.session = "s", .first_seq = 3, .last_seq = 4, .document = "d", .begin = 5, .end = 9},
                 .created = 11,
                 .title = "t",
                 .subject = "user",
                 .attribute = "home city",
                 .origin = record_origin::tool,
                 .importance = 0.75F,
                 .proofs = 3,
                 .valid_from = 12,
                 .valid_to = 13,
                 .expires = 14,
                 .superseded_by = ulid::fresh(),
                 .superseded_at = 15,
                 .tags = {{"a", "b"}, {"", "c"}}};
  transaction tx{scope};
  CHECK(tx.put(r) == r.id);
  tx.commit().value();
  CHECK(at(r.id) == r);
}

TEST_CASE_METHOD(facts, "a text that is known is not written again", "[memory]") {
  auto const first = remember({.text = "Likes green tea."});
  CHECK(first.outcome == remembered::created);
  auto const same = remember({.text = "Likes green tea."});
  CHECK(same.outcome == remembered::same);
  CHECK(same.id == first.id);
  auto const merged = remember({.text = " likes GREEN  tea!"});
  CHECK(merged.outcome == remembered::merged);
  CHECK(merged.id == first.id);
  CHECK(at(first.id).proofs == 3);
  CHECK(at(first.id).text == "Likes green tea.");
  CHECK(scope.records().value().size() == 1);
  CHECK(remember({.kind = "preference", .text = "Likes green tea."}).outcome == remembered::created);
  CHECK(remember({.text = "Likes green tea.", .subject = "Melanie"}).outcome == remembered::created);
}

TEST_CASE_METHOD(facts, "near misses are never merged", "[memory]") {
  remember({.text = "Pays 30 euro on May 3 to Ann."});
  for (auto const* other :
       {"Pays 31 euro on May 3 to Ann.", "Pays 30 dollars on May 3 to Ann.", "Pays 30 euro on May 4 to Ann.",
        "Pays 30 euro on May 3 to Anna.", "Never pays 30 euro on May 3 to Ann.", "Pays 3.0 euro on May 3 to Ann."}) {
    INFO(other);
    auto const report = remember({.text = other});
    CHECK(report.outcome == remembered::created);
    CHECK(report.similar != ulid{});
  }
  CHECK(scope.records().value().size() == 7);
}

TEST_CASE_METHOD(facts, "a newer fact ends the older one, which stays to be asked for", "[memory]") {
  auto const old = remember({.text = "Lives in Seoul", .subject = "user", .attribute = "home city"});
  auto const then = time->now();
  time->advance(std::chrono::hours(24));
  auto const now = remember({.text = "Lives in Busan", .subject = "user", .attribute = "Home City"});
  CHECK(now.outcome == remembered::superseded);
  CHECK(now.other == old.id);
  CHECK(at(old.id).superseded_by == now.id);
  CHECK(at(old.id).valid_to == time->now());
  CHECK(find({.text = "lives"}) == texts_list{"Lives in Busan"});
  CHECK(find({.text = "lives", .as_of = then + 1000}) == texts_list{"Lives in Seoul"});
  CHECK(find({.text = "lives", .known_at = then + 1000}) == texts_list{"Lives in Seoul"});
  auto const back = remember({.text = "Lives in Seoul", .subject = "user", .attribute = "home city"});
  CHECK(back.outcome == remembered::superseded);
  CHECK(back.id != old.id);
}

TEST_CASE_METHOD(facts, "news of how it was before is kept as already ended", "[memory]") {
  auto const now = remember({.text = "Works at Initech", .attribute = "employer", .valid_from = 1'600'000'000'000});
  auto const before = remember({.text = "Worked at Acme", .attribute = "employer", .valid_from = 1'500'000'000'000});
  CHECK(before.outcome == remembered::created);
  CHECK(at(before.id).valid_to == 1'600'000'000'000);
  CHECK(at(now.id).superseded_at == 0);
  CHECK(find({.text = "works"}) == texts_list{"Works at Initech"});
  CHECK(find({.text = "works", .as_of = 1'550'000'000'000}) == texts_list{"Worked at Acme"});
}

TEST_CASE_METHOD(facts, "several records of one commit know of each other", "[memory]") {
  transaction tx{scope};
  tx.remember({.kind = "fact", .text = "Lives in Seoul", .attribute = "home"});
  tx.remember({.kind = "fact", .text = "lives in seoul", .attribute = "home"});
  tx.remember({.kind = "fact", .text = "Lives in Busan", .attribute = "home"});
  tx.commit().value();
  REQUIRE(tx.reports().size() == 3);
  CHECK(tx.reports()[1].outcome == remembered::merged);
  CHECK(tx.reports()[2].outcome == remembered::superseded);
  CHECK(find({.text = "lives"}) == texts_list{"Lives in Busan"});
}

TEST_CASE_METHOD(facts, "a commit that fails leaves no trace in memory or index", "[memory]") {
  remember({.text = "likes tea"});
  transaction tx{scope};
  tx.remember({.kind = "fact", .text = "likes coffee"});
  tx.put({.kind = "fact", .text = "\xff"});
  CHECK(tx.commit().error().is(errc::invalid_argument));
  CHECK(find({.text = "coffee"}).empty());
  CHECK(scope.records().value().size() == 1);
  remember({.text = "likes cocoa"});
  CHECK(find({.text = "likes"}).size() == 2);
}

TEST_CASE_METHOD(facts, "a record that breaks a rule is refused with the rule", "[memory]") {
  auto const refusal = [&](record r) {
    transaction tx{scope};
    tx.put(std::move(r));
    return tx.commit().error();
  };
  CHECK(refusal({.text = std::string(record_bytes_max + 1, 'x')}).is(errc::limit_reached));
  CHECK(refusal({.text = "x", .title = std::string(record_label_bytes_max + 1, 'x')}).is(errc::limit_reached));
  CHECK(refusal({.text = "x", .importance = 1.5F}).is(errc::invalid_argument));
  CHECK(refusal({.text = "x", .valid_from = 2, .valid_to = 1}).is(errc::invalid_argument));
  CHECK(refusal({.text = "x", .source = {.begin = 2, .end = 1}}).is(errc::invalid_argument));
  CHECK(refusal({.text = "x", .tags = std::vector<record_tag>(record_tags_max + 1)}).is(errc::limit_reached));
}
