#include <wherry/core/detail/homecoming.hpp>
#include <wherry/core/runtime.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <thread>

namespace wherry::inline v0 {

namespace asio = boost::asio;

// ---------------------------------------------------------------- compute pool

struct compute_pool::impl {
  struct job {
    std::function<void()> work;
    std::function<void()> finished;  // called on the pool's thread
    std::string label;
    std::atomic<bool> abandoned{false};
  };

  explicit impl(compute_pool_options o) : options(o) {}

  // Threads hold the impl; they leave when `closing` is set and the queue is empty.
  static void work_on(std::shared_ptr<impl> self) {
    std::unique_lock lock(self->mutex);
    for (;;) {
      ++self->idle;
      self->wake.wait(lock, [&] { return self->closing || !self->queue.empty(); });
      --self->idle;
      if (self->queue.empty()) break;
      auto const next = std::move(self->queue.front());
      self->queue.pop_front();
      auto const place = self->running.insert(self->running.end(), next);
      lock.unlock();
      next->work();
      next->work = nullptr;  // what it holds is let go before the caller goes on: it may be the last handle of a store
      next->finished();
      lock.lock();
      self->running.erase(place);
    }
    --self->threads;
  }

  bool submit(std::shared_ptr<impl> const& self, std::shared_ptr<job> next) {
    std::lock_guard const lock(mutex);
    if (queue.size() >= options.queue_max) return false;
    queue.push_back(std::move(next));
    if (idle < queue.size() && threads < options.threads_max) {
      ++threads;
      std::thread(work_on, self).detach();
    }
    wake.notify_one();
    return true;
  }

