#include "temp_dir.hpp"

#include <wherry/agent/agent.hpp>
#include <wherry/core/json.hpp>
#include <wherry/core/runtime.hpp>
#include <wherry/core/trace.hpp>
#include <wherry/llm/grammar.hpp>
#include <wherry/llm/scripted_model.hpp>
#include <wherry/memory/store.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

using namespace wherry;
using namespace std::chrono_literals;

namespace {

struct add_in {
  int a = 0;
  int b = 0;
};
int add(add_in const& in) { return in.a + in.b; }

struct answer_out {
  std::string city;
  std::vector<std::string> days;
};

std::vector<std::string> kinds(std::vector<run_event> const& events) {
  std::vector<std::string> out;
  for (auto const& e : events) out.push_back(to_json(e)["type"].get<std::string>());
  return out;
}

template <class T>
std::vector<run_event> drain(run<T>& r) {
  std::vector<run_event> out;
  for (auto const& e : r) out.push_back(e);
  return out;
}

// Waits in a tool until the test lets it go; the last resort is generous and never reached.
struct gate {
  std::promise<void> opened;
  std::shared_future<void> open = opened.get_future().share();
  std::atomic<bool> entered{false};
  std::string wait() {
    entered = true;
    open.wait_for(60s);
    return "through";
  }
};

}  // namespace

TEST_CASE("an agent without tools answers", "[unit]") {
  scripted_model fake{say("hello")};
  auto const r = agent{fake, "Be kind."}.run("hi");
  REQUIRE(r);
  CHECK(r->output == "hello");
  CHECK(r->status == "finished");
  CHECK(r->usage.completion_tokens > 0);
  auto const sent = fake.requests().at(0).messages;
  REQUIRE(sent.size() == 2);
  CHECK(sent[0] == message::system("Be kind."));
  CHECK(sent[1] == message::user("hi"));
  CHECK(fake.finish());
}

TEST_CASE("a run calls tools and goes on with their results in the order of the calls", "[unit]") {
  scripted_model fake{calls({{"add", R"({"a":1,"b":2})"}, {"add", R"({"a":30,"b":4})"}}), say("3 and 34").after("34")};
  auto run = agent{fake}.with(tool("add", "Adds.", add).reads()).start("add them");
  auto const events = drain(run);
  CHECK(kinds(events) == std::vector<std::string>{"run_started", "step_started", "call_requested", "call_requested",
                                                  "run_notice", "step_finished", "call_started", "call_started",
                                                  "call_finished", "call_finished", "step_started", "answer_text",
                                                  "step_finished", "run_finished"});
  auto const r = run.result();
  REQUIRE(r);
  CHECK(r->output == "3 and 34");
  auto const results = fake.requests().at(1).messages.back();
  REQUIRE(results.parts.size() == 2);
  CHECK(std::get<tool_result>(results.parts[0]).content == "3");
  CHECK(std::get<tool_result>(results.parts[1]).content == "34");
}

TEST_CASE("an invalid call never reaches the function and the model is told why", "[unit]") {
  int called = 0;
  auto count = [&](add_in const& in) {
    ++called;
    return in.a;
  };
  scripted_model fake{call("add", R"({"a":"one","b":2})"), call("add", R"({"a":1)"), call("subtract", "{}"),
                      say("I give up")};
  auto const r = agent{fake}.with(tool("add", "Adds.", count)).run("add");
  REQUIRE(r);
  CHECK(called == 0);
  auto const told = [&](std::size_t i) {
    return std::get<tool_result>(fake.requests().at(i).messages.back().parts[0]);
  };
  CHECK(told(1).failed);
  CHECK(told(1).content.find("/a") != std::string::npos);
  CHECK(told(2).failed);
  CHECK(told(3).failed);
  CHECK(told(3).content.find("subtract") != std::string::npos);
}

TEST_CASE("the output is a C++ value, or a typed error that keeps the raw text", "[unit]") {
  scripted_model fake{say(R"({"city":"Seoul","days":["a"]})"), say(R"({"city":"Seoul"})")};
  auto const desk = agent{fake};
  auto const good = desk.run<answer_out>("go");
  REQUIRE(good);
  CHECK(good->output.city == "Seoul");
  auto run = desk.start<answer_out>("go");
  auto const bad = run.result();
  REQUIRE_FALSE(bad);
  CHECK(bad.error().is(errc::output_invalid));
  CHECK(run.record().output_text == R"({"city":"Seoul"})");
}

