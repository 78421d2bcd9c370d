#pragma once
// What tells one architecture from another, as rows of a table.

#include <cstdint>
#include <span>
#include <string_view>

namespace wherry::inline v0::engine {

/// Which elements of a head a rotation turns together.
enum class rope_pairing : std::uint8_t {
  neighbours,  ///< (0, 1), (2, 3), ...
};

/// A metadata key of an architecture (behind "<name>.") and the value at which it changes nothing.
struct neutral_key {
  std::string_view key;
  double neutral;
};

/// A row: the name a file gives in general.architecture and how its layers differ.
struct architecture {
  std::string_view name;
  rope_pairing pairing;
  /// Keys whose effect this build does not compute: a file with another value is refused, never computed wrongly.
  std::span<neutral_key const> not_computed;
};

/// The row with this name, or null.
architecture const* find_architecture(std::string_view name) noexcept;

/// The names, for messages: "llama".
std::string_view supported_architectures() noexcept;

}  // namespace wherry::inline v0::engine
