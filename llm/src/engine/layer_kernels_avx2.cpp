// What a layer needs beside its products, for AVX2 with FMA and F16C. See kernel_table.hpp for what they compute and
// what this file must not include; sums run in 8 lanes as in kernels_avx2.cpp.

#include "engine/kernel_table.hpp"

#include <immintrin.h>

namespace wherry::inline v0::engine {
namespace {

constexpr std::size_t lanes = 8;

// The lanes of a group of which `left` values remain.
__m256i mask_of(std::size_t left) {
  __m256i const lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(left < lanes ? static_cast<int>(left) : 8), lane);
}

float sum_of_lanes(__m256 v) {
  __m128 const four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  __m128 const two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

float largest_lane(__m256 v) {
  __m128 const four = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  __m128 const two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

// exp(x) = 2^n * exp(r), |r| <= ln 2 / 2, by the Taylor polynomial of degree 7: within 2 ulp; 0 below the normal range.
__m256 exponential(__m256 x) {
  __m256 const lowest = _mm256_set1_ps(-87.33f), highest = _mm256_set1_ps(88.37f);
  __m256 const vanishes = _mm256_cmp_ps(x, lowest, _CMP_LT_OQ);
  x = _mm256_max_ps(lowest, _mm256_min_ps(highest, x));  // in this order of operands a NaN stays one
  __m256 const n =
      _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375f), x);
  r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4f), r);
  __m256 p = _mm256_set1_ps(1.0f / 5040);
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 720));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 120));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 24));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 6));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.5f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
  __m256i const power = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
  p = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), power));
  return _mm256_andnot_ps(vanishes, p);
}

// |v|, and a magnitude with the sign of v.
__m256 magnitude_of(__m256 v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }
__m256 with_sign_of(__m256 v, __m256 magnitude) {
  return _mm256_or_ps(magnitude, _mm256_and_ps(_mm256_set1_ps(-0.0f), v));
}

// gelu in its tanh form: (1 + tanh u) / 2 is 1 / (1 + exp(-2 u)).
__m256 gelu_of(__m256 x) {
  __m256 const one = _mm256_set1_ps(1.0f);
  __m256 const square = _mm256_mul_ps(x, x);
  __m256 const inner = _mm256_fmadd_ps(square, _mm256_set1_ps(0.044715f), one);
  __m256 const minus_twice = _mm256_mul_ps(_mm256_mul_ps(x, _mm256_set1_ps(-1.59576912f)), inner);
  return _mm256_div_ps(x, _mm256_add_ps(one, exponential(minus_twice)));
}

// Abramowitz, Stegun, "Handbook of mathematical functions", 7.1.26: within 1.5e-7.
__m256 error_function(__m256 x) {
  __m256 const one = _mm256_set1_ps(1.0f), z = magnitude_of(x);
  __m256 const t = _mm256_div_ps(one, _mm256_fmadd_ps(z, _mm256_set1_ps(0.3275911f), one));
  __m256 p = _mm256_set1_ps(1.061405429f);
  p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(-1.453152027f));
  p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(1.421413741f));
  p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(-0.284496736f));
  p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(0.254829592f));
  __m256 const tail =
      _mm256_mul_ps(_mm256_mul_ps(p, t), exponential(_mm256_mul_ps(_mm256_sub_ps(_mm256_setzero_ps(), z), z)));
  return with_sign_of(x, _mm256_sub_ps(one, tail));
}

void rms_norm(float* out, float const* x, float const* weight, std::size_t count, float epsilon) {
  __m256 squares = _mm256_setzero_ps();
  for (std::size_t i = 0; i < count; i += lanes) {
    __m256 const v = _mm256_maskload_ps(x + i, mask_of(count - i));
    squares = _mm256_fmadd_ps(v, v, squares);
  }
  float const mean = sum_of_lanes(squares) / static_cast<float>(count);
  __m256 const scale = _mm256_div_ps(_mm256_set1_ps(1.0f), _mm256_sqrt_ps(_mm256_set1_ps(mean + epsilon)));
  for (std::size_t i = 0; i < count; i += lanes) {
    __m256i const mask = mask_of(count - i);
    __m256 const v = _mm256_mul_ps(_mm256_maskload_ps(x + i, mask), scale);
    _mm256_maskstore_ps(out + i, mask, _mm256_mul_ps(v, _mm256_maskload_ps(weight + i, mask)));
  }
}

