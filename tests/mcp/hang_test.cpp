// Peers that stop, trickle, die, flood or talk nonsense. A call ends by its deadline with an error that says what
// happened, and other calls go on.

#include "../support/http_loop.hpp"

#include <wherry/mcp/client.hpp>
#include <wherry/mcp/serve.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <csignal>
#include <fstream>
#include <map>
#include <mutex>
#include <vector>

#include <fcntl.h>

using namespace wherry;
using namespace wherry_test;
using namespace std::chrono_literals;

namespace {

/// Beyond a call's deadline, on a machine that wakes its threads in time; what ThreadSanitizer slows down is not timed.
#ifdef __SANITIZE_THREAD__
constexpr auto slack = 2'000ms;
#else
constexpr auto slack = 50ms;
#endif

/// Of a call whose end is its deadline, and of one that ends by itself however busy the machine is.
constexpr std::chrono::milliseconds time_for(errc code) { return code == errc::deadline_exceeded ? 500ms : 20'000ms; }

/// A server of 2026-07-28 that answers the tool "good" and does to every other call what the call's name says.
class hostile_server {
 public:
  using deed = std::function<void(raw_client&, std::string const& id)>;

  explicit hostile_server(std::map<std::string, deed> deeds)
      : deeds_(std::move(deeds)), fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    if (::bind(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 || ::listen(fd_, 128) != 0 ||
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size) != 0)
      throw std::runtime_error("listen failed");
    port_ = ntohs(at.sin_port);
    accepting_ = std::thread([this] { accept(); });
  }
  ~hostile_server() {
    ::shutdown(fd_, SHUT_RDWR);
    accepting_.join();
    {
      std::lock_guard const lock(mutex_);
      for (auto const& c : connections_) c->shut_down();
    }
    for (auto& t : threads_) t.join();
    ::close(fd_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/mcp"; }

  static std::string result(std::string const& id) {
    return R"({"jsonrpc":"2.0","id":)" + id +
           R"(,"result":{"content":[{"type":"text","text":"good"}],"resultType":"complete"}})";
  }
  static std::string head(std::string_view type, std::string_view rest) {
    return "HTTP/1.1 200 OK\r\nContent-Type: " + std::string(type) + "\r\n" + std::string(rest) + "\r\n";
  }

 private:
  void accept() {
    for (;;) {
      int const fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      std::lock_guard const lock(mutex_);
      connections_.push_back(std::make_unique<raw_client>(raw_client::adopt{fd}));
      threads_.emplace_back([this, c = connections_.back().get()] { serve(*c); });
    }
  }

  void serve(raw_client& c) {
    for (;;) {
      auto const header = c.until("\r\n\r\n");
      if (!header.ends_with("\r\n\r\n")) return;
      auto const tool = after(header, "Mcp-Name: ", "\r");
      if (tool == "never_reads") return;
      auto const body = c.until("}}}}");  // of the capabilities, behind everything that is looked at here
      auto const id = after(body, R"("id":)", ",");
      if (auto const at = deeds_.find(tool); at != deeds_.end()) return at->second(c, id);
      auto const text = result(id);
      if (!c.send(head("application/json", "Content-Length: " + std::to_string(text.size()) + "\r\n") + text)) return;
    }
  }

  static std::string after(std::string const& text, std::string_view mark, std::string_view end) {
    auto const at = text.find(mark);
    if (at == std::string::npos) return {};
    auto const from = at + mark.size();
    return text.substr(from, text.find_first_of(end, from) - from);
  }

  std::map<std::string, deed> deeds_;
  int fd_;
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  std::vector<std::unique_ptr<raw_client>> connections_;
  std::vector<std::thread> threads_;
  std::thread accepting_;
};

std::size_t peak_memory_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::size_t kib = 0;
    if (word == "VmHWM:" && status >> kib) return kib / 1024;
  }
  return 0;
}

using deed = hostile_server::deed;
void hold(raw_client& c) { c.until_end(); }

deed says(std::string text, bool then_holds = true) {
  return [text, then_holds](raw_client& c, std::string const&) {
    c.send(text);
    if (then_holds)
      hold(c);
    else
      c.close();
  };
}
deed begins_answer(std::string before, bool then_holds) {
  return [before, then_holds](raw_client& c, std::string const& id) {
    c.send(before + hostile_server::result(id).substr(0, 50));
    if (then_holds)
      hold(c);
    else
      c.close();
  };
}
deed floods(std::string before, std::string block) {
  return [before, block](raw_client& c, std::string const&) {
    bool taken = c.send(before);
    for (std::size_t sent = 0; taken && sent < std::size_t{1} << 30; sent += block.size()) taken = c.send(block);
    hold(c);
  };
}
deed trickles(std::string before, std::string drop) {
  return [before, drop](raw_client& c, std::string const&) {
    c.send(before);
    for (;;) {
      pollfd p{.fd = c.fd(), .events = POLLIN, .revents = 0};
      if (!c.send(drop) || ::poll(&p, 1, 20) > 0) return;
    }
  };
}

struct outcome {
  errc code;
  std::string message;
  bool in_time = false;
};

outcome of(result<mcp::call_result> const& r, bool in_time) {
  if (r) return {errc::unsupported, "it succeeded", in_time};
  for (auto const code : {errc::deadline_exceeded, errc::io_failed, errc::limit_reached, errc::parse_error,
                          errc::cancelled, errc::queue_full})
    if (r.error().is(code)) return {code, r.error().message, in_time};
  return {errc::unsupported, to_string(r.error()), in_time};
}

outcome call(mcp::client const& c, std::string tool, std::chrono::milliseconds call_time, std::string argument = "x") {
  mcp::request_options options;
  options.time = call_time;
  took t;
  auto const r = c.call(std::move(tool), raw_json{R"({"a":{"b":")" + argument + R"("}})"}, options);
  bool const in_time = t.within(call_time + slack);
  return of(r, in_time);
}

bool good(mcp::client const& c) {
  auto const r = c.call("good", raw_json{R"({"a":{"b":"x"}})"});
  if (!r) UNSCOPED_INFO(to_string(r.error()));
  return r && !r->failed;
}

mcp::client_options pinned() {
  mcp::client_options o;
  o.revision = "2026-07-28";
  return o;
}

}  // namespace

