#include <wherry/llm/scripted_model.hpp>
#include <wherry/mcp/client.hpp>
#include <wherry/mcp/serve.hpp>

#include "json_view.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <chrono>
#include <mutex>
#include <thread>

using namespace wherry;
using namespace std::chrono_literals;

namespace {

struct person {
  std::string name;
  std::optional<int> age;
};
struct sum_of {
  double sum = 0;
};

sum_of add(double a, double b) { return {a + b}; }

mcp::server fixture() {
  mcp::server s{"fixture", "1.0", {.instructions = "Be kind.", .page_size = 2}};
  s.add(mcp::tool("add", "Adds.", {"a", "b"}, add).reads().inline_run());
  s.add(mcp::tool("ask", "Asks for a name.", [](mcp::context c) -> task<result<std::string>> {
    auto const who = co_await c.elicit<person>("Who are you?");
    if (!who) co_return who.error();
    co_return who->content ? "Hello, " + who->content->name + std::to_string(who->content->age.value_or(0)) : "nobody";
  }));
  s.add(mcp::tool("sample", "Asks a model.", [](mcp::context c) -> task<result<std::string>> {
    mcp::sample_request request;
    request.messages.push_back({true, mcp::content::text("Say something")});
    auto const answer = co_await c.sample(std::move(request));
    if (!answer) co_return answer.error();
    co_return answer->text() + " (" + answer->model + ")";
  }));
  s.add(mcp::tool("places", "Lists roots.", [](mcp::context c) -> task<result<std::string>> {
    auto const roots = co_await c.roots();
    if (!roots) co_return roots.error();
    co_return roots->empty() ? "none" : roots->front().uri;
  }));
  s.add(mcp::tool("slow", "Takes too long, and says how far it is.", [](mcp::context c) -> task<std::string> {
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
    for (int i = 1; i <= 4; ++i) {
      timer.expires_after(20ms);
      co_await timer.async_wait(boost::asio::use_awaitable);
      c.progress(i, 4);
    }
    co_return "done";
  }));
  s.add(mcp::tool("never", "Never answers.", [](mcp::context) -> task<std::string> {
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, 10min);
    co_await timer.async_wait(boost::asio::use_awaitable);
    co_return "";
  }));
  s.add(mcp::tool("job", "Runs as a task.", [](mcp::context c) -> task<result<std::string>> {
          auto const who = co_await c.elicit<person>("Who are you?");
          if (!who) co_return who.error();
          co_return "for " + who->content->name;
        }).tasks(mcp::task_support::optional));
  s.add(mcp::resource("test://a", "a", "A.", "text/plain", [] { return "text of a"; }));
  s.add(mcp::prompt("hello", "Greets.", {"name"}, [](std::string name) { return "Hello, " + name; }));
  return s;
}

mcp::client_options able(std::string revision) {
  mcp::client_options o;
  o.revision = std::move(revision);
  o.elicit = [](mcp::elicitation) -> task<result<mcp::elicitation_answer>> {
    mcp::elicitation_answer a;
    a.action = mcp::elicited<raw_json>::action_type::accept;
    a.content.text = R"({"name":"Ada","age":36})";
    co_return a;
  };
  o.sampling_model = scripted_model({say("Something.")}).loop();
  o.roots = std::vector<mcp::root>{{"file:///home", "home"}};
  return o;
}

}  // namespace

TEST_CASE("a client finds out which era a server lives in", "[mcp]") {
  auto const s = fixture();
  auto const c = mcp::client::connect(mcp::make_loopback_transport(s));
  REQUIRE(c.has_value());
  CHECK(c->protocol().name == "2026-07-28");
  CHECK(c->server_info().name == "fixture");
  CHECK(c->instructions() == "Be kind.");
}

