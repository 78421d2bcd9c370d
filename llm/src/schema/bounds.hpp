#pragma once
// What an integer may be: the C++ type's range and the declared one, as the schema writer and the decoder both need it.

#include <wherry/llm/detail/shape.hpp>

#include <string>

namespace wherry::inline v0::detail {

__extension__ typedef __int128 wide_integer;

struct integer_bounds {
  wide_integer low;
  wide_integer high;
  bool has_low;  ///< Worth saying in a schema: declared, or narrower than 64 bits, or unsigned.
  bool has_high;
};

/// A declared range stands for itself (describe<T> has checked that it fits the type).
inline integer_bounds bounds_of(shape const& type, limits const& declared) {
  if (declared.applies == limits::what::whole) return {declared.low, declared.high, true, true};
  unsigned const bits = type.bytes * 8u;
  wide_integer const one = 1;
  bool const narrow = bits < 64;
  if (type.is_signed) return {-(one << (bits - 1)), (one << (bits - 1)) - 1, narrow, narrow};
  return {0, (one << bits) - 1, true, narrow};
}

inline std::string to_digits(wide_integer value) {
  if (value < 0) return "-" + std::to_string(static_cast<std::uint64_t>(-value));
  return std::to_string(static_cast<std::uint64_t>(value));
}

}  // namespace wherry::inline v0::detail
