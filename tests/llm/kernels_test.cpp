// Every kernel of every set against plain double-precision loops, on lengths around the vector widths and on hard
// values.

#include "engine/kernels.hpp"
#include "engine/elementary.hpp"
#include "engine/tensor_rows.hpp"

#include <wherry/core/random.hpp>

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

using namespace wherry;
using namespace wherry::engine;

namespace {

constexpr std::array weight_types{tensor_type::f32, tensor_type::f16, tensor_type::bf16, tensor_type::q8_0};
constexpr std::size_t lengths[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 100, 257};

std::vector<kernel_set> runnable_sets() {
  std::vector<kernel_set> sets;
  for (auto set : {kernel_set::scalar, kernel_set::avx2, kernel_set::avx512})
    if (cpu_supports(set)) sets.push_back(set);
  return sets;
}

// Numbers in [-size, size).
std::vector<float> noise(std::size_t count, std::uint32_t salt, float size = 1) {
  std::vector<float> out(count);
  for (std::size_t i = 0; i < count; ++i)
    out[i] = size * static_cast<float>(2 * uniform({1, salt, static_cast<std::uint32_t>(i)}) - 1);
  return out;
}

struct packed_rows {
  std::size_t row_bytes;
  std::vector<std::uint8_t> bytes;
  std::vector<float> values;  // what the bytes stand for
};

packed_rows pack(tensor_type type, std::vector<float> const& values, std::size_t columns) {
  auto const layout = layout_of(type);
  std::size_t const row_bytes = columns / layout.elements * layout.bytes, rows = values.size() / columns;
  packed_rows out{row_bytes, std::vector<std::uint8_t>(rows * row_bytes), std::vector<float>(values.size())};
  for (std::size_t r = 0; r < rows; ++r) {
    auto const bytes = std::span(out.bytes).subspan(r * row_bytes, row_bytes);
    pack_row(type, std::span(values).subspan(r * columns, columns), bytes);
    unpack_row(type, bytes.data(), std::span(out.values).subspan(r * columns, columns));
  }
  return out;
}

std::vector<float> multiply(kernel_set set, tensor_type type, packed_rows const& weights, std::size_t columns,
                            std::vector<float> const& x) {
  std::size_t const rows = weights.bytes.size() / weights.row_bytes, tokens = x.size() / columns;
  std::vector<float> out(rows * tokens);
  matmul_for(kernels_of(set), type)(
      {weights.bytes.data(), weights.row_bytes, rows, columns, x.data(), columns, tokens, out.data(), rows});
  return out;
}

// The largest error of a product, in units of the sum of the magnitudes of its terms.
double product_error(std::vector<float> const& got, packed_rows const& weights, std::size_t columns,
                     std::vector<float> const& x) {
  std::size_t const rows = weights.bytes.size() / weights.row_bytes;
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    double sum = 0, magnitude = 1e-30;
    for (std::size_t c = 0; c < columns; ++c) {
      double const term = double{weights.values[i % rows * columns + c]} * x[i / rows * columns + c];
      sum += term;
      magnitude += std::abs(term);
    }
    worst = std::max(worst, std::abs(got[i] - sum) / magnitude);
  }
  return worst;
}

double relative_error(double got, double want) { return std::abs(got - want) / std::max(std::abs(want), 1e-300); }

}  // namespace

TEST_CASE("matrix products of every type and length agree with double precision", "[unit][kernels]") {
  for (auto set : runnable_sets())
    for (auto type : weight_types)
      for (auto columns : lengths) {
        if (columns % layout_of(type).elements != 0) continue;
        auto const weights = pack(type, noise(7 * columns, 1), columns);
        auto const x = noise(13 * columns, 2);
        CAPTURE(to_string(set), to_string(type), columns);
        CHECK(product_error(multiply(set, type, weights, columns, x), weights, columns, x) < 1e-6);
      }
}

TEST_CASE("a product's bits do not depend on the rows and tokens computed with it", "[unit][kernels]") {
  for (auto set : runnable_sets())
    for (auto type : weight_types)
      for (std::size_t columns : {32, 45, 96}) {
        if (columns % layout_of(type).elements != 0) continue;
        constexpr std::size_t rows = 11, tokens = 17;
        auto const weights = pack(type, noise(rows * columns, 3), columns);
        auto const x = noise(tokens * columns, 4);
        auto const together = multiply(set, type, weights, columns, x);
        CAPTURE(to_string(set), to_string(type), columns);
        for (std::size_t t = 0; t < tokens; ++t)
          for (std::size_t r = 0; r < rows; ++r) {
            float alone = 0;
            matmul_for(kernels_of(set), type)({weights.bytes.data() + r * weights.row_bytes, weights.row_bytes, 1,
                                               columns, x.data() + t * columns, columns, 1, &alone, 1});
            REQUIRE(alone == together[t * rows + r]);
          }
      }
}

