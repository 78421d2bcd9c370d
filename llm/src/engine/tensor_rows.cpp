#include "engine/tensor_rows.hpp"

#include "engine/block_formats.hpp"
#include "engine/pack_blocks.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

namespace wherry::inline v0::engine {
namespace {

template <class Block>
void unpack_blocks(std::uint8_t const* row, std::span<float> out) {
  assert(out.size() % Block::columns == 0);
  for (std::size_t i = 0; i < out.size(); i += Block::columns, row += Block::bytes) Block::unpack(row, out.data() + i);
}

template <class Block>
void pack_blocks(std::span<float const> row, std::uint8_t* out, void (*pack)(float const*, std::uint8_t*)) {
  assert(row.size() % Block::columns == 0);
  for (std::size_t i = 0; i < row.size(); i += Block::columns, out += Block::bytes) pack(row.data() + i, out);
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

bool can_pack(tensor_type type) noexcept {
  return std::find(packable_types.begin(), packable_types.end(), type) != packable_types.end();
}

std::string packable_type_names() {
  std::string names;
  for (auto type : packable_types) names += (names.empty() ? "" : ", ") + to_string(type);
  return names;
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
    case tensor_type::q8_0: return pack_blocks<q8_0_block>(row, out.data(), pack_q8_0);
    case tensor_type::q4_0: return pack_blocks<q4_0_block>(row, out.data(), pack_q4_0);
    case tensor_type::q4_1: return pack_blocks<q4_1_block>(row, out.data(), pack_q4_1);
    case tensor_type::q5_0: return pack_blocks<q5_0_block>(row, out.data(), pack_q5_0);
    case tensor_type::q5_1: return pack_blocks<q5_1_block>(row, out.data(), pack_q5_1);
    case tensor_type::q4_k: return pack_blocks<q4_k_block>(row, out.data(), pack_q4_k);
    case tensor_type::q5_k: return pack_blocks<q5_k_block>(row, out.data(), pack_q5_k);
    case tensor_type::q6_k: return pack_blocks<q6_k_block>(row, out.data(), pack_q6_k);
    default: assert(!"callers ask can_pack first");
  }
}

}  // namespace wherry::inline v0::engine
