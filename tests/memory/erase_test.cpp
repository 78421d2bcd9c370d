#include "erasure.hpp"
#include "events.hpp"
#include "files.hpp"
#include "shared_data.hpp"
#include "temp_dir.hpp"

#include <algorithm>
#include <functional>
#include <set>

using namespace wherry;
using namespace wherry_test;
namespace fs = std::filesystem;

namespace {

/// 64 characters that nothing else writes, and that stand as they are wherever they are written.
std::string marker(char letter) {
  std::string out;
  for (std::uint32_t i = 0; i < 64; ++i)
    out += static_cast<char>('a' + random_bits({.run = static_cast<std::uint64_t>(letter)}, i) % 26);
  return out;
}
/// The beginning of a term that is longer than a term may be.
std::string term_of(std::string const& m) { return m.substr(0, 40); }

struct remembered_store {
  temp_dir dir;
  store_options options{.vectors_exact_max = 1, .compressed = false};
  std::optional<store> db{store{dir / "db", options}};
  std::string const m = marker('Q');
  scope_name const name{.tenant = "acme" + m, .user = "u"};

  scope_handle scope() const { return db->scope(name); }

  std::vector<float> vector(char letter) const {
    std::vector<float> out(64);
    for (std::size_t i = 0; i < 64; ++i) out[i] = static_cast<float>(marker(letter)[i]) + static_cast<float>(i) / 97;
    return out;
  }

  /// Writes the marker wherever user data can be.
  void write_everywhere() const {
    auto const s = scope();
    auto const talk = s.session("talk" + m);
    commit(s, talk, turn(1, "question " + m, "answer " + m), durability::synced);
    transaction tx{s};
    for (char letter = 'A'; letter < 'E'; ++letter) {
      auto const id = tx.put({.kind = "fact" + m,
                              .text = "text " + m + " " + letter,
                              .source = {.session = "talk" + m, .document = "doc" + m},
                              .title = "title " + m,
                              .subject = "subject " + m,
                              .attribute = std::string("attribute ") + letter + m,
                              .expires = 4'000'000'000'000,
                              .tags = {{"tag" + m, "value" + m}}});
      tx.embed(id, {"embedder" + m, vector(letter)});
    }
    tx.put_item("space" + m, "key" + m, "\"" + m + "\"");
    tx.journal({.key = "effect" + m, .run = run_id(1), .call = m});
    tx.job({.kind = "job" + m, .payload = m, .idempotency_key = "once" + m});
    tx.commit(durability::synced).value();
    s.maintain().value();
    s.recall({.text = m}).value();
  }
};

}  // namespace

TEST_CASE_METHOD(remembered_store, "an erased scope leaves no byte in any file, and neighbours keep everything",
                 "[erase]") {
  write_everywhere();
  auto const other = db->scope({.tenant = "acme" + m.substr(0, 30), .user = "u"});
  commit(other, other.session("talk"), turn(1, "theirs", "kept"), durability::synced);
  REQUIRE_FALSE(files_with(dir / "db", m).empty());
  REQUIRE_FALSE(fs::is_empty(dir / "db/vectors"));

  auto const receipt = scope().erase({.everything = true}).value();
  CHECK(receipt.everything);
  CHECK(receipt.records == 4);
  CHECK(receipt.sessions == 1);
  CHECK(receipt.items == 1);
  CHECK(files_with(dir / "db", m).empty());
  CHECK(files_with(dir / "db", term_of(m)).empty());
  CHECK(fs::is_empty(dir / "db/vectors"));
  auto packed = memory_detail::pack(memory_detail::vector_form::f32, vector('A'));
  CHECK(files_with(dir / "db", packed.substr(40, 64)).empty());
  CHECK(db->receipts().value() == std::vector{receipt});

  CHECK(scope().sessions().value().empty());
  CHECK(scope().recall({.text = m}).value().hits.empty());
  CHECK(texts(other.session("talk")) == std::vector<std::string>{"theirs", "kept"});
  CHECK(db->verify().value().problems.empty());
}

TEST_CASE_METHOD(remembered_store, "an erased session takes its records, forks and effects along, nothing else",
                 "[erase]") {
  write_everywhere();
  auto const s = scope();
  s.session("talk" + m).fork("fork").value();
  commit(s, s.session("other"), turn(2, "stays", "here"), durability::synced);
  transaction tx{s};
  auto const kept = tx.put({.kind = "fact", .text = "stays too", .source = {.session = "other"}});
  tx.commit().value();
  auto const held = s.session("talk" + m);
  REQUIRE(held.history().value().size() == 2);

  auto const receipt = s.erase({.sessions = {"talk" + m}}).value();
  CHECK(receipt.sessions == 2);
  CHECK(receipt.records == 4);
  CHECK(held.history().value().empty());
  CHECK(held.last_seq().value() == 0);
  auto const left = s.sessions().value();
  REQUIRE(left.size() == 1);
  CHECK(left[0].name == "other");
  CHECK_FALSE(s.effect("effect" + m).value());
  auto const found = s.records().value();
  REQUIRE(found.size() == 1);
  CHECK(found[0].id == kept);
  CHECK(s.recall({.text = "stays"}).value().hits.size() == 1);
  CHECK(s.items("space" + m).get("key" + m).value());
  commit(s, held, turn(3, "again", "new"), durability::synced);
  CHECK(texts(held) == std::vector<std::string>{"again", "new"});
  CHECK(db->verify().value().problems.empty());
}

