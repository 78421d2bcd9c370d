// Kernels in plain C++, for any CPU: what the others are tested against. See kernel_table.hpp for what they compute.
//
// Sums run in 8 lanes: lane i adds the products of the columns 8 k + i in ascending order, each product rounded before
// it is added; the lanes are then added pairwise.

#include "engine/float_formats.hpp"
#include "engine/kernel_table.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

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

// --- matrix product -----------------------------------------------------------------------------------------------
// A format says how columns [column, column + 8) of a row become floats; `count` of them exist.

template <class T>
T load_at(unsigned char const* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

struct f32_format {
  static void load(unsigned char const* row, std::size_t column, std::size_t count, float* w) {
    std::memcpy(w, row + column * 4, count * 4);
  }
};

struct f16_format {
  static void load(unsigned char const* row, std::size_t column, std::size_t count, float* w) {
    for (std::size_t i = 0; i < count; ++i) w[i] = f16_to_f32(load_at<std::uint16_t>(row + (column + i) * 2));
  }
};

struct bf16_format {
  static void load(unsigned char const* row, std::size_t column, std::size_t count, float* w) {
    for (std::size_t i = 0; i < count; ++i) w[i] = bf16_to_f32(load_at<std::uint16_t>(row + (column + i) * 2));
  }
};

struct q8_0_format {
  static void load(unsigned char const* row, std::size_t column, std::size_t count, float* w) {
    unsigned char const* const block = row + column / 32 * 34;
    float const scale = f16_to_f32(load_at<std::uint16_t>(block));
    for (std::size_t i = 0; i < count; ++i) w[i] = scale * static_cast<std::int8_t>(block[2 + column % 32 + i]);
  }
};

// One row times up to `tokens_max` tokens, so that its weights are unpacked once.
constexpr std::size_t tokens_max = 8;

template <class Format>
void row_times_tokens(matmul_args const& a, std::size_t row, std::size_t token, std::size_t tokens) {
  unsigned char const* const weights = a.rows + row * a.row_bytes;
  float sum[tokens_max][lanes] = {};
  for (std::size_t column = 0; column < a.columns; column += lanes) {
    std::size_t const count = std::min(lanes, a.columns - column);
    float w[lanes];
    Format::load(weights, column, count, w);
    for (std::size_t t = 0; t < tokens; ++t) {
      float const* const x = a.x + (token + t) * a.x_stride + column;
      if (count == lanes)
        for (std::size_t i = 0; i < lanes; ++i) sum[t][i] += w[i] * x[i];
      else
        for (std::size_t i = 0; i < count; ++i) sum[t][i] += w[i] * x[i];
    }
  }
  for (std::size_t t = 0; t < tokens; ++t) a.out[(token + t) * a.out_stride + row] = sum_of_lanes(sum[t]);
}

template <class Format>
void matmul(matmul_args const& a) {
  for (std::size_t row = 0; row < a.row_count; ++row)
    for (std::size_t token = 0; token < a.token_count; token += tokens_max)
      row_times_tokens<Format>(a, row, token, std::min(tokens_max, a.token_count - token));
}

// --- the rest of a layer ------------------------------------------------------------------------------------------

void rms_norm(float* out, float const* x, float const* weight, std::size_t count, float epsilon) {
  float squares[lanes] = {};
  for (std::size_t i = 0; i < count; ++i) squares[i % lanes] += x[i] * x[i];
  float const scale = 1.0f / std::sqrt(sum_of_lanes(squares) / static_cast<float>(count) + epsilon);
  for (std::size_t i = 0; i < count; ++i) out[i] = x[i] * scale * weight[i];
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

void add_weighted_rows(float* out, float const* rows, std::size_t row_stride, float const* weights,
                       std::size_t row_count, std::size_t width) {
  for (std::size_t j = 0; j < row_count; ++j)
    for (std::size_t i = 0; i < width; ++i) out[i] += weights[j] * rows[j * row_stride + i];
}

}  // namespace

extern kernel_table const scalar_kernels{
    matmul<f32_format>, matmul<f16_format>, matmul<bf16_format>, matmul<q8_0_format>, rms_norm, softmax, swiglu,
    add_weighted_rows};

}  // namespace wherry::inline v0::engine
