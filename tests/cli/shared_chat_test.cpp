// Several processes on one store, chats among them.

#include "process.hpp"
#include "temp_dir.hpp"

#include <wherry/mcp/client.hpp>
#include <wherry/memory/store.hpp>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <vector>

using Catch::Matchers::ContainsSubstring;
using wherry_test::process;
using wherry_test::temp_dir;
using namespace std::chrono_literals;
namespace mcp = wherry::mcp;

namespace {

std::vector<std::string> chat_line(std::string const& store, std::string const& session) {
  return {"chat", "--session", session, "--store", store, "--max-tokens", "8", "--seed", "5"};
}

/// A chat that has said what it is.
struct chat : process {
  chat(std::string const& store, std::string const& session, std::vector<std::string> const& more = {})
      : process(
            [&] {
              auto line = chat_line(store, session);
              line.insert(line.end(), more.begin(), more.end());
              return line;
            }(),
            on::pipe) {
    REQUIRE(wait_for("/help lists commands"));
  }
  /// Says something and waits until the chat is done with it: commands come in turn.
  void say(std::string const& text) {
    auto const mark = "/mark" + std::to_string(++marks);
    write(text + "\n" + mark + "\n");
    REQUIRE(wait_for("there is no " + mark + ";"));
  }
  int marks = 0;
};

bool is_relayed(chat const& c) { return c.seen().find("another process holds the store") != std::string::npos; }

std::string exported(std::string const& store, std::string const& session) {
  return wherry_test::wherry({"session", "export", session, "--store", store}).out;
}

mcp::client serve_on(std::string const& store) {
  auto c = mcp::client::connect(
      mcp::stdio_server{.command = {WHERRY_COMMAND, "mcp", "serve", "--memory", store, "--scope", "local/default"}});
  REQUIRE(c.has_value());
  return *c;
}

}  // namespace

TEST_CASE("a second chat on one store works, and its turns are in the store", "[recovery]") {
  temp_dir const folder;
  auto const store = (folder / "store").string();
  chat first(store, "one");
  chat second(store, "two");
  CHECK_FALSE(is_relayed(first));
  CHECK(is_relayed(second));
  second.say("Second speaks.");
  first.say("First speaks.");
  second.say("Second again.");
  second.say("/undo");
  second.say("/fork three");
  second.say("In the fork.");
  CHECK(second.end() == 0);
  chat again(store, "two");  // while the first still holds it
  CHECK(again.seen().find("two, continued") != std::string::npos);
  again.say("/context");
  CHECK_THAT(again.seen(), ContainsSubstring("session two: 2 messages"));
  CHECK(again.end() == 0);
  CHECK(first.end() == 0);
  CHECK_THAT(exported(store, "one"), ContainsSubstring("First speaks.") && !ContainsSubstring("Second"));
  CHECK_THAT(exported(store, "two"), ContainsSubstring("Second again.") && ContainsSubstring("\"type\":\"undo\"") &&
                                         !ContainsSubstring("In the fork."));
  CHECK_THAT(exported(store, "three"), ContainsSubstring("Second speaks.") && ContainsSubstring("In the fork."));
  CHECK(wherry_test::wherry({"memory", "verify", "--store", store}).code == 0);
}

TEST_CASE("a chat goes on within a second when the process that holds its store is killed", "[recovery]") {
  temp_dir const folder;
  auto const store = (folder / "store").string();
  chat first(store, "one");
  chat second(store, "two");
  second.say("Before the kill.");
  first.signal(SIGKILL);
  CHECK(first.end() == -1);
  auto const since = std::chrono::steady_clock::now();
  second.say("After the kill.");
  CHECK(std::chrono::steady_clock::now() - since < 1s);
  chat third(store, "three");  // the second's own server holds it now
  CHECK(is_relayed(third));
  third.say("Hello.");
  CHECK(third.end() == 0);
  CHECK(second.end() == 0);
  CHECK_THAT(exported(store, "two"), ContainsSubstring("Before the kill.") && ContainsSubstring("After the kill."));
  CHECK_THAT(exported(store, "three"), ContainsSubstring("Hello."));
}

