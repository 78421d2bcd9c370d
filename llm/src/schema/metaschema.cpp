// The metaschemas of the drafts, as JSON Schema defines them, without their annotations.

#include "schema/document.hpp"

#include <utility>

namespace wherry::inline v0 {
namespace schema {

namespace {

constexpr char const* draft4 =
    R"({"id":"http://json-schema.org/draft-04/schema#","$schema":"http://json-schema.org/draft-04/schema#",
"definitions":{"schemaArray":{"type":"array","minItems":1,"items":{"$ref":"#"}},"positiveInteger":{"type":"integer","minimum":0},
"positiveIntegerDefault0":{"allOf":[{"$ref":"#/definitions/positiveInteger"},{"default":0}]},
"simpleTypes":{"enum":["array","boolean","integer","null","number","object","string"]},
"stringArray":{"type":"array","items":{"type":"string"},"minItems":1,"uniqueItems":true}},"type":"object",
"properties":{"id":{"type":"string"},"$schema":{"type":"string"},"title":{"type":"string"},"description":{"type":"string"},"default":{},
"multipleOf":{"type":"number","minimum":0,"exclusiveMinimum":true},"maximum":{"type":"number"},"exclusiveMaximum":{"type":"boolean"},
"minimum":{"type":"number"},"exclusiveMinimum":{"type":"boolean"},"maxLength":{"$ref":"#/definitions/positiveInteger"},
"minLength":{"$ref":"#/definitions/positiveIntegerDefault0"},"pattern":{"type":"string","format":"regex"},
"additionalItems":{"anyOf":[{"type":"boolean"},{"$ref":"#"}]},"items":{"anyOf":[{"$ref":"#"},{"$ref":"#/definitions/schemaArray"}]},
"maxItems":{"$ref":"#/definitions/positiveInteger"},"minItems":{"$ref":"#/definitions/positiveIntegerDefault0"},
"uniqueItems":{"type":"boolean"},"maxProperties":{"$ref":"#/definitions/positiveInteger"},
"minProperties":{"$ref":"#/definitions/positiveIntegerDefault0"},"required":{"$ref":"#/definitions/stringArray"},
"additionalProperties":{"anyOf":[{"type":"boolean"},{"$ref":"#"}]},
"definitions":{"type":"object","additionalProperties":{"$ref":"#"}},"properties":{"type":"object","additionalProperties":{"$ref":"#"}},
"patternProperties":{"type":"object","additionalProperties":{"$ref":"#"}},
"dependencies":{"type":"object","additionalProperties":{"anyOf":[{"$ref":"#"},{"$ref":"#/definitions/stringArray"}]}},
"enum":{"type":"array","minItems":1,"uniqueItems":true},
"type":{"anyOf":[{"$ref":"#/definitions/simpleTypes"},{"type":"array","items":{"$ref":"#/definitions/simpleTypes"},"minItems":1,"uniqueItems":true}]},
"format":{"type":"string"},"allOf":{"$ref":"#/definitions/schemaArray"},"anyOf":{"$ref":"#/definitions/schemaArray"},
"oneOf":{"$ref":"#/definitions/schemaArray"},"not":{"$ref":"#"}},
"dependencies":{"exclusiveMaximum":["maximum"],"exclusiveMinimum":["minimum"]}})";

// Draft 7; draft 6 is this without if, then, else and the content keywords, which it ignores.
#define WHERRY_DRAFT_7(NUMBER)                                                                                                                                \
  R"({"$schema":"http://json-schema.org/draft-0)" NUMBER R"(/schema#","$id":"http://json-schema.org/draft-0)" NUMBER                                          \
  R"(/schema#","definitions":{"schemaArray":{"type":"array","minItems":1,"items":{"$ref":"#"}},"nonNegativeInteger":{"type":"integer","minimum":0},)"         \
  R"("nonNegativeIntegerDefault0":{"allOf":[{"$ref":"#/definitions/nonNegativeInteger"},{"default":0}]},)"                                                    \
  R"("simpleTypes":{"enum":["array","boolean","integer","null","number","object","string"]},)"                                                                \
  R"("stringArray":{"type":"array","items":{"type":"string"},"uniqueItems":true}},"type":["object","boolean"],)"                                              \
  R"("properties":{"$id":{"type":"string","format":"uri-reference"},"$schema":{"type":"string","format":"uri"},)"                                             \
  R"("$ref":{"type":"string","format":"uri-reference"},"$comment":{"type":"string"},"title":{"type":"string"},)"                                              \
  R"("description":{"type":"string"},"readOnly":{"type":"boolean"},"writeOnly":{"type":"boolean"},"examples":{"type":"array"},)"                              \
  R"("multipleOf":{"type":"number","exclusiveMinimum":0},"maximum":{"type":"number"},"exclusiveMaximum":{"type":"number"},)"                                  \
  R"("minimum":{"type":"number"},"exclusiveMinimum":{"type":"number"},"maxLength":{"$ref":"#/definitions/nonNegativeInteger"},)"                              \
  R"("minLength":{"$ref":"#/definitions/nonNegativeIntegerDefault0"},"pattern":{"type":"string","format":"regex"},)"                                          \
  R"("additionalItems":{"$ref":"#"},"items":{"anyOf":[{"$ref":"#"},{"$ref":"#/definitions/schemaArray"}]},)"                                                  \
  R"("maxItems":{"$ref":"#/definitions/nonNegativeInteger"},"minItems":{"$ref":"#/definitions/nonNegativeIntegerDefault0"},)"                                 \
  R"("uniqueItems":{"type":"boolean"},"contains":{"$ref":"#"},"maxProperties":{"$ref":"#/definitions/nonNegativeInteger"},)"                                  \
  R"("minProperties":{"$ref":"#/definitions/nonNegativeIntegerDefault0"},"required":{"$ref":"#/definitions/stringArray"},)"                                   \
  R"("additionalProperties":{"$ref":"#"},"definitions":{"type":"object","additionalProperties":{"$ref":"#"}},)"                                               \
  R"("properties":{"type":"object","additionalProperties":{"$ref":"#"}},)"                                                                                    \
  R"("patternProperties":{"type":"object","additionalProperties":{"$ref":"#"},"propertyNames":{"format":"regex"}},)"                                          \
  R"("dependencies":{"type":"object","additionalProperties":{"anyOf":[{"$ref":"#"},{"$ref":"#/definitions/stringArray"}]}},)"                                 \
  R"("propertyNames":{"$ref":"#"},"enum":{"type":"array"},)"                                                                                                  \
  R"("type":{"anyOf":[{"$ref":"#/definitions/simpleTypes"},{"type":"array","items":{"$ref":"#/definitions/simpleTypes"},"minItems":1,"uniqueItems":true}]},)" \
  R"("format":{"type":"string"},"contentMediaType":{"type":"string"},"contentEncoding":{"type":"string"},"if":{"$ref":"#"},)"                                 \
  R"("then":{"$ref":"#"},"else":{"$ref":"#"},"allOf":{"$ref":"#/definitions/schemaArray"},"anyOf":{"$ref":"#/definitions/schemaArray"},)"                     \
  R"("oneOf":{"$ref":"#/definitions/schemaArray"},"not":{"$ref":"#"}}})"

