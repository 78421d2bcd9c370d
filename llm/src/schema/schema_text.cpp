// Shape -> JSON Schema text (2020-12).

#include <wherry/core/json.hpp>
#include <wherry/llm/detail/shape.hpp>

#include "schema/bounds.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace wherry::inline v0::detail {
namespace {

/// Two shapes are one struct when they share the table of fields (doc<T> has a shape of its own).
using identity = field_shape const*;
identity identity_of(shape const& type) { return type.fields.data(); }

/// Finds the structs that contain themselves, in the order in which they are met.
class recursion_finder {
 public:
  std::vector<shape const*> recursive;

  void visit(shape const& type) {
    if (type.item) visit(*type.item);
    for (auto const* option : type.options) visit(*option);
    if (type.fields.empty()) return;
    auto const self = identity_of(type);
    if (std::ranges::find(open_, self) != open_.end()) {
      auto const known = [&](shape const* s) { return identity_of(*s) == self; };
      if (std::ranges::none_of(recursive, known)) recursive.push_back(&type);
      return;
    }
    if (std::ranges::find(done_, self) != done_.end()) return;
    open_.push_back(self);
    for (auto const& field : type.fields) visit(*field.type);
    open_.pop_back();
    done_.push_back(self);
  }

 private:
  std::vector<identity> open_, done_;
};

/// "demo::tree<int>" -> "tree_int_".
std::string definition_name(std::string_view type) {
  auto const arguments = std::min(type.find('<'), type.size());
  auto const scope = type.substr(0, arguments).rfind(':');
  std::string name(scope == std::string_view::npos ? type : type.substr(scope + 1));
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}

class schema_writer {
 public:
  explicit schema_writer(shape const& root) {
    recursion_finder finder;
    finder.visit(root);
    for (auto const* type : finder.recursive)
      definitions_.push_back({identity_of(*type), type, unused_name(type->name)});
  }

  json document(shape const& root) const {
    json schema = root.fields.empty() ? write(root, {}, nullptr) : write_object(root, root.description);
    if (definitions_.empty()) return schema;
    json& definitions = schema["$defs"] = json::object();
    for (auto const& d : definitions_) definitions[d.name] = write_object(*d.type, d.type->description);
    return schema;
  }

 private:
  struct definition {
    identity self;
    shape const* type;
    std::string name;
  };

  std::string unused_name(std::string_view type) const {
    auto const name = definition_name(type);
    auto const taken = [&](std::string const& n) {
      return std::ranges::any_of(definitions_, [&](auto const& d) { return d.name == n; });
    };
    auto candidate = name;
    for (int i = 2; taken(candidate); ++i) candidate = name + "_" + std::to_string(i);
    return candidate;
  }

  json write(shape const& type, limits const& bounds, char const* description) const {
    if (!description) description = type.description;
    switch (type.kind) {
      case shape_kind::object: return write_object_or_reference(type, description);
      case shape_kind::optional: {  // of a field this is never reached: it is looked through there
        json inner = write(*type.item, bounds, nullptr);
        return described({{"anyOf", json::array({std::move(inner), json{{"type", "null"}}})}}, description);
      }
      case shape_kind::variant: {
        json options = json::array();
        for (auto const* option : type.options) options.push_back(write(*option, {}, nullptr));
        return described({{"anyOf", std::move(options)}}, description);
      }
      case shape_kind::boolean: return described({{"type", "boolean"}}, description);
      case shape_kind::integer: return write_integer(type, bounds, description);
      case shape_kind::number: {
        json schema = described({{"type", "number"}}, description);
        if (bounds.applies == limits::what::real)
          schema.update({{"minimum", bounds.real_low}, {"maximum", bounds.real_high}});
        return schema;
      }
      case shape_kind::string: {
        json schema = described({{"type", "string"}}, description);
        if (bounds.applies == limits::what::length)
          schema.update({{"minLength", bounds.low}, {"maxLength", bounds.high}});
        return schema;
      }
      case shape_kind::enumeration: {
        json schema = described({{"type", "string"}}, description);
        json& names = schema["enum"] = json::array();
        for (auto const name : type.names->names)
          if (!name.empty()) names.push_back(name);
        return schema;
      }
      case shape_kind::sequence: {
        json schema = described({{"type", "array"}}, description);
        schema["items"] = write(*type.item, {}, nullptr);
        if (bounds.applies == limits::what::items) schema.update({{"minItems", bounds.low}, {"maxItems", bounds.high}});
        return schema;
      }
      case shape_kind::map: {
        json schema = described({{"type", "object"}}, description);
        schema["additionalProperties"] = write(*type.item, {}, nullptr);
        return schema;
      }
    }
    return {};
  }

  static json described(json schema, char const* description) {
    if (description) schema["description"] = description;
    return schema;
  }

  static json write_integer(shape const& type, limits const& declared, char const* description) {
    json schema = described({{"type", "integer"}}, description);
    auto const bounds = bounds_of(type, declared);
    if (bounds.has_low) schema["minimum"] = static_cast<std::int64_t>(bounds.low);
    if (bounds.has_high) schema["maximum"] = static_cast<std::int64_t>(bounds.high);
    return schema;
  }

  json write_object_or_reference(shape const& type, char const* description) const {
    for (auto const& d : definitions_)
      if (d.self == identity_of(type)) {
        // The definition carries the type's own description; only one given here stands beside the reference.
        json reference{{"$ref", "#/$defs/" + d.name}};
        return described(std::move(reference), description == d.type->description ? nullptr : description);
      }
    return write_object(type, description);
  }

  json write_object(shape const& type, char const* description) const {
    json schema = described({{"type", "object"}}, description);
    json properties = json::object();
    json required = json::array();
    for (auto const& field : type.fields) {
      properties[std::string(field.name)] = write_field(field);
      if (field.required()) required.push_back(field.name);
    }
    schema["properties"] = std::move(properties);
    schema["required"] = std::move(required);
    schema["additionalProperties"] = false;
    return schema;
  }

  json write_field(field_shape const& field) const {
    if (field.required()) return write(*field.type, field.bounds, field.description);
    return write(*field.type->item, field.bounds, field.description ? field.description : field.type->description);
  }

  std::vector<definition> definitions_;
};

}  // namespace

std::string schema_text(shape const& type) { return to_text(schema_writer(type).document(type)); }

}  // namespace wherry::inline v0::detail
