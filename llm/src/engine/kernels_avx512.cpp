// Kernels for AVX-512 (F, BW, VL, DQ). See kernel_table.hpp for what they compute and what they must not include.
//
// Sums run in 16 lanes: lane i adds the products of the columns 16 k + i in ascending order with fused multiply-adds;
// the lanes are then added pairwise. A short last group is padded with zeros.

#include "engine/kernel_table.hpp"

#include <immintrin.h>

namespace wherry::inline v0::engine {
namespace {

using byte = unsigned char;

constexpr std::size_t lanes = 16;
constexpr std::size_t block_columns = 32;  // columns between two looks at the row: Q8_0's block
constexpr std::size_t vectors = block_columns / lanes;

// The lanes of a group of which `left` values remain.
__mmask16 mask_of(std::size_t left) { return static_cast<__mmask16>(left < lanes ? (1u << left) - 1 : 0xFFFFu); }

float sum_of_lanes(__m512 v) {
  __m256 const eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  __m128 const four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 const two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

// --- matrix product -----------------------------------------------------------------------------------------------
// A format says how 32 columns of a row are found and how 16 of them become floats.

struct f32_format {
  static constexpr std::size_t block_bytes = block_columns * 4;
  struct block {
    byte const* at;
  };
  static block open(byte const* at) { return {at}; }
  static __m512 load(block b, std::size_t vector) { return _mm512_loadu_ps(b.at + vector * lanes * 4); }
  static __m512 load_first(block b, std::size_t vector, __mmask16 mask) {
    return _mm512_maskz_loadu_ps(mask, b.at + vector * lanes * 4);
  }
};

struct f16_format {
  static constexpr std::size_t block_bytes = block_columns * 2;
  using block = f32_format::block;
  static block open(byte const* at) { return {at}; }
  static __m512 load(block b, std::size_t vector) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<__m256i const*>(b.at + vector * lanes * 2)));
  }
  static __m512 load_first(block b, std::size_t vector, __mmask16 mask) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, b.at + vector * lanes * 2));
  }
};

struct bf16_format {
  static constexpr std::size_t block_bytes = block_columns * 2;
  using block = f32_format::block;
  static block open(byte const* at) { return {at}; }
  static __m512 widen(__m256i halves) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
  }
  static __m512 load(block b, std::size_t vector) {
    return widen(_mm256_loadu_si256(reinterpret_cast<__m256i const*>(b.at + vector * lanes * 2)));
  }
  static __m512 load_first(block b, std::size_t vector, __mmask16 mask) {
    return widen(_mm256_maskz_loadu_epi16(mask, b.at + vector * lanes * 2));
  }
};

// A block is an f16 scale and 32 signed bytes; scale times byte is exact in f32. Rows have no short last block.
struct q8_0_format {
  static constexpr std::size_t block_bytes = 2 + block_columns;
  struct block {
    byte const* values;
    __m512 scale;
  };
  static block open(byte const* at) {
    return {at + 2, _mm512_set1_ps(_cvtsh_ss(static_cast<unsigned short>(at[0] | at[1] << 8)))};
  }
  static __m512 load(block b, std::size_t vector) {
    __m128i const bytes = _mm_loadu_si128(reinterpret_cast<__m128i const*>(b.values + vector * lanes));
    return _mm512_mul_ps(b.scale, _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes)));
  }
  static __m512 load_first(block b, std::size_t vector, __mmask16) { return load(b, vector); }
};

// `rows` rows times `tokens` tokens, all sums in registers. One token alone waits for memory: the same place of the
// rows that come next is asked for ahead (beyond the last row that is a hint without effect).
template <class Format, int rows, int tokens>
void tile(matmul_args const& a, std::size_t row, std::size_t token) {
  byte const* const weights = a.rows + row * a.row_bytes;
  float const* const x = a.x + token * a.x_stride;
  __m512 sum[rows][tokens];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int t = 0; t < tokens; ++t) sum[r][t] = _mm512_setzero_ps();

  std::size_t const whole = a.columns / block_columns;
  for (std::size_t b = 0; b < whole; ++b) {
    typename Format::block block[rows];
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) {
      byte const* const at = weights + r * a.row_bytes + b * Format::block_bytes;
      block[r] = Format::open(at);
      if constexpr (tokens == 1) _mm_prefetch(reinterpret_cast<char const*>(at + rows * a.row_bytes), _MM_HINT_T0);
    }
#pragma GCC unroll 8
    for (std::size_t v = 0; v < vectors; ++v) {
      __m512 w[rows];
#pragma GCC unroll 8
      for (int r = 0; r < rows; ++r) w[r] = Format::load(block[r], v);
#pragma GCC unroll 8
      for (int t = 0; t < tokens; ++t) {
        __m512 const activation = _mm512_loadu_ps(x + t * a.x_stride + b * block_columns + v * lanes);
#pragma GCC unroll 8
        for (int r = 0; r < rows; ++r) sum[r][t] = _mm512_fmadd_ps(w[r], activation, sum[r][t]);
      }
    }
  }
  for (std::size_t column = whole * block_columns; column < a.columns; column += lanes) {
    __mmask16 const mask = mask_of(a.columns - column);
    for (int r = 0; r < rows; ++r) {
      auto const block = Format::open(weights + r * a.row_bytes + whole * Format::block_bytes);
      __m512 const w = Format::load_first(block, (column - whole * block_columns) / lanes, mask);
      for (int t = 0; t < tokens; ++t)
        sum[r][t] = _mm512_fmadd_ps(w, _mm512_maskz_loadu_ps(mask, x + t * a.x_stride + column), sum[r][t]);
    }
  }
  for (int t = 0; t < tokens; ++t)
    for (int r = 0; r < rows; ++r) a.out[(token + t) * a.out_stride + row + r] = sum_of_lanes(sum[r][t]);
}

template <class Format, int rows>
void tiles_of_rows(matmul_args const& a, std::size_t row) {
  std::size_t token = 0;
  for (; token + 6 <= a.token_count; token += 6) tile<Format, rows, 6>(a, row, token);
  for (; token + 2 <= a.token_count; token += 2) tile<Format, rows, 2>(a, row, token);
  for (; token < a.token_count; ++token) tile<Format, rows, 1>(a, row, token);
}

template <class Format>
void matmul(matmul_args const& a) {
  std::size_t row = 0;
  for (; row + 4 <= a.row_count; row += 4) tiles_of_rows<Format, 4>(a, row);
  for (; row < a.row_count; ++row) tiles_of_rows<Format, 1>(a, row);
}

}  // namespace

extern kernel_table const avx512_kernels{matmul<f32_format>, matmul<f16_format>, matmul<bf16_format>,
                                         matmul<q8_0_format>, avx512_layer_kernels};

}  // namespace wherry::inline v0::engine