TEST_CASE("over HTTP every misfortune ends its call by the deadline, and others go on", "[mcp][robustness]") {
  std::string const json = "application/json", events = "text/event-stream", chunked = "Transfer-Encoding: chunked\r\n";
  std::string const close = "Connection: close\r\n";  // or the next call would be met with silence there
  auto const head = hostile_server::head;
  struct misfortune {
    char const* name;
    errc code;
    deed what;
  };
  std::string const nested = std::string(100'000, '[') + std::string(100'000, ']');
  std::string const block(256u << 10, 'x');
  std::vector<misfortune> const all{
      {"silent", errc::deadline_exceeded, says("")},
      {"half_head", errc::deadline_exceeded, says("HTTP/1.1 200 OK\r\nX: ")},
      {"half_body", errc::deadline_exceeded, begins_answer(head(json, "Content-Length: 5000\r\n"), true)},
      {"half_event", errc::deadline_exceeded, begins_answer(head(events, "") + "event: message\ndata: ", true)},
      {"trickling_head", errc::deadline_exceeded, trickles("HTTP/1.1 200 OK\r\nX: ", "x")},
      {"trickling_body", errc::deadline_exceeded, trickles(head(json, "Content-Length: 50000\r\n"), " ")},
      {"trickling_events", errc::deadline_exceeded, trickles(head(events, ""), ": still here\n\n")},
      {"endless_progress", errc::deadline_exceeded,
       trickles(head(events, ""),
                "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{}}\n\n")},
      {"dies_in_head", errc::io_failed, says("HTTP/1.1 20", false)},
      {"dies_in_body", errc::io_failed, begins_answer(head(json, "Content-Length: 5000\r\n"), false)},
      {"dies_in_event", errc::io_failed, begins_answer(head(events, "") + "event: message\ndata: ", false)},
      {"resets", errc::io_failed, [](raw_client& c, std::string const&) { c.reset(); }},
      {"gibibyte_body", errc::limit_reached, floods(head(json, "Content-Length: 1073741824\r\n"), block)},
      {"gibibyte_chunked", errc::limit_reached, floods(head(json, chunked), "40000\r\n" + block + "\r\n")},
      {"gibibyte_event", errc::limit_reached, floods(head(events, "") + "data: ", block)},
      {"gibibyte_head", errc::limit_reached, floods("HTTP/1.1 200 OK\r\nX: ", block)},
      {"nested_body", errc::parse_error,
       says(head(json, close + "Content-Length: " + std::to_string(nested.size()) + "\r\n") + nested)},
      {"nested_event", errc::parse_error, says(head(events, "") + "data: " + nested + "\n\n")},
      {"no_json", errc::parse_error, says(head(json, close + "Content-Length: 5\r\n") + "hello")},
      {"no_http", errc::parse_error, says("SSH-2.0-x\r\n\r\n")},
      {"stranger", errc::parse_error,
       [&](raw_client& c, std::string const&) {
         auto const text = hostile_server::result("\"nobody\"");
         c.send(head(json, close + "Content-Length: " + std::to_string(text.size()) + "\r\n") + text);
         hold(c);
       }},
  };
  std::map<std::string, deed> deeds;
  for (auto const& m : all) deeds[m.name] = m.what;
  hostile_server server(std::move(deeds));
  mcp::http_server_address to;
  to.url = server.url();
  auto const c = mcp::client::connect(to, pinned());
  REQUIRE(c);
  REQUIRE(good(*c));

  std::map<std::string, outcome> ends;
  std::mutex mutex;
  std::vector<std::thread> callers;
  auto const start = [&](std::string name, errc code, std::string argument = "x") {
    callers.emplace_back([&, name, code, argument] {
      auto end = call(*c, name, time_for(code), argument);
      std::lock_guard const lock(mutex);
      ends[name] = std::move(end);
    });
  };
  for (auto const& m : all) start(m.name, m.code);
  std::size_t went_on = 0;
  for (int i = 0; i < 20; ++i) went_on += good(*c) ? 1 : 0;
  for (auto& t : callers) t.join();
  CHECK(went_on == 20);
  for (auto const& m : all) {
    INFO(m.name << ": " << ends[m.name].message);
    CHECK(to_string(ends[m.name].code) == to_string(m.code));
    CHECK(ends[m.name].in_time);
  }
  auto const unread = call(*c, "never_reads", 500ms, std::string(4u << 20, 'x'));
  CHECK(to_string(unread.code) == to_string(errc::deadline_exceeded));
  CHECK(unread.in_time);
  CHECK(good(*c));
  CHECK(peak_memory_mib() < 700);  // three gibibytes were on offer
}

TEST_CASE("a server that does not complete its connections is given up at the deadline", "[mcp][robustness]") {
  // The queue of those who wait to be accepted is full: the kernel answers nobody any more.
  int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
  REQUIRE(::listen(fd, 0) == 0);
  REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) == 0);
  std::vector<int> waiting;
  for (int i = 0; i < 8; ++i) {
    waiting.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ::connect(waiting.back(), reinterpret_cast<sockaddr*>(&at), sizeof at);
  }
  mcp::http_server_address to;
  to.url = "http://127.0.0.1:" + std::to_string(ntohs(at.sin_port)) + "/mcp";
  auto const c = mcp::client::connect(to, pinned());
  REQUIRE(c);
  auto const end = call(*c, "any", 500ms);
  INFO(end.message);
  CHECK(to_string(end.code) == to_string(errc::deadline_exceeded));
  CHECK(end.in_time);
  for (int const w : waiting) ::close(w);
  ::close(fd);
}

