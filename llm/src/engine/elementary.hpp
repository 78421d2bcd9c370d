#pragma once
// Elementary functions in double precision, the same to the last bit on every machine: libm's differ between versions.
// Rotation tables and the sampler use them. Plain arithmetic, no contraction (the room is built with
// -ffp-contract=off).

namespace wherry::inline v0::engine {

/// e^x, within 2 ulp; 0 below -708, infinity above 709.
double exponential(double x) noexcept;

/// Natural logarithm of a positive, normal, finite number, within 2 ulp (absolute 2e-16 near 1).
double logarithm(double x) noexcept;

struct sine_cosine {
  double sine;
  double cosine;
};

/// Sine and cosine of an angle in radians, |angle| <= angle_max, absolute error below 4e-16.
inline constexpr double angle_max = 1 << 22;
sine_cosine rotate_by(double angle) noexcept;

}  // namespace wherry::inline v0::engine
