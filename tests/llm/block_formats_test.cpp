// Weights in blocks: unpacked and multiplied by every kernel set, against an independent dequantiser.

#include "engine/float_formats.hpp"
#include "engine/kernels.hpp"
#include "engine/tensor_rows.hpp"
#include "reference_blocks.hpp"

#include <wherry/core/random.hpp>

#include <catch2/catch_test_macros.hpp>

#include <cmath>
#include <cstring>

using namespace wherry;
using namespace wherry::engine;

namespace {

constexpr std::array block_types{tensor_type::q8_0, tensor_type::q4_0, tensor_type::q4_1,   tensor_type::q5_0,
                                 tensor_type::q5_1, tensor_type::q2_k, tensor_type::q3_k,   tensor_type::q4_k,
                                 tensor_type::q5_k, tensor_type::q6_k, tensor_type::iq4_nl, tensor_type::iq4_xs,
                                 tensor_type::mxfp4};

std::vector<kernel_set> runnable_sets() {
  std::vector<kernel_set> sets;
  for (auto set : {kernel_set::scalar, kernel_set::avx2, kernel_set::avx512})
    if (cpu_supports(set)) sets.push_back(set);
  return sets;
}

std::uint32_t random_word(std::uint32_t salt, std::size_t i) {
  return philox(7, {static_cast<std::uint32_t>(i), salt, 0, 0})[0];
}

// Where a block has f16 numbers.
std::vector<std::size_t> halves_of(tensor_type type) {
  switch (type) {
    case tensor_type::mxfp4: return {};
    case tensor_type::q2_k: return {80, 82};
    case tensor_type::q3_k: return {108};
    case tensor_type::q6_k: return {208};
    case tensor_type::q4_1:
    case tensor_type::q5_1:
    case tensor_type::q4_k:
    case tensor_type::q5_k: return {0, 2};
    default: return {0};
  }
}

// Blocks of random bits. Their f16 scales are finite: from `scales` in turn, or random ones around 1 when it is empty.
std::vector<std::uint8_t> random_blocks(tensor_type type, std::size_t count, std::uint32_t salt,
                                        std::vector<std::uint16_t> const& scales = {}) {
  auto const layout = layout_of(type);
  std::vector<std::uint8_t> bytes(count * layout.bytes);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(random_word(salt, i));
  for (std::size_t b = 0; b < count; ++b) {
    auto* const block = bytes.data() + b * layout.bytes;
    if (type == tensor_type::mxfp4)
      block[0] = scales.empty() ? static_cast<std::uint8_t>(120 + b % 16) : static_cast<std::uint8_t>(b % 255);
    for (auto at : halves_of(type)) {
      std::uint16_t half = static_cast<std::uint16_t>(0x3000 + random_word(salt + 1, b + at) % 0x1000);
      if (!scales.empty()) half = scales[(b + at) % scales.size()];
      std::memcpy(block + at, &half, sizeof half);
    }
  }
  return bytes;
}

std::vector<float> reference_values(tensor_type type, std::span<std::uint8_t const> bytes) {
  auto const layout = layout_of(type);
  std::vector<float> values;
  for (std::size_t at = 0; at < bytes.size(); at += layout.bytes) {
    wherry_test::reference_block const block(type, bytes.subspan(at, layout.bytes));
    for (std::uint32_t c = 0; c < layout.elements; ++c)
      values.push_back(static_cast<float>(block.weight(static_cast<int>(c))));
  }
  return values;
}

// Zero, the smallest and largest subnormal, the smallest and largest normal, and negative ones.
std::vector<std::uint16_t> const extreme_halves{0x0000, 0x0001, 0x03FF, 0x0400, 0x7BFF, 0x8001, 0xFBFF, 0x3C00, 0xBC00};

}  // namespace

