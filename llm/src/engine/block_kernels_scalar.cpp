// Products with weights in blocks, in plain C++: what the others are tested against. A block is unpacked into floats,
// then added in the lanes of lanes_scalar.hpp: lane i takes the columns 8 k + i in ascending order.

#include "engine/block_formats.hpp"
#include "engine/kernel_table.hpp"
#include "engine/lanes_scalar.hpp"

#include <algorithm>

namespace wherry::inline v0::engine {
namespace {

template <class Block>
void row_times_tokens(matmul_args const& a, std::size_t row, std::size_t token, std::size_t tokens) {
  unsigned char const* block = a.rows + row * a.row_bytes;
  float sum[tokens_max][lanes] = {};
  for (std::size_t column = 0; column < a.columns; column += Block::columns, block += Block::bytes) {
    float w[Block::columns];
    Block::unpack(block, w);
    for (std::size_t t = 0; t < tokens; ++t) {
      float const* const x = a.x + (token + t) * a.x_stride + column;
      for (std::size_t i = 0; i < Block::columns; i += lanes)
        for (std::size_t lane = 0; lane < lanes; ++lane) sum[t][lane] += w[i + lane] * x[i + lane];
    }
  }
  for (std::size_t t = 0; t < tokens; ++t) a.out[(token + t) * a.out_stride + row] = sum_of_lanes(sum[t]);
}

template <class Block>
void matmul(matmul_args const& a) {
  for (std::size_t row = 0; row < a.row_count; ++row)
    for (std::size_t token = 0; token < a.token_count; token += tokens_max)
      row_times_tokens<Block>(a, row, token, std::min(tokens_max, a.token_count - token));
}

}  // namespace

extern block_matmuls const scalar_block_matmuls{matmul<q4_0_block>,   matmul<q4_1_block>,   matmul<q5_0_block>,
                                                matmul<q5_1_block>,   matmul<q2_k_block>,   matmul<q3_k_block>,
                                                matmul<q4_k_block>,   matmul<q5_k_block>,   matmul<q6_k_block>,
                                                matmul<iq4_nl_block>, matmul<iq4_xs_block>, matmul<mxfp4_block>};

}  // namespace wherry::inline v0::engine
