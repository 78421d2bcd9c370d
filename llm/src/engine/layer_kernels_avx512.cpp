// What a layer needs beside its products, for AVX-512 (F, BW, VL, DQ). See kernel_table.hpp for what they compute and
// what this file must not include; sums run in 16 lanes as in kernels_avx512.cpp.

#include "engine/kernel_table.hpp"

#include <immintrin.h>

namespace wherry::inline v0::engine {
namespace {

constexpr std::size_t lanes = 16;

// The lanes of a group of which `left` values remain.
__mmask16 mask_of(std::size_t left) { return static_cast<__mmask16>(left < lanes ? (1u << left) - 1 : 0xFFFFu); }

float sum_of_lanes(__m512 v) {
  __m256 const eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  __m128 const four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 const two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

float largest_lane(__m512 v) {
  __m256 const eight = _mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  __m128 const four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 const two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

// exp(x) = 2^n * exp(r), |r| <= ln 2 / 2, by the Taylor polynomial of degree 7: within 2 ulp; 0 below the normal range.
__m512 exponential(__m512 x) {
  __m512 const lowest = _mm512_set1_ps(-87.33f), highest = _mm512_set1_ps(88.37f);
  __mmask16 const vanishes = _mm512_cmp_ps_mask(x, lowest, _CMP_LT_OQ);
  x = _mm512_max_ps(lowest, _mm512_min_ps(highest, x));  // in this order of operands a NaN stays one
  __m512 const n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)),
                                        _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), r);
  __m512 p = _mm512_set1_ps(1.0f / 5040);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 720));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 120));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 24));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 6));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.5f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
  __m512i const power = _mm512_slli_epi32(_mm512_cvtps_epi32(n), 23);
  p = _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), power));
  return _mm512_mask_mov_ps(p, vanishes, _mm512_setzero_ps());
}

// |v|, and a magnitude with the sign of v.
__m512 magnitude_of(__m512 v) { return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), v); }
__m512 with_sign_of(__m512 v, __m512 magnitude) {
  return _mm512_or_ps(magnitude, _mm512_and_ps(_mm512_set1_ps(-0.0f), v));
}

// gelu in its tanh form: (1 + tanh u) / 2 is 1 / (1 + exp(-2 u)).
__m512 gelu_of(__m512 x) {
  __m512 const one = _mm512_set1_ps(1.0f);
  __m512 const square = _mm512_mul_ps(x, x);
  __m512 const inner = _mm512_fmadd_ps(square, _mm512_set1_ps(0.044715f), one);
  __m512 const minus_twice = _mm512_mul_ps(_mm512_mul_ps(x, _mm512_set1_ps(-1.59576912f)), inner);
  return _mm512_div_ps(x, _mm512_add_ps(one, exponential(minus_twice)));
}

// Abramowitz, Stegun, "Handbook of mathematical functions", 7.1.26: within 1.5e-7.
__m512 error_function(__m512 x) {
  __m512 const one = _mm512_set1_ps(1.0f), z = magnitude_of(x);
  __m512 const t = _mm512_div_ps(one, _mm512_fmadd_ps(z, _mm512_set1_ps(0.3275911f), one));
  __m512 p = _mm512_set1_ps(1.061405429f);
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(-1.453152027f));
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(1.421413741f));
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(-0.284496736f));
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(0.254829592f));
  __m512 const tail =
      _mm512_mul_ps(_mm512_mul_ps(p, t), exponential(_mm512_mul_ps(_mm512_sub_ps(_mm512_setzero_ps(), z), z)));
  return with_sign_of(x, _mm512_sub_ps(one, tail));
}

void rms_norm(float* out, float const* x, float const* weight, std::size_t count, float epsilon) {
  __m512 squares = _mm512_setzero_ps();
  for (std::size_t i = 0; i < count; i += lanes) {
    __m512 const v = _mm512_maskz_loadu_ps(mask_of(count - i), x + i);
    squares = _mm512_fmadd_ps(v, v, squares);
  }
  float const mean = sum_of_lanes(squares) / static_cast<float>(count);
  __m512 const scale = _mm512_div_ps(_mm512_set1_ps(1.0f), _mm512_sqrt_ps(_mm512_set1_ps(mean + epsilon)));
  for (std::size_t i = 0; i < count; i += lanes) {
    __mmask16 const mask = mask_of(count - i);
    __m512 const v = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), scale);
    _mm512_mask_storeu_ps(out + i, mask, _mm512_mul_ps(v, _mm512_maskz_loadu_ps(mask, weight + i)));
  }
}

