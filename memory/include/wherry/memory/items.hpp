#pragma once
// items: a scope's JSON values by namespace and key, for what a program looks up rather than recalls: settings, working
// blocks, small tables. Written by a transaction, in one batch with whatever else it holds.

#include <wherry/core/clock.hpp>
#include <wherry/core/result.hpp>
#include <wherry/llm/schema.hpp>
#include <wherry/memory/durability.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace wherry::inline v0 {

namespace memory_detail {
struct scope_state;
}

/// Longest value of an item, in bytes of JSON text.
inline constexpr std::size_t item_bytes_max = std::size_t{1} << 20;
/// Most items that one search looks at.
inline constexpr std::size_t item_search_max = 10'000;

/// One item. Its version counts its writes, from 1.
struct item {
  std::string key = {};
  std::string value = {};  ///< A JSON value as text.
  std::uint64_t version = 0;
  utc_ms created = 0;
  utc_ms updated = 0;
  utc_ms expires = 0;  ///< 0: never. Past it the item is absent.
  friend bool operator==(item const&, item const&) = default;
};

/// What a write may ask for.
struct item_options {
  /// Only if the item has this version now; 0: only if it is absent. Else errc::conflict.
  std::optional<std::uint64_t> expected_version = {};
  utc_ms expires = 0;
  std::optional<durability> how = {};  ///< The store's default unless given; ignored in a transaction.
};

/// The items of one namespace of a scope. A namespace is a name as it stands: "a" and "ab" never meet.
///
/// Threads: thread-safe; copies share one state. Lifetime: keeps the store open.
/// Fails with, every function: as scope_handle, and errc::invalid_argument for a namespace or key that is not UTF-8 or
/// longer than name_bytes_max.
class item_space {
 public:
  std::string const& name() const noexcept { return name_; }

  /// Writes a value. Returns: its version.
  /// Fails with: errc::conflict (read again); errc::parse_error for what is not JSON; errc::limit_reached.
  result<std::uint64_t> put(std::string const& key, std::string const& json_text, item_options options = {}) const;
  /// Absent or expired: nullopt.
  result<std::optional<item>> get(std::string const& key) const;
  /// Items with a key after `after` that begins with `prefix`, by key, at most `limit`.
  result<std::vector<item>> list(std::string const& prefix = {}, std::string const& after = {},
                                 std::size_t limit = 1000) const;
  /// Items whose key or text values hold words of the question, the best first, at most `limit`. Looks at the first
  /// item_search_max items of the namespace.
  result<std::vector<item>> search(std::string const& question, std::size_t limit = 10) const;
  /// Takes an item away. Returns: whether it was there.
  /// Fails with: errc::conflict when it has another version than expected.
  result<bool> remove(std::string const& key, item_options options = {}) const;

  /// The same for a C++ type, by its schema.
  template <class T>
  result<std::uint64_t> put_as(std::string const& key, T const& value, item_options options = {}) const {
    return put(key, encode(value).text, std::move(options));
  }
  template <class T>
  result<std::optional<T>> get_as(std::string const& key) const {
    auto found = get(key);
    if (!found) return found.error();
    if (!*found) return std::optional<T>{};
    auto value = decode<T>((*found)->value);
    if (!value) return value.error();
    return std::optional<T>(std::move(*value));
  }

 private:
  friend class scope_handle;
  item_space(std::shared_ptr<memory_detail::scope_state> scope, std::string name);

  std::shared_ptr<memory_detail::scope_state> scope_;
  std::string name_;
};

}  // namespace wherry::inline v0