TEST_CASE("the step limit ends a run that only calls", "[unit]") {
  scripted_model fake(std::vector<script_line>(3, call("add", R"({"a":1,"b":2})")));
  auto const r = agent{fake}.with(tool("add", "Adds.", add)).limits({.steps = 3}).run("loop");
  REQUIRE_FALSE(r);
  CHECK(r.error().is(errc::limit_reached));
  CHECK(fake.requests().at(1).choice == tool_choice::automatic);
  CHECK(fake.requests().at(2).choice == tool_choice::none);  // the last step can only answer
}

TEST_CASE("token and call limits end a run", "[unit]") {
  auto const loop = std::vector<script_line>(8, call("add", R"({"a":1,"b":2})"));
  auto const desk = [&](run_limits l) { return agent{scripted_model(loop)}.with(tool("add", "Adds.", add)).limits(l); };
  CHECK(desk({.total_tokens = 10}).run("x").error().is(errc::limit_reached));
  CHECK(desk({.tool_calls = 2}).run("x").error().is(errc::limit_reached));
}

TEST_CASE("two tools of one name are an error of the first run", "[unit]") {
  scripted_model fake{say("never")};
  auto const r = agent{fake}.with(tool("add", "Adds.", add)).with(tool("add", "Adds again.", add)).run("x");
  REQUIRE_FALSE(r);
  CHECK(r.error().is(errc::already_exists));
  CHECK(fake.requests().empty());
}

TEST_CASE("a session is history for the next run", "[unit]") {
  wherry_test::temp_dir folder;
  store db{folder.path()};
  auto const session = db.scope({.tenant = "t", .user = "u"}).session("s");
  scripted_model fake{call("add", R"({"a":1,"b":2})"), say("three"), say("as before")};
  auto const desk = agent{fake, "Count."}.with(tool("add", "Adds.", add));
  REQUIRE(desk.run("one and two?", session));
  REQUIRE(desk.run("again?", session));
  auto const sent = fake.requests().at(2).messages;
  REQUIRE(sent.size() == 6);
  CHECK(sent[1] == message::user("one and two?"));
  CHECK(sent[2].tool_calls().size() == 1);
  CHECK(sent[3].role == role::tool);
  CHECK(sent[4] == message::assistant("three"));
  CHECK(sent[5] == message::user("again?"));
  CHECK(session.open_runs()->empty());
  CHECK(session.history()->size() == 6);
}

TEST_CASE("a model that breaks off leaves history as it was", "[unit]") {
  wherry_test::temp_dir folder;
  store db{folder.path()};
  auto const session = db.scope({.tenant = "t", .user = "u"}).session("s");
  scripted_model fake{breaks("", errc::model_failed), say("now")};
  auto const desk = agent{fake};
  CHECK(desk.run("a", session).error().is(errc::model_failed));
  CHECK(session.history()->empty());
  CHECK(session.open_runs()->empty());
  REQUIRE(desk.run("b", session));
  CHECK(fake.requests().at(1).messages == std::vector<message>{message::user("b")});
}

TEST_CASE("cancelling ends a run within its step and keeps what was streamed", "[unit]") {
  wherry_test::temp_dir folder;
  store db{folder.path()};
  auto const session = db.scope({.tenant = "t", .user = "u"}).session("s");
  scripted_model fake{hangs("half an answ")};
  auto run = agent{fake}.start("tell me", session);
  std::thread other;
  run.on([&](run_event const& e) {
    if (std::holds_alternative<answer_text>(e)) other = std::thread([&run] { run.cancel(); });
  });
  auto const r = run.result();
  other.join();
  REQUIRE_FALSE(r);
  CHECK(r.error().is(errc::cancelled));
  auto const history = session.history().value();
  REQUIRE(history.size() == 2);
  CHECK(history[1] == message::assistant("half an answ"));
  CHECK(session.open_runs()->empty());
}

TEST_CASE("cancelling while a tool runs ends the run; its call is not history", "[unit]") {
  wherry_test::temp_dir folder;
  store db{folder.path()};
  auto const scope = db.scope({.tenant = "t", .user = "u"});
  auto const session = scope.session("s");
  auto door = std::make_shared<gate>();
  scripted_model fake{call("wait", "{}"), say("fine")};
  auto const desk = agent{fake}.with(tool("wait", "Waits.", [door] { return door->wait(); }));
  auto run = desk.start("wait", session);
  std::thread other([&] {
    while (!door->entered) std::this_thread::yield();
    run.cancel();
  });
  auto const r = run.result();
  other.join();
  door->opened.set_value();
  REQUIRE_FALSE(r);
  CHECK(r.error().is(errc::cancelled));
  CHECK(session.history()->empty());
  CHECK(session.open_runs()->empty());
  auto const effects = scope.unfinished_effects().value();
  REQUIRE(effects.size() == 1);
  CHECK(effects[0].state == effect_state::unknown);
  REQUIRE(desk.run("and now", session));  // history is valid for the next run
}

