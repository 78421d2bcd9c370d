#include "http_loop.hpp"

#include <wherry/core/log.hpp>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <catch2/generators/catch_generators.hpp>

#include <algorithm>
#include <atomic>
#include <vector>

using namespace wherry;
using namespace wherry_test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

using steady = std::chrono::steady_clock;

// "METHOD path query body", so that a test sees what arrived.
task<void> echo(http_exchange& exchange) {
  auto body = co_await exchange.async_body();
  if (!body) co_return;
  std::string text = std::string(exchange.method()) + " " + std::string(exchange.path()) + " " +
                     std::string(exchange.query()) + " " + std::string(*body);
  exchange.reply(200, "text/plain", std::move(text));
}

std::string get(std::string const& path, std::string const& more = {}) {
  return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + more + "\r\n";
}

std::string post(std::string const& body) {
  return "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string status_line(std::string const& answer) { return answer.substr(0, answer.find("\r\n")); }

// Sends one request on a connection of its own and gives the whole answer.
std::string answer_to(std::uint16_t port, std::string const& request) {
  raw_client client(port);
  client.send(request);
  return client.until_end();
}

}  // namespace

TEST_CASE("a connection serves one request after another", "[unit]") {
  running_server server(echo);
  raw_client client(server.port());
  for (int i = 0; i < 3; ++i) {
    client.send(post("body " + std::to_string(i)));
    auto const head = client.until("\r\n\r\n");
    CHECK(status_line(head) == "HTTP/1.1 200 OK");
    CHECK(head.find("Content-Length: 15\r\n") != std::string::npos);
    CHECK(head.find("Date: ") != std::string::npos);
    CHECK(client.until("body " + std::to_string(i)) == "POST /x  body " + std::to_string(i));
  }
  CHECK(server.server->stats().accepted == 1);
  CHECK(server.server->stats().requests == 3);
}

TEST_CASE("requests sent without waiting are answered in order", "[unit]") {
  running_server server(echo);
  raw_client client(server.port());
  std::string many;
  for (int i = 0; i < 200; ++i) many += get("/" + std::to_string(i) + "?q=" + std::to_string(i));
  client.send(many + get("/last", "Connection: close\r\n"));
  auto const seen = client.until_end();
  std::size_t at = 0;
  for (int i = 0; i < 200; ++i) {
    at = seen.find("GET /" + std::to_string(i) + " q=" + std::to_string(i) + " ", at);
    REQUIRE(at != std::string::npos);
  }
  CHECK(seen.find("GET /last", at) != std::string::npos);
  CHECK(seen.find("Connection: close") != std::string::npos);
}

TEST_CASE("a body may come in chunks and in single bytes, with trailers that nobody asked for", "[unit]") {
  running_server server(echo);
  raw_client client(server.port());
  for (char const c : std::string("POST /c HTTP/1.1\r\nhost: LOCALHOST:1\r\nTransfer-Encoding: Chunked\r\n\r\n"
                                  "3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Trailer: t\r\n\r\n"))
    client.send({&c, 1});
  CHECK(client.until("0123456789").ends_with("POST /c  abc0123456789"));
}