void layer_norm(float* out, float const* x, float const* weight, float const* bias, std::size_t count, float epsilon) {
  __m512 total = _mm512_setzero_ps(), squares = _mm512_setzero_ps();
  for (std::size_t i = 0; i < count; i += lanes)
    total = _mm512_add_ps(total, _mm512_maskz_loadu_ps(mask_of(count - i), x + i));
  __m512 const mean = _mm512_set1_ps(sum_of_lanes(total) / static_cast<float>(count));
  for (std::size_t i = 0; i < count; i += lanes) {
    __mmask16 const mask = mask_of(count - i);
    __m512 const distance = _mm512_sub_ps(_mm512_maskz_loadu_ps(mask, x + i), mean);
    __m512 const v = _mm512_maskz_mov_ps(mask, distance);
    squares = _mm512_fmadd_ps(v, v, squares);
  }
  float const variance = sum_of_lanes(squares) / static_cast<float>(count);
  __m512 const scale = _mm512_div_ps(_mm512_set1_ps(1.0f), _mm512_sqrt_ps(_mm512_set1_ps(variance + epsilon)));
  for (std::size_t i = 0; i < count; i += lanes) {
    __mmask16 const mask = mask_of(count - i);
    __m512 const v = _mm512_mul_ps(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, x + i), mean), scale);
    _mm512_mask_storeu_ps(
        out + i, mask,
        _mm512_fmadd_ps(v, _mm512_maskz_loadu_ps(mask, weight + i), _mm512_maskz_loadu_ps(mask, bias + i)));
  }
}

void softmax(float* x, std::size_t count, float scale) {
  __m512 highest = _mm512_set1_ps(x[0]);
  for (std::size_t i = 0; i < count; i += lanes) {
    __mmask16 const mask = mask_of(count - i);
    highest = _mm512_max_ps(highest, _mm512_mask_loadu_ps(highest, mask, x + i));
  }
  __m512 const offset = _mm512_set1_ps(largest_lane(highest)), factor = _mm512_set1_ps(scale);
  __m512 total = _mm512_setzero_ps();
  for (std::size_t i = 0; i < count; i += lanes) {
    __mmask16 const mask = mask_of(count - i);
    __m512 const v = _mm512_sub_ps(_mm512_maskz_loadu_ps(mask, x + i), offset);
    __m512 const e = _mm512_maskz_mov_ps(mask, exponential(_mm512_mul_ps(v, factor)));
    total = _mm512_add_ps(total, e);
    _mm512_mask_storeu_ps(x + i, mask, e);
  }
  __m512 const share = _mm512_set1_ps(1.0f / sum_of_lanes(total));
  for (std::size_t i = 0; i < count; i += lanes) {
    __mmask16 const mask = mask_of(count - i);
    _mm512_mask_storeu_ps(x + i, mask, _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), share));
  }
}

void swiglu(float* gate, float const* up, std::size_t count) {
  for (std::size_t i = 0; i < count; i += lanes) {
    __mmask16 const mask = mask_of(count - i);
    __m512 const g = _mm512_maskz_loadu_ps(mask, gate + i);
    __m512 const below = _mm512_add_ps(_mm512_set1_ps(1.0f), exponential(_mm512_sub_ps(_mm512_setzero_ps(), g)));
    _mm512_mask_storeu_ps(gate + i, mask, _mm512_mul_ps(_mm512_div_ps(g, below), _mm512_maskz_loadu_ps(mask, up + i)));
  }
}

void swiglu_clamped(float* gate, float const* up, std::size_t count) {
  __m512 const one = _mm512_set1_ps(1.0f), most = _mm512_set1_ps(7.0f), least = _mm512_set1_ps(-7.0f);
  for (std::size_t i = 0; i < count; i += lanes) {
    __mmask16 const mask = mask_of(count - i);
    __m512 const g = _mm512_min_ps(_mm512_maskz_loadu_ps(mask, gate + i), most);
    __m512 const u = _mm512_max_ps(_mm512_min_ps(_mm512_maskz_loadu_ps(mask, up + i), most), least);
    __m512 const below = _mm512_add_ps(one, exponential(_mm512_mul_ps(g, _mm512_set1_ps(-1.702f))));
    _mm512_mask_storeu_ps(gate + i, mask, _mm512_mul_ps(_mm512_div_ps(g, below), _mm512_add_ps(u, one)));
  }
}

