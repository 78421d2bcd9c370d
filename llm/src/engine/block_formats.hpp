#pragma once
// The block formats of GGUF in plain C++: where the bits of a weight lie, and what float they stand for. This is the
// definition that the SIMD kernels are tested against.
//
// Every weight is `scale * integer` or `scale * integer - offset`. Scale, offset and their product with the integer
// have at most 24 significant bits, so they are exact in f32, and the only rounding is that of the one addition: a
// fused multiply-add gives the same float. Layouts: the GGUF specification and the public headers of ggml, "K quants"
// as described in llama.cpp's pull request 1684 (2023); MXFP4 after "OCP Microscaling Formats (MX) Specification",
// 2023.
//
// A format has `columns` and `bytes` of a block, and unpack(block, out) for one block.

#include "engine/float_formats.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace wherry::inline v0::engine {

/// The f16 at an address, as a float.
inline float half_at(unsigned char const* at) noexcept {
  std::uint16_t bits;
  std::memcpy(&bits, at, sizeof bits);
  return f16_to_f32(bits);
}

/// The scale of MXFP4: 2^(exponent - 127), here halved because fp4_levels are doubled. 255, which the specification
/// keeps for NaN, is no special case: no quantiser writes it.
inline float half_power_of_two(unsigned char exponent) noexcept {
  std::uint32_t const bits = exponent < 2 ? 0x00200000u << exponent : (exponent - 1u) << 23;
  return std::bit_cast<float>(bits);
}