constexpr char const* draft6 = WHERRY_DRAFT_7("6");
constexpr char const* draft7 = WHERRY_DRAFT_7("7");
#undef WHERRY_DRAFT_7

// 2019-09 and 2020-12 are made of the same vocabularies; they differ in their dynamic references, the form of tuples
// and where the unevaluated keywords stand.
std::string from_template(std::string text, bool is_2020) {
  auto const replace = [&text](std::string_view mark, std::string_view with) {
    for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += with.size())
      text.replace(at, mark.size(), with);
  };
  replace("@Y", is_2020 ? "2020-12" : "2019-09");
  replace("@ANCHOR", is_2020 ? R"("$dynamicAnchor":"meta")" : R"("$recursiveAnchor":true)");
  replace("@SELF", is_2020 ? R"({"$dynamicRef":"#meta"})" : R"({"$recursiveRef":"#"})");
  return text;
}

constexpr char const* head =
    R"({"$schema":"https://json-schema.org/draft/@Y/schema","$id":"https://json-schema.org/draft/@Y/)";

struct part {
  char const* name;
  char const* text;
};

constexpr part parts_2019[] = {
    {"schema",
     R"(schema","$vocabulary":{"https://json-schema.org/draft/@Y/vocab/core":true,"https://json-schema.org/draft/@Y/vocab/applicator":true,
"https://json-schema.org/draft/@Y/vocab/validation":true,"https://json-schema.org/draft/@Y/vocab/meta-data":true,
"https://json-schema.org/draft/@Y/vocab/format":false,"https://json-schema.org/draft/@Y/vocab/content":true},@ANCHOR,
"allOf":[{"$ref":"meta/core"},{"$ref":"meta/applicator"},{"$ref":"meta/validation"},{"$ref":"meta/meta-data"},{"$ref":"meta/format"},{"$ref":"meta/content"}],
"type":["object","boolean"],"properties":{"definitions":{"type":"object","additionalProperties":@SELF},
"dependencies":{"type":"object","additionalProperties":{"anyOf":[@SELF,{"$ref":"meta/validation#/$defs/stringArray"}]}}}})"},
    {"meta/core",
     R"(meta/core","$vocabulary":{"https://json-schema.org/draft/@Y/vocab/core":true},@ANCHOR,"type":["object","boolean"],
"properties":{"$id":{"type":"string","format":"uri-reference","pattern":"^[^#]*#?$"},"$schema":{"type":"string","format":"uri"},
"$anchor":{"type":"string","pattern":"^[A-Za-z][-A-Za-z0-9.:_]*$"},"$ref":{"type":"string","format":"uri-reference"},
"$recursiveRef":{"type":"string","format":"uri-reference"},"$recursiveAnchor":{"type":"boolean"},
"$vocabulary":{"type":"object","propertyNames":{"type":"string","format":"uri"},"additionalProperties":{"type":"boolean"}},
"$comment":{"type":"string"},"$defs":{"type":"object","additionalProperties":@SELF}}})"},
    {"meta/applicator",
     R"(meta/applicator","$vocabulary":{"https://json-schema.org/draft/@Y/vocab/applicator":true},@ANCHOR,"type":["object","boolean"],
"properties":{"additionalItems":@SELF,"unevaluatedItems":@SELF,"items":{"anyOf":[@SELF,{"$ref":"#/$defs/schemaArray"}]},"contains":@SELF,
"additionalProperties":@SELF,"unevaluatedProperties":@SELF,"properties":{"type":"object","additionalProperties":@SELF},
"patternProperties":{"type":"object","additionalProperties":@SELF,"propertyNames":{"format":"regex"}},
"dependentSchemas":{"type":"object","additionalProperties":@SELF},"propertyNames":@SELF,"if":@SELF,"then":@SELF,"else":@SELF,
"allOf":{"$ref":"#/$defs/schemaArray"},"anyOf":{"$ref":"#/$defs/schemaArray"},"oneOf":{"$ref":"#/$defs/schemaArray"},"not":@SELF},
"$defs":{"schemaArray":{"type":"array","minItems":1,"items":@SELF}}})"},
    {"meta/format",
     R"(meta/format","$vocabulary":{"https://json-schema.org/draft/@Y/vocab/format":true},@ANCHOR,"type":["object","boolean"],
"properties":{"format":{"type":"string"}}})"},
};

