// Goals become shapes: one at a time, until no shape refers to one that is not made.

#include "grammar/normaliser.hpp"

namespace wherry::inline v0 {
namespace grammar {
namespace normal_form {

result<std::shared_ptr<shape_table>> normaliser::run(raw_json const& text) {
  auto root = known_.add_text("", text.text);
  if (!root) return root.error();
  root_ = *root;
  table_->root = goal({{root->schema, root->in, false}});
  while (!open_.empty() && !failure_) {
    shape_id const next = open_.back();
    open_.pop_back();
    build(next);
  }
  if (!failure_) refuse_contradictions();
  if (failure_) return std::move(*failure_);
  return table_;
}

bool normaliser::refuse(std::string_view keyword, json const* where, std::string const& why, errc code) {
  if (failure_ || probing_ > 0) {
    probe_failed_ = true;
    return false;
  }
  std::string const pointer = pointer_of(where);
  failure_ =
      error(code, "cannot compile the JSON Schema: \"" + std::string(keyword) + "\" at \"" + pointer + "\" " + why,
            "grammar.schema", pointer);
  return false;
}

std::string normaliser::pointer_of(json const* where) {
  if (auto const origin = origin_.find(where); origin != origin_.end()) where = origin->second;
  std::string found;
  for (auto const& document : {root_.schema}) {
    if (find_pointer(*document, where, "", found)) return found;
  }
  return found;
}

bool normaliser::find_pointer(json const& at, json const* where, std::string const& path, std::string& found) {
  if (&at == where) {
    found = path;
    return true;
  }
  if (at.is_object()) {
    for (auto const& [name, member] : at.items()) {
      std::string step;
      for (char const c : name) step += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
      if (member.is_structured() ? find_pointer(member, where, path + "/" + step, found) : &member == where) {
        if (found.empty()) found = path + "/" + step;
        return true;
      }
    }
  } else if (at.is_array()) {
    for (std::size_t i = 0; i < at.size(); ++i) {
      if (find_pointer(at[i], where, path + "/" + std::to_string(i), found)) return true;
    }
  }
  return false;
}

void normaliser::refuse_contradictions() {
  auto const& shapes = table_->shapes;
  std::vector<bool> has_values(shapes.size(), false);
  std::optional<shape_id> missing;
  auto const possible = [&](alternative const& a) {
    missing.reset();
    auto const need = [&](shape_id id) {
      if (!has_values[id] && !missing) missing = id;
    };
    if (auto const* array = std::get_if<array_shape>(&a)) {
      for (std::size_t i = 0; i < array->min && i < array->prefix.size(); ++i) need(array->prefix[i]);
      if (array->min > array->prefix.size() && array->rest) need(*array->rest);
    }
    if (auto const* object = std::get_if<object_shape>(&a)) {
      for (auto const& member : object->members)
        if (member.required) need(member.value);
    }
    return !missing;
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t s = shapes.size(); s-- > 0;) {
      if (has_values[s] || std::none_of(shapes[s].alternatives.begin(), shapes[s].alternatives.end(), possible))
        continue;
      has_values[s] = changed = true;
    }
  }
  shape_id at = table_->root;
  for (std::size_t steps = 0; !has_values[at]; ++steps) {
    if (!shapes[at].alternatives.empty() && !possible(shapes[at].alternatives.front()) && missing &&
        steps < shapes.size()) {
      at = *missing;
      continue;
    }
    auto const reason = reasons_.find(at);
    current_ = goal_of_[at];
    if (reason == reasons_.end())
      refuse("$ref", here(), "allows no value that ever ends");
    else
      refuse(reason->second.first, reason->second.second, "leaves no value");
    return;
  }
}

bool normaliser::no_value(std::string keyword, json const* where) {
  if (probing_ == 0) reasons_.try_emplace(building_, std::move(keyword), where);
  return false;
}

atom normaliser::made(json schema, resource const* in, json const* origin) {
  made_.push_back(std::move(schema));
  if (auto const at = origin_.find(origin); at != origin_.end()) origin = at->second;
  origin_[&made_.back()] = origin;
  return {&made_.back(), in, false};
}

shape_id normaliser::goal(atoms const& wanted) {
  atoms all;  // in the order given: it decides in which order members are written
  for (atom const& one : wanted)
    if (atom const a = through_references(one); std::find(all.begin(), all.end(), a) == all.end() && !says_nothing(a))
      all.push_back(a);
  atoms key = all;
  std::sort(key.begin(), key.end());
  auto const [it, is_new] = goals_.try_emplace(std::move(key), static_cast<shape_id>(table_->shapes.size()));
  if (!is_new) return it->second;
  if (table_->shapes.size() >= shapes_max) {
    refuse("$schema", root_.schema, "needs more than 60,000 shapes; use a smaller schema", errc::limit_reached);
    return it->second;
  }
  table_->shapes.emplace_back();
  goal_of_.push_back(std::move(all));
  open_.push_back(it->second);
  return it->second;
}

atom normaliser::through_references(atom a) {
  static std::set<std::string, std::less<>> const silent = {"$ref",      "title",    "description", "default",
                                                            "examples",  "$comment", "deprecated",  "readOnly",
                                                            "writeOnly", "$defs",    "definitions", "$schema"};
  for (int i = 0; i < in_place_max && a.schema->is_object(); ++i) {
    auto const* ref = part(*a.schema, "$ref");
    if (!ref || !ref->is_string()) break;
    bool const alone = a.in->dialect < draft::draft2019 || std::all_of(
                                                               a.schema->items().begin(), a.schema->items().end(),
                                                               [&](auto const& k) { return silent.contains(k.key()); });
    if (!alone) break;
    auto const target = known_.resolve(*a.in, ref->get_ref<std::string const&>());
    if (!target) break;
    a.schema = target->schema;
    a.in = target->in;
  }
  return a;
}

void normaliser::build(shape_id id) {
  current_ = goal_of_[id];
  building_ = id;
  shape made_shape;
  std::vector<conjunction> all;
  applied_ = 0;
  conjunction start;
  std::vector<pending_atom> todo;
  std::uint16_t i = 0;
  for (auto const& a : current_) todo.push_back({a, {i++}, 0, false});
  expand(std::move(start), std::move(todo), all);
  if (failure_) return;
  bool constants_done = false;
  strings_.clear();
  for (auto& c : all) {
    if (failure_) return;
    if (c.has_constants) {
      if (!constants_done) constants(made_shape);
      constants_done = true;
      continue;
    }
    finish(c, made_shape);
  }
  if (!failure_) finish_strings(made_shape);
  if (failure_) return;
  if (made_shape.alternatives.size() > alternatives_max) {
    refuse("anyOf", here(), "allows more than 256 alternatives in one place", errc::limit_reached);
    return;
  }
  table_->shapes[id] = std::move(made_shape);
}

void normaliser::expand(conjunction c, std::vector<pending_atom> todo, std::vector<conjunction>& out) {
  while (!todo.empty()) {
    pending_atom const next = std::move(todo.back());
    todo.pop_back();
    if (++applied_ > applied_max || ++applied_all_ > applied_all_max) {
      refuse("allOf", next.what.schema, "combines too many schemas", errc::limit_reached);
      return;
    }
    if (next.depth > in_place_max) {
      refuse("$ref", next.what.schema, "leads back to itself without an array or object between");
      return;
    }
    if (!apply(next, c, todo) || failure_) return;
    if (c.types == 0) {
      no_value(next.what.schema->is_boolean() ? "false" : next.what.negated ? "not" : "type", next.what.schema);
      return;
    }
  }
  if (c.choices.empty()) {
    out.push_back(std::move(c));
    if (out.size() > 4 * alternatives_max)
      refuse("anyOf", here(), "combines into more than 1,024 alternatives", errc::limit_reached);
    return;
  }
  auto least = std::min_element(c.choices.begin(), c.choices.end(),
                                [](auto const& a, auto const& b) { return a.branches.size() < b.branches.size(); });
  choice_of const chosen = std::move(*least);
  c.choices.erase(least);
  for (std::size_t i = 0; i < chosen.branches.size(); ++i) {
    if (failure_) return;
    std::vector<pending_atom> next;
    for (auto const& a : chosen.branches[i].all)
      next.push_back({a, chosen.branches[i].at, static_cast<int>(chosen.branches[i].at.size()),
                      chosen.branches[i].is_silent || a.negated});
    if (chosen.exactly_one) {
      for (std::size_t j = 0; j < chosen.branches.size(); ++j) {
        if (j == i || are_disjoint(chosen.branches[i].all, chosen.branches[j].all)) continue;
        for (atom a : chosen.branches[j].all) {
          a.negated = !a.negated;
          next.push_back({a, chosen.branches[j].at, static_cast<int>(chosen.branches[j].at.size()), true});
        }
      }
    }
    expand(c, std::move(next), out);
  }
}

}  // namespace normal_form

result<std::shared_ptr<shape_table>> normalise_schema(raw_json const& schema, bounds const& limits,
                                                      vocabulary::impl const& tokens,
                                                      std::vector<std::string> const* raw_without) {
  return normal_form::normaliser(limits, tokens, raw_without).run(schema);
}

}  // namespace grammar
}  // namespace wherry::inline v0
