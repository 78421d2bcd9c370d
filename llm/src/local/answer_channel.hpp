#pragma once
// What stands between the scheduler's thread and the run that reads an answer: a bounded queue of events. The scheduler
// never waits for a reader; it leaves an answer alone while its queue is full.

#include <wherry/llm/model.hpp>

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

namespace wherry::inline v0 {
namespace local {

/// Shared by one producer (the scheduler) and one consumer (the stream).
class answer_channel {
 public:
  /// Events waiting for the reader; beyond it the answer is not computed further.
  static constexpr std::size_t events_max = 256;

  /// `wake` is called (from the consumer's thread) when the producer may go on: room again, or cancelled.
  explicit answer_channel(std::function<void()> wake) : wake_(std::move(wake)) {}

  // The producer's side.
  void push(model_event event);
  void finish(response_end end);
  void fail(error why);
  bool full() const;
  bool cancelled() const noexcept { return cancelled_; }

  // The consumer's side.
  task<result<model_event>> async_next();
  void cancel() noexcept;

 private:
  void put(result<model_event> item, bool last);
  void wake_producer();

  mutable std::mutex mutex_;
  std::deque<result<model_event>> items_;
  std::function<void()> waiting_;  // resumes the consumer
  std::function<void()> wake_;
  bool closed_ = false;   // the producer is done
  bool drained_ = false;  // the consumer has seen the last item
  std::atomic<bool> cancelled_{false};
};

/// The stream that a caller holds.
class answer_stream final : public model_stream {
 public:
  explicit answer_stream(std::shared_ptr<answer_channel> channel) : channel_(std::move(channel)) {}
  ~answer_stream() override { channel_->cancel(); }
  task<result<model_event>> async_next() override;
  void cancel() noexcept override { channel_->cancel(); }

 private:
  std::shared_ptr<answer_channel> const channel_;
};

}  // namespace local
}  // namespace wherry::inline v0
