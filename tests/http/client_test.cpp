#include "http_loop.hpp"
#include "test_certificate.hpp"

#include <wherry/http/client.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <atomic>

using namespace wherry;
using namespace wherry_test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

using steady = std::chrono::steady_clock;

http_request get(std::string url) { return {.url = std::move(url)}; }

http_request post(std::string url, std::string body) {
  return {.method = "POST", .url = std::move(url), .body = std::move(body)};
}

// What arrived, as text: method, target, interesting fields, body.
task<void> tell(http_exchange& e) {
  auto body = co_await e.async_body();
  if (!body) co_return;
  std::string text = std::string(e.method()) + " " + std::string(e.target()) + "\n";
  for (auto const* name : {"Authorization", "Cookie", "DPoP", "X-Own", "Accept", "Content-Type", "Host"})
    if (auto const value = e.fields().find(name)) text += std::string(name) + ": " + std::string(*value) + "\n";
  e.reply(200, "text/plain", text + std::string(*body));
}

std::string_view status_and_length = "HTTP/1.1 200 OK\r\nContent-Length: ";

}  // namespace

TEST_CASE("a request is sent and its answer collected", "[unit]") {
  running_server server(tell);
  http_client const client;
  auto request = post(server.url("/a?b=c"), "body");
  request.fields.set("Authorization", "Bearer x").set("X-Own", "1");
  auto const r = client.send(std::move(request));
  REQUIRE(r);
  CHECK(r->status == 200);
  CHECK(r->fields.get("content-type") == "text/plain");
  CHECK(r->url == server.url("/a?b=c"));
  CHECK(r->body == "POST /a?b=c\nAuthorization: Bearer x\nX-Own: 1\nAccept: */*\nHost: 127.0.0.1:" +
                       std::to_string(server.port()) + "\nbody");
}

TEST_CASE("a connection is kept for the next request, also from another thread's loop", "[unit]") {
  running_server server(tell);
  http_client const client;
  for (int i = 0; i < 3; ++i) REQUIRE(client.send(get(server.url())));
  std::thread other([&] { CHECK(client.send(get(server.url())).has_value()); });
  other.join();
  CHECK(client.stats().connected == 1);
  CHECK(client.stats().idle == 1);
  CHECK(client.stats().requests == 4);
  client.close_idle();
  CHECK(client.stats().open == 0);
}

TEST_CASE("a kept connection that the server closed is replaced", "[unit]") {
  running_server server(tell, {.idle_time = 30ms});
  http_client const client;
  REQUIRE(client.send(get(server.url())));
  while (server.server->stats().connections > 0) std::this_thread::yield();
  REQUIRE(client.send(post(server.url(), "x")));
  CHECK(client.stats().connected == 2);
}

TEST_CASE("a request that can be repeated survives a connection that dies under it, another does not", "[unit]") {
  bool const repeatable = GENERATE(true, false);
  std::atomic<int> connections{0};
  scripted_peer peer(
      [&](raw_client& c) {
        ++connections;
        c.until("\r\n\r\n");
        c.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        if (connections == 1) c.until("\r\n\r\n");  // the second request, and then it is gone
      },
      repeatable ? 2 : 1);
  http_client const client;
  REQUIRE(client.send(get(peer.url())));
  auto const second = client.send(repeatable ? get(peer.url()) : post(peer.url(), "x"));
  CHECK(second.has_value() == repeatable);
  if (second) return;
  CHECK(second.error().is(errc::io_failed));
  CHECK_FALSE(second.error().retryable);  // it may have been acted upon
}

TEST_CASE("an answer is read piece by piece, and its connection kept at the end", "[unit]") {
  running_server server([](http_exchange& e) -> task<void> {
    co_await e.async_start(200, {});
    for (int i = 0; i < 3; ++i) co_await e.async_write("piece " + std::to_string(i) + ";");
  });
  http_client const client;
  auto body = [](http_client c, std::string url) -> task<result<std::string>> {
    auto request = get(std::move(url));
    auto stream = co_await c.async_open(std::move(request));
    if (!stream) co_return stream.error();
    co_return co_await stream->async_rest(1000);
  };
  auto const r = run_blocking(body(client, server.url()), "f", "async_f");
  REQUIRE(r);
  CHECK(*r == "piece 0;piece 1;piece 2;");
  CHECK(client.stats().idle == 1);
}

