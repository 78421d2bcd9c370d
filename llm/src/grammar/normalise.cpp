// JSON Schema to shapes. A goal is a set of schemas that a value must all match; it becomes a disjunction of
// conjunctions of keywords, and each conjunction one alternative of the goal's shape. What cannot be said in a shape is
// refused by keyword and place. Where a part can only be said too narrowly it may be dropped: never the other way
// round.

#include "grammar/number_automaton.hpp"
#include "grammar/shape.hpp"
#include "schema/document.hpp"
#include "schema/evaluate.hpp"
#include "schema/format.hpp"
#include "schema/number.hpp"
#include "schema/pattern.hpp"

#include <wherry/core/json.hpp>

#include <algorithm>
#include <deque>
#include <set>

namespace wherry::inline v0 {
namespace grammar {
namespace {

using schema::decimal;
using schema::draft;
using schema::place;
using schema::resource;

constexpr std::size_t shapes_max = 60'000;
constexpr std::size_t alternatives_max = 256;       // of one shape
constexpr std::size_t applied_max = 60'000;         // schemas looked at for one shape
constexpr std::size_t applied_all_max = 3'000'000;  // and for all of them
constexpr int in_place_max = 100;                   // schemas applied to one value inside each other
constexpr std::size_t name_patterns_max = 6;
constexpr std::size_t length_states_max = 3'000;
constexpr std::size_t object_rows_max = 200'000;

enum type_bit : unsigned {
  t_null = 1,
  t_boolean = 2,
  t_string = 4,
  t_number = 8,
  t_array = 16,
  t_object = 32,
  t_all = 63
};

struct atom {
  json const* schema = nullptr;
  resource const* in = nullptr;
  bool negated = false;
  friend auto operator<=>(atom const&, atom const&) = default;
};
using atoms = std::vector<atom>;
using position =
    std::vector<std::uint16_t>;  // where a schema stands among those applied to one value, in writing order

struct object_view {
  position at;
  std::vector<std::pair<std::string, atoms>> names;
  std::vector<std::pair<std::string, atom>> patterns;
  std::optional<atom> additional;
  bool is_silent = false;  ///< Comes from a negation: evaluates nothing.
};
struct array_view {
  position at;
  atoms prefix;
  std::optional<atom> rest;
  bool is_silent = false;
};
struct wanted_items {
  atom what;
  std::size_t min = 1, max = no_limit;
};
struct scope {
  position at;
  std::optional<atom> properties, items;
};
struct branch {
  atoms all;
  position at;
  bool is_silent = false;
};
struct choice_of {
  std::vector<branch> branches;
  bool exactly_one = false;
};

struct conjunction {
  unsigned types = t_all;
  bool is_integer = false;
  bool has_constants = false;
  std::vector<json const*> not_these;
  number_limits number;
  std::vector<decimal> steps;
  std::size_t string_min = 0, string_max = no_limit;
  std::set<std::pair<std::string, bool>> patterns;  // negated: true
  std::vector<array_view> arrays;
  std::vector<wanted_items> contains;
  std::size_t items_min = 0, items_max = no_limit;
  bool is_unique = false;
  std::vector<object_view> objects;
  std::vector<std::pair<position, std::string>> required;
  std::size_t members_min = 0, members_max = no_limit;
  std::size_t others_min = 0;
  atoms member_names;
  std::vector<json const*> other_than;  ///< There must be a member with none of these names.
  std::vector<scope> scopes;
  std::vector<choice_of> choices;
};

struct pending_atom {
  atom what;
  position at;
  int depth = 0;
  bool is_silent = false;
};

class normaliser {
 public:
  normaliser(bounds const& limits, vocabulary::impl const& tokens, std::vector<std::string> const* raw_without)
      : bounds_(limits), tokens_(tokens), raw_without_(raw_without), table_(std::make_shared<shape_table>()) {}

