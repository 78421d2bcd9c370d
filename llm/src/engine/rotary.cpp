#include "engine/rotary.hpp"

#include "engine/elementary.hpp"

#include <algorithm>
#include <cmath>

namespace wherry::inline v0::engine {
namespace {

std::vector<double> powers_of(double base, std::size_t width) {
  std::vector<double> out(width / 2);
  double const step = logarithm(base) * -2 / static_cast<double>(width);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = exponential(static_cast<double>(i) * step);
  return out;
}

// The pair that makes `turns` turns over the original context.
double pair_turning(config const& c, double turns) {
  double const context = c.scaling.original_context;
  return static_cast<double>(c.rope_width) * logarithm(context / (turns * 6.283185307179586)) /
         (2 * logarithm(c.rope_base));
}

// Pairs below `low` keep their speed, pairs above `high` are slowed down by the factor, in between both are mixed.
void scale_by_yarn(config const& c, std::vector<double>& frequencies) {
  double const low = std::max(0.0, std::floor(pair_turning(c, c.scaling.beta_fast)));
  double const high = std::min(static_cast<double>(c.rope_width) - 1, std::ceil(pair_turning(c, c.scaling.beta_slow)));
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    double const slowed = std::clamp((static_cast<double>(i) - low) / std::max(0.001, high - low), 0.0, 1.0);
    frequencies[i] *= slowed / c.scaling.factor + (1 - slowed);
  }
}

}  // namespace

rotary full_rotary(config const& c, std::span<float const> factors) {
  rotary out{powers_of(c.rope_base, c.rope_width), c.scaling.magnitude};
  switch (c.scaling.how) {
    case rope_scaling::method::linear:
      for (double& f : out.frequencies) f /= c.scaling.factor;
      break;
    case rope_scaling::method::yarn: scale_by_yarn(c, out.frequencies); break;
    case rope_scaling::method::none:
    case rope_scaling::method::factors: break;
  }
  for (std::size_t i = 0; i < std::min(factors.size(), out.frequencies.size()); ++i) out.frequencies[i] /= factors[i];
  return out;
}

rotary windowed_rotary(config const& c) { return {powers_of(c.windowed_rope_base, c.rope_width), 1}; }

}  // namespace wherry::inline v0::engine