TEST_CASE("a request's body may come piece by piece", "[unit]") {
  running_server server(tell);
  http_client const client;
  int pieces = 3;
  auto request = post(server.url(), {});
  request.body_source = [&]() -> task<result<std::string>> {
    co_return --pieces >= 0 ? std::string(100'000, 'p') : std::string();
  };
  auto const r = client.send(std::move(request));
  REQUIRE(r);
  CHECK(r->body.ends_with("\n" + std::string(300'000, 'p')));
}

TEST_CASE("events are read from an answer until its end", "[unit]") {
  running_server server([](http_exchange& e) -> task<void> {
    sse_channel channel;
    (void)channel.push({.data = "one", .id = "1", .retry = 10ms});
    (void)channel.push({.data = "two\nlines"});
    channel.finish();
    co_await channel.async_serve(e);
  });
  auto read = [](std::string url) -> task<result<std::string>> {
    auto request = get(std::move(url));
    http_client const client;
    auto opened = co_await client.async_open(std::move(request));
    if (!opened) co_return opened.error();
    sse_stream events(std::move(*opened));
    std::string seen;
    for (;;) {
      auto event = co_await events.async_next();
      if (!event) co_return event.error();
      if (!*event) break;
      seen += (*event)->data + "|";
    }
    co_return seen + events.last_event_id() + "|" + std::to_string(events.retry()->count());
  };
  CHECK(run_blocking(read(server.url()), "f", "async_f").value() == "one|two\nlines|1|10");
}

// ---------------------------------------------------------------- redirects and addresses

TEST_CASE("a redirect never carries credentials or a body to another origin", "[unit]") {
  running_server other(tell);
  running_server server([&](http_exchange& e) -> task<void> {
    auto body = co_await e.async_body();
    int const status = std::atoi(std::string(e.query()).c_str());
    http_fields to;
    to.set("Location", e.path() == "/away" ? other.url("/there") : "/here?x");
    if (e.path() == "/here")
      e.reply(200, "text/plain",
              std::string(e.method()) + " " + std::string(e.fields().get("Authorization")) + " " + std::string(*body));
    else
      e.reply(status, std::move(to), "moved");
  });
  http_client const client;
  auto const ask = [&](std::string const& method, std::string const& path, std::string const& body) {
    http_request r{.method = method, .url = server.url(path), .body = body};
    r.fields.set("Authorization", "Bearer secret")
        .set("Cookie", "c")
        .set("DPoP", "d")
        .set("X-Own", "o")
        .set("Accept", "a/b");
    return client.send(std::move(r));
  };
  CHECK(ask("GET", "/in?302", "")->body == "GET Bearer secret ");
  CHECK(ask("POST", "/in?302", "form")->body == "GET Bearer secret ");
  CHECK(ask("POST", "/in?303", "form")->body == "GET Bearer secret ");
  CHECK(ask("POST", "/in?307", "form")->body == "POST Bearer secret form");
  CHECK(ask("PUT", "/in?301", "form")->body == "PUT Bearer secret form");
  auto const away = ask("GET", "/away?307", "");
  REQUIRE(away);
  CHECK(away->body == "GET /there\nAccept: a/b\nHost: 127.0.0.1:" + std::to_string(other.port()) + "\n");
  CHECK(away->url == other.url("/there"));
  for (auto const* status : {"307", "308"}) {
    auto const with_body = ask("POST", std::string("/away?") + status, "client_secret=s");
    REQUIRE_FALSE(with_body);
    CHECK(with_body.error().is(errc::denied));
  }
  CHECK(ask("POST", "/away?303", "client_secret=s")->body.starts_with("GET /there\nAccept"));
  http_request one{.url = server.url("/in?302"), .redirects_max = 0};
  CHECK(client.send(std::move(one))->status == 302);
}

TEST_CASE("redirects in a circle end", "[unit]") {
  running_server server([](http_exchange& e) -> task<void> {
    http_fields to;
    to.set("Location", e.target());
    e.reply(302, std::move(to), "");
    co_return;
  });
  auto const r = http_client().send(get(server.url()));
  REQUIRE_FALSE(r);
  CHECK(r.error().is(errc::limit_reached));
  CHECK(server.server->stats().requests == 6);
}

TEST_CASE("a target that a peer chose does not lead inside, whatever its spelling", "[unit]") {
  running_server server(tell);
  auto const port = std::to_string(server.port());
  http_client const strict({.addresses = address_rule::global});
  for (auto const& host :
       {"127.0.0.1", "localhost", "sub.localhost", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"}) {
    auto const r = strict.send(get("http://" + std::string(host) + ":" + port + "/"));
    REQUIRE_FALSE(r);
    CHECK(r.error().is(errc::denied));
  }
  CHECK(server.server->stats().accepted == 0);
  http_client const loopback({.addresses = address_rule::global_or_loopback});
  CHECK(loopback.send(get(server.url())).has_value());
  for (auto const& host : {"169.254.169.254", "10.0.0.1", "192.168.0.1", "[fd00::1]", "0.0.0.0"}) {
    auto const r = loopback.send(get("http://" + std::string(host) + ":" + port + "/"));
    REQUIRE_FALSE(r);
    CHECK(r.error().is(errc::denied));
  }
  // A kept connection of a laxer request is not used, and a redirect is checked too.
  http_client const lax;
  REQUIRE(lax.send(get(server.url())));
  http_request checked{.url = server.url(), .addresses = address_rule::global};
  CHECK(lax.send(std::move(checked)).error().is(errc::denied));
  running_server inward([](http_exchange& e) -> task<void> {
    http_fields to;
    to.set("Location", "http://169.254.169.254/latest/meta-data");
    e.reply(302, std::move(to), "");
    co_return;
  });
  CHECK(loopback.send(get(inward.url())).error().is(errc::denied));
}

TEST_CASE("http can be forbidden, but for the own machine", "[unit]") {
  running_server server(tell);
  http_client const client({.plain_http = false});
  CHECK(client.send(get(server.url())).has_value());
  CHECK(client.send(get("http://example.com/")).error().is(errc::denied));
}

TEST_CASE("a field, method or URL that cannot be sent is told before anything is sent", "[unit]") {
  http_client const client;
  auto split = get("http://127.0.0.1:1/");
  split.fields.set("X", "a\r\nY: b");
  CHECK(client.send(std::move(split)).error().is(errc::invalid_argument));
  CHECK(
      client.send({.method = "GET /x HTTP/1.1\r\n", .url = "http://127.0.0.1:1/"}).error().is(errc::invalid_argument));
  CHECK(client.send(get("file:///etc/passwd")).error().is(errc::invalid_argument));
  auto const nobody = client.send(get("http://127.0.0.1:1/"));
  REQUIRE_FALSE(nobody);
  CHECK(nobody.error().is(errc::io_failed));
  CHECK(nobody.error().retryable);
  CHECK(client.stats().open == 0);
}

TEST_CASE("the environment names no proxy, the options may", "[unit]") {
  running_server server(tell);
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  CHECK(http_client().send(get(server.url())).has_value());
  ::unsetenv("http_proxy");
  http_client const through({.proxy = server.url()});
  auto const r = through.send(get("http://somewhere.example:81/x?y"));
  // The host check of our own server says 403, which shows that the request came to it.
  REQUIRE(r);
  CHECK(r->status == 403);
}

// ---------------------------------------------------------------- TLS

TEST_CASE("a server's certificate must be signed by somebody trusted, and name the host", "[unit]") {
  auto const authority = make_certificate("DNS:authority");
  auto const own = make_certificate("DNS:localhost,IP:127.0.0.1", &authority);
  auto const tls = std::make_shared<tls_server_options const>(
      tls_server_options{.certificate_chain = own.certificate, .private_key = own.key});
  running_server server(tell, {.tls = tls});
  http_client const client({.certificate_authorities = authority.certificate, .system_authorities = false});
  std::string const port = std::to_string(server.port());
  CHECK(server.url().starts_with("https://"));
  for (int i = 0; i < 3; ++i) {
    auto const r = client.send(post("https://localhost:" + port + "/x", std::string(200'000, 'b')));
    REQUIRE(r);
    CHECK(std::count(r->body.begin(), r->body.end(), 'b') == 200'000);
  }
  CHECK(client.stats().connected == 1);
  CHECK(client.send(get("https://127.0.0.1:" + port + "/")).has_value());

  auto const stranger = http_client().send(get("https://localhost:" + port + "/"));
  REQUIRE_FALSE(stranger);
  CHECK(stranger.error().is(errc::io_failed));
  CHECK(stranger.error().message.find("certificate") != std::string::npos);
  CHECK(http_client({.verify_certificates = false}).send(get("https://localhost:" + port + "/")).has_value());

  auto const misnamed = client.send(get("https://other.localhost:" + port + "/"));
  REQUIRE_FALSE(misnamed);
  CHECK(misnamed.error().message.find("ostname mismatch") != std::string::npos);

  auto const plain = client.send(get("http://localhost:" + port + "/"));
  CHECK_FALSE(plain);
  raw_client silent(server.port());
  silent.send("not a handshake at all, but long enough to be read as one");
  silent.until_end();
  CHECK(client.send(get("https://localhost:" + port + "/")).has_value());
}

TEST_CASE("a secure server is reached through a proxy's tunnel, which learns its name and nothing else", "[unit]") {
  auto const authority = make_certificate("DNS:authority");
  auto const own = make_certificate("DNS:localhost", &authority);
  auto const tls = std::make_shared<tls_server_options const>(
      tls_server_options{.certificate_chain = own.certificate, .private_key = own.key});
  running_server server(tell, {.tls = tls});
  std::string const host = "localhost:" + std::to_string(server.port());
  std::string asked, moved;
  std::optional<http_response> seen;
  {
    scripted_peer proxy([&](raw_client& c) {
      asked = c.until("\r\n\r\n");
      raw_client onward(server.port());
      c.send("HTTP/1.1 200 Connection established\r\nVia: here\r\n\r\n");
      for (;;) {
        pollfd p[2] = {{.fd = c.fd(), .events = POLLIN, .revents = 0},
                       {.fd = onward.fd(), .events = POLLIN, .revents = 0}};
        if (::poll(p, 2, 5000) <= 0) return;
        for (int i = 0; i < 2; ++i) {
          if (p[i].revents == 0) continue;
          char bytes[4096];
          auto const n = ::recv(p[i].fd, bytes, sizeof bytes, 0);
          if (n <= 0) return;
          moved.append(bytes, static_cast<std::size_t>(n));
          (i == 0 ? onward : c).send({bytes, static_cast<std::size_t>(n)});
        }
      }
    });
    http_client const client(
        {.certificate_authorities = authority.certificate, .system_authorities = false, .proxy = proxy.url()});
    for (int i = 0; i < 3; ++i) {  // the tunnel is kept like any connection
      auto request = post("https://" + host + "/x", "for the server alone");
      request.fields.set("Authorization", "Bearer secret");
      auto r = client.send(std::move(request));
      INFO((r ? std::string() : to_string(r.error())));
      REQUIRE(r);
      seen = std::move(*r);
    }
    CHECK(client.stats().connected == 1);
  }
  CHECK(seen->status == 200);
  CHECK(seen->body.find("Bearer secret") != std::string::npos);
  CHECK(asked == "CONNECT " + host + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
  CHECK(moved.find("secret") == std::string::npos);
  CHECK(moved.find("for the server alone") == std::string::npos);
}

TEST_CASE("a proxy that opens no tunnel, or something else than one, is told", "[unit]") {
  auto const through = [](std::string answer) {
    scripted_peer proxy([answer](raw_client& c) {
      c.until("\r\n\r\n");
      c.send(answer);
      c.until_end();
    });
    http_client const client({.connect_time = 300ms, .proxy = proxy.url()});
    auto const r = client.send(get("https://localhost:1/"));
    REQUIRE_FALSE(r);
    CHECK(client.stats().open == 0);
    return r.error();
  };
  auto const refused = through("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
  CHECK(refused.is(errc::io_failed));
  CHECK(refused.message.find("407") != std::string::npos);
  // A proxy that answers in the server's place: its bytes are no TLS.
  auto const posed = through("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
  CHECK_FALSE(posed.is(errc::deadline_exceeded));
  CHECK(through("").is(errc::deadline_exceeded));
}

TEST_CASE("a key that does not fit the certificate is told at the start", "[unit]") {
  auto const a = make_certificate("DNS:a"), b = make_certificate("DNS:b");
  loop_thread loop;
  for (auto const& key : {b.key, std::string("nonsense"), std::string()}) {
    auto const tls = std::make_shared<tls_server_options const>(
        tls_server_options{.certificate_chain = a.certificate, .private_key = key});
    auto const made = http_server::start(loop.executor(), {.tls = tls}, tell);
    REQUIRE_FALSE(made);
    CHECK(made.error().is(errc::invalid_argument));
  }
}

// ---------------------------------------------------------------- hangs

TEST_CASE("every way a server can hang ends on time with its own error", "[unit]") {
  // The peer holds the connection until the client has given up.
  auto const hold = [](raw_client& c) { c.until_end(); };
  auto const play = [&](std::string first) {
    return [first, hold](raw_client& c) {
      c.until("\r\n\r\n");
      c.send(first);
      hold(c);
    };
  };
  http_client const client({.response_time = 150ms, .read_time = 150ms, .total_time = 300ms});
  auto const ends_with = [&](std::function<void(raw_client&)> script, errc code, std::chrono::milliseconds least,
                             std::chrono::milliseconds most) {
    scripted_peer peer(std::move(script));
    took t;
    auto const r = client.send(get(peer.url()));
    auto const ms = t.ms();
    REQUIRE_FALSE(r);
    INFO(to_string(r.error()));
    CHECK(r.error().is(code));
    CHECK(ms >= least);
    CHECK(t.within(most));
    CHECK(client.stats().open == 0);
  };
  SECTION("says nothing") { ends_with(play(""), errc::deadline_exceeded, 145ms, 200ms); }
  SECTION("says half a head") { ends_with(play("HTTP/1.1 200 OK\r\nX: "), errc::deadline_exceeded, 145ms, 200ms); }
  SECTION("says half a body") {
    ends_with(play(std::string(status_and_length) + "10\r\n\r\nhalf"), errc::deadline_exceeded, 145ms, 350ms);
  }
  SECTION("trickles") {
    auto trickle = [](raw_client& c) {
      c.until("\r\n\r\n");
      c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      for (;;) {
        if (!c.send("1\r\nx\r\n")) return;
        pollfd p{.fd = c.fd(), .events = POLLIN, .revents = 0};
        if (::poll(&p, 1, 20) > 0) return;
      }
    };
    ends_with(trickle, errc::deadline_exceeded, 295ms, 350ms);
  }
  SECTION("never reads") {
    scripted_peer peer([](raw_client& c) {
      pollfd p{.fd = c.fd(), .events = POLLHUP, .revents = 0};
      ::poll(&p, 1, 400);
    });
    auto request = post(peer.url(), std::string(32u << 20, 'x'));
    took t;
    auto const r = client.send(std::move(request));
    REQUIRE_FALSE(r);
    CHECK(r.error().is(errc::deadline_exceeded));
    CHECK(t.within(220ms));
  }
  SECTION("goes at once") {
    ends_with([](raw_client& c) { c.reset(); }, errc::io_failed, 0ms, 100ms);
  }
  SECTION("goes in the middle of a head") {
    ends_with(
        [](raw_client& c) {
          c.until("\r\n\r\n");
          c.send("HTTP/1.1 200");
        },
        errc::io_failed, 0ms, 100ms);
  }
  SECTION("goes in the middle of a body") {
    ends_with(
        [](raw_client& c) {
          c.until("\r\n\r\n");
          c.send(std::string(status_and_length) + "10\r\n\r\nhalf");
        },
        errc::io_failed, 0ms, 100ms);
  }
  SECTION("speaks something else") { ends_with(play("SSH-2.0-x\r\n\r\n"), errc::parse_error, 0ms, 100ms); }
  SECTION("changes the protocol") { ends_with(play("HTTP/1.1 101 Go\r\n\r\n"), errc::parse_error, 0ms, 100ms); }
  SECTION("never comes to the point") {
    std::string provisional;
    for (int i = 0; i < 40; ++i) provisional += "HTTP/1.1 103 Hints\r\n\r\n";
    ends_with(play(provisional), errc::parse_error, 0ms, 100ms);
  }
  SECTION("has an endless head") {
    ends_with(
        [](raw_client& c) {
          c.until("\r\n\r\n");
          c.send("HTTP/1.1 200 OK\r\n");
          while (c.send("X-Long: " + std::string(1000, 'x') + "\r\n")) {
          }
        },
        errc::limit_reached, 0ms, 150ms);
  }
  SECTION("claims a body of a gibibyte and sends") {
    http_client const small({.body_bytes_max = 1u << 20});
    scripted_peer peer([](raw_client& c) {
      c.until("\r\n\r\n");
      c.send(std::string(status_and_length) + "1073741824\r\n\r\n");
      std::string const block(64u << 10, 'x');
      while (c.send(block)) {
      }
    });
    auto const r = small.send(get(peer.url()));
    REQUIRE_FALSE(r);
    CHECK(r.error().is(errc::limit_reached));
  }
}

TEST_CASE("a server that refuses a long request is heard although it hangs up", "[unit]") {
  running_server server(tell, {.body_bytes_max = 1000});
  http_client const client;
  auto const r = client.send(post(server.url(), std::string(3u << 20, 'x')));
  REQUIRE(r);
  CHECK(r->status == 413);
}

TEST_CASE("a deadline of the caller and a cancellation end a wait for an answer", "[unit]") {
  scripted_peer peer([](raw_client& c) { c.until_end(); }, 2);
  http_client const client;
  took t;
  auto const r = client.send(get(peer.url()), steady::now() + 80ms);
  REQUIRE_FALSE(r);
  CHECK(r.error().is(errc::deadline_exceeded));
  CHECK(t.within(130ms));

  asio::io_context loop;
  asio::cancellation_signal stop;
  result<http_response> seen = error{};
  auto body = [&](std::string url) -> task<void> {
    co_await asio::this_coro::throw_if_cancelled(false);
    auto request = get(std::move(url));
    seen = co_await client.async_send(std::move(request));
  };
  asio::co_spawn(loop, body(peer.url()), asio::bind_cancellation_slot(stop.slot(), [](std::exception_ptr) {}));
  asio::steady_timer timer(loop, 50ms);
  timer.async_wait([&](boost::system::error_code) { stop.emit(asio::cancellation_type::terminal); });
  loop.run();
  REQUIRE_FALSE(seen);
  CHECK(seen.error().is(errc::cancelled));
  CHECK(client.stats().open == 0);
}

TEST_CASE("a stream whose server is silent ends at the read's own deadline, and can be closed meanwhile", "[unit]") {
  running_server server([](http_exchange& e) -> task<void> {
    sse_channel const channel;
    co_await channel.async_serve(e);
  });
  auto read = [](std::string url, bool close) -> task<result<std::string>> {
    http_client const client;
    auto request = get(std::move(url));
    auto opened = co_await client.async_open(std::move(request));
    if (!opened) co_return opened.error();
    sse_stream events(std::move(*opened));
    asio::steady_timer timer(co_await asio::this_coro::executor, 50ms);
    if (close)
      timer.async_wait([&events](boost::system::error_code ec) {
        if (!ec) events.close();
      });
    auto const event = co_await events.async_next(steady::now() + (close ? 5s : 80ms));
    if (event) co_return std::string("an event");
    co_return event.error();
  };
  took t;
  CHECK(run_blocking(read(server.url(), false), "f", "async_f").error().is(errc::deadline_exceeded));
  CHECK(t.within(130ms));
  CHECK(run_blocking(read(server.url(), true), "f", "async_f").error().is(errc::cancelled));
  CHECK(t.within(260ms));
}

TEST_CASE("connections beyond the bound are refused, kept ones make room", "[unit]") {
  running_server a(tell), b(tell);
  http_client const client({.connections_max = 1});
  REQUIRE(client.send(get(a.url())));
  REQUIRE(client.send(get(b.url())));  // the kept connection to a makes room
  auto two = [](http_client c, std::string url) -> task<result<int>> {
    auto first = get(url), second = get(url);
    auto one = co_await c.async_open(std::move(first));
    if (!one) co_return one.error();
    auto other = co_await c.async_open(std::move(second));
    if (!other) co_return other.error();
    co_return 2;
  };
  CHECK(run_blocking(two(client, a.url()), "f", "async_f").error().is(errc::queue_full));
  CHECK(client.stats().open == 0);
}

TEST_CASE("many requests leave no descriptor behind", "[unit]") {
  running_server server(tell);
  REQUIRE(http_client().send(get(server.url())));  // this thread's own loop is made once
  auto const before = open_descriptors();
  {
    http_client const client({.idle_connections_max = 2});
    for (int i = 0; i < 200; ++i) REQUIRE(client.send(get(server.url())));
    auto many = [](http_client c, std::string url) -> task<result<void>> {
      std::vector<http_stream> open;
      for (int i = 0; i < 20; ++i) {
        auto request = get(url);
        auto stream = co_await c.async_open(std::move(request));
        if (!stream) co_return stream.error();
        open.push_back(std::move(*stream));
      }
      for (auto& s : open) {
        auto rest = co_await s.async_rest(10'000);
        if (!rest) co_return rest.error();
      }
      co_return result<void>{};
    };
    CHECK(run_blocking(many(client, server.url()), "f", "async_f"));
    CHECK(client.stats().idle == 2);
    CHECK(client.stats().open == 2);
  }
  took t;
  while (open_descriptors() > before && t.ms() < 2s) std::this_thread::yield();
  CHECK(open_descriptors() <= before);
}
