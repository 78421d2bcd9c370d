#include "grammar/expr_node.hpp"
#include "grammar/mask.hpp"

#include <algorithm>
#include <mutex>
#include <unordered_map>

namespace wherry::inline v0 {
namespace grammar {

struct program::impl {
  impl(vocabulary v, machine compiled) : tokens(std::move(v)), states(std::move(compiled)), begin(states) {
    shortest = grammar::shortest_completion(begin, begin.threads(), tokens.get().trie);
  }

  std::shared_ptr<mask const> base_mask(configuration& at) const;

  vocabulary tokens;
  mutable machine states;
  configuration begin;
  std::size_t shortest = 0;
  /// Even looking ahead makes states: everything that touches the machine holds it.
  mutable std::mutex mutex;

 private:
  static constexpr std::size_t cached_masks_max = 512;
  mutable std::unordered_map<std::string, std::shared_ptr<mask const>> masks_;
};

std::shared_ptr<mask const> program::impl::base_mask(configuration& at) const {
  std::string key = at.key(tokens.get().trie.longest_token());
  if (auto const found = masks_.find(key); found != masks_.end()) return found->second;
  auto made = std::make_shared<mask const>(compute_mask(at, tokens.get(), std::nullopt));
  if (masks_.size() >= cached_masks_max) masks_.clear();
  masks_.insert_or_assign(std::move(key), made);
  return made;
}

std::size_t program::shortest_answer() const noexcept { return impl_->shortest; }

result<void> program::check_budget(std::size_t tokens) const {
  if (impl_->shortest <= tokens) return {};
  return error(errc::budget_too_small,
               "the shortest answer the grammar allows needs " + std::to_string(impl_->shortest) +
                   " tokens, the budget is " + std::to_string(tokens) + "; raise the budget or ask for less",
               "grammar.check_budget");
}

result<program> compile(expr const& expression, vocabulary const& tokens) {
  auto states = build_machine(expression, tokens.get());
  if (!states) return states.error();
  auto compiled = std::make_shared<program::impl const>(tokens, std::move(*states));
  if (compiled->begin.threads().empty()) {
    return error(errc::invalid_argument, "cannot compile the grammar: there is no text that it allows",
                 "grammar.compile");
  }
  if (compiled->shortest == cannot_be_spelled) {
    return error(errc::unsupported,
                 "cannot compile the grammar: the vocabulary's tokens cannot spell its shortest answer; it lacks bytes",
                 "grammar.compile");
  }
  return program(std::move(compiled));
}

struct matcher::impl {
  explicit impl(std::shared_ptr<program::impl const> p) : shared(std::move(p)), at(shared->begin) {}

  vocabulary::impl const& tokens() const { return shared->tokens.get(); }
  bool take(thread_list threads);

