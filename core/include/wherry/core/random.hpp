#pragma once
// Counter-based random numbers: a value is a pure function of its key and its counter, so a draw can be repeated from
// the record of where it was made, whatever ran in between.

#include <array>
#include <cstdint>

namespace wherry::inline v0 {

/// Philox4x32-10: 128 random bits for a 64-bit key and a 128-bit counter.
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
std::array<std::uint32_t, 4> philox(std::uint64_t key, std::array<std::uint32_t, 4> counter) noexcept;

/// Where a random number is drawn in a run: a draw is keyed by (run, step, position).
struct draw_key {
  std::uint64_t run = 0;       ///< The run's seed.
  std::uint32_t step = 0;      ///< The model call within the run.
  std::uint32_t position = 0;  ///< The token position within the step, or any running number.
};

/// A number in [0, 1) with 53 random bits; `lane` tells several draws at one place apart.
double uniform(draw_key const& key, std::uint32_t lane = 0) noexcept;

/// 64 random bits at a place.
std::uint64_t random_bits(draw_key const& key, std::uint32_t lane = 0) noexcept;

}  // namespace wherry::inline v0
