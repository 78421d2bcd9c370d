#pragma once
// Kernel sets: the same arithmetic written for different instruction sets, chosen at run time.

#include <wherry/core/result.hpp>

#include <cstdint>
#include <string_view>

namespace wherry::inline v0 {

/// The instruction set a model computes with. Within one set a result is the same on every machine, for every thread
/// count and batch; between two sets the last digits differ, so a run records its set.
enum class kernel_set : std::uint8_t {
  scalar,  ///< Any x86-64 CPU.
  avx2,    ///< AVX2, FMA and F16C.
  avx512,  ///< AVX-512 F, BW, VL and DQ.
};

/// "scalar", "avx2", "avx512".
std::string_view to_string(kernel_set set) noexcept;

/// Whether this CPU can run the set.
bool cpu_supports(kernel_set set) noexcept;

/// The set with this name; "auto" takes the widest one that this CPU supports.
/// Fails with: errc::invalid_argument for an unknown name, errc::unsupported when the CPU lacks the instructions.
result<kernel_set> choose_kernels(std::string_view name);

}  // namespace wherry::inline v0
