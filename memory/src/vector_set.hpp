#pragma once
// The vectors of one generation of a scope: all of one embedder, told apart by its fingerprint. Few are looked at one
// by one, which is exact; above a size, and once somebody asked for it, a graph holds them instead.
//
// The owner guards it: search beside search, everything else alone.

#include "scope_index.hpp"
#include "vector_graph.hpp"

namespace wherry::inline v0::memory_detail {

/// A filter that lets fewer records through than this share is answered exactly: a graph has to walk too far for it.
inline constexpr double graph_filter_share_min = 0.1;

class vector_set {
 public:
  explicit vector_set(vector_generation generation) : generation_(std::move(generation)) {}

  vector_generation const& generation() const { return generation_; }
  std::size_t size() const;
  bool contains(std::uint32_t number) const;

  /// Makes room for so many, so that adding them does not move what is there.
  void reserve(std::size_t count) { plain_.reserve(count * stride()); }
  void add(std::uint32_t number, std::string_view packed);
  void remove(std::uint32_t number);

  /// The nearest, best first. `records` is what the filter looks at.
  std::vector<scored_number> search(std::string_view packed, std::size_t count, record_filter const& filter,
                                    std::vector<known_record> const& records) const;

  bool has_graph() const { return graph_.has_value(); }
  /// Of a graph: how much changed since it was made, loaded or marked as written; and the share that was taken out.
  std::size_t changes() const { return changes_; }
  void mark_written() { changes_ = 0; }
  double removed_share() const;
  std::string image() const { return graph_->image(); }

  /// A copy of everything, to build a graph from without holding anybody up.
  std::pair<std::vector<std::uint32_t>, std::string> copy() const;
  /// Takes a graph instead of the plain vectors, once it holds exactly what is here.
  void take(vector_graph graph);
  /// Takes a graph as all there is.
  void adopt(vector_graph graph) { graph_ = std::move(graph); }

 private:
  template <class Visit>
  void each(Visit visit) const;  ///< visit(number, packed)
  std::vector<scored_number> scan(std::string_view packed, std::size_t count, record_filter const& filter,
                                  std::vector<known_record> const& records) const;
  std::size_t stride() const { return packed_bytes(generation_.form, generation_.dimensions); }

  vector_generation generation_;
  std::vector<std::uint32_t> numbers_;
  std::string plain_;
  std::unordered_map<std::uint32_t, std::size_t> place_;
  std::optional<vector_graph> graph_;
  std::size_t changes_ = 0;
};

}  // namespace wherry::inline v0::memory_detail
