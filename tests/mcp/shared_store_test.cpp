#include "../support/http_loop.hpp"
#include "temp_dir.hpp"

#include <wherry/mcp/client.hpp>

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using namespace wherry;
using wherry_test::took;
using namespace std::chrono_literals;

namespace {

/// One client with a server of its own, as every program that uses memory has.
struct member {
  mcp::client client;
  int pid = 0;
};

member begin(wherry_test::temp_dir const& dir, int number, std::string const& revision) {
  std::string const bin = WHERRY_BIN_DIR;
  auto const pid_file = (dir / ("pid" + std::to_string(number))).string();
  auto const store = (dir / "store").string();
  mcp::client_options options;
  options.revision = revision;
  auto c = mcp::client::connect(
      mcp::stdio_server{.command = {"/bin/sh", "-c",
                                    "echo $$ > " + pid_file + "; exec " + bin + "/wherry mcp serve --memory " + store}},
      options);
  REQUIRE(c.has_value());
  REQUIRE(c->tools().has_value());  // it answers, so it has written its number
  member m{*c};
  std::ifstream(pid_file) >> m.pid;
  REQUIRE(m.pid > 0);
  return m;
}

bool holds_the_store(int pid) {
  std::error_code failed;
  for (auto const& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", failed)) {
    auto const target = std::filesystem::read_symlink(entry.path(), failed);
    if (!failed && target.filename() == "LOCK") return true;
  }
  return false;
}

bool remember(mcp::client const& c, std::string const& text) {
  auto const done = c.call("remember", R"({"text":")" + text + "\"}");
  return done && !done->failed;
}

/// Four servers on one directory; the one that holds it is killed again and again.
void kill_holders(int kills) {
  wherry_test::temp_dir const dir;
  std::vector<member> all;
  int number = 0;
  auto const add = [&] {
    // Both eras take part: one has a session that must survive, the other has none.
    auto const* const revision = number % 2 == 0 ? "2025-11-25" : "2026-07-28";
    all.push_back(begin(dir, number, revision));
    ++number;
  };
  while (all.size() < 4) add();
  std::vector<std::string> acknowledged;
  std::chrono::steady_clock::duration worst{};
  for (int kill = 0; kill < kills; ++kill) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      auto const text = "note " + std::to_string(kill) + " of client " + std::to_string(i);
      REQUIRE(remember(all[i].client, text));
      acknowledged.push_back(text);
    }
    auto const holder = std::find_if(all.begin(), all.end(), [](member const& m) { return holds_the_store(m.pid); });
    REQUIRE(holder != all.end());
    ::kill(holder->pid, SIGKILL);
    all.erase(holder);
    auto const since = std::chrono::steady_clock::now();
    auto const text = "after kill " + std::to_string(kill);
    while (!remember(all.front().client, text)) REQUIRE(std::chrono::steady_clock::now() - since < 10s);
    acknowledged.push_back(text);
    worst = std::max(worst, std::chrono::steady_clock::now() - since);
    add();
  }
  CHECK(worst < 1s);
  for (auto const& text : acknowledged) {
    auto const found = all.front().client.call("recall", R"({"query":")" + text + R"(","limit":3})");
    REQUIRE(found.has_value());
    INFO(text);
    CHECK(found->text().find(text) != std::string::npos);
  }
  for (auto const& m : all) m.client.close();
}

}  // namespace

TEST_CASE("of several servers on one directory the holder may be killed: nothing acknowledged is lost", "[recovery]") {
  kill_holders(4);
}

TEST_CASE("of several servers on one directory the holder may be killed a hundred times", "[recovery][slow]") {
  kill_holders(100);
}

TEST_CASE("the socket inside the directory is its owner's alone", "[mcp]") {
  wherry_test::temp_dir const dir;
  auto const m = begin(dir, 0, "");
  auto const mode = std::filesystem::status(dir / "store/mcp.sock").permissions();
  CHECK((mode & (std::filesystem::perms::group_all | std::filesystem::perms::others_all)) ==
        std::filesystem::perms::none);
  m.client.close();
}

namespace {

int connect_to(std::filesystem::path const& socket) {
  int const fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  REQUIRE(socket.string().size() < sizeof at.sun_path);
  socket.string().copy(at.sun_path, sizeof at.sun_path - 1);
  REQUIRE(::connect(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
  return fd;
}

/// Whether the other end closes within ten seconds, having said nothing.
bool is_closed(int fd) {
  pollfd p{fd, POLLIN, 0};
  char c = 0;
  return ::poll(&p, 1, 10'000) > 0 && ::read(fd, &c, 1) <= 0;
}

}  // namespace

TEST_CASE("a relay that does not say what it is there for holds nobody up, and is let go", "[mcp][robustness]") {
  wherry_test::temp_dir const dir;
  auto const holder = begin(dir, 0, "");
  auto const socket = dir / "store/mcp.sock";
  std::vector<int> silent;
  for (int i = 0; i < 20; ++i) silent.push_back(connect_to(socket));
  REQUIRE(::write(silent[0], "{", 1) == 1);
  took t;
  auto const relay = begin(dir, 1, "2026-07-28");
  CHECK(remember(relay.client, "through the relay"));
  CHECK(remember(holder.client, "by the holder"));
  CHECK(t.within(10'000ms));  // one after the other the silent ones would take forty seconds
  int const nonsense = connect_to(socket);
  REQUIRE(::write(nonsense, "hello\n", 6) == 6);
  CHECK(is_closed(nonsense));
  for (int const fd : silent) {
    CHECK(is_closed(fd));
    ::close(fd);
  }
  ::close(nonsense);
  CHECK(remember(relay.client, "still there"));
  relay.client.close();
  holder.client.close();
}
