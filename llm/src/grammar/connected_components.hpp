#pragma once
// Which nodes of a graph can reach each other.

#include <cstdint>
#include <vector>

namespace wherry::inline v0 {
namespace grammar {

/// For each node the number of its strongly connected component. `next[n]`: the nodes that edges lead to from n.
/// Source: Tarjan, "Depth-first search and linear graph algorithms", SIAM J. Comput. 1972; here without recursion.
std::vector<std::uint32_t> connected_components(std::vector<std::vector<std::uint32_t>> const& next);

}  // namespace grammar
}  // namespace wherry::inline v0
