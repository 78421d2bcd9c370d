#include "entities.hpp"
#include "temp_dir.hpp"

#include <wherry/memory/transaction.hpp>

#include <catch2/catch_test_macros.hpp>

#include <cmath>

using namespace wherry;
using namespace wherry_test;
using memory_detail::entities_of;
using memory_detail::entity_kind;
using memory_detail::named_entity;

namespace {

using texts = std::vector<std::string>;

texts of_kind(entity_kind kind, std::string const& text) {
  texts out;
  for (auto const& entity : entities_of(text))
    if (entity.kind == kind) out.push_back(entity.text);
  return out;
}
texts names(std::string const& text) { return of_kind(entity_kind::name, text); }

struct people {
  temp_dir dir;
  store db{dir.path(), {.commit_durability = durability::os}};
  scope_handle scope = db.scope({});

  ulid say(std::string text, std::string title = {}, utc_ms created = 1) {
    transaction tx{scope};
    auto const id = tx.put({.kind = "fact", .text = std::move(text), .created = created, .title = std::move(title)});
    tx.commit().value();
    return id;
  }
  recall_result ask(std::string text, double entity = 1) const {
    recall_query q{.text = std::move(text)};
    q.weights.entity = entity;
    return scope.recall(q).value();
  }
  static recall_arm const* entity_arm(recall_hit const& hit) {
    for (auto const& arm : hit.arms)
      if (arm.name == "entity") return &arm;
    return nullptr;
  }
  static recall_hit const* hit_of(recall_result const& found, ulid const& id) {
    for (auto const& hit : found.hits)
      if (hit.record.id == id) return &hit;
    return nullptr;
  }
};

}  // namespace

TEST_CASE("names are runs of capitalised words, not what begins a sentence", "[memory]") {
  CHECK(names("What did Caroline say about Lake Geneva?") == texts{"Caroline", "Lake Geneva"});
  CHECK(names("Painting is fun. Trees are green.").empty());
  CHECK(names("Caroline's brother reads the Lord of the Rings to Tom, Anna and Éva.") ==
        texts{"Caroline", "Lord of the Rings", "Tom", "Anna", "Éva"});
  CHECK(names("Did J. Smith meet them?") == texts{"J. Smith"});
  CHECK(names("I'm here and I said what I know").empty());
  CHECK(names("WHAT DID CAROLINE SAY").empty());  // capitals alone say nothing
  // A first word may belong to the name or not: both are told.
  CHECK(names("Ask Melanie Brown.") == texts{"Ask Melanie Brown", "Melanie Brown"});
}

TEST_CASE("identifiers, addresses, quantities and quotations are told apart", "[memory]") {
  CHECK(of_kind(entity_kind::identifier, "does parseJson of foo_bar in C++20 run at NASA?") ==
        texts{"parseJson", "foo_bar", "C++20", "NASA"});
  CHECK(of_kind(entity_kind::address, "write to (ann@example.org), see https://example.org/a?b=1.") ==
        texts{"ann@example.org", "https://example.org/a?b=1"});
  CHECK(of_kind(entity_kind::quantity, "ran 5 km, paid $30 and 20% for 12.5 on 3 of them in 2023") ==
        texts{"5 km", "$30", "20%", "12.5"});
  CHECK(of_kind(entity_kind::quotation, "who sang \"the long road\" and “Río”?") == texts{"the long road", "Río"});
  CHECK(of_kind(entity_kind::quotation, "「東京物語」を見た") == texts{"東京物語"});
}

TEST_CASE("Korean names are found before an honorific", "[memory]") {
  CHECK(names("김민수 씨는 어디에 사나요?") == texts{"김민수"});
  CHECK(names("김민수님께 전화했다") == texts{"김민수"});
  CHECK(names("서울에서 만났다").empty());
}

TEST_CASE("entities of any text are bounded, and bytes that are no text are survived", "[memory]") {
  std::string many;
  for (int i = 0; i < 100; ++i) many += "and Name" + std::to_string(i) + "x ";
  CHECK(entities_of(many).size() == memory_detail::entities_max);
  CHECK(entities_of("").empty());
  CHECK(entities_of("\xFF\xFE \xC3 Ann went to \xE0\x80 Rome").size() >= 1);
  CHECK(entities_of(std::string(1000, '"')).empty());
  CHECK(entities_of("Same Same Same").size() <= 2);
}

