#pragma once
// Several coroutines side by side, on one executor.

#include <wherry/core/task.hpp>

#include <cstddef>
#include <functional>

namespace wherry::inline v0 {

/// Runs work(0) ... work(count - 1), at most `parallel_max` at a time, started in order, and waits for all of them.
/// Returns: true when the caller was cancelled meanwhile. Then those under way are cancelled and waited for, and no
/// more are started; cancellation of the caller is switched off from there on, so that it can put its things in order.
/// An exception of `work` is rethrown once all have ended.
task<bool> run_group(std::size_t count, std::size_t parallel_max, std::function<task<void>(std::size_t)> work);

}  // namespace wherry::inline v0
