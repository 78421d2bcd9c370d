#include "events.hpp"
#include "temp_dir.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <set>

using namespace wherry;
using namespace wherry_test;

namespace {

constexpr char directory_variable[] = "WHERRY_TEST_STORE";
constexpr int signal_fd = 3;

/// This program again, running one of the hidden test cases below on a store. A process that merely forks would share
/// a half-alive RocksDB with its parent.
class child {
 public:
  child(char const* test_case, std::filesystem::path const& directory) {
    ::setenv(directory_variable, directory.c_str(), 1);
    int to_child[2], from_child[2];
    REQUIRE(::pipe2(to_child, O_CLOEXEC) == 0);
    REQUIRE(::pipe2(from_child, O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, to_child[0], STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, from_child[1], signal_fd);
    std::string program = "memory_tests", name = test_case;
    char* const arguments[]{program.data(), name.data(), nullptr};
    auto const spawned = ::posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, arguments, environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(to_child[0]);
    ::close(from_child[1]);
    input_ = to_child[1];
    signal_ = from_child[0];
    REQUIRE(spawned == 0);
  }
  child(child const&) = delete;
  child& operator=(child const&) = delete;
  ~child() { (void)end(); }

  pid_t pid() const { return pid_; }
  /// Waits until the child says it is ready; false when it ended instead.
  bool wait_until_ready() const {
    char byte = 0;
    return ::read(signal_, &byte, 1) == 1;
  }
  /// Lets it go on to its end; returns its exit status.
  int end() {
    if (pid_ == 0) return status_;
    ::close(input_);
    ::close(signal_);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = 0;
  int input_ = -1, signal_ = -1, status_ = -1;
};

}  // namespace

TEST_CASE("child: holds a store until its input ends", "[.child]") {
  store const db{std::getenv(directory_variable)};
  char byte = '!';
  REQUIRE(::write(signal_fd, &byte, 1) == 1);
  CHECK(::read(STDIN_FILENO, &byte, 1) == 0);
}

TEST_CASE("child: reads a store that another process writes", "[.child]") {
  store const reader{std::getenv(directory_variable), {.read_only = true}};
  auto const seen = reader.scope({.tenant = "t", .user = "u"});
  CHECK(seen.session("s").last_seq().value() == 4);
  CHECK(texts(seen.session("s")) == std::vector<std::string>{"a", "b"});
  CHECK(reader.scope({.tenant = "nobody"}).session("s").last_seq().value() == 0);
  transaction tx{seen};
  tx.append(seen.session("s"), 4, {note("x")});
  auto const refused = tx.commit();
  REQUIRE(!refused);
  CHECK(refused.error().is(errc::unsupported));
}

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

TEST_CASE("a long log is moved into tables when the store is closed, a short one is not", "[recovery]") {
  temp_dir dir;
  auto const log_bytes = [&] {
    std::uintmax_t out = 0;
    for (auto const& entry : std::filesystem::directory_iterator(dir.path()))
      if (entry.path().extension() == ".log") out += entry.file_size();
    return out;
  };
  auto const write = [&](int records) {
    store const db{dir.path(), {.commit_durability = durability::os}};
    for (int i = 0; i < records; ++i) {
      transaction tx{db.scope({})};
      tx.put({.kind = "fact", .text = std::string(std::size_t{1} << 19, static_cast<char>('a' + i))});
      tx.commit().value();
    }
    return log_bytes();
  };
  auto const held = [&] { return store{dir.path()}.scope({}).records()->size(); };
  auto const before = write(1);
  CHECK(log_bytes() >= before);
  CHECK(held() == 1);
  CHECK(write(8) > std::uintmax_t{4} << 20);
  CHECK(log_bytes() < std::uintmax_t{1} << 20);
  CHECK(held() == 9);
  CHECK(store{dir.path()}.verify()->problems.empty());
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
  child owner("child: holds a store until its input ends", dir.path());
  REQUIRE(owner.wait_until_ready());
  auto const second = store::open(dir.path());
  auto const pid = owner.pid();
  CHECK(owner.end() == 0);
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
  child reader("child: reads a store that another process writes", dir.path());
  CHECK(reader.end() == 0);
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
