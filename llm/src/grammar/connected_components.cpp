#include "grammar/connected_components.hpp"

#include <algorithm>
#include <utility>

namespace wherry::inline v0 {
namespace grammar {

std::vector<std::uint32_t> connected_components(std::vector<std::vector<std::uint32_t>> const& next) {
  constexpr auto unseen = static_cast<std::uint32_t>(-1);
  std::vector<std::uint32_t> index(next.size(), unseen), low(next.size()), component(next.size(), unseen);
  std::vector<std::uint32_t> open;                          // seen, their component not yet known
  std::vector<std::pair<std::uint32_t, std::size_t>> path;  // nodes with the number of edges taken
  std::uint32_t seen = 0, components = 0;
  auto const enter = [&](std::uint32_t node) {
    index[node] = low[node] = seen++;
    open.push_back(node);
    path.emplace_back(node, 0);
  };
  auto const close = [&](std::uint32_t node) {
    if (low[node] == index[node]) {
      for (std::uint32_t member = unseen; member != node; open.pop_back()) component[member = open.back()] = components;
      ++components;
    }
    path.pop_back();
    if (!path.empty()) low[path.back().first] = std::min(low[path.back().first], low[node]);
  };
  for (std::uint32_t root = 0; root < next.size(); ++root) {
    if (index[root] != unseen) continue;
    enter(root);
    while (!path.empty()) {
      auto& [node, taken] = path.back();
      if (taken == next[node].size()) {
        close(node);
        continue;
      }
      std::uint32_t const from = node, to = next[node][taken++];
      if (index[to] == unseen)
        enter(to);
      else if (component[to] == unseen)
        low[from] = std::min(low[from], index[to]);
    }
  }
  return component;
}

}  // namespace grammar
}  // namespace wherry::inline v0
