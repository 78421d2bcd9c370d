#include "local/scheduler.hpp"

#include <algorithm>

namespace wherry::inline v0 {
namespace local {

scheduler::scheduler(std::shared_ptr<engine::transformer const> model, tokenizer tokens, scheduler_options options)
    : model_(std::move(model)), tokens_(std::move(tokens)), options_(options), thread_([this] { work(); }) {}

scheduler::~scheduler() {
  {
    std::lock_guard const lock(bell_->mutex);
    bell_->closing = true;
    ++bell_->rings;
  }
  bell_->rung.notify_one();
  thread_.join();
}

result<std::unique_ptr<model_stream>> scheduler::submit(generation_plan plan) {
  auto sampler = engine::sampler::make(plan.request.sampling, model_->configuration().vocabulary);
  if (!sampler) return std::move(sampler).error();
  auto channel = std::make_shared<answer_channel>([bell = bell_] {
    {
      std::lock_guard const lock(bell->mutex);
      ++bell->rings;
    }
    bell->rung.notify_one();
  });
  auto next = std::make_unique<generation>(std::move(plan), std::move(*sampler), channel, *model_, tokens_);
  {
    std::lock_guard const lock(bell_->mutex);
    if (bell_->queue.size() >= options_.queue_max)
      return error{errc::queue_full,
                   std::to_string(options_.queue_max) +
                       " requests already wait for this model; try again, or raise "
                       "local_model_options::queue_max",
                   "model.submit"};
    bell_->queue.push_back(std::move(next));
    ++bell_->rings;
  }
  bell_->rung.notify_one();
  return std::make_unique<answer_stream>(std::move(channel));
}

void scheduler::work() {
  engine::worker_pool pool(static_cast<unsigned>(options_.threads));
  std::uint64_t seen = 0;
  for (;;) {
    drop_overdue();
    admit();
    bool const moved = step_all(pool);
    std::unique_lock lock(bell_->mutex);
    // Sleeps only when every answer waits for its reader (or there is none) and nothing was rung since; wakes for the
    // next deadline of those that wait.
    auto const rung = [&] { return bell_->rings != seen; };
    if (auto const until = next_deadline(); !moved && until == no_deadline)
      bell_->rung.wait(lock, rung);
    else if (!moved)
      bell_->rung.wait_until(lock, until, rung);
    seen = bell_->rings;
    if (bell_->closing) break;
  }
  error const over{errc::cancelled, "the model was closed while the answer was being computed", "local_model"};
  for (auto& one : active_) one->abandon(over);
  std::lock_guard const lock(bell_->mutex);
  for (auto& one : bell_->queue) one->abandon(over);
  bell_->queue.clear();
}

void scheduler::admit() {
  while (active_.size() < options_.parallel_max) {
    std::unique_ptr<generation> next;
    {
      std::lock_guard const lock(bell_->mutex);
      if (bell_->queue.empty()) return;
      next = std::move(bell_->queue.front());
      bell_->queue.pop_front();
    }
    next->start(sequence_for(*next));
    active_.push_back(std::move(next));
  }
}

// An answer that waits, in the queue or for its reader, ends at its deadline like one that is being computed.
void scheduler::drop_overdue() {
  std::lock_guard const lock(bell_->mutex);
  std::erase_if(bell_->queue, [](auto const& one) { return one->is_over(); });
}

// With the bell's mutex held.
deadline scheduler::next_deadline() const {
  deadline next = no_deadline;
  for (auto const& one : active_) next = std::min(next, one->until());
  for (auto const& one : bell_->queue) next = std::min(next, one->until());
  return next;
}

bool scheduler::step_all(engine::worker_pool& pool) {
  bool moved = false;
  for (auto& one : active_) {
    bool const reader_is_late = one->channel().full();
    if (reader_is_late && !one->is_over()) continue;
    moved = true;
    if (reader_is_late || one->step(pool)) {
      keep(one->take_sequence());
      one.reset();
    }
  }
  std::erase(active_, nullptr);
  return moved;
}

known_sequence scheduler::sequence_for(generation const& next) {
  auto const& prompt = next.prompt();
  auto best = idle_.end();
  std::size_t longest = 0;
  for (auto at = idle_.begin(); at != idle_.end(); ++at) {
    if (at->adapters != next.adapters()) continue;
    auto const common = static_cast<std::size_t>(
        std::mismatch(prompt.begin(), prompt.end(), at->ids.begin(), at->ids.end()).first - prompt.begin());
    if (common > longest) {
      longest = common;
      best = at;
    }
  }
  // A sequence that shares little more than the first token is worth more to the request it came from, while there is
  // room for another.
  constexpr std::size_t worth_taking = 8;
  bool const room = idle_.size() + active_.size() < options_.parallel_max;
  if (best == idle_.end() || (longest < worth_taking && room)) {
    if (!room && !idle_.empty())
      best = std::prev(idle_.end());
    else
      return {model_->make_sequence(options_.context_tokens).value(), {}, next.adapters()};
  }
  known_sequence taken = std::move(*best);
  idle_.erase(best);
  return taken;
}

void scheduler::keep(known_sequence sequence) {
  idle_.push_front(std::move(sequence));
  while (idle_.size() > options_.parallel_max) idle_.pop_back();
}

}  // namespace local
}  // namespace wherry::inline v0
