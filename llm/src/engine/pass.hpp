#pragma once
// The run state of one pass: a chunk of tokens on its way through the layers.

#include "engine/elementary.hpp"
#include "engine/sequence.hpp"
#include "engine/weights.hpp"
#include "engine/worker_pool.hpp"

#include <memory>
#include <span>

namespace wherry::inline v0::engine {

/// Activations of `tokens` tokens that stand at positions first_position ... of a sequence. All are row-major f32,
/// one row per token; what the layers share lies here so that they own nothing but weights.
struct pass {
  pass(config const& shape, kernel_table const& kernel_functions, worker_pool& workers, sequence& tokens_before,
       std::size_t token_count);

  config const& c;
  kernel_table const& kernels;
  worker_pool& pool;
  sequence& cache;
  std::size_t const first_position;
  std::size_t const tokens;
  std::size_t const score_stride;  ///< Floats of one head's scores.

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
  float* const cosines;   ///< [tokens][rope_width / 2]
  float* const sines;     ///< [tokens][rope_width / 2]
  float* const scores;    ///< [threads][heads / kv_heads][score_stride]

 private:
  float* take(std::size_t count);
};

/// The angle per position of each rotated pair: rope_base^(-2 i / rope_width), divided by the factors where there are
/// any.
std::vector<double> rope_frequencies(config const& c, std::span<float const> factors);

/// Fills the pass's cosines and sines.
void fill_rotations(pass& p, std::span<double const> frequencies);

}  // namespace wherry::inline v0::engine
