#include "call_group.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <deque>
#include <exception>
#include <memory>

namespace wherry::inline v0 {

namespace asio = boost::asio;

namespace {

// All of it happens on one executor, one thing at a time: no locks.
struct group {
  explicit group(asio::any_io_executor const& e) : executor(e), bell(e, asio::steady_timer::time_point::max()) {}

  asio::any_io_executor executor;
  asio::steady_timer bell;  ///< Never expires; cancelling it wakes the waiting caller.
  std::function<task<void>(std::size_t)> work;
  std::deque<asio::cancellation_signal> signals;  ///< One for each started; a deque keeps their addresses.
  std::size_t count = 0;
  std::size_t started = 0;
  std::size_t running = 0;
  bool stopping = false;
  std::exception_ptr failure;
};

void start_next(std::shared_ptr<group> const& g) {
  auto& signal = g->signals.emplace_back();
  ++g->running;
  asio::co_spawn(g->executor, g->work(g->started++),
                 asio::bind_cancellation_slot(signal.slot(), [g](std::exception_ptr e) {
                   if (e && !g->failure) g->failure = e;
                   --g->running;
                   if (!g->stopping && !g->failure && g->started < g->count) start_next(g);
                   if (g->running == 0) g->bell.cancel();
                 }));
}

}  // namespace

task<bool> run_group(std::size_t count, std::size_t parallel_max, std::function<task<void>(std::size_t)> work) {
  auto const g = std::make_shared<group>(co_await asio::this_coro::executor);
  g->work = std::move(work);
  g->count = count;
  while (g->started < count && g->running < parallel_max) start_next(g);

  boost::system::error_code ec;
  auto token = asio::redirect_error(asio::use_awaitable, ec);
  if (g->running > 0) co_await g->bell.async_wait(token);
  bool const cancelled = (co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none;
  if (cancelled) {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    g->stopping = true;
    for (auto& signal : g->signals) signal.emit(asio::cancellation_type::terminal);
    if (g->running > 0) co_await g->bell.async_wait(token);
  }
  g->work = {};
  if (g->failure) std::rethrow_exception(g->failure);
  co_return cancelled;
}

}  // namespace wherry::inline v0
