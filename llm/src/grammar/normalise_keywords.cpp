// What the keywords of one schema ask of a value.

#include "grammar/normaliser.hpp"

namespace wherry::inline v0 {
namespace grammar {
namespace normal_form {

bool normaliser::apply(pending_atom const& p, conjunction& c, std::vector<pending_atom>& todo) {
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
    for (std::size_t i = all->size(); i-- > 0;) then((*all)[i], below(p.at, p_all, static_cast<std::uint16_t>(i)), in);
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

bool normaliser::dependents(pending_atom const& p, json const& s, resource const* in, conjunction& c) {
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

atom normaliser::absent(std::string const& name, resource const* in, json const* origin) {
  return made(json{{"type", "object"}, {"properties", {{name, false}}}}, in, origin);
}

atom normaliser::not_an_object(resource const* in, json const* origin) {
  return made(json{{"type", {"null", "boolean", "string", "number", "array"}}}, in, origin);
}

bool normaliser::count(json const& s, char const* keyword, std::size_t& out, bool is_min) {
  auto const* n = part(s, keyword);
  if (!n) return true;
  auto const d = schema::to_decimal(*n);
  if (!d || d->negative || !d->is_integer()) return refuse(keyword, &s, "is not a count");
  std::string const text = schema::plain_text(*d);
  std::size_t const value = text.size() > 15 ? std::size_t{1'000'000'000'000'000} : std::stoull(text);
  out = is_min ? std::max(out, value) : std::min(out, value);
  return true;
}

bool normaliser::plain_keywords(json const& s, resource const* in, conjunction& c) {
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

bool normaliser::check_pattern(std::string const& pattern, char const* keyword, json const* where) {
  if (good_patterns_.contains(pattern)) return true;
  regex::arena in;
  auto const parsed = regex::parse_pattern(in, pattern, regex::spelling::json_string);
  if (!parsed)
    return refuse(keyword, where, "has the pattern " + to_text(json(pattern)) + ", which " + parsed.error().message);
  good_patterns_.insert(pattern);
  return true;
}

bool normaliser::number_keywords(json const& s, resource const* in, conjunction& c) {
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
  if (auto const* step = part(s, "\x01not a multiple of"))
    if (auto const d = schema::to_decimal(*step)) c.not_steps.push_back(*d);
  return true;
}

bool normaliser::object_keywords(pending_atom const& p, json const& s, resource const* in, conjunction& c) {
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

bool normaliser::array_keywords(pending_atom const& p, json const& s, resource const* in, conjunction& c) {
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

}  // namespace normal_form

}  // namespace grammar
}  // namespace wherry::inline v0
