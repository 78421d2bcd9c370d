#include "local/answer_channel.hpp"

#include <wherry/core/detail/homecoming.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace wherry::inline v0 {
namespace local {

namespace asio = boost::asio;

void answer_channel::push(model_event event) { put(std::move(event), false); }
void answer_channel::finish(response_end end) { put(model_event{std::move(end)}, true); }
void answer_channel::fail(error why) { put(std::move(why), true); }

void answer_channel::put(result<model_event> item, bool last) {
  std::function<void()> resume;
  {
    std::lock_guard const lock(mutex_);
    if (closed_) return;
    items_.push_back(std::move(item));
    closed_ = last;
    resume = std::exchange(waiting_, {});
  }
  if (resume) resume();
}

bool answer_channel::full() const {
  std::lock_guard const lock(mutex_);
  return items_.size() >= events_max;
}

void answer_channel::cancel() noexcept {
  if (!cancelled_.exchange(true)) wake_producer();
}

void answer_channel::wake_producer() { wake_(); }

task<result<model_event>> answer_channel::async_next() {
  for (;;) {
    bool was_full = false;
    std::optional<result<model_event>> item;
    {
      std::lock_guard const lock(mutex_);
      if (drained_) co_return error{errc::invalid_argument, "the stream has already ended", "model_stream.next"};
      if (!items_.empty()) {
        was_full = items_.size() >= events_max;
        item = std::move(items_.front());
        items_.pop_front();
        drained_ = closed_ && items_.empty();
      }
    }
    if (was_full) wake_producer();
    if (item) co_return std::move(*item);

    // Sleeps until the producer has put something. A cancelled reader does not leave: the producer ends the answer
    // within a token and says so, and that is the last item.
    auto initiate = [this](auto handler) {
      auto slot = asio::get_associated_cancellation_slot(handler);
      if (slot.is_connected()) slot.assign([this](asio::cancellation_type) { cancel(); });
      auto call = detail::homecoming<decltype(handler)>::expect(std::move(handler));
      std::function<void()> wake = [call] { call->complete({}); };
      bool ready = false;
      {
        std::lock_guard const lock(mutex_);
        ready = !items_.empty();
        if (!ready) waiting_ = wake;
      }
      if (ready) wake();
    };
    boost::system::error_code ec;
    auto token = asio::redirect_error(asio::use_awaitable, ec);
    co_await asio::async_initiate<decltype(token), void(boost::system::error_code)>(initiate, token);
  }
}

task<result<model_event>> answer_stream::async_next() {
  auto const channel = channel_;
  co_return co_await channel->async_next();
}

}  // namespace local
}  // namespace wherry::inline v0
