#include <wherry/core/stop_source.hpp>

#include <atomic>
#include <mutex>
#include <utility>

namespace wherry::inline v0 {

struct stop_source::impl {
  std::atomic<bool> stopped{false};
  std::mutex mutex;
  std::function<void()> wake;
};

stop_source::stop_source() : impl_(std::make_shared<impl>()) {}

void stop_source::stop() const noexcept {
  std::lock_guard const lock(impl_->mutex);
  if (impl_->stopped.exchange(true)) return;
  if (auto const wake = std::exchange(impl_->wake, {})) wake();
}

bool stop_source::stopped() const noexcept { return impl_->stopped; }

void stop_source::on_stop(std::function<void()> wake) const {
  std::lock_guard const lock(impl_->mutex);
  if (impl_->stopped && wake)
    wake();
  else
    impl_->wake = std::move(wake);
}

}  // namespace wherry::inline v0
