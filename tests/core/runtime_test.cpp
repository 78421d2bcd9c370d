#include <wherry/core/runtime.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch_test_macros.hpp>

#include <chrono>
#include <future>
#include <stdexcept>
#include <thread>

using namespace wherry;
namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

task<result<int>> answer() { co_return 42; }

task<result<int>> never() {
  asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::hours(1));
  co_await timer.async_wait(asio::use_awaitable);
  co_return 1;
}

deadline soon() { return std::chrono::steady_clock::now() + 10ms; }

}  // namespace

TEST_CASE("a task run from plain code gives its value", "[unit]") {
  auto const r = run_blocking(answer(), "f", "async_f");
  REQUIRE(r);
  CHECK(*r == 42);
}

TEST_CASE("a blocking call on the loop's own thread names the asynchronous form", "[unit]") {
  runtime loop;
  result<int> seen = 0;
  auto body = [&]() -> task<void> {
    seen = run_blocking(answer(), "agent.run", "agent.async_run");
    co_return;
  };
  loop.spawn(body());
  loop.run();
  REQUIRE_FALSE(seen);
  CHECK(seen.error().is(errc::would_block_loop));
  CHECK(seen.error().message.find("agent.async_run") != std::string::npos);
}

TEST_CASE("a blocking call on a caller's own io_context thread is refused too", "[unit]") {
  asio::io_context loop;
  result<int> seen = 0;
  asio::post(loop, [&] { seen = run_blocking(answer(), "f", "async_f"); });
  loop.run();
  REQUIRE_FALSE(seen);
  CHECK(seen.error().is(errc::would_block_loop));
}

TEST_CASE("offload runs elsewhere and comes home", "[unit]") {
  compute_pool pool{{.threads_max = 1, .queue_max = 4}};
  auto body = [](compute_pool p) -> task<result<bool>> {
    auto const home = std::this_thread::get_id();
    auto worker = co_await offload(p, [] { return std::this_thread::get_id(); }, "id");
    if (!worker) co_return worker.error();
    co_return *worker != home&& std::this_thread::get_id() == home;
  };
  auto const r = run_blocking(body(pool), "f", "async_f");
  REQUIRE(r);
  CHECK(*r);
}

TEST_CASE("an exception of offloaded work reaches the caller", "[unit]") {
  auto body = []() -> task<result<int>> {
    auto r = co_await offload(compute_pool::shared(), []() -> int { throw std::runtime_error("no"); });
    co_return r;
  };
  CHECK_THROWS_AS(run_blocking(body(), "f", "async_f"), std::runtime_error);
}

TEST_CASE("a deadline ends a wait and says what was waited for", "[unit]") {
  auto const r = run_blocking(with_deadline(never(), soon(), "the slow thing"), "f", "async_f");
  REQUIRE_FALSE(r);
  CHECK(r.error().is(errc::deadline_exceeded));
  CHECK(r.error().message.find("the slow thing") != std::string::npos);
  CHECK(run_blocking(with_deadline(answer(), soon(), "x"), "f", "async_f").value() == 42);
  CHECK(run_blocking(with_deadline(answer(), no_deadline, "x"), "f", "async_f").value() == 42);
}

TEST_CASE("work that outlives its deadline is left behind, counted and named", "[unit]") {
  compute_pool pool{{.threads_max = 1, .queue_max = 4}};
  auto gate = std::make_shared<std::promise<void>>();
  auto stuck = [](compute_pool p, std::shared_ptr<std::promise<void>> g) -> task<result<void>> {
    auto work = [g] { g->get_future().wait(); };
    co_return co_await offload(p, std::move(work), "stuck tool");
  };
  auto const r = run_blocking(with_deadline(stuck(pool, gate), soon(), "stuck tool"), "f", "async_f");
  REQUIRE_FALSE(r);
  CHECK(r.error().is(errc::deadline_exceeded));
  CHECK(pool.stats().abandoned == std::vector<std::string>{"stuck tool"});
  gate->set_value();
  while (pool.stats().busy > 0) std::this_thread::yield();
  CHECK(pool.stats().abandoned.empty());
}

TEST_CASE("a full pool refuses work instead of queueing without bound", "[unit]") {
  compute_pool pool{{.threads_max = 1, .queue_max = 1}};
  auto gate = std::make_shared<std::promise<void>>();
  auto future = gate->get_future().share();
  asio::io_context loop;
  int refused = 0, done = 0;
  auto work = [&](std::shared_future<void> f) -> task<void> {
    auto wait = [f] { f.wait(); };
    auto r = co_await offload(pool, std::move(wait));
    if (!r && r.error().is(errc::queue_full) && r.error().retryable) ++refused;
    if (r) ++done;
    if (refused + done == 1) gate->set_value();
  };
  for (int i = 0; i < 8; ++i) asio::co_spawn(loop, work(future), [](std::exception_ptr) {});
  loop.run();
  CHECK(refused >= 1);
  CHECK(done >= 1);
  CHECK(refused + done == 8);
}

