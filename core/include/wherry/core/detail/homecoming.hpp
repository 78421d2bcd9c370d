#pragma once

#include <wherry/core/task.hpp>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>

#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

namespace wherry::inline v0::detail {

namespace asio = boost::asio;

/// A coroutine that waits on its loop for something another thread does.
struct expected_home {
  virtual ~expected_home() = default;
  /// Lets go of the coroutine: its loop goes away. On the loop's thread.
  virtual void drop() noexcept = 0;
};

/// The one way by which other threads come back to a loop. A thread that posts to an io_context is still inside it when
/// the posted handler runs, and that handler may be the last thing before the io_context is destroyed. So posting and
/// the end of the context exclude each other here: who comes too late is no longer expected, and what was still
/// expected is dropped while the context is whole.
class home_gate final : public asio::execution_context::service {
 public:
  using key_type = home_gate;
  static asio::execution_context::id id;

  struct state {
    std::mutex mutex;
    std::unordered_map<expected_home*, std::shared_ptr<expected_home>> expected;
  };

  explicit home_gate(asio::execution_context& owner) : service(owner), state_(std::make_shared<state>()) {}

  static std::shared_ptr<state> of(asio::any_io_executor const& home) {
    return asio::use_service<home_gate>(asio::query(home, asio::execution::context)).state_;
  }

 private:
  void shutdown() noexcept override;

  std::shared_ptr<state> const state_;
};

/// Completes a waiting coroutine exactly once, from any thread, on the coroutine's own loop.
template <class Handler>
class homecoming final : public expected_home {
 public:
  static std::shared_ptr<homecoming> expect(Handler h) {
    auto self = std::shared_ptr<homecoming>(new homecoming(std::move(h)));
    std::lock_guard const lock(self->gate_->mutex);
    self->gate_->expected.emplace(self.get(), self);
    return self;
  }

  void complete(boost::system::error_code ec) {
    std::shared_ptr<expected_home> keep;
    std::lock_guard const lock(gate_->mutex);
    auto const at = gate_->expected.find(this);
    if (at == gate_->expected.end()) return;  // completed before, or dropped
    keep = std::move(at->second);
    gate_->expected.erase(at);
    // The guard goes home too: with the handler, the loop may run out of work.
    asio::post(home_, [h = std::move(*handler_), g = std::move(*guard_), ec]() mutable {
      g.reset();
      std::move(h)(ec);
    });
    handler_.reset();
    guard_.reset();
  }

  void drop() noexcept override {
    handler_.reset();
    guard_.reset();
  }

 private:
  explicit homecoming(Handler h)
      : handler_(std::move(h)),
        home_(asio::get_associated_executor(*handler_)),
        guard_(std::in_place, home_),
        gate_(home_gate::of(home_)) {}

  std::optional<Handler> handler_;
  asio::any_io_executor home_;
  std::optional<asio::executor_work_guard<asio::any_io_executor>> guard_;
  std::shared_ptr<home_gate::state> gate_;
};

}  // namespace wherry::inline v0::detail
