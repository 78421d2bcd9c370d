#include "engine/tensor_rows.hpp"

#include "engine/float_formats.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

namespace wherry::inline v0::engine {
namespace {

constexpr std::size_t q8_0_elements = 32, q8_0_bytes = 34;

std::uint16_t half_at(std::uint8_t const* at) {
  std::uint16_t bits;
  std::memcpy(&bits, at, sizeof bits);
  return bits;
}

void unpack_q8_0(std::uint8_t const* row, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    auto const* block = row + i / q8_0_elements * q8_0_bytes;
    out[i] = f16_to_f32(half_at(block)) * static_cast<std::int8_t>(block[2 + i % q8_0_elements]);
  }
}

void pack_q8_0_block(std::span<float const> values, std::uint8_t* out) {
  float largest = 0;
  for (float v : values) largest = std::max(largest, std::abs(v));
  float const scale = largest / 127, inverse = scale > 0 ? 1 / scale : 0;
  std::uint16_t const half = f32_to_f16(scale);
  std::memcpy(out, &half, sizeof half);
  for (std::size_t i = 0; i < values.size(); ++i)
    out[2 + i] = static_cast<std::uint8_t>(static_cast<std::int8_t>(std::round(values[i] * inverse)));
}

}  // namespace

void unpack_row(tensor_type type, std::uint8_t const* row, std::span<float> out) {
  switch (type) {
    case tensor_type::f32: std::memcpy(out.data(), row, out.size_bytes()); return;
    case tensor_type::f16:
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = f16_to_f32(half_at(row + 2 * i));
      return;
    case tensor_type::bf16:
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = bf16_to_f32(half_at(row + 2 * i));
      return;
    case tensor_type::q8_0: unpack_q8_0(row, out); return;
    default: assert(!"the loader accepts only types that can be unpacked");
  }
}

void pack_row(tensor_type type, std::span<float const> row, std::span<std::uint8_t> out) {
  assert(out.size() == row.size() / layout_of(type).elements * layout_of(type).bytes);
  switch (type) {
    case tensor_type::f32: std::memcpy(out.data(), row.data(), row.size_bytes()); return;
    case tensor_type::f16:
    case tensor_type::bf16:
      for (std::size_t i = 0; i < row.size(); ++i) {
        std::uint16_t const half = type == tensor_type::f16 ? f32_to_f16(row[i]) : f32_to_bf16(row[i]);
        std::memcpy(out.data() + 2 * i, &half, sizeof half);
      }
      return;
    case tensor_type::q8_0:
      for (std::size_t i = 0; i < row.size(); i += q8_0_elements)
        pack_q8_0_block(row.subspan(i, q8_0_elements), out.data() + i / q8_0_elements * q8_0_bytes);
      return;
    default: assert(!"callers pack only the types named in the header");
  }
}

}  // namespace wherry::inline v0::engine
