#pragma once
// Matrix products for AVX2: rows of weights in some format times rows of floats. Included by the files of this set
// only; see kernel_table.hpp for what they must not include.
//
// A format says how 8 columns of a row become floats:
//   columns, bytes                     of a block
//   chunk                              columns that are unrolled; divides `columns`
//   block, open(at)                    a block with what its columns share taken out, such as scales
//   load(block, part, vector)          columns part * chunk + vector * lanes and the following ones
//   load_first(block, vector, count)   the first lanes of a vector, zeros behind them; absent where rows have whole
//   blocks

#include "engine/kernel_table.hpp"

#include <immintrin.h>

namespace wherry::inline v0::engine {
namespace {

using byte = unsigned char;

constexpr std::size_t lanes = 8;

// The lanes of a group of which `left` values remain.
inline __m256i mask_of(std::size_t left) {
  __m256i const lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(left < lanes ? static_cast<int>(left) : 8), lane);
}

inline float sum_of_lanes(__m256 v) {
  __m128 const four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  __m128 const two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

// `rows` rows times `tokens` tokens, all sums in registers. One token alone waits for memory: the same place of the
// rows that come next is asked for ahead (beyond the last row that is a hint without effect).
template <class Format, int rows, int tokens>
void tile(matmul_args const& a, std::size_t row, std::size_t token) {
  constexpr std::size_t parts = Format::columns / Format::chunk, vectors = Format::chunk / lanes, cache_line = 64;
  byte const* const weights = a.rows + row * a.row_bytes;
  float const* const x = a.x + token * a.x_stride;
  __m256 sum[rows][tokens];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int t = 0; t < tokens; ++t) sum[r][t] = _mm256_setzero_ps();

  std::size_t const whole = a.columns / Format::columns;
  for (std::size_t b = 0; b < whole; ++b) {
    typename Format::block block[rows];
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) {
      byte const* const at = weights + r * a.row_bytes + b * Format::bytes;
      block[r] = Format::open(at);
      if constexpr (tokens == 1)
        for (std::size_t ahead = 0; ahead < Format::bytes; ahead += cache_line)
          _mm_prefetch(reinterpret_cast<char const*>(at + rows * a.row_bytes + ahead), _MM_HINT_T0);
    }
    for (std::size_t part = 0; part < parts; ++part) {
      float const* const first = x + b * Format::columns + part * Format::chunk;
      if constexpr (tokens == 1) {  // some vectors of a row, then of the next one: less has to stay in registers
        constexpr std::size_t some = vectors < 4 ? vectors : 4;
#pragma GCC unroll 16
        for (std::size_t begin = 0; begin < vectors; begin += some)
#pragma GCC unroll 8
          for (int r = 0; r < rows; ++r)
#pragma GCC unroll 16
            for (std::size_t v = begin; v < begin + some; ++v) {
              __m256 const activation = _mm256_loadu_ps(first + v * lanes);
              sum[r][0] = _mm256_fmadd_ps(Format::load(block[r], part, v), activation, sum[r][0]);
            }
      } else {
#pragma GCC unroll 16
        for (std::size_t v = 0; v < vectors; ++v) {
          __m256 w[rows];
#pragma GCC unroll 8
          for (int r = 0; r < rows; ++r) w[r] = Format::load(block[r], part, v);
#pragma GCC unroll 8
          for (int t = 0; t < tokens; ++t) {
            __m256 const activation = _mm256_loadu_ps(first + t * a.x_stride + v * lanes);
#pragma GCC unroll 8
            for (int r = 0; r < rows; ++r) sum[r][t] = _mm256_fmadd_ps(w[r], activation, sum[r][t]);
          }
        }
      }
    }
  }
  if constexpr (requires { &Format::load_first; }) {
    for (std::size_t column = whole * Format::columns; column < a.columns; column += lanes) {
      std::size_t const left = a.columns - column < lanes ? a.columns - column : lanes;
      for (int r = 0; r < rows; ++r) {
        auto const block = Format::open(weights + r * a.row_bytes + whole * Format::bytes);
        __m256 const w = Format::load_first(block, (column - whole * Format::columns) / lanes, left);
        for (int t = 0; t < tokens; ++t) {
          __m256 const activation = _mm256_maskload_ps(x + t * a.x_stride + column, mask_of(left));
          sum[r][t] = _mm256_fmadd_ps(w, activation, sum[r][t]);
        }
      }
    }
  }
  for (int t = 0; t < tokens; ++t)
    for (int r = 0; r < rows; ++r) a.out[(token + t) * a.out_stride + row + r] = sum_of_lanes(sum[r][t]);
}

template <class Format, int rows>
void tiles_of_rows(matmul_args const& a, std::size_t row) {
  std::size_t token = 0;
  for (; token + 2 <= a.token_count; token += 2) tile<Format, rows, 2>(a, row, token);
  for (; token < a.token_count; ++token) tile<Format, rows, 1>(a, row, token);
}