void layer_norm(float* out, float const* x, float const* weight, float const* bias, std::size_t count, float epsilon) {
  __m256 total = _mm256_setzero_ps(), squares = _mm256_setzero_ps();
  for (std::size_t i = 0; i < count; i += lanes)
    total = _mm256_add_ps(total, _mm256_maskload_ps(x + i, mask_of(count - i)));
  __m256 const mean = _mm256_set1_ps(sum_of_lanes(total) / static_cast<float>(count));
  for (std::size_t i = 0; i < count; i += lanes) {
    __m256i const mask = mask_of(count - i);
    __m256 const distance = _mm256_sub_ps(_mm256_maskload_ps(x + i, mask), mean);
    __m256 const v = _mm256_and_ps(distance, _mm256_castsi256_ps(mask));
    squares = _mm256_fmadd_ps(v, v, squares);
  }
  float const variance = sum_of_lanes(squares) / static_cast<float>(count);
  __m256 const scale = _mm256_div_ps(_mm256_set1_ps(1.0f), _mm256_sqrt_ps(_mm256_set1_ps(variance + epsilon)));
  for (std::size_t i = 0; i < count; i += lanes) {
    __m256i const mask = mask_of(count - i);
    __m256 const v = _mm256_mul_ps(_mm256_sub_ps(_mm256_maskload_ps(x + i, mask), mean), scale);
    _mm256_maskstore_ps(out + i, mask,
                        _mm256_fmadd_ps(v, _mm256_maskload_ps(weight + i, mask), _mm256_maskload_ps(bias + i, mask)));
  }
}

void softmax(float* x, std::size_t count, float scale) {
  __m256 highest = _mm256_set1_ps(x[0]);
  for (std::size_t i = 0; i < count; i += lanes) {
    __m256i const mask = mask_of(count - i);
    __m256 const v = _mm256_blendv_ps(highest, _mm256_maskload_ps(x + i, mask), _mm256_castsi256_ps(mask));
    highest = _mm256_max_ps(highest, v);
  }
  __m256 const offset = _mm256_set1_ps(largest_lane(highest)), factor = _mm256_set1_ps(scale);
  __m256 total = _mm256_setzero_ps();
  for (std::size_t i = 0; i < count; i += lanes) {
    __m256i const mask = mask_of(count - i);
    __m256 const v = _mm256_sub_ps(_mm256_maskload_ps(x + i, mask), offset);
    __m256 const e = _mm256_and_ps(exponential(_mm256_mul_ps(v, factor)), _mm256_castsi256_ps(mask));
    total = _mm256_add_ps(total, e);
    _mm256_maskstore_ps(x + i, mask, e);
  }
  __m256 const share = _mm256_set1_ps(1.0f / sum_of_lanes(total));
  for (std::size_t i = 0; i < count; i += lanes) {
    __m256i const mask = mask_of(count - i);
    _mm256_maskstore_ps(x + i, mask, _mm256_mul_ps(_mm256_maskload_ps(x + i, mask), share));
  }
}

void swiglu(float* gate, float const* up, std::size_t count) {
  for (std::size_t i = 0; i < count; i += lanes) {
    __m256i const mask = mask_of(count - i);
    __m256 const g = _mm256_maskload_ps(gate + i, mask);
    __m256 const below = _mm256_add_ps(_mm256_set1_ps(1.0f), exponential(_mm256_sub_ps(_mm256_setzero_ps(), g)));
    __m256 const v = _mm256_mul_ps(_mm256_div_ps(g, below), _mm256_maskload_ps(up + i, mask));
    _mm256_maskstore_ps(gate + i, mask, v);
  }
}

