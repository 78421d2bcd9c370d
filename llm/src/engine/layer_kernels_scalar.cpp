// What a layer needs beside its products, in plain C++, for any CPU: what the others are tested against. See
// kernel_table.hpp for what they compute; sums run in 8 lanes as in kernels_scalar.cpp.

#include "engine/kernel_table.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace wherry::inline v0::engine {
namespace {

constexpr std::size_t lanes = 8;

float sum_of_lanes(float const (&s)[lanes]) {
  return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

// exp(x) = 2^n * exp(r), |r| <= ln 2 / 2, by the Taylor polynomial of degree 7: within 2 ulp; 0 below the normal range.
float exponential(float x) {
  constexpr float lowest = -87.33f, highest = 88.37f;
  constexpr float round_to_integer = 0x1.8p23f;  // adding it leaves no bits behind the point
  if (x < lowest) return 0;
  if (x > highest) x = highest;
  if (std::isnan(x)) return x;
  float const n = (x * 1.44269504f + round_to_integer) - round_to_integer;
  float const r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.0f / 5040;
  for (float coefficient : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f}) p = p * r + coefficient;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(p) +
                              (static_cast<std::uint32_t>(static_cast<int>(n)) << 23));
}

// gelu in its tanh form: (1 + tanh u) / 2 is 1 / (1 + exp(-2 u)).
float gelu_of(float x) {
  float const twice = 1.59576912f * x * (1.0f + 0.044715f * x * x);
  return x / (1.0f + exponential(-twice));
}

// Abramowitz, Stegun, "Handbook of mathematical functions", 7.1.26: within 1.5e-7.
float error_function(float x) {
  float const z = std::abs(x), t = 1.0f / (1.0f + 0.3275911f * z);
  float p = 1.061405429f;
  for (float coefficient : {-1.453152027f, 1.421413741f, -0.284496736f, 0.254829592f}) p = p * t + coefficient;
  return std::copysign(1.0f - p * t * exponential(-z * z), x);
}

void rms_norm(float* out, float const* x, float const* weight, std::size_t count, float epsilon) {
  float squares[lanes] = {};
  for (std::size_t i = 0; i < count; ++i) squares[i % lanes] += x[i] * x[i];
  float const scale = 1.0f / std::sqrt(sum_of_lanes(squares) / static_cast<float>(count) + epsilon);
  for (std::size_t i = 0; i < count; ++i) out[i] = x[i] * scale * weight[i];
}

void layer_norm(float* out, float const* x, float const* weight, float const* bias, std::size_t count, float epsilon) {
  float total[lanes] = {}, squares[lanes] = {};
  for (std::size_t i = 0; i < count; ++i) total[i % lanes] += x[i];
  float const mean = sum_of_lanes(total) / static_cast<float>(count);
  for (std::size_t i = 0; i < count; ++i) squares[i % lanes] += (x[i] - mean) * (x[i] - mean);
  float const scale = 1.0f / std::sqrt(sum_of_lanes(squares) / static_cast<float>(count) + epsilon);
  for (std::size_t i = 0; i < count; ++i) out[i] = (x[i] - mean) * scale * weight[i] + bias[i];
}

void softmax(float* x, std::size_t count, float scale) {
  float const highest = *std::max_element(x, x + count);
  float total[lanes] = {};
  for (std::size_t i = 0; i < count; ++i) total[i % lanes] += x[i] = exponential((x[i] - highest) * scale);
  float const share = 1.0f / sum_of_lanes(total);
  for (std::size_t i = 0; i < count; ++i) x[i] *= share;
}

void swiglu(float* gate, float const* up, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) gate[i] = gate[i] / (1.0f + exponential(-gate[i])) * up[i];
}

void swiglu_clamped(float* gate, float const* up, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    float const g = std::min(gate[i], 7.0f), u = std::clamp(up[i], -7.0f, 7.0f);
    gate[i] = g / (1.0f + exponential(-1.702f * g)) * (u + 1.0f);
  }
}

void gelu(float* x, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) x[i] = gelu_of(x[i]);
}

void geglu(float* gate, float const* up, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) gate[i] = gelu_of(gate[i]) * up[i];
}

void gelu_erf(float* x, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) x[i] = 0.5f * x[i] * (1.0f + error_function(x[i] * 0.70710678f));
}

void soft_cap(float* x, std::size_t count, float scale, float cap) {
  float const factor = scale / cap;
  for (std::size_t i = 0; i < count; ++i) {
    float const magnitude = 1.0f - 2.0f / (exponential(2.0f * std::abs(x[i] * factor)) + 1.0f);
    x[i] = std::copysign(magnitude, x[i]) * cap;
  }
}

void add_weighted_rows(float* out, float const* rows, std::size_t row_stride, float const* weights,
                       std::size_t row_count, std::size_t width) {
  for (std::size_t j = 0; j < row_count; ++j)
    for (std::size_t i = 0; i < width; ++i) out[i] += weights[j] * rows[j * row_stride + i];
}

}  // namespace

extern layer_kernels const scalar_layer_kernels{rms_norm, layer_norm, softmax,  swiglu,   swiglu_clamped,
                                                geglu,    gelu,       gelu_erf, soft_cap, add_weighted_rows};

}  // namespace wherry::inline v0::engine
