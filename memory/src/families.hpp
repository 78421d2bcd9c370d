#pragma once

#include <array>
#include <cstddef>

namespace wherry::inline v0::memory_detail {

/// The column families, in the order in which they are opened. RocksDB's "default" stays empty.
enum class family : std::size_t { unused, meta, event, state, mem, post, vec, item };
inline constexpr std::array family_names{"default", "meta", "event", "state", "mem", "post", "vec", "item"};

}  // namespace wherry::inline v0::memory_detail