void swiglu_clamped(float* gate, float const* up, std::size_t count) {
  __m256 const one = _mm256_set1_ps(1.0f), most = _mm256_set1_ps(7.0f), least = _mm256_set1_ps(-7.0f);
  for (std::size_t i = 0; i < count; i += lanes) {
    __m256i const mask = mask_of(count - i);
    __m256 const g = _mm256_min_ps(_mm256_maskload_ps(gate + i, mask), most);
    __m256 const u = _mm256_max_ps(_mm256_min_ps(_mm256_maskload_ps(up + i, mask), most), least);
    __m256 const below = _mm256_add_ps(one, exponential(_mm256_mul_ps(g, _mm256_set1_ps(-1.702f))));
    _mm256_maskstore_ps(gate + i, mask, _mm256_mul_ps(_mm256_div_ps(g, below), _mm256_add_ps(u, one)));
  }
}

void gelu(float* x, std::size_t count) {
  for (std::size_t i = 0; i < count; i += lanes) {
    __m256i const mask = mask_of(count - i);
    _mm256_maskstore_ps(x + i, mask, gelu_of(_mm256_maskload_ps(x + i, mask)));
  }
}

void geglu(float* gate, float const* up, std::size_t count) {
  for (std::size_t i = 0; i < count; i += lanes) {
    __m256i const mask = mask_of(count - i);
    __m256 const g = gelu_of(_mm256_maskload_ps(gate + i, mask));
    _mm256_maskstore_ps(gate + i, mask, _mm256_mul_ps(g, _mm256_maskload_ps(up + i, mask)));
  }
}

void gelu_erf(float* x, std::size_t count) {
  for (std::size_t i = 0; i < count; i += lanes) {
    __m256i const mask = mask_of(count - i);
    __m256 const v = _mm256_maskload_ps(x + i, mask);
    __m256 const e = error_function(_mm256_mul_ps(v, _mm256_set1_ps(0.70710678f)));
    __m256 const half = _mm256_mul_ps(_mm256_set1_ps(0.5f), v);
    _mm256_maskstore_ps(x + i, mask, _mm256_mul_ps(half, _mm256_add_ps(_mm256_set1_ps(1.0f), e)));
  }
}

void soft_cap(float* x, std::size_t count, float scale, float cap) {
  __m256 const factor = _mm256_set1_ps(scale / cap), one = _mm256_set1_ps(1.0f), two = _mm256_set1_ps(2.0f);
  for (std::size_t i = 0; i < count; i += lanes) {
    __m256i const mask = mask_of(count - i);
    __m256 const v = _mm256_maskload_ps(x + i, mask);
    __m256 const grown = exponential(_mm256_mul_ps(two, magnitude_of(_mm256_mul_ps(v, factor))));
    __m256 const tangent = _mm256_sub_ps(one, _mm256_div_ps(two, _mm256_add_ps(grown, one)));
    _mm256_maskstore_ps(x + i, mask, _mm256_mul_ps(with_sign_of(v, tangent), _mm256_set1_ps(cap)));
  }
}

void add_weighted_rows(float* out, float const* rows, std::size_t row_stride, float const* weights,
                       std::size_t row_count, std::size_t width) {
  std::size_t i = 0;
  for (; i + 4 * lanes <= width; i += 4 * lanes) {
    __m256 sum[4];
    for (int v = 0; v < 4; ++v) sum[v] = _mm256_loadu_ps(out + i + v * lanes);
    for (std::size_t j = 0; j < row_count; ++j) {
      __m256 const w = _mm256_set1_ps(weights[j]);
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v)
        sum[v] = _mm256_fmadd_ps(w, _mm256_loadu_ps(rows + j * row_stride + i + v * lanes), sum[v]);
    }
    for (int v = 0; v < 4; ++v) _mm256_storeu_ps(out + i + v * lanes, sum[v]);
  }
  for (; i < width; i += lanes) {
    __m256i const mask = mask_of(width - i);
    __m256 sum = _mm256_maskload_ps(out + i, mask);
    for (std::size_t j = 0; j < row_count; ++j)
      sum = _mm256_fmadd_ps(_mm256_set1_ps(weights[j]), _mm256_maskload_ps(rows + j * row_stride + i, mask), sum);
    _mm256_maskstore_ps(out + i, mask, sum);
  }
}

}  // namespace

extern layer_kernels const avx2_layer_kernels{rms_norm, layer_norm, softmax,  swiglu,   swiglu_clamped,
                                              geglu,    gelu,       gelu_erf, soft_cap, add_weighted_rows};

}  // namespace wherry::inline v0::engine
