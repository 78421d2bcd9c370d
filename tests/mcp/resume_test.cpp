// A connection that broke in the middle of a stream, and the client that comes back for the rest (Last-Event-ID).

#include "cutting_proxy.hpp"

#include <wherry/mcp/client.hpp>
#include <wherry/mcp/serve.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <optional>

using namespace wherry;
using namespace wherry_test;
using namespace std::chrono_literals;

namespace {

task<void> sleep_for(std::chrono::milliseconds time) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, time);
  co_await timer.async_wait(boost::asio::use_awaitable);
}

mcp::server counting() {
  mcp::server s{"s", "1"};
  s.add(mcp::tool("count", "Counts to five.", [](mcp::context c) -> task<std::string> {
    for (int i = 1; i <= 5; ++i) {
      c.progress(i, 5);
      co_await sleep_for(30ms);
    }
    co_return "counted";
  }));
  s.add(mcp::tool("large", "Answers at length.", [](mcp::context c) -> task<std::string> {
    c.progress(1, 1);
    co_return std::string(1u << 20, 'x');
  }));
  s.add(mcp::tool("polled", "Lets its client come back, thrice.", [](mcp::context c) -> task<std::string> {
    for (int i = 0; i < 3; ++i) {
      c.disconnect(20ms);
      co_await sleep_for(50ms);
    }
    co_return "polled";
  }));
  return s;
}

struct endpoint_thread {
  explicit endpoint_thread(mcp::http_endpoint_options options = {}, mcp::server s = counting()) : served(s) {
    loop.on_loop([&] {
      auto made = mcp::http_endpoint::start(loop.executor(), std::move(s), std::move(options));
      if (!made) throw std::runtime_error(to_string(made.error()));
      endpoint.emplace(std::move(*made));
    });
  }
  ~endpoint_thread() {
    loop.await(endpoint->async_stop(0ms));
    loop.on_loop([&] { endpoint.reset(); });
  }
  std::uint16_t port() const { return endpoint->port(); }
  /// Looks again and again, for five seconds.
  bool becomes(std::function<bool()> const& true_now) {
    took t;
    while (!loop.on_loop(true_now)) {
      if (!t.within(5'000ms)) return false;
      std::this_thread::sleep_for(5ms);
    }
    return true;
  }
  mcp::server served;
  loop_thread loop;
  std::optional<mcp::http_endpoint> endpoint;
};

std::string request(std::string const& method, std::string const& fields, std::string const& body = {}) {
  return method +
         " /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: application/json, "
         "text/event-stream\r\n" +
         fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string call_of(std::string const& tool, int id = 2) {
  return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":"tools/call","params":{"name":")" + tool +
         R"(","arguments":{},"_meta":{"progressToken":7}}})";
}

/// Shakes hands. Returns: the fields that every further request carries.
std::string shake_hands(std::uint16_t port, std::string const& revision = "2025-11-25") {
  raw_client c(port);
  c.send(request("POST", "",
                 R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":")" + revision +
                     R"(","capabilities":{},"clientInfo":{"name":"t","version":"1"}}})"));
  auto const head = c.until("\r\n\r\n");
  auto const at = head.find("Mcp-Session-Id: ");
  REQUIRE(at != std::string::npos);
  auto const session = head.substr(at, head.find("\r\n", at) + 2 - at) + "MCP-Protocol-Version: " + revision + "\r\n";
  raw_client again(port);
  again.send(request("POST", session, R"({"jsonrpc":"2.0","method":"notifications/initialized"})"));
  again.until("\r\n\r\n");
  return session;
}

std::string after(std::string const& id) { return "Last-Event-ID: " + id + "\r\n"; }

/// The id of the event that `what` stands in.
std::string id_of(std::string const& stream, std::string_view what) {
  auto const at = stream.rfind("\nid: ", stream.find(what));
  REQUIRE(at != std::string::npos);
  return stream.substr(at + 5, stream.find('\n', at + 5) - at - 5);
}

std::size_t occurrences(std::string const& text, std::string_view what) {
  std::size_t n = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

int status_of(std::uint16_t port, std::string const& fields) {
  raw_client c(port);
  c.send(request("GET", fields));
  return std::stoi(c.until("\r\n").substr(9, 3));
}

}  // namespace

