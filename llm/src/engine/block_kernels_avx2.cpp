// Products with weights in blocks, for AVX2 with FMA and F16C. block_formats.hpp has the layouts, tiles_avx2.hpp says
// what a format is. Numbers are put together 32 at a time, as bytes in the order of their columns, then widened eight
// by eight.

#include "engine/block_scales_x86.hpp"
#include "engine/kernel_table.hpp"
#include "engine/tiles_avx2.hpp"

namespace wherry::inline v0::engine {
namespace {

__m256i load_32(byte const* at) { return _mm256_loadu_si256(reinterpret_cast<__m256i const*>(at)); }

// Eight of 32 signed bytes as floats; `eighth` is known to the compiler once loops are unrolled.
__m256 eight_of(__m256i bytes, std::size_t eighth) {
  __m128i const half = eighth < 2 ? _mm256_castsi256_si128(bytes) : _mm256_extracti128_si256(bytes, 1);
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(eighth % 2 == 0 ? half : _mm_unpackhi_epi64(half, half)));
}

// Eight bytes in a lane each, as floats: their low halves or their high halves.
__m256 eight_halves(byte const* at, bool high) {
  __m256i const lanes_of_bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<__m128i const*>(at)));
  return _mm256_cvtepi32_ps(high ? _mm256_srli_epi32(lanes_of_bytes, 4)
                                 : _mm256_and_si256(lanes_of_bytes, _mm256_set1_epi32(15)));
}

// `width` bits of each byte, from bit `shift` on.
__m256i bits_at(__m256i bytes, unsigned shift, int width) {
  __m256i const down = shift == 0 ? bytes : _mm256_srli_epi16(bytes, static_cast<int>(shift));
  return _mm256_and_si256(down, _mm256_set1_epi8(static_cast<char>((1 << width) - 1)));
}

// --- blocks of 32 -------------------------------------------------------------------------------------------------

// Sixteen bytes as 32 numbers: first all low halves, then all high halves.
__m256i halves_in_order(byte const* at) {
  __m128i const bytes = _mm_loadu_si128(reinterpret_cast<__m128i const*>(at));
  return bits_at(_mm256_set_m128i(_mm_srli_epi16(bytes, 4), bytes), 0, 4);
}

// 0x10 in the bytes whose bit in a word of 32 is set.
__m256i fifth_bits(byte const* at) {
  __m256i const each_byte = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  __m256i const each_bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201));
  __m256i const word = _mm256_set1_epi32(static_cast<int>(load_word(at)));
  __m256i const bits = _mm256_and_si256(_mm256_shuffle_epi8(word, each_byte), each_bit);
  return _mm256_and_si256(_mm256_cmpeq_epi8(bits, each_bit), _mm256_set1_epi8(0x10));
}

// scale * number.
struct scaled_format {
  static constexpr std::size_t columns = 32, chunk = 32;
  struct block {
    __m256i numbers;
    __m256 scale;
  };
  static __m256 load(block const& b, std::size_t, std::size_t vector) {
    return _mm256_mul_ps(b.scale, eight_of(b.numbers, vector));
  }
};

// scale * number + least.
struct shifted_format {
  static constexpr std::size_t columns = 32, chunk = 32;
  struct block {
    __m256i numbers;
    __m256 scale, least;
  };
  static __m256 load(block const& b, std::size_t, std::size_t vector) {
    return _mm256_fmadd_ps(b.scale, eight_of(b.numbers, vector), b.least);
  }
};

struct q4_0_format : scaled_format {
  static constexpr std::size_t bytes = 18;
  static block open(byte const* at) {
    return {_mm256_sub_epi8(halves_in_order(at + 2), _mm256_set1_epi8(8)), _mm256_set1_ps(load_half(at))};
  }
};

struct q4_1_format : shifted_format {
  static constexpr std::size_t bytes = 20;
  static block open(byte const* at) {
    return {halves_in_order(at + 4), _mm256_set1_ps(load_half(at)), _mm256_set1_ps(load_half(at + 2))};
  }
};

struct q5_0_format : scaled_format {
  static constexpr std::size_t bytes = 22;
  static block open(byte const* at) {
    __m256i const numbers = _mm256_or_si256(halves_in_order(at + 6), fifth_bits(at + 2));
    return {_mm256_sub_epi8(numbers, _mm256_set1_epi8(16)), _mm256_set1_ps(load_half(at))};
  }
};

struct q5_1_format : shifted_format {
  static constexpr std::size_t bytes = 24;
  static block open(byte const* at) {
    __m256i const numbers = _mm256_or_si256(halves_in_order(at + 8), fifth_bits(at + 4));
    return {numbers, _mm256_set1_ps(load_half(at)), _mm256_set1_ps(load_half(at + 2))};
  }
};

__m256i nonlinear(__m256i numbers) {
  __m256i const levels = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113));
  return _mm256_shuffle_epi8(levels, numbers);
}

struct iq4_nl_format : scaled_format {
  static constexpr std::size_t bytes = 18;
  static block open(byte const* at) { return {nonlinear(halves_in_order(at + 2)), _mm256_set1_ps(load_half(at))}; }
};

struct mxfp4_format : scaled_format {
  static constexpr std::size_t bytes = 17;
  static block open(byte const* at) {
    __m256i const levels =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12));
    return {_mm256_shuffle_epi8(levels, halves_in_order(at + 1)), _mm256_set1_ps(load_half_power_of_two(at))};
  }
};

// --- blocks of 256 ------------------------------------------------------------------------------------------------

