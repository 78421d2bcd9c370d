#pragma once
// Looking at everything a store holds.

#include "store_state.hpp"

#include <wherry/memory/erase.hpp>

namespace wherry::inline v0::memory_detail {

result<verify_report> verify(store_state& store, bool repair);

}  // namespace wherry::inline v0::memory_detail
