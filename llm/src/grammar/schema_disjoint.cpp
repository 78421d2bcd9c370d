#include "grammar/schema_disjoint.hpp"

#include <wherry/core/json.hpp>

#include <algorithm>

namespace wherry::inline v0 {
namespace grammar {

std::optional<std::set<std::string>> types_of(json const& schema) {
  static std::set<std::string> const all = {"null", "boolean", "object", "array", "number", "string"};
  if (!schema.contains("type")) return all;
  auto const& type = schema["type"];
  json const list = type.is_array() ? type : json::array({type});
  std::set<std::string> types;
  for (auto const& name : list) {
    if (!name.is_string() || (!all.contains(name) && name != "integer")) return std::nullopt;
    types.insert(name);
  }
  return types;
}

bool has_type(json const& value, std::set<std::string> const& types) {
  if (value.is_number() || is_big_integer(value)) {
    bool const is_integer = !value.is_number_float() ||
                            value.get<double>() == static_cast<double>(static_cast<long long>(value.get<double>()));
    return types.contains("number") || (is_integer && types.contains("integer"));
  }
  return types.contains(value.type_name());
}

std::optional<std::string> local_pointer(std::string_view reference) {
  if (!reference.starts_with('#')) return std::nullopt;
  reference.remove_prefix(1);
  if (!reference.empty() && reference.front() != '/') return std::nullopt;
  auto const digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  std::string decoded;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    if (reference[i] != '%') {
      decoded += reference[i];
      continue;
    }
    if (i + 2 >= reference.size() || digit(reference[i + 1]) < 0 || digit(reference[i + 2]) < 0) return std::nullopt;
    decoded += static_cast<char>(digit(reference[i + 1]) * 16 + digit(reference[i + 2]));
    i += 2;
  }
  return decoded;
}

json const* find_schema(json const& root, std::string const& pointer) {
  json const* at = &root;
  for (std::size_t begin = 1; begin <= pointer.size();) {
    std::size_t const end = std::min(pointer.find('/', begin), pointer.size());
    std::string step;
    for (std::size_t i = begin; i < end; ++i) {
      bool const is_escape = pointer[i] == '~' && i + 1 < end && (pointer[i + 1] == '0' || pointer[i + 1] == '1');
      step += is_escape ? (pointer[++i] == '0' ? '~' : '/') : pointer[i];
    }
    if (at->is_object() && at->contains(step)) {
      at = &(*at)[step];
    } else if (at->is_array() && !step.empty() && step.size() < 7 &&
               std::all_of(step.begin(), step.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
               std::stoul(step) < at->size()) {
      at = &(*at)[std::stoul(step)];
    } else {
      return nullptr;
    }
    begin = end + 1;
  }
  return at->is_object() || at->is_boolean() ? at : nullptr;
}

namespace {

constexpr int proof_depth_max = 16;  // references and members followed

class disjointness {
 public:
  explicit disjointness(json const& root) : root_(root) {}

  bool holds(json const& a, json const& b, int depth) const {
    if (depth == proof_depth_max) return false;
    if (a == json(false) || b == json(false)) return true;
    if (!a.is_object() || !b.is_object()) return false;
    if (auto const* target = referenced(a)) return holds(*target, b, depth + 1);
    if (auto const* target = referenced(b)) return holds(a, *target, depth + 1);
    if (all_alternatives(a, [&](json const& part) { return holds(part, b, depth + 1); })) return true;
    if (all_alternatives(b, [&](json const& part) { return holds(a, part, depth + 1); })) return true;
    if (auto const values = constants(a)) return excludes_all(b, *values);
    if (auto const values = constants(b)) return excludes_all(a, *values);
    auto const shared = shared_types(a, b);
    if (!shared || shared->size() > 1) return false;
    return shared->empty() ||
           (*shared->begin() == "object" && (members_exclude(a, b, depth) || members_exclude(b, a, depth)));
  }

 private:
  json const* referenced(json const& schema) const {
    if (!schema.contains("$ref") || !schema["$ref"].is_string()) return nullptr;
    auto const pointer = local_pointer(schema["$ref"].get_ref<std::string const&>());
    return pointer ? find_schema(root_, *pointer) : nullptr;
  }
  template <class F>
  static bool all_alternatives(json const& schema, F const& f) {
    for (char const* keyword : {"anyOf", "oneOf"}) {
      if (schema.contains(keyword) && schema[keyword].is_array())
        return std::all_of(schema[keyword].begin(), schema[keyword].end(), f);
    }
    return false;
  }
  static std::optional<json> constants(json const& schema) {
    if (schema.contains("const")) return json::array({schema["const"]});
    if (schema.contains("enum") && schema["enum"].is_array()) return schema["enum"];
    return std::nullopt;
  }
  // No value in the list matches the schema, by its constants or its type.
  static bool excludes_all(json const& schema, json const& values) {
    auto const types = types_of(schema);
    auto const others = constants(schema);
    return types && std::all_of(values.begin(), values.end(), [&](json const& value) {
             return !has_type(value, *types) ||
                    (others && std::find(others->begin(), others->end(), value) == others->end());
           });
  }
  static std::optional<std::set<std::string>> shared_types(json const& a, json const& b) {
    auto const first = types_of(a), second = types_of(b);
    if (!first || !second) return std::nullopt;
    std::set<std::string> shared;
    for (auto const& type : *first) {
      if (second->contains(type) || (type == "integer" && second->contains("number")) ||
          (type == "number" && second->contains("integer"))) {
        shared.insert(type);
      }
    }
    return shared;
  }
  // Some member that `a` requires cannot stand in `b`.
  bool members_exclude(json const& a, json const& b, int depth) const {
    if (!a.contains("required") || !a["required"].is_array()) return false;
    json const none = json::object();
    json const& in_a = a.contains("properties") ? a["properties"] : none;
    json const& in_b = b.contains("properties") ? b["properties"] : none;
    bool const b_is_closed = b.contains("additionalProperties") && b["additionalProperties"] == json(false);
    for (auto const& entry : a["required"]) {
      if (!entry.is_string()) continue;
      auto const& name = entry.get_ref<std::string const&>();
      if (!in_b.contains(name)) {
        if (b_is_closed) return true;
        continue;
      }
      if (in_a.contains(name) && holds(in_a[name], in_b[name], depth + 1)) return true;
    }
    return false;
  }

  json const& root_;
};

}  // namespace

bool are_disjoint(json const& root, json const& a, json const& b) { return disjointness(root).holds(a, b, 0); }

}  // namespace grammar
}  // namespace wherry::inline v0
