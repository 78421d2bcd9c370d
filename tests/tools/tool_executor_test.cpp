#include <wherry/tools/tool_executor.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <future>
#include <latch>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>

using namespace wherry;
namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

using results = result<std::vector<tool_result>>;

results run(tool_executor const& executor, std::vector<tool_call> calls, tool_batch batch = {}) {
  return run_blocking(executor.async_run(std::move(calls), std::move(batch)), "run", "async_run");
}

tool_executor executor_of(std::vector<tool> tools, approval_policy policy = {}, tool_executor_options options = {}) {
  return tool_executor(tool_registry::make(std::move(tools)).value(), std::move(policy), std::move(options));
}

/// Holds blocking functions until the test lets them go. A copyable handle: whoever is held keeps it alive.
class gate {
 public:
  void open() const { promise_->set_value(); }
  void wait() const { future_.wait(); }

 private:
  std::shared_ptr<std::promise<void>> promise_ = std::make_shared<std::promise<void>>();
  std::shared_future<void> future_ = promise_->get_future().share();
};

/// Long enough for a pool's thread to enter a function on a busy machine.
constexpr auto entered_by_now = 200ms;

/// Remembers what it was told; answers as the test says.
class recording_journal final : public effect_journal {
 public:
  std::vector<std::string> log;
  std::map<std::string, effect_status> known;  ///< By call id.
  std::optional<error> intend_fails, settle_fails;

  task<result<std::vector<effect_status>>> intend(std::vector<effect_intent> intents) override {
    std::vector<effect_status> records;
    for (auto const& intent : intents) {
      log.push_back("intend " + intent.call.id);
      records.push_back(known[intent.call.id]);
    }
    if (intend_fails) co_return *intend_fails;
    co_return records;
  }
  task<result<void>> settle(effect_end end) override {
    log.push_back("settle " + end.result.call_id + (end.result.failed ? " failed" : "") +
                  (end.certain ? "" : " uncertain"));
    if (settle_fails) co_return *settle_fails;
    co_return result<void>{};
  }
};

}  // namespace

TEST_CASE("executor returns results in the order of the calls", "[unit]") {
  auto const executor = executor_of({tool("twice", "", {"a"}, [](int a) { return 2 * a; }).reads(),
                                     tool("say", "", {"s"}, [](std::string s) { return s; })});
  auto const r =
      run(executor, {{"1", "say", R"({"s":"x"})"}, {"2", "twice", R"({"a":4})"}, {"3", "say", R"({"s":"y"})"}});
  REQUIRE(r);
  REQUIRE(r->size() == 3);
  CHECK((*r)[0] == tool_result{"1", "say", "x", false});
  CHECK((*r)[1] == tool_result{"2", "twice", "8", false});
  CHECK((*r)[2] == tool_result{"3", "say", "y", false});
  CHECK(run(executor, {}).value().empty());
}

TEST_CASE("executor answers unknown tools, invalid arguments and repeated ids with failed results", "[unit]") {
  std::atomic<int> calls = 0;
  auto const executor = executor_of({tool("f", "", {"a"}, [&](int a) { return calls += a; }).inline_run()});
  auto const r = run(executor, {{"1", "g", "{}"},
                                {"2", "f", R"({"a":"x"})"},
                                {"3", "f", R"({"a":)"},
                                {"4", "f", R"({"a":1})"},
                                {"4", "f", R"({"a":1})"}});
  REQUIRE(r);
  CHECK((*r)[0].failed);
  CHECK((*r)[0].content == "failed: there is no tool \"g\"; the tools are f");
  CHECK((*r)[1].content == "failed: invalid arguments at /a: expected an integer, found \"x\"");
  CHECK((*r)[2].content.find("failed: invalid arguments: JSON is not valid") == 0);
  CHECK_FALSE((*r)[3].failed);
  CHECK((*r)[4].content == "failed: the call id \"4\" stands twice in one step");
  CHECK(calls == 1);
}

TEST_CASE("executor makes failed results of errors and exceptions", "[unit]") {
  auto const executor =
      executor_of({tool("error", "", []() -> result<int> { return error(errc::not_found, "no such city"); }),
                   tool("throw", "", []() -> int { throw std::runtime_error("boom"); }),
                   tool("odd", "", []() -> int { throw 7; }).inline_run(), tool("later", "", []() -> task<int> {
                     throw std::runtime_error("bang");
                     co_return 1;
                   })});
  auto const r = run(executor, {{"1", "error", "{}"}, {"2", "throw", "{}"}, {"3", "odd", "{}"}, {"4", "later", "{}"}});
  REQUIRE(r);
  for (auto const& one : *r) CHECK(one.failed);
  CHECK((*r)[0].content == "failed: no such city");
  CHECK((*r)[1].content == "failed: the tool threw: boom");
  CHECK((*r)[2].content == "failed: the tool threw something that is no std::exception");
  CHECK((*r)[3].content == "failed: the tool threw: bang");
}

