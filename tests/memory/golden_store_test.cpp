// Stores written by released formats, opened by this version. Each is a text under tests/memory/golden; one is added
// with each format and never written again:
//
//   WHERRY_WRITE_GOLDEN=format-1.0 memory_tests "writes a golden store"

#include "events.hpp"
#include "packed_directory.hpp"
#include "temp_dir.hpp"

#include <wherry/memory/document.hpp>

#include <cstdlib>

using namespace wherry;
using namespace wherry_test;

namespace {

constexpr utc_ms start = 1'750'000'000'000;
scope_name const ada{.tenant = "acme", .user = "ada", .agent = "desk", .space = {"work", "서울"}};
scope_name const bob{.tenant = "acme", .user = "bob"};

ulid id_of(std::uint64_t n) { return ulid::draw(start + static_cast<utc_ms>(n), {.run = n}); }
embedding vector_of(std::uint64_t n, char const* model) {
  embedding out{.fingerprint = model};
  for (std::uint32_t i = 0; i < 4; ++i) out.values.push_back(static_cast<float>((n * 7 + i * i) % 11) + 0.5F);
  return out;
}
constexpr char const* manual = "# Engine\n\n## Oil\n\nChange the oil each year.\n\n## Belt\n\nThe belt lasts.\n";

/// Where a golden store lies in its directory, and how it is opened.
struct golden_format {
  char const* name;
  char const* store;
  bool encrypted = false;

  store_options options(std::filesystem::path const& directory, std::shared_ptr<wherry::clock const> time) const {
    store_options out{.commit_durability = durability::os, .time_source = std::move(time), .vectors_exact_max = 2};
    if (encrypted) out.keys = store_keys{directory / "keys", std::string(32, 'g')};
    return out;
  }
};
constexpr golden_format formats[] = {{"format-1.0", "."}, {"format-1.1", "db", true}};

/// A bit of everything; some of it in tables, some only in the log.
void write_golden(golden_format const& format, std::filesystem::path const& directory) {
  auto const time = std::make_shared<manual_clock>(start);
  auto const options = format.options(directory, time);
  auto const path = directory / format.store;
  store db{path, options};
  auto const scope = db.scope(ada);
  commit(scope, scope.session("talk"), turn(1, "Where does Ada live?", "In London."));
  scope.session("talk").fork("fork").value();
  commit(scope, scope.session("fork"), turn(2, "And now?", "In Seoul."));
  commit(scope, scope.session("talk"), {opened(3), user(3, "unanswered")});
  transaction tx{scope};
  tx.remember({.id = id_of(1), .kind = "fact", .text = "Ada lives in London.", .subject = "Ada", .attribute = "home"});
  tx.put({.id = id_of(2),
          .kind = "episode",
          .text = "프로젝트를 서울에서 시작했다",
          .source = {.session = "talk", .first_seq = 2},
          .tags = {{"lang", "ko"}}});
  tx.put({.id = id_of(3), .kind = "fact", .text = "The voucher is valid for a while.", .expires = start + 1000});
  for (std::uint64_t n = 1; n <= 3; ++n) tx.embed(id_of(n), vector_of(n, "m"));
  tx.put_item("settings", "theme", R"({"dark":true})");
  tx.put_item("settings", "old", "1", {.expires = start + 1000});
  tx.journal({.key = "mail 1", .run = run_id(1), .call = "{}"}).journal({.key = "mail 2", .run = run_id(1)});
  tx.job({.kind = "extract", .payload = "p", .idempotency_key = "once", .id = id_of(9)});
  tx.commit().value();
  scope.maintain({.changes_before_image = 1}).value();

  auto const gone = db.scope(bob);
  commit(gone, gone.session("talk"), turn(4, "forget", "me"));
  gone.erase({.everything = true}).value();  // flushes: what follows stands in the log alone

  time->advance(std::chrono::hours(24));
  ingest_document(scope, "manual", manual).value();
  transaction more{scope};
  more.remember({.id = id_of(4), .kind = "fact", .text = "Ada lives in Seoul.", .subject = "Ada", .attribute = "home"});
  more.journal({.key = "mail 1", .state = effect_state::done, .run = run_id(1), .call = "{}"});
  more.finish(id_of(9));
  more.put_item("settings", "theme", R"({"dark":false})");
  more.commit().value();
}

void check_golden(store const& db) {
  CHECK(db.verify().value().problems == std::vector<std::string>{});
  auto const scope = db.scope(ada);
  CHECK(texts(scope.session("talk")) == std::vector<std::string>{"Where does Ada live?", "In London."});
  CHECK(texts(scope.session("fork")) ==
        std::vector<std::string>{"Where does Ada live?", "In London.", "And now?", "In Seoul."});
  REQUIRE(scope.session("talk").open_runs().value().size() == 1);
  CHECK(scope.session("talk").open_runs().value()[0].run == run_id(3));

  auto const old = scope.record(id_of(1)).value();
  REQUIRE(old);
  CHECK(old->superseded_by == id_of(4));
  CHECK(old->valid_to == start + 24 * 3600 * 1000);
  auto const korean = scope.record(id_of(2)).value();
  REQUIRE(korean);
  CHECK(korean->text == "프로젝트를 서울에서 시작했다");
  CHECK(korean->tags == std::vector<record_tag>{{"lang", "ko"}});
  CHECK(korean->source.first_seq == 2);

  auto const first = [&](recall_query const& q) {
    auto const hits = scope.recall(q).value().hits;
    return hits.empty() ? std::string() : hits[0].record.text;
  };
  CHECK(first({.text = "Where does Ada live?"}) == "Ada lives in Seoul.");
  CHECK(first({.text = "Where does Ada live?", .as_of = start + 1}) == "Ada lives in London.");
  CHECK(first({.text = "프로젝트"}) == korean->text);
  CHECK(first({.text = "oil change", .kinds = {"document"}}).find("Change the oil") != std::string::npos);
  CHECK(first({.vectors = {vector_of(2, "m")}}) == korean->text);
  CHECK(scope.recall({.text = "voucher"}).value().hits.empty());

  CHECK(scope.items("settings").get("theme").value()->value == R"({"dark":false})");
  CHECK(scope.items("settings").get("theme").value()->version == 2);
  CHECK_FALSE(scope.items("settings").get("old").value());
  CHECK(scope.effect("mail 1").value()->state == effect_state::done);
  REQUIRE(scope.unfinished_effects().value().size() == 1);
  CHECK(scope.jobs().value().empty());
  auto const receipts = db.receipts().value();
  REQUIRE(receipts.size() == 1);
  CHECK(receipts[0].everything);
  CHECK(db.scope(bob).sessions().value().empty());
}

std::filesystem::path golden(std::string const& name) { return source_dir() / "tests/memory/golden" / (name + ".txt"); }

}  // namespace