TEST_CASE("HEAD, HTTP/1.0 and answers without a body are framed as the standard says", "[unit]") {
  running_server server([](http_exchange& e) -> task<void> {
    if (e.path() == "/none") {
      e.reply(204);
    } else if (e.path() == "/stream") {
      co_await e.async_start(200, {});
      co_await e.async_write("piece");
    } else {
      e.reply(200, "text/plain", "hello");
    }
  });
  auto const head = answer_to(server.port(), "HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  CHECK(head.find("Content-Length: 5\r\n") != std::string::npos);
  CHECK(head.ends_with("\r\n\r\n"));
  auto const none = answer_to(server.port(), get("/none", "Connection: close\r\n"));
  CHECK(none.find("Content-Length") == std::string::npos);
  auto const old = answer_to(server.port(), "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n");
  CHECK(old.ends_with("hello"));
  auto const old_stream = answer_to(server.port(), "GET /stream HTTP/1.0\r\nHost: localhost\r\n\r\n");
  CHECK(old_stream.find("chunked") == std::string::npos);
  CHECK(old_stream.ends_with("\r\n\r\npiece"));
  auto const stream = answer_to(server.port(), get("/stream", "Connection: close\r\n"));
  CHECK(stream.ends_with("\r\n\r\n5\r\npiece\r\n0\r\n\r\n"));
}

TEST_CASE("what is not one well-formed request is refused and the connection closed", "[unit]") {
  running_server server(echo, {.header_bytes_max = 1024, .body_bytes_max = 64});
  auto const status = [&](std::string const& request) { return status_line(answer_to(server.port(), request)); };
  CHECK(status("nonsense\r\n\r\n") == "HTTP/1.1 400 Bad Request");
  CHECK(status("GET / HTTP/1.1\r\n\r\n") == "HTTP/1.1 400 Bad Request");
  CHECK(status("GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n") == "HTTP/1.1 400 Bad Request");
  CHECK(status("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab") ==
        "HTTP/1.1 400 Bad Request");
  // Two lengths: what one side takes for a body the other takes for the next request.
  CHECK(status(
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") ==
        "HTTP/1.1 400 Bad Request");
  CHECK(status("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\nab") ==
        "HTTP/1.1 501 Not Implemented");
  CHECK(status("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n") ==
        "HTTP/1.1 400 Bad Request");
  CHECK(status(get("/", "X: " + std::string(2000, 'x') + "\r\n")) == "HTTP/1.1 431 Request Header Fields Too Large");
  CHECK(status(post(std::string(65, 'x'))) == "HTTP/1.1 413 Content Too Large");
  CHECK(status("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n41\r\n" + std::string(65, 'x') +
               "\r\n0\r\n\r\n") == "HTTP/1.1 413 Content Too Large");
  CHECK(status(get("/", "Expect: miracles\r\n")) == "HTTP/1.1 417 Status");
  raw_client fine(server.port());
  fine.send(post(std::string(64, 'x')));
  CHECK(status_line(fine.until("\r\n\r\n")) == "HTTP/1.1 200 OK");
}

TEST_CASE("a page of another site does not reach a server on loopback", "[unit]") {
  running_server server(echo, {.hosts = {"box.example:80"}, .origins = {"https://app.example"}});
  auto const status = [&](std::string const& host, std::string const& more = {}) {
    return answer_to(server.port(), "GET / HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n" + more + "\r\n")
        .substr(9, 3);
  };
  for (auto const* fine : {"localhost", "LocalHost:1234", "127.0.0.1:9", "[::1]:7", "[::1]", "box.example:80"})
    CHECK(status(fine) == "200");
  for (auto const* wrong : {"evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example",
                            "box.example", "localhost:80:80", "localhost:x", "user@localhost"})
    CHECK(status(wrong) == "403");
  for (auto const* fine : {"http://localhost:5173", "http://127.0.0.1", "https://[::1]:8", "https://app.example"})
    CHECK(status("localhost", std::string("Origin: ") + fine + "\r\n") == "200");
  for (auto const* wrong : {"http://evil.example", "null", "https://app.example.evil", "http://app.example", "file://"})
    CHECK(status("localhost", std::string("Origin: ") + wrong + "\r\n") == "403");
}

TEST_CASE("a server beyond loopback must be told its names", "[unit]") {
  loop_thread loop;
  auto const made = http_server::start(loop.executor(), {.address = "0.0.0.0"}, echo);
  REQUIRE_FALSE(made);
  CHECK(made.error().is(errc::invalid_argument));
  CHECK(made.error().message.find("hosts") != std::string::npos);
}

TEST_CASE("a port that is taken is an error with the system's code", "[unit]") {
  running_server server(echo);
  auto const second = http_server::start(server.loop.executor(), {.port = server.port()}, echo);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == std::errc::address_in_use);
}

TEST_CASE("a handler that throws or forgets to answer is a 500 and the connection lives on", "[unit]") {
  running_server server([](http_exchange& e) -> task<void> {
    if (e.path() == "/throw") throw std::runtime_error("secret");
    if (e.path() == "/split") {
      http_fields bad;
      bad.add("X", "a\r\nSet-Cookie: b");
      e.reply(200, std::move(bad), "x");
    }
    if (e.path() == "/fine") e.reply(200, "text/plain", "fine");
    co_return;
  });
  set_log_level(log_level::off);
  raw_client client(server.port());
  for (auto const* path : {"/throw", "/forget", "/split"}) {
    client.send(get(path));
    auto const answer = client.until("the server failed\n");
    CHECK(status_line(answer) == "HTTP/1.1 500 Internal Server Error");
    CHECK(answer.find("secret") == std::string::npos);
    CHECK(answer.find("Set-Cookie") == std::string::npos);
  }
  client.send(get("/fine"));
  CHECK(status_line(client.until("fine")) == "HTTP/1.1 200 OK");
  set_log_level(log_level::warning);
}

TEST_CASE("a client that waits to be told to go on is told", "[unit]") {
  running_server server(echo);
  raw_client client(server.port());
  client.send("POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("body");
  CHECK(client.until("body").find("200 OK") != std::string::npos);
}

TEST_CASE("a large body streams through in pieces without being kept whole", "[unit]") {
  std::atomic<std::size_t> largest{0};
  running_server server(
      [&largest](http_exchange& e) -> task<void> {
        co_await e.async_start(200, {});
        for (;;) {
          auto piece = co_await e.async_read();
          if (!piece || piece->empty()) co_return;
          largest = std::max<std::size_t>(largest, piece->size());
          auto sent = co_await e.async_write(*piece);
          if (!sent) co_return;
        }
      },
      {.body_bytes_max = 64u << 20});
  raw_client client(server.port());
  std::size_t const size = 8u << 20;
  std::thread sender([&] {
    client.send("POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: " + std::to_string(size) +
                "\r\n\r\n");
    std::string const block(64u << 10, 'b');
    for (std::size_t sent = 0; sent < size; sent += block.size()) client.send(block);
  });
  auto const answer = client.until_end();
  sender.join();
  CHECK(static_cast<std::size_t>(std::count(answer.begin(), answer.end(), 'b')) >= size);
  CHECK(answer.ends_with("0\r\n\r\n"));
  CHECK(largest <= 64u << 10);
}

// ---------------------------------------------------------------- hangs

TEST_CASE("a peer that is silent, slow or half a request is let go on time", "[unit]") {
  running_server server(echo, {.idle_time = 100ms, .request_time = 150ms});
  SECTION("nothing at all") {
    raw_client client(server.port());
    took t;
    CHECK(client.until_end().empty());
    CHECK(t.ms() >= 95ms);
    CHECK(t.within(200ms));
  }
  SECTION("a byte now and then") {
    raw_client client(server.port());
    took t;
    for (char const c : get("/"))
      if (!client.send({&c, 1}))
        break;
      else if (pollfd p{.fd = client.fd(), .events = POLLIN, .revents = 0}; ::poll(&p, 1, 40) > 0)
        break;
    CHECK(status_line(client.until_end()) == "HTTP/1.1 408 Request Timeout");
    CHECK(t.within(260ms));
  }
  SECTION("half a body") {
    raw_client client(server.port());
    took t;
    client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf");
    CHECK(status_line(client.until("\r\n\r\n")) == "HTTP/1.1 408 Request Timeout");
    CHECK(t.within(200ms));
  }
  SECTION("gone in the middle of a body") {
    {
      raw_client client(server.port());
      client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf");
      client.reset();
    }
    took t;
    while (server.server->stats().connections > 0 && t.ms() < 1s) std::this_thread::yield();
    CHECK(t.within(100ms));
  }
  CHECK(status_line(answer_to(server.port(), get("/", "Connection: close\r\n"))) == "HTTP/1.1 200 OK");
}

TEST_CASE("a peer that stops reading is let go after the write time, and others are served meanwhile", "[unit]") {
  std::atomic<int> seen{0};  // 1: deadline_exceeded
  running_server server(
      [&seen](http_exchange& e) -> task<void> {
        if (e.path() != "/endless") {
          e.reply(200, "text/plain", "quick");
          co_return;
        }
        co_await e.async_start(200, {});
        std::string const block(256u << 10, 'x');
        for (;;) {
          auto sent = co_await e.async_write(block);
          if (sent) continue;
          seen = sent.error().is(errc::deadline_exceeded) ? 1 : 2;
          co_return;
        }
      },
      {.write_time = 200ms});
  raw_client stuck(server.port());
  stuck.send(get("/endless"));
  took t;
  CHECK(answer_to(server.port(), get("/", "Connection: close\r\n")).ends_with("quick"));
  while (seen == 0 && t.ms() < 3s) std::this_thread::yield();
  CHECK(seen == 1);
  CHECK(t.ms() >= 195ms);
  CHECK(t.within(600ms));
  CHECK(server.server->stats().dropped == 1);
}

TEST_CASE("a handler is cancelled when its peer goes", "[unit]") {
  std::atomic<int> cancelled{0}, began{0};
  running_server server([&](http_exchange& e) -> task<void> {
    asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::hours(1));
    boost::system::error_code ec;
    if (e.path() == "/stream") co_await e.async_start(200, {});
    ++began;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (ec == asio::error::operation_aborted) ++cancelled;
  });
  bool const orderly = GENERATE(true, false);
  auto const* path = GENERATE("/wait", "/stream");
  raw_client client(server.port());
  client.send(get(path));
  while (began == 0) std::this_thread::yield();
  took t;
  if (orderly)
    client.close();
  else
    client.reset();
  while (cancelled == 0 && t.ms() < 2s) std::this_thread::yield();
  CHECK(cancelled == 1);
  CHECK(t.within(150ms));
  while (server.server->stats().connections > 0 && t.ms() < 2s) std::this_thread::yield();
  CHECK(server.server->stats().connections == 0);
}

TEST_CASE("an answer that takes too long is a 503, unless it has been started", "[unit]") {
  running_server server(
      [](http_exchange& e) -> task<void> {
        asio::steady_timer timer(co_await asio::this_coro::executor);
        if (e.path() == "/stream") {
          co_await e.async_start(200, {});
          timer.expires_after(250ms);
        } else {
          timer.expires_after(1h);
        }
        co_await timer.async_wait(asio::use_awaitable);
        if (e.path() == "/stream") co_await e.async_write("late");
      },
      {.answer_time = 120ms});
  took t;
  CHECK(status_line(answer_to(server.port(), get("/wait"))) == "HTTP/1.1 503 Service Unavailable");
  CHECK(t.ms() >= 115ms);
  CHECK(t.within(220ms));
  CHECK(answer_to(server.port(), get("/stream", "Connection: close\r\n")).find("late") != std::string::npos);
}

TEST_CASE("at the bound of connections the one idle the longest makes room", "[unit]") {
  running_server server(echo, {.connections_max = 4});
  std::vector<std::unique_ptr<raw_client>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<raw_client>(server.port()));
    clients.back()->send(get("/" + std::to_string(i)));
    clients.back()->until("GET /" + std::to_string(i));
  }
  took t;
  CHECK(answer_to(server.port(), get("/new", "Connection: close\r\n")).find("GET /new") != std::string::npos);
  CHECK(t.within(1s));
  CHECK(clients[0]->until("<") == "  ");  // the rest of its answer, and the end
  clients[1]->send(get("/again"));
  CHECK(clients[1]->until("GET /again").find("200 OK") != std::string::npos);
}