TEST_CASE("a record, a document and a subject can be erased, down to the bytes", "[erase]") {
  temp_dir dir;
  store const db{dir.path(), {.compressed = false}};
  auto const scope = db.scope({});
  auto const a = marker('A'), b = marker('B'), c = marker('C'), d = marker('D');
  transaction tx{scope};
  auto const id = tx.put({.kind = "fact", .text = a});
  tx.put({.kind = "document", .text = b, .source = {.document = "manual"}});
  tx.put({.kind = "fact", .text = c, .subject = "Caroline"});
  tx.put({.kind = "fact", .text = d});
  tx.commit(durability::synced).value();
  CHECK(scope.erase({.records = {id}, .documents = {"manual"}, .subjects = {" CAROLINE "}}).value().records == 3);
  for (auto const& gone : {a, b, c}) {
    CHECK(files_with(dir.path(), gone).empty());
    CHECK(files_with(dir.path(), term_of(gone)).empty());
    CHECK(scope.recall({.text = gone}).value().hits.empty());
  }
  CHECK_FALSE(files_with(dir.path(), d).empty());
  CHECK(scope.recall({.text = d}).value().hits.size() == 1);
}

TEST_CASE("an erase that was interrupted goes on when the store is opened", "[erase]") {
  temp_dir dir;
  auto const m = marker('R');
  {
    store const db{dir.path(), {.compressed = false}};
    auto const scope = db.scope({});
    transaction tx{scope};
    tx.put({.kind = "fact", .text = m});
    tx.commit(durability::synced).value();
  }
  ulid const id = ulid::fresh();
  {
    // As the batch of an erase leaves it, when the process dies right after.
    auto const state = memory_detail::store_state::open(dir.path(), {.compressed = false}).value();
    auto const scope = state->scope({});
    std::lock_guard const lock(scope->mutex);
    scope->load_locked().value();
    auto batch = memory_detail::new_batch();
    std::string const first(scope->id->view());
    batch.DeleteRange(state->handle(memory_detail::family::mem), first, first + "\xff");
    batch.DeleteRange(state->handle(memory_detail::family::post), first, first + "\xff");
    memory_detail::erase_intent const intent{.scope = *scope->id, .receipt = {.id = id, .records = 1}};
    batch.Put(state->handle(memory_detail::family::meta), memory_detail::intent_key(id), encode_intent(intent));
    state->write(batch, durability::synced).value();
  }
  REQUIRE_FALSE(files_with(dir.path(), m).empty());
  store const db{dir.path(), {.compressed = false}};
  CHECK(files_with(dir.path(), m).empty());
  REQUIRE(db.receipts().value().size() == 1);
  CHECK(db.receipts().value()[0].id == id);
}

TEST_CASE("the program's own places are erased first, and their failure takes nothing out", "[erase]") {
  temp_dir dir;
  store const db{dir.path()};
  auto const scope = db.scope({});
  commit(scope, scope.session("talk"), turn(4, "hello", "there"), durability::synced);
  std::vector<ulid> told;
  bool fails = true;
  db.add_eraser({"run files", [&](std::vector<ulid> const& runs, bool) -> result<void> {
                   told = runs;
                   CHECK(scope.sessions().value().size() == 1);  // no lock is held
                   if (fails) return error{errc::io_failed, "no"};
                   return {};
                 }});
  CHECK(scope.erase({.sessions = {"talk"}}).error().is(errc::io_failed));
  CHECK(scope.sessions().value().size() == 1);
  CHECK(told == std::vector<ulid>{run_id(4)});
  fails = false;
  auto const places = scope.erase({.sessions = {"talk"}}).value().places;
  CHECK(std::count(places.begin(), places.end(), "run files") == 1);
  CHECK(scope.sessions().value().empty());
}

TEST_CASE("every column family and every file of a store has an eraser", "[erase]") {
  remembered_store s;
  s.write_everywhere();
  std::set<std::string> places;
  for (auto const& place : memory_detail::place_erasers()) places.emplace(place.place);
  for (auto const* family : memory_detail::family_names) CHECK(places.contains(family));
  // What RocksDB itself writes: tables hold the families, logs and manifests are rolled; the rest has no user data.
  std::set<std::string> const rocksdb_files{".sst", ".log"};
  for (auto const& entry : fs::directory_iterator(s.dir / "db")) {
    auto const file = entry.path().filename().string();
    bool const known = places.contains(file) || rocksdb_files.contains(entry.path().extension().string()) ||
                       file.starts_with("MANIFEST-") || file.starts_with("OPTIONS-") || file == "CURRENT" ||
                       file == "IDENTITY" || file == "LOCK";
    INFO(file);
    CHECK(known);
  }
}

TEST_CASE("erasing what is not there is an empty receipt", "[erase]") {
  temp_dir dir;
  store const db{dir.path()};
  auto const receipt = db.scope({.tenant = "nobody"}).erase({.everything = true}).value();
  CHECK(receipt.records == 0);
  auto const scope = db.scope({});
  transaction tx{scope};
  tx.put({.kind = "fact", .text = "x"});
  tx.commit().value();
  CHECK(scope.erase({.records = {ulid::fresh()}, .sessions = {"none"}}).value().records == 0);
  CHECK(scope.records().value().size() == 1);
}
