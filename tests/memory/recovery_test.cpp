#include "events.hpp"
#include "faulty_fs.hpp"
#include "scope_commit.hpp"
#include "temp_dir.hpp"

#include <fstream>
#include <functional>
#include <iterator>

using namespace wherry;
using namespace wherry_test;
namespace fs = std::filesystem;

namespace {

constexpr std::uint32_t turns = 20;

std::string read(fs::path const& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(fs::path const& file, std::string const& bytes) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
}

/// The newest file with an extension.
fs::path newest(fs::path const& directory, std::string const& extension) {
  fs::path found;
  for (auto const& entry : fs::directory_iterator(directory))
    if (entry.path().extension() == extension && entry.path().filename() > found.filename()) found = entry.path();
  REQUIRE(!found.empty());
  return found;
}

/// A copy of what a store's directory held when its process died.
struct image {
  temp_dir dir;
  fs::path path = dir / "db";

  explicit image(fs::path const& of) { fs::copy(of, path); }
  fs::path log() const { return newest(path, ".log"); }
  void cut_log(std::size_t bytes) const { fs::resize_file(log(), fs::file_size(log()) - bytes); }
};

/// A store with `turns` turns, each committed with `how`, as it is when its process dies.
struct victim {
  temp_dir dir;
  store db{dir.path()};
  scope_handle scope = db.scope({.tenant = "acme"});
  session talk = scope.session("talk");

  void talk_on(durability how, std::uint32_t count = turns) {
    auto const done = static_cast<std::uint32_t>(talk.last_seq().value() / 4);
    for (auto i = done; i < done + count; ++i)
      commit(scope, talk, turn(i, "question " + std::to_string(i), "answer " + std::to_string(i)), how);
  }
};

/// Number of whole turns a store opens with; -1 when it says store_damaged, at opening or reading. Anything else fails.
int turns_or_damaged(fs::path const& path) {
  auto const damaged = [](error const& e) {
    INFO(to_string(e));
    REQUIRE(e.is(errc::store_damaged));
    return -1;
  };
  auto const db = store::open(path);
  if (!db) return damaged(db.error());
  auto const talk = db->scope({.tenant = "acme"}).session("talk");
  if (auto whole = talk.verify(); !whole) return damaged(whole.error());
  auto const history = talk.history();
  if (!history) return damaged(history.error());
  for (std::size_t i = 0; i < history->size() / 2; ++i)
    REQUIRE((*history)[2 * i].text() == "question " + std::to_string(i));
  return static_cast<int>(history->size() / 2);
}

}  // namespace

TEST_CASE("a process that dies leaves everything it was told was committed", "[recovery]") {
  victim v;
  v.talk_on(durability::synced, 10);
  v.talk_on(durability::os, 10);
  CHECK(turns_or_damaged(image(v.dir.path()).path) == turns);
}

TEST_CASE("a log cut anywhere in acknowledged commits is damage, told every time the store is opened", "[recovery]") {
  victim v;
  v.talk_on(durability::synced);
  auto const size = fs::file_size(image(v.dir.path()).log());
  for (std::size_t const cut : {std::size_t{1}, std::size_t{7}, std::size_t{100}, std::size_t{1000}, size / 2, size}) {
    INFO("cut " << cut);
    image const crashed(v.dir.path());
    crashed.cut_log(cut);
    CHECK(turns_or_damaged(crashed.path) == -1);
    CHECK(turns_or_damaged(crashed.path) == -1);
    auto const reader = store::open(crashed.path, {.read_only = true});
    REQUIRE(!reader);
    CHECK(reader.error().is(errc::store_damaged));
  }
}

TEST_CASE("what a torn write leaves behind the last acknowledged commit does no harm", "[recovery]") {
  victim v;
  v.talk_on(durability::synced);
  for (auto const& tail : {std::string(4096, '\0'), std::string(4096, '\x5A'), std::string("\x01\x02\x03")}) {
    image const crashed(v.dir.path());
    write(crashed.log(), read(crashed.log()) + tail);
    CHECK(turns_or_damaged(crashed.path) == turns);
  }
}

TEST_CASE("a power cut takes commits that were not synced, whole, and nothing else", "[recovery]") {
  victim v;
  v.talk_on(durability::synced);
  auto const synced_size = fs::file_size(image(v.dir.path()).log());
  v.talk_on(durability::os, 2);
  auto const size = fs::file_size(image(v.dir.path()).log());
  REQUIRE(size > synced_size);
  for (std::size_t cut = 1; cut <= size - synced_size; cut += 50) {
    image const crashed(v.dir.path());
    crashed.cut_log(cut);
    auto const left = turns_or_damaged(crashed.path);
    CHECK(left >= static_cast<int>(turns));
    CHECK(left < static_cast<int>(turns) + 2);
  }
}

TEST_CASE("a bit flipped anywhere in the log is found, or harms nothing", "[recovery]") {
  victim v;
  v.talk_on(durability::synced);
  auto const bytes = read(image(v.dir.path()).log());
  int damaged = 0, tried = 0;
  for (std::size_t at = 0; at < bytes.size(); at += bytes.size() / 50) {
    INFO("byte " << at);
    image const crashed(v.dir.path());
    auto flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    write(crashed.log(), flipped);
    auto const left = turns_or_damaged(crashed.path);
    CHECK((left == -1 || left == static_cast<int>(turns)));
    damaged += left == -1;
    ++tried;
  }
  CHECK(damaged > tried * 9 / 10);
}