TEST_CASE("writes a golden store", "[.][golden]") {
  char const* const name = std::getenv("WHERRY_WRITE_GOLDEN");
  REQUIRE(name);
  REQUIRE_FALSE(std::filesystem::exists(golden(name)));
  for (auto const& format : formats) {
    if (format.name != std::string(name)) continue;
    temp_dir dir;
    write_golden(format, dir / "golden");
    std::ofstream(golden(name), std::ios::binary) << pack_directory(dir / "golden");
  }
}

TEST_CASE("stores of every released format open, hold what they held, and go on", "[memory][golden]") {
  for (auto const& format : formats) {
    INFO(format.name);
    temp_dir dir;
    auto const options = format.options(dir.path(), std::make_shared<manual_clock>(start + 48 * 3600 * 1000));
    auto const path = dir / format.store;
    unpack_directory(read_file(golden(format.name)), dir.path());
    if (format.encrypted) std::filesystem::permissions(dir / "keys", std::filesystem::perms::owner_all);
    {
      auto frozen = options;
      frozen.read_only = true;
      auto const db = store::open(path, frozen);
      INFO((db ? std::string() : to_string(db.error())));
      REQUIRE(db);
      check_golden(*db);
    }
    for (std::uint32_t opened = 0; opened < 2; ++opened) {
      store const db{path, options};
      check_golden(db);
      auto const scope = db.scope(ada);
      commit(scope, scope.session("new"), turn(10 + opened, "still", "writes"));
      CHECK(scope.session("new").history().value().size() == 2 * (opened + 1));
    }
  }
}

TEST_CASE("what this version writes is what the golden store holds", "[memory][golden]") {
  for (auto const& format : formats) {
    temp_dir dir;
    write_golden(format, dir / "golden");
    check_golden(store{dir / "golden" / format.store,
                       format.options(dir / "golden", std::make_shared<manual_clock>(start + 48 * 3600 * 1000))});
  }
}
