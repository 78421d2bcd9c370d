#pragma once
// The scales of blocks, unpacked with AVX2 instructions. Included by files that are compiled with them only; see
// kernel_table.hpp for what those must not include, and block_formats.hpp for the layouts.

#include <immintrin.h>

namespace wherry::inline v0::engine {
namespace {

// Eight or sixteen floats in memory, from where one is broadcast at a time.
struct alignas(32) eight_floats {
  float at[8];
};
struct alignas(64) sixteen_floats {
  float at[16];
};

inline unsigned load_word(unsigned char const* at) {
  unsigned word;
  __builtin_memcpy(&word, at, sizeof word);
  return word;
}

inline float load_half(unsigned char const* at) { return _cvtsh_ss(static_cast<unsigned short>(at[0] | at[1] << 8)); }

// factor * the eight signed or unsigned bytes of two words.
inline __m256 scaled_unsigned(unsigned low, unsigned high, float factor) {
  __m128i const bytes = _mm_set_epi32(0, 0, static_cast<int>(high), static_cast<int>(low));
  return _mm256_mul_ps(_mm256_set1_ps(factor), _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)));
}

// factor * (byte - 32) of two words.
inline __m256 scaled_centred(unsigned low, unsigned high, float factor) {
  __m128i const bytes = _mm_set_epi32(0, 0, static_cast<int>(high), static_cast<int>(low));
  __m256i const centred = _mm256_sub_epi32(_mm256_cvtepu8_epi32(bytes), _mm256_set1_epi32(32));
  return _mm256_mul_ps(_mm256_set1_ps(factor), _mm256_cvtepi32_ps(centred));
}

// Scales and negated offsets of the eight parts of a Q4_K or Q5_K block, from its first 16 bytes.
struct scales_and_offsets {
  eight_floats scale, minus_offset;
};
inline scales_and_offsets open_part_scales(unsigned char const* block) {
  constexpr unsigned six = 0x3F3F3F3F, four = 0x0F0F0F0F, two = 0x03030303;
  unsigned const a = load_word(block + 4), b = load_word(block + 8), c = load_word(block + 12);
  scales_and_offsets s;
  _mm256_store_ps(s.scale.at, scaled_unsigned(a & six, (c & four) | (a >> 6 & two) << 4, load_half(block)));
  _mm256_store_ps(s.minus_offset.at,
                  scaled_unsigned(b & six, (c >> 4 & four) | (b >> 6 & two) << 4, -load_half(block + 2)));
  return s;
}

// Scales and negated offsets of the sixteen parts of a Q2_K block.
struct q2_k_scales {
  sixteen_floats scale, minus_offset;
};
inline q2_k_scales open_q2_k_scales(unsigned char const* block) {
  __m128i const packed = _mm_loadu_si128(reinterpret_cast<__m128i const*>(block)), low = _mm_set1_epi8(15);
  __m128i const scales = _mm_and_si128(packed, low), offsets = _mm_and_si128(_mm_srli_epi16(packed, 4), low);
  __m256 const d = _mm256_set1_ps(load_half(block + 80)), d_offset = _mm256_set1_ps(-load_half(block + 82));
  auto const scaled = [](__m128i bytes, __m256 factor) {
    return _mm256_mul_ps(factor, _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)));
  };
  q2_k_scales s;
  _mm256_store_ps(s.scale.at, scaled(scales, d));
  _mm256_store_ps(s.scale.at + 8, scaled(_mm_srli_si128(scales, 8), d));
  _mm256_store_ps(s.minus_offset.at, scaled(offsets, d_offset));
  _mm256_store_ps(s.minus_offset.at + 8, scaled(_mm_srli_si128(offsets, 8), d_offset));
  return s;
}

// Scales of the sixteen parts of a Q3_K block.
inline sixteen_floats open_q3_k_scales(unsigned char const* block) {
  constexpr unsigned four = 0x0F0F0F0F, two = 0x03030303;
  unsigned const a = load_word(block + 96), b = load_word(block + 100), c = load_word(block + 104);
  float const d = load_half(block + 108);
  sixteen_floats s;
  _mm256_store_ps(s.at, scaled_centred((a & four) | (c & two) << 4, (b & four) | (c >> 2 & two) << 4, d));
  _mm256_store_ps(s.at + 8,
                  scaled_centred((a >> 4 & four) | (c >> 4 & two) << 4, (b >> 4 & four) | (c >> 6 & two) << 4, d));
  return s;
}

// Scales of the sixteen parts of a Q6_K block.
inline sixteen_floats open_q6_k_scales(unsigned char const* block) {
  __m128i const bytes = _mm_loadu_si128(reinterpret_cast<__m128i const*>(block + 192));
  __m256 const d = _mm256_set1_ps(load_half(block + 208));
  sixteen_floats s;
  _mm256_store_ps(s.at, _mm256_mul_ps(d, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes))));
  _mm256_store_ps(s.at + 8, _mm256_mul_ps(d, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8)))));
  return s;
}

// Scales of the eight parts of an IQ4_XS block.
inline eight_floats open_iq4_xs_scales(unsigned char const* block) {
  // Part i has its low 4 bits in half i of four bytes, its high 2 bits in pair i of two.
  __m256i const part = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  __m256i const low = _mm256_and_si256(
      _mm256_srlv_epi32(_mm256_set1_epi32(static_cast<int>(load_word(block + 4))), _mm256_slli_epi32(part, 2)),
      _mm256_set1_epi32(15));
  __m256i const high = _mm256_and_si256(
      _mm256_srlv_epi32(_mm256_set1_epi32(block[2] | block[3] << 8), _mm256_slli_epi32(part, 1)), _mm256_set1_epi32(3));
  __m256i const scale = _mm256_sub_epi32(_mm256_or_si256(low, _mm256_slli_epi32(high, 4)), _mm256_set1_epi32(32));
  eight_floats s;
  _mm256_store_ps(s.at, _mm256_mul_ps(_mm256_set1_ps(load_half(block)), _mm256_cvtepi32_ps(scale)));
  return s;
}

// The scale of an MXFP4 block; see half_power_of_two in block_formats.hpp.
inline float load_half_power_of_two(unsigned char const* at) {
  unsigned const exponent = *at, bits = exponent < 2 ? 0x00200000u << exponent : (exponent - 1) << 23;
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace
}  // namespace wherry::inline v0::engine