void gelu(float* x, std::size_t count) {
  for (std::size_t i = 0; i < count; i += lanes) {
    __mmask16 const mask = mask_of(count - i);
    _mm512_mask_storeu_ps(x + i, mask, gelu_of(_mm512_maskz_loadu_ps(mask, x + i)));
  }
}

void geglu(float* gate, float const* up, std::size_t count) {
  for (std::size_t i = 0; i < count; i += lanes) {
    __mmask16 const mask = mask_of(count - i);
    __m512 const g = gelu_of(_mm512_maskz_loadu_ps(mask, gate + i));
    _mm512_mask_storeu_ps(gate + i, mask, _mm512_mul_ps(g, _mm512_maskz_loadu_ps(mask, up + i)));
  }
}

void gelu_erf(float* x, std::size_t count) {
  for (std::size_t i = 0; i < count; i += lanes) {
    __mmask16 const mask = mask_of(count - i);
    __m512 const v = _mm512_maskz_loadu_ps(mask, x + i);
    __m512 const e = error_function(_mm512_mul_ps(v, _mm512_set1_ps(0.70710678f)));
    __m512 const half = _mm512_mul_ps(_mm512_set1_ps(0.5f), v);
    _mm512_mask_storeu_ps(x + i, mask, _mm512_mul_ps(half, _mm512_add_ps(_mm512_set1_ps(1.0f), e)));
  }
}

void soft_cap(float* x, std::size_t count, float scale, float cap) {
  __m512 const factor = _mm512_set1_ps(scale / cap), one = _mm512_set1_ps(1.0f), two = _mm512_set1_ps(2.0f);
  for (std::size_t i = 0; i < count; i += lanes) {
    __mmask16 const mask = mask_of(count - i);
    __m512 const v = _mm512_maskz_loadu_ps(mask, x + i);
    __m512 const grown = exponential(_mm512_mul_ps(two, magnitude_of(_mm512_mul_ps(v, factor))));
    __m512 const tangent = _mm512_sub_ps(one, _mm512_div_ps(two, _mm512_add_ps(grown, one)));
    _mm512_mask_storeu_ps(x + i, mask, _mm512_mul_ps(with_sign_of(v, tangent), _mm512_set1_ps(cap)));
  }
}

void add_weighted_rows(float* out, float const* rows, std::size_t row_stride, float const* weights,
                       std::size_t row_count, std::size_t width) {
  std::size_t i = 0;
  for (; i + 4 * lanes <= width; i += 4 * lanes) {
    __m512 sum[4];
    for (int v = 0; v < 4; ++v) sum[v] = _mm512_loadu_ps(out + i + v * lanes);
    for (std::size_t j = 0; j < row_count; ++j) {
      __m512 const w = _mm512_set1_ps(weights[j]);
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v)
        sum[v] = _mm512_fmadd_ps(w, _mm512_loadu_ps(rows + j * row_stride + i + v * lanes), sum[v]);
    }
    for (int v = 0; v < 4; ++v) _mm512_storeu_ps(out + i + v * lanes, sum[v]);
  }
  for (; i < width; i += lanes) {
    __mmask16 const mask = mask_of(width - i);
    __m512 sum = _mm512_maskz_loadu_ps(mask, out + i);
    for (std::size_t j = 0; j < row_count; ++j)
      sum = _mm512_fmadd_ps(_mm512_set1_ps(weights[j]), _mm512_maskz_loadu_ps(mask, rows + j * row_stride + i), sum);
    _mm512_mask_storeu_ps(out + i, mask, sum);
  }
}

}  // namespace

extern layer_kernels const avx512_layer_kernels{rms_norm, layer_norm, softmax,  swiglu,   swiglu_clamped,
                                                geglu,    gelu,       gelu_erf, soft_cap, add_weighted_rows};

}  // namespace wherry::inline v0::engine