TEST_CASE("a bit flipped anywhere in a table is found, or harms nothing", "[recovery]") {
  temp_dir dir;
  {
    store db{dir.path()};
    auto const scope = db.scope({.tenant = "acme"});
    for (std::uint32_t i = 0; i < turns; ++i)
      commit(scope, scope.session("talk"), turn(i, "question " + std::to_string(i), "answer"));
  }
  REQUIRE(turns_or_damaged(dir.path()) == turns);  // opening moved the log into tables
  std::size_t tables = 0;
  for (auto const& entry : fs::directory_iterator(dir.path())) {
    if (entry.path().extension() != ".sst") continue;
    ++tables;
    auto const bytes = read(entry.path());
    for (std::size_t at = 0; at < bytes.size(); at += bytes.size() / 20) {
      INFO(entry.path().filename() << " byte " << at);
      image const crashed(dir.path());
      auto flipped = bytes;
      flipped[at] = static_cast<char>(flipped[at] ^ 0x04);
      write(crashed.path / entry.path().filename(), flipped);
      auto const left = turns_or_damaged(crashed.path);
      CHECK((left == -1 || left == static_cast<int>(turns)));
    }
  }
  CHECK(tables >= 2);
}

TEST_CASE("a file of the store that is missing or broken is damage", "[recovery]") {
  victim v;
  v.talk_on(durability::synced);
  using harm = std::function<void(image const&)>;
  auto const remove = [](std::string const& prefix) {
    return harm([prefix](image const& i) {
      for (auto const& entry : fs::directory_iterator(i.path))
        if (entry.path().filename().string().starts_with(prefix)) fs::remove(entry.path());
    });
  };
  std::vector<std::pair<std::string, harm>> const harms{
      {"no log", [](image const& i) { fs::remove(i.log()); }},
      {"no ACK", remove("ACK")},
      {"no CURRENT", remove("CURRENT")},
      {"no MANIFEST", remove("MANIFEST")},
      {"broken ACK", [](image const& i) { write(i.path / "ACK", "\1\2\3\4\5\6\7\10\11\12\13\14"); }},
      {"short ACK", [](image const& i) { write(i.path / "ACK", "abc"); }},
      {"long ACK", [](image const& i) { write(i.path / "ACK", read(i.path / "ACK") + "x"); }},
      {"empty MANIFEST", [](image const& i) {
         for (auto const& entry : fs::directory_iterator(i.path))
           if (entry.path().filename().string().starts_with("MANIFEST")) write(entry.path(), "");
       }}};
  for (auto const& [name, apply] : harms) {
    INFO(name);
    image const crashed(v.dir.path());
    apply(crashed);
    CHECK(turns_or_damaged(crashed.path) == -1);
  }
}

TEST_CASE("a store of another format is refused", "[recovery]") {
  temp_dir dir;
  {
    auto const state = memory_detail::store_state::open(dir.path(), {}).value();
    auto batch = memory_detail::new_batch();
    batch.Put(state->handle(memory_detail::family::meta), memory_detail::format_key(), std::string("\0\x09\0\0", 4));
    REQUIRE(state->write(batch, durability::synced));
  }
  auto const newer = store::open(dir.path());
  REQUIRE(!newer);
  CHECK(newer.error().is(errc::unsupported));
}

namespace {

/// A store on a file system that can fail, one layer below the public handles.
struct faulty_store {
  temp_dir dir;
  std::shared_ptr<faulty_fs> files = std::make_shared<faulty_fs>();
  std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(files);
  std::shared_ptr<memory_detail::store_state> state =
      memory_detail::store_state::open(dir.path(), {}, env.get()).value();
  std::shared_ptr<memory_detail::scope_state> scope = state->scope({.tenant = "acme"});
  std::shared_ptr<memory_detail::session_state> talk = scope->session("talk");
  std::uint32_t next = 0;

  result<commit_seq> append(durability how) {
    std::lock_guard const lock(scope->mutex);
    memory_detail::scope_commit commit(*scope);
    auto events = turn(next, "question " + std::to_string(next), "answer");
    auto const added = commit.append(talk, talk->last_seq, events);
    if (!added) return added.error();
    auto done = commit.write(how);
    if (done) ++next;
    return done;
  }
  int turns_after_reopening() {
    talk.reset();
    scope.reset();
    state.reset();
    return turns_or_damaged(dir.path());
  }
};

}  // namespace

TEST_CASE_METHOD(faulty_store, "after a sync that failed nothing is acknowledged until the store is opened again",
                 "[recovery]") {
  REQUIRE(append(durability::synced));
  files->on_sync = fault::fails;
  auto const failed = append(durability::synced);
  REQUIRE(!failed);
  CHECK(failed.error().is(errc::io_failed));
  for (auto const how : {durability::os, durability::synced}) {
    auto const refused = append(how);
    REQUIRE(!refused);
    CHECK(refused.error().is(errc::store_failed));
  }
  CHECK(talk->last_seq == 4);
  auto const left = turns_after_reopening();
  CHECK(left >= 1);  // the commit that failed may be there, whole, or not
  CHECK(left <= 2);
}

TEST_CASE_METHOD(faulty_store, "a full disk is told as such and loses nothing", "[recovery]") {
  REQUIRE(append(durability::synced));
  REQUIRE(append(durability::os));
  files->on_append = fault::no_space;
  auto const failed = append(durability::os);
  REQUIRE(!failed);
  CHECK(failed.error().is(errc::disk_full));
  CHECK(append(durability::os).error().is(errc::store_failed));
  CHECK(turns_after_reopening() == 2);
}

TEST_CASE_METHOD(faulty_store, "a first commit that fails allots nothing", "[recovery]") {
  files->on_append = fault::fails;
  REQUIRE(!append(durability::synced));
  CHECK(!scope->id);
  CHECK(!talk->row);
  CHECK(turns_after_reopening() == 0);
}
