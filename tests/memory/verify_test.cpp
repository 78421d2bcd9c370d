#include "events.hpp"
#include "scope_commit.hpp"
#include "temp_dir.hpp"

using namespace wherry;
using namespace wherry_test;
using memory_detail::family;

namespace {

struct full_store {
  temp_dir dir;

  void fill() const {
    store const db{dir / "db"};
    for (auto const* user : {"a", "b"}) {
      auto const scope = db.scope({.tenant = "acme", .user = user});
      commit(scope, scope.session("talk"), turn(1, "hello", "there"));
      scope.session("talk").fork("fork").value();
      transaction tx{scope};
      for (int i = 0; i < 5; ++i) {
        auto const id = tx.remember({.kind = "fact", .text = "likes tea " + std::to_string(i), .attribute = "drink"});
        tx.embed(id, {"m", {1, static_cast<float>(i)}});
      }
      tx.put({.kind = "fact", .text = "expires", .expires = 4'000'000'000'000});
      tx.put_item("s", "k", "1");
      tx.commit().value();
    }
  }
  /// Changes a store underneath.
  void harm(std::function<void(memory_detail::store_state&, ulid const&, rocksdb::WriteBatch&)> const& how) const {
    auto const state = memory_detail::store_state::open(dir / "db", {}).value();
    auto const scope = state->scope({.tenant = "acme", .user = "a"});
    std::lock_guard const lock(scope->mutex);
    scope->load_locked().value();
    auto batch = memory_detail::new_batch();
    how(*state, *scope->id, batch);
    state->write(batch, durability::synced).value();
  }
  verify_report verify(bool repair = false) const { return store{dir / "db"}.verify(repair).value(); }
};

}  // namespace

TEST_CASE_METHOD(full_store, "a sound store has nothing to tell", "[memory]") {
  fill();
  auto const report = verify();
  CHECK(report.problems == std::vector<std::string>{});
  CHECK(report.scopes == 2);
  CHECK(report.sessions == 4);
  CHECK(report.events == 16);
  CHECK(report.records == 12);
  CHECK(report.items == 2);
  CHECK(report.postings > 40);
  CHECK(report.vectors == 10);
}

TEST_CASE_METHOD(full_store, "harm to derived data is found and mended", "[recovery]") {
  fill();
  using harm_fn = std::function<void(memory_detail::store_state&, ulid const&, rocksdb::WriteBatch&)>;
  std::vector<std::pair<std::string, harm_fn>> const harms{
      {"a missing posting",
       [](auto& s, auto const& sid, auto& batch) {
         batch.Delete(s.handle(family::post), memory_detail::posting_key(sid, "tea", 0));
       }},
      {"a posting of nobody",
       [](auto& s, auto const& sid, auto& batch) {
         batch.Put(s.handle(family::post), memory_detail::posting_key(sid, "tea", 99), "\1\1\0");
       }},
      {"wrong totals",
       [](auto& s, auto const& sid, auto& batch) {
         batch.Put(s.handle(family::post), memory_detail::totals_key(sid),
                   memory_detail::encode_totals({.next_number = 50}));
       }},
      {"a vector of nobody",
       [](auto& s, auto const& sid, auto& batch) {
         batch.Put(s.handle(family::vec), memory_detail::vector_key(sid, 1, 77),
                   memory_detail::encode_vector("12345678"));
       }},
      {"a row that names nobody", [](auto& s, auto const& sid, auto& batch) {
         batch.Put(s.handle(family::mem), memory_detail::prefix(sid, 'H') + std::string(16, 'x'),
                   memory_detail::encode_id(ulid::fresh()));
       }}};
  for (auto const& [name, how] : harms) {
    INFO(name);
    harm(how);
    auto const found = verify();
    CHECK(found.problems.size() == 1);
    CHECK(verify(true).repaired == 1);
    CHECK(verify().problems.empty());
  }
  store const db{dir / "db"};
  CHECK(db.scope({.tenant = "acme", .user = "a"}).recall({.text = "tea"}).value().hits.size() == 1);
}

TEST_CASE_METHOD(full_store, "harm to what was acknowledged is told and left alone", "[recovery]") {
  fill();
  harm([](auto& s, auto const& sid, auto& batch) {
    std::string first;
    s.scan(family::mem, memory_detail::prefix(sid, 'M'), memory_detail::prefix_end(sid, 'M'),
           [&](std::string_view key, std::string_view) -> result<bool> {
             first = key;
             return false;
           })
        .value();
    batch.Put(s.handle(family::mem), first, "broken");
  });
  auto const report = verify(true);
  CHECK_FALSE(report.problems.empty());
  CHECK(report.repaired == 0);
  CHECK_FALSE(verify().problems.empty());
}

TEST_CASE_METHOD(full_store, "a copy is a store of its own", "[memory]") {
  fill();
  {
    store const db{dir / "db"};
    db.copy_to(dir / "copy").value();
    CHECK(db.copy_to(dir / "copy").error().is(errc::already_exists));
    commit(db.scope({.tenant = "later"}), db.scope({.tenant = "later"}).session("s"), {note("not in it")});
  }
  store const copy{dir / "copy"};
  CHECK(copy.verify().value().problems.empty());
  auto const scope = copy.scope({.tenant = "acme", .user = "b"});
  CHECK(texts(scope.session("talk")) == std::vector<std::string>{"hello", "there"});
  CHECK(scope.recall({.text = "tea", .vectors = {{"m", {1, 4}}}}).value().hits.size() == 1);
  CHECK(copy.scope({.tenant = "later"}).sessions().value().empty());
}

TEST_CASE("a scope without records is well beside one that has some", "[memory]") {
  temp_dir dir;
  store const db{dir.path(), {.commit_durability = durability::os}};
  transaction tx{db.scope({.tenant = "a"})};
  tx.put({.kind = "fact", .text = "x"});
  tx.commit().value();
  auto const other = db.scope({.tenant = "b"});
  commit(other, other.session("talk"), {note("y")});
  CHECK(db.verify().value().problems.empty());
}