TEST_CASE("executor runs neighbouring reads side by side", "[unit]") {
  std::latch both(2);  // each call waits for the other: one after the other would time out
  auto const executor = executor_of({tool("meet", "", [&] {
                                       both.arrive_and_wait();
                                       return 1;
                                     }).reads()});
  auto const r = run(executor, {{"1", "meet", "{}"}, {"2", "meet", "{}"}});
  REQUIRE(r);
  CHECK_FALSE((*r)[0].failed);
  CHECK_FALSE((*r)[1].failed);
}

TEST_CASE("executor runs no more reads at a time than its bound", "[unit]") {
  std::atomic<int> now = 0, most = 0;
  auto const busy = [&] {
    int const count = ++now;
    for (int seen = most; count > seen && !most.compare_exchange_weak(seen, count);) {
    }
    std::this_thread::yield();
    --now;
  };
  tool_executor_options options;
  options.parallel_max = 2;
  auto const executor = executor_of({tool("busy", "", busy).reads()}, {}, options);
  std::vector<tool_call> calls;
  for (int i = 0; i < 40; ++i) calls.push_back({std::to_string(i), "busy", "{}"});
  auto const r = run(executor, calls);
  REQUIRE(r);
  CHECK(r->size() == 40);
  CHECK(most <= 2);
}

TEST_CASE("executor lets a write wait for the reads before it and the reads after it wait for it", "[unit]") {
  std::mutex mutex;
  std::string order;
  auto const note = [&](char c) {
    std::lock_guard const lock(mutex);
    order += c;
  };
  auto const executor = executor_of({tool("r", "", [&] { note('r'); }).reads(), tool("w", "", [&] { note('w'); })});
  REQUIRE(run(executor, {{"1", "r", "{}"}, {"2", "r", "{}"}, {"3", "w", "{}"}, {"4", "w", "{}"}, {"5", "r", "{}"}}));
  CHECK(order == "rrwwr");
}

TEST_CASE("executor runs inline tools on the run's own thread and others elsewhere", "[unit]") {
  std::thread::id inline_thread, pool_thread;
  auto const executor = executor_of({tool("here", "", [&] { inline_thread = std::this_thread::get_id(); }).inline_run(),
                                     tool("there", "", [&] { pool_thread = std::this_thread::get_id(); })});
  REQUIRE(run(executor, {{"1", "here", "{}"}, {"2", "there", "{}"}}));
  CHECK(inline_thread == std::this_thread::get_id());
  CHECK(pool_thread != std::this_thread::get_id());
}

TEST_CASE("executor goes on without a call past its deadline and names its thread", "[unit]") {
  gate held;
  auto const told = std::make_shared<std::promise<bool>>();
  auto const stuck = [held, told](tool_context const& context) {
    held.wait();
    told->set_value(context.stop.stopped());
  };
  tool_executor_options options;
  options.pool = compute_pool();
  auto const executor = executor_of(
      {tool("stuck", "", stuck).deadline(entered_by_now), tool("after", "", [] { return 1; })}, {}, options);
  auto const r = run(executor, {{"1", "stuck", "{}"}, {"2", "after", "{}"}});
  REQUIRE(r);
  CHECK((*r)[0].failed);
  CHECK((*r)[0].content == "failed: timed out; the run goes on without the call, which may still take effect");
  CHECK((*r)[1].content == "1");
  CHECK(options.pool.stats().abandoned == std::vector<std::string>{"tool stuck (1)"});
  held.open();
  CHECK(told->get_future().get());
}

TEST_CASE("executor never starts a queued call that timed out, and the journal knows", "[unit]") {
  gate held;
  std::atomic<bool> ran = false;
  tool_executor_options options;
  options.pool = compute_pool({.threads_max = 1});
  auto const executor = executor_of({tool("stuck", "", [held] { held.wait(); }).deadline(entered_by_now).reads(),
                                     tool("queued", "", [&] { ran = true; }).deadline(10ms)},
                                    {}, options);
  auto const journal = std::make_shared<recording_journal>();
  auto const r = run(executor, {{"1", "stuck", "{}"}, {"2", "queued", "{}"}}, {.journal = journal});
  REQUIRE(r);
  CHECK((*r)[0].content == "failed: timed out; the run goes on without the call");
  CHECK((*r)[1].content == "failed: timed out; the call was never started");
  CHECK(journal->log == std::vector<std::string>{"intend 2", "settle 2 failed"});
  held.open();
  auto const last = executor_of({tool("last", "", [] { return 1; })}, {}, options);  // behind the queued one
  REQUIRE(run(last, {{"3", "last", "{}"}}));
  CHECK_FALSE(ran);
}

