#include "engine/sequence.hpp"

#include <cassert>

namespace wherry::inline v0::engine {
namespace {

std::size_t pages_for(std::size_t positions) {
  return (positions + sequence::page_positions - 1) / sequence::page_positions;
}

}  // namespace

sequence::sequence(config const& c, std::size_t positions_max)
    : kv_heads_(c.kv_heads),
      head_width_(c.head_width),
      page_floats_(kv_bytes_per_position(c) / sizeof(float) * page_positions),
      positions_max_(positions_max) {}

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

std::size_t kv_bytes_per_position(config const& c) noexcept { return c.layers * 2 * c.kv_width() * sizeof(float); }

}  // namespace wherry::inline v0::engine
