#include "engine/tensor_rows.hpp"

#include "engine/block_formats.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

namespace wherry::inline v0::engine {
namespace {

constexpr std::size_t q8_0_elements = 32, q8_0_bytes = 34;

template <class Block>
void unpack_blocks(std::uint8_t const* row, std::span<float> out) {
  assert(out.size() % Block::columns == 0);
  for (std::size_t i = 0; i < out.size(); i += Block::columns, row += Block::bytes) Block::unpack(row, out.data() + i);
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
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = half_at(row + 2 * i);
      return;
    case tensor_type::bf16:
      for (std::size_t i = 0; i < out.size(); ++i) {
        std::uint16_t bits;
        std::memcpy(&bits, row + 2 * i, sizeof bits);
        out[i] = bf16_to_f32(bits);
      }
      return;
    case tensor_type::q8_0: return unpack_blocks<q8_0_block>(row, out);
    case tensor_type::q4_0: return unpack_blocks<q4_0_block>(row, out);
    case tensor_type::q4_1: return unpack_blocks<q4_1_block>(row, out);
    case tensor_type::q5_0: return unpack_blocks<q5_0_block>(row, out);
    case tensor_type::q5_1: return unpack_blocks<q5_1_block>(row, out);
    case tensor_type::q2_k: return unpack_blocks<q2_k_block>(row, out);
    case tensor_type::q3_k: return unpack_blocks<q3_k_block>(row, out);
    case tensor_type::q4_k: return unpack_blocks<q4_k_block>(row, out);
    case tensor_type::q5_k: return unpack_blocks<q5_k_block>(row, out);
    case tensor_type::q6_k: return unpack_blocks<q6_k_block>(row, out);
    case tensor_type::iq4_nl: return unpack_blocks<iq4_nl_block>(row, out);
    case tensor_type::iq4_xs: return unpack_blocks<iq4_xs_block>(row, out);
    case tensor_type::mxfp4: return unpack_blocks<mxfp4_block>(row, out);
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