TEST_CASE("a child that misbehaves ends its calls by the deadline, and its death is told", "[mcp][robustness]") {
  struct misfortune {
    char const* name;
    errc code;
    bool others_go_on;
    bool connection_survives;
  };
  auto const m = GENERATE(misfortune{"silent", errc::deadline_exceeded, true, true},
                          misfortune{"stops_reading", errc::deadline_exceeded, false, false},
                          misfortune{"trickles", errc::deadline_exceeded, false, false},
                          misfortune{"dies", errc::io_failed, false, false},
                          misfortune{"gibibyte", errc::limit_reached, false, false},
                          misfortune{"nested", errc::deadline_exceeded, true, true},
                          misfortune{"stranger", errc::deadline_exceeded, true, true},
                          misfortune{"asks_for_ever", errc::deadline_exceeded, true, true});
  mcp::stdio_server to;
  to.command = {std::string(WHERRY_BIN_DIR) + "/mcp_hostile_server"};
  auto const c = mcp::client::connect(to, pinned());
  REQUIRE(c);
  REQUIRE(good(*c));
  INFO(m.name);
  outcome end, beside;
  std::thread caller([&] { end = call(*c, m.name, time_for(m.code)); });
  if (m.others_go_on) {
    for (int i = 0; i < 10; ++i) CHECK(good(*c));
  } else {
    std::this_thread::sleep_for(20ms);  // the misfortune has begun; a large message finds nobody who reads it
    beside = call(*c, "good", time_for(m.code), std::string(4u << 20, 'x'));
    INFO(beside.message);
    CHECK(beside.message != "it succeeded");
    CHECK(beside.code != errc::unsupported);
    CHECK(beside.in_time);
  }
  caller.join();
  INFO(end.message);
  CHECK(to_string(end.code) == to_string(m.code));
  CHECK(end.in_time);
  if (m.connection_survives) CHECK(good(*c));
  if (m.code == errc::io_failed) CHECK(end.message.find("out of luck") != std::string::npos);
}

