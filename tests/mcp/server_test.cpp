#include "server_peer.hpp"

#include <wherry/mcp/server.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <stdexcept>

using namespace wherry;
using namespace std::chrono_literals;
using wherry_test::server_peer;
namespace view = wherry::mcp::detail;

namespace {

struct sum_of {
  double sum = 0;
};
struct named {
  std::string name;
  std::optional<std::string> greeting;
};
struct person {
  std::string name;
  std::optional<int> age;
};

std::string echo(std::string message) { return message; }
sum_of add(double a, double b) { return {a + b}; }
std::string greet(named const& in) { return in.greeting.value_or("Hello") + ", " + in.name; }

mcp::server basic() {
  mcp::server s{"test", "1.0"};
  s.add(mcp::tool("echo", "Says it back.", {"message"}, echo).reads().inline_run());
  s.add(mcp::tool("add", "Adds.", {"a", "b"}, add).reads().inline_run());
  s.add(wherry::tool("greet", "Greets.", greet).reads().inline_run());
  return s;
}

task<result<std::string>> ask_name(mcp::context c) {
  auto const who = co_await c.elicit<person>("Who are you?", "who");
  if (!who) co_return who.error();
  if (!*who) co_return std::string("nobody");
  co_return "Hello, " + who->content->name;
}

constexpr auto all_capabilities = R"({"elicitation":{},"sampling":{},"roots":{}})";
constexpr auto accept_ada = R"({"action":"accept","content":{"name":"Ada"}})";

}  // namespace

TEST_CASE("a tool is listed with its schemas in the order of names, in both eras", "[mcp]") {
  server_peer p(basic());
  auto const modern = p.ask("tools/list");
  auto const tools = modern->result("tools");
  CHECK(tools.find("\"add\"") < tools.find("\"echo\""));
  CHECK(tools.find("\"echo\"") < tools.find("\"greet\""));
  CHECK(tools.find(R"("outputSchema":{"type":"object","properties":{"sum")") != std::string::npos);
  CHECK(modern->result("ttlMs") == "0");
  CHECK(modern->result("cacheScope") == "\"private\"");
  CHECK(modern->result("resultType") == "\"complete\"");
  CHECK(modern->result("_meta").find("serverInfo") != std::string::npos);

  p.initialize();
  auto const old = p.old("tools/list");
  CHECK(old->result("tools") == tools);
  CHECK(old->result("ttlMs").empty());
  CHECK(old->result("resultType").empty());
}

TEST_CASE("a revision without structured results gets neither schema nor value of them", "[mcp]") {
  server_peer p(basic());
  p.initialize("{}", "2025-03-26");
  CHECK(p.old("tools/list")->result("tools").find("outputSchema") == std::string::npos);
  auto const r = p.old("tools/call", R"("name":"add","arguments":{"a":1,"b":2})");
  CHECK(r->text() == R"({"sum":3.0})");
  CHECK(r->result("structuredContent").empty());
}

TEST_CASE("a call gives both halves of its result", "[mcp]") {
  server_peer p(basic());
  auto const r = p.ask("tools/call", R"("name":"add","arguments":{"a":1.5,"b":2})");
  CHECK(r->text() == R"({"sum":3.5})");
  CHECK(r->result("structuredContent") == R"({"sum":3.5})");
  CHECK(p.ask("tools/call", R"("name":"greet","arguments":{"name":"you"})")->text() == "Hello, you");
}

