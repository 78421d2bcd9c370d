#pragma once
// What logits say: which are largest, and the probability of each.

#include <cstddef>
#include <span>
#include <vector>

namespace wherry::inline v0 {
namespace local {

/// Softmax over logits, in double precision.
class likelihood {
 public:
  explicit likelihood(std::span<float const> logits);
  double of(float logit) const;

 private:
  double highest_, total_ = 0;
};

/// Places of the `count` largest values (of all, when there are fewer), the largest first; of equals the first one.
std::vector<std::size_t> largest(std::span<float const> values, std::size_t count);

}  // namespace local
}  // namespace wherry::inline v0