TEST_CASE("a graceful stop lets answers under way finish and closes what is idle", "[unit]") {
  std::atomic<int> began{0};
  running_server server([&](http_exchange& e) -> task<void> {
    ++began;
    asio::steady_timer timer(co_await asio::this_coro::executor, e.path() == "/long" ? 1h : 150ms);
    co_await timer.async_wait(asio::use_awaitable);
    e.reply(200, "text/plain", "done");
  });
  raw_client idle(server.port()), quick(server.port()), slow(server.port());
  quick.send(get("/quick"));
  slow.send(get("/long"));
  while (began < 2) std::this_thread::yield();
  took t;
  server.loop.await(server.server->async_stop(400ms));
  CHECK(t.ms() >= 395ms);
  CHECK(t.within(1s));
  CHECK(idle.until_end().empty());
  CHECK(quick.until_end().ends_with("done"));
  CHECK(slow.until_end().empty());
  CHECK(server.server->stats().connections == 0);
  CHECK_THROWS(raw_client(server.port()));
}

TEST_CASE("events from elsewhere reach a stream, with comments while it is quiet", "[unit]") {
  sse_channel channel({.queue_bytes_max = 100, .keep_alive_time = 60ms});
  running_server server([&](http_exchange& e) -> task<void> { co_await channel.async_serve(e); });
  raw_client client(server.port());
  client.send(get("/events"));
  auto const head = client.until("\r\n\r\n");
  CHECK(head.find("Content-Type: text/event-stream") != std::string::npos);
  CHECK(client.until(":\n\n").find(":\n\n") != std::string::npos);
  auto const push = [&](std::string data) {
    return server.loop.on_loop([&] { return channel.push({.data = std::move(data), .id = "1"}); });
  };
  CHECK(push("hello"));
  CHECK(client.until("data: hello\n\n").find("id: 1\n") != std::string::npos);
  CHECK(push(std::string(200, 'x')).error().is(errc::queue_full));
  CHECK(push("still"));
  server.loop.on_loop([&] { channel.finish(); });
  CHECK(client.until("\r\n0\r\n\r\n").find("data: still\n\n") != std::string::npos);
  CHECK(push("late").error().is(errc::cancelled));
}

TEST_CASE("sixty thousand connections opened and dropped leave no descriptor behind", "[robustness]") {
  running_server server(echo, {.connections_max = 64});
  auto const before = open_descriptors();
  for (int i = 0; i < 60'000; ++i) {
    raw_client client(server.port());
    if (i % 4 == 1) client.send(get("/"));
    if (i % 4 == 2) client.send("GET / HT");
    client.reset();  // no port is kept waiting for a last packet
  }
  took t;
  while ((server.server->stats().connections > 0 || open_descriptors() > before) && t.ms() < 5s)
    std::this_thread::yield();
  CHECK(server.server->stats().connections == 0);
  CHECK(open_descriptors() == before);
  CHECK(server.server->stats().accepted > 59'000);
  CHECK(status_line(answer_to(server.port(), get("/", "Connection: close\r\n"))) == "HTTP/1.1 200 OK");
}
