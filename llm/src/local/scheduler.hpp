#pragma once
// The one thread that computes answers: a bounded queue, a few answers in turn, and the sequences of finished ones kept
// for requests that begin alike.

#include "engine/worker_pool.hpp"
#include "local/generation.hpp"

#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <thread>

namespace wherry::inline v0 {
namespace local {

struct scheduler_options {
  std::size_t threads = 1;
  std::size_t parallel_max = 4;
  std::size_t queue_max = 64;
  std::size_t context_tokens = 0;
};

class scheduler {
 public:
  scheduler(std::shared_ptr<engine::transformer const> model, tokenizer tokens, scheduler_options options);
  /// Ends answers under way with errc::cancelled.
  ~scheduler();
  scheduler(scheduler const&) = delete;
  scheduler& operator=(scheduler const&) = delete;

  /// Fails with: errc::queue_full; errc::invalid_argument for sampling options out of range.
  result<std::unique_ptr<model_stream>> submit(generation_plan plan);

 private:
  void work();
  void admit();
  void drop_overdue();
  deadline next_deadline() const;
  bool step_all(engine::worker_pool& pool);
  known_sequence sequence_for(generation const& next);
  void keep(known_sequence sequence);

  // What wakes the thread; shared with the channels, which may outlive the scheduler.
  struct bell {
    std::mutex mutex;
    std::condition_variable rung;
    std::deque<std::unique_ptr<generation>> queue;
    std::uint64_t rings = 0;
    bool closing = false;
  };

  std::shared_ptr<engine::transformer const> const model_;
  tokenizer const tokens_;
  scheduler_options const options_;
  std::shared_ptr<bell> const bell_ = std::make_shared<bell>();

  // The thread's own.
  std::vector<std::unique_ptr<generation>> active_;
  std::list<known_sequence> idle_;  // latest first; at most parallel_max together with the active ones
  std::thread thread_;
};

}  // namespace local
}  // namespace wherry::inline v0
