#pragma once
// The tools of an agent, frozen: in the order of their names, whatever order they were given in.

#include <wherry/tools/tool.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace wherry::inline v0 {

/// The longest name of a tool, in bytes; letters, digits, '_' and '-' are allowed.
inline constexpr std::size_t tool_name_bytes_max = 64;

/// An immutable set of tools; a cheap copyable handle, thread-safe.
class tool_registry {
 public:
  /// No tools.
  tool_registry();

  /// Fails with: errc::already_exists when two tools share a name; errc::invalid_argument for a name that models'
  /// interfaces do not take. error.path is the name.
  static result<tool_registry> make(std::vector<tool> tools);

  /// The tool of that name; null when there is none. Lives as long as any copy of this handle.
  tool const* find(std::string_view name) const noexcept;

  /// By name, ascending.
  std::span<tool const> tools() const noexcept;
  /// The same order; the form in which a model request carries them.
  std::shared_ptr<std::vector<tool_spec> const> specs() const noexcept;

 private:
  struct state;
  explicit tool_registry(std::shared_ptr<state const> s) : state_(std::move(s)) {}
  std::shared_ptr<state const> state_;
};

}  // namespace wherry::inline v0
