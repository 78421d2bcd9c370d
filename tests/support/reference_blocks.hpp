#pragma once
// What packed weights stand for, a second time: written from the published layouts, in double precision, one column at
// a time, by the position of its bits in the block. Shares nothing with the library.

#include <wherry/llm/gguf.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <stdexcept>

namespace wherry_test {

/// One block of weights.
class reference_block {
 public:
  reference_block(wherry::tensor_type type, std::span<std::uint8_t const> bytes) : type_(type), bytes_(bytes) {}

  double weight(int column) const {
    using enum wherry::tensor_type;
    switch (type_) {
      case q8_0: return half(0) * signed_byte(2 + column);
      case q4_0: return half(0) * (nibble(2, column) - 8);
      case q4_1: return half(0) * nibble(4, column) + half(2);
      case q5_0: return half(0) * (nibble(6, column) + 16 * bits(2 * 8 + column, 1) - 16);
      case q5_1: return half(0) * (nibble(8, column) + 16 * bits(4 * 8 + column, 1)) + half(2);
      case iq4_nl: return half(0) * level(nibble(2, column));
      case mxfp4: return std::ldexp(fp4(nibble(1, column)), bits(0, 8) - 127);
      case q2_k: {
        int const part = column / 16 * 8;  // a byte for 16 columns: scale, then offset
        return half(80) * bits(part, 4) * two_bits(16, column) - half(82) * bits(part + 4, 4);
      }
      case q3_k: {
        int const high = bits(column % 32 * 8 + column / 32, 1);
        return half(108) * (q3_k_scale(column / 16) - 32) * (two_bits(32, column) + 4 * high - 4);
      }
      case q4_k:
        return half(0) * six_bit_scale(column / 32) * long_nibble(16, column) - half(2) * six_bit_offset(column / 32);
      case q5_k: {
        int const high = bits((16 + column % 32) * 8 + column / 32, 1);
        return half(0) * six_bit_scale(column / 32) * (long_nibble(48, column) + 16 * high) -
               half(2) * six_bit_offset(column / 32);
      }
      case q6_k: {
        int const within = column % 128, second = column / 128;
        int const low = bits((64 * second + within % 64) * 8 + within / 64 * 4, 4);
        int const high = bits((128 + 32 * second + within % 32) * 8 + within / 32 * 2, 2);
        return half(208) * signed_byte(192 + column / 16) * (low + 16 * high - 32);
      }
      case iq4_xs: {
        int const part = column / 32;
        int const scale = bits(4 * 8 + part * 4, 4) + 16 * bits(2 * 8 + part * 2, 2);
        return half(0) * (scale - 32) * level(nibble(8 + 16 * part, column % 32));
      }
      default: throw std::logic_error("no block type");
    }
  }

 private:
  // `width` bits from a bit position, least significant first.
  int bits(int position, int width) const {
    int value = 0;
    for (int i = 0; i < width; ++i)
      value |= (bytes_[static_cast<std::size_t>(position + i) / 8] >> ((position + i) % 8) & 1) << i;
    return value;
  }
  int signed_byte(int at) const {
    int const value = bits(at * 8, 8);
    return value < 128 ? value : value - 256;
  }
  // IEEE 754 binary16.
  double half(int at) const {
    int const exponent = bits(at * 8 + 10, 5), fraction = bits(at * 8, 10);
    double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    if (exponent == 31)
      magnitude = fraction ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
    return bits(at * 8 + 15, 1) ? -magnitude : magnitude;
  }
  // Of 32 columns in 16 bytes: the first 16 columns are the low nibbles.
  int nibble(int at, int column) const { return bits((at + column % 16) * 8 + column / 16 * 4, 4); }
  // Of 256 columns: 64 columns in 32 bytes.
  int long_nibble(int at, int column) const {
    return bits((at + column / 64 * 32 + column % 32) * 8 + column % 64 / 32 * 4, 4);
  }
  // Of 256 columns: 128 columns in 32 bytes.
  int two_bits(int at, int column) const {
    return bits((at + column / 128 * 32 + column % 32) * 8 + column % 128 / 32 * 2, 2);
  }
  // Q4_K, Q5_K: eight 6-bit scales and offsets in twelve bytes from byte 4. The first four of each have a byte, whose
  // upper two bits belong to the other four.
  int six_bit_scale(int i) const {
    return i < 4 ? bits((4 + i) * 8, 6) : bits((8 + i) * 8, 4) + 16 * bits(i * 8 + 6, 2);
  }
  int six_bit_offset(int i) const {
    return i < 4 ? bits((8 + i) * 8, 6) : bits((8 + i) * 8 + 4, 4) + 16 * bits((4 + i) * 8 + 6, 2);
  }
  // Q3_K: sixteen 6-bit scales in twelve bytes from byte 96: low nibbles in eight bytes, then pairs of bits.
  int q3_k_scale(int i) const {
    return bits((96 + i % 8) * 8 + i / 8 * 4, 4) + 16 * bits((104 + i % 4) * 8 + i / 4 * 2, 2);
  }
  static double level(int i) {
    constexpr double levels[] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
    return levels[i];
  }
  // A sign, two exponent bits with bias 1, a fraction bit.
  static double fp4(int i) {
    int const exponent = i >> 1 & 3, fraction = i & 1;
    double const magnitude = exponent == 0 ? 0.5 * fraction : std::ldexp(2 + fraction, exponent - 2);
    return i & 8 ? -magnitude : magnitude;
  }

  wherry::tensor_type type_;
  std::span<std::uint8_t const> bytes_;
};

}  // namespace wherry_test
