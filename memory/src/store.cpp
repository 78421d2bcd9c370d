#include "erasure.hpp"
#include "scope_state.hpp"
#include "verify.hpp"

#include <wherry/memory/store.hpp>

namespace wherry::inline v0 {

store::store(std::filesystem::path const& path, store_options options)
    : store(open(path, std::move(options)).value()) {}

store::store(std::shared_ptr<memory_detail::store_state> state) : state_(std::move(state)) {}

result<store> store::open(std::filesystem::path const& path, store_options options) {
  auto state = memory_detail::store_state::open(path, std::move(options));
  if (!state) return state.error();
  return store(std::move(*state));
}

scope_handle store::scope(scope_name name) const { return scope_handle(state_->scope(std::move(name))); }

result<void> store::sync() const { return state_->sync(); }

void store::add_eraser(eraser other) const { state_->add_eraser(std::move(other)); }

result<std::vector<erase_receipt>> store::receipts() const { return memory_detail::receipts(*state_); }

result<verify_report> store::verify(bool repair) const { return memory_detail::verify(*state_, repair); }

result<void> store::copy_to(std::filesystem::path const& where) const { return state_->copy_to(where); }

std::filesystem::path const& store::path() const noexcept { return state_->path; }

}  // namespace wherry::inline v0