  std::shared_ptr<program::impl const> shared;
  configuration at;
  bool finished = false;
  std::shared_ptr<mask const> current;  ///< Keeps the last span alive.
};

matcher::matcher(program const& program) : impl_(std::make_unique<impl>(program.impl_)) {}
matcher::matcher(matcher const& other) : impl_(std::make_unique<impl>(*other.impl_)) {}
matcher::matcher(matcher&& other) noexcept = default;
matcher& matcher::operator=(matcher other) noexcept {
  impl_ = std::move(other.impl_);
  return *this;
}
matcher::~matcher() = default;

void matcher::reset() { *impl_ = impl(impl_->shared); }

bool matcher::is_complete() const noexcept { return impl_->at.is_complete(); }
bool matcher::is_finished() const noexcept { return impl_->finished; }

std::size_t matcher::shortest_completion() const {
  if (impl_->at.is_complete()) return 0;
  std::lock_guard const lock(impl_->shared->mutex);
  return grammar::shortest_completion(impl_->at, impl_->at.threads(), impl_->tokens().trie);
}

std::span<std::uint64_t const> matcher::allowed(std::size_t budget_tokens) {
  if (impl_->finished) {
    impl_->current = std::make_shared<mask const>(mask{bitset(impl_->shared->tokens.mask_words()), 0, 0, false});
    return impl_->current->bits;
  }
  std::lock_guard const lock(impl_->shared->mutex);
  auto base = impl_->shared->base_mask(impl_->at);
  weight const now = impl_->at.weigh(impl_->at.threads());
  weight const growth = base->heaviest > base->reference ? base->heaviest - base->reference : 0;
  bool const is_far = !base->has_missing && now < missing_byte && now + growth < budget_tokens;
  impl_->current =
      is_far ? std::move(base) : std::make_shared<mask const>(compute_mask(impl_->at, impl_->tokens(), budget_tokens));
  return impl_->current->bits;
}

// The thread that completes soonest is always among those kept.
bool matcher::impl::take(thread_list threads) {
  if (threads.empty()) return false;
  if (threads.size() > configuration::threads_max) {
    std::size_t best = 0, fewest = cannot_be_spelled;
    for (std::size_t i = 0; i < threads.size(); ++i) {
      std::size_t const count = grammar::shortest_completion(at, {threads[i]}, tokens().trie);
      if (count < fewest) {
        fewest = count;
        best = i;
      }
    }
    std::swap(threads[0], threads[best]);
    threads.resize(configuration::threads_max);
  }
  at.settle(std::move(threads));
  return true;
}

bool matcher::accept(token_id id) {
  auto const& tokens = impl_->tokens();
  if (impl_->finished || id < 0 || static_cast<std::size_t>(id) >= tokens.bytes.size()) return false;
  if (!tokens.is_control[static_cast<std::size_t>(id)]) {
    std::string const& bytes = tokens.bytes[static_cast<std::size_t>(id)];
    return !bytes.empty() && accept_bytes(bytes);
  }
  std::lock_guard const lock(impl_->shared->mutex);
  thread_list after;
  impl_->at.step_token(impl_->at.threads(), id, after);
  if (impl_->take(std::move(after))) return true;
  auto const& ends = tokens.end_of_generation;
  if (!impl_->at.is_complete() || std::find(ends.begin(), ends.end(), id) == ends.end()) return false;
  impl_->finished = true;
  return true;
}

bool matcher::accept_bytes(std::string_view bytes) {
  if (impl_->finished) return false;
  std::lock_guard const lock(impl_->shared->mutex);
  auto const mark = impl_->at.here();
  thread_list now = impl_->at.threads(), after;
  for (char const c : bytes) {
    impl_->at.step(now, static_cast<std::uint8_t>(c), after);
    impl_->at.append(static_cast<std::uint8_t>(c));
    now.swap(after);
    if (now.empty()) {
      impl_->at.take_back(mark);
      return false;
    }
  }
  return impl_->take(std::move(now));
}

std::string matcher::forced() const {
  constexpr std::size_t forced_bytes_max = 4'096;
  std::lock_guard const lock(impl_->shared->mutex);
  configuration at = impl_->at;
  thread_list now = at.threads(), after;
  std::string bytes;
  while (!impl_->finished && bytes.size() < forced_bytes_max && !configuration::complete(now)) {
    int only = -1;
    std::size_t ways = 0;
    thread_list taken;
    auto const possible = at.possible(now);
    if (at.waits_for_token(now)) break;
    for (unsigned byte = 0; byte < 256 && ways < 2; ++byte) {
      if (!possible[byte]) continue;
      at.step(now, static_cast<std::uint8_t>(byte), after);
      if (after.empty()) continue;
      ++ways;
      only = static_cast<int>(byte);
      taken.swap(after);
    }
    if (ways != 1) break;
    bytes.push_back(static_cast<char>(only));
    at.append(static_cast<std::uint8_t>(only));
    now.swap(taken);
  }
  return bytes;
}

}  // namespace grammar
}  // namespace wherry::inline v0
