#pragma once
// The run state of one pass: a run of tokens on its way through the layers.

#include "engine/adapter.hpp"
#include "engine/observer.hpp"
#include "engine/rotary.hpp"
#include "engine/sequence.hpp"
#include "engine/weights.hpp"
#include "engine/worker_pool.hpp"

#include <memory>
#include <span>
#include <vector>

namespace wherry::inline v0::engine {

/// Neighbouring rows of a pass that belong to one text.
struct segment {
  std::size_t first_row = 0;
  std::size_t rows = 0;
  std::size_t first_position = 0;
  sequence* cache = nullptr;  ///< Keys and values of the tokens before; null: the segment is the whole text.
};

struct pass_options {
  std::span<segment const> segments;  ///< In the order of their rows, without gaps.
  active_adapters adapters;
  observer* watch = nullptr;
  std::size_t rows_across = 0;  ///< The encoder's rows that a decoder attends to.
};

/// Activations of the tokens of one or more segments. All are row-major f32, one row per token; what the layers share
/// lies here so that they own nothing but weights.
struct pass {
  pass(config const& shape, kernel_table const& kernel_functions, worker_pool& workers, pass_options const& options);

  config const& c;
  kernel_table const& kernels;
  worker_pool& pool;
  std::span<segment const> const segments;
  active_adapters const adapters;
  observer* const watch;
  std::size_t const tokens;
  std::size_t const score_stride;         ///< Floats of one head's scores.
  std::vector<std::uint32_t> segment_of;  ///< [tokens]

 private:
  std::unique_ptr<float[]> memory_;
  float* next_;

 public:
  float* const hidden;    ///< [tokens][width]: the residual stream.
  float* const normed;    ///< [tokens][width]
  float* const query;     ///< [tokens][heads][head_width]
  float* const key;       ///< [tokens][kv_heads][head_width]
  float* const value;     ///< [tokens][kv_heads][head_width]
  float* const attended;  ///< [tokens][heads][head_width]
  float* const gate;      ///< [tokens][feed_forward]
  float* const up;        ///< [tokens][feed_forward]
  float* const mixed;     ///< [tokens][3 width]: what a short convolution works with; empty without one.
  float* const chosen;    ///< [tokens][experts used][width]: what experts give; empty without them.
  float* const scores;    ///< [threads][heads / kv_heads][score_stride]
  /// Sines and cosines of the layers with rotation_kind::full, and of those with rotation_kind::windowed.
  struct turns {
    float* cosines;  ///< [tokens][rope_width / 2]
    float* sines;
  } full, windowed;

  std::size_t position_of(std::size_t row) const noexcept {
    auto const& s = segments[segment_of[row]];
    return s.first_position + (row - s.first_row);
  }

 private:
  float* take(std::size_t count);
};

/// Fills the sines and cosines of a kind of layer.
void fill_turns(pass& p, rotary const& how, pass::turns const& out);

}  // namespace wherry::inline v0::engine
