#include "engine/elementary.hpp"

#include <array>
#include <bit>
#include <cassert>
#include <cstdint>
#include <limits>

namespace wherry::inline v0::engine {
namespace {

// Adding and taking off this number rounds to the nearest integer (ties to even) for |x| < 2^51.
constexpr double round_to_integer = 0x1.8p52;

// ln 2 and pi / 2 in parts: n times every part but the last is exact for the n that can occur (|n| < 2^22).
constexpr double ln2_high = 0x1.62e42feep-1, ln2_low = 0x1.a39ef35793c76p-33;
constexpr double half_pi_high = 0x1.921fb544p0, half_pi_middle = 0x1.0b4611a6p-34, half_pi_low = 0x1.3198a2e037073p-69;

// 1 / k! for k = 0, 1, ...
constexpr auto inverse_factorials = [] {
  std::array<double, 18> table{1};
  double factorial = 1;
  for (std::size_t k = 1; k < table.size(); ++k) table[k] = 1 / (factorial *= static_cast<double>(k));
  return table;
}();

double power_of_two(int n) { return std::bit_cast<double>(static_cast<std::uint64_t>(n + 1023) << 52); }

}  // namespace

double exponential(double x) noexcept {
  if (x != x) return x;
  if (x < -708) return 0;
  if (x > 709) return std::numeric_limits<double>::infinity();
  double const n = (x * 0x1.71547652b82fep0 + round_to_integer) - round_to_integer;
  double const r = (x - n * ln2_high) - n * ln2_low;  // |r| <= 0.347: the Taylor series of degree 13 leaves 4e-18
  double p = inverse_factorials[13];
  for (std::size_t k = 13; k-- > 0;) p = p * r + inverse_factorials[k];
  int const whole = static_cast<int>(n);
  return p * power_of_two(whole / 2) * power_of_two(whole - whole / 2);
}

double logarithm(double x) noexcept {
  assert(x >= std::numeric_limits<double>::min() && x <= std::numeric_limits<double>::max());
  auto const bits = std::bit_cast<std::uint64_t>(x);
  int exponent = static_cast<int>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0x000FFFFFFFFFFFFF) | 0x3FF0000000000000);
  if (m > 0x1.6a09e667f3bcdp0) {  // sqrt 2: m in [0.707, 1.414]
    m *= 0.5;
    ++exponent;
  }
  double const s = (m - 1) / (m + 1), square = s * s;  // ln m = 2 (s + s^3/3 + s^5/5 + ...), |s| <= 0.172
  double series = 0;
  for (int k = 23; k >= 3; k -= 2) series = (series + 1.0 / k) * square;
  return exponent * ln2_high + (2 * s + (2 * s * series + exponent * ln2_low));
}

sine_cosine rotate_by(double angle) noexcept {
  assert(angle >= -angle_max && angle <= angle_max);
  double const n = (angle * 0x1.45f306dc9c883p-1 + round_to_integer) - round_to_integer;
  double const r = ((angle - n * half_pi_high) - n * half_pi_middle) - n * half_pi_low;  // |r| <= pi / 4
  double const square = r * r;
  double sine = inverse_factorials[17], cosine = inverse_factorials[16];  // Taylor, with the signs of their last terms
  for (std::size_t k = 14;; k -= 2) {
    double const sign = k % 4 == 0 ? 1 : -1;
    sine = sine * square + sign * inverse_factorials[k + 1];
    cosine = cosine * square + sign * inverse_factorials[k];
    if (k == 0) break;
  }
  sine *= r;
  switch (static_cast<std::int64_t>(n) & 3) {
    case 0: return {sine, cosine};
    case 1: return {cosine, -sine};
    case 2: return {-sine, -cosine};
    default: return {-cosine, sine};
  }
}

}  // namespace wherry::inline v0::engine