  result<std::shared_ptr<shape_table>> run(raw_json const& text) {
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

 private:
  // Failing. The first failure is the one that is told.
  bool refuse(std::string_view keyword, json const* where, std::string const& why,
              errc code = errc::schema_unsupported) {
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
  // Only looked for when something is refused.
  std::string pointer_of(json const* where) {
    if (auto const origin = origin_.find(where); origin != origin_.end()) where = origin->second;
    std::string found;
    for (auto const& document : {root_.schema}) {
      if (find_pointer(*document, where, "", found)) return found;
    }
    return found;
  }
  static bool find_pointer(json const& at, json const* where, std::string const& path, std::string& found) {
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

  // Where the goal that is being built comes from.
  json const* here() const { return current_.empty() ? root_.schema : current_.front().schema; }

  // A schema that no value matches is refused at the place that makes it so.
  void refuse_contradictions() {
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
  bool no_value(std::string keyword, json const* where) {
    if (probing_ == 0) reasons_.try_emplace(building_, std::move(keyword), where);
    return false;
  }

  // Schemas that stand in no document.
  atom made(json schema, resource const* in, json const* origin) {
    made_.push_back(std::move(schema));
    if (auto const at = origin_.find(origin); at != origin_.end()) origin = at->second;
    origin_[&made_.back()] = origin;
    return {&made_.back(), in, false};
  }

  shape_id goal(atoms const& wanted) {
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

  // A schema that is nothing but a reference is what it refers to.
  atom through_references(atom a) {
    static std::set<std::string, std::less<>> const silent = {"$ref",      "title",    "description", "default",
                                                              "examples",  "$comment", "deprecated",  "readOnly",
                                                              "writeOnly", "$defs",    "definitions", "$schema"};
    for (int i = 0; i < in_place_max && a.schema->is_object(); ++i) {
      auto const* ref = part(*a.schema, "$ref");
      if (!ref || !ref->is_string()) break;
      bool const alone =
          a.in->dialect < draft::draft2019 || std::all_of(
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
  static bool says_nothing(atom const& a) {
    return !a.negated && (*a.schema == json(true) || (a.schema->is_object() && a.schema->empty()));
  }

  void build(shape_id id) {
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

  // Applies keywords until only choices are left, then follows each of their branches.
  void expand(conjunction c, std::vector<pending_atom> todo, std::vector<conjunction>& out) {
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

  // True only when no value matches both.
  bool are_disjoint(atoms a, atoms const& b) {
    a.insert(a.end(), b.begin(), b.end());
    std::sort(a.begin(), a.end());
    a.erase(std::unique(a.begin(), a.end()), a.end());
    return is_empty(a, 0);
  }
  bool is_empty(atoms const& all, int depth) {
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
  bool is_impossible(conjunction const& c, atoms const& all, int depth) {
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

  // Keywords.

  static json const* part(json const& s, char const* keyword) {
    auto const it = s.find(keyword);
    return it == s.end() ? nullptr : &*it;
  }
  static position below(position at, std::uint16_t a, std::uint16_t b = 0) {
    at.push_back(a);
    at.push_back(b);
    return at;
  }
  enum : std::uint16_t { p_ref = 1, p_all, p_any, p_one, p_if, p_then, p_else, p_dependent, p_not };

  bool apply(pending_atom const& p, conjunction& c, std::vector<pending_atom>& todo) {
    json const& s = *p.what.schema;
    resource const* in = p.what.in;
    if (p.what.negated) return negate(p, c, todo);
    if (s.is_boolean()) {
      if (!s.get<bool>()) c.types = 0;
      return true;
    }
    if (!s.is_object()) return refuse("schema", &s, "is neither an object nor a boolean");
    auto const then = [&](json const& schema, position at, resource const* within) {
      todo.push_back({{&schema, known_.within(schema, within), false}, std::move(at), p.depth + 1, p.is_silent});
    };
    if (auto const* ref = part(s, "$ref"); ref && ref->is_string()) {
      auto const target = known_.resolve(*in, ref->get_ref<std::string const&>());
      if (!target) return refuse("$ref", &s, target.error().message);
      todo.push_back({{target->schema, target->in, false}, below(p.at, p_ref), p.depth + 1, p.is_silent});
      if (in->dialect < draft::draft2019) return true;
    }
    for (char const* keyword : {"$dynamicRef", "$recursiveRef"}) {
      auto const* ref = part(s, keyword);
      if (!ref || !ref->is_string()) continue;
      if (in->dialect < (keyword[1] == 'd' ? draft::draft2020 : draft::draft2019)) continue;
      auto const target = known_.resolve(*in, ref->get_ref<std::string const&>());
      if (!target) return refuse(keyword, &s, target.error().message);
      if (target->in != root_.in || in != root_.in)
        return refuse(keyword, &s, "leads out of the one resource that this schema is, which is not supported");
      todo.push_back({{target->schema, target->in, false}, below(p.at, p_ref), p.depth + 1, p.is_silent});
    }
    if (!plain_keywords(s, in, c)) return false;
    if (!object_keywords(p, s, in, c) || !array_keywords(p, s, in, c)) return false;
    if (auto const* all = part(s, "allOf")) {
      if (!all->is_array()) return refuse("allOf", &s, "is not a list of schemas");
      for (std::size_t i = all->size(); i-- > 0;)
        then((*all)[i], below(p.at, p_all, static_cast<std::uint16_t>(i)), in);
    }
    for (char const* keyword : {"anyOf", "oneOf"}) {
      auto const* list = part(s, keyword);
      if (!list) continue;
      if (!list->is_array() || list->empty()) return refuse(keyword, &s, "is not a list of schemas");
      choice_of choice{.exactly_one = keyword[0] == 'o'};
      for (std::size_t i = 0; i < list->size(); ++i)
        choice.branches.push_back({{{&(*list)[i], known_.within((*list)[i], in), false}},
                                   below(p.at, choice.exactly_one ? p_one : p_any, static_cast<std::uint16_t>(i)),
                                   p.is_silent});
      if (p.depth > in_place_max) return refuse(keyword, &s, "leads back to itself without an array or object between");
      c.choices.push_back(std::move(choice));
    }
    if (auto const* no = part(s, "not"))
      todo.push_back({{no, known_.within(*no, in), true}, below(p.at, p_not), p.depth + 1, true});
    if (auto const* condition = part(s, "if"); condition && in->dialect >= draft::draft7) {
      auto const* yes = part(s, "then");
      auto const* otherwise = part(s, "else");
      if (yes || otherwise) {
        atom const a{condition, known_.within(*condition, in), false};
        atom not_a = a;
        not_a.negated = true;
        choice_of choice;
        choice.branches.push_back({{a}, below(p.at, p_if), p.is_silent});
        if (yes) choice.branches.back().all.push_back({yes, known_.within(*yes, in), false});
        choice.branches.push_back({{not_a}, below(p.at, p_else), p.is_silent});
        if (otherwise) choice.branches.back().all.push_back({otherwise, known_.within(*otherwise, in), false});
        c.choices.push_back(std::move(choice));
      }
    }
    return dependents(p, s, in, c);
  }

  bool dependents(pending_atom const& p, json const& s, resource const* in, conjunction& c) {
    for (char const* keyword : {"dependentRequired", "dependentSchemas", "dependencies"}) {
      auto const* all = part(s, keyword);
      if (!all || !(c.types & t_object)) continue;
      if (!all->is_object()) return refuse(keyword, &s, "is not an object");
      for (auto const& [name, what] : all->items()) {
        if (what == json(true) || (what.is_array() && what.empty())) continue;
        choice_of choice;
        choice.branches.push_back({{absent(name, in, &s)}, below(p.at, p_dependent)});
        choice.branches.push_back({{not_an_object(in, &s)}, below(p.at, p_dependent)});
        branch with{{made(json{{"type", "object"}, {"required", json::array({name})}}, in, &s)},
                    below(p.at, p_dependent)};
        if (what.is_array())
          with.all.push_back(made(json{{"required", what}}, in, &s));
        else
          with.all.push_back({&what, known_.within(what, in), false});
        choice.branches.push_back(std::move(with));
        c.choices.push_back(std::move(choice));
      }
    }
    return true;
  }
  atom absent(std::string const& name, resource const* in, json const* origin) {
    return made(json{{"type", "object"}, {"properties", {{name, false}}}}, in, origin);
  }
  atom not_an_object(resource const* in, json const* origin) {
    return made(json{{"type", {"null", "boolean", "string", "number", "array"}}}, in, origin);
  }

  // A count; no_limit where it is absent, and a refusal where it is none.
  bool count(json const& s, char const* keyword, std::size_t& out, bool is_min) {
    auto const* n = part(s, keyword);
    if (!n) return true;
    auto const d = schema::to_decimal(*n);
    if (!d || d->negative || !d->is_integer()) return refuse(keyword, &s, "is not a count");
    std::string const text = schema::plain_text(*d);
    std::size_t const value = text.size() > 15 ? std::size_t{1'000'000'000'000'000} : std::stoull(text);
    out = is_min ? std::max(out, value) : std::min(out, value);
    return true;
  }
  static std::optional<unsigned> bit_of(std::string_view type) {
    if (type == "null") return t_null;
    if (type == "boolean") return t_boolean;
    if (type == "string") return t_string;
    if (type == "number" || type == "integer") return t_number;
    if (type == "array") return t_array;
    if (type == "object") return t_object;
    return std::nullopt;
  }

  bool plain_keywords(json const& s, resource const* in, conjunction& c) {
    if (auto const* type = part(s, "type")) {
      unsigned types = 0;
      bool number = false;
      auto const one = [&](json const& name) {
        auto const bit = name.is_string() ? bit_of(name.get_ref<std::string const&>()) : std::nullopt;
        if (!bit) return false;
        types |= *bit;
        if (name == json("number")) number = true;
        return true;
      };
      bool good = !type->is_array() ? one(*type) : std::all_of(type->begin(), type->end(), one);
      if (!good) return refuse("type", &s, "is not a type or a list of types: " + to_text(*type));
      c.types &= types;
      if ((types & t_number) && !number) c.is_integer = true;
    }
    if (part(s, "enum") || part(s, "const")) {
      if (auto const* list = part(s, "enum"); list && !list->is_array()) return refuse("enum", &s, "is not a list");
      c.has_constants = true;
    }
    if (auto const* none = part(s, "\x01not these")) {
      for (auto const& value : *none) c.not_these.push_back(&value);
    }
    if (!count(s, "minLength", c.string_min, true) || !count(s, "maxLength", c.string_max, false) ||
        !count(s, "minItems", c.items_min, true) || !count(s, "maxItems", c.items_max, false) ||
        !count(s, "minProperties", c.members_min, true) || !count(s, "maxProperties", c.members_max, false))
      return false;
    if (auto const* pattern = part(s, "pattern")) {
      if (!pattern->is_string()) return refuse("pattern", &s, "is not a string");
      c.patterns.emplace(pattern->get<std::string>(), false);
      if (c.types & t_string && !check_pattern(pattern->get_ref<std::string const&>(), "pattern", &s)) return false;
    }
    if (auto const* pattern = part(s, "\x01not pattern")) c.patterns.emplace(pattern->get<std::string>(), true);
    if (auto const* format = part(s, "format"); format && format->is_string()) {
      auto const& name = format->get_ref<std::string const&>();
      if (auto const pattern = schema::format_pattern(name)) c.patterns.emplace(*pattern, false);
      if (name == "regex" && (c.types & t_string) && !c.has_constants)
        return refuse("format", &s, "is regex; which texts are regular expressions cannot be told byte by byte");
    }
    return number_keywords(s, in, c);
  }
  // Patterns are looked at once, where their place is known.
  bool check_pattern(std::string const& pattern, char const* keyword, json const* where) {
    if (good_patterns_.contains(pattern)) return true;
    regex::arena in;
    auto const parsed = regex::parse_pattern(in, pattern, regex::spelling::json_string);
    if (!parsed)
      return refuse(keyword, where, "has the pattern " + to_text(json(pattern)) + ", which " + parsed.error().message);
    good_patterns_.insert(pattern);
    return true;
  }

  bool number_keywords(json const& s, resource const* in, conjunction& c) {
    auto const limit = [&](char const* keyword, bool is_min, bool excluded) {
      auto const* n = part(s, keyword);
      if (!n) return true;
      auto const d = schema::to_decimal(*n);
      if (!d) return refuse(keyword, &s, "is not a number");
      auto& end = is_min ? c.number.min : c.number.max;
      bool& open = is_min ? c.number.min_excluded : c.number.max_excluded;
      int const order = end ? schema::compare(*d, *end) * (is_min ? 1 : -1) : 1;
      if (order > 0) {
        end = *d;
        open = excluded;
      } else if (order == 0) {
        open = open || excluded;
      }
      return true;
    };
    bool const flags = in->dialect == draft::draft4 ||
                       (part(s, "exclusiveMinimum") && part(s, "exclusiveMinimum")->is_boolean()) ||
                       (part(s, "exclusiveMaximum") && part(s, "exclusiveMaximum")->is_boolean());
    auto const flag = [&](char const* keyword) { return flags && part(s, keyword) && *part(s, keyword) == json(true); };
    if (!limit("minimum", true, flag("exclusiveMinimum")) || !limit("maximum", false, flag("exclusiveMaximum")))
      return false;
    if (!flags && (!limit("exclusiveMinimum", true, true) || !limit("exclusiveMaximum", false, true))) return false;
    if (auto const* step = part(s, "multipleOf")) {
      auto const d = schema::to_decimal(*step);
      if (!d || d->is_zero() || d->negative) return refuse("multipleOf", &s, "is not a number above zero");
      c.steps.push_back(*d);
    }
    return true;
  }

  bool object_keywords(pending_atom const& p, json const& s, resource const* in, conjunction& c) {
    object_view view{.at = p.at, .is_silent = p.is_silent};
    auto const atom_of = [&](json const& schema) { return atom{&schema, known_.within(schema, in), false}; };
    bool any = false;
    if (auto const* properties = part(s, "properties")) {
      if (!properties->is_object()) return refuse("properties", &s, "is not an object");
      for (auto const& [name, value] : properties->items()) {
        if (!value.is_object() && !value.is_boolean())
          return refuse("properties", &s, "has a member " + to_text(json(name)) + " that is no schema");
        view.names.emplace_back(name, atoms{atom_of(value)});
      }
      any = any || !properties->empty();
    }
    if (auto const* patterns = part(s, "patternProperties")) {
      if (!patterns->is_object()) return refuse("patternProperties", &s, "is not an object");
      for (auto const& [pattern, value] : patterns->items()) {
        if (!check_pattern(pattern, "patternProperties", &s)) return false;
        view.patterns.emplace_back(pattern, atom_of(value));
      }
      any = any || !patterns->empty();
    }
    if (auto const* additional = part(s, "additionalProperties")) {
      view.additional = atom_of(*additional);
      any = true;
    }
    if (any) c.objects.push_back(std::move(view));
    if (auto const* required = part(s, "required")) {
      if (!required->is_array()) return refuse("required", &s, "is not a list of names");
      for (auto const& name : *required) {
        if (!name.is_string()) return refuse("required", &s, "is not a list of names");
        c.required.emplace_back(p.at, name.get<std::string>());
      }
    }
    if (auto const* names = part(s, "\x01other than")) c.other_than.push_back(names);
    if (auto const* names = part(s, "propertyNames"); names && in->dialect >= draft::draft6)
      c.member_names.push_back(atom_of(*names));
    auto const* properties = in->dialect >= draft::draft2019 ? part(s, "unevaluatedProperties") : nullptr;
    auto const* items = in->dialect >= draft::draft2019 ? part(s, "unevaluatedItems") : nullptr;
    if (properties || items) {
      scope sc{.at = p.at};
      if (properties) sc.properties = atom_of(*properties);
      if (items) sc.items = atom_of(*items);
      c.scopes.push_back(std::move(sc));
    }
    return true;
  }

  bool array_keywords(pending_atom const& p, json const& s, resource const* in, conjunction& c) {
    array_view view{.at = p.at, .is_silent = p.is_silent};
    auto const atom_of = [&](json const& schema) { return atom{&schema, known_.within(schema, in), false}; };
    auto const* items = part(s, "items");
    auto const* prefix = part(s, "prefixItems");
    auto const* more = part(s, "additionalItems");
    if (in->dialect < draft::draft2020 && items && items->is_array()) {
      prefix = items;
      items = more;
    } else if (in->dialect < draft::draft2020) {
      prefix = nullptr;
    } else if (items && items->is_array()) {
      prefix = items;  // an older form in a document that does not say which dialect it is
      items = more;
    }
    if (prefix) {
      if (!prefix->is_array()) return refuse("prefixItems", &s, "is not a list of schemas");
      for (auto const& one : *prefix) view.prefix.push_back(atom_of(one));
    }
    if (items) view.rest = atom_of(*items);
    if (!view.prefix.empty() || view.rest) c.arrays.push_back(std::move(view));
    if (auto const* unique = part(s, "uniqueItems"); unique && *unique == json(true)) c.is_unique = true;
    // That an item violates "items" can be said in every dialect.
    if (auto const* item = part(s, "\x01some item")) c.contains.push_back({.what = atom_of(*item)});
    if (auto const* contains = part(s, "contains"); contains && in->dialect >= draft::draft6) {
      wanted_items wanted{.what = atom_of(*contains)};
      if (in->dialect >= draft::draft2019) {
        if (part(s, "minContains")) wanted.min = 0;
        if (!count(s, "minContains", wanted.min, true) || !count(s, "maxContains", wanted.max, false)) return false;
      }
      if (wanted.min > 0 || wanted.max != no_limit) c.contains.push_back(wanted);
    }
    return true;
  }

  // not. Each keyword can be violated; any violation will do.
  bool negate(pending_atom const& p, conjunction& c, std::vector<pending_atom>& todo) {
    json const& s = *p.what.schema;
    if (s.is_boolean()) {
      if (s.get<bool>()) c.types = 0;
      return true;
    }
    if (!s.is_object()) return refuse("not", &s, "is neither an object nor a boolean");
    auto const known = negations_.find({&s, p.what.in, true});
    if (known == negations_.end()) {
      std::vector<atoms> ways;
      if (!violations(s, p.what.in, ways)) return false;
      negations_[{&s, p.what.in, true}] = std::move(ways);
    }
    auto const& ways = negations_[{&s, p.what.in, true}];
    if (ways.empty()) {
      c.types = 0;
      return true;
    }
    if (ways.size() == 1) {
      for (auto const& a : ways.front()) todo.push_back({a, below(p.at, p_not), p.depth + 1, true});
      return true;
    }
    choice_of choice;
    for (auto const& way : ways) choice.branches.push_back({way, below(p.at, p_not), true});
    c.choices.push_back(std::move(choice));
    return true;
  }

  bool violations(json const& s, resource const* in, std::vector<atoms>& ways) {
    auto const of = [&](json const& schema, bool negated) { return atom{&schema, known_.within(schema, in), negated}; };
    auto const way = [&](json schema) { ways.push_back({made(std::move(schema), in, &s)}); };
    auto const number = [](json const& n, int by) {
      return schema::is_integer(n) ? json(n.get<std::int64_t>() + by) : n;
    };
    if (auto const* ref = part(s, "$ref"); ref && ref->is_string()) {
      auto const target = known_.resolve(*in, ref->get_ref<std::string const&>());
      if (!target) return refuse("$ref", &s, target.error().message);
      ways.push_back({{target->schema, target->in, true}});
      if (in->dialect < draft::draft2019) return true;
    }
    for (auto const& [keyword, v] : s.items()) {
      if (keyword == "type") {
        json const list = v.is_array() ? v : json::array({v});
        json others = json::array();
        for (char const* type : {"null", "boolean", "string", "number", "array", "object"}) {
          bool const listed = std::find(list.begin(), list.end(), json(type)) != list.end();
          bool const half =
              type == std::string_view("number") && std::find(list.begin(), list.end(), json("integer")) != list.end();
          if (!listed && half)
            return refuse("type", &s, "cannot be negated: numbers that are no integers cannot be said");
          if (!listed) others.push_back(type);
        }
        if (!others.empty()) way({{"type", std::move(others)}});
      } else if (keyword == "enum" || keyword == "const") {
        way({{"\x01not these", keyword == "enum" ? v : json::array({v})}});
      } else if (keyword == "required") {
        for (auto const& name : v)
          if (name.is_string()) ways.push_back({absent(name, in, &s)});
      } else if (keyword == "properties") {
        for (auto const& [name, schema] : v.items()) {
          if (schema == json(true) || schema == json::object()) continue;
          way({{"type", "object"}, {"required", json::array({name})}, {"properties", {{name, {{"not", schema}}}}}});
        }
      } else if (keyword == "minLength" || keyword == "minItems" || keyword == "minProperties") {
        char const* type = keyword == "minLength" ? "string" : keyword == "minItems" ? "array" : "object";
        char const* other = keyword == "minLength" ? "maxLength" : keyword == "minItems" ? "maxItems" : "maxProperties";
        if (schema::is_integer(v) && v.get<std::int64_t>() > 0) way({{"type", type}, {other, number(v, -1)}});
      } else if (keyword == "maxLength" || keyword == "maxItems" || keyword == "maxProperties") {
        char const* type = keyword == "maxLength" ? "string" : keyword == "maxItems" ? "array" : "object";
        char const* other = keyword == "maxLength" ? "minLength" : keyword == "maxItems" ? "minItems" : "minProperties";
        if (schema::is_integer(v)) way({{"type", type}, {other, number(v, 1)}});
      } else if (keyword == "pattern") {
        if (!v.is_string() || !check_pattern(v.get_ref<std::string const&>(), "pattern", &s)) return false;
        way({{"type", "string"}, {"\x01not pattern", v}});
      } else if (keyword == "minimum" || keyword == "exclusiveMinimum" || keyword == "maximum" ||
                 keyword == "exclusiveMaximum") {
        if (v.is_boolean()) return refuse(keyword, &s, "cannot be negated in this form");
        char const* other = keyword == "minimum"            ? "exclusiveMaximum"
                            : keyword == "exclusiveMinimum" ? "maximum"
                            : keyword == "maximum"          ? "exclusiveMinimum"
                                                            : "minimum";
        if (in->dialect == draft::draft4) return refuse(keyword, &s, "cannot be negated in draft 4");
        way({{"type", "number"}, {other, v}});
      } else if (keyword == "items" && !v.is_array()) {
        if (v == json(true) || v == json::object()) continue;
        if (s.contains("prefixItems")) return refuse("items", &s, "cannot be negated beside prefixItems");
        way({{"type", "array"}, {"\x01some item", {{"not", v}}}});
      } else if (keyword == "contains") {
        if (s.contains("minContains") || s.contains("maxContains"))
          return refuse("contains", &s, "cannot be negated with counts");
        way({{"type", "array"}, {"items", {{"not", v}}}});
      } else if (keyword == "allOf") {
        for (auto const& one : v) ways.push_back({of(one, true)});
      } else if (keyword == "anyOf") {
        atoms all;
        for (auto const& one : v) all.push_back(of(one, true));
        ways.push_back(std::move(all));
      } else if (keyword == "oneOf") {
        if (v.size() > 6) return refuse("oneOf", &s, "cannot be negated with more than 6 alternatives");
        atoms none;
        for (auto const& one : v) none.push_back(of(one, true));
        ways.push_back(std::move(none));
        for (std::size_t i = 0; i < v.size(); ++i)
          for (std::size_t j = i + 1; j < v.size(); ++j)
            if (!are_disjoint({of(v[i], false)}, {of(v[j], false)})) ways.push_back({of(v[i], false), of(v[j], false)});
      } else if (keyword == "not") {
        ways.push_back({of(v, false)});
      } else if (keyword == "if") {
        if (auto const* yes = part(s, "then")) ways.push_back({of(v, false), of(*yes, true)});
        if (auto const* otherwise = part(s, "else")) ways.push_back({of(v, true), of(*otherwise, true)});
      } else if (keyword == "additionalProperties") {
        if (v == json(true) || v == json::object()) continue;
        if (v != json(false) || part(s, "patternProperties"))
          return refuse(keyword, &s, "cannot be negated in this form");
        json names = json::object();
        if (auto const* own = part(s, "properties"))
          for (auto const& [name, unused] : own->items()) names[name] = true;
        way({{"type", "object"}, {"\x01other than", std::move(names)}});
      } else if (keyword == "patternProperties" || keyword == "propertyNames" || keyword == "uniqueItems" ||
                 keyword == "multipleOf" || keyword == "unevaluatedProperties" || keyword == "unevaluatedItems" ||
                 keyword == "prefixItems" || keyword == "dependencies" || keyword == "dependentRequired" ||
                 keyword == "dependentSchemas" || keyword == "$dynamicRef" || keyword == "$recursiveRef" ||
                 keyword == "items" ||
                 (keyword == "format" && v.is_string() && schema::format_pattern(v.get_ref<std::string const&>()))) {
        if ((keyword == "uniqueItems" && v == json(false)) || (v.is_object() && v.empty())) continue;
        return refuse(keyword, &s, "cannot be negated");
      }
    }
    return true;
  }

  // Finishing.

  std::vector<json const*> constants_of(atoms const& all) {
    std::vector<json const*> candidates;
    // any of the lists will do: every constant must match all schemas anyway; the lists stand in the schemas applied
    collect_constants(all, candidates);
    std::vector<json const*> good;
    std::set<std::string> seen;
    // What is decided quickly decides first: lists of hundreds of constants stand beside each other in real schemas.
    atoms in_order = all;
    std::stable_partition(in_order.begin(), in_order.end(), [](atom const& a) {
      return !a.schema->is_object() ||
             std::none_of(a.schema->items().begin(), a.schema->items().end(), [](auto const& k) {
               return k.value().is_structured() && k.key() != "enum" && k.key() != "const";
             });
    });
    for (auto const* value : candidates) {
      bool fits = true;
      for (auto const& a : in_order) {
        if (!fits) break;
        auto const judged = schema::matches(known_, matchers_, {a.schema, a.in}, *value);
        if (!judged) {
          refuse("enum", a.schema, "cannot be decided: " + judged.error().message);
          return {};
        }
        if (*judged == a.negated) fits = false;
      }
      if (fits && seen.insert(schema::identity_text(*value)).second) good.push_back(value);
    }
    return good;
  }
  // All constants in the schemas that apply to this value, whichever branch they stand in.
  void collect_constants(atoms const& all, std::vector<json const*>& out) {
    std::vector<atom> open(all.begin(), all.end());
    std::set<json const*> seen;
    while (!open.empty()) {
      atom const a = open.back();
      open.pop_back();
      if (!a.schema->is_object() || !seen.insert(a.schema).second) continue;
      json const& s = *a.schema;
      if (auto const* list = part(s, "enum"); list && list->is_array())
        for (auto const& value : *list) out.push_back(&value);
      if (auto const* value = part(s, "const")) out.push_back(value);
      if (auto const* ref = part(s, "$ref"); ref && ref->is_string()) {
        if (auto const target = known_.resolve(*a.in, ref->get_ref<std::string const&>()))
          open.push_back({target->schema, target->in, false});
      }
      for (char const* keyword : {"allOf", "anyOf", "oneOf"}) {
        if (auto const* list = part(s, keyword); list && list->is_array())
          for (auto const& one : *list) open.push_back({&one, known_.within(one, a.in), false});
      }
      for (char const* keyword : {"if", "then", "else", "not"}) {
        if (auto const* one = part(s, keyword)) open.push_back({one, known_.within(*one, a.in), false});
      }
    }
  }
  // Of all branches at once: what a constant must match is the goal itself.
  void constants(shape& out) {
    literal_shape literals;
    for (auto const* value : constants_of(current_)) literals.texts.push_back(to_text(*value));
    if (literals.texts.empty())
      no_value(part(*here(), "const") ? "const" : "enum", here());
    else
      out.alternatives.emplace_back(std::move(literals));
  }

  void finish(conjunction& c, shape& out) {
    literal_shape literals;
    auto const excluded = [&](json const& value) {
      return std::any_of(c.not_these.begin(), c.not_these.end(),
                         [&](json const* v) { return schema::same_value(*v, value); });
    };
    for (auto const* v : c.not_these) {
      if ((v->is_object() && (c.types & t_object)) || (v->is_array() && (c.types & t_array))) {
        refuse("not", v, "excludes an array or object, which is not supported");
        return;
      }
    }
    if ((c.types & t_null) && !excluded(nullptr)) literals.texts.push_back("null");
    if (c.types & t_boolean) {
      for (bool const value : {true, false})
        if (!excluded(value)) literals.texts.push_back(value ? "true" : "false");
    }
    if (!literals.texts.empty()) add(out, std::move(literals));
    if (c.types & t_number) finish_number(c, out);
    if (c.types & t_string) finish_string(c);
    if (c.types & t_array) finish_array(c, out);
    if (c.types & t_object) finish_object(c, out);
  }
  // The same alternative twice would be followed twice.
  void add(shape& out, literal_shape literals) {
    for (auto& a : out.alternatives) {
      auto* other = std::get_if<literal_shape>(&a);
      if (!other) continue;
      for (auto& text : literals.texts)
        if (std::find(other->texts.begin(), other->texts.end(), text) == other->texts.end())
          other->texts.push_back(std::move(text));
      return;
    }
    out.alternatives.emplace_back(std::move(literals));
  }

  void finish_number(conjunction& c, shape& out) {
    number_limits limits = c.number;
    limits.is_integer = c.is_integer;
    limits.digits = bounds_.number_digits;
    for (auto const& step : c.steps) {
      if (!limits.step) {
        limits.step = step;
      } else if (schema::is_multiple(step, *limits.step)) {
        limits.step = step;
      } else if (!schema::is_multiple(*limits.step, step)) {
        refuse("multipleOf", here(), "stands beside another multipleOf that does not divide it");
        return;
      }
    }
    // Values taken out split the range.
    std::vector<decimal> holes;
    for (auto const* v : c.not_these)
      if (auto const d = schema::to_decimal(*v)) holes.push_back(*d);
    std::sort(holes.begin(), holes.end(), [](auto const& a, auto const& b) { return schema::compare(a, b) < 0; });
    number_limits next = limits;
    for (auto const& hole : holes) {
      bool const inside =
          (!next.min || schema::compare(hole, *next.min) >= 0) && (!next.max || schema::compare(hole, *next.max) <= 0);
      if (!inside) continue;
      number_limits low = next;
      low.max = hole;
      low.max_excluded = true;
      number(low, out);
      next.min = hole;
      next.min_excluded = true;
    }
    number(next, out);
  }
  void number(number_limits const& limits, shape& out) {
    number_shape made_number;
    if (limits.is_plain()) {
      made_number.automaton = limits.is_integer                         ? tokens_.plain_integer
                              : limits.digits == bounds{}.number_digits ? tokens_.plain_number
                                                                        : nullptr;
      made_number.summaries = limits.is_integer ? &tokens_.integer_summaries : &tokens_.number_summaries;
    }
    if (!made_number.automaton) {
      std::string key = std::to_string(limits.is_integer) + "/" + (limits.min ? schema::plain_text(*limits.min) : "") +
                        (limits.min_excluded ? "(" : "[") + "/" + (limits.max ? schema::plain_text(*limits.max) : "") +
                        (limits.max_excluded ? "(" : "[") + "/" + (limits.step ? schema::plain_text(*limits.step) : "");
      made_number.summaries = nullptr;
      for (auto const* end : {&limits.min, &limits.max, &limits.step}) {
        if (*end && ((*end)->exponent > 400 || (*end)->exponent < -400)) {
          refuse("minimum", here(), "is too large or too small a number", errc::limit_reached);
          return;
        }
      }
      auto& known = numbers_[key];
      if (!known) {
        bool too_large = false;
        known = number_automaton(limits, too_large);
        if (too_large) {
          refuse(limits.step ? "multipleOf" : "minimum", here(), "needs too many states", errc::limit_reached);
          return;
        }
        if (!known) {
          no_value(limits.min   ? (limits.min_excluded ? "exclusiveMinimum" : "minimum")
                   : limits.max ? "maximum"
                                : "multipleOf",
                   here());
          return;
        }
      }
      made_number.automaton = known;
    }
    out.alternatives.emplace_back(std::move(made_number));
  }

  // Strings of all alternatives become one language.
  struct string_limits {
    std::set<std::pair<std::string, bool>> patterns;
    std::set<std::string> not_these;
    std::size_t min = 0, max = no_limit;
    bool is_plain() const { return patterns.empty() && not_these.empty(); }
    friend auto operator<=>(string_limits const&, string_limits const&) = default;
  };
  void finish_string(conjunction const& c) {
    if (c.string_min > c.string_max) {
      no_value("minLength", here());
      return;
    }
    string_limits limits{c.patterns, {}, c.string_min, c.string_max};
    for (auto const* v : c.not_these)
      if (v->is_string()) limits.not_these.insert(v->get<std::string>());
    strings_.insert(std::move(limits));
  }
  void finish_strings(shape& out) {
    if (strings_.empty()) return;
    bool const any = std::any_of(strings_.begin(), strings_.end(),
                                 [](auto const& l) { return l.is_plain() && l.min == 0 && l.max == no_limit; });
    if (any) strings_ = {string_limits{}};
    if (strings_.size() == 1 && strings_.begin()->is_plain()) {
      auto const [min, max] = std::pair(strings_.begin()->min, strings_.begin()->max);
      if (min > bounds_.string_bytes) {
        refuse("minLength", here(), "is above the bound string_bytes");
        return;
      }
      out.alternatives.emplace_back(
          string_shape{min, std::min(max, bounds_.string_bytes), bounds_.string_bytes, nullptr, nullptr});
      return;
    }
    auto raw = raw_without_ ? text_language(regex::spelling::utf8) : nullptr;
    if (failure_) return;
    std::size_t const max = take_out_greatest_length();
    auto language = text_language(regex::spelling::json_string);
    if (failure_ || !language) return;
    if (language->automaton.start() == regex::automaton::dead) {
      no_value("pattern", here());
      return;
    }
    out.alternatives.emplace_back(string_shape{0, max, no_limit, std::move(language), std::move(raw)});
  }
  // A greatest length that all ways share is counted beside the language: in it there would be a state for each count.
  // Left where it is when there are finitely many texts, or when the shortest would not fit: it may not be the one with
  // the fewest characters.
  std::size_t take_out_greatest_length() {
    std::size_t const max = strings_.begin()->max;
    if (max == no_limit) return no_limit;
    std::set<string_limits> without;
    for (string_limits limits : strings_) {
      if (limits.max != max || limits.is_plain()) return no_limit;
      limits.max = no_limit;
      without.insert(std::move(limits));
    }
    strings_.swap(without);
    auto const language = text_language(regex::spelling::json_string);
    auto const start = language ? language->automaton.start() : regex::automaton::dead;
    if (start != regex::automaton::dead && language->automaton.is_infinite(start) &&
        language->completion(start, tokens_.has_byte).size() <= max)
      return max;
    strings_.swap(without);
    return no_limit;
  }
  std::shared_ptr<lazy_text> text_language(regex::spelling as) {
    std::pair const key{as, strings_};
    if (auto const known = languages_.find(key); known != languages_.end()) return known->second;
    auto in = std::make_shared<regex::arena>();
    std::vector<regex::node> ways;
    for (auto const& limits : strings_) ways.push_back(language_of(*in, limits, as));
    if (failure_) return nullptr;
    regex::node whole = in->either(std::move(ways));
    if (as == regex::spelling::utf8) {
      for (auto const& word : *raw_without_) {
        auto const around = in->cat(regex::arena::all, in->cat(in->literal(word), regex::arena::all));
        whole = in->both({whole, in->negate(around)});
      }
    }
    auto made_language = std::make_shared<lazy_text>(in, whole);
    if (made_language->automaton.is_exhausted()) {
      refuse("pattern", here(), "needs too many states", errc::limit_reached);
      return nullptr;
    }
    return languages_[key] = made_language;
  }
  regex::node language_of(regex::arena& in, string_limits const& limits, regex::spelling as) {
    auto const base = [&](regex::arena& arena) {
      std::vector<regex::node> all{regex::any_text(arena, as)};
      for (auto const& [pattern, negated] : limits.patterns) {
        auto const parsed = regex::parse_pattern(arena, pattern, as);
        if (!parsed) {
          refuse("pattern", here(), "has the pattern " + to_text(json(pattern)) + ", which " + parsed.error().message);
          return regex::arena::none;
        }
        all.push_back(negated ? arena.negate(*parsed) : *parsed);
      }
      for (auto const& text : limits.not_these) all.push_back(arena.negate(regex::exact_text(arena, text, as)));
      return arena.both(std::move(all));
    };
    regex::node const language = base(in);
    if (limits.min == 0 && limits.max == no_limit) return language;
    // Often the pattern keeps to the lengths by itself; counting would cost a state for each character.
    if (!limits.is_plain() && strings_.size() == 1 && is_within(base, limits.min, limits.max, as)) return language;
    return in.both(
        {language, regex::text_of_length(in, limits.min, limits.max == no_limit ? regex::unbounded : limits.max, as)});
  }
  template <class F>
  bool is_within(F const& base, std::size_t min, std::size_t max, regex::spelling as) {
    if (min > 1'000 || (max != no_limit && max > 1'000)) return false;
    auto in = std::make_shared<regex::arena>();
    regex::node const language = base(*in);
    regex::node const outside =
        in->negate(regex::text_of_length(*in, min, max == no_limit ? regex::unbounded : max, as));
    regex::automaton difference(in, in->both({language, outside}), length_states_max);
    return difference.start() == regex::automaton::dead && !difference.is_exhausted();
  }

  void finish_array(conjunction& c, shape& out) {
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
  static bool is_inside(position const& inner, position const& outer) {
    return inner.size() >= outer.size() && std::equal(outer.begin(), outer.end(), inner.begin());
  }
  void apply_item_scopes(conjunction& c) {
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

  atoms value_of(conjunction const& c, std::string const& name) {
    atoms all;
    for (auto const& view : c.objects) {
      bool known = false;
      for (auto const& [own, value] : view.names) {
        if (own != name) continue;
        known = true;
        all.insert(all.end(), value.begin(), value.end());
      }
      for (auto const& [pattern, value] : view.patterns) {
        if (!pattern_matches(pattern, name)) continue;
        known = true;
        if (value.schema) all.push_back(value);
      }
      if (!known && view.additional) all.push_back(*view.additional);
    }
    return all;
  }
  bool pattern_matches(std::string const& pattern, std::string const& text) {
    auto& known = matchers_[pattern];
    if (!known) {
      auto in = std::make_shared<regex::arena>();
      auto const parsed = regex::parse_pattern(*in, pattern, regex::spelling::utf8);
      if (!parsed) return false;
      known = std::make_unique<regex::automaton>(std::move(in), *parsed);
    }
    return known->matches(text);
  }
  void apply_member_scopes(conjunction& c) {
    for (auto const& sc : c.scopes) {
      if (!sc.properties) continue;
      object_view view{.at = sc.at};
      bool all_evaluated = false;
      for (auto const& other : c.objects) {
        if (other.is_silent || !is_inside(other.at, sc.at)) continue;
        for (auto const& [name, unused] : other.names) view.names.emplace_back(name, atoms{});
        for (auto const& [pattern, unused] : other.patterns) view.patterns.emplace_back(pattern, atom{});
        all_evaluated = all_evaluated || other.additional;
      }
      if (all_evaluated) continue;
      view.additional = *sc.properties;
      c.objects.push_back(std::move(view));
    }
  }

  void finish_object(conjunction& c, shape& out) {
    apply_member_scopes(c);
    std::stable_sort(c.objects.begin(), c.objects.end(), [](auto const& a, auto const& b) { return a.at < b.at; });
    object_shape made_object;
    made_object.min = c.members_min;
    made_object.max = c.members_max;
    made_object.others_max = bounds_.object_members;
    made_object.name_bytes_max = bounds_.string_bytes;
    std::vector<std::string> names;
    std::set<std::string> seen;
    for (auto const& view : c.objects)
      for (auto const& [name, unused] : view.names)
        if (seen.insert(name).second) names.push_back(name);
    std::set<std::string> required;
    std::stable_sort(c.required.begin(), c.required.end(),
                     [](auto const& a, auto const& b) { return a.first < b.first; });
    for (auto const& [unused, name] : c.required) {
      required.insert(name);
      if (seen.insert(name).second) names.push_back(name);
    }
    auto const inner = [](std::string const& name) {
      std::string const quoted = to_text(json(name));
      return quoted.substr(1, quoted.size() - 2);
    };
    for (auto const& name : names) {
      atoms const value = value_of(c, name);
      bool allowed = std::none_of(value.begin(), value.end(),
                                  [](atom const& a) { return !a.negated && *a.schema == json(false); });
      for (auto const& a : c.member_names) {
        auto const judged = schema::matches(known_, matchers_, {a.schema, a.in}, json(name));
        if (!judged) {
          refuse("propertyNames", a.schema, "cannot be decided: " + judged.error().message);
          return;
        }
        allowed = allowed && *judged != a.negated;
      }
      if (!allowed && required.contains(name)) {
        json const* const value_schema = value.empty() ? nullptr : value.front().schema;
        bool const is_declared = value_schema && *value_schema == json(false) && is_property(c, name);
        is_declared ? no_value("false", value_schema) : no_value("required", here());
        return;
      }
      if (allowed)
        made_object.members.push_back({to_text(json(name)), required.contains(name), goal(value)});
      else
        made_object.excluded.push_back(inner(name));
    }
    if (!others(c, made_object)) return;
    // A name of n letters can always be made new by adding one for each name taken, if so many bytes are allowed.
    std::size_t const known_names = made_object.members.size() + made_object.excluded.size();
    if (!made_object.names)
      made_object.others_max =
          std::min(made_object.others_max, bounds_.string_bytes - std::min(bounds_.string_bytes, known_names));
    if (made_object.others_max == 0) made_object.is_open = false;
    if (!made_object.is_open) made_object.others_max = 0;
    made_object.others_min = c.others_min;
    if (made_object.others_min > 0 && !made_object.is_open) return;
    std::size_t const needed = static_cast<std::size_t>(std::count_if(
        made_object.members.begin(), made_object.members.end(), [](auto const& m) { return m.required; }));
    if (needed > made_object.max || made_object.min > made_object.max) return;
    if (made_object.min > made_object.members.size() + made_object.others_max) {
      if (made_object.is_open)
        refuse("minProperties", here(), "is above the bound object_members", errc::limit_reached);
      return;
    }
    std::size_t const counts = made_object.max != no_limit ? made_object.max : made_object.min;
    if (counts > 1 &&
        (made_object.members.size() + 1) * std::min(counts, made_object.members.size() + made_object.others_max) >
            object_rows_max) {
      refuse("minProperties", here(), "counts too many members", errc::limit_reached);
      return;
    }
    made_object.any_order = bounds_.order == member_order::any && made_object.members.size() > 1 &&
                            made_object.min == 0 && made_object.max == no_limit && made_object.others_min == 0;
    if (c.other_than.empty()) {
      out.alternatives.emplace_back(std::move(made_object));
      return;
    }
    made_object.any_order = false;
    if (c.other_than.size() > 1) {
      refuse("additionalProperties", here(), "is negated more than once in one place");
      return;
    }
    with_another_member(*c.other_than.front(), std::move(made_object), out);
  }
  // One of the members must have a name that is not among `known`.
  void with_another_member(json const& known, object_shape o, shape& out) {
    auto const is_known = [&](std::string const& quoted) {
      return known.contains(parse_json(quoted).value().get<std::string>());
    };
    for (auto const& member : o.members) {
      if (!member.required || is_known(member.name)) continue;
      out.alternatives.emplace_back(std::move(o));
      return;
    }
    for (std::size_t i = 0; i < o.members.size(); ++i) {
      if (is_known(o.members[i].name)) continue;
      object_shape with = o;
      with.members[i].required = true;
      out.alternatives.emplace_back(std::move(with));
    }
    // Others have names of their own; they count when all known names are declared or excluded.
    for (auto const& [name, unused] : known.items()) {
      std::string const quoted = to_text(json(name));
      bool const declared =
          std::any_of(o.members.begin(), o.members.end(), [&](auto const& m) { return m.name == quoted; }) ||
          std::find(o.excluded.begin(), o.excluded.end(), quoted.substr(1, quoted.size() - 2)) != o.excluded.end();
      if (!declared) o.excluded.push_back(quoted.substr(1, quoted.size() - 2));
    }
    if (!o.is_open) return;
    o.others_min = 1;
    out.alternatives.emplace_back(std::move(o));
  }

  static bool is_property(conjunction const& c, std::string const& name) {
    return std::any_of(c.objects.begin(), c.objects.end(), [&](object_view const& view) {
      return std::any_of(view.names.begin(), view.names.end(), [&](auto const& own) { return own.first == name; });
    });
  }

  // Members beyond the declared ones: which names they may have, and what values.
  bool others(conjunction const& c, object_shape& o) {
    std::vector<std::string> patterns;
    for (auto const& view : c.objects)
      for (auto const& [pattern, unused] : view.patterns)
        if (std::find(patterns.begin(), patterns.end(), pattern) == patterns.end()) patterns.push_back(pattern);
    if (patterns.size() > name_patterns_max) {
      // Which patterns a name matches together decides its value: too many combinations.
      refuse("patternProperties", here(), "has more than 6 patterns for one object", errc::limit_reached);
      return false;
    }
    constexpr auto as = regex::spelling::json_string;
    auto in = std::make_shared<regex::arena>();
    std::vector<regex::node> parsed;
    for (auto const& pattern : patterns) {
      auto const p = regex::parse_pattern(*in, pattern, as);
      if (!p)
        return refuse("patternProperties", here(),
                      "has the pattern " + to_text(json(pattern)) + ", which " + p.error().message);
      parsed.push_back(*p);
    }
    std::vector<regex::node> allowed;
    bool every = true;
    for (std::size_t bits = 0; bits < (std::size_t{1} << patterns.size()); ++bits) {
      atoms value;
      for (auto const& view : c.objects) {
        bool known = false;
        for (auto const& [pattern, a] : view.patterns) {
          auto const i =
              static_cast<std::size_t>(std::find(patterns.begin(), patterns.end(), pattern) - patterns.begin());
          if (!(bits >> i & 1)) continue;
          known = true;
          if (a.schema) value.push_back(a);
        }
        if (!known && view.additional) value.push_back(*view.additional);
      }
      if (std::any_of(value.begin(), value.end(),
                      [](atom const& a) { return !a.negated && *a.schema == json(false); })) {
        every = false;
        continue;
      }
      std::vector<regex::node> names{regex::any_text(*in, as)};
      std::vector<bool> label;
      for (std::size_t i = 0; i < patterns.size(); ++i) {
        bool const is_in = (bits >> i & 1) != 0;
        label.push_back(is_in);
        names.push_back(is_in ? parsed[i] : in->negate(parsed[i]));
      }
      o.values[label] = goal(value);
      allowed.push_back(in->both(std::move(names)));
    }
    if (o.values.empty()) return true;
    o.is_open = true;
    regex::node language = in->either(std::move(allowed));
    for (auto const& a : c.member_names) {
      auto const names = name_language(a, *in);
      if (!names) return false;
      language = in->both({language, *names});
      every = false;
    }
    if (!every) {
      o.names = std::make_shared<lazy_text>(in, language);
      if (o.names->automaton.is_exhausted())
        return refuse("patternProperties", here(), "needs too many states", errc::limit_reached);
      if (o.names->automaton.start() == regex::automaton::dead) {
        o.is_open = false;
        o.values.clear();
        o.names = nullptr;
        return true;
      }
    }
    for (auto const& pattern : patterns) {
      auto own = std::make_shared<regex::arena>();
      o.patterns.push_back(std::make_shared<lazy_text>(own, regex::parse_pattern(*own, pattern, as).value()));
    }
    return true;
  }
  // The strings that a schema for names allows.
  std::optional<regex::node> name_language(atom const& a, regex::arena& in) {
    constexpr auto as = regex::spelling::json_string;
    auto const saved = std::exchange(current_, atoms{a});
    std::vector<conjunction> ways;
    conjunction start;
    start.types = t_string;
    expand(std::move(start), {{a, {0}, 0, false}}, ways);
    std::vector<regex::node> all;
    for (auto const& way : ways) {
      if (way.has_constants) {
        for (auto const* value : constants_of(current_))
          if (value->is_string()) all.push_back(regex::exact_text(in, value->get_ref<std::string const&>(), as));
        continue;
      }
      std::vector<regex::node> parts{regex::text_of_length(
          in, way.string_min, way.string_max == no_limit ? regex::unbounded : way.string_max, as)};
      for (auto const& [pattern, negated] : way.patterns) {
        auto const parsed = regex::parse_pattern(in, pattern, as);
        if (!parsed) {
          refuse("propertyNames", a.schema,
                 "has the pattern " + to_text(json(pattern)) + ", which " + parsed.error().message);
          return std::nullopt;
        }
        parts.push_back(negated ? in.negate(*parsed) : *parsed);
      }
      for (auto const* value : way.not_these)
        if (value->is_string())
          parts.push_back(in.negate(regex::exact_text(in, value->get_ref<std::string const&>(), as)));
      all.push_back(in.both(std::move(parts)));
    }
    current_ = saved;
    if (failure_) return std::nullopt;
    return in.either(std::move(all));
  }

  bounds const bounds_;
  vocabulary::impl const& tokens_;
  std::vector<std::string> const* const raw_without_;
  schema::documents known_;
  place root_;
  std::shared_ptr<shape_table> table_;
  std::map<atoms, shape_id> goals_;
  std::vector<atoms> goal_of_;
  std::vector<shape_id> open_;
  atoms current_;
  std::size_t applied_ = 0, applied_all_ = 0;
  int probing_ = 0;
  std::size_t proof_steps_ = 0;
  bool probe_failed_ = false;
  std::map<atoms, bool> empty_;
  std::map<atom, std::vector<atoms>> negations_;
  std::map<shape_id, std::pair<std::string, json const*>> reasons_;
  shape_id building_ = 0;
  std::deque<json> made_;
  std::map<json const*, json const*> origin_;
  std::set<std::string> good_patterns_;
  std::set<string_limits> strings_;  // of the shape that is being built
  std::map<std::pair<regex::spelling, std::set<string_limits>>, std::shared_ptr<lazy_text>> languages_;
  std::map<std::string, std::shared_ptr<text_automaton const>> numbers_;
  schema::pattern_cache matchers_;
  std::optional<error> failure_;
};

}  // namespace

result<std::shared_ptr<shape_table>> normalise_schema(raw_json const& schema, bounds const& limits,
                                                      vocabulary::impl const& tokens,
                                                      std::vector<std::string> const* raw_without) {
  return normaliser(limits, tokens, raw_without).run(schema);
}

}  // namespace grammar
}  // namespace wherry::inline v0
