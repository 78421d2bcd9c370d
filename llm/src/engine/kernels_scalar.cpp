// Kernels in plain C++, for any CPU: what the others are tested against. See kernel_table.hpp for what they compute.
//
// Sums run in 8 lanes: lane i adds the products of the columns 8 k + i in ascending order, each product rounded before
// it is added; the lanes are then added pairwise.

#include "engine/float_formats.hpp"
#include "engine/kernel_table.hpp"
#include "engine/lanes_scalar.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace wherry::inline v0::engine {
namespace {

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

}  // namespace

extern kernel_table const scalar_kernels{matmul<f32_format>,  matmul<f16_format>,   matmul<bf16_format>,
                                         matmul<q8_0_format>, scalar_block_matmuls, scalar_layer_kernels};

}  // namespace wherry::inline v0::engine
