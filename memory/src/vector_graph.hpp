#pragma once
// A navigable small world graph (Malkov and Yashunin, 2018; hnswlib) over packed vectors, for scopes in which looking
// at every vector takes too long. The only file that hnswlib would read or write is never used: it has no checksum,
// crashes on a flipped bit and reports no full disk. An image of the graph is written here, aside, with a checksum for
// every mebibyte, read back before it counts, and checked link by link when it is loaded.
//
// Threads: search beside search; everything else alone. hnswlib's addPoint must not run beside a search.

#include "image_file.hpp"
#include "vector_math.hpp"

#include <wherry/core/result.hpp>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace wherry::inline v0::memory_detail {

/// Links of a vector, and how far construction and search look. Measured in docs/memory.md.
inline constexpr std::size_t graph_links = 16;
inline constexpr std::size_t graph_construction_breadth = 200;
inline constexpr std::size_t graph_search_breadth = 160;

struct scored_number {
  std::uint32_t number = 0;
  float score = 0;  ///< Cosine.
};

class vector_graph {
 public:
  vector_graph(vector_form form, std::size_t dimensions, std::size_t capacity);
  vector_graph(vector_graph&&) noexcept;
  vector_graph& operator=(vector_graph&&) noexcept;
  ~vector_graph();

  std::size_t size() const;  ///< Vectors in the graph, those taken out included.
  std::size_t removed() const;
  /// The numbers in it, those taken out not included.
  std::vector<std::uint32_t> numbers() const;
  bool contains(std::uint32_t number) const;
  /// Whether it contains the number with this very vector.
  bool holds(std::uint32_t number, std::string_view packed) const;

  void add(std::uint32_t number, char const* packed);
  void remove(std::uint32_t number);
  char const* packed(std::uint32_t number) const;

  using admits = std::function<bool(std::uint32_t number)>;
  std::vector<scored_number> search(char const* packed, std::size_t count, admits const& filter) const;

  /// The image as bytes; the caller adds what ties it to its store.
  std::string image() const;
  /// Reads all of an image. Fails with: errc::store_damaged for anything that a graph of this form and size cannot be,
  /// and when the source ends early.
  static result<vector_graph> from_image(vector_form form, std::size_t dimensions, image_source& image);

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace wherry::inline v0::memory_detail
