// JSON Schema to expressions. A keyword is understood, an annotation, or refused by name: never skipped.

#include "grammar/expr_node.hpp"
#include "grammar/machine.hpp"
#include "grammar/schema_disjoint.hpp"
#include "grammar/schema_number.hpp"

#include <wherry/core/json.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace wherry::inline v0 {
namespace grammar {
namespace {

constexpr std::array<std::string_view, 14> annotations = {
    "title", "description", "default",  "examples",  "$schema",    "$id",     "$comment",
    "$defs", "definitions", "readOnly", "writeOnly", "deprecated", "$anchor", "$vocabulary"};
constexpr std::string_view any_value = "any value";  // no JSON pointer looks like this

bool is_annotation(std::string_view keyword) {
  return std::find(annotations.begin(), annotations.end(), keyword) != annotations.end();
}

class compiler {
 public:
  compiler(json root, bounds const& limits) : root_(std::move(root)), bounds_(limits) {}

  result<expr> run() {
    expr const body = value(root_, "");
    while (!open_.empty() && !failure_) {
      auto const pointer = open_.back();
      open_.pop_back();
      current_ = pointer;
      containers_ = 0;
      rules_[pointer] = pointer == any_value ? any_rule() : value(*find_schema(root_, pointer), pointer);
    }
    refuse_loops();
    if (failure_) return *failure_;
    std::vector<std::pair<std::string, expr>> rules(rules_.begin(), rules_.end());
    return rules.empty() ? body : define(std::move(rules), body, bounds_.depth);
  }

 private:
  // Failing. The first failure is the one that is told; what is built after it does not matter.
  expr refuse(std::string_view keyword, std::string const& pointer, std::string const& why) {
    if (!failure_) {
      failure_ = error(errc::schema_unsupported,
                       "cannot compile the JSON Schema: \"" + std::string(keyword) + "\" at \"" + pointer + "\" " + why,
                       "grammar.schema", pointer);
    }
    return {};
  }
  void allow_only(json const& schema, std::string const& pointer, std::initializer_list<std::string_view> keywords) {
    for (auto const& [keyword, unused] : schema.items()) {
      if (is_annotation(keyword)) continue;
      if (std::find(keywords.begin(), keywords.end(), keyword) == keywords.end()) {
        refuse(keyword, pointer, "is not supported" + beside(*keywords.begin()));
        return;
      }
    }
  }
  // Some keywords are understood on their own but not together with one that decides alone.
  static std::string beside(std::string_view keyword) {
    return keyword == "type" ? std::string() : " beside \"" + std::string(keyword) + "\"";
  }
  static std::string below(std::string const& pointer, std::string_view step) {
    std::string escaped;
    for (char const c : step) escaped += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    return pointer + "/" + escaped;
  }

  expr value(json const& schema, std::string const& pointer) {
    if (failure_) return {};
    if (schema.is_boolean()) {
      return schema.get<bool>() ? any() : refuse("false", pointer, "allows no value at all");
    }
    if (!schema.is_object()) return refuse("schema", pointer, "is neither an object nor a boolean");
    if (schema.contains("$ref")) return reference(schema, pointer);
    for (char const* keyword : {"anyOf", "oneOf"}) {
      if (schema.contains(keyword)) return alternatives(schema, keyword, pointer);
    }
    if (schema.contains("enum") || schema.contains("const")) return constants(schema, pointer);
    return typed(schema, pointer);
  }

  expr any() {
    mention(std::string(any_value));
    return rule(std::string(any_value));
  }
  void mention(std::string const& pointer) {
    if (containers_ == 0) direct_[current_].insert(pointer);
    if (rules_.try_emplace(pointer).second) open_.push_back(pointer);
  }

  expr reference(json const& schema, std::string const& pointer) {
    allow_only(schema, pointer, {"$ref"});
    auto const& target = schema["$ref"];
    auto const decoded = target.is_string() ? local_pointer(target.get_ref<std::string const&>()) : std::nullopt;
    if (!decoded) return refuse("$ref", pointer, "does not point into this document with \"#/...\"");
    if (find_schema(root_, *decoded) == nullptr)
      return refuse("$ref", pointer, "points to \"" + *decoded + "\", where nothing stands");
    mention(*decoded);
    return rule(*decoded);
  }

  expr alternatives(json const& schema, char const* keyword, std::string const& pointer) {
    allow_only(schema, pointer, {keyword});
    auto const& list = schema[keyword];
    if (!list.is_array() || list.empty()) return refuse(keyword, pointer, "is not a list of schemas");
    if (std::string_view(keyword) == "oneOf") {
      for (std::size_t a = 0; a < list.size(); ++a) {
        for (std::size_t b = a + 1; b < list.size(); ++b) {
          if (are_disjoint(root_, list[a], list[b])) continue;
          return refuse(
              keyword, pointer,
              "has alternatives " + std::to_string(a) + " and " + std::to_string(b) +
                  " that are not provably disjoint; use anyOf or give them a constant member that tells them apart");
        }
      }
    }
    std::vector<expr> parts;
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (list[i] == json(false)) continue;
      parts.push_back(value(list[i], below(below(pointer, keyword), std::to_string(i))));
    }
    if (parts.empty()) return refuse(keyword, pointer, "allows no value at all");
    return choice(std::move(parts));
  }