TEST_CASE("a session that another chat has continued is not overwritten, and a fork keeps what was said",
          "[recovery]") {
  temp_dir const folder;
  auto const store = (folder / "store").string();
  chat first(store, "both");
  first.say("A beginning.");
  chat second(store, "both");
  first.say("The first goes on.");
  second.say("The second goes on.");
  CHECK_THAT(second.seen(), ContainsSubstring("continued by another chat meanwhile"));
  second.say("/fork mine");
  CHECK_THAT(second.seen(), ContainsSubstring("now in session mine"));
  second.say("/fork both");
  CHECK_THAT(second.seen(), ContainsSubstring("there is a session both already"));
  CHECK(second.end() == 1);  // of the message that was not kept
  CHECK(first.end() == 0);
  CHECK_THAT(exported(store, "both"), ContainsSubstring("The first goes on.") && !ContainsSubstring("The second"));
  CHECK_THAT(exported(store, "mine"), ContainsSubstring("A beginning.") && ContainsSubstring("The second goes on.") &&
                                          !ContainsSubstring("The first goes on."));
}

TEST_CASE("chats and servers of memory share a store, whoever came first", "[recovery]") {
  temp_dir const folder;
  auto const store = (folder / "store").string();
  bool const server_first = GENERATE(true, false);
  std::optional<mcp::client> server;
  if (server_first) server = serve_on(store);
  chat talk(store, "talk", {"--memory", "--events"});
  CHECK(is_relayed(talk) == server_first);
  if (!server) server = serve_on(store);
  auto const done = server->call("remember", R"({"text":"Ann keeps bees in Busan."})");
  REQUIRE(done.has_value());
  CHECK_FALSE(done->failed);
  talk.say("Who keeps bees?");
  CHECK_THAT(talk.seen(),
             ContainsSubstring("\"type\":\"context_gathered\"") && ContainsSubstring("Ann keeps bees in Busan."));
  talk.say("/memory");
  CHECK_THAT(talk.seen(), ContainsSubstring("1 record"));
  auto const said = server->call("read_session", R"({"name":"talk"})");
  REQUIRE(said.has_value());
  CHECK_THAT(said->text(), ContainsSubstring("Who keeps bees?"));
  server->close();
  CHECK(talk.end() == 0);
}

TEST_CASE("the chat that holds a store learns what is said beside it", "[recovery]") {
  temp_dir const folder;
  auto const store = (folder / "store").string();
  chat first(store, "one", {"--memory"});
  chat second(store, "two", {"--memory"});
  second.say("I live in Busan. My boat is Wal.");
  auto const until = std::chrono::steady_clock::now() + 20s;
  do {
    second.say("/memory");
  } while (second.seen().find("2 records") == std::string::npos && std::chrono::steady_clock::now() < until);
  CHECK_THAT(second.seen(), ContainsSubstring("2 records") && ContainsSubstring("I live in Busan."));
  first.say("/memory");
  CHECK_THAT(first.seen(), ContainsSubstring("learnt from session two"));
  CHECK(second.end() == 0);
  CHECK(first.end() == 0);
}

TEST_CASE("a server over HTTP shares its store with chats and other servers", "[recovery]") {
  temp_dir const folder;
  auto const store = (folder / "store").string();
  process http({"mcp", "serve", "--port", "0", "--memory", store, "--scope", "local/default"}, process::on::pipe);
  REQUIRE(http.wait_for("/mcp"));
  chat talk(store, "talk");
  CHECK(is_relayed(talk));
  talk.say("Beside HTTP.");
  CHECK(talk.end() == 0);
  auto const said = serve_on(store).call("read_session", R"({"name":"talk"})");
  REQUIRE(said.has_value());
  CHECK_THAT(said->text(), ContainsSubstring("Beside HTTP."));
  http.signal(SIGTERM);
  CHECK(http.end() == 0);
}

TEST_CASE("a chat says who holds the store when that process shares it with nobody", "[recovery]") {
  temp_dir const folder;
  auto const store = (folder / "store").string();
  wherry::store const db{store};
  auto const refused = wherry_test::wherry(chat_line(store, "s"));
  CHECK(refused.code == 1);
  CHECK_THAT(refused.err,
             ContainsSubstring(store) && ContainsSubstring("in process") && ContainsSubstring("could not be shared"));
}
