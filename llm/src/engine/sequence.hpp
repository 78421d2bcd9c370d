#pragma once
// What the model remembers of the tokens it has read: keys and values, and the inputs of short convolutions.

#include "engine/config.hpp"

#include <memory>
#include <vector>

namespace wherry::inline v0::engine {

/// The cache of one sequence, in f32. It grows a page of positions at a time. Within a page the rows of one layer and
/// key/value head lie together: [layer][keys, values][kv_head][position][float]; a layer with a short convolution has
/// [position][width] instead: it needs the last few of them, and keeping all means that a sequence can be cut back to
/// any length. Threads: one at a time.
class sequence {
 public:
  static constexpr std::size_t page_positions = 32;

  /// Room for `positions_max` positions of a model's shape; memory is taken as it is needed.
  sequence(config const& c, std::size_t positions_max);

  std::size_t length() const noexcept { return length_; }  ///< Positions held.
  std::size_t positions_max() const noexcept { return positions_max_; }
  std::size_t bytes() const noexcept { return pages_.size() * page_floats_ * sizeof(float); }

  /// Forgets every position from `length` on; pages without a position left are given back.
  void truncate(std::size_t length);

  // What the layers use.

  std::size_t head_width() const noexcept { return head_width_; }
  /// Makes room for `count` more positions, length() + count <= positions_max(). They become visible with commit().
  void reserve(std::size_t count);
  void commit(std::size_t count) noexcept { length_ += count; }
  /// The rows of page `page`: page_positions rows of head_width() floats.
  float* keys(std::size_t layer, std::size_t kv_head, std::size_t page) const noexcept {
    return rows(layer, page) + kv_head * page_positions * head_width_;
  }
  float* values(std::size_t layer, std::size_t kv_head, std::size_t page) const noexcept {
    return rows(layer, page) + (layers_[layer].kv_heads + kv_head) * page_positions * head_width_;
  }
  /// What a layer keeps of page `page`: for a short convolution page_positions rows of `width` floats.
  float* rows(std::size_t layer, std::size_t page) const noexcept {
    return pages_[page].get() + layers_[layer].first_float;
  }

 private:
  struct layer_place {
    std::size_t first_float;
    std::size_t kv_heads;
  };
  std::vector<layer_place> layers_;
  std::size_t head_width_;
  std::size_t page_floats_;
  std::size_t positions_max_;
  std::size_t length_ = 0;
  std::vector<std::unique_ptr<float[]>> pages_;
};

/// Bytes a sequence takes per position, pages being full.
std::size_t kv_bytes_per_position(config const& c) noexcept;

}  // namespace wherry::inline v0::engine
