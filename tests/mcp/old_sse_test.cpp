// HTTP+SSE of 2024-11-05: what a client does when a server knows nothing later.

#include "../support/http_loop.hpp"

#include <wherry/mcp/client.hpp>

#include "server_state.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <atomic>
#include <future>

using namespace wherry;
using namespace wherry_test;
using namespace std::chrono_literals;

namespace {

mcp::server counting() {
  mcp::server s{"s", "1"};
  s.add(mcp::tool("echo", "", {"message"}, [](std::string m) { return m; }).reads().inline_run());
  s.add(mcp::tool("count", "Counts to five.", [](mcp::context c) -> task<std::string> {
    for (int i = 1; i <= 5; ++i) c.progress(i, 5);
    co_return "counted";
  }));
  s.add(mcp::tool("never", "Never answers.", [](mcp::context) -> task<std::string> {
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, 10min);
    co_await timer.async_wait(boost::asio::use_awaitable);
    co_return "";
  }));
  return s;
}

/// GET /sse is a stream that begins with `first`; POST /messages takes messages, and answers come by the stream.
class old_server {
 public:
  explicit old_server(sse_event first) : first_(std::move(first)), server_([this](auto& e) { return handle(e); }) {}

  std::string url() const { return server_.url("/sse"); }
  std::string origin() const { return server_.url(""); }
  int streams() const { return streams_; }
  void announce(sse_event first) { first_ = std::move(first); }
  void end_stream() {
    server_.loop.on_loop([this] { stream_->channel.finish(); });
  }

 private:
  struct by_stream final : mcp::detail::reply {
    sse_channel channel;
    void put(std::string_view message) { (void)channel.push({.data = std::string(message), .type = "message"}); }
    void notify(std::string_view message) override { put(message); }
    void finish(std::string_view message, int) override {
      if (!message.empty()) put(message);
    }
  };

  task<void> handle(http_exchange& e) {
    if (e.method() == "GET" && e.path() == "/sse") {
      ++streams_;
      (void)stream_->channel.push(first_);
      auto const served = co_await stream_->channel.async_serve(e);
      (void)served;
    } else if (e.method() == "POST" && e.path() == "/messages" && e.query() == "session=1") {
      auto const body = co_await e.async_body();
      if (!body) co_return;
      if (body->find("no_post") != std::string_view::npos) co_return e.reply(500, "text/plain", "no");
      mcp::detail::carriage by;
      by.handshake_only = true;
      serves_.state()->receive(std::string(*body), stream_, session_, co_await boost::asio::this_coro::executor, by);
      e.reply(202, "text/plain", "Accepted");
    } else {
      e.reply(e.path() == "/sse" ? 405 : 404, "text/plain", "no");
    }
  }

  sse_event first_;
  std::atomic<int> streams_{0};
  mcp::server serves_ = counting();
  std::shared_ptr<by_stream> stream_ = std::make_shared<by_stream>();
  std::shared_ptr<mcp::detail::session_state> session_ = std::make_shared<mcp::detail::session_state>();
  running_server server_;
};

result<mcp::client> connect(std::string url, std::string revision = {}, std::chrono::milliseconds time = 20s) {
  mcp::client_options options;
  options.revision = std::move(revision);
  options.connect_time = time;
  mcp::http_server_address to;
  to.url = std::move(url);
  return mcp::client::connect(to, options);
}

}  // namespace