TEST_CASE("Asio's cancellation ends a run the same way", "[unit]") {
  scripted_model fake{hangs()};
  auto const desk = agent{fake};
  boost::asio::io_context loop;
  boost::asio::cancellation_signal stop;
  result<run_result<std::string>> seen = error{errc::internal, "not set"};
  auto body = [&]() -> task<void> { seen = co_await desk.async_run("x"); };
  boost::asio::co_spawn(loop, body(), boost::asio::bind_cancellation_slot(stop.slot(), [](std::exception_ptr) {}));
  boost::asio::post(loop, [&] { stop.emit(boost::asio::cancellation_type::terminal); });
  loop.run();
  REQUIRE_FALSE(seen);
  CHECK(seen.error().is(errc::cancelled));
}

TEST_CASE("a run keeps its deadline when the model hangs and when a tool does", "[unit]") {
  scripted_model silent{hangs()};
  CHECK(agent{silent}.limits({.time = 20ms}).run("x").error().is(errc::deadline_exceeded));

  auto door = std::make_shared<gate>();
  scripted_model fake{call("wait", "{}"), say("it took too long")};
  auto const r = agent{fake}.with(tool("wait", "Waits.", [door] { return door->wait(); }).deadline(20ms)).run("x");
  door->opened.set_value();
  REQUIRE(r);  // a tool that is late is a failed result; the run goes on
  CHECK(r->output == "it took too long");
  CHECK(std::get<tool_result>(fake.requests().at(1).messages.back().parts[0]).failed);
}

TEST_CASE("a call that needs approval pauses the run; another process goes on with it", "[unit]") {
  wherry_test::temp_dir folder;
  scripted_model fake{call("add", R"({"a":1,"b":2})"), say("three").after("3"), call("add", R"({"a":5,"b":5})"),
                      say("not then").after("denied")};
  auto const desk = agent{fake}.with(tool("add", "Adds.", add)).approvals({.writes = approval::ask});
  {
    store db{folder.path()};
    auto const session = db.scope({.tenant = "t", .user = "u"}).session("s");
    auto const paused = desk.run("add", session);
    REQUIRE_FALSE(paused);
    CHECK(paused.error().is(errc::needs_approval));
    CHECK(session.history()->empty());
  }
  store db{folder.path()};
  auto const session = db.scope({.tenant = "t", .user = "u"}).session("s");
  auto const pending = session.pending().value();
  REQUIRE(pending.size() == 1);
  CHECK(pending[0].call.name == "add");

  auto forged = approve(pending[0]);
  auto other = pending[0];
  other.call.arguments = R"({"a":100,"b":2})";
  forged.call_hash = approve(other).call_hash;
  CHECK(desk.resume(session, {forged}).result().error().is(errc::denied));
  CHECK(desk.resume(session, {}).result().error().is(errc::needs_approval));

  auto const r = desk.resume(session, {approve(pending[0])}).result();
  REQUIRE(r);
  CHECK(r->output == "three");
  CHECK(session.pending()->empty());
  CHECK(session.history()->size() == 4);

  CHECK(desk.run("add more", session).error().is(errc::needs_approval));
  auto const denied = desk.resume(session, {deny(session.pending()->at(0))}).result();
  REQUIRE(denied);
  CHECK(denied->output == "not then");
  CHECK(desk.resume(session, {}).result().error().is(errc::not_found));
}

TEST_CASE("the exact request of every step can be retrieved", "[unit]") {
  scripted_model fake{call("add", R"({"a":1,"b":2})"), say("three")};
  auto const desk = agent{fake, "Count."}.with(tool("add", "Adds.", add));
  auto const r = desk.run("go");
  REQUIRE(r);
  REQUIRE(r->steps.size() == 2);
  auto const sent = fake.requests();
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(r->request_of(i).messages == sent[i].messages);
    CHECK(desk.show(*r, i)->messages == sent[i].messages);
  }
  CHECK(desk.show(*r, 2).error().is(errc::invalid_argument));
}

TEST_CASE("an agent is a tool of another", "[unit]") {
  scripted_model inner{say("third shelf")};
  scripted_model outer{call("ask", R"({"message":"where?"})"), say("there").after("third shelf")};
  auto const desk = agent{outer}.with(agent{inner}.ask("ask", "Asks."));
  CHECK(desk.run("book?")->output == "there");
}