/// Not evenly spaced 4-bit levels (IQ4_NL, IQ4_XS), and the doubled values of a 4-bit float with 2 exponent bits.
inline constexpr signed char nonlinear_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                     1,    13,   25,  38,  53,  69,  89,  113};
inline constexpr signed char fp4_levels[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// --- blocks of 32 ---------------------------------------------------------------------------------------------------

struct q8_0_block {
  static constexpr std::size_t columns = 32, bytes = 34;
  static void unpack(unsigned char const* block, float* out) noexcept {
    float const scale = half_at(block);
    for (std::size_t i = 0; i < columns; ++i) out[i] = scale * static_cast<signed char>(block[2 + i]);
  }
};

// Sixteen bytes of two columns each: the low half of byte i is column i, the high half column 16 + i.
template <class Value>
void unpack_halves(unsigned char const* halves, float* out, Value value) noexcept {
  for (int i = 0; i < 16; ++i) {
    out[i] = value(halves[i] & 15, i);
    out[16 + i] = value(halves[i] >> 4, 16 + i);
  }
}

struct q4_0_block {
  static constexpr std::size_t columns = 32, bytes = 18;
  static void unpack(unsigned char const* block, float* out) noexcept {
    float const scale = half_at(block);
    unpack_halves(block + 2, out, [=](int q, int) { return scale * static_cast<float>(q - 8); });
  }
};

struct q4_1_block {
  static constexpr std::size_t columns = 32, bytes = 20;
  static void unpack(unsigned char const* block, float* out) noexcept {
    float const scale = half_at(block), least = half_at(block + 2);
    unpack_halves(block + 4, out, [=](int q, int) { return scale * static_cast<float>(q) + least; });
  }
};

// Bit i of four bytes is the fifth bit of column i.
inline int fifth_bit(unsigned char const* bits, int column) noexcept {
  return (bits[column / 8] >> (column % 8) & 1) << 4;
}

struct q5_0_block {
  static constexpr std::size_t columns = 32, bytes = 22;
  static void unpack(unsigned char const* block, float* out) noexcept {
    float const scale = half_at(block);
    unpack_halves(block + 6, out, [=](int q, int column) {
      return scale * static_cast<float>((q | fifth_bit(block + 2, column)) - 16);
    });
  }
};

struct q5_1_block {
  static constexpr std::size_t columns = 32, bytes = 24;
  static void unpack(unsigned char const* block, float* out) noexcept {
    float const scale = half_at(block), least = half_at(block + 2);
    unpack_halves(block + 8, out, [=](int q, int column) {
      return scale * static_cast<float>(q | fifth_bit(block + 4, column)) + least;
    });
  }
};

struct iq4_nl_block {
  static constexpr std::size_t columns = 32, bytes = 18;
  static void unpack(unsigned char const* block, float* out) noexcept {
    float const scale = half_at(block);
    unpack_halves(block + 2, out, [=](int q, int) { return scale * nonlinear_levels[q]; });
  }
};

struct mxfp4_block {
  static constexpr std::size_t columns = 32, bytes = 17;
  static void unpack(unsigned char const* block, float* out) noexcept {
    float const scale = half_power_of_two(block[0]);
    unpack_halves(block + 1, out, [=](int q, int) { return scale * fp4_levels[q]; });
  }
};

// --- blocks of 256: K types, with scales of parts of a block
// ----------------------------------------------------------

// The 6-bit scale and offset of part `i` of 8, from 12 bytes (Q4_K and Q5_K).
struct scale_and_offset {
  int scale, offset;
};
inline scale_and_offset part_scale(unsigned char const* packed, int i) noexcept {
  if (i < 4) return {packed[i] & 63, packed[i + 4] & 63};
  return {(packed[i + 4] & 15) | packed[i - 4] >> 6 << 4, packed[i + 4] >> 4 | packed[i] >> 6 << 4};
}

struct q2_k_block {
  static constexpr std::size_t columns = 256, bytes = 84;
  static void unpack(unsigned char const* block, float* out) noexcept {
    float const d = half_at(block + 80), d_offset = half_at(block + 82);
    for (int i = 0; i < 256; ++i) {
      int const part = block[i / 16], q = block[16 + i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
      out[i] = d * static_cast<float>(part & 15) * static_cast<float>(q) - d_offset * static_cast<float>(part >> 4);
    }
  }
};

struct q3_k_block {
  static constexpr std::size_t columns = 256, bytes = 110;
  static void unpack(unsigned char const* block, float* out) noexcept {
    unsigned char const *const high = block, *const quants = block + 32, *const scales = block + 96;
    float const d = half_at(block + 108);
    for (int i = 0; i < 256; ++i) {
      int const part = i / 16;
      int const scale = (scales[part % 8] >> (part / 8 * 4) & 15) | (scales[8 + part % 4] >> (part / 4 * 2) & 3) << 4;
      int const low = quants[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3, bit = high[i % 32] >> (i / 32) & 1;
      out[i] = d * static_cast<float>(scale - 32) * static_cast<float>(low + 4 * bit - 4);
    }
  }
};

struct q4_k_block {
  static constexpr std::size_t columns = 256, bytes = 144;
  static void unpack(unsigned char const* block, float* out) noexcept {
    float const d = half_at(block), d_offset = half_at(block + 2);
    for (int part = 0; part < 8; ++part) {
      auto const [scale, offset] = part_scale(block + 4, part);
      float const step = d * static_cast<float>(scale), least = d_offset * static_cast<float>(offset);
      unsigned char const* const quants = block + 16 + part / 2 * 32;
      for (int i = 0; i < 32; ++i)
        out[32 * part + i] = step * static_cast<float>(quants[i] >> (part % 2 * 4) & 15) - least;
    }
  }
};

struct q5_k_block {
  static constexpr std::size_t columns = 256, bytes = 176;
  static void unpack(unsigned char const* block, float* out) noexcept {
    float const d = half_at(block), d_offset = half_at(block + 2);
    unsigned char const* const high = block + 16;
    for (int part = 0; part < 8; ++part) {
      auto const [scale, offset] = part_scale(block + 4, part);
      float const step = d * static_cast<float>(scale), least = d_offset * static_cast<float>(offset);
      unsigned char const* const quants = block + 48 + part / 2 * 32;
      for (int i = 0; i < 32; ++i) {
        int const q = (quants[i] >> (part % 2 * 4) & 15) | (high[i] >> part & 1) << 4;
        out[32 * part + i] = step * static_cast<float>(q) - least;
      }
    }
  }
};

struct q6_k_block {
  static constexpr std::size_t columns = 256, bytes = 210;
  static void unpack(unsigned char const* block, float* out) noexcept {
    float const d = half_at(block + 208);
    for (int i = 0; i < 256; ++i) {
      int const half = i / 128, within = i % 128;
      int const low = block[half * 64 + within % 64] >> (within / 64 * 4) & 15;
      int const high = block[128 + half * 32 + within % 32] >> (within / 32 * 2) & 3;
      auto const scale = static_cast<signed char>(block[192 + i / 16]);
      out[i] = d * scale * static_cast<float>((low | high << 4) - 32);
    }
  }
};

struct iq4_xs_block {
  static constexpr std::size_t columns = 256, bytes = 136;
  static void unpack(unsigned char const* block, float* out) noexcept {
    float const d = half_at(block);
    for (int part = 0; part < 8; ++part) {
      int const low = block[4 + part / 2] >> (part % 2 * 4) & 15, high = block[2 + part / 4] >> (part % 4 * 2) & 3;
      float const scale = d * static_cast<float>((low | high << 4) - 32);
      unpack_halves(block + 8 + 16 * part, out + 32 * part, [=](int q, int) { return scale * nonlinear_levels[q]; });
    }
  }
};

}  // namespace wherry::inline v0::engine
