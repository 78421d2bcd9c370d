#include "vector_math.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

// Thread sanitizer and functions chosen at load time do not go together.
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#  define WHERRY_EACH_CPU __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#  define WHERRY_EACH_CPU
#endif

namespace wherry::inline v0::memory_detail {
namespace {

using floats = float __attribute__((vector_size(64)));
constexpr std::size_t lanes = 16;
using bytes = std::int8_t __attribute__((vector_size(16)));
using shorts = std::int16_t __attribute__((vector_size(32)));
using ints = std::int32_t __attribute__((vector_size(64)));

}  // namespace

WHERRY_EACH_CPU float dot_f32(float const* a, float const* b, std::size_t count) {
  floats first{}, second{};
  std::size_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    floats x0, y0, x1, y1;
    std::memcpy(&x0, a + i, sizeof x0);
    std::memcpy(&y0, b + i, sizeof y0);
    std::memcpy(&x1, a + i + lanes, sizeof x1);
    std::memcpy(&y1, b + i + lanes, sizeof y1);
    first += x0 * y0;
    second += x1 * y1;
  }
  first += second;
  float sum = 0;
  for (std::size_t lane = 0; lane < lanes; ++lane) sum += first[lane];
  for (; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

WHERRY_EACH_CPU std::int32_t dot_int8(std::int8_t const* a, std::int8_t const* b, std::size_t count) {
  ints sums{};
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    bytes x, y;
    std::memcpy(&x, a + i, sizeof x);
    std::memcpy(&y, b + i, sizeof y);
    auto const product = __builtin_convertvector(x, shorts) * __builtin_convertvector(y, shorts);
    sums += __builtin_convertvector(product, ints);
  }
  std::int32_t sum = 0;
  for (std::size_t lane = 0; lane < lanes; ++lane) sum += sums[lane];
  for (; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

std::size_t packed_bytes(vector_form form, std::size_t dimensions) {
  return form == vector_form::f32 ? dimensions * sizeof(float) : sizeof(float) + dimensions;
}

namespace {

/// A length this near to 1 is one: so a vector that was kept stays the very same when it is kept again.
constexpr double length_tolerance = 1e-6;

double length_of(std::span<float const> values) {
  double squares = 0;
  for (float const v : values) squares += static_cast<double>(v) * v;
  auto const length = std::sqrt(squares);
  return std::abs(length - 1) <= length_tolerance ? 1 : length;
}

}  // namespace

std::string pack(vector_form form, std::span<float const> values) {
  auto const length = length_of(values);
  if (!(length > 0) || !std::isfinite(length)) return {};
  std::vector<float> unit(values.size());
  float largest = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    unit[i] = static_cast<float>(values[i] / length);
    largest = std::max(largest, std::abs(unit[i]));
  }
  std::string out(packed_bytes(form, values.size()), '\0');
  if (form == vector_form::f32) {
    std::memcpy(out.data(), unit.data(), out.size());
    return out;
  }
  float const scale = largest / 127;
  std::memcpy(out.data(), &scale, sizeof scale);
  for (std::size_t i = 0; i < unit.size(); ++i)
    out[sizeof scale + i] = static_cast<char>(static_cast<std::int8_t>(std::lround(unit[i] / scale)));
  return out;
}

std::vector<float> unpacked(vector_form form, std::size_t dimensions, char const* packed) {
  std::vector<float> out(dimensions);
  if (form == vector_form::f32) {
    std::memcpy(out.data(), packed, dimensions * sizeof(float));
    return out;
  }
  float scale = 0;
  std::memcpy(&scale, packed, sizeof scale);
  for (std::size_t i = 0; i < dimensions; ++i)
    out[i] = scale * static_cast<float>(static_cast<std::int8_t>(packed[sizeof scale + i]));
  auto const length = length_of(out);
  for (float& v : out) v = static_cast<float>(v / length);
  return out;
}

float packed_dot(vector_form form, std::size_t dimensions, char const* a, char const* b) {
  if (form == vector_form::f32)
    return dot_f32(reinterpret_cast<float const*>(a), reinterpret_cast<float const*>(b), dimensions);
  float scale_a = 0, scale_b = 0;
  std::memcpy(&scale_a, a, sizeof scale_a);
  std::memcpy(&scale_b, b, sizeof scale_b);
  return scale_a * scale_b *
         static_cast<float>(dot_int8(reinterpret_cast<std::int8_t const*>(a + sizeof scale_a),
                                     reinterpret_cast<std::int8_t const*>(b + sizeof scale_b), dimensions));
}

}  // namespace wherry::inline v0::memory_detail