TEST_CASE("a server of 2024-11-05 is spoken to over its one stream, whose end is the end", "[mcp]") {
  old_server server({.data = "/messages?session=1", .type = "endpoint"});
  auto const revision = GENERATE(std::string(), std::string("2024-11-05"));
  if (!revision.empty()) server.announce({.data = server.origin() + "/messages?session=1", .type = "endpoint"});
  auto const c = connect(server.url(), revision);
  INFO((c ? std::string() : to_string(c.error())));
  REQUIRE(c);
  CHECK(c->server_info().name == "s");
  CHECK(c->tools()->size() == 3);
  CHECK(c->call("echo", R"({"message":"hi"})")->text() == "hi");
  std::vector<double> heard;
  mcp::request_options options;
  options.progress = [&](double done, std::optional<double>, std::string_view) { heard.push_back(done); };
  CHECK(c->call("count", raw_json{"{}"}, options)->text() == "counted");
  CHECK(heard == std::vector<double>{1, 2, 3, 4, 5});

  auto const refused = c->call("no_post");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().is(errc::io_failed));
  mcp::request_options hasty;
  hasty.time = 50ms;
  CHECK(c->call("never", raw_json{"{}"}, hasty).error().is(errc::deadline_exceeded));
  CHECK(c->call("echo", R"({"message":"still here"})")->text() == "still here");

  auto under_way = std::async(std::launch::async, [&] { return c->call("never"); });
  std::this_thread::sleep_for(20ms);  // whether it is on its way or not yet: it fails
  server.end_stream();
  auto const end = under_way.get();
  REQUIRE_FALSE(end);
  CHECK(end.error().is(errc::io_failed));
  CHECK(end.error().message.find("ended its stream") != std::string::npos);
  CHECK(c->call("echo", R"({"message":"hi"})").error().is(errc::io_failed));
  CHECK(server.streams() == 1);
}

TEST_CASE("a stream that does not say where messages go on this origin is not followed", "[mcp][robustness]") {
  struct wrong {
    sse_event first;
    errc code;
  };
  auto const w = GENERATE(wrong{{.data = "http://127.0.0.1:1/messages", .type = "endpoint"}, errc::denied},
                          wrong{{.data = "//elsewhere.example/messages", .type = "endpoint"}, errc::denied},
                          wrong{{.data = "file:///etc/passwd", .type = "endpoint"}, errc::parse_error},
                          wrong{{.data = "/messages?session=1", .type = "message"}, errc::parse_error});
  INFO(w.first.data);
  old_server server(w.first);
  auto const c = connect(server.url());
  REQUIRE_FALSE(c);
  INFO(to_string(c.error()));
  CHECK(c.error().is(w.code));
}

TEST_CASE("a stream that never says where messages go is given up at the deadline", "[mcp][robustness]") {
  running_server server([](http_exchange& e) -> task<void> {
    if (e.method() != "GET") co_return e.reply(404);
    sse_channel const silent;
    auto const served = co_await silent.async_serve(e);
    (void)served;
  });
  took t;
  auto const c = connect(server.url("/sse"), {}, 300ms);
  REQUIRE_FALSE(c);
  CHECK(c.error().is(errc::deadline_exceeded));
  CHECK(t.within(1'000ms));
}

TEST_CASE("a server that speaks a later era, or none, is not taken for one of 2024-11-05", "[mcp]") {
  struct manner {
    char const* name;
    int status;
    std::string body;
    int streams;
    int code;
  };
  auto const m = GENERATE(manner{"nothing is here", 404, "", 1, -32601},
                          manner{"a message says no", 400,
                                 R"({"jsonrpc":"2.0","id":null,"error":{"code":-32022,"message":"no"}})", 0, -32022},
                          manner{"it is broken", 500, "", 0, 0});
  INFO(m.name);
  std::atomic<int> streams{0};
  running_server server([&](http_exchange& e) -> task<void> {
    auto const body = co_await e.async_body();
    if (e.method() == "GET") ++streams;
    if (body && body->find("server/discover") != std::string_view::npos) co_return e.reply(404);
    e.reply(m.status, "application/json", m.body);
  });
  auto const c = connect(server.url("/mcp"));
  REQUIRE_FALSE(c);
  INFO(to_string(c.error()));
  CHECK(streams == m.streams);
  if (m.code != 0) CHECK(c.error().code.value() == m.code);
}