TEST_CASE("products of zeros, denormals and large numbers are right", "[unit][kernels]") {
  constexpr float denormal = 1e-41f, large = 1e18f;
  for (auto set : runnable_sets())
    for (std::size_t columns : {1, 33}) {
      CAPTURE(to_string(set), columns);
      auto const product = [&](float weight, float x) {
        auto const weights = pack(tensor_type::f32, std::vector(columns, weight), columns);
        return multiply(set, tensor_type::f32, weights, columns, std::vector(columns, x))[0];
      };
      CHECK(product(0, large) == 0);
      CHECK(relative_error(product(denormal, 1), double{denormal} * static_cast<double>(columns)) < 1e-6);
      CHECK(relative_error(product(large, large), 1e36 * static_cast<double>(columns)) < 1e-6);
      CHECK(std::isnan(product(std::numeric_limits<float>::quiet_NaN(), 1)));
    }
  // The smallest and the largest finite values of the 16-bit types, through the kernels' own conversions.
  for (auto set : runnable_sets())
    for (float value : {0x1p-24f, 0x1.ffcp15f, -0x1p-14f}) {
      auto const weights = pack(tensor_type::f16, {value}, 1);
      CHECK(multiply(set, tensor_type::f16, weights, 1, {1.0f})[0] == value);
    }
  for (auto set : runnable_sets())
    for (float value : {0x1p-133f, 0x1.fep127f, -1.5f}) {
      auto const weights = pack(tensor_type::bf16, {value}, 1);
      CHECK(multiply(set, tensor_type::bf16, weights, 1, {1.0f})[0] == value);
    }
}

TEST_CASE("RMS normalisation agrees with double precision, in place too", "[unit][kernels]") {
  for (auto set : runnable_sets())
    for (auto count : lengths) {
      auto const x = noise(count, 5, 3), weight = noise(count, 6);
      double squares = 0;
      for (double v : x) squares += v * v;
      double const rms = std::sqrt(squares / static_cast<double>(count) + 1e-5);
      std::vector<float> out(count), in_place = x;
      kernels_of(set).layer.rms_norm(out.data(), x.data(), weight.data(), count, 1e-5f);
      kernels_of(set).layer.rms_norm(in_place.data(), in_place.data(), weight.data(), count, 1e-5f);
      CHECK(in_place == out);
      CAPTURE(to_string(set), count);
      for (std::size_t i = 0; i < count; ++i) CHECK(relative_error(out[i], x[i] / rms * weight[i]) < 1e-6);
    }
}

TEST_CASE("a row of zeros normalises to zeros", "[unit][kernels]") {
  for (auto set : runnable_sets()) {
    std::vector<float> x(33, 0), weight(33, 2);
    kernels_of(set).layer.rms_norm(x.data(), x.data(), weight.data(), x.size(), 1e-5f);
    CHECK(x == std::vector<float>(33, 0));
  }
}

TEST_CASE("softmax agrees with double precision and ignores an offset", "[unit][kernels]") {
  for (auto set : runnable_sets())
    for (auto count : lengths)
      for (float size : {0.0f, 1.0f, 300.0f}) {
        auto x = noise(count, 7, size);
        for (float& v : x) v += 1000;
        double const highest = *std::max_element(x.begin(), x.end());
        double total = 0;
        for (double v : x) total += std::exp((v - highest) * 0.25);
        auto got = x;
        kernels_of(set).layer.softmax(got.data(), count, 0.25f);
        CAPTURE(to_string(set), count, size);
        for (std::size_t i = 0; i < count; ++i) {
          double const want = std::exp((x[i] - highest) * 0.25) / total;
          CHECK(std::abs(got[i] - want) <= 2e-6 * want + 1e-30);
        }
      }
}

TEST_CASE("softmax gives nothing to scores far below the highest", "[unit][kernels]") {
  for (auto set : runnable_sets()) {
    std::vector<float> x(20, -1e30f);
    x[3] = 5;
    kernels_of(set).layer.softmax(x.data(), x.size(), 1.0f);
    for (std::size_t i = 0; i < x.size(); ++i) CHECK(x[i] == (i == 3 ? 1.0f : 0.0f));
  }
}

