// A server that is a child process and dies: what becomes of the calls, and when it is started again.

#include "../support/http_loop.hpp"
#include "temp_dir.hpp"

#include <wherry/mcp/tool_bridge.hpp>
#include <wherry/tools/tool_executor.hpp>

#include <catch2/generators/catch_generators.hpp>

#include <atomic>
#include <mutex>

using namespace wherry;
using namespace wherry_test;
using namespace std::chrono_literals;

namespace {

constexpr restart_policy soon{.restarts_max = 2, .window = 60s, .first_delay = 1ms, .delay_max = 10ms};

/// A child that dies when the tool "dies" is called, and a count of its starts.
struct mortal {
  temp_dir dir;
  mcp::stdio_server to;

  explicit mortal(restart_policy policy, std::vector<std::string> more = {}) {
    to.command = {std::string(WHERRY_BIN_DIR) + "/mcp_hostile_server", "--starts", (dir / "starts").string()};
    to.command.insert(to.command.end(), more.begin(), more.end());
    to.restart = policy;
  }
  std::uintmax_t starts() const { return std::filesystem::file_size(dir / "starts"); }
};

error failure(mcp::client const& c, std::string tool, std::chrono::milliseconds time = 20s) {
  mcp::request_options options;
  options.time = time;
  auto const r = c.call(std::move(tool), raw_json{"{}"}, options);
  REQUIRE_FALSE(r);
  return r.error();
}

std::string text(mcp::client const& c, std::string tool) {
  auto const r = c.call(std::move(tool), raw_json{"{}"});
  return r ? r->text() : to_string(r.error());
}

bool says(error const& e, std::string_view what) { return e.message.find(what) != std::string::npos; }

}  // namespace

TEST_CASE("a child that died is started again for the calls that follow, in its era, so often and no more",
          "[mcp][robustness]") {
  auto const era = GENERATE(std::string("--handshake"), std::string("--stateless"));
  mortal child(soon, {era});
  mcp::client_options options;
  std::mutex mutex;
  std::vector<std::string> told;
  options.changed = [&](std::string_view what) {
    std::lock_guard const lock(mutex);
    told.emplace_back(what);
  };
  auto const c = mcp::client::connect(child.to, options);
  REQUIRE(c);
  auto const revision = std::string(c->protocol().name);
  CHECK(revision == (era == "--handshake" ? "2025-11-25" : "2026-07-28"));
  auto watching = [](mcp::client of) -> task<result<void>> {
    std::vector<std::string> uris{"x://a"};
    co_return co_await of.async_watch(std::move(uris));
  };
  REQUIRE(run_blocking(watching(*c), "watch", "async_watch"));
  CHECK(text(*c, "good") == "good");
  CHECK(text(*c, "watched") == "1");

  for (std::uint64_t death = 1; death <= 2; ++death) {
    INFO("death " << death);
    auto const end = failure(*c, "dies");
    CHECK(end.is(errc::io_failed));
    CHECK(says(end, "out of luck"));
    CHECK(says(end, "not known"));
    CHECK_FALSE(end.retryable);
    CHECK(c->generation() == death);
    CHECK(text(*c, "good") == "good");  // waits until the next child is there
    CHECK(text(*c, "watched") == "1");
    CHECK(c->protocol().name == revision);
    CHECK(child.starts() == death + 1);
    std::lock_guard const lock(mutex);
    CHECK(told == std::vector<std::string>{"tools", "prompts", "resources", "x://a"});
    told.clear();
  }

  for (auto const* tool : {"dies", "good"}) {
    auto const last = failure(*c, tool);
    INFO(to_string(last));
    CHECK(last.is(errc::io_failed));
    CHECK(says(last, "2 times within 60000 ms and is given up"));
  }
  CHECK(child.starts() == 3);
}