TEST_CASE("a stream that broke off is taken up again behind the last event that came", "[mcp]") {
  endpoint_thread server;
  auto const session = shake_hands(server.port());
  raw_client first(server.port());
  first.send(request("POST", session, call_of("count")));
  auto const begun = first.until(R"("progress":2)");
  CHECK(begun.find("text/event-stream") != std::string::npos);
  CHECK(begun.find("\nretry: 500\n") != std::string::npos);
  auto const id = id_of(begun, R"("progress":1)");  // as if the second were lost
  first.reset();

  raw_client again(server.port());
  again.send(request("GET", session + after(id)));
  auto const rest = again.until("counted");
  CHECK(rest.find(R"("progress":1,)") == std::string::npos);
  for (auto const* news : {R"("progress":2,)", R"("progress":3,)", R"("progress":4,)", R"("progress":5,)"})
    CHECK(occurrences(rest, news) == 1);
  CHECK(occurrences(rest, R"("id":2)") == 1);

  // What was sent to its end can be had again: all of it, or only the answer; and whoever has that gets nothing.
  raw_client once_more(server.port());
  once_more.send(request("GET", session + after(id)));
  CHECK(once_more.until("counted").find(R"("progress":2,)") != std::string::npos);
  raw_client the_answer(server.port());
  the_answer.send(request("GET", session + after(id_of(rest, R"("progress":5,)"))));
  CHECK(the_answer.until("counted").find("progress") == std::string::npos);
  raw_client nothing(server.port());
  nothing.send(request("GET", session + after(id_of(rest, "counted"))));
  CHECK(nothing.until("0\r\n\r\n").find("jsonrpc") == std::string::npos);
}

TEST_CASE("a stream is taken up from its own session only, and by an id that was given out", "[mcp][isolation]") {
  endpoint_thread server;
  auto const session = shake_hands(server.port()), other = shake_hands(server.port());
  raw_client first(server.port());
  first.send(request("POST", session, call_of("count")));
  auto const stream = first.until("counted");
  auto const id = id_of(stream, R"("progress":1,)");
  CHECK(status_of(server.port(), session + after(id)) == 200);
  CHECK(status_of(server.port(), other + after(id)) == 400);
  auto const dash = id.find('-');
  for (auto const& wrong : {id.substr(0, dash) + "-7", std::string("999-1"), id + "x", id.substr(0, dash),
                            std::string("-"), std::string("99999999999999999999999-1"), std::string("nonsense")}) {
    INFO(wrong);
    CHECK(status_of(server.port(), session + after(wrong)) == 400);
  }
  CHECK(status_of(server.port(), "Mcp-Session-Id: nobody\r\n" + after(id)) == 404);
  CHECK(status_of(server.port(), after(id)) == 405);  // there is no stream without a session
}

TEST_CASE("whoever takes a stream up has it alone", "[mcp]") {
  endpoint_thread server;
  auto const session = shake_hands(server.port());
  raw_client first(server.port());
  first.send(request("POST", session, call_of("count")));
  auto const begun = first.until(R"("progress":1,)");
  raw_client second(server.port());
  second.send(request("GET", session + after(id_of(begun, R"("progress":1,)"))));
  CHECK(second.until("counted").find(R"("progress":5,)") != std::string::npos);
  CHECK(first.until("0\r\n\r\n").find("counted") == std::string::npos);
}

