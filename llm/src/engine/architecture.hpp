#pragma once
// What tells one architecture from another, as rows of a table.

#include <cstdint>
#include <span>
#include <string_view>

namespace wherry::inline v0::engine {

/// Which elements of a head a rotation turns together.
enum class rope_pairing : std::uint8_t {
  neighbours,  ///< (0, 1), (2, 3), ...
  halves,      ///< (0, n / 2), (1, n / 2 + 1), ... for the first n floats of a head.
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
  bool projection_bias;  ///< Query, key and value projections have biases.
  bool head_norm;        ///< Each query and key head is RMS-normalised before it is rotated.
  /// Keys whose effect this build does not compute: a file with another value is refused, never computed wrongly.
  std::span<neutral_key const> not_computed;
};

/// The row with this name, or null.
architecture const* find_architecture(std::string_view name) noexcept;

/// The names, for messages: "llama, qwen2, qwen3".
std::string_view supported_architectures() noexcept;

}  // namespace wherry::inline v0::engine
