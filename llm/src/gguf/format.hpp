#pragma once
// What reader and writer of GGUF agree on: numbers of the format, and the bounds this build accepts.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace wherry::inline v0::detail {

static_assert(std::endian::native == std::endian::little, "GGUF is read in place: this needs a little-endian machine");

inline constexpr std::string_view gguf_magic = "GGUF";
inline constexpr std::uint32_t gguf_version_min = 2;
inline constexpr std::uint32_t gguf_version_max = 3;
inline constexpr std::uint64_t gguf_alignment_default = 32;

// Bounds. Published models stay far below each of them.
inline constexpr std::uint64_t metadata_entries_max = 1u << 16;
inline constexpr std::uint64_t tensors_max = 1u << 18;
inline constexpr std::uint64_t array_elements_max = 1u << 26;
inline constexpr std::uint64_t string_bytes_max = 1u << 26;
inline constexpr std::uint64_t key_bytes_max = (1u << 16) - 1;  // as published
inline constexpr std::uint64_t tensor_name_bytes_max = 1u << 10;
inline constexpr std::uint32_t dimensions_max = 4;
inline constexpr std::uint64_t alignment_min = 8, alignment_max = 1u << 16;

// Kinds of metadata values, with GGUF's own numbers.
enum class value_type : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

// Bytes of a scalar; 0 for string, array and unknown numbers.
constexpr std::uint32_t scalar_bytes(value_type type) noexcept {
  switch (type) {
    case value_type::u8:
    case value_type::i8:
    case value_type::boolean: return 1;
    case value_type::u16:
    case value_type::i16: return 2;
    case value_type::u32:
    case value_type::i32:
    case value_type::f32: return 4;
    case value_type::u64:
    case value_type::i64:
    case value_type::f64: return 8;
    case value_type::string:
    case value_type::array: break;
  }
  return 0;
}

constexpr char const* name_of(value_type type) noexcept {
  constexpr char const* names[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                   "bool", "string", "array", "u64", "i64", "f64"};
  auto const index = static_cast<std::uint32_t>(type);
  return index < std::size(names) ? names[index] : "unknown";
}

constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t alignment) noexcept {
  return (value + alignment - 1) / alignment * alignment;
}

// "F32, F16, ...": for messages.
std::string supported_tensor_types();

}  // namespace wherry::inline v0::detail
