// Kernels for AVX2 with FMA and F16C. See kernel_table.hpp for what they compute and what they must not include.
//
// Sums run in 8 lanes: lane i adds the products of the columns 8 k + i in ascending order with fused multiply-adds;
// the lanes are then added pairwise. A short last group is padded with zeros.

#include "engine/kernel_table.hpp"
#include "engine/tiles_avx2.hpp"

namespace wherry::inline v0::engine {
namespace {

// --- matrix product -----------------------------------------------------------------------------------------------
// The formats of single floats, and Q8_0; see tiles_avx2.hpp for what a format is.

// Up to 8 values of 16 bits, padded with zeros.
__m128i load_halves(byte const* at, std::size_t count) {
  alignas(16) byte padded[2 * lanes] = {};
  for (std::size_t i = 0; i < 2 * count; ++i) padded[i] = at[i];
  return _mm_load_si128(reinterpret_cast<__m128i const*>(padded));
}

struct f32_format {
  static constexpr std::size_t columns = 32, chunk = 32, bytes = columns * 4;
  struct block {
    byte const* at;
  };
  static block open(byte const* at) { return {at}; }
  static __m256 load(block b, std::size_t, std::size_t vector) {
    return _mm256_loadu_ps(reinterpret_cast<float const*>(b.at) + vector * lanes);
  }
  static __m256 load_first(block b, std::size_t vector, std::size_t count) {
    return _mm256_maskload_ps(reinterpret_cast<float const*>(b.at) + vector * lanes, mask_of(count));
  }
};

struct f16_format {
  static constexpr std::size_t columns = 32, chunk = 32, bytes = columns * 2;
  using block = f32_format::block;
  static block open(byte const* at) { return {at}; }
  static __m256 load(block b, std::size_t, std::size_t vector) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<__m128i const*>(b.at + vector * lanes * 2)));
  }
  static __m256 load_first(block b, std::size_t vector, std::size_t count) {
    return _mm256_cvtph_ps(load_halves(b.at + vector * lanes * 2, count));
  }
};

struct bf16_format {
  static constexpr std::size_t columns = 32, chunk = 32, bytes = columns * 2;
  using block = f32_format::block;
  static block open(byte const* at) { return {at}; }
  static __m256 widen(__m128i halves) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
  }
  static __m256 load(block b, std::size_t, std::size_t vector) {
    return widen(_mm_loadu_si128(reinterpret_cast<__m128i const*>(b.at + vector * lanes * 2)));
  }
  static __m256 load_first(block b, std::size_t vector, std::size_t count) {
    return widen(load_halves(b.at + vector * lanes * 2, count));
  }
};

// A block is an f16 scale and 32 signed bytes; scale times byte is exact in f32. Rows have no short last block.
struct q8_0_format {
  static constexpr std::size_t columns = 32, chunk = 32, bytes = 2 + columns;
  struct block {
    byte const* values;
    __m256 scale;
  };
  static block open(byte const* at) {
    return {at + 2, _mm256_set1_ps(_cvtsh_ss(static_cast<unsigned short>(at[0] | at[1] << 8)))};
  }
  static __m256 load(block b, std::size_t, std::size_t vector) {
    __m128i const packed = _mm_loadl_epi64(reinterpret_cast<__m128i const*>(b.values + vector * lanes));
    return _mm256_mul_ps(b.scale, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(packed)));
  }
};

}  // namespace

extern kernel_table const avx2_kernels{matmul<f32_format>,  matmul<f16_format>, matmul<bf16_format>,
                                       matmul<q8_0_format>, avx2_block_matmuls, avx2_layer_kernels};

}  // namespace wherry::inline v0::engine