TEST_CASE("lines that are no messages are passed over", "[mcp][robustness]") {
  mcp::stdio_server to;
  to.command = {std::string(WHERRY_BIN_DIR) + "/mcp_hostile_server"};
  auto const c = mcp::client::connect(to, pinned());
  REQUIRE(c);
  auto const r = c->call("noise", raw_json{"{}"});
  INFO((r ? std::string() : to_string(r.error())));
  CHECK(r);
}

namespace {

/// An endpoint with short limits on a loop of its own.
struct endpoint_thread {
  explicit endpoint_thread(mcp::server s) {
    loop.on_loop([&] {
      mcp::http_endpoint_options options;
      options.http.request_time = 300ms;
      options.http.write_time = 300ms;
      options.http.idle_time = 2'000ms;
      auto made = mcp::http_endpoint::start(loop.executor(), std::move(s), std::move(options));
      if (!made) throw std::runtime_error(to_string(made.error()));
      endpoint.emplace(std::move(*made));
    });
  }
  ~endpoint_thread() {
    loop.await(endpoint->async_stop(0ms));
    loop.on_loop([&] { endpoint.reset(); });
  }
  loop_thread loop;
  std::optional<mcp::http_endpoint> endpoint;
};

std::string post_head(std::size_t length) {
  return "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: application/json, "
         "text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: chatty\r\n"
         "Content-Length: " +
         std::to_string(length) + "\r\n\r\n";
}

}  // namespace

