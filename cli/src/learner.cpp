#include "learner.hpp"

#include "terminal.hpp"

#include <optional>

namespace wherry::cli {
namespace {

constexpr std::size_t lines_kept = 100;

}  // namespace

std::vector<std::string> lines_of(extraction_report const& report) {
  auto const known = report.count(remembered::same) + report.count(remembered::merged);
  auto const refused = report.without_span + report.recalled + report.number_not_said + report.unusable;
  std::vector<std::string> out{"learnt from session " + report.session + " (" + report.by + "): " +
                               std::to_string(report.count(remembered::created)) + " new, " + std::to_string(known) +
                               " known, " + std::to_string(report.count(remembered::superseded)) +
                               " in place of older ones; refused " + std::to_string(refused)};
  out.insert(out.end(), report.degraded.begin(), report.degraded.end());
  return out;
}

learner::learner(scope_handle scope, std::shared_ptr<model> llm)
    : extractor_(std::move(llm)), scope_(std::move(scope)), thread_([this] { work(); }) {}

learner::~learner() {
  {
    std::lock_guard const lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  slow_work const waiting("learning from what was said");
  thread_.join();
}

void learner::wake() {
  {
    std::lock_guard const lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

std::vector<std::string> learner::told() const {
  std::lock_guard const lock(mutex_);
  return lines_;
}

void learner::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return woken_ || over_; });
    if (over_ && !woken_) return;
    woken_ = false;
    for (bool more = true; more;) {
      lock.unlock();
      auto const done = extractor_.next(scope_);
      lock.lock();
      more = done && *done && !over_;
      auto const lines = !done   ? std::vector{"nothing could be learnt: " + done.error().message}
                         : *done ? lines_of(**done)
                                 : std::vector<std::string>{};
      lines_.insert(lines_.end(), lines.begin(), lines.end());
      if (lines_.size() > lines_kept) lines_.erase(lines_.begin(), lines_.end() - lines_kept);
    }
    if (over_) return;
  }
}

}  // namespace wherry::cli
