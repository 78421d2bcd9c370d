// Packing into blocks: how near the packed rows come, hard values, and the golden quantised files.

#include "engine/tensor_rows.hpp"
#include "shared_data.hpp"

#include <wherry/core/random.hpp>

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>

using namespace wherry;
using namespace wherry::engine;

namespace {

std::vector<tensor_type> block_types() {
  std::vector<tensor_type> types;
  for (auto type : packable_types)
    if (layout_of(type).elements > 1) types.push_back(type);
  return types;
}

std::vector<std::uint8_t> packed(tensor_type type, std::vector<float> const& row) {
  auto const layout = layout_of(type);
  std::vector<std::uint8_t> bytes(row.size() / layout.elements * layout.bytes);
  pack_row(type, row, bytes);
  return bytes;
}

std::vector<float> through(tensor_type type, std::vector<float> const& row) {
  std::vector<float> out(row.size());
  unpack_row(type, packed(type, row).data(), out);
  return out;
}

// Near enough to normal numbers around 0.
std::vector<float> bell(std::size_t count, std::uint32_t salt, double size = 1) {
  std::vector<float> row(count);
  for (std::size_t i = 0; i < count; ++i) {
    double sum = -3;
    for (std::uint32_t n = 0; n < 6; ++n) sum += uniform({2, salt, static_cast<std::uint32_t>(i)}, n);
    row[i] = static_cast<float>(size * sum * std::sqrt(2.0));
  }
  return row;
}

double squared_error(std::span<float const> a, std::span<float const> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  return sum;
}

double rms(std::span<float const> a) {
  return std::sqrt(squared_error(a, std::vector<float>(a.size())) / static_cast<double>(a.size()));
}

// The root mean square error of packed bell-shaped rows, as a share of the values' own.
double relative_error(tensor_type type, double size) {
  auto const row = bell(64 * 256, 1, size);
  return std::sqrt(squared_error(through(type, row), row) / static_cast<double>(row.size())) / rms(row);
}

}  // namespace

TEST_CASE("packed rows are as near as their bits allow, at every scale", "[unit][kernels]") {
  // Steps of a uniform quantiser over the range of such values give these; a finer type is always nearer.
  std::pair<tensor_type, double> const bounds[] = {
      {tensor_type::q8_0, 0.006}, {tensor_type::q6_k, 0.019}, {tensor_type::q5_1, 0.042}, {tensor_type::q5_k, 0.037},
      {tensor_type::q5_0, 0.046}, {tensor_type::q4_1, 0.086}, {tensor_type::q4_k, 0.076}, {tensor_type::q4_0, 0.092}};
  for (auto const& [type, bound] : bounds)
    for (double size : {1.0, 1e-2, 1000.0}) {
      CAPTURE(to_string(type), size);
      CHECK(relative_error(type, size) < bound);
      CHECK(relative_error(type, size) > bound / 2);
    }
}

TEST_CASE("rows of hard values pack to finite ones near them", "[unit][kernels]") {
  constexpr std::size_t columns = 256;
  auto const made = [](auto value) {
    std::vector<float> row(columns);
    for (std::size_t i = 0; i < columns; ++i) row[i] = value(i);
    return row;
  };
  std::vector<std::vector<float>> const rows{
      made([](auto) { return 0.0f; }),
      made([](auto) { return 1.0f; }),
      made([](auto) { return -0.25f; }),
      made([](auto i) { return i == 77 ? 100.0f : 0.0f; }),
      made([](auto i) { return i == 77 ? -100.0f : 0.001f; }),
      made([](auto i) { return i % 2 ? 65504.0f : -65504.0f; }),
      made([](auto i) { return i % 2 ? 65504.0f : 65000.0f; }),
      made([](auto i) { return i % 3 == 0 ? 1e-30f : -1e-42f; }),
      made([](auto) { return 1e-45f; }),
      made([](auto i) { return i < 32 ? 60000.0f : 1e-6f; }),
      made([](auto i) { return static_cast<float>(i) - 100; }),
  };
  for (auto type : block_types())
    for (std::size_t r = 0; r < rows.size(); ++r) {
      auto const& row = rows[r];
      auto const got = through(type, row);
      CAPTURE(to_string(type), r);
      float largest = 0;
      for (float v : row) largest = std::max(largest, std::abs(v));
      // Half a step of the coarsest type over the whole block, and of a scale that is rounded itself.
      for (std::size_t i = 0; i < columns; ++i) {
        REQUIRE(std::isfinite(got[i]));
        REQUIRE(std::abs(got[i] - row[i]) <= 0.17 * largest + 1e-4);
      }
    }
  for (auto type : block_types()) CHECK(through(type, rows[0]) == rows[0]);
}

TEST_CASE("what has been packed loses little when it is packed again", "[unit][kernels]") {
  auto const row = bell(16 * 256, 3);
  for (auto type : block_types()) {
    auto const once = through(type, row), twice = through(type, once);
    CAPTURE(to_string(type));
    CHECK(squared_error(twice, once) < 0.03 * squared_error(once, row));
  }
}

TEST_CASE("packing a golden model's rows gives the golden bytes of Q8_0 and Q4_0, and no larger error in K types",
          "[golden][kernels]") {
  auto const root = wherry_test::shared("models/golden");
  std::size_t compared = 0;
  for (auto const& folder : std::filesystem::directory_iterator(root)) {
    auto const stem = (folder.path() / folder.path().filename()).string();
    auto const source = gguf_file::open(stem + "-f16.gguf");
    if (!source) continue;
    for (auto const* variant : {"q8_0", "q4_0", "q4_k", "q5_k", "q6_k"}) {
      auto const golden = gguf_file::open(stem + "-" + variant + ".gguf");
      if (!golden) continue;
      CAPTURE(stem, variant);
      double own_error = 0, golden_error = 0;
      for (auto const& tensor : golden->tensors()) {
        auto const* from = source->find_tensor(tensor.name);
        REQUIRE(from);
        auto const layout = layout_of(tensor.type);
        if (layout.elements == 1) continue;
        ++compared;
        std::vector<float> exact(tensor.element_count()), own(exact.size()), theirs(exact.size());
        std::vector<std::uint8_t> bytes(tensor.data.size());
        unpack_row(from->type, from->data.data(), exact);  // rows are whole blocks: a matrix is one long row
        pack_row(tensor.type, exact, bytes);
        if (tensor.type == tensor_type::q8_0 || tensor.type == tensor_type::q4_0)
          CHECK(std::equal(bytes.begin(), bytes.end(), tensor.data.begin()));
        unpack_row(tensor.type, bytes.data(), own);
        unpack_row(tensor.type, tensor.data.data(), theirs);
        own_error += squared_error(own, exact);
        golden_error += squared_error(theirs, exact);
      }
      CHECK(std::sqrt(own_error) <= 1.001 * std::sqrt(golden_error));
    }
  }
  CHECK(compared > 300);
}
