#pragma once
// Where work runs. Coroutines run on the executor of whoever awaits them; blocking work (disk, vectors, synchronous
// tools) goes through offload() to a bounded compute pool and comes home again. No thread is started that nobody asked
// for: a pool starts its threads when work arrives and its own loop runs on the thread that calls run().

#include <wherry/core/clock.hpp>
#include <wherry/core/result.hpp>
#include <wherry/core/stop_source.hpp>
#include <wherry/core/task.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace wherry::inline v0 {

struct compute_pool_options {
  std::size_t threads_max = 4;   ///< Threads are started one by one as work arrives, never more than this.
  std::size_t queue_max = 1024;  ///< Work waiting for a thread; beyond it offload fails with errc::queue_full.
};

/// A bounded pool for blocking work. A cheap copyable handle, thread-safe. Threads end when the last handle goes; a
/// function that never returns is left behind, and its thread with it.
class compute_pool {
 public:
  explicit compute_pool(compute_pool_options options = {});

  /// One per process, made at first use, for callers who bring none.
  static compute_pool shared();

  struct snapshot {
    std::size_t threads = 0;             ///< Threads started.
    std::size_t busy = 0;                ///< Threads in a function now.
    std::size_t queued = 0;              ///< Work waiting for a thread.
    std::vector<std::string> abandoned;  ///< Labels of functions whose caller went on without them.
  };
  snapshot stats() const;

  struct impl;

 private:
  friend task<result<void>> detail_offload(compute_pool, std::function<void()>, std::string);
  std::shared_ptr<impl> impl_;
};

/// Runs `work` on the pool and resumes the caller on its own executor.
/// Fails with: errc::queue_full; errc::cancelled. Cancellation: the caller goes on at once; work that had started runs
/// to its end on its thread and is listed in stats().abandoned until then. Lifetime: `work` is moved into the pool;
/// what it refers to must outlive it, also after cancellation.
task<result<void>> detail_offload(compute_pool pool, std::function<void()> work, std::string label);

namespace detail {
template <class R>
struct flat_result {
  using type = result<R>;
};
template <class R>
struct flat_result<result<R>> {
  using type = result<R>;
};
}  // namespace detail

/// offload(pool, f): f's value (or exception) as the value of the awaited task; a result<T> of f is handed on as it is.
/// `label` names the work in stats().
template <class F, class R = std::invoke_result_t<F&>>
task<typename detail::flat_result<R>::type> offload(compute_pool pool, F work, std::string label = {}) {
  using stored = std::conditional_t<std::is_void_v<R>, bool, R>;
  struct outcome {
    std::optional<stored> value;
    std::exception_ptr failure;
  };
  auto shared = std::make_shared<outcome>();
  std::function<void()> job = [shared, work = std::make_shared<F>(std::move(work))] {
    try {
      if constexpr (std::is_void_v<R>) {
        (*work)();
      } else {
        shared->value.emplace((*work)());
      }
    } catch (...) {
      shared->failure = std::current_exception();
    }
  };
  auto done = co_await detail_offload(std::move(pool), std::move(job), std::move(label));
  if (!done) co_return std::move(done).error();
  if (shared->failure) std::rethrow_exception(shared->failure);
  if constexpr (std::is_void_v<R>) {
    co_return result<void>{};
  } else {
    co_return std::move(*shared->value);
  }
}

namespace detail {
enum class wait_end { finished, expired, cancelled };
/// Awaits `work`. At the deadline, when the caller is cancelled or `stop` is called, cancels it and gives it a moment
/// to leave; work that ignores that is left behind, detached.
task<wait_end> wait_for_end(task<void> work, deadline until, std::optional<stop_source> stop);
/// Runs a task to its end on a private loop of this thread.
void drive(task<void> work);
/// Runs `work` on another loop and comes back to this one. Cancellation goes along. What the work throws is thrown
/// here.
task<void> run_elsewhere(boost::asio::any_io_executor where, task<void> work);
/// True on a thread that is inside an Asio loop (any io_context or thread_pool).
bool loop_runs_here() noexcept;
error loop_error(char const* blocking_form, char const* async_form);
}  // namespace detail

/// Awaits `work` until the deadline, or until `stop` is called; then the work is cancelled.
/// Fails with: errc::deadline_exceeded, its message naming `what`; errc::cancelled; else whatever the work fails with.
/// Lifetime: work that ignores cancellation is left behind; what it refers to must outlive it.
template <class T>
task<result<T>> with_deadline(task<result<T>> work, deadline until, std::string what,
                              std::optional<stop_source> stop = std::nullopt) {
  if (until == no_deadline && !stop) co_return co_await std::move(work);
  auto outcome = std::make_shared<std::optional<result<T>>>();
  auto store = [](task<result<T>> inner, std::shared_ptr<std::optional<result<T>>> slot) -> task<void> {
    slot->emplace(co_await std::move(inner));
  };
  auto const end = co_await detail::wait_for_end(store(std::move(work), outcome), until, std::move(stop));
  if (end != detail::wait_end::expired && *outcome) co_return std::move(**outcome);
  if (end == detail::wait_end::cancelled) co_return error{errc::cancelled, what + " was cancelled", "with_deadline"};
  co_return error{errc::deadline_exceeded, what + " did not end before its deadline", "with_deadline"};
}

/// Runs a task to its end on the calling thread: the blocking form of an asynchronous function.
/// Fails with: errc::would_block_loop on a thread that runs an event loop; the message names `async_form`.
template <class T>
result<T> run_blocking(task<result<T>> work, char const* blocking_form, char const* async_form) {
  if (detail::loop_runs_here()) return detail::loop_error(blocking_form, async_form);
  std::optional<result<T>> outcome;
  auto store = [](task<result<T>> inner, std::optional<result<T>>& slot) -> task<void> {
    slot.emplace(co_await std::move(inner));
  };
  detail::drive(store(std::move(work), outcome));
  if (!outcome) return error{errc::internal, std::string(blocking_form) + " ended without an outcome", "run_blocking"};
  return std::move(*outcome);
}

/// An event loop to run coroutines on: its own, or the caller's executor. A cheap copyable handle.
class runtime {
 public:
  /// Its own loop; it runs on the thread that calls run().
  runtime();
  /// The caller's executor. run() is then the caller's business.
  explicit runtime(boost::asio::any_io_executor executor);

  boost::asio::any_io_executor executor() const;
  /// Starts a coroutine. An exception that escapes it is rethrown from run(), or from the caller's loop.
  void spawn(task<void> work) const;
  /// Runs the own loop until nothing is left to do; returns at once for a caller's executor.
  void run() const;
  /// Makes run() return soon. Work not finished stays unfinished.
  void stop() const;

  struct impl;

 private:
  std::shared_ptr<impl> impl_;
};

}  // namespace wherry::inline v0