constexpr part parts_2020[] = {
    {"schema",
     R"(schema","$vocabulary":{"https://json-schema.org/draft/@Y/vocab/core":true,"https://json-schema.org/draft/@Y/vocab/applicator":true,
"https://json-schema.org/draft/@Y/vocab/unevaluated":true,"https://json-schema.org/draft/@Y/vocab/validation":true,
"https://json-schema.org/draft/@Y/vocab/meta-data":true,"https://json-schema.org/draft/@Y/vocab/format-annotation":true,
"https://json-schema.org/draft/@Y/vocab/content":true},@ANCHOR,
"allOf":[{"$ref":"meta/core"},{"$ref":"meta/applicator"},{"$ref":"meta/unevaluated"},{"$ref":"meta/validation"},{"$ref":"meta/meta-data"},
{"$ref":"meta/format-annotation"},{"$ref":"meta/content"}],
"type":["object","boolean"],"properties":{"definitions":{"type":"object","additionalProperties":@SELF},
"dependencies":{"type":"object","additionalProperties":{"anyOf":[@SELF,{"$ref":"meta/validation#/$defs/stringArray"}]}},
"$recursiveAnchor":{"$ref":"meta/core#/$defs/anchorString"},"$recursiveRef":{"$ref":"meta/core#/$defs/uriReferenceString"}}})"},
    {"meta/core",
     R"(meta/core","$vocabulary":{"https://json-schema.org/draft/@Y/vocab/core":true},@ANCHOR,"type":["object","boolean"],
"properties":{"$id":{"$ref":"#/$defs/uriReferenceString","pattern":"^[^#]*#?$"},"$schema":{"$ref":"#/$defs/uriString"},
"$ref":{"$ref":"#/$defs/uriReferenceString"},"$anchor":{"$ref":"#/$defs/anchorString"},"$dynamicRef":{"$ref":"#/$defs/uriReferenceString"},
"$dynamicAnchor":{"$ref":"#/$defs/anchorString"},
"$vocabulary":{"type":"object","propertyNames":{"$ref":"#/$defs/uriString"},"additionalProperties":{"type":"boolean"}},
"$comment":{"type":"string"},"$defs":{"type":"object","additionalProperties":@SELF}},
"$defs":{"anchorString":{"type":"string","pattern":"^[A-Za-z_][-A-Za-z0-9._]*$"},"uriString":{"type":"string","format":"uri"},
"uriReferenceString":{"type":"string","format":"uri-reference"}}})"},
    {"meta/applicator",
     R"(meta/applicator","$vocabulary":{"https://json-schema.org/draft/@Y/vocab/applicator":true},@ANCHOR,"type":["object","boolean"],
"properties":{"prefixItems":{"$ref":"#/$defs/schemaArray"},"items":@SELF,"contains":@SELF,"additionalProperties":@SELF,
"properties":{"type":"object","additionalProperties":@SELF},
"patternProperties":{"type":"object","additionalProperties":@SELF,"propertyNames":{"format":"regex"}},
"dependentSchemas":{"type":"object","additionalProperties":@SELF},"propertyNames":@SELF,"if":@SELF,"then":@SELF,"else":@SELF,
"allOf":{"$ref":"#/$defs/schemaArray"},"anyOf":{"$ref":"#/$defs/schemaArray"},"oneOf":{"$ref":"#/$defs/schemaArray"},"not":@SELF},
"$defs":{"schemaArray":{"type":"array","minItems":1,"items":@SELF}}})"},
    {"meta/unevaluated",
     R"(meta/unevaluated","$vocabulary":{"https://json-schema.org/draft/@Y/vocab/unevaluated":true},@ANCHOR,"type":["object","boolean"],
"properties":{"unevaluatedItems":@SELF,"unevaluatedProperties":@SELF}})"},
    {"meta/format-annotation",
     R"(meta/format-annotation","$vocabulary":{"https://json-schema.org/draft/@Y/vocab/format-annotation":true},@ANCHOR,"type":["object","boolean"],
"properties":{"format":{"type":"string"}}})"},
    {"meta/format-assertion",
     R"(meta/format-assertion","$vocabulary":{"https://json-schema.org/draft/@Y/vocab/format-assertion":true},@ANCHOR,"type":["object","boolean"],
"properties":{"format":{"type":"string"}}})"},
};