TEST_CASE("what is kept of streams has bounds", "[mcp]") {
  mcp::http_endpoint_options options;
  SECTION("of events") {
    options.replay.events_max = 3;
    endpoint_thread server(std::move(options));
    auto const session = shake_hands(server.port());
    raw_client first(server.port());
    first.send(request("POST", session, call_of("count")));
    auto const id = id_of(first.until("counted"), R"("progress":1,)");
    raw_client again(server.port());
    again.send(request("GET", session + after(id)));
    auto const rest = again.until("counted");
    CHECK(occurrences(rest, R"("progress":)") == 3);
    CHECK(rest.find(R"("progress":5,)") != std::string::npos);
  }
  SECTION("of bytes") {
    options.replay.bytes_max = 200;
    endpoint_thread server(std::move(options));
    auto const session = shake_hands(server.port());
    raw_client first(server.port());
    first.send(request("POST", session, call_of("count")));
    auto const id = id_of(first.until("counted"), R"("progress":1,)");
    raw_client again(server.port());
    again.send(request("GET", session + after(id)));
    CHECK(occurrences(again.until("counted"), R"("progress":)") < 3);
  }
  SECTION("of streams, of which those that ended first go first") {
    options.replay.streams_max = GENERATE(std::size_t{2}, std::size_t{64});
    options.replay.session_bytes_max = options.replay.streams_max == 64 ? 3u << 20 : 64u << 20;
    endpoint_thread server(std::move(options));
    auto const session = shake_hands(server.port());
    std::vector<std::string> ids;
    for (int call = 2; call < 6; ++call) {
      raw_client c(server.port());
      c.send(request("POST", session, call_of("large", call)));
      ids.push_back(id_of(c.until("0\r\n\r\n"), R"("progress":1,)"));
    }
    CHECK(status_of(server.port(), session + after(ids[0])) == 400);
    CHECK(status_of(server.port(), session + after(ids[1])) == 400);
    CHECK(status_of(server.port(), session + after(ids[2])) == 200);
    CHECK(status_of(server.port(), session + after(ids[3])) == 200);
  }
}

TEST_CASE("where streams cannot be taken up, a call ends when its client goes; else it goes on", "[mcp]") {
  bool const kept = GENERATE(false, true);
  mcp::http_endpoint_options options;
  if (!kept) options.replay.streams_max = 0;
  mcp::server s{"s", "1"};
  std::atomic<int> ended{0}, stopped{0};
  s.add(mcp::tool("wait", "", [&](mcp::context c) -> task<std::string> {
    c.progress(1, 1);
    for (int i = 0; i < 20 && !c.stop().stopped(); ++i) co_await sleep_for(10ms);
    ++(c.stop().stopped() ? stopped : ended);
    co_return "done";
  }));
  endpoint_thread server(std::move(options), s);
  auto const session = shake_hands(server.port());
  raw_client first(server.port());
  first.send(request("POST", session, call_of("wait")));
  auto const begun = first.until(R"("progress":1)");
  CHECK((begun.find("\nid: ") != std::string::npos) == kept);
  first.reset();
  CHECK(server.becomes([&] { return server.served.stats().calls == 0; }));
  CHECK(ended == (kept ? 1 : 0));
}

TEST_CASE("a handler may let its client come back for the answer, where clients know of it", "[mcp]") {
  endpoint_thread server;
  auto const session = shake_hands(server.port());
  raw_client first(server.port());
  first.send(request("POST", session, call_of("polled")));
  auto const begun = first.until("0\r\n\r\n");  // the answer ends in order
  CHECK(begun.find("\nretry: 20\n") != std::string::npos);
  CHECK(begun.find("jsonrpc") == std::string::npos);
  auto id = id_of(begun, "retry: 20");
  std::string rest;
  for (int back = 0; back < 10 && rest.find("polled") == std::string::npos; ++back) {
    raw_client again(server.port());
    again.send(request("GET", session + after(id)));
    rest = again.until("0\r\n\r\n");
  }
  CHECK(occurrences(rest, "polled") == 1);

  raw_client old(server.port());
  old.send(request("POST", shake_hands(server.port(), "2025-06-18"), call_of("polled")));
  auto const plain = old.until("polled");
  CHECK(plain.find("application/json") != std::string::npos);
}

TEST_CASE("what belongs to no call waits for a client that comes back", "[mcp]") {
  endpoint_thread server;
  auto const session = shake_hands(server.port());
  raw_client listening(server.port());
  listening.send(request("GET", session));
  auto const begun = listening.until("data: \n\n");
  auto const id = id_of(begun, "retry: ");
  CHECK(status_of(server.port(), session) == 409);
  listening.reset();
  REQUIRE(server.becomes([&] { return server.endpoint->stats().handlers == 0; }));
  server.served.add(mcp::tool("new", "", {"message"}, [](std::string m) { return m; }));
  raw_client again(server.port());
  again.send(request("GET", session + (GENERATE(false, true) ? after(id) : "")));
  CHECK(again.until("list_changed").find("notifications/tools/list_changed") != std::string::npos);
}