  compute_pool_options const options;
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::shared_ptr<job>> queue;
  std::list<std::shared_ptr<job>> running;
  std::size_t threads = 0;
  std::size_t idle = 0;
  bool closing = false;
};

compute_pool::compute_pool(compute_pool_options options) {
  assert(options.threads_max > 0 && options.queue_max > 0);
  // The threads share the state; the last handle tells them to leave.
  auto state = std::make_shared<impl>(options);
  impl_ = std::shared_ptr<impl>(state.get(), [state](impl*) {
    std::lock_guard const lock(state->mutex);
    state->closing = true;
    state->wake.notify_all();
  });
}

compute_pool compute_pool::shared() {
  static compute_pool const pool;
  return pool;
}

compute_pool::snapshot compute_pool::stats() const {
  std::lock_guard const lock(impl_->mutex);
  snapshot s{.threads = impl_->threads, .busy = impl_->running.size(), .queued = impl_->queue.size(), .abandoned = {}};
  for (auto const& job : impl_->running)
    if (job->abandoned) s.abandoned.push_back(job->label);
  return s;
}

task<result<void>> detail_offload(compute_pool pool, std::function<void()> work, std::string label) {
  auto const state = pool.impl_;
  auto initiate = [&](auto handler) {
    auto slot = asio::get_associated_cancellation_slot(handler);
    auto call = detail::homecoming<decltype(handler)>::expect(std::move(handler));
    auto job = std::make_shared<compute_pool::impl::job>();
    job->work = std::move(work);
    job->label = label;
    job->finished = [call] { call->complete({}); };
    if (slot.is_connected()) {
      slot.assign([call, job](asio::cancellation_type) {
        job->abandoned = true;
        call->complete(asio::error::operation_aborted);
      });
    }
    if (!state->submit(state, job)) call->complete(asio::error::no_buffer_space);
  };
  boost::system::error_code ec;
  auto token = asio::redirect_error(asio::use_awaitable, ec);
  co_await asio::async_initiate<decltype(token), void(boost::system::error_code)>(initiate, token);
  if (ec == asio::error::no_buffer_space)
    co_return error{errc::queue_full,
                    "the compute pool already has " + std::to_string(state->options.queue_max) +
                        " pieces of work waiting; raise compute_pool_options::queue_max or try again",
                    "offload", label};
  if (ec) co_return error{errc::cancelled, "cancelled while waiting for blocking work", "offload", label};
  co_return result<void>{};
}

// ---------------------------------------------------------------- deadlines and loops

namespace detail {

namespace {
constexpr auto cancel_grace = std::chrono::milliseconds(20);  // time for cancelled work to leave on its own terms
}

task<wait_end> wait_for_end(task<void> work, deadline until, std::optional<stop_source> stop) {
  auto const executor = co_await asio::this_coro::executor;
  struct race {
    explicit race(asio::any_io_executor const& e) : timer(e) {}
    asio::steady_timer timer;
    asio::cancellation_signal stop;
    bool ended = false;
    std::exception_ptr failure;
  };
  auto const state = std::make_shared<race>(executor);
  state->timer.expires_at(until);
  asio::co_spawn(executor, std::move(work),
                 asio::bind_cancellation_slot(state->stop.slot(), [state](std::exception_ptr e) {
                   state->ended = true;
                   state->failure = e;
                   state->timer.cancel();
                 }));
  if (stop) stop->on_stop([state, executor] { asio::post(executor, [state] { state->timer.cancel(); }); });
  boost::system::error_code ec;
  auto token = asio::redirect_error(asio::use_awaitable, ec);
  if (!stop || !stop->stopped()) co_await state->timer.async_wait(token);
  if (stop) stop->on_stop({});
  bool const outer_cancelled =
      (co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none;
  bool const stopped = outer_cancelled || (stop && stop->stopped());
  auto const end = state->ended ? wait_end::finished : stopped ? wait_end::cancelled : wait_end::expired;
  if (!state->ended) {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    state->stop.emit(asio::cancellation_type::terminal);
    if (!state->ended) {
      state->timer.expires_after(cancel_grace);
      co_await state->timer.async_wait(token);
    }
    co_await asio::this_coro::reset_cancellation_state();
  }
  // What cancelled work throws on its way out is the cancellation itself.
  if (end == wait_end::finished && state->failure) std::rethrow_exception(state->failure);
  co_return end;
}

task<void> run_elsewhere(asio::any_io_executor where, task<void> work) {
  auto const failure = std::make_shared<std::exception_ptr>();
  auto initiate = [&](auto handler) {
    auto slot = asio::get_associated_cancellation_slot(handler);
    auto call = homecoming<decltype(handler)>::expect(std::move(handler));
    // Work that is destroyed with its loop comes home too.
    auto const end = std::shared_ptr<void>(nullptr, [call](void*) { call->complete(asio::error::operation_aborted); });
    auto const stop = std::make_shared<asio::cancellation_signal>();
    if (slot.is_connected())
      slot.assign(
          [where, stop](asio::cancellation_type type) { asio::post(where, [stop, type] { stop->emit(type); }); });
    asio::co_spawn(where, std::move(work),
                   asio::bind_cancellation_slot(stop->slot(), [call, end, failure, where, stop](std::exception_ptr e) {
                     *failure = e;
                     call->complete({});
                     asio::post(where, [stop] {});  // the spawned coroutine's frame, still on the stack, refers to it
                   }));
  };
  boost::system::error_code ec;
  auto token = asio::redirect_error(asio::use_awaitable, ec);
  co_await asio::async_initiate<decltype(token), void(boost::system::error_code)>(initiate, token);
  if (*failure) std::rethrow_exception(*failure);
  if (ec) throw boost::system::system_error(ec, "the loop that was to do the work is gone");
}

bool loop_runs_here() noexcept { return asio::detail::thread_context::top_of_thread_call_stack() != nullptr; }

error loop_error(char const* blocking_form, char const* async_form) {
  return {errc::would_block_loop,
          std::string(blocking_form) + " would block the event loop that this thread is running; co_await " +
              async_form + " instead",
          "run_blocking"};
}

namespace {

/// The private loop of a thread, kept between its calls: making one costs several system calls. When the thread ends it
/// goes to the next thread and is never destroyed: whoever answered a call from a loop of its own may hold an executor
/// of this one for a moment after the call has ended.
class private_loop {
 public:
  private_loop() {
    auto& all = idle();
    std::lock_guard const lock(all.mutex);
    if (all.loops.empty()) return;
    loop_ = std::move(all.loops.back());
    all.loops.pop_back();
  }
  private_loop(private_loop const&) = delete;
  ~private_loop() {
    if (!loop_) return;
    auto& all = idle();
    std::lock_guard const lock(all.mutex);
    all.loops.push_back(std::move(loop_));
  }
  asio::io_context& get() {
    if (!loop_) loop_ = std::make_unique<asio::io_context>(1);
    return *loop_;
  }
  void reset() { loop_.reset(); }

 private:
  struct pool {
    std::mutex mutex;
    std::vector<std::unique_ptr<asio::io_context>> loops;  // as many as threads called at one time
  };
  static pool& idle() {
    static auto* const all = new pool;  // outlives the last thread
    return *all;
  }
  std::unique_ptr<asio::io_context> loop_;
};

}  // namespace

void drive(task<void> work) {
  thread_local private_loop own;
  auto* const loop = &own.get();
  std::exception_ptr failure;
  bool ended = false;
  asio::co_spawn(*loop, std::move(work), [&](std::exception_ptr e) {
    failure = e;
    ended = true;
  });
  // Another thread that lets go of its share of an earlier call late stops the loop once more; a loop without work
  // stops at every turn.
  constexpr int stops_max = 8;
  loop->restart();
  for (int stops = 0; !ended && stops < stops_max;) {
    if (loop->run_one() > 0) {
      stops = 0;
    } else {
      ++stops;
      loop->restart();
    }
  }
  // Whatever is left (a cancelled timer, work that ignored its cancellation) must not keep references to this call.
  if (!ended)
    own.reset();
  else
    loop->poll();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace detail

// ---------------------------------------------------------------- runtime

struct runtime::impl {
  std::unique_ptr<asio::io_context> own;
  asio::any_io_executor executor;
};

runtime::runtime() : impl_(std::make_shared<impl>()) {
  impl_->own = std::make_unique<asio::io_context>(1);
  impl_->executor = impl_->own->get_executor();
}

runtime::runtime(asio::any_io_executor executor) : impl_(std::make_shared<impl>()) {
  impl_->executor = std::move(executor);
}

asio::any_io_executor runtime::executor() const { return impl_->executor; }

void runtime::spawn(task<void> work) const {
  asio::co_spawn(impl_->executor, std::move(work), [](std::exception_ptr e) {
    if (e) std::rethrow_exception(e);
  });
}

void runtime::run() const {
  if (!impl_->own) return;
  impl_->own->restart();
  impl_->own->run();
}

void runtime::stop() const {
  if (impl_->own) impl_->own->stop();
}

}  // namespace wherry::inline v0
