#pragma once
// What an instruction set has to provide. The files that fill a table are compiled with that set's flags, so they (and
// this header) use no inline function or template of the standard library: the linker could keep the copy made of
// instructions that the CPU at hand lacks.
//
// The promise of every table: an output value depends on its own inputs only. The order of its additions is fixed by
// the length of the sum, never by how many rows or tokens are computed with it, so a result is the same to the last bit
// for every batch and every split of the work over threads.

#include <cstddef>

namespace wherry::inline v0::engine {

/// Matrix product of rows of weights with f32 activations:
///   out[t * out_stride + r] = sum over c of rows[r][c] * x[t * x_stride + c]   (r < row_count, t < token_count)
/// A row of weights takes `row_bytes` bytes; strides are in floats.
struct matmul_args {
  unsigned char const* rows;
  std::size_t row_bytes;
  std::size_t row_count;
  std::size_t columns;
  float const* x;
  std::size_t x_stride;
  std::size_t token_count;
  float* out;
  std::size_t out_stride;
};
using matmul_function = void (*)(matmul_args const& args);

/// Products with the block formats beyond Q8_0; columns is a multiple of the format's block.
struct block_matmuls {
  matmul_function q4_0, q4_1, q5_0, q5_1;
  matmul_function q2_k, q3_k, q4_k, q5_k, q6_k;
  matmul_function iq4_nl, iq4_xs, mxfp4;
};

/// What a layer needs beside its products.
struct layer_kernels {
  /// out[i] = x[i] * weight[i] / sqrt(mean of x squared + epsilon). `out` may be `x`.
  void (*rms_norm)(float* out, float const* x, float const* weight, std::size_t count, float epsilon);
  /// out[i] = (x[i] - mean) / sqrt(variance + epsilon) * weight[i] + bias[i]. `out` may be `x`.
  void (*layer_norm)(float* out, float const* x, float const* weight, float const* bias, std::size_t count,
                     float epsilon);
  /// x becomes softmax(scale * x), scale > 0, count >= 1. The exponential is within 2 ulp.
  void (*softmax)(float* x, std::size_t count, float scale);
  /// gate[i] = silu(gate[i]) * up[i] with silu(z) = z / (1 + exp(-z)).
  void (*swiglu)(float* gate, float const* up, std::size_t count);
  /// gate[i] = g * sigmoid(1.702 g) * (u + 1) with g = min(gate[i], 7) and u = clamp(up[i], -7, 7).
  void (*swiglu_clamped)(float* gate, float const* up, std::size_t count);
  /// gate[i] = gelu(gate[i]) * up[i], gelu as below.
  void (*geglu)(float* gate, float const* up, std::size_t count);
  /// x[i] = x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))).
  void (*gelu)(float* x, std::size_t count);
  /// x[i] = x / 2 * (1 + erf(x / sqrt(2))), the error function within 3e-7.
  void (*gelu_erf)(float* x, std::size_t count);
  /// x[i] = cap * tanh(x[i] * scale / cap), the tangent within 3e-7.
  void (*soft_cap)(float* x, std::size_t count, float scale, float cap);
  /// out[i] += sum over j of weights[j] * rows[j * row_stride + i], j ascending (i < width, j < row_count).
  void (*add_weighted_rows)(float* out, float const* rows, std::size_t row_stride, float const* weights,
                            std::size_t row_count, std::size_t width);
};

struct kernel_table {
  matmul_function matmul_f32;
  matmul_function matmul_f16;
  matmul_function matmul_bf16;
  matmul_function matmul_q8_0;  ///< columns is a multiple of 32.
  block_matmuls const& blocks;

  layer_kernels const& layer;
};

extern block_matmuls const scalar_block_matmuls;
extern block_matmuls const avx2_block_matmuls;
extern block_matmuls const avx512_block_matmuls;

extern layer_kernels const scalar_layer_kernels;
extern layer_kernels const avx2_layer_kernels;
extern layer_kernels const avx512_layer_kernels;

extern kernel_table const scalar_kernels;
extern kernel_table const avx2_kernels;
extern kernel_table const avx512_kernels;

}  // namespace wherry::inline v0::engine
