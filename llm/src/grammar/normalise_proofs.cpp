// Proofs that no value matches: bounded, and in doubt there is one.

#include "grammar/normaliser.hpp"

namespace wherry::inline v0 {
namespace grammar {
namespace normal_form {

bool normaliser::are_disjoint(atoms a, atoms const& b) {
  a.insert(a.end(), b.begin(), b.end());
  std::sort(a.begin(), a.end());
  a.erase(std::unique(a.begin(), a.end()), a.end());
  return is_empty(a, 0);
}

bool normaliser::is_empty(atoms const& all, int depth) {
  if (auto const known = empty_.find(all); known != empty_.end()) return known->second;
  constexpr int proof_depth_max = 4;
  constexpr std::size_t proof_steps_max = 20'000;
  if (depth > proof_depth_max || probing_ > proof_depth_max || proof_steps_ > proof_steps_max) return false;
  ++proof_steps_;
  auto const saved_applied = std::exchange(applied_, 0);
  auto const saved_current = std::exchange(current_, all);
  bool const saved_failed = std::exchange(probe_failed_, false);
  ++probing_;
  std::vector<conjunction> ways;
  std::vector<pending_atom> todo;
  for (auto const& a : all) todo.push_back({a, {0}, 0, false});
  constexpr std::size_t proof_ways_max = 64;
  conjunction start;
  expand(std::move(start), std::move(todo), ways);
  bool empty = !probe_failed_ && ways.size() <= proof_ways_max;
  for (auto const& way : ways) {
    if (!empty) break;
    if (!is_impossible(way, all, depth)) empty = false;
  }
  --probing_;
  probe_failed_ = saved_failed;
  applied_ = saved_applied;
  current_ = saved_current;
  if (depth == 0 || empty) empty_[all] = empty;
  return empty;
}

bool normaliser::is_impossible(conjunction const& c, atoms const& all, int depth) {
  if (c.has_constants) return constants_of(all).empty() && !probe_failed_;
  if (c.types != t_object) {
    if (c.types == t_number) {
      auto const& n = c.number;
      return n.min && n.max &&
             (schema::compare(*n.min, *n.max) > 0 ||
              (schema::compare(*n.min, *n.max) == 0 && (n.min_excluded || n.max_excluded)));
    }
    if (c.types == t_string) return c.string_min > c.string_max;
    if (c.types == t_array) return c.items_min > c.items_max;
    return c.types == 0;
  }
  if (c.members_min > c.members_max) return true;
  for (auto const& [unused, name] : c.required) {
    atoms const value = value_of(c, name);
    if (!value.empty() && is_empty(value, depth + 1)) return true;
  }
  return false;
}

}  // namespace normal_form

}  // namespace grammar
}  // namespace wherry::inline v0
