#include "aead.hpp"
#include "events.hpp"
#include "files.hpp"
#include "shared_data.hpp"
#include "temp_dir.hpp"
#include "vector_math.hpp"

#include <sys/stat.h>

#include <set>

using namespace wherry;
using namespace wherry_test;
namespace fs = std::filesystem;

namespace {

/// Words that nothing else writes.
constexpr char const* secret = "zqxsecretwordzqx";

struct encrypted_store {
  temp_dir dir;
  std::string master = std::string(32, 'k');
  scope_name const name{.tenant = std::string("tenant") + secret, .user = "u"};
  std::optional<store> db;

  encrypted_store() { open(); }
  store_options options() const {
    return {.vectors_exact_max = 1, .compressed = false, .keys = store_keys{dir / "keys", master}};
  }
  void open() {
    db.reset();
    db.emplace(store{dir / "db", options()});
  }
  scope_handle scope() const { return db->scope(name); }
  static std::vector<float> vector() { return {0.25F, 0.5F, 0.125F, 0.75F, 0.3F, 0.9F, 0.1F, 0.6F}; }

  void write_everywhere() const {
    std::string const m = secret;
    auto const s = scope();
    commit(s, s.session("talk" + m), turn(1, "question " + m, "answer " + m), durability::synced);
    s.session("talk" + m).fork("fork" + m).value();
    transaction tx{s};
    for (int n = 0; n < 3; ++n) {
      auto const id = tx.put({.kind = "fact" + m,
                              .text = "text " + m + " " + std::to_string(n),
                              .title = "title " + m,
                              .subject = m,
                              .attribute = m + std::to_string(n),
                              .tags = {{m, m}}});
      auto v = vector();
      v[0] += static_cast<float>(n);
      tx.embed(id, {"embedder" + m, v});
    }
    tx.put_item("space" + m, "key" + m, "\"" + m + "\"");
    tx.journal({.key = "effect" + m, .run = run_id(1), .call = m});
    tx.job({.kind = "job" + m, .payload = m, .idempotency_key = "once" + m});
    tx.commit(durability::synced).value();
    s.maintain({.changes_before_image = 1}).value();
  }
  void check_all(store const& in) const {
    std::string const m = secret;
    auto const s = in.scope(name);
    CHECK(texts(s.session("talk" + m)) == std::vector<std::string>{"question " + m, "answer " + m});
    CHECK(s.sessions().value().size() == 2);
    CHECK(s.recall({.text = m}).value().hits.size() == 3);
    CHECK(s.recall({.vectors = {{"embedder" + m, vector()}}}).value().hits.at(0).record.text == "text " + m + " 0");
    CHECK(s.items("space" + m).list("key").value().size() == 1);
    CHECK(s.unfinished_effects().value().size() == 1);
    CHECK(s.jobs().value().size() == 1);
    auto const report = in.verify().value();
    CHECK(report.problems == std::vector<std::string>{});
    CHECK(report.scopes == 1);
  }
};

}  // namespace

TEST_CASE("what is sealed opens with its key in its place, and nothing else does", "[memory]") {
  using namespace memory_detail;
  auto const key = random_key().value(), other = random_key().value();
  CHECK(key != other);
  for (std::string const text : {"", "a", "a longer text with \0 in it"}) {
    auto sealed = sealed_with(key, text, "place");
    CHECK(sealed.size() == text.size() + nonce_bytes + tag_bytes);
    CHECK(sealed != sealed_with(key, text, "place"));
    CHECK(opened_with(key, sealed, "place") == text);
    CHECK_FALSE(opened_with(key, sealed, "another"));
    CHECK_FALSE(opened_with(other, sealed, "place"));
    for (std::size_t at = 0; at < sealed.size(); at += 7) {
      auto changed = sealed;
      changed[at] ^= 1;
      CHECK_FALSE(opened_with(key, changed, "place"));
    }
    CHECK_FALSE(opened_with(key, sealed.substr(1), "place"));
  }
  // NIST's test case 14 of GCM: zero key, nonce and block.
  auto const hex = [](std::string const& digits) {
    std::string out;
    for (std::size_t i = 0; i < digits.size(); i += 2)
      out += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
    return out;
  };
  CHECK(opened_with(secret_key{},
                    std::string(12, '\0') + hex("cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"),
                    "") == std::string(16, '\0'));
}