TEST_CASE("the gated unit agrees with double precision from end to end of the float range", "[unit][kernels]") {
  for (auto set : runnable_sets())
    for (auto count : lengths)
      for (float size : {1e-30f, 1.0f, 80.0f, 1e30f}) {
        auto const up = noise(count, 8), gate = noise(count, 9, size);
        auto got = gate;
        kernels_of(set).layer.swiglu(got.data(), up.data(), count);
        CAPTURE(to_string(set), count, size);
        for (std::size_t i = 0; i < count; ++i) {
          double const want = gate[i] / (1 + std::exp(-double{gate[i]})) * up[i];
          CHECK(std::abs(got[i] - want) <= 1e-6 * std::abs(want) + 1e-7 * std::min(size, 1.0f));
        }
      }
}

TEST_CASE("layer normalisation agrees with double precision, in place too", "[unit][kernels]") {
  for (auto set : runnable_sets())
    for (auto count : lengths) {
      auto x = noise(count, 15, 3);
      for (float& v : x) v += 2;
      auto const weight = noise(count, 16), bias = noise(count, 17);
      double mean = 0, variance = 0;
      for (double v : x) mean += v / static_cast<double>(count);
      for (double v : x) variance += (v - mean) * (v - mean) / static_cast<double>(count);
      std::vector<float> out(count), in_place = x;
      auto const& kernels = kernels_of(set).layer;
      kernels.layer_norm(out.data(), x.data(), weight.data(), bias.data(), count, 1e-2f);
      kernels.layer_norm(in_place.data(), in_place.data(), weight.data(), bias.data(), count, 1e-2f);
      CHECK(in_place == out);
      CAPTURE(to_string(set), count);
      for (std::size_t i = 0; i < count; ++i)
        CHECK(std::abs(out[i] - ((x[i] - mean) / std::sqrt(variance + 1e-2) * weight[i] + bias[i])) < 1e-5);
    }
}

TEST_CASE("activations agree with double precision from end to end of the float range", "[unit][kernels]") {
  auto const tanh_gelu = [](double x) {
    return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
  };
  auto const erf_gelu = [](double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); };
  auto const clamped = [](double gate, double up) {
    double const g = std::min(gate, 7.0), u = std::clamp(up, -7.0, 7.0);
    return g / (1 + std::exp(-1.702 * g)) * (u + 1);
  };
  for (auto set : runnable_sets())
    for (auto count : lengths)
      for (float size : {1e-30f, 1.0f, 8.0f, 80.0f, 1e9f}) {
        auto const& kernels = kernels_of(set).layer;
        auto const x = noise(count, 18, size), up = noise(count, 19, size);
        auto gelu = x, gelu_erf = x, geglu = x, capped = x, clamp = x;
        kernels.gelu(gelu.data(), count);
        kernels.gelu_erf(gelu_erf.data(), count);
        kernels.geglu(geglu.data(), up.data(), count);
        kernels.soft_cap(capped.data(), count, 0.25f, 30.0f);
        kernels.swiglu_clamped(clamp.data(), up.data(), count);
        CAPTURE(to_string(set), count, size);
        for (std::size_t i = 0; i < count; ++i) {
          double const allowed = 5e-7 * std::abs(double{x[i]}) + 1e-7 * std::min(size, 1.0f);
          CHECK(std::abs(gelu[i] - tanh_gelu(x[i])) <= allowed);
          CHECK(std::abs(gelu_erf[i] - erf_gelu(x[i])) <= allowed);
          CHECK(std::abs(geglu[i] - tanh_gelu(x[i]) * up[i]) <= allowed * std::abs(double{up[i]}) + 1e-30);
          CHECK(std::abs(capped[i] - 30 * std::tanh(double{x[i]} * 0.25 / 30)) <= 30 * 3e-7);
          CHECK(std::abs(clamp[i] - clamped(x[i], up[i])) <= 1e-6 * std::abs(clamped(x[i], up[i])) + 1e-6);
        }
      }
}