TEST_CASE("every block type unpacks to exactly what its published layout says", "[unit][kernels]") {
  for (auto type : block_types)
    for (auto const& scales : {std::vector<std::uint16_t>{}, extreme_halves}) {
      constexpr std::size_t blocks = 255;
      auto const bytes = random_blocks(type, blocks, 1, scales);
      std::vector<float> got(blocks * layout_of(type).elements);
      unpack_row(type, bytes.data(), got);
      CAPTURE(to_string(type), scales.size());
      CHECK(got == reference_values(type, bytes));
    }
}

TEST_CASE("kernels see every weight exactly, whatever the scale", "[unit][kernels]") {
  // The identity as activations: each output is one weight.
  for (auto set : runnable_sets())
    for (auto type : block_types)
      for (auto const& scales : {std::vector<std::uint16_t>{}, extreme_halves}) {
        auto const layout = layout_of(type);
        std::size_t const columns = 512, rows = 9, row_bytes = columns / layout.elements * layout.bytes;
        auto const bytes = random_blocks(type, rows * columns / layout.elements, 2, scales);
        std::vector<float> identity(columns * columns), got(columns * rows);
        for (std::size_t i = 0; i < columns; ++i) identity[i * columns + i] = 1;
        matmul_for(kernels_of(set),
                   type)({bytes.data(), row_bytes, rows, columns, identity.data(), columns, columns, got.data(), rows});
        auto const want = reference_values(type, bytes);
        std::size_t wrong = 0;
        for (std::size_t r = 0; r < rows; ++r)
          for (std::size_t c = 0; c < columns; ++c) wrong += got[c * rows + r] != want[r * columns + c];
        CAPTURE(to_string(set), to_string(type), scales.size());
        CHECK(wrong == 0);
      }
}

TEST_CASE("products with weights in blocks agree with double precision and do not depend on their company",
          "[unit][kernels]") {
  for (auto set : runnable_sets())
    for (auto type : block_types)
      for (auto const& [columns, tokens] : {std::pair<std::size_t, std::size_t>{256, 9}, {768, 77}, {1280, 14}}) {
        auto const layout = layout_of(type);
        constexpr std::size_t rows = 7;
        std::size_t const row_bytes = columns / layout.elements * layout.bytes;
        auto const bytes = random_blocks(type, rows * columns / layout.elements, 3);
        auto const weights = reference_values(type, bytes);
        std::vector<float> x(tokens * columns), together(tokens * rows);
        for (std::size_t i = 0; i < x.size(); ++i)
          x[i] = static_cast<float>(2 * uniform({1, 4, static_cast<std::uint32_t>(i)}) - 1);
        auto const product = matmul_for(kernels_of(set), type);
        product({bytes.data(), row_bytes, rows, columns, x.data(), columns, tokens, together.data(), rows});
        CAPTURE(to_string(set), to_string(type), columns, tokens);
        for (std::size_t t = 0; t < tokens; ++t)
          for (std::size_t r = 0; r < rows; ++r) {
            double sum = 0, magnitude = 1e-30;
            for (std::size_t c = 0; c < columns; ++c) {
              double const term = double{weights[r * columns + c]} * x[t * columns + c];
              sum += term;
              magnitude += std::abs(term);
            }
            REQUIRE(std::abs(together[t * rows + r] - sum) < 1e-6 * magnitude);
            float alone = 0;
            product(
                {bytes.data() + r * row_bytes, row_bytes, 1, columns, x.data() + t * columns, columns, 1, &alone, 1});
            REQUIRE(alone == together[t * rows + r]);
          }
      }
}

TEST_CASE("every type that opens has a product in every set, and is named", "[unit][kernels]") {
  for (auto set : runnable_sets())
    for (auto type : block_types) {
      CHECK(matmul_for(kernels_of(set), type));
      CHECK(supported_weight_types().find(to_string(type)) != std::string::npos);
    }
  CHECK(!matmul_for(scalar_kernels, static_cast<tensor_type>(77)));
}
