#include "events.hpp"
#include "temp_dir.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <set>

using namespace wherry;
using namespace wherry_test;

namespace {

/// Runs `body` in a process of its own that ends without unwinding; returns its exit status.
template <class F>
int in_child(F body) {
  auto const pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) ::_exit(body());
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("what was committed is there when the store is opened again", "[unit]") {
  temp_dir dir;
  {
    store db{dir.path()};
    auto scope = db.scope({.tenant = "acme", .user = "user-7"});
    commit(scope, scope.session("trip"), turn(1, "Seoul?", "In spring."), durability::synced);
    commit(scope, scope.session("trip"), turn(2, "Why?", "Blossoms."), durability::os);
  }
  store db{dir.path()};
  auto session = db.scope({.tenant = "acme", .user = "user-7"}).session("trip");
  CHECK(session.last_seq().value() == 8);
  CHECK(texts(session) == std::vector<std::string>{"Seoul?", "In spring.", "Why?", "Blossoms."});
  CHECK(session.verify());
}

TEST_CASE("a second writer in this process is told the store is busy", "[unit]") {
  temp_dir dir;
  store db{dir.path()};
  auto const second = store::open(dir.path());
  REQUIRE(!second);
  CHECK(second.error().is(errc::store_busy));
  CHECK(second.error().path == dir.path().string());
  CHECK(second.error().message.find(std::to_string(::getpid())) != std::string::npos);
  // The first is none the worse for it.
  auto scope = db.scope({.tenant = "t"});
  commit(scope, scope.session("s"), {note("still here")}, durability::synced);
}

TEST_CASE("a second writer in another process is told who has the store", "[unit]") {
  temp_dir dir;
  int to_child[2], to_parent[2];
  REQUIRE(::pipe(to_child) == 0);
  REQUIRE(::pipe(to_parent) == 0);
  auto const pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    auto db = store::open(dir.path());
    char byte = db ? 'y' : 'n';
    [[maybe_unused]] auto told = ::write(to_parent[1], &byte, 1);
    [[maybe_unused]] auto asked = ::read(to_child[0], &byte, 1);  // holds the store until the parent has looked
    ::_exit(0);
  }
  char byte = 'n';
  REQUIRE(::read(to_parent[0], &byte, 1) == 1);
  REQUIRE(byte == 'y');
  auto const second = store::open(dir.path());
  CHECK(::write(to_child[1], &byte, 1) == 1);
  ::waitpid(pid, nullptr, 0);
  REQUIRE(!second);
  CHECK(second.error().is(errc::store_busy));
  CHECK(second.error().retryable);
  CHECK(second.error().message.find("process " + std::to_string(pid)) != std::string::npos);
  CHECK(store::open(dir.path()));  // its owner is gone, so it is free
}

TEST_CASE("a reader beside a writer sees what was committed before it opened, and writes nothing", "[unit]") {
  temp_dir dir;
  store db{dir.path()};
  auto scope = db.scope({.tenant = "t", .user = "u"});
  auto session = scope.session("s");
  commit(scope, session, turn(1, "a", "b"), durability::synced);
  auto const status = in_child([&] {
    auto reader = store::open(dir.path(), {.read_only = true});
    if (!reader) return 1;
    auto seen = reader->scope({.tenant = "t", .user = "u"});
    if (seen.session("s").last_seq().value() != 4) return 2;
    if (seen.session("s").history().value().size() != 2) return 3;
    if (reader->scope({.tenant = "nobody"}).session("s").last_seq().value() != 0) return 4;
    transaction tx{seen};
    tx.append(seen.session("s"), 4, {note("x")});
    auto const refused = tx.commit();
    return !refused && refused.error().is(errc::unsupported) ? 0 : 5;
  });
  CHECK(status == 0);
  commit(scope, session, {note("the writer goes on")}, durability::synced);
  CHECK(session.last_seq().value() == 5);
}

