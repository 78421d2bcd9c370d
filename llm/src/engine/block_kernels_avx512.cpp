// Products with weights in blocks, for AVX-512 (F, BW, VL, DQ). block_formats.hpp has the layouts, tiles_avx512.hpp
// says what a format is.
//
// With few levels a weight is looked up: a vector holds scale * level - offset for all 16 of them (exactly what the
// definition gives), and one permutation turns 16 packed numbers into 16 weights. It looks at the low bits of each lane
// only, so that nothing has to be masked.

#include "engine/block_scales_x86.hpp"
#include "engine/kernel_table.hpp"
#include "engine/tiles_avx512.hpp"

namespace wherry::inline v0::engine {
namespace {

__m512 consecutive(float first) {
  return _mm512_add_ps(_mm512_set1_ps(first), _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

__m128i load_bytes(byte const* at) { return _mm_loadu_si128(reinterpret_cast<__m128i const*>(at)); }

// Sixteen bytes in a lane each: the numbers wanted are in the lowest bits, or `shift` bits higher.
__m512i spread(byte const* at, unsigned shift) {
  __m512i const lanes_of_bytes = _mm512_cvtepu8_epi32(load_bytes(at));
  return shift == 0 ? lanes_of_bytes : _mm512_srlv_epi32(lanes_of_bytes, _mm512_set1_epi32(static_cast<int>(shift)));
}

// --- blocks of 32 -------------------------------------------------------------------------------------------------

// Sixteen bytes, the low halves for the first vector, the high halves for the second, and a table of 16 weights.
struct halves_block {
  byte const* halves;
  __m512 table;
};
struct halves_format {
  static constexpr std::size_t columns = 32, chunk = 32;
  using block = halves_block;
  static __m512 load(block const& b, std::size_t, std::size_t vector) {
    return _mm512_permutexvar_ps(spread(b.halves, 4 * static_cast<unsigned>(vector)), b.table);
  }
};

struct q4_0_format : halves_format {
  static constexpr std::size_t bytes = 18;
  static block open(byte const* at) { return {at + 2, _mm512_mul_ps(_mm512_set1_ps(load_half(at)), consecutive(-8))}; }
};

struct q4_1_format : halves_format {
  static constexpr std::size_t bytes = 20;
  static block open(byte const* at) {
    return {at + 4, _mm512_fmadd_ps(_mm512_set1_ps(load_half(at)), consecutive(0), _mm512_set1_ps(load_half(at + 2)))};
  }
};

__m512 nonlinear_levels() {
  return _mm512_setr_ps(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
}

struct iq4_nl_format : halves_format {
  static constexpr std::size_t bytes = 18;
  static block open(byte const* at) {
    return {at + 2, _mm512_mul_ps(_mm512_set1_ps(load_half(at)), nonlinear_levels())};
  }
};

struct mxfp4_format : halves_format {
  static constexpr std::size_t bytes = 17;
  static block open(byte const* at) {
    __m512 const levels = _mm512_setr_ps(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);
    return {at + 1, _mm512_mul_ps(_mm512_set1_ps(load_half_power_of_two(at)), levels)};
  }
};

// With a fifth bit there are two tables of 16: a mask takes the lanes of the upper one.
__m512 look_up(__m512i numbers, __m512 lower, __mmask16 fifth, __m512 upper) {
  return _mm512_mask_permutexvar_ps(_mm512_permutexvar_ps(numbers, lower), fifth, numbers, upper);
}

struct five_bit_block {
  byte const* halves;
  unsigned fifth;
  __m512 lower, upper;
};
struct five_bit_format {
  static constexpr std::size_t columns = 32, chunk = 32;
  using block = five_bit_block;
  static __m512 load(block const& b, std::size_t, std::size_t vector) {
    __m512i const numbers = spread(b.halves, 4 * static_cast<unsigned>(vector));
    return look_up(numbers, b.lower, static_cast<__mmask16>(b.fifth >> 16 * vector), b.upper);
  }
};

struct q5_0_format : five_bit_format {
  static constexpr std::size_t bytes = 22;
  static block open(byte const* at) {
    __m512 const scale = _mm512_set1_ps(load_half(at));
    return {at + 6, load_word(at + 2), _mm512_mul_ps(scale, consecutive(-16)), _mm512_mul_ps(scale, consecutive(0))};
  }
};

struct q5_1_format : five_bit_format {
  static constexpr std::size_t bytes = 24;
  static block open(byte const* at) {
    __m512 const scale = _mm512_set1_ps(load_half(at)), least = _mm512_set1_ps(load_half(at + 2));
    return {at + 8, load_word(at + 4), _mm512_fmadd_ps(scale, consecutive(0), least),
            _mm512_fmadd_ps(scale, consecutive(16), least)};
  }
};

// --- blocks of 256 ------------------------------------------------------------------------------------------------

// Four levels repeat in each quarter of a vector: vpermilps looks at the two lowest bits of a lane.
__m512 four_levels(float first) {
  return _mm512_add_ps(_mm512_set1_ps(first), _mm512_broadcast_f32x4(_mm_setr_ps(0, 1, 2, 3)));
}

struct q2_k_format {
  static constexpr std::size_t columns = 256, chunk = 128, bytes = 84;
  struct block {
    byte const* quants;
    q2_k_scales scales;
  };
  static block open(byte const* at) { return {at + 16, open_q2_k_scales(at)}; }
  static __m512 load(block const& b, std::size_t part, std::size_t vector) {
    std::size_t const i = 8 * part + vector;
    __m512i const numbers = spread(b.quants + 32 * part + vector % 2 * 16, static_cast<unsigned>(vector / 2 * 2));
    __m512 const table = _mm512_fmadd_ps(_mm512_set1_ps(b.scales.scale.at[i]), four_levels(0),
                                         _mm512_set1_ps(b.scales.minus_offset.at[i]));
    return _mm512_permutevar_ps(table, numbers);
  }
};

struct q3_k_format {
  static constexpr std::size_t columns = 256, chunk = 128, bytes = 110;
  struct block {
    byte const* at;
    sixteen_floats scale;
  };
  static block open(byte const* at) { return {at, open_q3_k_scales(at)}; }
  static __m512 load(block const& b, std::size_t part, std::size_t vector) {
    __m512i const numbers = spread(b.at + 32 + 32 * part + vector % 2 * 16, static_cast<unsigned>(vector / 2 * 2));
    __m128i const bit = _mm_set1_epi8(static_cast<char>(1u << (4 * part + vector / 2)));
    __mmask16 const third = _mm_test_epi8_mask(load_bytes(b.at + vector % 2 * 16), bit);
    __m512 const scale = _mm512_set1_ps(b.scale.at[8 * part + vector]);
    __m512 const lower = _mm512_mul_ps(scale, four_levels(-4)), upper = _mm512_mul_ps(scale, four_levels(0));
    return _mm512_mask_permutevar_ps(_mm512_permutevar_ps(lower, numbers), third, upper, numbers);
  }
};

struct q4_k_format {
  static constexpr std::size_t columns = 256, chunk = 64, bytes = 144;
  struct block {
    byte const* quants;
    scales_and_offsets parts;
  };
  static block open(byte const* at) { return {at + 16, open_part_scales(at)}; }
  static __m512 load(block const& b, std::size_t part, std::size_t vector) {
    std::size_t const i = 2 * part + vector / 2;
    __m512i const numbers = spread(b.quants + 32 * part + vector % 2 * 16, static_cast<unsigned>(vector / 2 * 4));
    __m512 const table = _mm512_fmadd_ps(_mm512_set1_ps(b.parts.scale.at[i]), consecutive(0),
                                         _mm512_set1_ps(b.parts.minus_offset.at[i]));
    return _mm512_permutexvar_ps(numbers, table);
  }
};

struct q5_k_format {
  static constexpr std::size_t columns = 256, chunk = 64, bytes = 176;
  struct block {
    byte const* at;
    scales_and_offsets parts;
  };
  static block open(byte const* at) { return {at, open_part_scales(at)}; }
  static __m512 load(block const& b, std::size_t part, std::size_t vector) {
    std::size_t const i = 2 * part + vector / 2;
    __m512i const numbers = spread(b.at + 48 + 32 * part + vector % 2 * 16, static_cast<unsigned>(vector / 2 * 4));
    __m128i const bit = _mm_set1_epi8(static_cast<char>(1u << i));
    __mmask16 const fifth = _mm_test_epi8_mask(load_bytes(b.at + 16 + vector % 2 * 16), bit);
    __m512 const scale = _mm512_set1_ps(b.parts.scale.at[i]);
    __m512 const minus_offset = _mm512_set1_ps(b.parts.minus_offset.at[i]);
    return look_up(numbers, _mm512_fmadd_ps(scale, consecutive(0), minus_offset), fifth,
                   _mm512_fmadd_ps(scale, consecutive(16), minus_offset));
  }
};

// Sixteen of 64 signed bytes as floats; `quarter` is known to the compiler once loops are unrolled.
__m512 quarter_of(__m512i bytes, std::size_t quarter) {
  __m128i sixteen = _mm512_castsi512_si128(bytes);
  switch (quarter) {
    case 1: sixteen = _mm512_extracti32x4_epi32(bytes, 1); break;
    case 2: sixteen = _mm512_extracti32x4_epi32(bytes, 2); break;
    case 3: sixteen = _mm512_extracti32x4_epi32(bytes, 3); break;
    default: break;
  }
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(sixteen));
}

struct q6_k_format {
  static constexpr std::size_t columns = 256, chunk = 128, bytes = 210;
  struct block {
    byte const* at;
    sixteen_floats scale;
  };
  static block open(byte const* at) { return {at, open_q6_k_scales(at)}; }

  // Columns 0 to 63 of a part have the low halves of its 64 bytes, columns 64 to 127 the high ones; its 32 bytes of
  // upper bits serve columns 0, 32, 64 and 96 and the following ones, two bits each.
  static __m512i numbers(block const& b, std::size_t part, bool second) {
    __m512i const halves = _mm512_loadu_si512(b.at + 64 * part);
    __m512i const pairs =
        _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<__m256i const*>(b.at + 128 + 32 * part)));
    __m512i const by_two =
        _mm512_set_epi64(0x0002000200020002, 0x0002000200020002, 0x0002000200020002, 0x0002000200020002, 0, 0, 0, 0);
    __m512i const four = _mm512_set1_epi16(4);
    __m512i const low = second ? _mm512_srli_epi16(halves, 4) : halves;
    __m512i const upper =
        second ? _mm512_srlv_epi16(pairs, by_two) : _mm512_sllv_epi16(pairs, _mm512_sub_epi16(four, by_two));
    __m512i const together =
        _mm512_or_si512(_mm512_and_si512(low, _mm512_set1_epi8(0x0F)), _mm512_and_si512(upper, _mm512_set1_epi8(0x30)));
    return _mm512_sub_epi8(together, _mm512_set1_epi8(32));
  }
  static __m512 load(block const& b, std::size_t part, std::size_t vector) {
    __m512 const scale = _mm512_set1_ps(b.scale.at[8 * part + vector]);
    return _mm512_mul_ps(scale, quarter_of(numbers(b, part, vector >= 4), vector % 4));
  }
};

struct iq4_xs_format {
  static constexpr std::size_t columns = 256, chunk = 32, bytes = 136;
  struct block {
    byte const* halves;
    eight_floats scale;
  };
  static block open(byte const* at) { return {at + 8, open_iq4_xs_scales(at)}; }
  static __m512 load(block const& b, std::size_t part, std::size_t vector) {
    __m512 const table = _mm512_mul_ps(_mm512_set1_ps(b.scale.at[part]), nonlinear_levels());
    return _mm512_permutexvar_ps(spread(b.halves + 16 * part, 4 * static_cast<unsigned>(vector)), table);
  }
};

}  // namespace

extern block_matmuls const avx512_block_matmuls{matmul<q4_0_format>,   matmul<q4_1_format>,   matmul<q5_0_format>,
                                                matmul<q5_1_format>,   matmul<q2_k_format>,   matmul<q3_k_format>,
                                                matmul<q4_k_format>,   matmul<q5_k_format>,   matmul<q6_k_format>,
                                                matmul<iq4_nl_format>, matmul<iq4_xs_format>, matmul<mxfp4_format>};

}  // namespace wherry::inline v0::engine
