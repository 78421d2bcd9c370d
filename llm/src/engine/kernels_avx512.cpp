// Kernels for AVX-512 (F, BW, VL, DQ). See kernel_table.hpp for what they compute and what they must not include.
//
// Sums run in 16 lanes: lane i adds the products of the columns 16 k + i in ascending order with fused multiply-adds;
// the lanes are then added pairwise. A short last group is padded with zeros.

#include "engine/kernel_table.hpp"
#include "engine/tiles_avx512.hpp"

namespace wherry::inline v0::engine {
namespace {

// --- matrix product -----------------------------------------------------------------------------------------------
// The formats of single floats, and Q8_0; see tiles_avx512.hpp for what a format is.

struct f32_format {
  static constexpr std::size_t columns = 32, chunk = 32, bytes = columns * 4;
  struct block {
    byte const* at;
  };
  static block open(byte const* at) { return {at}; }
  static __m512 load(block b, std::size_t, std::size_t vector) { return _mm512_loadu_ps(b.at + vector * lanes * 4); }
  static __m512 load_first(block b, std::size_t vector, __mmask16 mask) {
    return _mm512_maskz_loadu_ps(mask, b.at + vector * lanes * 4);
  }
};

struct f16_format {
  static constexpr std::size_t columns = 32, chunk = 32, bytes = columns * 2;
  using block = f32_format::block;
  static block open(byte const* at) { return {at}; }
  static __m512 load(block b, std::size_t, std::size_t vector) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<__m256i const*>(b.at + vector * lanes * 2)));
  }
  static __m512 load_first(block b, std::size_t vector, __mmask16 mask) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, b.at + vector * lanes * 2));
  }
};

struct bf16_format {
  static constexpr std::size_t columns = 32, chunk = 32, bytes = columns * 2;
  using block = f32_format::block;
  static block open(byte const* at) { return {at}; }
  static __m512 widen(__m256i halves) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
  }
  static __m512 load(block b, std::size_t, std::size_t vector) {
    return widen(_mm256_loadu_si256(reinterpret_cast<__m256i const*>(b.at + vector * lanes * 2)));
  }
  static __m512 load_first(block b, std::size_t vector, __mmask16 mask) {
    return widen(_mm256_maskz_loadu_epi16(mask, b.at + vector * lanes * 2));
  }
};

// A block is an f16 scale and 32 signed bytes; scale times byte is exact in f32. Rows have no short last block.
struct q8_0_format {
  static constexpr std::size_t columns = 32, chunk = 32, bytes = 2 + columns;
  struct block {
    byte const* values;
    __m512 scale;
  };
  static block open(byte const* at) {
    return {at + 2, _mm512_set1_ps(_cvtsh_ss(static_cast<unsigned short>(at[0] | at[1] << 8)))};
  }
  static __m512 load(block b, std::size_t, std::size_t vector) {
    __m128i const packed = _mm_loadu_si128(reinterpret_cast<__m128i const*>(b.values + vector * lanes));
    return _mm512_mul_ps(b.scale, _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(packed)));
  }
};

}  // namespace

extern kernel_table const avx512_kernels{matmul<f32_format>,  matmul<f16_format>,   matmul<bf16_format>,
                                         matmul<q8_0_format>, avx512_block_matmuls, avx512_layer_kernels};

}  // namespace wherry::inline v0::engine
