#pragma once
// Rotary positions: how fast each pair of a head turns.

#include "engine/config.hpp"

#include <span>
#include <vector>

namespace wherry::inline v0::engine {

/// The turning of one kind of layer.
struct rotary {
  std::vector<double> frequencies;  ///< Angle per position of each pair.
  double magnitude = 1;             ///< What sines and cosines are multiplied by.
};

/// rope_base^(-2 i / rope_width), slowed down as the model's scaling says and divided by the factors where there are
/// any. Source: Su et al., "RoFormer: enhanced transformer with rotary position embedding", 2021; for the scalings see
/// rope_scaling.
rotary full_rotary(config const& c, std::span<float const> factors);

/// The same for layers with a window: their own base, never scaled.
rotary windowed_rotary(config const& c);

}  // namespace wherry::inline v0::engine
