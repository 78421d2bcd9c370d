#include <wherry/core/detail/homecoming.hpp>

#include <utility>

namespace wherry::inline v0::detail {

asio::execution_context::id home_gate::id;

void home_gate::shutdown() noexcept {
  std::unordered_map<expected_home*, std::shared_ptr<expected_home>> left;
  {
    std::lock_guard const lock(state_->mutex);
    left = std::exchange(state_->expected, {});
  }
  for (auto const& [_, waiting] : left) waiting->drop();
}

}  // namespace wherry::inline v0::detail
