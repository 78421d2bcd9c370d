// not: the disjunction of the ways to violate a schema.

#include "grammar/normaliser.hpp"

namespace wherry::inline v0 {
namespace grammar {
namespace normal_form {

bool normaliser::negate(pending_atom const& p, conjunction& c, std::vector<pending_atom>& todo) {
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

bool normaliser::violations(json const& s, resource const* in, std::vector<atoms>& ways) {
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
          way({{"type", "number"}, {"\x01not a multiple of", 1}});
        else if (!listed)
          others.push_back(type);
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
    } else if (keyword == "multipleOf") {
      auto const step = schema::to_decimal(v);
      if (!step || step->is_zero() || step->negative) return refuse("multipleOf", &s, "is not a number above zero");
      way({{"type", "number"}, {"\x01not a multiple of", v}});
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
               keyword == "unevaluatedProperties" || keyword == "unevaluatedItems" || keyword == "prefixItems" ||
               keyword == "dependencies" || keyword == "dependentRequired" || keyword == "dependentSchemas" ||
               keyword == "$dynamicRef" || keyword == "$recursiveRef" || keyword == "items" ||
               (keyword == "format" && v.is_string() && schema::format_pattern(v.get_ref<std::string const&>()))) {
      if ((keyword == "uniqueItems" && v == json(false)) || (v.is_object() && v.empty())) continue;
      return refuse(keyword, &s, "cannot be negated");
    }
  }
  return true;
}

}  // namespace normal_form

}  // namespace grammar
}  // namespace wherry::inline v0
