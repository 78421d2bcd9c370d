#include "engine/kernels.hpp"

#include <array>
#include <cassert>

namespace wherry::inline v0 {
namespace {

constexpr std::array all_sets{kernel_set::scalar, kernel_set::avx2, kernel_set::avx512};  // narrow to wide

}  // namespace

std::string_view to_string(kernel_set set) noexcept {
  switch (set) {
    case kernel_set::scalar: return "scalar";
    case kernel_set::avx2: return "avx2";
    case kernel_set::avx512: return "avx512";
  }
  return "unknown";
}

bool cpu_supports(kernel_set set) noexcept {
  switch (set) {
    case kernel_set::scalar: return true;
    case kernel_set::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    case kernel_set::avx512:
      return cpu_supports(kernel_set::avx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("avx512dq");
  }
  return false;
}

result<kernel_set> choose_kernels(std::string_view name) {
  std::string const asked(name);
  if (name == "auto") {
    auto widest = kernel_set::scalar;
    for (auto set : all_sets)
      if (cpu_supports(set)) widest = set;
    return widest;
  }
  for (auto set : all_sets) {
    if (name != to_string(set)) continue;
    if (cpu_supports(set)) return set;
    return error(errc::unsupported, "this CPU lacks the instructions of the kernel set '" + asked + "'; use 'auto'",
                 "kernels.choose");
  }
  return error(errc::invalid_argument,
               "there is no kernel set '" + asked + "'; the names are auto, scalar, avx2, avx512", "kernels.choose");
}

namespace engine {

kernel_table const& kernels_of(kernel_set set) noexcept {
  assert(cpu_supports(set));
  switch (set) {
    case kernel_set::avx2: return avx2_kernels;
    case kernel_set::avx512: return avx512_kernels;
    case kernel_set::scalar: break;
  }
  return scalar_kernels;
}

matmul_function matmul_for(kernel_table const& kernels, tensor_type type) noexcept {
  switch (type) {
    case tensor_type::f32: return kernels.matmul_f32;
    case tensor_type::f16: return kernels.matmul_f16;
    case tensor_type::bf16: return kernels.matmul_bf16;
    case tensor_type::q8_0: return kernels.matmul_q8_0;
    case tensor_type::q4_0: return kernels.blocks.q4_0;
    case tensor_type::q4_1: return kernels.blocks.q4_1;
    case tensor_type::q5_0: return kernels.blocks.q5_0;
    case tensor_type::q5_1: return kernels.blocks.q5_1;
    case tensor_type::q2_k: return kernels.blocks.q2_k;
    case tensor_type::q3_k: return kernels.blocks.q3_k;
    case tensor_type::q4_k: return kernels.blocks.q4_k;
    case tensor_type::q5_k: return kernels.blocks.q5_k;
    case tensor_type::q6_k: return kernels.blocks.q6_k;
    case tensor_type::iq4_nl: return kernels.blocks.iq4_nl;
    case tensor_type::iq4_xs: return kernels.blocks.iq4_xs;
    case tensor_type::mxfp4: return kernels.blocks.mxfp4;
  }
  return nullptr;
}

std::string supported_weight_types() {
  return "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS, MXFP4";
}

}  // namespace engine
}  // namespace wherry::inline v0