// --- many tokens --------------------------------------------------------------------------------------------------
// Rows in blocks are unpacked once for many tokens: some columns at a time into a panel of floats, which holds `lanes`
// columns of each row in turn, so that panel and activations are in the first cache. Sums wait in memory from one panel
// to the next. The same numbers are added in the same order as without.

constexpr std::size_t panel_from_tokens = 6, panel_tokens = 64, panel_columns = 512;

template <class Format, int rows>
void unpack_panel(matmul_args const& a, std::size_t row, std::size_t begin, std::size_t columns, float* panel) {
  static_assert(panel_columns % Format::columns == 0);
  for (std::size_t r = 0; r < rows; ++r) {
    byte const* at = a.rows + (row + r) * a.row_bytes + begin / Format::columns * Format::bytes;
    for (std::size_t column = 0; column < columns; column += Format::columns, at += Format::bytes) {
      auto const block = Format::open(at);
      for (std::size_t part = 0; part < Format::columns / Format::chunk; ++part) {
        float* const first = panel + (column + part * Format::chunk) * rows + r * lanes;
#pragma GCC unroll 16
        for (std::size_t v = 0; v < Format::chunk / lanes; ++v)
          _mm256_store_ps(first + v * lanes * rows, Format::load(block, part, v));
      }
    }
  }
}

// Adds a panel's products to the sums of `tokens` tokens: `rows` vectors each.
template <int rows, int tokens>
void panel_tile(matmul_args const& a, float const* panel, std::size_t begin, std::size_t columns, std::size_t token,
                float* sums) {
  float const* const first = a.x + token * a.x_stride + begin;
  __m256 sum[rows][tokens];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int t = 0; t < tokens; ++t) sum[r][t] = _mm256_load_ps(sums + (t * rows + r) * lanes);
  for (std::size_t column = 0; column < columns; column += lanes) {
    __m256 x[tokens];
#pragma GCC unroll 8
    for (int t = 0; t < tokens; ++t) x[t] = _mm256_loadu_ps(first + t * a.x_stride + column);
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) {
      __m256 const w = _mm256_load_ps(panel + column * rows + r * lanes);
#pragma GCC unroll 8
      for (int t = 0; t < tokens; ++t) sum[r][t] = _mm256_fmadd_ps(w, x[t], sum[r][t]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int t = 0; t < tokens; ++t) _mm256_store_ps(sums + (t * rows + r) * lanes, sum[r][t]);
}

// `rows` rows times up to panel_tokens tokens.
template <class Format, int rows>
void panels(matmul_args const& a, std::size_t row, std::size_t token, std::size_t tokens) {
  alignas(64) float panel[rows * panel_columns];
  alignas(64) float sums[panel_tokens * rows * lanes];
  for (std::size_t i = 0; i < tokens * rows * lanes; i += lanes) _mm256_store_ps(sums + i, _mm256_setzero_ps());
  for (std::size_t begin = 0; begin < a.columns; begin += panel_columns) {
    std::size_t const columns = a.columns - begin < panel_columns ? a.columns - begin : panel_columns;
    unpack_panel<Format, rows>(a, row, begin, columns, panel);
    std::size_t t = 0;
    for (; t + 3 <= tokens; t += 3) panel_tile<rows, 3>(a, panel, begin, columns, token + t, sums + t * rows * lanes);
    for (; t < tokens; ++t) panel_tile<rows, 1>(a, panel, begin, columns, token + t, sums + t * rows * lanes);
  }
  for (std::size_t t = 0; t < tokens; ++t)
    for (std::size_t r = 0; r < rows; ++r)
      a.out[(token + t) * a.out_stride + row + r] = sum_of_lanes(_mm256_load_ps(sums + (t * rows + r) * lanes));
}

template <class Format, int rows>
void rows_times_tokens(matmul_args const& a, std::size_t row) {
  constexpr bool whole_blocks = !requires { &Format::load_first; };
  if constexpr (whole_blocks)
    if (a.token_count >= panel_from_tokens) {
      for (std::size_t token = 0; token < a.token_count; token += panel_tokens) {
        std::size_t const left = a.token_count - token;
        panels<Format, rows>(a, row, token, left < panel_tokens ? left : panel_tokens);
      }
      return;
    }
  tiles_of_rows<Format, rows>(a, row);
}

template <class Format>
void matmul(matmul_args const& a) {
  std::size_t row = 0;
  for (; row + 4 <= a.row_count; row += 4) rows_times_tokens<Format, 4>(a, row);
  for (; row < a.row_count; ++row) rows_times_tokens<Format, 1>(a, row);
}

}  // namespace
}  // namespace wherry::inline v0::engine