TEST_CASE("a child that died stays dead unless the policy says otherwise", "[mcp][robustness]") {
  mortal child(mcp::stdio_server{}.restart);
  auto const c = mcp::client::connect(child.to);
  REQUIRE(c);
  CHECK(failure(*c, "dies").is(errc::io_failed));
  auto const after = failure(*c, "good");
  CHECK(after.is(errc::io_failed));
  CHECK(says(after, "out of luck"));
  CHECK(child.starts() == 1);
  CHECK(c->generation() == 0);
}

TEST_CASE("a child that cannot be started any more is given up after so many tries", "[mcp][robustness]") {
  auto const era = GENERATE(std::string("--handshake"), std::string("--stateless"));
  mortal child(soon, {era, "--fails-from", "2"});
  auto const c = mcp::client::connect(child.to);
  REQUIRE(c);
  CHECK(failure(*c, "dies").is(errc::io_failed));
  auto const after = failure(*c, "good");
  INFO(to_string(after));
  CHECK(after.is(errc::io_failed));
  CHECK(says(after, "no start any more"));
  CHECK(says(after, "given up"));
  CHECK(child.starts() == 3);
}

TEST_CASE("a child that we gave up is not started again", "[mcp][robustness]") {
  mortal child(soon);
  child.to.message_bytes_max = 100'000;
  auto const c = mcp::client::connect(child.to);
  REQUIRE(c);
  CHECK(failure(*c, "gibibyte").is(errc::limit_reached));
  CHECK(failure(*c, "good").is(errc::limit_reached));
  CHECK(child.starts() == 1);
}

TEST_CASE("calls wait for a new start within their time and their number", "[mcp][robustness]") {
  mortal child({.restarts_max = 1, .first_delay = 600s, .delay_max = 600s});
  mcp::client_options options;
  options.in_flight_max = 1;
  auto const c = mcp::client::connect(child.to, options);
  REQUIRE(c);
  CHECK(failure(*c, "dies").is(errc::io_failed));
  took t;
  CHECK(failure(*c, "good", 100ms).is(errc::deadline_exceeded));
  CHECK(t.within(150ms));
  mcp::request_options outdated;
  outdated.generation = 0;
  auto const refused = c->call("good", raw_json{"{}"}, outdated);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().is(errc::conflict));

  std::optional<error> end;
  std::thread waiting([&] {
    do {
      end = failure(*c, "good");
    } while (end->is(errc::queue_full));  // the one beside was first
  });
  error beside(errc::internal, "none");
  do {
    std::this_thread::sleep_for(5ms);
    beside = failure(*c, "good", 1ms);  // until the other one waits
  } while (!beside.is(errc::queue_full) && t.within(10s));
  CHECK(beside.is(errc::queue_full));
  c->close();
  waiting.join();
  CHECK(end->is(errc::cancelled));
  CHECK(t.within(10s));
  CHECK(child.starts() == 1);
}

TEST_CASE("a server that comes back with other definitions is not called by an agent", "[mcp][robustness]") {
  bool const changes = GENERATE(false, true);
  mortal child(soon, {changes ? "--changes" : "--same"});
  std::string line;
  for (auto const& word : child.to.command) line += "'" + word + "' ";
  mcp_server const server{line, {.restart = soon}};
  auto const tools = server.tools();
  REQUIRE(tools);
  tool_executor const executor(*tool_registry::make(*tools));
  auto const run = [&](std::string tool) {
    tool_batch batch{.run_id = "r"};
    std::vector<tool_call> calls{{"1", std::move(tool), "{}"}};
    auto done = run_blocking(executor.async_run(std::move(calls), std::move(batch)), "run", "async_run");
    REQUIRE(done);
    return done->front();
  };
  CHECK(run("good").content == "good");
  CHECK(run("dies").failed);
  auto const after = run("good");
  INFO(after.content);
  CHECK(child.starts() == 2);
  CHECK(after.failed == changes);
  CHECK(after.content.find(changes ? "has changed the tool" : "good") != std::string::npos);
}
