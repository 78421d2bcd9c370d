#pragma once
// How user data leaves a store. First one batch takes it out and writes down the intent to be rid of it; then files are
// rewritten until no byte of it is left; last the receipt takes the intent's place. A crash in between leaves the
// intent, and opening the store goes on from there.

#include "scope_state.hpp"
#include "store_state.hpp"

#include <wherry/memory/erase.hpp>

namespace wherry::inline v0::memory_detail {

/// What an intent has to say: which keys have been taken out, and what the receipt will be.
struct erase_intent {
  ulid scope = {};
  bool drop_images = false;
  erase_receipt receipt = {};
};
std::string intent_key(ulid const& id);
std::string receipt_key(ulid const& id);
std::string encode_intent(erase_intent const& intent);
std::optional<erase_intent> decode_intent(std::string_view value, ulid const& id);

/// Every place in the directory where user data can be, and what rids it of a scope's. A test fails when a column
/// family or a file of a store has none.
struct place_eraser {
  std::string_view place;  ///< A column family, or a folder or file of the directory.
  result<void> (*purge)(store_state& store, erase_intent const& intent);
};
std::vector<place_eraser> const& place_erasers();

/// Everything after the batch: purges each place, then writes the receipt.
result<erase_receipt> finish_erase(store_state& store, erase_intent intent);

/// The whole of it.
result<erase_receipt> erase_scope(scope_state& scope, erase_request const& request);
/// Finishes what a crash interrupted.
result<void> resume_erases(store_state& store);
result<std::vector<erase_receipt>> receipts(store_state const& store);

}  // namespace wherry::inline v0::memory_detail
