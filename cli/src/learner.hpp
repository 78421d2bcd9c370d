#pragma once
// Learns beside a conversation: does its extraction jobs on a thread of its own.

#include <wherry/agent/extraction.hpp>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace wherry::cli {

/// "learnt from session trip: 2 new, 1 known, 0 ended older ones; refused 1", and what was done with less.
std::vector<std::string> lines_of(extraction_report const& report);

/// Its end waits for the job under way; further ones stay in the store for the next time.
class learner {
 public:
  /// Without a model the rules do it.
  learner(scope_handle scope, std::shared_ptr<model> llm);
  learner(learner const&) = delete;
  learner& operator=(learner const&) = delete;
  ~learner();

  /// There may be a job.
  void wake();
  /// What was learnt so far, in lines for a person; failures too. At most the last lines_kept.
  std::vector<std::string> told() const;

 private:
  void work();

  fact_extractor const extractor_;
  scope_handle const scope_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = true;  ///< Jobs of an earlier conversation may wait.
  bool over_ = false;
  std::vector<std::string> lines_;
  std::thread thread_;
};

/// Tells a learner, if there is one by then, that others have brought it something. Thread-safe.
class learner_bell {
 public:
  void ring() const {
    std::lock_guard const lock(mutex_);
    if (heard_by_) heard_by_->wake();
  }
  /// Null: nobody any more.
  void heard_by(learner* who) {
    std::lock_guard const lock(mutex_);
    heard_by_ = who;
  }

 private:
  mutable std::mutex mutex_;
  learner* heard_by_ = nullptr;
};

}  // namespace wherry::cli
