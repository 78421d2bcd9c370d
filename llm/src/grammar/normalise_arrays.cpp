// Arrays.

#include "grammar/normaliser.hpp"

namespace wherry::inline v0 {
namespace grammar {
namespace normal_form {

void normaliser::finish_array(conjunction& c, shape& out) {
  array_shape made_array;
  apply_item_scopes(c);
  std::size_t length = 0;
  for (auto const& view : c.arrays) length = std::max(length, view.prefix.size());
  auto const item = [&](std::size_t i) {
    atoms all;
    for (auto const& view : c.arrays) {
      if (i < view.prefix.size())
        all.push_back(view.prefix[i]);
      else if (view.rest)
        all.push_back(*view.rest);
    }
    return all;
  };
  made_array.min = c.items_min;
  made_array.max = std::min(c.items_max, std::max(bounds_.array_items, c.items_min));
  if (c.items_max == no_limit && c.items_min > bounds_.array_items) {
    refuse("minItems", here(), "is above the bound array_items");
    return;
  }
  for (std::size_t i = 0; i <= length; ++i) {
    atoms const all = item(i);
    if (std::any_of(all.begin(), all.end(), [](atom const& a) { return !a.negated && *a.schema == json(false); })) {
      made_array.max = std::min(made_array.max, i);
      break;
    }
  }
  if (made_array.min > made_array.max) {
    no_value("minItems", here());
    return;
  }
  for (std::size_t i = 0; i < std::min(length, made_array.max); ++i) made_array.prefix.push_back(goal(item(i)));
  if (made_array.max > length) made_array.rest = goal(item(length));
  if (c.is_unique && made_array.max > 1) {
    refuse("uniqueItems", here(), "is not supported");
    return;
  }
  if (c.contains.size() > 1) {
    refuse("contains", here(), "stands beside another contains");
    return;
  }
  if (!c.contains.empty()) {
    auto const& wanted = c.contains.front();
    array_shape::wanted w{.min = wanted.min, .max = wanted.max};
    if (w.min > made_array.max || w.min > w.max) return;
    if (w.min > 64 || (w.max != no_limit && w.max > 64)) {
      refuse("contains", here(), "counts beyond 64", errc::limit_reached);
      return;
    }
    for (std::size_t i = 0; i <= length; ++i) {
      atoms with = item(i), without = with;
      with.push_back(wanted.what);
      if (w.max != no_limit) {
        atom no = wanted.what;
        no.negated = !no.negated;
        without.push_back(no);
      }
      w.counted.push_back(goal(with));
      w.other.push_back(goal(without));
    }
    made_array.contains = std::move(w);
  }
  out.alternatives.emplace_back(std::move(made_array));
}

void normaliser::apply_item_scopes(conjunction& c) {
  for (auto const& sc : c.scopes) {
    if (!sc.items) continue;
    array_view view{.at = sc.at};
    bool all_evaluated = false;
    std::size_t length = 0;
    for (auto const& other : c.arrays) {
      if (other.is_silent || !is_inside(other.at, sc.at)) continue;
      length = std::max(length, other.prefix.size());
      all_evaluated = all_evaluated || other.rest;
    }
    if (all_evaluated) continue;
    if (!c.contains.empty()) {
      refuse("unevaluatedItems", sc.items->schema, "stands beside contains, which is not supported");
      return;
    }
    for (std::size_t i = 0; i < length; ++i) view.prefix.push_back(made(true, sc.items->in, sc.items->schema));
    view.rest = *sc.items;
    c.arrays.push_back(std::move(view));
  }
}

}  // namespace normal_form

}  // namespace grammar
}  // namespace wherry::inline v0