TEST_CASE_METHOD(encrypted_store, "an encrypted store holds everything and shows nothing", "[memory]") {
  write_everywhere();
  check_all(*db);
  open();
  check_all(*db);
  REQUIRE_FALSE(fs::is_empty(dir / "db/vectors"));
  CHECK(files_with(dir.path(), secret).empty());
  CHECK(files_with(dir.path(), std::string(secret).substr(0, 8)).empty());
  CHECK(files_with(dir.path(), master).empty());
  auto const packed = memory_detail::pack(memory_detail::vector_form::f32, vector());
  CHECK(files_with(dir.path(), packed).empty());
}

TEST_CASE_METHOD(encrypted_store, "an erased scope is unreadable in every copy made before", "[erase]") {
  write_everywhere();
  auto const other = db->scope({.tenant = "other"});
  commit(other, other.session("talk"), turn(1, "theirs", "kept"), durability::synced);
  db->copy_to(dir / "copy").value();
  CHECK(texts(store{dir / "copy", options()}.scope(name).session(std::string("talk") + secret)).size() == 2);
  auto const receipt = scope().erase({.everything = true}).value();
  CHECK(receipt.records == 3);
  CHECK(std::count(receipt.places.begin(), receipt.places.end(), "keys") == 1);
  CHECK(scope().sessions().value().empty());

  store const copy{dir / "copy", options()};
  CHECK(copy.scope(name).records().error().is(errc::not_found));
  CHECK(copy.scope(name).recall({.text = secret}).error().is(errc::not_found));
  CHECK(texts(copy.scope({.tenant = "other"}).session("talk")) == std::vector<std::string>{"theirs", "kept"});
  auto const report = copy.verify().value();
  CHECK(report.unreadable == 1);
  CHECK(report.problems.empty());
  CHECK(files_with(dir / "copy", secret).empty());
  CHECK(copy.scope(name).erase({.everything = true}).value().records == 3);
  CHECK(copy.scope(name).records().value().empty());
  CHECK(copy.verify().value().unreadable == 0);
  auto const again = copy.scope(name);
  commit(again, again.session("talk"), turn(2, "again", "new"));
  CHECK(texts(again.session("talk")).size() == 2);
}

TEST_CASE_METHOD(encrypted_store, "a store opens with its own keys only, and says what is wrong", "[memory]") {
  write_everywhere();
  db.reset();
  auto const refused = [&](store_options const& how, errc why) {
    auto const opened = store::open(dir / "db", how);
    REQUIRE_FALSE(opened);
    INFO(to_string(opened.error()));
    CHECK(opened.error().is(why));
  };
  refused({}, errc::denied);
  auto wrong = options();
  wrong.keys->master_key[3] = 'x';
  refused(wrong, errc::denied);
  wrong.keys->master_key = "short";
  refused(wrong, errc::invalid_argument);
  wrong = options();
  wrong.keys->directory = dir / "none";
  refused(wrong, errc::not_found);
  CHECK_FALSE(fs::exists(dir / "none"));
  {
    auto other = options();
    other.keys->directory = dir / "other keys";
    store const made{dir / "other db", other};
    refused(other, errc::denied);
  }
  ::chmod((dir / "keys").c_str(), 0755);
  refused(options(), errc::denied);
  ::chmod((dir / "keys").c_str(), 0700);
  open();
  check_all(*db);
  store const plain{dir / "plain"};
  CHECK(plain.scope({}).records().value().empty());
}

TEST_CASE("a process that died while it made the keys leaves nothing in the way", "[recovery]") {
  temp_dir dir;
  auto const keys = dir / "keys";
  fs::create_directory(keys);
  fs::permissions(keys, fs::perms::owner_all);
  std::ofstream(keys / "RING.new") << "half";
  store_options const options{.keys = store_keys{keys, std::string(32, 'k')}};
  {
    store const db{dir / "db", options};
    transaction tx{db.scope({})};
    tx.put({.kind = "fact", .text = "kept"});
    tx.commit().value();
  }
  CHECK(store{dir / "db", options}.scope({}).records()->size() == 1);
  for (auto const& entry : fs::directory_iterator(keys)) CHECK(entry.path().extension() != ".new");
}

TEST_CASE_METHOD(encrypted_store, "a plain store is not opened with keys", "[memory]") {
  {
    store const plain{dir / "plain"};
  }
  CHECK(store::open(dir / "plain", options()).error().is(errc::denied));
}