TEST_CASE("a session whose listener went without a word ends all the same", "[mcp]") {
  mcp::http_endpoint_options options;
  options.session_idle = 300ms;
  endpoint_thread server(std::move(options));
  auto const session = shake_hands(server.port());
  raw_client listening(server.port());
  listening.send(request("GET", session));
  listening.until("data: \n\n");
  std::this_thread::sleep_for(500ms);
  CHECK(server.loop.on_loop([&] { return server.endpoint->sessions(); }) == 1);  // listening is use
  listening.reset();
  CHECK(server.becomes([&] { return server.endpoint->sessions() == 0; }));
}

// ---------------------------------------------------------------- our client

namespace {

result<mcp::client> connect(std::string url, int reconnects_max = 5) {
  mcp::client_options options;
  options.revision = "2025-11-25";
  mcp::http_server_address to;
  to.url = std::move(url);
  to.reconnects_max = reconnects_max;
  return mcp::client::connect(to, options);
}

}  // namespace

TEST_CASE("a client takes up an answer that was cut in the middle, and misses nothing", "[mcp][robustness]") {
  endpoint_thread server;
  std::atomic<int> left{2};
  auto const cut_at = GENERATE(std::string(R"("progress":2,)"), std::string("coun"), std::string(300'000, 'x'));
  cutting_proxy proxy(server.port(), [&](std::string const& seen) {
    auto const at = seen.find(cut_at);
    if (at == std::string::npos || left-- <= 0) return cutting_proxy::all;
    return at + cut_at.size() / 2;
  });
  auto const c = connect(proxy.url());
  REQUIRE(c);
  std::vector<double> heard;
  mcp::request_options options;
  options.progress = [&](double done, std::optional<double>, std::string_view) { heard.push_back(done); };
  bool const large = cut_at.size() > 100;
  auto const r = c->call(large ? "large" : "count", raw_json{"{}"}, options);
  INFO((r ? std::string() : to_string(r.error())));
  REQUIRE(r);
  CHECK(r->text() == (large ? std::string(1u << 20, 'x') : "counted"));
  CHECK(heard == (large ? std::vector<double>{1} : std::vector<double>{1, 2, 3, 4, 5}));
  CHECK(proxy.cuts() == 2);
}

TEST_CASE("a client gives a stream up that breaks again and again, or whose call has no time left",
          "[mcp][robustness]") {
  mcp::http_endpoint_options options;
  bool const slow = GENERATE(false, true);
  options.replay.retry = slow ? 60'000ms : 10ms;
  endpoint_thread server(std::move(options));
  cutting_proxy proxy(server.port(), [&](std::string const& seen) {
    auto const at =
        seen.find("text/event-stream") == std::string::npos ? std::string::npos : seen.find(std::string(1000, 'x'));
    return at;  // npos: all
  });
  auto const c = connect(proxy.url(), 3);
  REQUIRE(c);
  mcp::request_options how;
  how.time = slow ? 300ms : 20'000ms;
  how.progress = [](double, std::optional<double>, std::string_view) {};  // or there would be no stream
  took t;
  auto const r = c->call("large", raw_json{"{}"}, how);
  REQUIRE_FALSE(r);
  INFO(to_string(r.error()));
  CHECK(r.error().is(slow ? errc::deadline_exceeded : errc::io_failed));
  if (slow) CHECK(t.within(350ms));
  CHECK(proxy.cuts() == (slow ? 1 : 4));
}

TEST_CASE("a client that is told to come back does so, as often as it takes", "[mcp]") {
  endpoint_thread server;
  auto const c = connect("http://127.0.0.1:" + std::to_string(server.port()) + "/mcp", 1);
  REQUIRE(c);
  auto const r = c->call("polled");
  INFO((r ? std::string() : to_string(r.error())));
  REQUIRE(r);
  CHECK(r->text() == "polled");
}