TEST_CASE("a client and a server do everything with each other, over every transport and in both eras", "[mcp]") {
  auto const revision = GENERATE(std::string("2026-07-28"), std::string("2025-11-25"), std::string("2025-06-18"));
  auto const over_http = GENERATE(false, true);
  INFO(revision << (over_http ? " over HTTP" : " over the loopback"));
  auto const s = fixture();
  boost::asio::io_context loop{1};
  auto endpoint = mcp::http_endpoint::start(loop.get_executor(), s);
  REQUIRE(endpoint.has_value());
  auto const guard = boost::asio::make_work_guard(loop);
  std::thread serving([&] { loop.run(); });
  {
    auto over = over_http ? mcp::make_http_transport({.url = endpoint->url()}) : mcp::make_loopback_transport(s);
    auto const connected = mcp::client::connect(std::move(over), able(revision));
    REQUIRE(connected.has_value());
    auto const& c = *connected;
    CHECK(c.protocol().name == revision);

    auto const tools = c.tools();
    REQUIRE(tools.has_value());
    CHECK(tools->size() == 7);  // four pages
    CHECK(tools->front().name == "add");
    CHECK(tools->front().reads);

    auto const sum = c.call("add", R"({"a":1,"b":2.5})");
    REQUIRE(sum.has_value());
    CHECK(sum->structured.text == R"({"sum":3.5})");
    CHECK(c.call("ask")->text() == "Hello, Ada36");
    CHECK(c.call("sample")->text().starts_with("Something. ("));
    CHECK(c.call("places")->text() == "file:///home");
    auto const job = c.call("job");
    REQUIRE(job.has_value());
    CHECK(job->text() == "for Ada");
    CHECK(c.call("add", R"({"a":"x"})")->failed);
    auto const unknown = c.call("nothing");
    REQUIRE_FALSE(unknown.has_value());
    CHECK(unknown.error().code.value() == -32602);
    CHECK(c.read("test://a")->front().data == "text of a");
    CHECK_FALSE(c.read("test://b").has_value());
    CHECK(c.prompt("hello", {{"name", "Bo"}})->messages.front().content.data == "Hello, Bo");
    CHECK(c.resources()->size() == 1);
    CHECK(c.prompts()->front().arguments.front().name == "name");

    // A deadline that news of progress begin anew; and one that nothing moves.
    std::vector<double> seen;
    mcp::request_options patient;
    patient.progress = [&](double done, auto, auto) { seen.push_back(done); };
    CHECK(c.call("slow", raw_json{"{}"}, patient)->text() == "done");
    CHECK(seen.size() == 4);
    mcp::request_options hasty;
    hasty.time = 50ms;
    auto const before = std::chrono::steady_clock::now();
    auto const late = c.call("never", raw_json{"{}"}, hasty);
    CHECK(std::chrono::steady_clock::now() - before < 500ms);
    REQUIRE_FALSE(late.has_value());
    CHECK(late.error().is(errc::deadline_exceeded));
    CHECK(c.call("add", R"({"a":1,"b":1})")->structured.text == R"({"sum":2.0})");  // others go on
    c.close();
    CHECK(c.call("add", R"({"a":1,"b":1})").error().is(errc::cancelled));
  }
  // What nobody waits for any more ends on the server too.
  auto const until = std::chrono::steady_clock::now() + 5s;
  while (s.stats().calls > 0 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  CHECK(s.stats().calls == 0);
  CHECK(s.stats().waiting == 0);
  boost::asio::post(loop, [&] {
    endpoint = mcp::http_endpoint::start(loop.get_executor(), s);  // lets the first one go
    loop.stop();
  });
  serving.join();
}

TEST_CASE("a server that is a child process is spoken to, and its end is told with what it last said", "[mcp]") {
  std::string const bin = WHERRY_BIN_DIR;
  auto const c = mcp::client::connect(mcp::stdio_server{.command = {bin + "/mcp_echo_server", "--stdio"}});
  REQUIRE(c.has_value());
  CHECK(c->protocol().name == "2026-07-28");
  CHECK(c->call("echo", R"({"message":"h\u00e9llo\n"})")->text() == "h\xC3\xA9llo\n");
  std::string const large(300'000, 'x');
  CHECK(c->call("echo", R"({"message":")" + large + "\"}")->text() == large);
  c->close();

  auto const gone =
      mcp::client::connect(mcp::stdio_server{.command = {"/bin/sh", "-c", "echo no licence >&2; exit 3"}});
  REQUIRE_FALSE(gone.has_value());
  CHECK(gone.error().message.find("no licence") != std::string::npos);
  CHECK_FALSE(mcp::client::connect(mcp::stdio_server{.command = {"/no/such/program"}}).has_value());
}

TEST_CASE("a server that says nothing, or nonsense, is given up at the deadline", "[mcp]") {
  mcp::client_options hasty;
  hasty.probe_time = 100ms;
  hasty.connect_time = 200ms;
  for (auto const* behaviour :
       {"cat > /dev/null", "while true; do echo '{\"jsonrpc\":\"2.0\"'; sleep 0.02; done", "sleep 60"}) {
    INFO(behaviour);
    auto const before = std::chrono::steady_clock::now();
    auto const c = mcp::client::connect(mcp::stdio_server{.command = {"/bin/sh", "-c", behaviour}}, hasty);
    REQUIRE_FALSE(c.has_value());
    CHECK(c.error().is(errc::deadline_exceeded));
    CHECK(std::chrono::steady_clock::now() - before < 2s);
  }
}

TEST_CASE("a list is kept for as long as the server allows, and asked for again after a change", "[mcp]") {
  mcp::server s{"fixture", "1.0", {.list_ttl = 60s}};
  s.add(mcp::tool("one", "", {"a", "b"}, add));
  std::vector<std::string> heard;
  mcp::client_options options;
  std::mutex mutex;
  options.changed = [&](std::string_view what) {
    std::lock_guard const lock(mutex);
    heard.emplace_back(what);
  };
  auto const c = mcp::client::connect(mcp::make_loopback_transport(s), options);
  REQUIRE(c.has_value());
  CHECK(c->tools()->size() == 1);
  s.add(mcp::tool("two", "", {"a", "b"}, add));
  CHECK(c->tools()->size() == 1);  // nobody was told: still good
  auto watching = [](mcp::client of) -> task<result<void>> { co_return co_await of.async_watch({}); };
  REQUIRE(run_blocking(watching(*c), "watch", "async_watch").has_value());
  auto const until = std::chrono::steady_clock::now() + 5s;
  while (s.stats().listeners == 0 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  s.add(mcp::tool("three", "", {"a", "b"}, add));
  while (std::chrono::steady_clock::now() < until) {
    std::lock_guard const lock(mutex);
    if (!heard.empty()) break;
  }
  CHECK(c->tools()->size() == 3);
}