TEST_CASE("an agent asked for a type answers in that type, or its call fails", "[unit]") {
  scripted_model inner{say(R"({"a":1,"b":2})"), say("one and two")};
  scripted_model outer{call("ask", R"({"message":"which?"})"), call("ask", R"({"message":"again?"})").after(R"("b":2)"),
                       say("sorry").after("failed")};
  auto const desk = agent{outer}.with(agent{inner}.ask<add_in>("ask", "Asks."));
  CHECK(desk.run("numbers?")->output == "sorry");
  CHECK(inner.finish());
  for (auto const& request : inner.requests()) CHECK(request.output_schema == schema_of<add_in>());
}

TEST_CASE("a commit that the disk does not take in time ends the run; the answer is not lost", "[unit]") {
  wherry_test::temp_dir folder;
  store db{folder.path()};
  auto const session = db.scope({.tenant = "t", .user = "u"}).session("s");
  scripted_model fake{say("yes")};
  auto const desk = agent{fake}.limits({.commit_time = std::chrono::milliseconds(500)});
  auto run = desk.start("ready?", session);
  while (auto event = run.next())
    if (std::holds_alternative<step_finished>(*event)) break;

  // Commits are written on the shared pool. Here all its threads are busy, as they are when a disk hangs.
  std::promise<void> released;
  auto const wait = released.get_future().share();
  runtime loop;
  constexpr std::size_t threads = compute_pool_options{}.threads_max;
  for (std::size_t i = 0; i < threads; ++i) {
    auto work = [wait] { wait.wait(); };
    loop.spawn([](std::function<void()> job) -> task<void> {
      auto const done = co_await offload(compute_pool::shared(), std::move(job), "a disk that hangs");
      CHECK(done);
    }(work));
  }
  std::thread others([&] { loop.run(); });
  while (compute_pool::shared().stats().busy < threads) std::this_thread::yield();

  auto const outcome = run.result();
  released.set_value();
  others.join();
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().is(errc::store_failed));
  CHECK_THAT(outcome.error().message, Catch::Matchers::ContainsSubstring("commit_time"));
  CHECK_THAT(outcome.error().unsaved, Catch::Matchers::ContainsSubstring("yes"));
}

TEST_CASE("two threads run one agent on one store and one model", "[unit]") {
  wherry_test::temp_dir folder;
  store db{folder.path()};
  scripted_model fake{call("add", R"({"a":1,"b":2})"), say("done")};
  fake.loop();
  // One looping script is shared, so lines interleave: every run must still end well.
  auto const desk = agent{fake}.with(tool("add", "Adds.", add)).durability(durability::os);
  std::atomic<int> finished{0};
  auto work = [&](std::string user) {
    auto const session = db.scope({.tenant = "t", .user = user}).session("s");
    for (int i = 0; i < 20; ++i)
      if (desk.run("go", session)) ++finished;
  };
  std::thread a(work, "a"), b(work, "b");
  a.join();
  b.join();
  CHECK(finished == 40);
}

TEST_CASE("two runs on one session at once: the later one is told, nothing is lost", "[unit]") {
  wherry_test::temp_dir folder;
  store db{folder.path()};
  auto const session = db.scope({.tenant = "t", .user = "u"}).session("s");
  scripted_model fake{say("one"), say("two")};
  auto const desk = agent{fake};
  auto first = desk.start("a", session);
  REQUIRE(first.next());  // open and committed
  REQUIRE(first.next());
  CHECK(desk.run("b", session));
  auto const r = first.result();
  REQUIRE_FALSE(r);
  CHECK(r.error().is(errc::conflict));
  CHECK(r.error().unsaved.find("one") + r.error().unsaved.find("two") != 2 * std::string::npos);
  CHECK(session.history()->size() == 2);
}

TEST_CASE("a blocking run on the loop's own thread names the asynchronous form", "[unit]") {
  scripted_model fake{say("x")};
  auto const desk = agent{fake};
  runtime loop;
  result<run_result<std::string>> seen = error{errc::internal, "not set"};
  auto body = [&]() -> task<void> {
    seen = desk.run("x");
    co_return;
  };
  loop.spawn(body());
  loop.run();
  REQUIRE_FALSE(seen);
  CHECK(seen.error().is(errc::would_block_loop));
  CHECK(seen.error().message.find("agent.async_run") != std::string::npos);
}

TEST_CASE("events have a versioned JSON form", "[unit]") {
  CHECK(to_text(to_json(run_event{answer_text{"hi"}})) == R"({"v":1,"type":"answer_text","text":"hi"})");
  CHECK(to_text(to_json(run_event{committed{7}})) == R"({"v":1,"type":"committed","session_seq":7})");
  CHECK(to_text(to_json(run_event{call_requested{{"c1", "add", "{\"a\":1}"}}})) ==
        R"({"v":1,"type":"call_requested","call":{"id":"c1","name":"add","arguments":"{\"a\":1}"}})");
}

