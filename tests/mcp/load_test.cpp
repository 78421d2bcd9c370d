// Many calls under way at a time, on every kind of handler, while the server changes: each is answered once, with what
// is its own. Above all for ThreadSanitizer to look at.

#include <wherry/mcp/client.hpp>
#include <wherry/mcp/serve.hpp>

#include "http_loop.hpp"
#include "json_view.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace wherry;
using namespace std::chrono_literals;
namespace view = wherry::mcp::detail;
using wherry_test::loop_thread;

namespace {

constexpr int in_flight = 64;
constexpr std::array kinds{"pool", "coroutine", "inline", "local"};

struct number {
  int n = 0;
};

number on_the_pool(mcp::context const& c, int n) {
  c.progress(1, 2, "half");
  c.log(mcp::severity::warning, "on the pool");
  c.progress(2, 2);
  return {n};
}

task<number> in_a_coroutine(mcp::context c, int n) {
  c.progress(1, 1);
  auto work = [n] { return n; };
  auto const same = co_await offload(compute_pool::shared(), std::move(work), "load");
  co_return number{same ? *same : -1};
}

mcp::server busy_server() {
  mcp::server s{"busy", "1", {.calls_max = 4 * in_flight}};
  s.add(mcp::tool("pool", "", {"n"}, on_the_pool).reads());
  s.add(mcp::tool("coroutine", "", {"n"}, in_a_coroutine).reads());
  s.add(mcp::tool("inline", "", {"n"}, [](int n) { return number{n}; }).reads().inline_run());
  s.add(wherry::tool("local", "", {"n"}, [](int n) { return number{n}; }).reads());
  return s;
}

/// Adds and removes a tool all the time: catalogs change under calls, and those who want to know are told.
class changing {
 public:
  explicit changing(mcp::server s) : thread_([this, s = std::move(s)]() mutable { work(s); }) {}
  ~changing() {
    over_ = true;
    thread_.join();
  }

 private:
  void work(mcp::server& s) {
    while (!over_) {
      s.add(mcp::tool("passing", "", [] { return std::string(); }));
      std::this_thread::sleep_for(1ms);
      s.remove_tool("passing");
    }
  }
  std::atomic<bool> over_{false};
  std::thread thread_;
};

std::string json_of(int n) { return R"({"n":)" + std::to_string(n) + "}"; }

struct tally {
  std::atomic<int> right{0}, wrong{0}, news{0};
};

/// One call after the other; `first` tells its numbers from those of other lanes.
task<void> lane(mcp::client c, int first, int calls, tally* sum) {
  for (int i = 0; i < calls; ++i) {
    mcp::request_options how{.time = 60s};
    how.progress = [sum](double, std::optional<double>, std::string_view) { ++sum->news; };
    std::string name = kinds[static_cast<std::size_t>(first + i) % kinds.size()];
    raw_json given{json_of(first * 1'000'000 + i)};
    auto const expected = given.text;
    auto done = co_await c.async_call(std::move(name), std::move(given), std::move(how));
    ++(done && done->structured.text == expected ? sum->right : sum->wrong);
  }
}

void load_over_http(int calls) {
  auto const s = busy_server();
  loop_thread serving;
  std::optional<mcp::http_endpoint> endpoint;
  serving.on_loop([&] {
    auto started = mcp::http_endpoint::start(serving.executor(), s);
    REQUIRE(started.has_value());
    endpoint.emplace(std::move(*started));
  });
  tally sum;
  {
    changing const restless(s);
    loop_thread lanes;
    std::vector<mcp::client> clients;
    for (auto const* revision : {"2026-07-28", "2025-11-25", "2026-07-28", "2025-06-18"}) {
      mcp::client_options options;
      options.revision = revision;
      options.changed = [](std::string_view) {};
      auto c = mcp::client::connect(mcp::http_server_address{.url = endpoint->url()}, std::move(options));
      REQUIRE(c.has_value());
      clients.push_back(std::move(*c));
    }
    std::vector<std::future<void>> under_way;
    for (int i = 0; i < in_flight; ++i)
      under_way.push_back(boost::asio::co_spawn(
          lanes.executor(), lane(clients[static_cast<std::size_t>(i) % clients.size()], i, calls / in_flight, &sum),
          boost::asio::use_future));
    for (auto& one : under_way) one.get();
    for (auto const& c : clients) c.close();
  }
  CHECK(sum.wrong == 0);
  CHECK(sum.right == calls / in_flight * in_flight);
  CHECK(sum.news > 0);
  serving.on_loop([&] { endpoint.reset(); });
  CHECK(s.stats().calls == 0);
}

std::string call_line(int id) {
  return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":"tools/call","params":{"name":")" +
         kinds[static_cast<std::size_t>(id) % kinds.size()] + R"(","arguments":)" + json_of(id) +
         R"(,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"progressToken":)" +
         std::to_string(id) + "}}}\n";
}

void load_over_stdio(int calls) {
  auto const s = busy_server();
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  loop_thread serving;
  auto served = boost::asio::co_spawn(
      serving.executor(), mcp::async_serve_stdio(s, {.input = ends[1], .output = ends[1]}), boost::asio::use_future);
  std::vector<int> answers(static_cast<std::size_t>(calls), 0);
  int asked = 0, answered = 0, wrong = 0;
  {
    changing const restless(s);
    std::string seen(64 * 1024, '\0'), rest;
    while (answered < calls) {
      std::string lines;
      while (asked < calls && asked - answered < in_flight) lines += call_line(asked++);
      if (!lines.empty()) REQUIRE(::send(ends[0], lines.data(), lines.size(), 0) == static_cast<ssize_t>(lines.size()));
      pollfd p{ends[0], POLLIN, 0};
      REQUIRE(::poll(&p, 1, 60'000) == 1);
      auto const n = ::read(ends[0], seen.data(), seen.size());
      REQUIRE(n > 0);
      rest.append(seen.data(), static_cast<std::size_t>(n));
      std::size_t from = 0;
      for (auto end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', from)) {
        auto const line = std::string_view(rest).substr(from, end - from);
        from = end + 1;
        auto const id = view::integer_member(line, "id");
        if (!id) continue;  // news of progress
        ++answered;
        wrong += view::member(view::member(line, "result"), "structuredContent") != json_of(static_cast<int>(*id));
        ++answers.at(static_cast<std::size_t>(*id));
      }
      rest.erase(0, from);
    }
  }
  CHECK(wrong == 0);
  CHECK(std::ranges::all_of(answers, [](int times) { return times == 1; }));
  ::shutdown(ends[0], SHUT_WR);
  CHECK(served.get().has_value());
  for (int const end : ends) ::close(end);
}

}  // namespace

TEST_CASE("with 64 calls in flight over HTTP each is answered once, in both eras", "[mcp]") { load_over_http(2'048); }
TEST_CASE("with 64 calls in flight over standard input each is answered once", "[mcp]") { load_over_stdio(2'048); }

TEST_CASE("twenty thousand calls, 64 in flight, over HTTP in both eras", "[mcp][slow]") { load_over_http(20'032); }
TEST_CASE("twenty thousand calls, 64 in flight, over standard input", "[mcp][slow]") { load_over_stdio(20'032); }