TEST_CASE("a typed tool of the tools room has an output schema and structured results, in both eras", "[mcp]") {
  mcp::server s{"test", "1.0"};
  s.add(wherry::tool("sum", "Adds.", {"a", "b"}, add).reads().inline_run());
  s.add(wherry::tool("sum_later", "Adds.", {"a", "b"}, [](double a, double b) -> task<sum_of> {
          co_return sum_of{a + b};
        }).reads());
  s.add(wherry::tool("text", "Says.", [] { return std::string("{}"); }).reads().inline_run());
  s.add(wherry::tool("count", "Counts.", [] { return 3; }).reads().inline_run());
  auto const listed = [](std::string const& tools, std::string_view name) {
    std::string found;
    view::each_item(tools, [&](std::string_view t) {
      if (view::string_member(t, "name") == name) found = std::string(view::member(t, "outputSchema"));
      return true;
    });
    return found;
  };
  auto const check_era = [&](auto const& ask, bool any_value) {
    auto const tools = ask("tools/list", "")->result("tools");
    CHECK(listed(tools, "sum") == wherry::schema_of<sum_of>().text);
    CHECK(listed(tools, "sum_later") == wherry::schema_of<sum_of>().text);
    CHECK(listed(tools, "text").empty());
    CHECK(listed(tools, "count") == (any_value ? wherry::schema_of<int>().text : ""));
    for (auto const* name : {"sum", "sum_later"}) {
      auto const r = ask("tools/call", std::string(R"("name":")") + name + R"(","arguments":{"a":1,"b":2.5})");
      CHECK(r->result("structuredContent") == R"({"sum":3.5})");
      CHECK(r->text() == R"({"sum":3.5})");
    }
    auto const text = ask("tools/call", R"("name":"text")");
    CHECK(text->text() == "{}");
    CHECK(text->result("structuredContent").empty());
    auto const count = ask("tools/call", R"("name":"count")");
    CHECK(count->text() == "3");
    CHECK(count->result("structuredContent") == (any_value ? "3" : ""));
  };
  server_peer modern(s);
  check_era(
      [&](std::string_view method, std::string params) {
        auto const r = modern.ask(method, std::move(params));
        modern.wait(*r);
        return r;
      },
      true);
  server_peer old(s);
  old.initialize();
  check_era(
      [&](std::string_view method, std::string params) {
        auto const r = old.old(method, std::move(params));
        old.wait(*r);
        return r;
      },
      false);
}

TEST_CASE("a result that its output schema does not allow is a failed one", "[mcp]") {
  mcp::server s{"test", "1.0"};
  auto const nan = [] { return sum_of{std::numeric_limits<double>::quiet_NaN()}; };
  s.add(wherry::tool("local", "", nan).reads().inline_run());
  s.add(mcp::tool("typed", "", nan).reads().inline_run());
  raw_json const schema{R"({"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]})"};
  s.add(mcp::tool("raw", "", {"text"}, [](std::string text) { return raw_json{std::move(text)}; })
            .output_schema(schema)
            .inline_run());
  s.add(mcp::tool("blocks", "", {"text"},
                  [](std::string text) {
                    return mcp::call_result{.content = {mcp::content::text("n")}, .structured = {std::move(text)}};
                  })
            .output_schema(schema)
            .inline_run());
  s.add(mcp::tool("free", "", {"text"}, [](std::string text) { return raw_json{std::move(text)}; }).inline_run());
  server_peer p(s);
  auto const call = [&](std::string_view name, std::string_view text) {
    return p.ask("tools/call",
                 R"("name":")" + std::string(name) + R"(","arguments":{"text":")" + std::string(text) + "\"}");
  };
  for (auto const* name : {"local", "typed"}) {
    auto const r = p.ask("tools/call", R"("name":")" + std::string(name) + '"');
    CHECK(r->result("isError") == "true");
    CHECK(r->result("structuredContent").empty());
    CHECK(r->text().find("does not fit its output schema at /sum") != std::string::npos);
  }
  for (auto const* name : {"raw", "blocks"}) {
    CHECK(call(name, R"({\"n\":1})")->result("structuredContent") == R"({"n":1})");
    CHECK(call(name, R"({\"n\":1.5})")->text().find("at /n") != std::string::npos);
    CHECK(call(name, R"({\"n\":)")->result("isError") == "true");
    CHECK(call(name, "")->result("isError") == "true");
  }
  CHECK(call("free", "[1]")->result("structuredContent") == "[1]");
  CHECK(call("free", "[1")->text().find("no JSON") != std::string::npos);
}

TEST_CASE("arguments that do not fit are a failed result that says where; an unknown tool is an error", "[mcp]") {
  server_peer p(basic());
  auto const r = p.ask("tools/call", R"("name":"echo","arguments":{"message":5})");
  CHECK(r->result("isError") == "true");
  CHECK(r->text() == "invalid arguments at /message: expected a string, found 5");
  auto const local = p.ask("tools/call", R"("name":"greet","arguments":{})");
  CHECK(local->result("isError") == "true");
  CHECK(p.ask("tools/call", R"("name":"nothing")")->error_code() == mcp::rpc_code::invalid_params);
  CHECK(p.ask("tools/call", R"("name":"echo","arguments":[])")->error_code() == mcp::rpc_code::invalid_params);
}