TEST_CASE("a store that does not exist is made only when that is wanted", "[unit]") {
  temp_dir dir;
  auto const missing = store::open(dir / "none", {.create_if_missing = false});
  REQUIRE(!missing);
  CHECK(missing.error().is(errc::not_found));
  auto const unread = store::open(dir / "none", {.read_only = true});
  REQUIRE(!unread);
  CHECK(unread.error().is(errc::not_found));
  CHECK(!std::filesystem::exists(dir / "none"));
  std::ofstream(dir / "file") << "not a directory";
  CHECK(!store::open(dir / "file"));
  CHECK_THROWS_AS(store(dir / "file"), wherry::exception);
  CHECK(store::open(dir / "deep" / "er"));
}

TEST_CASE("scopes with hostile names never meet", "[robustness]") {
  temp_dir dir;
  store db{dir.path()};
  using namespace std::string_literals;
  std::vector<std::string> const names{"",
                                       "a",
                                       "ab",
                                       "a%",
                                       "a_",
                                       "a\0"s,
                                       "a\0b"s,
                                       "\0"s,
                                       "b",
                                       "\xF0\x9F\x9A\xA3",
                                       "scope/",
                                       "../..",
                                       std::string(name_bytes_max, 'x')};
  std::vector<scope_name> scopes;
  for (auto const& name : names) {
    scopes.push_back({.tenant = name});
    if (!name.empty()) {
      scopes.push_back({.user = name});
      scopes.push_back({.agent = name});
    }
    scopes.push_back({.space = {name}});
    scopes.push_back({.space = {name, ""}});
    scopes.push_back({.tenant = "a", .user = "b" + name.substr(0, 4), .space = {"c"}});
  }
  std::set<std::string> canaries;
  for (std::size_t i = 0; i < scopes.size(); ++i) {
    auto const scope = db.scope(scopes[i]);
    if (scope.session("s").last_seq().value() != 0) continue;  // the same name built twice
    transaction tx{scope};
    auto const canary = "canary " + std::to_string(i);
    canaries.insert(canary);
    tx.append(scope.session("s"), 0, {note(canary)});
    tx.put({.kind = "fact", .text = canary});
    tx.journal({.key = "k", .call = canary});
    tx.job({.kind = "j", .payload = canary, .idempotency_key = "once"});
    REQUIRE(tx.commit(durability::os));
  }
  CHECK(canaries.size() >= 5 * names.size());
  std::set<std::string> seen;
  for (auto const& name : scopes) {
    auto const scope = db.scope(name);
    auto const records = scope.records().value();
    REQUIRE(records.size() == 1);
    auto const& mine = records[0].text;
    seen.insert(mine);
    REQUIRE(scope.sessions().value().size() == 1);
    auto const events = scope.session("s").events().value();
    REQUIRE(events.size() == 1);
    CHECK(events[0].payload == note(mine).payload);
    CHECK(scope.effect("k").value()->call == mine);
    REQUIRE(scope.unfinished_effects().value().size() == 1);
    REQUIRE(scope.jobs().value().size() == 1);
    CHECK(scope.jobs().value()[0].payload == mine);
  }
  CHECK(seen == canaries);
}

TEST_CASE("names that cannot be kept are refused by whatever is asked first", "[robustness]") {
  temp_dir dir;
  store db{dir.path()};
  auto const refused = [](auto const& r) { return !r && r.error().is(errc::invalid_argument); };
  CHECK(refused(db.scope({.tenant = std::string(64 << 10, 'x')}).sessions()));
  CHECK(refused(db.scope({.user = "\xFF"}).session("s").last_seq()));
  CHECK(refused(db.scope({.space = std::vector<std::string>(namespace_parts_max + 1)}).records()));
  auto const scope = db.scope({.tenant = "t"});
  CHECK(refused(scope.session(std::string(64 << 10, 'x')).history()));
  transaction tx{scope};
  tx.append(scope.session("\xC0\x80"), 0, {note("x")});
  CHECK(refused(tx.commit()));
  CHECK(scope.sessions().value().empty());
}
