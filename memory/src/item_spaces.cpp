#include "bytes.hpp"
#include "scope_state.hpp"
#include "store_state.hpp"

#include <wherry/memory/scope.hpp>

namespace wherry::inline v0 {

using namespace memory_detail;

result<std::vector<std::string>> scope_handle::item_spaces() const {
  std::lock_guard const lock(state_->mutex);
  if (auto ready = state_->load_locked(); !ready) return ready.error();
  std::vector<std::string> out;
  if (!state_->id) return out;
  auto const first = prefix(*state_->id, 'I'), end = prefix_end(*state_->id, 'I');
  // From one namespace to the next: its other items are not looked at.
  for (auto from = first;;) {
    std::optional<std::string> found;
    auto const scanned =
        state_->store->scan(family::item, from, end, [&](std::string_view key, std::string_view) -> result<bool> {
          byte_reader reader(key.substr(first.size()));
          found = reader.text();
          if (!reader.ok()) return state_->store->damaged("an item has a key that cannot be read");
          return false;
        });
    if (!scanned) return scanned.error();
    if (!found) return out;
    out.push_back(*found);
    from = item_prefix_end(*state_->id, *found);
  }
}

}  // namespace wherry::inline v0