TEST_CASE("a handler's error and exception are results; an error of the protocol is one of the protocol", "[mcp]") {
  mcp::server s{"test", "1"};
  s.add(mcp::tool("fails", "",
                  [](mcp::context const&) -> result<std::string> { return error{errc::io_failed, "no disk"}; }));
  s.add(
      mcp::tool("throws", "", [](mcp::context const&) -> std::string { throw std::runtime_error("oh"); }).inline_run());
  s.add(mcp::tool("refuses", "", [](mcp::context const&) -> result<std::string> {
          return mcp::make_rpc_error(-32099, "not now", R"({"a":1})");
        }).inline_run());
  server_peer p(s);
  auto const failed = p.ask("tools/call", R"("name":"fails")");
  p.wait(*failed);
  CHECK(failed->result("isError") == "true");
  CHECK(failed->text() == "no disk");
  CHECK(p.ask("tools/call", R"("name":"throws")")->text() == "oh");
  auto const refused = p.ask("tools/call", R"("name":"refuses")");
  CHECK(refused->error_code() == -32099);
  CHECK(refused->error_data("a") == "1");
}

TEST_CASE("a stateless request that says too little about itself is refused", "[mcp]") {
  server_peer p(basic());
  auto const bare = p.send(R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}})");
  CHECK(bare->error_code() == mcp::rpc_code::invalid_params);
  CHECK(bare->status == 400);
  auto const no_capabilities = p.send(
      R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})");
  CHECK(no_capabilities->error_code() == mcp::rpc_code::invalid_params);
  auto const unknown = p.send(
      R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2999-01-01","io.modelcontextprotocol/clientCapabilities":{}}}})");
  CHECK(unknown->error_code() == mcp::rpc_code::unsupported_protocol_version);
  CHECK(unknown->error_data("supported") == R"(["2026-07-28"])");
  CHECK(unknown->error_data("requested") == "\"2999-01-01\"");
}

TEST_CASE("methods belong to their era", "[mcp]") {
  server_peer p(basic());
  for (auto const* gone : {"ping", "initialize", "logging/setLevel", "resources/subscribe", "tasks/list"}) {
    INFO(gone);
    auto const r = p.ask(gone);
    CHECK(r->error_code() == mcp::rpc_code::method_not_found);
    CHECK(r->status == 404);
  }
  p.initialize();
  CHECK(p.old("server/discover")->error_code() == mcp::rpc_code::method_not_found);
  CHECK(p.old("prompts/list")->error_code() == mcp::rpc_code::method_not_found);  // none are offered
  CHECK(view::member(p.old("ping")->last(), "result") == "{}");
  CHECK(view::member(p.old("logging/setLevel", R"("level":"info")")->last(), "result") == "{}");
}

TEST_CASE("the handshake agrees on a revision both speak", "[mcp]") {
  server_peer p(basic());
  CHECK(p.initialize("{}", "2024-11-05")->result("protocolVersion") == "\"2024-11-05\"");
  CHECK(p.initialize("{}", "2001-01-01")->result("protocolVersion") == "\"2025-11-25\"");
  CHECK(p.initialize("{}", "2026-07-28")->result("protocolVersion") == "\"2025-11-25\"");
}

TEST_CASE("discover tells revisions, capabilities and instructions", "[mcp]") {
  mcp::server s{"test", "1", {.instructions = "Be brief."}};
  s.add(mcp::tool("echo", "", {"message"}, echo));
  server_peer p(s);
  auto const r = p.ask("server/discover");
  CHECK(r->result("supportedVersions") == R"(["2026-07-28"])");
  CHECK(r->result("instructions") == "\"Be brief.\"");
  CHECK(r->result("capabilities") == R"({"tools":{"listChanged":true}})");
}

TEST_CASE("lists come in pages, and a page survives what is added before it", "[mcp]") {
  mcp::server s{"test", "1", {.page_size = 2}};
  for (auto const* name : {"b", "d", "f"}) s.add(mcp::tool(name, "", {"message"}, echo));
  server_peer p(s);
  auto const first = p.ask("tools/list");
  auto const cursor = first->result("nextCursor");
  REQUIRE_FALSE(cursor.empty());
  CHECK(first->result("tools").find("\"f\"") == std::string::npos);
  s.add(mcp::tool("a", "", {"message"}, echo));
  auto const second = p.ask("tools/list", "\"cursor\":" + cursor);
  CHECK(second->result("tools").find("\"f\"") != std::string::npos);
  CHECK(second->result("tools").find("\"d\"") == std::string::npos);
  CHECK(second->result("nextCursor").empty());
  CHECK(p.ask("tools/list", R"("cursor":"!!")")->error_code() == mcp::rpc_code::invalid_params);
}