TEST_CASE("cancelling a wait for offloaded work returns at once", "[unit]") {
  compute_pool pool{{.threads_max = 1, .queue_max = 4}};
  auto gate = std::make_shared<std::promise<void>>();
  asio::io_context loop;
  asio::cancellation_signal stop;
  result<void> seen{};
  auto body = [&](std::shared_ptr<std::promise<void>> g) -> task<void> {
    co_await asio::this_coro::throw_if_cancelled(false);
    auto work = [g] { g->get_future().wait(); };
    seen = co_await offload(pool, std::move(work), "w");
  };
  asio::co_spawn(loop, body(gate), asio::bind_cancellation_slot(stop.slot(), [](std::exception_ptr) {}));
  asio::post(loop, [&] { stop.emit(asio::cancellation_type::terminal); });
  loop.run();
  REQUIRE_FALSE(seen);
  CHECK(seen.error().is(errc::cancelled));
  gate->set_value();
}

TEST_CASE("a stop source ends a wait, also when it was stopped before", "[unit]") {
  stop_source stop;
  std::thread other([stop] { stop.stop(); });
  auto const r = run_blocking(with_deadline(never(), no_deadline, "the wait", stop), "f", "async_f");
  other.join();
  REQUIRE_FALSE(r);
  CHECK(r.error().is(errc::cancelled));
  CHECK(run_blocking(with_deadline(never(), no_deadline, "again", stop), "f", "async_f").error().is(errc::cancelled));
}

TEST_CASE("what offloaded work holds is let go before its caller goes on", "[unit]") {
  auto held = std::make_shared<int>(1);
  std::weak_ptr<int> const watch = held;
  auto body = [](std::shared_ptr<int> h, std::weak_ptr<int> w) -> task<result<bool>> {
    auto work = [h = std::move(h)] { return *h; };
    auto done = co_await offload(compute_pool::shared(), std::move(work));
    if (!done) co_return done.error();
    co_return w.expired();
  };
  auto const r = run_blocking(body(std::move(held), watch), "f", "async_f");
  REQUIRE(r);
  CHECK(*r);
}

TEST_CASE("a loop may go while work that it waits for is under way", "[unit]") {
  std::promise<void> released;
  auto const wait = released.get_future().share();
  compute_pool const pool;
  auto const held = std::make_shared<int>(1);
  {
    asio::io_context loop;
    auto waiting = [](compute_pool p, std::shared_future<void> until, std::shared_ptr<int> frame) -> task<void> {
      auto work = [until] { until.wait(); };
      (void)co_await offload(p, std::move(work), "slow");
      ++*frame;
    };
    asio::co_spawn(loop, waiting(pool, wait, held), [](std::exception_ptr) {});
    loop.poll();
    CHECK(held.use_count() == 2);
  }
  CHECK(held.use_count() == 1);  // the coroutine went with its loop
  released.set_value();
  while (pool.stats().busy > 0) std::this_thread::yield();
  CHECK(*held == 1);
}

TEST_CASE("work on another loop comes home with its end, its failure, its cancellation", "[unit]") {
  asio::io_context other;
  auto guard = asio::make_work_guard(other);
  std::thread there([&] { other.run(); });
  auto const elsewhere = there.get_id();
  auto trip = [&](task<void> work, deadline until) {
    auto inner = [&](task<void> w) -> task<result<void>> {
      asio::any_io_executor const where = other.get_executor();
      co_await detail::run_elsewhere(where, std::move(w));
      co_return result<void>{};
    };
    auto bounded = [&](task<void> w) -> task<result<void>> {
      auto started = inner(std::move(w));
      co_return co_await with_deadline(std::move(started), until, "the trip");
    };
    return run_blocking(bounded(std::move(work)), "f", "async_f");
  };
  std::thread::id seen;
  auto look = [&]() -> task<void> {
    seen = std::this_thread::get_id();
    co_return;
  };
  CHECK(trip(look(), no_deadline));
  CHECK(seen == elsewhere);
  auto fail = []() -> task<void> {
    throw std::runtime_error("broken");
    co_return;
  };
  CHECK_THROWS_AS((void)trip(fail(), no_deadline), std::runtime_error);
  auto sleep = []() -> task<void> { (void)co_await never(); };
  auto const late = trip(sleep(), soon());
  REQUIRE_FALSE(late);
  CHECK(late.error().is(errc::deadline_exceeded));
  guard.reset();
  there.join();
}
