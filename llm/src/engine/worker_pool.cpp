#include "engine/worker_pool.hpp"

#include <algorithm>

namespace wherry::inline v0::engine {
namespace {

// Looks that a waiting thread takes before it sleeps: some 20 microseconds, the gap between two loops of a pass.
constexpr int looks_max = 1000;

// Waits until `value` differs from `old`; returns the new value.
std::uint32_t wait_for_change(std::atomic<std::uint32_t> const& value, std::uint32_t old) {
  for (int look = 0; look < looks_max; ++look) {
    auto const now = value.load(std::memory_order_acquire);
    if (now != old) return now;
    __builtin_ia32_pause();
  }
  value.wait(old, std::memory_order_acquire);
  return value.load(std::memory_order_acquire);
}

}  // namespace

worker_pool::worker_pool(unsigned threads) {
  unsigned const helpers = std::clamp(threads, 1u, threads_max) - 1;
  workers_.reserve(helpers);
  for (unsigned i = 0; i < helpers; ++i) workers_.emplace_back([this, i] { work(i + 1); });
}

worker_pool::~worker_pool() {
  stopping_ = true;
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void worker_pool::run(job const& next) {
  job_ = next;
  next_.store(0, std::memory_order_relaxed);
  busy_.store(static_cast<std::uint32_t>(workers_.size()), std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  take_ranges(0);
  for (auto left = busy_.load(std::memory_order_acquire); left != 0;) left = wait_for_change(busy_, left);
}

void worker_pool::work(unsigned worker) {
  for (std::uint32_t seen = 0;;) {
    seen = wait_for_change(generation_, seen);
    if (stopping_) return;
    take_ranges(worker);
    if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) busy_.notify_one();
  }
}

void worker_pool::take_ranges(unsigned worker) {
  for (;;) {
    auto const begin = next_.fetch_add(job_.grain, std::memory_order_relaxed);
    if (begin >= job_.count) return;
    job_.call(job_.context, begin, std::min(begin + job_.grain, job_.count), worker);
  }
}

}  // namespace wherry::inline v0::engine