TEST_CASE_METHOD(people, "the entity arm finds what holds the names of the question, the rarer first", "[memory]") {
  auto const both = say("Tom took the train to Lake Geneva");
  auto const one = say("the train was late", "Tom");
  auto const neither = say("trains to the lake of a man called geneva are slow, said tim");
  for (int i = 0; i < 5; ++i) say("number " + std::to_string(i), "Tom");
  auto const found = ask("When did Tom take the train to Lake Geneva?");
  REQUIRE(hit_of(found, both));
  REQUIRE(hit_of(found, one));
  REQUIRE(hit_of(found, neither));
  CHECK(hit_of(found, both)->entities == texts{"Tom", "Lake Geneva"});
  CHECK(hit_of(found, one)->entities == texts{"Tom"});
  CHECK(hit_of(found, neither)->entities.empty());
  CHECK_FALSE(entity_arm(*hit_of(found, neither)));
  REQUIRE(entity_arm(*hit_of(found, both)));
  CHECK(entity_arm(*hit_of(found, both))->rank == 1);
  // Six records hold Tom alone: ranks 2 to 7, so each has the one in the middle.
  REQUIRE(entity_arm(*hit_of(found, one)));
  CHECK(entity_arm(*hit_of(found, one))->rank == 4);
  CHECK(explain(*hit_of(found, both)).find("entity 1 (") != std::string::npos);
  CHECK(explain(*hit_of(found, both)).find(": Tom, Lake Geneva)") != std::string::npos);
}

TEST_CASE_METHOD(people, "the entity arm follows what is forgotten, changed and filtered", "[memory]") {
  auto const id = say("Ann lives in Rome");
  auto const other = say("Ann has a dog");
  CHECK(hit_of(ask("Where is Rome in the words of Ann?"), id)->entities == texts{"Rome", "Ann"});
  transaction tx{scope};
  tx.put({.id = id, .kind = "fact", .text = "Ann lives in Oslo"});
  tx.commit().value();
  CHECK(hit_of(ask("Where is Rome in the words of Ann?"), id)->entities == texts{"Ann"});
  transaction again{scope};
  again.forget(id).commit().value();
  auto const left = ask("Where is Ann?");
  REQUIRE(left.hits.size() == 1);
  CHECK(left.hits[0].record.id == other);
  recall_query q{.text = "Where is Ann?", .kinds = {"episode"}};
  q.weights.entity = 1;
  CHECK(scope.recall(q).value().hits.empty());
}

TEST_CASE("the entity arm reads an encrypted store too, and finds nothing of what was erased", "[erase]") {
  temp_dir const dir;
  store const db{dir / "store",
                 {.commit_durability = durability::os,
                  .keys = store_keys{.directory = dir / "keys", .master_key = std::string(32, 'k')}}};
  auto const scope = db.scope({});
  transaction tx{scope};
  auto const id = tx.put({.kind = "fact", .text = "a boat on Lake Geneva"});
  tx.put({.kind = "fact", .text = "a boat on a lake"});
  tx.commit().value();
  recall_query q{.text = "Who has a boat on Lake Geneva?"};
  q.weights = {.text = 0, .vector = 0, .entity = 1};
  auto const found = scope.recall(q).value();
  REQUIRE(found.hits.size() == 1);
  CHECK(found.hits[0].record.id == id);
  CHECK(found.hits[0].entities == texts{"Lake Geneva"});
  erase_request what;
  what.records = {id};
  scope.erase(what).value();
  CHECK(scope.recall(q).value().hits.empty());
}

TEST_CASE_METHOD(people, "dates of a question are entities too", "[memory]") {
  constexpr utc_ms day = 86'400'000;
  auto const may = say("went swimming", "", 19'485 * day);   // 2023-05-08
  auto const june = say("went swimming", "", 19'525 * day);  // 2023-06-17
  auto const found = ask("Who went swimming on 8 May 2023?");
  REQUIRE(hit_of(found, may));
  REQUIRE(hit_of(found, june));
  CHECK(hit_of(found, may)->entities == texts{"@m05", "@y2023", "@d08"});
  CHECK(hit_of(found, june)->entities == texts{"@y2023"});
}

TEST_CASE_METHOD(people, "an arm without weight is not asked, and a weight out of bounds is refused", "[memory]") {
  say("Ann lives in Rome");
  auto const plain = ask("Where does Ann live?", 0);
  REQUIRE(plain.hits.size() == 1);
  CHECK_FALSE(entity_arm(plain.hits[0]));
  CHECK(plain.hits[0].entities.empty());
  recall_query q{.text = "Where does Ann live?"};
  q.weights = {.text = 0, .vector = 1, .entity = 1};
  auto const named = scope.recall(q).value();
  REQUIRE(named.hits.size() == 1);
  CHECK(named.hits[0].arms.size() == 1);
  CHECK(named.hits[0].words.empty());
  q.weights = {.text = 0, .vector = 0, .entity = 0};
  CHECK(scope.recall(q).value().hits.empty());
  for (auto const wrong : {-1.0, recall_weight_max + 1, std::nan("")}) {
    q.weights = {.text = 1, .vector = 1, .entity = wrong};
    CHECK(scope.recall(q).error().is(errc::invalid_argument));
  }
}