TEST_CASE("a trace shows the run, its model calls and its tools", "[unit]") {
  auto sink = std::make_shared<memory_trace>();
  scripted_model fake{call("add", R"({"a":1,"b":2})"), say("three")};
  REQUIRE(agent{fake}.named("counter").with(tool("add", "Adds.", add)).trace(sink).run("go"));
  std::vector<std::string> names;
  for (auto const& span : sink->spans()) names.push_back(span.name);
  CHECK(names == std::vector<std::string>{"chat", "execute_tool", "chat", "invoke_agent"});
  for (auto const& span : sink->spans()) CHECK(span.trace == sink->spans().back().trace);
}

TEST_CASE("runs with one fixed seed have ids of their own in a session", "[unit]") {
  wherry_test::temp_dir folder;
  store db{folder.path()};
  auto const session = db.scope({.tenant = "t", .user = "u"}).session("s");
  auto still = std::make_shared<manual_clock>(1'000);
  auto const desk = agent{scripted_model{say("a"), say("b")}}.seed(7).time_source(still);
  auto const first = desk.run("x", session).value(), second = desk.run("x", session).value();
  CHECK(first.id != second.id);
  CHECK(first.seed == second.seed);
  CHECK(session.history()->size() == 4);
}

TEST_CASE("an answer in a language is such a text, whatever the model, or an error", "[unit]") {
  auto const side =
      output_contract::text_in(grammar::choice({grammar::literal("port"), grammar::literal("starboard")}));
  auto const start = [&](scripted_model const& fake) {
    return agent{fake}.with(tool("add", "Adds.", add)).start(message::user("Which side?"), std::nullopt, side);
  };
  scripted_model good{call("add", R"({"a":1,"b":2})"), say("port")};
  CHECK(start(good).result()->output == "port");
  REQUIRE(good.requests().size() == 2);
  for (auto const& request : good.requests()) CHECK(request.constraint == side.constraint);
  CHECK(start(scripted_model{say("left")}).result().error().is(errc::output_invalid));

  // One that knows nothing of constraints.
  struct ignorant final : model {
    explicit ignorant(std::shared_ptr<model> m) : inner(std::move(m)) {}
    model_info const& info() const noexcept override { return inner->info(); }
    result<std::unique_ptr<model_stream>> submit(model_request r) override {
      r.constraint = nullptr;
      return inner->submit(std::move(r));
    }
    std::shared_ptr<model> inner;
  };
  auto const deaf = std::make_shared<ignorant>(scripted_model{say("left")});
  auto const refused = agent{deaf}.start(message::user("Which side?"), std::nullopt, side).result();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().is(errc::output_invalid));
  CHECK_THAT(refused.error().message, Catch::Matchers::ContainsSubstring("byte 0"));
}

TEST_CASE("what may not be called is masked, and the tools offered stay the same", "[unit]") {
  scripted_model fake{call("add", R"({"a":1,"b":2})"), call("add", R"({"a":3,"b":4})"), say("done")};
  auto const desk = agent{fake}
                        .with(tool("add", "Adds.", add))
                        .with(tool("remove", "Removes.", [] { return 1; }))
                        .with(tool("wipe", "Wipes.", [] { return 1; }))
                        .approvals({.tools = {{"remove", approval::deny}, {"wipe", approval::deny}}})
                        .limits({.tool_calls = 2});
  REQUIRE(desk.run("x"));
  auto const asked = fake.requests();
  REQUIRE(asked.size() == 3);
  for (auto const& request : asked) {
    CHECK(request.callable == std::vector<std::string>{"add"});
    CHECK(request.tools->size() == 3);
  }
  CHECK(asked[0].parallel_calls);
  CHECK(asked[0].choice == tool_choice::automatic);
  CHECK_FALSE(asked[1].parallel_calls);
  CHECK(asked[1].choice == tool_choice::automatic);
  CHECK(asked[2].choice == tool_choice::none);

  scripted_model all{say("no")};
  REQUIRE(agent{all}.with(tool("add", "Adds.", add)).approvals({.writes = approval::deny}).run("x"));
  CHECK(all.requests()[0].choice == tool_choice::none);
  scripted_model open{say("yes")};
  REQUIRE(agent{open}.with(tool("add", "Adds.", add)).run("x"));
  CHECK_FALSE(open.requests()[0].callable.has_value());
}