TEST_CASE("a server lets go of clients that misbehave, and serves the others meanwhile", "[mcp][robustness]") {
  mcp::server s{"s", "1"};
  s.add(mcp::tool("good", "", {"a"}, [](std::map<std::string, std::string>) { return "good"; }).reads().inline_run());
  s.add(mcp::tool("chatty", "Says more than anybody reads.", [](mcp::context c) -> task<std::string> {
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
    std::string const news(16'000, 'x');
    for (int i = 1; i < 100'000; ++i) {
      c.progress(i, std::nullopt, news);
      timer.expires_after(1ms);
      co_await timer.async_wait(boost::asio::use_awaitable);
    }
    co_return "";
  }));
  endpoint_thread server(std::move(s));
  auto const port = server.endpoint->port();
  auto const connections = [&] { return server.loop.on_loop([&] { return server.endpoint->stats().connections; }); };
  std::string const chatty =
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"chatty","arguments":{},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"progressToken":1}}})";
  std::string const nested = std::string(100'000, '[') + std::string(100'000, ']');

  std::vector<std::unique_ptr<raw_client>> hostile;
  auto const play = [&](std::string const& text) {
    hostile.push_back(std::make_unique<raw_client>(port));
    hostile.back()->send(text);
  };
  for (int i = 0; i < 8; ++i) {
    play("");                                                            // says nothing
    play("POST /mcp HT");                                                // half a head
    play(post_head(5000) + chatty.substr(0, 50));                        // half a body
    play(post_head(chatty.size()) + chatty);                             // never reads what it asked for
    play(post_head(nested.size()) + nested);                             // 100,000 arrays
    play(post_head(std::size_t{1} << 30) + std::string(1u << 20, ' '));  // a gibibyte
  }
  std::atomic<bool> done{false};
  std::thread trickler([&] {
    raw_client slow(port);
    for (char const ch : post_head(50'000) + std::string(50'000, ' ')) {
      if (done || !slow.send({&ch, 1})) return;
      std::this_thread::sleep_for(10ms);
    }
  });
  mcp::http_server_address to;
  to.url = server.endpoint->url();
  auto const c = mcp::client::connect(to, pinned());
  REQUIRE(c);
  int went_on = 0;
  for (int i = 0; i < 200; ++i) went_on += good(*c) ? 1 : 0;
  CHECK(went_on == 200);
  // All of the hostile are let go; what is left is the good client's, and soon not even that.
  took gone;
  while (connections() > 1 && gone.within(6'000ms)) std::this_thread::sleep_for(20ms);
  CHECK(connections() <= 1);
  done = true;
  trickler.join();
  CHECK(good(*c));
}

TEST_CASE("a stdio server whose client does not read ends with an error, not never", "[mcp][robustness]") {
  std::signal(SIGPIPE, SIG_IGN);
  int to_server[2], to_client[2];
  REQUIRE(::pipe(to_server) == 0);
  REQUIRE(::pipe(to_client) == 0);
  mcp::server s{"s", "1"};
  s.add(mcp::tool("echo", "", {"message"}, [](std::string m) { return m; }).reads().inline_run());
  mcp::stdio_options options{.input = to_server[0], .output = to_client[1]};
  options.write_time = 200ms;
  loop_thread loop;
  auto served = std::async(std::launch::async, [&] { return loop.await(mcp::async_serve_stdio(s, options)); });
  std::string const line =
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":")" +
      std::string(50'000, 'x') +
      R"("},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}})" +
      "\n";
  ::fcntl(to_server[1], F_SETFL, O_NONBLOCK);
  took t;
  for (int i = 0; i < 400; ++i) {
    std::string_view rest = line;
    while (!rest.empty()) {
      auto const n = ::write(to_server[1], rest.data(), rest.size());
      if (n > 0) {
        rest.remove_prefix(static_cast<std::size_t>(n));
        continue;
      }
      if (served.wait_for(1ms) == std::future_status::ready) break;
      if (!t.within(3'000ms)) break;
    }
  }
  REQUIRE(served.wait_for(3s) == std::future_status::ready);
  auto const end = served.get();
  REQUIRE_FALSE(end);
  INFO(to_string(end.error()));
  CHECK(end.error().is(errc::deadline_exceeded));
  for (int const fd : {to_server[0], to_server[1], to_client[0], to_client[1]}) ::close(fd);
}