  expr constants(json const& schema, std::string const& pointer) {
    bool const is_enum = schema.contains("enum");
    allow_only(schema, pointer, {is_enum ? "enum" : "const", "type"});
    if (is_enum && !schema["enum"].is_array()) return refuse("enum", pointer, "is not a list");
    auto const types = types_of(schema);
    if (!types) return refuse("type", pointer, "is not a type or a list of types");
    std::vector<expr> parts;
    for (auto const& constant : is_enum ? schema["enum"] : json::array({schema["const"]})) {
      if (has_type(constant, *types)) parts.push_back(literal(to_text(constant)));
    }
    if (parts.empty()) return refuse(is_enum ? "enum" : "const", pointer, "allows no value of the type");
    return choice(std::move(parts));
  }

  expr typed(json const& schema, std::string const& pointer) {
    allow_only(schema, pointer,
               {"type", "properties", "required", "additionalProperties", "items", "prefixItems", "minItems",
                "maxItems", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"});
    bool const is_open = std::all_of(schema.items().begin(), schema.items().end(),
                                     [](auto const& item) { return is_annotation(item.key()); });
    if (is_open) return any();
    auto types = types_of(schema);
    if (!types || types->empty()) return refuse("type", pointer, "is not a type or a list of types");
    if (types->contains("number")) types->erase("integer");
    std::vector<expr> parts;
    for (auto const& type : *types) {
      if (type == "null") parts.push_back(literal("null"));
      if (type == "boolean") parts.push_back(choice({literal("true"), literal("false")}));
      if (type == "string") parts.push_back(string(schema, pointer));
      if (type == "integer") parts.push_back(integer(schema, pointer));
      if (type == "number") parts.push_back(number(schema, pointer));
      if (type == "array") parts.push_back(array(schema, pointer));
      if (type == "object") parts.push_back(object(schema, pointer));
    }
    return parts.size() == 1 ? parts.front() : choice(std::move(parts));
  }

  // A count such as minLength; `otherwise` where it is absent.
  std::size_t count(json const& schema, char const* keyword, std::size_t otherwise, std::string const& pointer) {
    if (!schema.contains(keyword)) return otherwise;
    auto const& n = schema[keyword];
    double const number = n.is_number() ? n.get<double>() : -1;
    if (number < 0 || number != static_cast<double>(static_cast<std::uint64_t>(std::min(number, 1e15)))) {
      refuse(keyword, pointer, "is not a count");
      return otherwise;
    }
    return static_cast<std::size_t>(number);
  }

  expr string(json const& schema, std::string const& pointer) {
    std::size_t const min = count(schema, "minLength", 0, pointer);
    std::size_t const max = count(schema, "maxLength", bounds_.string_bytes, pointer);
    if (min > max) return refuse("minLength", pointer, "is above maxLength");
    if (min > bounds_.string_bytes) return refuse("minLength", pointer, "is above the bound string_bytes");
    return make_expr(string_node{min, std::min(max, bounds_.string_bytes), bounds_.string_bytes});
  }

  expr integer(json const& schema, std::string const& pointer) {
    auto const range = integer_range(schema);
    if (!range) return refuse(range.error().path, pointer, range.error().message);
    return make_expr(range_node{range->first, range->last});
  }

  expr number(json const& schema, std::string const& pointer) {
    for (char const* keyword : {"exclusiveMinimum", "exclusiveMaximum"}) {
      if (schema.contains(keyword))
        return refuse(keyword, pointer, "is supported for integers only; use \"type\": \"integer\"");
    }
    if (schema.contains("minimum") || schema.contains("maximum")) {
      auto const range = number_range(schema, bounds_.number_digits);
      if (!range) return refuse(range.error().path, pointer, range.error().message);
      return make_expr(range_node{range->first, range->last, std::max<std::size_t>(bounds_.number_digits, 1)});
    }
    return any_number(bounds_.number_digits);
  }

  expr array(json const& schema, std::string const& pointer) {
    json const none = json::array();
    json const& prefix = schema.contains("prefixItems") ? schema["prefixItems"] : none;
    if (!prefix.is_array()) return refuse("prefixItems", pointer, "is not a list of schemas");
    bool const has_rest = !schema.contains("items") || schema["items"] != json(false);
    std::size_t const min = count(schema, "minItems", 0, pointer);
    std::size_t max = std::min(count(schema, "maxItems", bounds_.array_items, pointer), bounds_.array_items);
    if (!has_rest) max = std::min(max, prefix.size());
    if (min > max) return refuse("minItems", pointer, "is above what maxItems, items or the bound array_items allow");
    ++containers_;
    expr tail = has_rest && max > prefix.size() ? rest_of_array(schema, prefix.size(), min, max, pointer) : expr{};
    for (std::size_t i = std::min(prefix.size(), max); i-- > 0;) {
      expr const item = value(prefix[i], below(below(pointer, "prefixItems"), std::to_string(i)));
      expr const part = sequence({literal(i > 0 ? "," : ""), item, tail});
      tail = i >= min ? optional(part) : part;
    }
    --containers_;
    return sequence({literal("["), tail, literal("]")});
  }
  expr rest_of_array(json const& schema, std::size_t before, std::size_t min, std::size_t max,
                     std::string const& pointer) {
    expr const item =
        make_expr(shared_node{schema.contains("items") ? value(schema["items"], below(pointer, "items")) : any()});
    expr const next = sequence({literal(","), item});
    auto const more = [](std::size_t n, std::size_t less) { return n > less ? n - less : 0; };
    if (before > 0) return repeat(next, more(min, before), max - before);
    expr const items = sequence({item, repeat(next, more(min, 1), max - 1)});
    return min == 0 ? optional(items) : items;
  }

  expr object(json const& schema, std::string const& pointer) {
    json const none = json::object(), no_names = json::array(), open = true;
    json const& properties = schema.contains("properties") ? schema["properties"] : none;
    json const& required = schema.contains("required") ? schema["required"] : no_names;
    json const& others = schema.contains("additionalProperties") ? schema["additionalProperties"] : open;
    if (!properties.is_object()) return refuse("properties", pointer, "is not an object");
    if (!required.is_array()) return refuse("required", pointer, "is not a list of names");
    std::vector<std::string> missing;
    for (auto const& name : required) {
      if (!name.is_string()) return refuse("required", pointer, "is not a list of names");
      if (!properties.contains(name.get_ref<std::string const&>())) missing.push_back(name);
    }
    ++containers_;
    object_node node;
    node.others_max = bounds_.object_members;
    node.name_bytes_max = bounds_.string_bytes;
    for (auto const& [name, member] : properties.items()) {
      bool const is_required = std::find(required.begin(), required.end(), json(name)) != required.end();
      if (member == json(false) && !is_required) {
        node.excluded.push_back(to_text(json(name)));
      } else {
        node.members.push_back(
            {to_text(json(name)), is_required, value(member, below(below(pointer, "properties"), name))});
      }
    }
    if (others != json(false)) node.others = value(others, below(pointer, "additionalProperties"));
    for (auto const& name : missing) {
      if (!node.others)
        return refuse("required", pointer, "names \"" + name + "\", which additionalProperties forbids");
      node.members.push_back({to_text(json(name)), true, make_expr(shared_node{*node.others})});
    }
    if (node.others && !missing.empty()) node.others = make_expr(shared_node{*node.others});
    --containers_;
    return make_expr(std::move(node));
  }

  // Any JSON value, within the bounds. Each level of nesting is one use of this rule.
  expr any_rule() {
    ++containers_;
    expr const number = any_number(bounds_.number_digits);
    expr const text = make_expr(string_node{0, bounds_.string_bytes, bounds_.string_bytes});
    object_node object;
    object.others = any();
    object.others_max = bounds_.object_members;
    object.name_bytes_max = bounds_.string_bytes;
    expr array = literal("[]");
    if (bounds_.array_items > 0) {
      array =
          sequence({literal("["),
                    optional(sequence({any(), repeat(sequence({literal(","), any()}), 0, bounds_.array_items - 1)})),
                    literal("]")});
    }
    --containers_;
    return choice(
        {literal("null"), literal("true"), literal("false"), number, text, array, make_expr(std::move(object))});
  }

  // A definition that leads to itself through $ref, anyOf or oneOf alone says nothing.
  void refuse_loops() {
    for (auto const& [from, unused] : direct_) {
      std::set<std::string> seen;
      std::vector<std::string> open{from};
      while (!open.empty()) {
        auto const at = open.back();
        open.pop_back();
        for (auto const& next : direct_[at]) {
          if (next == from && from != any_value)
            refuse("$ref", from, "leads back to itself without an array or object between");
          if (seen.insert(next).second) open.push_back(next);
        }
      }
    }
  }

  json root_;
  bounds bounds_;
  std::optional<error> failure_;
  std::map<std::string, expr> rules_;                    // by JSON pointer
  std::vector<std::string> open_;                        // mentioned, not yet compiled
  std::map<std::string, std::set<std::string>> direct_;  // which definitions a definition may be, as it stands
  std::string current_;
  std::size_t containers_ = 0;
};

}  // namespace

result<expr> compile_schema(raw_json const& schema, bounds const& limits) {
  auto root = parse_json(schema.text);
  if (!root) return root.error();
  return compiler(std::move(*root), limits).run();
}

}  // namespace grammar
}  // namespace wherry::inline v0