TEST_CASE("weighted rows are added to what is there, in order", "[unit][kernels]") {
  for (auto set : runnable_sets())
    for (auto width : lengths) {
      constexpr std::size_t rows = 9;
      std::size_t const stride = width + 3;
      auto const values = noise(rows * stride, 10), weights = noise(rows, 11);
      auto out = noise(width, 12);
      auto want = out;
      kernels_of(set).layer.add_weighted_rows(out.data(), values.data(), stride, weights.data(), rows, width);
      CAPTURE(to_string(set), width);
      for (std::size_t i = 0; i < width; ++i) {
        double sum = want[i];
        for (std::size_t j = 0; j < rows; ++j) sum += double{weights[j]} * values[j * stride + i];
        CHECK(std::abs(out[i] - sum) < 2e-6);
      }
    }
}

TEST_CASE("kernel sets are chosen by name", "[unit][kernels]") {
  CHECK(*choose_kernels("scalar") == kernel_set::scalar);
  CHECK(cpu_supports(*choose_kernels("auto")));
  CHECK(*choose_kernels("auto") == runnable_sets().back());
  CHECK(choose_kernels("sse9").error().is(errc::invalid_argument));
  CHECK(choose_kernels("").error().is(errc::invalid_argument));
  for (auto set : {kernel_set::avx2, kernel_set::avx512}) {
    auto const chosen = choose_kernels(to_string(set));
    if (cpu_supports(set))
      CHECK(*chosen == set);
    else
      CHECK(chosen.error().is(errc::unsupported));
  }
}

TEST_CASE("packing to 16-bit floats rounds to nearest even", "[unit][kernels]") {
  auto const through = [](tensor_type type, float value) { return pack(type, {value}, 1).values[0]; };
  CHECK(through(tensor_type::f16, 1 + 0x1p-11f) == 1);             // tie, down to even
  CHECK(through(tensor_type::f16, 1 + 0x3p-11f) == 1 + 0x2p-10f);  // tie, up to even
  CHECK(through(tensor_type::f16, 0x1p-25f) == 0);
  CHECK(through(tensor_type::f16, 0x3p-25f) == 0x2p-24f);
  CHECK(through(tensor_type::f16, 65519.996f) == 65504);
  CHECK(std::isinf(through(tensor_type::f16, 65520)));
  CHECK(std::isnan(through(tensor_type::f16, std::numeric_limits<float>::quiet_NaN())));
  CHECK(through(tensor_type::bf16, 1 + 0x1p-8f) == 1);
  CHECK(through(tensor_type::bf16, 1 + 0x3p-8f) == 1 + 0x2p-7f);
  CHECK(std::isnan(through(tensor_type::bf16, std::numeric_limits<float>::quiet_NaN())));
}

TEST_CASE("packing to Q8_0 keeps every value within half a step", "[unit][kernels]") {
  auto const values = noise(96, 13, 5);
  auto const packed = pack(tensor_type::q8_0, values, 96);
  for (std::size_t block = 0; block < 96; block += 32) {
    float largest = 0;
    for (std::size_t i = block; i < block + 32; ++i) largest = std::max(largest, std::abs(values[i]));
    for (std::size_t i = block; i < block + 32; ++i)
      CHECK(std::abs(packed.values[i] - values[i]) <= largest / 127 * 0.57f);  // the scale itself is rounded to f16
  }
  CHECK(pack(tensor_type::q8_0, std::vector<float>(32, 0), 32).values == std::vector<float>(32, 0));
}

TEST_CASE("elementary functions are as accurate as they say", "[unit][kernels]") {
  for (int i = 0; i < 20000; ++i) {
    draw_key const key{3, 0, static_cast<std::uint32_t>(i)};
    double const x = 1400 * uniform(key) - 700, positive = std::exp(x), angle = angle_max * (2 * uniform(key, 1) - 1);
    REQUIRE(relative_error(exponential(x), std::exp(x)) < 5e-16);
    REQUIRE(std::abs(logarithm(positive) - std::log(positive)) < 4.5e-16 * std::max(std::abs(x), 0.5));
    auto const turn = rotate_by(angle);
    REQUIRE(std::abs(turn.sine - std::sin(angle)) < 4e-16);
    REQUIRE(std::abs(turn.cosine - std::cos(angle)) < 4e-16);
  }
  CHECK(exponential(0) == 1);
  CHECK(exponential(-1e9) == 0);
  CHECK(std::isinf(exponential(1e9)));
  CHECK(std::isnan(exponential(std::nan(""))));
  CHECK(logarithm(1) == 0);
  CHECK(rotate_by(0).sine == 0);
  CHECK(rotate_by(0).cosine == 1);
}
