#include "local/likelihood.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace wherry::inline v0 {
namespace local {

likelihood::likelihood(std::span<float const> logits) : highest_(*std::max_element(logits.begin(), logits.end())) {
  for (double l : logits) total_ += std::exp(l - highest_);
}

double likelihood::of(float logit) const { return std::exp(logit - highest_) / total_; }

std::vector<std::size_t> largest(std::span<float const> values, std::size_t count) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  count = std::min(count, order.size());
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
      [&](std::size_t a, std::size_t b) { return values[a] != values[b] ? values[a] > values[b] : a < b; });
  order.resize(count);
  return order;
}

}  // namespace local
}  // namespace wherry::inline v0