TEST_CASE("executor keeps every call within the deadline of the run", "[unit]") {
  auto const executor = executor_of({tool("slow", "", []() -> task<void> {
    asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
    co_await timer.async_wait(asio::use_awaitable);
  })});
  auto const r = run(executor, {{"1", "slow", "{}"}}, {.until = std::chrono::steady_clock::now() + 5ms});
  REQUIRE(r);
  CHECK((*r)[0].content.find("timed out") != std::string::npos);
}

TEST_CASE("executor cuts a long result on a code point and repairs broken text", "[unit]") {
  tool_executor_options options;
  options.result_bytes_max = 4;
  auto const executor = executor_of(
      {tool("long", "", [] { return "abc\xc3\xa9tude"; }), tool("broken", "", [] { return "\xff"; })}, {}, options);
  auto const r = run(executor, {{"1", "long", "{}"}, {"2", "broken", "{}"}});
  REQUIRE(r);
  CHECK((*r)[0].content == "abc\n[cut: 9 bytes, the first 3 are shown]");
  CHECK((*r)[1].content == "\xef\xbf\xbd");
}

// ---- approval ----------------------------------------------------------------------------------------------------

TEST_CASE("executor dispatches nothing while a call waits for approval", "[unit]") {
  std::atomic<int> calls = 0;
  auto const executor =
      executor_of({tool("look", "", [&] { return ++calls; }).reads(), tool("pay", "", [&] { return ++calls; })},
                  {.writes = approval::ask});
  std::vector<tool_call> const step{{"1", "look", "{}"}, {"2", "pay", "{}"}, {"3", "pay", R"({"x":1})"}};
  auto const paused = run(executor, step);
  REQUIRE_FALSE(paused);
  CHECK(paused.error().is(errc::needs_approval));
  CHECK(paused.error().message.find("pay (2)") != std::string::npos);
  CHECK(calls == 0);
  CHECK(executor.awaiting_approval(step, {}) == std::vector<tool_call>{step[1]});
  CHECK(executor.awaiting_approval(step, {{"2", approval::allow}}).empty());

  auto const resumed = run(executor, step, {.answers = {{"2", approval::allow}}});
  REQUIRE(resumed);
  CHECK_FALSE((*resumed)[1].failed);
  CHECK(calls == 2);
  auto const refused = run(executor, step, {.answers = {{"2", approval::deny}}});
  REQUIRE(refused);
  CHECK((*refused)[1].content == "failed: this call was denied; do not try it again");
  CHECK(calls == 3);
}

TEST_CASE("executor does not let an answer overrule a policy that denies", "[unit]") {
  std::atomic<int> calls = 0;
  auto const executor = executor_of({tool("f", "", [&] { ++calls; })}, {.tools = {{"f", approval::deny}}});
  auto const r = run(executor, {{"1", "f", "{}"}}, {.answers = {{"1", approval::allow}}});
  REQUIRE(r);
  CHECK((*r)[0].failed);
  CHECK(calls == 0);
}

// ---- journal -----------------------------------------------------------------------------------------------------

TEST_CASE("executor journals writes before dispatch and reads not at all", "[unit]") {
  auto const journal = std::make_shared<recording_journal>();
  auto const executor =
      executor_of({tool("w", "", [&] { journal->log.push_back("run"); }).inline_run(), tool("r", "", [] {}).reads()});
  REQUIRE(run(executor, {{"1", "w", "{}"}, {"2", "r", "{}"}, {"3", "w", "{}"}}, {.journal = journal}));
  CHECK(journal->log == std::vector<std::string>{"intend 1", "intend 3", "run", "settle 1", "run", "settle 3"});
}

TEST_CASE("executor gives a write its effect key and a read none", "[unit]") {
  auto const key = [](tool_context const& context) { return context.effect_key; };
  auto const executor = executor_of({tool("w", "", key), tool("r", "", key).reads()});
  auto const r = run(executor, {{"1", "w", "{}"}, {"2", "r", "{}"}}, {.run_id = "run"});
  REQUIRE(r);
  CHECK((*r)[0].content == effect_key("run", {"1", "w", "{}"}));
  CHECK((*r)[1].content.empty());
}

TEST_CASE("executor does not repeat an effect that the journal knows", "[unit]") {
  std::atomic<int> calls = 0;
  auto const journal = std::make_shared<recording_journal>();
  journal->known["1"] = {effect_status::state::done, {"1", "w", "earlier", false}};
  journal->known["2"] = {effect_status::state::unknown, {}};
  auto const executor = executor_of({tool("w", "", [&] { return ++calls; })});
  auto const r = run(executor, {{"1", "w", "{}"}, {"2", "w", "{}"}, {"3", "w", "{}"}}, {.journal = journal});
  REQUIRE(r);
  CHECK((*r)[0] == tool_result{"1", "w", "earlier", false});
  CHECK((*r)[1].failed);
  CHECK((*r)[1].content.find("it is not repeated") != std::string::npos);
  CHECK((*r)[2].content == "1");
  CHECK(journal->log.back() == "settle 3");
}