struct q2_k_format {
  static constexpr std::size_t columns = 256, chunk = 128, bytes = 84;
  struct block {
    byte const* quants;
    q2_k_scales scales;
  };
  static block open(byte const* at) { return {at + 16, open_q2_k_scales(at)}; }
  static __m256 load(block const& b, std::size_t part, std::size_t vector) {
    std::size_t const i = 8 * part + vector / 2;
    __m256i const numbers = bits_at(load_32(b.quants + 32 * part), static_cast<unsigned>(vector / 4 * 2), 2);
    return _mm256_fmadd_ps(_mm256_set1_ps(b.scales.scale.at[i]), eight_of(numbers, vector % 4),
                           _mm256_set1_ps(b.scales.minus_offset.at[i]));
  }
};

// `value` in the bytes that have bit `i` set.
__m256i where_bit(byte const* at, std::size_t i, char value) {
  __m256i const bit = _mm256_set1_epi8(static_cast<char>(1u << i));
  __m256i const set = _mm256_cmpeq_epi8(_mm256_and_si256(load_32(at), bit), bit);
  return _mm256_and_si256(set, _mm256_set1_epi8(value));
}

struct q3_k_format {
  static constexpr std::size_t columns = 256, chunk = 128, bytes = 110;
  struct block {
    byte const* at;
    sixteen_floats scale;
  };
  static block open(byte const* at) { return {at, open_q3_k_scales(at)}; }
  static __m256 load(block const& b, std::size_t part, std::size_t vector) {
    __m256i const low = bits_at(load_32(b.at + 32 + 32 * part), static_cast<unsigned>(vector / 4 * 2), 2);
    __m256i const numbers =
        _mm256_sub_epi8(_mm256_or_si256(low, where_bit(b.at, 4 * part + vector / 4, 4)), _mm256_set1_epi8(4));
    return _mm256_mul_ps(_mm256_set1_ps(b.scale.at[8 * part + vector / 2]), eight_of(numbers, vector % 4));
  }
};

struct q4_k_format {
  static constexpr std::size_t columns = 256, chunk = 64, bytes = 144;
  struct block {
    byte const* quants;
    scales_and_offsets parts;
  };
  static block open(byte const* at) { return {at + 16, open_part_scales(at)}; }
  static __m256 load(block const& b, std::size_t part, std::size_t vector) {
    std::size_t const i = 2 * part + vector / 4;
    __m256 const numbers = eight_halves(b.quants + 32 * part + vector % 4 * 8, vector >= 4);
    return _mm256_fmadd_ps(_mm256_set1_ps(b.parts.scale.at[i]), numbers, _mm256_set1_ps(b.parts.minus_offset.at[i]));
  }
};

struct q5_k_format {
  static constexpr std::size_t columns = 256, chunk = 64, bytes = 176;
  struct block {
    byte const* at;
    scales_and_offsets parts;
  };
  static block open(byte const* at) { return {at, open_part_scales(at)}; }
  static __m256 load(block const& b, std::size_t part, std::size_t vector) {
    std::size_t const i = 2 * part + vector / 4;
    __m256i const low = bits_at(load_32(b.at + 48 + 32 * part), static_cast<unsigned>(vector / 4 * 4), 4);
    __m256i const numbers = _mm256_or_si256(low, where_bit(b.at + 16, i, 0x10));
    return _mm256_fmadd_ps(_mm256_set1_ps(b.parts.scale.at[i]), eight_of(numbers, vector % 4),
                           _mm256_set1_ps(b.parts.minus_offset.at[i]));
  }
};

struct q6_k_format {
  static constexpr std::size_t columns = 256, chunk = 128, bytes = 210;
  struct block {
    byte const* at;
    sixteen_floats scale;
  };
  static block open(byte const* at) { return {at, open_q6_k_scales(at)}; }

  // Columns 32 * quarter and the following ones of a part.
  static __m256i numbers(block const& b, std::size_t part, unsigned quarter) {
    __m256i const low = bits_at(load_32(b.at + 64 * part + quarter % 2 * 32), quarter / 2 * 4, 4);
    __m256i const upper = bits_at(load_32(b.at + 128 + 32 * part), 2 * quarter, 2);
    return _mm256_sub_epi8(_mm256_or_si256(low, _mm256_slli_epi16(upper, 4)), _mm256_set1_epi8(32));
  }
  static __m256 load(block const& b, std::size_t part, std::size_t vector) {
    __m256 const scale = _mm256_set1_ps(b.scale.at[8 * part + vector / 2]);
    return _mm256_mul_ps(scale, eight_of(numbers(b, part, static_cast<unsigned>(vector / 4)), vector % 4));
  }
};

struct iq4_xs_format {
  static constexpr std::size_t columns = 256, chunk = 32, bytes = 136;
  struct block {
    byte const* halves;
    eight_floats scale;
  };
  static block open(byte const* at) { return {at + 8, open_iq4_xs_scales(at)}; }
  static __m256 load(block const& b, std::size_t part, std::size_t vector) {
    __m256i const numbers = nonlinear(halves_in_order(b.halves + 16 * part));
    return _mm256_mul_ps(_mm256_set1_ps(b.scale.at[part]), eight_of(numbers, vector));
  }
};

}  // namespace

extern block_matmuls const avx2_block_matmuls{matmul<q4_0_format>,   matmul<q4_1_format>,   matmul<q5_0_format>,
                                              matmul<q5_1_format>,   matmul<q2_k_format>,   matmul<q3_k_format>,
                                              matmul<q4_k_format>,   matmul<q5_k_format>,   matmul<q6_k_format>,
                                              matmul<iq4_nl_format>, matmul<iq4_xs_format>, matmul<mxfp4_format>};

}  // namespace wherry::inline v0::engine
