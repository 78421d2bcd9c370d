#include <wherry/http/server.hpp>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace wherry::inline v0 {

namespace asio = boost::asio;

struct sse_channel::impl {
  explicit impl(sse_channel_options o) : options(o) {}

  void wake() {
    if (timer) timer->cancel();
  }

  sse_channel_options const options;
  std::string queued;
  std::optional<asio::steady_timer> timer;  // of the serving coroutine
  bool finished = false, gone = false;
};

sse_channel::sse_channel(sse_channel_options options) : impl_(std::make_shared<impl>(options)) {}

bool sse_channel::open() const noexcept { return !impl_->finished && !impl_->gone; }

result<void> sse_channel::push(sse_event const& event) const {
  if (!open()) return error{errc::cancelled, "the event stream has ended", "sse_channel.push"};
  auto const before = impl_->queued.size();
  auto appended = append_sse(impl_->queued, event);
  if (!appended) return appended;
  if (impl_->queued.size() > impl_->options.queue_bytes_max) {
    impl_->queued.resize(before);
    return error{errc::queue_full,
                 "the peer is too slow: more than " + std::to_string(impl_->options.queue_bytes_max) +
                     " bytes of events would wait for it (sse_channel_options::queue_bytes_max)",
                 "sse_channel.push"};
  }
  impl_->wake();
  return {};
}

void sse_channel::finish() const {
  impl_->finished = true;
  impl_->wake();
}

task<result<void>> sse_channel::async_serve(http_exchange& exchange, http_fields fields) const {
  auto const state = impl_;
  struct leaving {
    std::shared_ptr<impl> state;
    ~leaving() {
      state->gone = true;
      state->timer.reset();
    }
  } const at_end{state};
  state->timer.emplace(co_await asio::this_coro::executor);
  fields.set("Content-Type", "text/event-stream");
  if (!fields.find("Cache-Control")) fields.set("Cache-Control", "no-cache, no-transform");
  auto begun = co_await exchange.async_start(200, std::move(fields));
  if (!begun) co_return begun;
  std::string sending;
  for (;;) {
    if (state->queued.empty()) {
      if (state->finished) co_return result<void>{};
      boost::system::error_code ec;
      auto const wait = state->options.keep_alive_time;
      if (wait.count() > 0)
        state->timer->expires_after(wait);
      else
        state->timer->expires_at(std::chrono::steady_clock::time_point::max());
      co_await state->timer->async_wait(asio::redirect_error(asio::use_awaitable, ec));
      if (state->queued.empty() && !ec) append_sse_comment(state->queued);
      continue;  // a cancelled handler does not come back here: the next wait throws
    }
    sending.clear();
    std::swap(sending, state->queued);
    auto sent = co_await exchange.async_write(sending);
    if (!sent) co_return sent;
  }
}

}  // namespace wherry::inline v0
