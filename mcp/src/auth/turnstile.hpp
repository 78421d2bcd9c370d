#pragma once
// One coroutine at a time, in order of arrival. For one executor.

#include <wherry/core/task.hpp>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <deque>
#include <memory>

namespace wherry::inline v0::mcp::detail {

class turnstile {
 public:
  /// Held until it is destroyed.
  class pass {
   public:
    explicit pass(turnstile* t) : turnstile_(t) {}
    pass(pass&& other) noexcept : turnstile_(std::exchange(other.turnstile_, nullptr)) {}
    pass& operator=(pass&&) = delete;
    ~pass() {
      if (turnstile_) turnstile_->leave();
    }

   private:
    turnstile* turnstile_;
  };

  /// Throws what Asio throws when it is cancelled.
  task<pass> enter() {
    auto const executor = co_await boost::asio::this_coro::executor;
    while (busy_) {
      auto const mine =
          std::make_shared<boost::asio::steady_timer>(executor, std::chrono::steady_clock::time_point::max());
      waiting_.push_back(mine);
      boost::system::error_code ec;
      co_await mine->async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ec));
      std::erase(waiting_, mine);
    }
    busy_ = true;
    co_return pass(this);
  }

 private:
  void leave() {
    busy_ = false;
    if (!waiting_.empty()) waiting_.front()->cancel();
  }

  bool busy_ = false;
  std::deque<std::shared_ptr<boost::asio::steady_timer>> waiting_;
};

}  // namespace wherry::inline v0::mcp::detail
