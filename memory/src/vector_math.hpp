#pragma once
// Dot products of unit vectors, as f32 or as int8 with a scale. One binary serves every x86-64: the compiler makes a
// version for each instruction set and the right one is taken when the program starts.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace wherry::inline v0::memory_detail {

/// How a vector is kept. The numbers are on disk.
enum class vector_form : std::uint8_t { f32 = 1, int8 = 2 };

float dot_f32(float const* a, float const* b, std::size_t count);
std::int32_t dot_int8(std::int8_t const* a, std::int8_t const* b, std::size_t count);

/// Bytes of a kept vector: f32 values, or a f32 scale and int8 values.
std::size_t packed_bytes(vector_form form, std::size_t dimensions);
/// A vector brought to length 1 and packed; empty when its length is zero or not finite.
std::string pack(vector_form form, std::span<float const> values);
/// A packed vector as floats: what pack was given, at length 1, and rounded where it was packed as int8.
std::vector<float> unpacked(vector_form form, std::size_t dimensions, char const* packed);
/// Dot product of two packed vectors of one form.
float packed_dot(vector_form form, std::size_t dimensions, char const* a, char const* b);

}  // namespace wherry::inline v0::memory_detail
