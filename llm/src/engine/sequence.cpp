#include "engine/sequence.hpp"

#include <cassert>

namespace wherry::inline v0::engine {
namespace {

std::size_t pages_for(std::size_t positions) {
  return (positions + sequence::page_positions - 1) / sequence::page_positions;
}

// Floats that a layer keeps of a position.
std::size_t floats_of(config const& c, layer_shape const& layer) {
  return layer.mixer == mixer_kind::attention ? 2 * layer.kv_heads * c.head_width : c.width;
}

}  // namespace

sequence::sequence(config const& c, std::size_t positions_max)
    : head_width_(c.head_width),
      page_floats_(kv_bytes_per_position(c) / sizeof(float) * page_positions),
      positions_max_(positions_max) {
  std::size_t next = 0;
  for (auto const& layer : c.layers) {
    layers_.push_back({next, layer.kv_heads});
    next += floats_of(c, layer) * page_positions;
  }
}

void sequence::truncate(std::size_t length) {
  assert(length <= length_);
  length_ = length;
  pages_.resize(pages_for(length));
}

void sequence::reserve(std::size_t count) {
  assert(count <= positions_max_ - length_);
  auto const needed = pages_for(length_ + count);
  while (pages_.size() < needed) pages_.push_back(std::make_unique_for_overwrite<float[]>(page_floats_));
}

std::size_t kv_bytes_per_position(config const& c) noexcept {
  std::size_t floats = 0;
  for (auto const& layer : c.layers) floats += floats_of(c, layer);
  return floats * sizeof(float);
}

}  // namespace wherry::inline v0::engine