TEST_CASE("resources are read by URI and by template; one that is not there is named", "[mcp]") {
  mcp::server s{"test", "1"};
  s.add(mcp::resource("test://a", "a", "A.", "text/plain", [] { return "text of a"; }).inline_run());
  s.add(mcp::resource("test://b", "b", "B.", "image/png", [] {
          return mcp::resource_contents{.data = std::string("\x89PNG", 4), .binary = true};
        }).inline_run());
  s.add(mcp::resource_template("test://t/{id}/data", "t", "T.", "application/json", {"id"}, [](std::string id) {
          return "{\"id\":\"" + id + "\"}";
        }).inline_run());
  server_peer p(s);
  CHECK(p.ask("resources/read", R"("uri":"test://a")")->result("contents") ==
        R"([{"uri":"test://a","mimeType":"text/plain","text":"text of a"}])");
  CHECK(p.ask("resources/read", R"("uri":"test://b")")->result("contents") ==
        R"([{"uri":"test://b","mimeType":"image/png","blob":"iVBORw=="}])");
  CHECK(p.ask("resources/read", R"("uri":"test://t/1%2F2/data")")->result("contents").find(R"({\"id\":\"1/2\"})") !=
        std::string::npos);
  auto const missing = p.ask("resources/read", R"("uri":"test://t/1/2/data")");
  CHECK(missing->error_code() == mcp::rpc_code::invalid_params);
  CHECK(missing->error_data("uri") == "\"test://t/1/2/data\"");
  p.initialize();
  CHECK(p.old("resources/read", R"("uri":"test://z")")->error_code() == -32002);
  CHECK(p.old("resources/list")->result("resources").find("test://b") != std::string::npos);
  CHECK(p.old("resources/templates/list")->result("resourceTemplates").find("test://t/{id}/data") != std::string::npos);
}

TEST_CASE("prompts list their arguments and are filled in", "[mcp]") {
  mcp::server s{"test", "1"};
  s.add(mcp::prompt("hello", "Greets.", greet).inline_run().complete("name", [](std::string const& typed, auto const&) {
    return std::vector<std::string>{typed + "a", typed + "b"};
  }));
  server_peer p(s);
  CHECK(
      p.ask("prompts/list")->result("prompts") ==
      R"([{"name":"hello","description":"Greets.","arguments":[{"name":"name","required":true},{"name":"greeting","required":false}]}])");
  CHECK(p.ask("prompts/get", R"("name":"hello","arguments":{"name":"Bo"})")->result("messages") ==
        R"([{"role":"user","content":{"type":"text","text":"Hello, Bo"}}])");
  CHECK(p.ask("prompts/get", R"("name":"hello","arguments":{})")->error_code() == mcp::rpc_code::invalid_params);
  CHECK(p.ask("completion/complete",
              R"("ref":{"type":"ref/prompt","name":"hello"},"argument":{"name":"name","value":"x"})")
            ->result("completion") == R"({"values":["xa","xb"],"total":2,"hasMore":false})");
}

TEST_CASE("one handler asks its client in both eras", "[mcp]") {
  mcp::server s{"test", "1"};
  s.add(mcp::tool("writes", "", ask_name));
  s.add(mcp::tool("reads", "", ask_name).reads());
  server_peer p(s);
  for (auto const* tool : {"writes", "reads"}) {
    INFO(tool);
    auto const name = R"("name":")" + std::string(tool) + "\"";
    auto const first = p.ask("tools/call", name, all_capabilities);
    REQUIRE(first->finished);
    CHECK(first->result("resultType") == "\"input_required\"");
    auto const questions = first->result("inputRequests");
    auto const question = view::member(questions, "who");
    CHECK(view::string_member(question, "method") == "elicitation/create");
    auto const state = first->result("requestState");
    REQUIRE_FALSE(state.empty());
    // An answer that makes no sense is asked for again.
    auto const again =
        p.ask("tools/call", name + R"(,"inputResponses":{"who":5},"requestState":)" + state, all_capabilities);
    CHECK(again->result("resultType") == "\"input_required\"");
    auto const done = p.ask(
        "tools/call",
        name + R"(,"inputResponses":{"who":)" + accept_ada + R"(},"requestState":)" + again->result("requestState"),
        all_capabilities);
    CHECK(done->text() == "Hello, Ada");
  }
  p.initialize(all_capabilities);
  auto const call = p.old("tools/call", R"("name":"writes")");
  REQUIRE(call->messages.size() == 1);
  CHECK_FALSE(call->finished);
  auto const id = std::string(view::member(call->last(), "id"));
  p.send(R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":)" + accept_ada + "}");
  REQUIRE(call->finished);
  CHECK(call->text() == "Hello, Ada");
  CHECK(p.server.stats().calls == 0);
  CHECK(p.server.stats().waiting == 0);
}

TEST_CASE("a state that was changed, is of another call, or is used twice is refused", "[mcp]") {
  mcp::server s{"test", "1"};
  s.add(mcp::tool("one", "", ask_name));
  s.add(mcp::tool("two", "", ask_name));
  server_peer p(s);
  auto const state = p.ask("tools/call", R"("name":"one")", all_capabilities)->result("requestState");
  auto const with = [&](std::string const& name, std::string const& text) {
    return p.ask("tools/call",
                 R"("name":")" + name + R"(","inputResponses":{"who":)" + accept_ada + R"(},"requestState":)" + text,
                 all_capabilities);
  };
  auto changed = state;
  changed[changed.size() / 2] = changed[changed.size() / 2] == 'A' ? 'B' : 'A';
  CHECK(with("one", changed)->error_code() == mcp::rpc_code::invalid_params);
  CHECK(with("two", state)->error_code() == mcp::rpc_code::invalid_params);
  CHECK(with("one", state)->text() == "Hello, Ada");
  CHECK(with("one", state)->error_code() == mcp::rpc_code::invalid_params);
}

TEST_CASE("a state that repeats is good in another process with the same secret, and after a change of secrets",
          "[mcp]") {
  auto const serve = [](std::string secret, std::string previous) {
    mcp::server s{"test", "1", {.secret = std::move(secret), .previous_secret = std::move(previous)}};
    s.add(mcp::tool("reads", "", ask_name).reads());
    return s;
  };
  std::string const old_secret(32, 'a'), new_secret(32, 'b');
  server_peer first(serve(old_secret, ""));
  auto const state = first.ask("tools/call", R"("name":"reads")", all_capabilities)->result("requestState");
  auto const params =
      R"("name":"reads","inputResponses":{"who":)" + std::string(accept_ada) + R"(},"requestState":)" + state;
  server_peer second(serve(new_secret, old_secret));
  CHECK(second.ask("tools/call", params, all_capabilities)->text() == "Hello, Ada");
  server_peer stranger(serve(new_secret, ""));
  CHECK(stranger.ask("tools/call", params, all_capabilities)->error_code() == mcp::rpc_code::invalid_params);
}

TEST_CASE("a client is not asked for what it has not declared", "[mcp]") {
  mcp::server s{"test", "1"};
  s.add(mcp::tool("samples", "", [](mcp::context c) -> task<result<std::string>> {
    mcp::sample_request request;
    request.messages.push_back({true, mcp::content::text("Say hello")});
    auto const answer = co_await c.sample(std::move(request));
    if (!answer) co_return answer.error();
    co_return answer->text();
  }));
  server_peer p(s);
  auto const refused = p.ask("tools/call", R"("name":"samples")");
  CHECK(refused->error_code() == mcp::rpc_code::missing_client_capability);
  CHECK(refused->error_data("requiredCapabilities") == R"({"sampling":{}})");
  CHECK(refused->status == 400);
}

TEST_CASE("progress and log messages come before the answer, to those who asked for them", "[mcp]") {
  mcp::server s{"test", "1"};
  s.add(mcp::tool("works", "", [](mcp::context const& c) {
          c.progress(1, 2, "half");
          c.log(mcp::severity::warning, "careful");
          return std::string("done");
        }).inline_run());
  server_peer p(s);
  CHECK(p.ask("tools/call", R"("name":"works")")->messages.size() == 1);
  auto const told = p.ask("tools/call", R"("name":"works")", "{}",
                          R"(,"io.modelcontextprotocol/logLevel":"info","progressToken":"t1")");
  REQUIRE(told->messages.size() == 3);
  CHECK(view::member(told->messages[0], "params") ==
        R"({"progressToken":"t1","progress":1,"total":2,"message":"half"})");
  CHECK(view::member(told->messages[1], "params") == R"({"level":"warning","data":"careful"})");
  p.initialize();
  CHECK(p.old("tools/call", R"("name":"works")")->messages.size() == 2);
  p.old("logging/setLevel", R"("level":"error")");
  CHECK(p.old("tools/call", R"("name":"works")")->messages.size() == 1);
}

TEST_CASE("a call that is cancelled ends without an answer, and its handler is told", "[mcp]") {
  bool left = false;
  mcp::server s{"test", "1"};
  s.add(mcp::tool("waits", "", [&left](mcp::context) -> task<std::string> {
    struct on_exit {
      bool& flag;
      ~on_exit() { flag = true; }
    } const guard{left};
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, 10min);
    co_await timer.async_wait(boost::asio::use_awaitable);
    co_return "late";
  }));
  server_peer p(s);
  p.initialize();
  auto const call = p.old("tools/call", R"("name":"waits")");
  CHECK_FALSE(call->finished);
  CHECK(p.server.stats().calls == 1);
  p.send(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":)" + std::to_string(p.last_id()) +
         "}}");
  CHECK(call->finished);
  CHECK(call->messages.empty());
  CHECK(left);
  CHECK(p.server.stats().calls == 0);
}

TEST_CASE("a handler past its deadline is answered for", "[mcp]") {
  mcp::server s{"test", "1"};
  s.add(mcp::tool("waits", "", [](mcp::context) -> task<std::string> {
          boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, 10min);
          co_await timer.async_wait(boost::asio::use_awaitable);
          co_return "late";
        }).deadline(20ms));
  server_peer p(s);
  auto const call = p.ask("tools/call", R"("name":"waits")");
  p.wait(*call);
  CHECK(call->result("isError") == "true");
  CHECK(call->text() == "timed out after 20 ms");
  p.turn();
  CHECK(p.server.stats().calls == 0);
}

TEST_CASE("listeners hear of what they asked for, tagged with their subscription", "[mcp]") {
  server_peer p(basic());
  p.server.add(mcp::resource("test://a", "a", "A.", "text/plain", [] { return "a"; }));
  auto const stream = p.ask("subscriptions/listen",
                            R"("notifications":{"toolsListChanged":true,"resourceSubscriptions":["test://a"]})");
  REQUIRE(stream->messages.size() == 1);
  CHECK(view::string_member(stream->messages[0], "method") == "notifications/subscriptions/acknowledged");
  CHECK(p.server.stats().listeners == 1);
  p.server.prompts_changed();
  p.server.resource_updated("test://b");
  p.turn();
  CHECK(stream->messages.size() == 1);
  p.server.tools_changed();
  p.server.resource_updated("test://a");
  p.turn();
  REQUIRE(stream->messages.size() == 3);
  auto const id = std::to_string(p.last_id());
  CHECK(view::member(view::member(view::member(stream->messages[1], "params"), "_meta"),
                     "io.modelcontextprotocol/subscriptionId") == id);
  CHECK(view::string_member(stream->messages[2], "method") == "notifications/resources/updated");
  auto const call = stream->call.lock();
  REQUIRE(call);
  call->abandon();
  CHECK(p.server.stats().listeners == 0);
}

TEST_CASE("a session of the handshake era hears of changes", "[mcp]") {
  server_peer p(basic());
  p.server.add(mcp::resource("test://a", "a", "A.", "text/plain", [] { return "a"; }));
  p.initialize();
  p.old("resources/subscribe", R"("uri":"test://a")");
  p.server.resource_updated("test://a");
  p.server.resource_updated("test://b");
  p.server.remove_tool("echo");
  p.turn();
  REQUIRE(p.general->messages.size() == 2);
  CHECK(view::string_member(p.general->messages[0], "method") == "notifications/resources/updated");
  CHECK(view::string_member(p.general->messages[1], "method") == "notifications/tools/list_changed");
}

TEST_CASE("a tool becomes a task, asks, and is looked at until it has ended", "[mcp]") {
  constexpr auto with_tasks = R"({"elicitation":{},"extensions":{"io.modelcontextprotocol/tasks":{}}})";
  mcp::server s{"test", "1"};
  s.add(mcp::tool("job", "", ask_name).tasks(mcp::task_support::optional));
  s.add(mcp::tool("only", "", ask_name).tasks(mcp::task_support::required, mcp::task_start::by_handler));
  server_peer p(s);
  CHECK(p.ask("server/discover")->result("capabilities").find("io.modelcontextprotocol/tasks") != std::string::npos);
  CHECK(p.ask("tools/call", R"("name":"only")", R"({"elicitation":{}})")->error_code() ==
        mcp::rpc_code::missing_client_capability);
  auto const made = p.ask("tools/call", R"("name":"job")", with_tasks);
  CHECK(made->result("resultType") == "\"task\"");
  auto const id = R"("taskId":)" + made->result("taskId");
  auto const asking = p.ask("tasks/get", id, with_tasks);
  CHECK(asking->result("status") == "\"input_required\"");
  CHECK_FALSE(view::member(asking->result("inputRequests"), "who").empty());
  p.ask("tasks/update", id + R"(,"inputResponses":{"who":)" + accept_ada + "}", with_tasks);
  auto const done = p.ask("tasks/get", id, with_tasks);
  CHECK(done->result("status") == "\"completed\"");
  CHECK(done->result("result").find("Hello, Ada") != std::string::npos);
  CHECK(p.ask("tasks/get", id)->error_code() == mcp::rpc_code::missing_client_capability);
  CHECK(p.ask("tasks/get", R"("taskId":"none")", with_tasks)->error_code() == mcp::rpc_code::invalid_params);
  auto const other = R"("taskId":)" + p.ask("tools/call", R"("name":"job")", with_tasks)->result("taskId");
  CHECK(p.ask("tasks/cancel", other, with_tasks)->result("resultType") == "\"complete\"");
  CHECK(p.ask("tasks/get", other, with_tasks)->result("status") == "\"cancelled\"");
  CHECK(p.server.stats().calls == 0);
}

TEST_CASE("a skill is listed with digests, read, and refused when it is not one", "[mcp]") {
  mcp::server s{"test", "1"};
  auto const text = std::string("---\nname: pdf\ndescription: Reads PDFs.\n---\n# PDF\n");
  REQUIRE(s.add_skill("office/pdf", {{"SKILL.md", text}, {"references/FORMS.md", "forms"}}));
  CHECK_FALSE(s.add_skill("office/other", {{"SKILL.md", text}}));
  CHECK_FALSE(s.add_skill("office/pdf", {{"README.md", text}}));
  server_peer p(s);
  auto const list = p.ask("skills/list")->result("skills");
  CHECK(list.find(R"("uri":"skill://office/pdf/SKILL.md","frontmatter":{"name":"pdf","description":"Reads PDFs."})") !=
        std::string::npos);
  CHECK(
      p.ask("resources/read", R"("uri":"skill://office/pdf/references/FORMS.md")")->result("contents").find("forms") !=
      std::string::npos);
  CHECK(
      p.ask("resources/directory/read", R"("uri":"skill://office/pdf")")->result("resources").find("inode/directory") !=
      std::string::npos);
  CHECK(p.ask("resources/directory/read", R"("uri":"skill://office/pdf/SKILL.md")")->error_code() ==
        mcp::rpc_code::invalid_params);
  CHECK(p.ask("skills/get", R"("uri":"skill://none/SKILL.md")")->error_code() == mcp::rpc_code::invalid_params);
}

TEST_CASE("only so many handlers wait for input; the oldest is given up", "[mcp]") {
  mcp::server s{"test", "1", {.waiting_max = 2}};
  s.add(mcp::tool("one", "", ask_name));
  server_peer p(s);
  std::vector<std::string> states;
  for (int i = 0; i < 3; ++i)
    states.push_back(p.ask("tools/call", R"("name":"one")", all_capabilities)->result("requestState"));
  CHECK(p.server.stats().waiting == 2);
  CHECK(p.server.stats().calls == 2);
  auto const use = [&](std::string const& state) {
    return p.ask("tools/call",
                 R"("name":"one","inputResponses":{"who":)" + std::string(accept_ada) + R"(},"requestState":)" + state,
                 all_capabilities);
  };
  CHECK(use(states[0])->error_code() == mcp::rpc_code::invalid_params);
  CHECK(use(states[2])->text() == "Hello, Ada");
}
