#include "events.hpp"
#include "temp_dir.hpp"

#include <wherry/memory/transaction.hpp>

#include <algorithm>

using namespace wherry;
using namespace wherry_test;

namespace {

struct notes {
  temp_dir dir;
  std::shared_ptr<manual_clock> time = std::make_shared<manual_clock>(1'700'000'000'000);
  store db{dir.path(), {.commit_durability = durability::os, .time_source = time}};
  scope_handle scope = db.scope({.tenant = "acme", .user = "7"});

  ulid put(record r) {
    transaction tx{scope};
    auto const id = tx.put(std::move(r));
    tx.commit().value();
    return id;
  }
  ulid say(std::string text) { return put({.kind = "fact", .text = std::move(text)}); }
  std::vector<std::string> find(recall_query q) const {
    std::vector<std::string> out;
    for (auto const& hit : scope.recall(q).value().hits) out.push_back(hit.record.text);
    return out;
  }
  std::vector<std::string> find(std::string text) const { return find(recall_query{.text = std::move(text)}); }
  void reopen() {
    {
      store const other{dir / "other"};
      scope = other.scope({});  // lets go of the store
      db = other;
    }
    db = store::open(dir.path(), {.commit_durability = durability::os, .time_source = time}).value();
    scope = db.scope({.tenant = "acme", .user = "7"});
  }
};
using texts_list = std::vector<std::string>;

}  // namespace

TEST_CASE_METHOD(notes, "recall finds by stem, the rarer word first", "[memory]") {
  say("She painted a lake");
  say("He paints walls");
  say("The lake is deep");
  auto const found = find("Who was painting the lake?");
  REQUIRE(found.size() == 3);
  CHECK(found[0] == "She painted a lake");
  CHECK(find("mountain").empty());
}

TEST_CASE_METHOD(notes, "a record is found at once, and no more when it is forgotten or changed", "[memory]") {
  say("unrelated");
  auto const id = say("likes tea");
  CHECK(find("tea") == texts_list{"likes tea"});
  put({.id = id, .kind = "fact", .text = "likes coffee"});
  CHECK(find("tea").empty());
  CHECK(find("coffee") == texts_list{"likes coffee"});
  transaction tx{scope};
  tx.forget(id).commit().value();
  CHECK(find("coffee").empty());
  CHECK_FALSE(scope.record(id).value());
  transaction again{scope};
  CHECK(again.forget(id).commit().error().is(errc::not_found));
}

TEST_CASE_METHOD(notes, "what recall says is the same after the store is opened again", "[memory]") {
  for (int i = 0; i < 50; ++i)
    put({.kind = i % 3 ? "episode" : "document",
         .text = "note " + std::to_string(i) + (i % 2 ? " about the harbour" : " about rain") + " in town",
         .source = {.session = "s" + std::to_string(i % 4), .first_seq = static_cast<std::uint64_t>(i)}});
  auto const question = recall_query{.text = "harbour 7 town", .limit = 50};
  auto const before = scope.recall(question).value();
  REQUIRE(before.hits.size() == 50);
  reopen();
  auto const after = scope.recall(question).value();
  REQUIRE(after.hits.size() == before.hits.size());
  for (std::size_t i = 0; i < before.hits.size(); ++i) {
    CHECK(after.hits[i].record == before.hits[i].record);
    CHECK(after.hits[i].score == before.hits[i].score);
  }
}

TEST_CASE_METHOD(notes, "a turn is found by what its neighbours say", "[memory]") {
  for (int i = 0; i < 20; ++i)
    put({.kind = "episode", .text = "small talk number " + std::to_string(i), .source = {.session = "other"}});
  put({.kind = "episode", .text = "Did you visit the museum?", .source = {.session = "talk", .first_seq = 1}});
  put({.kind = "episode", .text = "Yes, last Saturday!", .source = {.session = "talk", .first_seq = 2}});
  auto const found = scope.recall({.text = "museum visit"}).value();
  REQUIRE(found.hits.size() == 2);
  CHECK(found.hits[1].record.text == "Yes, last Saturday!");
  CHECK(found.hits[1].lent == 1);
  recall_query alone{.text = "museum visit"};
  alone.text_options.neighbour_weight = alone.text_options.thread_weight = 0;
  CHECK(find(alone).size() == 1);
}

TEST_CASE_METHOD(notes, "words side by side weigh more than words apart", "[memory]") {
  say("support from a group of friends");
  say("a support group of friends met");
  CHECK(find("support group")[0] == "a support group of friends met");
}

TEST_CASE_METHOD(notes, "a title weighs more than text, and a date is found by its parts", "[memory]") {
  put({.kind = "episode", .text = "went home", .created = 1'683'504'000'000, .title = "Caroline"});
  put({.kind = "episode", .text = "met Caroline", .created = 1'655'000'000'000, .title = "Melanie"});
  CHECK(find("Caroline")[0] == "went home");
  CHECK(find("what was in May 2023?") == texts_list{"went home"});
}

TEST_CASE_METHOD(notes, "filters keep kinds and tags apart", "[memory]") {
  put({.kind = "fact", .text = "tea one", .tags = {{"lang", "en"}}});
  put({.kind = "preference", .text = "tea two", .tags = {{"lang", "en"}, {"src", "x"}}});
  put({.kind = "fact", .text = "tea three", .tags = {{"lang", "de"}}});
  CHECK(find(recall_query{.text = "tea", .kinds = {"preference"}}) == texts_list{"tea two"});
  CHECK(find(recall_query{.text = "tea", .kinds = {"fact", "preference"}}).size() == 3);
  CHECK(find(recall_query{.text = "tea", .kinds = {"nothing"}}).empty());
  CHECK(find(recall_query{.text = "tea", .tags = {{"lang", "en"}}}).size() == 2);
  CHECK(find(recall_query{.text = "tea", .tags = {{"lang", "en"}, {"src", "x"}}}) == texts_list{"tea two"});
  CHECK(find(recall_query{.text = "tea", .tags = {{"lang", "fr"}}}).empty());
}

