#pragma once
// Integers of any width behind a void pointer.

#include "schema/bounds.hpp"

#include <cstring>

namespace wherry::inline v0::detail {

template <class Signed, class Unsigned>
wide_integer load_as(bool is_signed, void const* from) {
  if (is_signed) {
    Signed value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
  Unsigned value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// The value of an integer or enumeration.
inline wide_integer load_integer(shape const& type, void const* from) {
  switch (type.bytes) {
    case 1: return load_as<std::int8_t, std::uint8_t>(type.is_signed, from);
    case 2: return load_as<std::int16_t, std::uint16_t>(type.is_signed, from);
    case 4: return load_as<std::int32_t, std::uint32_t>(type.is_signed, from);
    default: return load_as<std::int64_t, std::uint64_t>(type.is_signed, from);
  }
}

/// Stores a value that is known to fit.
inline void store_integer(shape const& type, wide_integer value, void* to) {
  auto const bits = static_cast<std::uint64_t>(value);
  auto const put = [&](auto narrow) { std::memcpy(to, &narrow, sizeof narrow); };
  switch (type.bytes) {
    case 1: return put(static_cast<std::uint8_t>(bits));
    case 2: return put(static_cast<std::uint16_t>(bits));
    case 4: return put(static_cast<std::uint32_t>(bits));
    default: return put(bits);
  }
}

}  // namespace wherry::inline v0::detail
