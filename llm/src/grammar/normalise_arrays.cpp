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
  if (c.is_unique && made_array.max > 1) {
    bool differ = made_array.max <= length;  // items that cannot be equal need not be compared
    for (std::size_t i = 0; differ && i < made_array.max; ++i)
      for (std::size_t j = 0; differ && j < i; ++j) differ = are_disjoint(item(i), item(j));
    if (!differ && length == 0 && c.contains.empty()) return distinct_items(item(0), std::move(made_array), out);
    if (!differ) {
      refuse("uniqueItems", here(), "stands beside prefixItems or contains, which is not supported");
      return;
    }
  }
  for (std::size_t i = 0; i < std::min(length, made_array.max); ++i) made_array.prefix.push_back(goal(item(i)));
  if (made_array.max > length) made_array.rest = goal(item(length));
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

// Items are told apart as they are written, so their values must have one spelling each: constants and small ranges, of
// which a state knows those used, or texts, which are kept apart as the names of members are.
void normaliser::distinct_items(atoms const& item, array_shape list, shape& out) {
  auto const saved = std::exchange(current_, item);
  std::vector<conjunction> ways;
  std::vector<pending_atom> todo;
  for (auto const& a : item) todo.push_back({a, {0}, 0, false});
  expand(conjunction{}, std::move(todo), ways);
  current_ = saved;
  if (failure_) return;
  std::vector<std::string> values;
  if (distinct_values(ways, item, values)) {
    list.max = std::min(list.max, values.size());
    if (list.min > list.max) {
      no_value("uniqueItems", here());
      return;
    }
    list.distinct.emplace().texts = std::move(values);
    out.alternatives.emplace_back(std::move(list));
    return;
  }
  if (!failure_) distinct_texts(ways, item, list, out);
}

// True when the items are a few values, which are then in `texts`.
bool normaliser::distinct_values(std::vector<conjunction> const& ways, atoms const& item,
                                 std::vector<std::string>& texts) {
  constexpr unsigned few = t_null | t_boolean | t_number;
  bool const has_constants = std::any_of(ways.begin(), ways.end(), [](auto const& way) { return way.has_constants; });
  if (has_constants)
    for (auto const* value : constants_of(item)) texts.push_back(to_text(*value));
  for (auto const& way : ways) {
    if (way.has_constants) continue;
    if ((way.types & ~few) != 0) return false;
    conjunction copy = way;
    shape known;
    finish(copy, known);
    for (auto const& a : known.alternatives) {
      if (auto const* literals = std::get_if<literal_shape>(&a))
        texts.insert(texts.end(), literals->texts.begin(), literals->texts.end());
      auto const* number = std::get_if<number_shape>(&a);
      if (number && !number->automaton->add_texts(texts, array_shape::distinct_max + texts.size())) return false;
    }
  }
  std::set<std::string> seen;
  std::erase_if(texts, [&](std::string const& text) {
    return !seen.insert(schema::identity_text(parse_json(text).value())).second;
  });
  return texts.size() <= array_shape::distinct_max;
}

void normaliser::distinct_texts(std::vector<conjunction> const& ways, atoms const& item, array_shape const& list,
                                shape& out) {
  bool any_text = false;
  for (auto const& way : ways) {
    auto const values = way.has_constants ? constants_of(item) : std::vector<json const*>();
    bool const are_texts = way.has_constants
                               ? std::all_of(values.begin(), values.end(), [](auto const* v) { return v->is_string(); })
                               : way.types == t_string;
    if (!are_texts) {
      refuse("uniqueItems", here(),
             "wants items that differ, which is supported for texts and for up to " +
                 std::to_string(array_shape::distinct_max) + " values");
      return;
    }
    any_text = any_text || (!way.has_constants && way.patterns.empty() && way.not_these.empty() &&
                            way.string_min == 0 && way.string_max == no_limit);
  }
  object_shape texts;
  texts.is_open = texts.is_list = true;
  texts.open = {'['};
  texts.close = {']'};
  texts.min = list.min;
  texts.max = list.max;
  texts.others_max = std::min(list.max, bounds_.string_bytes);
  texts.name_bytes_max = bounds_.string_bytes;
  texts.values[{}] = nothing();
  if (!any_text) {
    auto in = std::make_shared<regex::arena>();
    auto const language = name_language(item, "uniqueItems", *in);
    if (!language) return;
    texts.names = std::make_shared<lazy_text>(in, *language);
    if (texts.names->automaton.is_exhausted()) {
      refuse("uniqueItems", here(), "needs too many states", errc::limit_reached);
      return;
    }
    if (texts.names->automaton.start() == regex::automaton::dead) {  // no item at all
      if (list.min > 0)
        no_value("uniqueItems", here());
      else
        out.alternatives.emplace_back(array_shape{});
      return;
    }
  }
  out.alternatives.emplace_back(std::move(texts));
}

shape_id normaliser::nothing() {
  if (nothing_) return *nothing_;
  nothing_ = static_cast<shape_id>(table_->shapes.size());
  shape empty;
  literal_shape text;
  text.written.emplace_back();
  empty.alternatives.emplace_back(std::move(text));
  table_->shapes.push_back(std::move(empty));
  goal_of_.emplace_back();
  return *nothing_;
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