constexpr part parts_of_both[] = {
    {"meta/validation",
     R"(meta/validation","$vocabulary":{"https://json-schema.org/draft/@Y/vocab/validation":true},@ANCHOR,"type":["object","boolean"],
"properties":{"type":{"anyOf":[{"$ref":"#/$defs/simpleTypes"},{"type":"array","items":{"$ref":"#/$defs/simpleTypes"},"minItems":1,"uniqueItems":true}]},
"const":true,"enum":{"type":"array","items":true},"multipleOf":{"type":"number","exclusiveMinimum":0},"maximum":{"type":"number"},
"exclusiveMaximum":{"type":"number"},"minimum":{"type":"number"},"exclusiveMinimum":{"type":"number"},
"maxLength":{"$ref":"#/$defs/nonNegativeInteger"},"minLength":{"$ref":"#/$defs/nonNegativeIntegerDefault0"},
"pattern":{"type":"string","format":"regex"},"maxItems":{"$ref":"#/$defs/nonNegativeInteger"},
"minItems":{"$ref":"#/$defs/nonNegativeIntegerDefault0"},"uniqueItems":{"type":"boolean"},
"maxContains":{"$ref":"#/$defs/nonNegativeInteger"},"minContains":{"$ref":"#/$defs/nonNegativeInteger"},
"maxProperties":{"$ref":"#/$defs/nonNegativeInteger"},"minProperties":{"$ref":"#/$defs/nonNegativeIntegerDefault0"},
"required":{"$ref":"#/$defs/stringArray"},"dependentRequired":{"type":"object","additionalProperties":{"$ref":"#/$defs/stringArray"}}},
"$defs":{"nonNegativeInteger":{"type":"integer","minimum":0},"nonNegativeIntegerDefault0":{"$ref":"#/$defs/nonNegativeInteger"},
"simpleTypes":{"enum":["array","boolean","integer","null","number","object","string"]},
"stringArray":{"type":"array","items":{"type":"string"},"uniqueItems":true}}})"},
    {"meta/meta-data",
     R"(meta/meta-data","$vocabulary":{"https://json-schema.org/draft/@Y/vocab/meta-data":true},@ANCHOR,"type":["object","boolean"],
"properties":{"title":{"type":"string"},"description":{"type":"string"},"deprecated":{"type":"boolean"},"readOnly":{"type":"boolean"},
"writeOnly":{"type":"boolean"},"examples":{"type":"array","items":true}}})"},
    {"meta/content",
     R"(meta/content","$vocabulary":{"https://json-schema.org/draft/@Y/vocab/content":true},@ANCHOR,"type":["object","boolean"],
"properties":{"contentEncoding":{"type":"string"},"contentMediaType":{"type":"string"},"contentSchema":@SELF}})"},
};

template <std::size_t N>
char const* find_part(part const (&parts)[N], std::string_view name) {
  for (auto const& p : parts)
    if (name == p.name) return p.text;
  return nullptr;
}

}  // namespace

std::optional<std::string> metaschema(std::string_view uri) {
  if (uri == "http://json-schema.org/draft-04/schema") return draft4;
  if (uri == "http://json-schema.org/draft-06/schema") return draft6;
  if (uri == "http://json-schema.org/draft-07/schema") return draft7;
  for (bool const is_2020 : {true, false}) {
    std::string_view const base =
        is_2020 ? "https://json-schema.org/draft/2020-12/" : "https://json-schema.org/draft/2019-09/";
    if (!uri.starts_with(base)) continue;
    std::string_view const name = uri.substr(base.size());
    char const* text = is_2020 ? find_part(parts_2020, name) : find_part(parts_2019, name);
    if (text == nullptr) text = find_part(parts_of_both, name);
    if (text != nullptr) return from_template(std::string(head) + text, is_2020);
  }
  return std::nullopt;
}

}  // namespace schema
}  // namespace wherry::inline v0
