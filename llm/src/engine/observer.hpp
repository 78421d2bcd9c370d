#pragma once
// Seeing inside a pass. An observer is called at named places; without one nothing is computed or copied for it.

#include <cstddef>
#include <span>

namespace wherry::inline v0::engine {

/// Called during a pass, from the thread that runs it or (attention) from a worker, one call at a time for a pool of
/// one thread. The spans are valid during the call.
class observer {
 public:
  virtual ~observer() = default;

  /// The rows that enter the first layer. [tokens][width]
  virtual void embedded(std::span<float const> rows, std::size_t width) = 0;
  /// The residual stream after a layer. [tokens][width]
  virtual void layer_done(std::size_t layer, std::span<float const> rows, std::size_t width) = 0;
  /// What row `row` looks at in a layer: shares of the positions first_position ..., which sum to at most one.
  virtual void looked(std::size_t layer, std::size_t head, std::size_t row, std::size_t first_position,
                      std::span<float const> shares) = 0;
  /// The same for a decoder's row that looks at the encoder's rows.
  virtual void looked_across(std::size_t layer, std::size_t head, std::size_t row, std::span<float const> shares) = 0;
};

}  // namespace wherry::inline v0::engine
