#pragma once
// Threads that share one loop. Every loop body writes outputs of its own only, so the split changes no result.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace wherry::inline v0::engine {

/// N-1 threads that help the calling one. Idle workers look for work for a bounded while, then sleep.
/// Threads: for_each_range may be called by one thread at a time.
class worker_pool {
 public:
  static constexpr unsigned threads_max = 256;

  /// `threads` counts the caller; 1 starts no thread, values above threads_max are cut to it.
  explicit worker_pool(unsigned threads);
  ~worker_pool();
  worker_pool(worker_pool const&) = delete;
  worker_pool& operator=(worker_pool const&) = delete;

  unsigned threads() const noexcept { return static_cast<unsigned>(workers_.size()) + 1; }

  /// Calls body(begin, end, worker) for ranges of at most `grain` indices that together are [0, count), from several
  /// threads at once; worker < threads() names the calling thread. Returns when all are done. `body` must not throw.
  template <class Body>
  void for_each_range(std::size_t count, std::size_t grain, Body const& body) {
    if (workers_.empty() || count <= grain) {
      if (count > 0) body(std::size_t{0}, count, 0u);
      return;
    }
    auto const call = [](void const* context, std::size_t begin, std::size_t end, unsigned worker) {
      (*static_cast<Body const*>(context))(begin, end, worker);
    };
    run({call, &body, count, grain});
  }

 private:
  struct job {
    void (*call)(void const* context, std::size_t begin, std::size_t end, unsigned worker) = nullptr;
    void const* context = nullptr;
    std::size_t count = 0;
    std::size_t grain = 1;
  };
  void run(job const& next);
  void work(unsigned worker);
  void take_ranges(unsigned worker);

  std::vector<std::thread> workers_;
  job job_;  // written before generation_ changes, read after it is seen to
  alignas(64) std::atomic<std::uint32_t> generation_{0};
  alignas(64) std::atomic<std::size_t> next_{0};    // first index nobody has taken yet
  alignas(64) std::atomic<std::uint32_t> busy_{0};  // workers that have not finished this generation
  bool stopping_ = false;
};

}  // namespace wherry::inline v0::engine
