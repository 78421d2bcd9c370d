#pragma once
// For the grammar's tests: vocabularies, and a validator that shares nothing with the compiler.

#include <wherry/core/json.hpp>
#include <wherry/core/random.hpp>
#include <wherry/llm/grammar.hpp>

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace grammar_test {

using namespace wherry;
using grammar::matcher;
using grammar::program;

/// Ids 0..255 are the bytes, then the extra tokens, then the end-of-generation token, then one control token.
struct test_vocabulary {
  explicit test_vocabulary(std::vector<std::string> const& extra = {}, std::string const& lacking = {}) {
    for (int byte = 0; byte < 256; ++byte) {
      bool const lacks = lacking.find(static_cast<char>(byte)) != std::string::npos;
      bytes.push_back(lacks ? std::string() : std::string(1, static_cast<char>(byte)));
    }
    bytes.insert(bytes.end(), extra.begin(), extra.end());
    end = static_cast<token_id>(bytes.size());
    bytes.push_back("<end>");
    control = static_cast<token_id>(bytes.size());
    bytes.push_back("<call>");
    tokens = grammar::vocabulary::build(bytes, std::span(&control, 1), std::span(&end, 1)).value();
  }
  token_id size() const { return static_cast<token_id>(bytes.size()); }

  std::vector<std::string> bytes;
  token_id end = 0, control = 0;
  grammar::vocabulary tokens = grammar::vocabulary::build({"x"}, {}, {}).value();
};

/// Tokens that cross the borders of JSON's syntax.
inline std::vector<std::string> crossing_tokens() {
  return {"\",\"",      "\":{\"", "}]",           "}]}",      "\":\"",  "{\"",      "\"}",        "\",",  "\":",
          "[{\"",       "],\"",   "0,",           "1,\"",     "true,",  "null}",    "[[",         "]]",   "\\\"",
          "\\u",        "\\ud8",  "3d\\",         "ab",       "abc",    "a\",",     "12",         "345",  "-1",
          ".5",         "e+",     "\xe2",         "\xe2\x82", "\xac",   "\xf0\x9f", "\x98\x80\"", "name", "\"name\":",
          "\"id\":",    "ame\":", "{\"name\":\"", "\\n",      "\\\\\"", "}},",      "{}",         "[]",   "\"\"",
          "\"a\":1,\"", "aa",     "\"a\"",        "\"b",      "kind",   "1",        "2",          "],[",  "ext"};
}

inline bool accepts(program const& p, std::string_view text) {
  matcher m(p);
  return m.accept_bytes(text) && m.is_complete();
}

/// Each of the good texts is accepted whole, none of the bad ones.
inline void check(program const& p, std::initializer_list<std::string_view> good,
                  std::initializer_list<std::string_view> bad) {
  for (auto const text : good) {
    INFO(text);
    CHECK(accepts(p, text));
  }
  for (auto const text : bad) {
    INFO(text);
    CHECK_FALSE(accepts(p, text));
  }
}

inline grammar::expr schema(std::string text, grammar::bounds const& limits = {}) {
  return grammar::json_schema(raw_json{std::move(text)}, limits);
}

/// JSON Schema as far as the tests use it, straight from its text: no automaton, no order, no bounds.
class validator {
 public:
  explicit validator(json schema) : root_(std::move(schema)) {}
  bool operator()(json const& value) const { return matches(root_, value); }

 private:
  static std::size_t code_points(std::string const& text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
  }
  static bool has_type(json const& v, std::string const& type) {
    if (type == "integer")
      return v.is_number_integer() || (v.is_number_float() && std::floor(v.get<double>()) == v.get<double>());
    if (type == "number") return v.is_number() || is_big_integer(v);
    return v.type_name() == type;
  }
  bool matches(json const& s, json const& v) const {
    if (s.is_boolean()) return s.get<bool>();
    auto const count = [&s](char const* keyword, std::size_t otherwise) {
      return s.contains(keyword) ? s[keyword].get<std::size_t>() : otherwise;
    };
    if (s.contains("$ref") && !matches(root_.at(json::json_pointer(s["$ref"].get<std::string>().substr(1))), v))
      return false;
    if (s.contains("type")) {
      auto const& type = s["type"];
      bool const fits = type.is_string()
                            ? has_type(v, type)
                            : std::any_of(type.begin(), type.end(), [&](json const& t) { return has_type(v, t); });
      if (!fits) return false;
    }
    if (s.contains("const") && v != s["const"]) return false;
    if (s.contains("enum") && std::find(s["enum"].begin(), s["enum"].end(), v) == s["enum"].end()) return false;
    auto const matching = [&](json const& list) {
      return std::count_if(list.begin(), list.end(), [&](json const& part) { return matches(part, v); });
    };
    if (s.contains("anyOf") && matching(s["anyOf"]) == 0) return false;
    if (s.contains("oneOf") && matching(s["oneOf"]) != 1) return false;
    if (v.is_string()) {
      auto const length = code_points(v.get_ref<std::string const&>());
      return length >= count("minLength", 0) && length <= count("maxLength", 1u << 30);
    }
    if (v.is_number()) {
      return (!s.contains("minimum") || v >= s["minimum"]) && (!s.contains("maximum") || v <= s["maximum"]) &&
             (!s.contains("exclusiveMinimum") || v > s["exclusiveMinimum"]) &&
             (!s.contains("exclusiveMaximum") || v < s["exclusiveMaximum"]);
    }
    if (v.is_array()) return array_matches(s, v, count("minItems", 0), count("maxItems", 1u << 30));
    return !v.is_object() || object_matches(s, v);
  }
  bool array_matches(json const& s, json const& v, std::size_t min, std::size_t max) const {
    if (v.size() < min || v.size() > max) return false;
    std::size_t const prefix = s.contains("prefixItems") ? s["prefixItems"].size() : 0;
    for (std::size_t i = 0; i < v.size(); ++i) {
      if (i < prefix ? !matches(s["prefixItems"][i], v[i]) : s.contains("items") && !matches(s["items"], v[i]))
        return false;
    }
    return true;
  }
  bool object_matches(json const& s, json const& v) const {
    if (s.contains("required")) {
      for (auto const& name : s["required"]) {
        if (!v.contains(name.get<std::string>())) return false;
      }
    }
    for (auto const& [name, member] : v.items()) {
      if (s.contains("properties") && s["properties"].contains(name)) {
        if (!matches(s["properties"][name], member)) return false;
      } else if (s.contains("additionalProperties") && !matches(s["additionalProperties"], member)) {
        return false;
      }
    }
    return true;
  }

  json root_;
};

}  // namespace grammar_test
