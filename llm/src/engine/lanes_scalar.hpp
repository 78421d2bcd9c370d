#pragma once
// How the scalar kernels add. Included by the files of the scalar set only.

#include <cstddef>

namespace wherry::inline v0::engine {
namespace {

constexpr std::size_t lanes = 8;

float sum_of_lanes(float const (&s)[lanes]) {
  return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

constexpr std::size_t tokens_max = 8;  // that share the unpacking of a row

}  // namespace
}  // namespace wherry::inline v0::engine