TEST_CASE("executor dispatches nothing when intents cannot be recorded", "[unit]") {
  std::atomic<int> calls = 0;
  auto const journal = std::make_shared<recording_journal>();
  journal->intend_fails = error(errc::disk_full, "no space");
  auto const executor = executor_of({tool("w", "", [&] { ++calls; }), tool("r", "", [&] { ++calls; }).reads()});
  auto const r = run(executor, {{"1", "r", "{}"}, {"2", "w", "{}"}}, {.journal = journal});
  REQUIRE_FALSE(r);
  CHECK(r.error().is(errc::disk_full));
  CHECK(calls == 0);
}

TEST_CASE("executor stops when the end of an effect cannot be recorded", "[unit]") {
  std::atomic<int> calls = 0;
  auto const journal = std::make_shared<recording_journal>();
  journal->settle_fails = error(errc::store_failed, "commit failed");
  auto const executor = executor_of({tool("w", "", [&] { ++calls; })});
  auto const r = run(executor, {{"1", "w", "{}"}, {"2", "w", "{}"}}, {.journal = journal});
  REQUIRE_FALSE(r);
  CHECK(r.error().is(errc::store_failed));
  CHECK(calls == 1);
}

TEST_CASE("executor tells the journal when an effect's outcome is not certain", "[unit]") {
  gate held;
  tool_executor_options options;
  options.pool = compute_pool();
  auto const journal = std::make_shared<recording_journal>();
  auto const executor = executor_of({tool("w", "", [held] { held.wait(); }).deadline(entered_by_now)}, {}, options);
  REQUIRE(run(executor, {{"1", "w", "{}"}}, {.journal = journal}));
  CHECK(journal->log.back() == "settle 1 failed uncertain");
  held.open();
}

// ---- cancellation ------------------------------------------------------------------------------------------------

namespace {

/// Runs the calls on a loop and cancels them once `entered` says that one is under way.
results cancel_when(tool_executor const& executor, std::vector<tool_call> calls, tool_batch batch,
                    asio::io_context& loop, asio::cancellation_signal& signal) {
  std::optional<results> outcome;
  auto body = [&]() -> task<void> { outcome = co_await executor.async_run(std::move(calls), std::move(batch)); };
  asio::co_spawn(loop, body(), asio::bind_cancellation_slot(signal.slot(), [](std::exception_ptr e) {
                   if (e) std::rethrow_exception(e);
                 }));
  loop.run();
  REQUIRE(outcome);
  return *outcome;
}

}  // namespace

TEST_CASE("executor that is cancelled abandons what runs and withdraws what it did not reach", "[unit]") {
  gate held;
  asio::io_context loop;
  asio::cancellation_signal signal;
  tool_executor_options options;
  options.pool = compute_pool();
  auto const stuck = [&loop, &signal, held] {
    asio::post(loop, [&signal] { signal.emit(asio::cancellation_type::terminal); });
    held.wait();
  };
  auto const journal = std::make_shared<recording_journal>();
  auto const executor = executor_of({tool("stuck", "", stuck), tool("w", "", [] {})}, {}, options);
  auto const r = cancel_when(executor, {{"1", "stuck", "{}"}, {"2", "w", "{}"}}, {.journal = journal}, loop, signal);
  REQUIRE_FALSE(r);
  CHECK(r.error().is(errc::cancelled));
  CHECK(options.pool.stats().abandoned == std::vector<std::string>{"tool stuck (1)"});
  CHECK(journal->log ==
        std::vector<std::string>{"intend 1", "intend 2", "settle 1 failed uncertain", "settle 2 failed"});
  held.open();
}

TEST_CASE("executor that is cancelled ends coroutine tools that run side by side", "[unit]") {
  asio::io_context loop;
  asio::cancellation_signal signal;
  int entered = 0, left = 0;
  auto const wait = [&]() -> task<void> {
    if (++entered == 3) asio::post(loop, [&] { signal.emit(asio::cancellation_type::terminal); });
    asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
    try {
      co_await timer.async_wait(asio::use_awaitable);
    } catch (...) {
      ++left;
      throw;
    }
  };
  auto const executor = executor_of({tool("wait", "", wait).reads()});
  auto const r =
      cancel_when(executor, {{"1", "wait", "{}"}, {"2", "wait", "{}"}, {"3", "wait", "{}"}}, {}, loop, signal);
  REQUIRE_FALSE(r);
  CHECK(r.error().is(errc::cancelled));
  CHECK(left == 3);
}
