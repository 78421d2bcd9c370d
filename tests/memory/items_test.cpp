#include "temp_dir.hpp"

#include <wherry/memory/transaction.hpp>

#include <thread>

using namespace wherry;
using namespace wherry_test;

namespace {

struct settings {
  std::string theme;
  int size = 0;
};

struct shelf {
  temp_dir dir;
  std::shared_ptr<manual_clock> time = std::make_shared<manual_clock>(1'700'000'000'000);
  store db{dir.path(), {.commit_durability = durability::os, .time_source = time}};
  scope_handle scope = db.scope({.tenant = "acme"});
  item_space space = scope.items("notes");

  std::vector<std::string> keys(std::vector<item> const& items) const {
    std::vector<std::string> out;
    for (auto const& i : items) out.push_back(i.key);
    return out;
  }
};
using key_list = std::vector<std::string>;

}  // namespace

TEST_CASE_METHOD(shelf, "an item is kept with its version and times", "[memory]") {
  CHECK_FALSE(space.get("a").value());
  CHECK(space.put("a", R"({"x":1})").value() == 1);
  time->advance(std::chrono::seconds(1));
  CHECK(space.put("a", "[2]").value() == 2);
  auto const found = space.get("a").value().value();
  CHECK(found ==
        item{.key = "a", .value = "[2]", .version = 2, .created = 1'700'000'000'000, .updated = 1'700'000'001'000});
  CHECK(space.remove("a").value());
  CHECK_FALSE(space.remove("a").value());
  CHECK_FALSE(space.get("a").value());
  CHECK(space.put("a", "1").value() == 1);
}

TEST_CASE_METHOD(shelf, "an item changes only from the version that was expected", "[memory]") {
  CHECK(space.put("a", "1", {.expected_version = 0}).value() == 1);
  CHECK(space.put("a", "2", {.expected_version = 0}).error().is(errc::conflict));
  CHECK(space.put("a", "2", {.expected_version = 1}).value() == 2);
  CHECK(space.remove("a", {.expected_version = 1}).error().is(errc::conflict));
  CHECK(space.put("b", "1", {.expected_version = 3}).error().is(errc::conflict));
  std::vector<std::thread> threads;
  std::atomic<int> won{0};
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int n = 0; n < 50; ++n) {
        auto const now = space.get("count").value();
        if (space.put("count", std::to_string(n), {.expected_version = now ? now->version : 0})) ++won;
      }
    });
  for (auto& t : threads) t.join();
  CHECK(space.get("count").value()->version == static_cast<std::uint64_t>(won));
}

TEST_CASE_METHOD(shelf, "namespaces and scopes are places of their own", "[isolation]") {
  for (auto const* name : {"a", "ab", "a\xC3\xA9", "", "a%", "a_"})
    scope.items(name).put("k", "\"" + std::string(name) + "\"").value();
  for (auto const* name : {"a", "ab", "a\xC3\xA9", "", "a%", "a_"}) {
    CHECK(scope.items(name).list().value().size() == 1);
    CHECK(scope.items(name).get("k").value()->value == "\"" + std::string(name) + "\"");
  }
  CHECK(db.scope({.tenant = "acme", .user = "other"}).items("a").list().value().empty());
}

TEST_CASE_METHOD(shelf, "items are listed by key, from a key on and under a prefix", "[memory]") {
  for (auto const* key : {"b/2", "a", "b/1", "c", "b"}) space.put(key, "0").value();
  CHECK(keys(space.list().value()) == key_list{"a", "b", "b/1", "b/2", "c"});
  CHECK(keys(space.list("b/").value()) == key_list{"b/1", "b/2"});
  CHECK(keys(space.list("", "b", 2).value()) == key_list{"b/1", "b/2"});
  CHECK(keys(space.list("b/", "b/1").value()) == key_list{"b/2"});
  CHECK(space.list("x").value().empty());
}

TEST_CASE_METHOD(shelf, "an item past its time is absent", "[memory]") {
  space.put("a", "1", {.expires = time->now() + 10}).value();
  CHECK(space.get("a").value());
  time->advance(std::chrono::milliseconds(10));
  CHECK_FALSE(space.get("a").value());
  CHECK(space.list().value().empty());
  CHECK(space.put("a", "2", {.expected_version = 0}).value() == 2);
}

TEST_CASE_METHOD(shelf, "items are found by the words in them", "[memory]") {
  space.put("breakfast", R"({"food":"porridge with apples"})").value();
  space.put("lunch", R"({"food":["soup","an apple"]})").value();
  space.put("dinner", R"({"food":"fish"})").value();
  CHECK(keys(space.search("what has apples?").value()) == key_list{"breakfast", "lunch"});
  CHECK(keys(space.search("fish for dinner").value()) == key_list{"dinner"});
  CHECK(space.search("meat").value().empty());
}

TEST_CASE_METHOD(shelf, "a C++ value goes in and comes out", "[memory]") {
  space.put_as("s", settings{"dark", 3}).value();
  auto const s = space.get_as<settings>("s").value().value();
  CHECK(s.theme == "dark");
  CHECK(s.size == 3);
  CHECK_FALSE(space.get_as<settings>("absent").value());
  space.put("s", R"({"theme":1})").value();
  CHECK_FALSE(space.get_as<settings>("s"));
}

TEST_CASE_METHOD(shelf, "items go down with the rest of a transaction, or not at all", "[memory]") {
  transaction tx{scope};
  tx.put_item("notes", "a", "1").put_item("notes", "a", "2", {.expected_version = 1});
  tx.put({.kind = "fact", .text = "x"});
  tx.commit().value();
  CHECK(space.get("a").value()->version == 2);
  transaction bad{scope};
  bad.put({.kind = "fact", .text = "y"});
  bad.put_item("notes", "a", "3", {.expected_version = 1});
  CHECK(bad.commit().error().is(errc::conflict));
  CHECK(scope.records().value().size() == 1);
}

TEST_CASE_METHOD(shelf, "what cannot be an item is refused", "[memory]") {
  CHECK(space.put("a", "{").error().is(errc::parse_error));
  CHECK(space.put("\xff", "1").error().is(errc::invalid_argument));
  CHECK(space.get("\xff").error().is(errc::invalid_argument));
  CHECK(scope.items("\xff").list().error().is(errc::invalid_argument));
  CHECK(space.put("a", "\"" + std::string(item_bytes_max, 'x') + "\"").error().is(errc::limit_reached));
  CHECK_FALSE(space.get("a").value());
}