TEST_CASE_METHOD(notes, "an expired record is not found", "[memory]") {
  put({.kind = "fact", .text = "tea today", .expires = time->now() + 1000});
  CHECK(find("tea").size() == 1);
  time->advance(std::chrono::seconds(2));
  CHECK(find("tea").empty());
}

TEST_CASE_METHOD(notes, "a budget of bytes is kept", "[memory]") {
  for (int i = 0; i < 10; ++i) say("tea with " + std::string(100, 'a') + std::to_string(i));
  CHECK(find(recall_query{.text = "tea", .text_bytes_max = 350}).size() == 3);
}

TEST_CASE_METHOD(notes, "a hit tells why it was found", "[memory]") {
  say("nothing of that kind");
  say("she likes green tea");
  auto const hit = scope.recall({.text = "Does she like tea?"}).value().hits.at(0);
  REQUIRE(hit.arms.size() == 1);
  CHECK(hit.arms[0].name == "text");
  CHECK(hit.arms[0].rank == 1);
  CHECK(hit.arms[0].score > 0);
  CHECK(std::count(hit.words.begin(), hit.words.end(), "tea") == 1);
  CHECK(explain(hit).starts_with("text 1 ("));
  CHECK(explain(hit).find("tea") != std::string::npos);
}

TEST_CASE_METHOD(notes, "a recall that cannot be answered says why", "[memory]") {
  CHECK(scope.recall({}).error().is(errc::invalid_argument));
  CHECK(scope.recall({.text = "\xff"}).error().is(errc::invalid_argument));
  CHECK(scope.recall({.text = "tea", .limit = recall_limit_max + 1}).error().is(errc::invalid_argument));
  CHECK(scope.recall({.text = std::string(recall_text_bytes_max + 1, 'x')}).error().is(errc::invalid_argument));
  CHECK(scope.recall({.text = "tea"}).value().hits.empty());
  CHECK(db.scope({.tenant = std::string(2000, 'x')}).recall({.text = "tea"}).error().is(errc::invalid_argument));
}

TEST_CASE_METHOD(notes, "Korean words are found with and without particles", "[memory]") {
  say("어제 프로젝트를 끝냈다");
  say("우리는 서울에서 만났다");
  say("부산에서 회의가 있었다");
  CHECK(find("프로젝트")[0] == "어제 프로젝트를 끝냈다");
  CHECK(find("서울")[0] == "우리는 서울에서 만났다");
  CHECK(find("회의는 어디에서 있었나?")[0] == "부산에서 회의가 있었다");
  CHECK(find("東京").empty());
}

TEST_CASE_METHOD(notes, "a scope sees nothing of another", "[isolation]") {
  say("likes tea");
  auto const other = db.scope({.tenant = "acme", .user = "70"});
  CHECK(other.recall({.text = "tea"}).value().hits.empty());
  transaction tx{other};
  tx.put({.kind = "fact", .text = "tea is hers"});
  tx.commit().value();
  CHECK(find("tea") == texts_list{"likes tea"});
}

TEST_CASE("of two records on the same matter the newer comes first, and says before which", "[memory]") {
  temp_dir dir;
  store const db{dir.path(), {.commit_durability = durability::os}};
  auto const scope = db.scope({});
  transaction tx{scope};
  auto const said = [&](utc_ms when, std::string text, std::string subject = {},
                        record_origin by = record_origin::user) {
    return tx.put(
        {.kind = "message", .text = std::move(text), .created = when, .subject = std::move(subject), .origin = by});
  };
  auto const old = said(1'000, "The sprint deadline for layout and navigation is the first of April.");
  auto const news = said(2'000, "We moved the sprint deadline for the layout to the fifth.");
  auto const reply =
      said(3'000, "A sprint deadline for layout and navigation needs planning.", {}, record_origin::agent);
  auto const theirs = said(4'000, "Their sprint deadline for layout and navigation is in June.", "Bob");
  auto const aside = said(5'000, "The navigation has a bug.");
  tx.commit().value();
  recall_query q{.text = "sprint deadline layout navigation"};
  auto const place = [&](recall_result const& found, ulid const& id) {
    auto const at =
        std::find_if(found.hits.begin(), found.hits.end(), [&](auto const& h) { return h.record.id == id; });
    REQUIRE(at != found.hits.end());
    return at - found.hits.begin();
  };
  auto const found = scope.recall(q).value();
  CHECK(place(found, news) + 1 == place(found, old));
  auto const& hit = found.hits[static_cast<std::size_t>(place(found, news))];
  CHECK(hit.ahead_of == old);
  CHECK(explain(hit).find("newer than " + old.text()) != std::string::npos);
  // What another is said to do, a model's own words, and what only touches the matter are no news on it.
  for (auto const& id : {reply, theirs, aside})
    CHECK(found.hits[static_cast<std::size_t>(place(found, id))].ahead_of == ulid{});
  CHECK(found.hits[static_cast<std::size_t>(place(found, reply))].origin == 0.9);

  q.newest_first = false;
  auto const plain = scope.recall(q).value();
  CHECK(place(plain, news) > place(plain, old));
  CHECK(plain.hits.size() == found.hits.size());
}
