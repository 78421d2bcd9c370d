// Matrix products of every weight type and kernel set: GB/s of weights for one token (a step of one answer), Gop/s for
// many tokens (a prompt). One thread, weights beyond the caches.
//
//   bench_kernels [--mib N] [--json FILE]     N: size of the weights, 128 by default

#include "bench_report.hpp"
#include "engine/kernels.hpp"

#include <wherry/core/random.hpp>

#include <chrono>
#include <cstdlib>
#include <cstring>

using namespace wherry;

namespace {

constexpr std::size_t columns = 4096;

double best_seconds(int repeats, auto const& work) {
  double best = 1e9;
  for (int i = 0; i < repeats; ++i) {
    auto const start = std::chrono::steady_clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t mib = 128;
  for (int i = 1; i + 1 < argc; ++i)
    if (std::strcmp(argv[i], "--mib") == 0) mib = std::strtoul(argv[i + 1], nullptr, 10);
  wherry_bench::report report("matrix products, one thread, " + std::to_string(columns) + " columns", argc, argv);

  // Half-precision numbers near 1 everywhere: finite as F16, BF16 and F32 too, and as scales of any block.
  std::vector<std::uint8_t> bytes(std::max<std::size_t>(mib, 1) << 20);
  for (std::size_t i = 0; i < bytes.size(); i += 4) {
    auto const word = philox(1, {static_cast<std::uint32_t>(i / 4), 0, 0, 0})[0];
    std::uint32_t const tame = (word & 0x83FF83FF) | 0x38003800;
    std::memcpy(bytes.data() + i, &tame, sizeof tame);
  }
  std::vector<float> x(64 * columns);
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<float>(2 * uniform({1, 1, static_cast<std::uint32_t>(i)}) - 1);

  for (auto set : {kernel_set::scalar, kernel_set::avx2, kernel_set::avx512}) {
    if (!cpu_supports(set)) continue;
    for (auto type : {tensor_type::f32, tensor_type::f16, tensor_type::bf16, tensor_type::q8_0, tensor_type::q4_0,
                      tensor_type::q4_1, tensor_type::q5_0, tensor_type::q5_1, tensor_type::q2_k, tensor_type::q3_k,
                      tensor_type::q4_k, tensor_type::q5_k, tensor_type::q6_k, tensor_type::iq4_nl, tensor_type::iq4_xs,
                      tensor_type::mxfp4}) {
      auto const layout = layout_of(type);
      std::size_t const row_bytes = columns / layout.elements * layout.bytes, rows = bytes.size() / row_bytes;
      auto const product = engine::matmul_for(engine::kernels_of(set), type);
      std::vector<float> out(rows);
      std::string const name(std::string(to_string(set)) + " " + to_string(type));
      double const one = best_seconds(set == kernel_set::scalar ? 1 : 5, [&] {
        product({bytes.data(), row_bytes, rows, columns, x.data(), columns, 1, out.data(), rows});
      });
      report.inform(name + ", 1 token", static_cast<double>(rows * row_bytes) / one / 1e9, "GB/s");
      if (set == kernel_set::scalar) continue;
      std::size_t const tokens = 64, few = 512;
      std::vector<float> many(few * tokens);
      double const prompt = best_seconds(
          3, [&] { product({bytes.data(), row_bytes, few, columns, x.data(), columns, tokens, many.data(), few}); });
      report.inform(name + ", 64 tokens", 2.0 * static_cast<double>(few * columns * tokens) / prompt / 1e9, "Gop/s");
    }
  }
  return report.finish();
}
