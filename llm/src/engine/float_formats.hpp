#pragma once
// The 16-bit floats of model files, by their bits. Every conversion is exact or rounds to nearest, ties to even.

#include <bit>
#include <cstdint>

namespace wherry::inline v0::engine {

/// IEEE 754 binary16 to binary32; exact.
inline float f16_to_f32(std::uint16_t half) noexcept {
  std::uint32_t const sign = (half & 0x8000u) << 16;
  std::uint32_t const exponent = (half >> 10) & 0x1F, mantissa = half & 0x3FF;
  if (exponent == 0) {  // zero and subnormals: mantissa * 2^-24
    float const magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
  }
  std::uint32_t const widened = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | widened << 23 | mantissa << 13);
}

/// binary32 to binary16; beyond its range: infinity.
inline std::uint16_t f32_to_f16(float value) noexcept {
  std::uint32_t const bits = std::bit_cast<std::uint32_t>(value), magnitude = bits & 0x7FFFFFFF;
  auto const sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000);
  if (magnitude > 0x7F800000) return sign | 0x7E00;   // NaN
  if (magnitude >= 0x477FF000) return sign | 0x7C00;  // rounds to 65536 or more
  if (magnitude < 0x38800000) {                       // subnormal: let the float unit round at 2^-24
    float const shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3F000000));
  }
  std::uint32_t const rounded = magnitude + 0xFFF + (magnitude >> 13 & 1);
  return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000) >> 13));
}

/// bfloat16 is the upper half of binary32; exact.
inline float bf16_to_f32(std::uint16_t half) noexcept { return std::bit_cast<float>(std::uint32_t{half} << 16); }

/// binary32 to bfloat16.
inline std::uint16_t f32_to_bf16(float value) noexcept {
  std::uint32_t const bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFF) > 0x7F800000) return static_cast<std::uint16_t>(bits >> 16 | 0x40);  // NaN stays one
  return static_cast<std::uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

}  // namespace wherry::inline v0::engine
