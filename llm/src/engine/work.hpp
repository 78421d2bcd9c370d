#pragma once
// How much work is worth handing to another thread.

#include <algorithm>
#include <cstddef>

namespace wherry::inline v0::engine {

/// Multiply-adds that are worth it: some microseconds.
inline constexpr std::size_t work_per_range = 1 << 16;

/// Items that are worth a range of their own.
inline std::size_t grain_for(std::size_t work_per_item) {
  return std::max<std::size_t>(1, work_per_range / std::max<std::size_t>(1, work_per_item));
}

}  // namespace wherry::inline v0::engine
