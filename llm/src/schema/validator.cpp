// Validation as JSON Schema defines it: every keyword looks at the value and says yes or no, and notes what it has
// evaluated for the unevaluated keywords.

#include <wherry/core/json.hpp>
#include <wherry/llm/json_validator.hpp>

#include "schema/document.hpp"
#include "schema/evaluate.hpp"
#include "schema/format.hpp"
#include "schema/number.hpp"
#include "schema/pattern.hpp"

#include <algorithm>

namespace wherry::inline v0 {

using schema::documents;
using schema::draft;
using schema::place;
using schema::resource;

struct json_validator::impl {
  impl(schema::loader find, draft fallback) : known(std::move(find), fallback) {}

  documents known;
  place root;
  json_validator_options options;
  schema::pattern_cache patterns;
};

namespace {

constexpr int nesting_max = 1'200;  // schemas applied inside each other
constexpr std::size_t found_bytes_max = 80;

std::string shown(json const& value) {
  if (value.is_object()) return value.empty() ? "an empty object" : "an object";
  if (value.is_array()) return "an array of " + std::to_string(value.size()) + (value.size() == 1 ? " item" : " items");
  std::string text = to_text(value);
  if (text.size() > found_bytes_max) {
    std::size_t cut = found_bytes_max;
    while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;
    text = text.substr(0, cut) + "...";
  }
  return text;
}

std::string shown_list(json const& values) {
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i == 8) return text + ", ...";
    text += (i > 0 ? ", " : "") + shown(values[i]);
  }
  return text;
}

std::string with_article(std::string_view type) {
  if (type == "null") return "null";
  return (type == "array" || type == "object" || type == "integer" ? "an " : "a ") + std::string(type);
}

std::string escaped(std::string_view step) {
  std::string out;
  for (char const c : step) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

// What has been evaluated of an object or array, by position.
using marks = std::vector<bool>;

void merge(marks* into, marks const& from) {
  if (into == nullptr) return;
  for (std::size_t i = 0; i < from.size(); ++i)
    if (from[i]) (*into)[i] = true;
}

class validation {
 public:
  /// `verdict_only`: yes or no is enough; nobody asks why.
  validation(documents& known, schema::pattern_cache& patterns, json_validator_options const& options,
             bool verdict_only = false)
      : known_(known), patterns_(patterns), options_(options), verdict_only_(verdict_only) {}

  bool run(place root, json const& value) {
    marks evaluated(value.size());
    return apply(root, value, known_.uses_unevaluated() ? &evaluated : nullptr);
  }

  std::vector<json_violation> found;
  std::optional<error> failure;

 private:
  struct scope_guard {
    validation* self;
    std::size_t schema_size, dynamic_size;
    ~scope_guard() {
      self->schema_path_.resize(schema_size);
      self->dynamic_.resize(dynamic_size);
      --self->nesting_;
    }
  };

  bool refuse(json const& value, char const* keyword, std::string expected, std::string saw = {}) {
    if (verdict_only_) return false;
    if (found.size() < options_.violations_max || quiet_ > 0)
      found.push_back(
          {instance_path_, keyword, schema_path_, std::move(expected), saw.empty() ? shown(value) : std::move(saw)});
    return false;
  }
  bool fail(char const* keyword, std::string const& why, errc code = errc::schema_unsupported) {
    if (!failure)
      failure = error(code, "cannot validate: \"" + std::string(keyword) + "\" at \"" + schema_path_ + "\" " + why,
                      "json_validator", schema_path_);
    return false;
  }

  // A schema whose place is reached by these keywords from the current one.
  bool below(json const& schema, resource const* in, std::string_view keyword, std::string_view key, json const& value,
             marks* evaluated) {
    std::size_t const size = schema_path_.size();
    if (verdict_only_ && !key.empty()) key = {};  // a failure names the keywords; the rest is for violations
    schema_path_ += "/";
    schema_path_ += keyword;
    if (!key.empty()) schema_path_ += "/" + escaped(key);
    bool const good = apply({&schema, known_.within(schema, in)}, value, evaluated);
    schema_path_.resize(size);
    return good;
  }
  // Without telling why not.
  bool quietly(json const& schema, resource const* in, std::string_view keyword, std::string_view key,
               json const& value, marks* evaluated) {
    std::size_t const before = found.size();
    ++quiet_;
    bool const good = below(schema, in, keyword, key, value, evaluated);
    --quiet_;
    found.resize(before);
    return good;
  }

  bool apply(place at, json const& value, marks* evaluated) {
    if (failure) return false;
    if (at.schema->is_boolean())
      return at.schema->get<bool>() || refuse(value, "false", "nothing: the schema allows no value here");
    if (!at.schema->is_object()) return fail("schema", "is neither an object nor a boolean");
    if (++nesting_ > nesting_max) {
      --nesting_;
      return fail("$ref", "leads back to itself without end, or the value is nested too deep", errc::limit_reached);
    }
    scope_guard const guard{this, schema_path_.size(), dynamic_.size()};
    if (dynamic_.empty() || dynamic_.back() != at.in) dynamic_.push_back(at.in);
    json const& s = *at.schema;
    resource const* in = at.in;
    bool const modern = in->dialect >= draft::draft2019;
    if (!modern) {
      if (auto const ref = s.find("$ref"); ref != s.end() && ref->is_string())
        return reference("$ref", *ref, in, value, evaluated);
    }
    marks own;
    marks* mine = evaluated;
    bool const looks_back = s.contains("unevaluatedProperties") || s.contains("unevaluatedItems");
    if (looks_back) {
      own.resize(value.size());
      mine = &own;
    }
    bool good = true;
    if (modern) {
      for (char const* keyword : {"$ref", "$dynamicRef", "$recursiveRef"}) {
        auto const ref = s.find(keyword);
        if (ref != s.end() && ref->is_string()) good &= reference(keyword, *ref, in, value, mine);
      }
    }
    auto const goes_on = [&] { return good || !verdict_only_; };
    if (goes_on() && in->validates) good &= assertions(s, in, value);
    if (goes_on() && (in->asserts_format || options_.assert_formats)) good &= format(s, value);
    if (goes_on()) good &= combinations(s, in, value, mine);
    if (goes_on() && value.is_object()) good &= members(s, in, value, mine);
    if (goes_on() && value.is_array()) good &= items(s, in, value, mine);
    if (looks_back && good) good &= unevaluated(s, in, value, *mine);
    if (looks_back && good) merge(evaluated, own);
    return good && !failure;
  }

  bool reference(char const* keyword, json const& ref, resource const* in, json const& value, marks* evaluated) {
    auto const& text = ref.get_ref<std::string const&>();
    auto target = known_.resolve(*in, text);
    if (!target)
      return fail(keyword, target.error().message,
                  target.error().code == errc::parse_error ? errc::parse_error : errc::schema_unsupported);
    std::string_view const name(keyword);
    if (name == "$dynamicRef" && in->dialect >= draft::draft2020) {
      auto const hash = text.find('#');
      std::string const anchor = hash == std::string::npos ? "" : text.substr(hash + 1);
      if (!anchor.empty() && anchor.front() != '/' && target->in->dynamic_anchors.contains(anchor) &&
          target->in->anchors.find(anchor)->second == target->schema) {
        for (resource const* outer : dynamic_) {
          if (!outer->dynamic_anchors.contains(anchor)) continue;
          target = place{outer->anchors.find(anchor)->second, outer};
          break;
        }
      }
    }
    if (name == "$recursiveRef" && target->in->is_recursive_anchor) {
      for (resource const* outer : dynamic_) {
        if (!outer->is_recursive_anchor) continue;
        target = place{outer->root, outer};
        break;
      }
    }
    std::size_t const size = schema_path_.size();
    schema_path_ += std::string("/") + keyword;
    bool const good = apply(*target, value, evaluated);
    schema_path_.resize(size);
    return good;
  }

  // Keywords about the value alone.
  bool assertions(json const& s, resource const* in, json const& value) {
    bool good = true;
    for (auto const& [keyword, v] : s.items()) {
      if (keyword == "type")
        good &= type(v, in, value);
      else if (keyword == "enum" && v.is_array())
        good &= std::any_of(v.begin(), v.end(), [&](json const& one) { return schema::same_value(one, value); }) ||
                (!verdict_only_ && refuse(value, "enum", "one of " + shown_list(v)));
      else if (keyword == "const")
        good &=
            schema::same_value(v, value) ||
            (!verdict_only_ && refuse(value, "const", to_text(v).size() <= found_bytes_max ? to_text(v) : shown(v)));
    }
    if (schema::is_number(value)) good &= number(s, in, value);
    if (value.is_string()) good &= string(s, value);
    if (value.is_array()) good &= counted(s, value, "minItems", "maxItems", value.size(), "items");
    if (value.is_object()) good &= counted(s, value, "minProperties", "maxProperties", value.size(), "members");
    if (value.is_array() && s.contains("uniqueItems") && s["uniqueItems"] == json(true)) good &= unique(value);
    if (value.is_object()) {
      if (auto const required = s.find("required"); required != s.end() && required->is_array()) {
        for (auto const& name : *required) {
          if (name.is_string() && !value.contains(name.get_ref<std::string const&>()))
            good = refuse(value, "required", "the member " + to_text(name), "no such member");
        }
      }
      if (auto const dependent = s.find("dependentRequired"); dependent != s.end() && dependent->is_object()) {
        for (auto const& [name, names] : dependent->items()) good &= needs(value, "dependentRequired", name, names);
      }
    }
    return good;
  }
  bool needs(json const& value, char const* keyword, std::string const& name, json const& names) {
    bool good = true;
    if (!value.contains(name) || !names.is_array()) return true;
    for (auto const& other : names) {
      if (other.is_string() && !value.contains(other.get_ref<std::string const&>()))
        good =
            refuse(value, keyword, "the member " + to_text(other) + " beside " + to_text(json(name)), "no such member");
    }
    return good;
  }
  static bool has_type(json const& value, std::string const& type, draft dialect) {
    std::string_view const own = schema::type_name(value);
    if (dialect == draft::draft4 && type == "integer") return schema::is_number(value) && !value.is_number_float();
    return own == type || (type == "number" && own == "integer");
  }
  bool type(json const& type, resource const* in, json const& value) {
    std::string expected;
    auto const fits = [&](json const& one) {
      if (!one.is_string()) return false;
      auto const& name = one.get_ref<std::string const&>();
      if (has_type(value, name, in->dialect)) return true;
      if (!verdict_only_) expected += (expected.empty() ? "" : " or ") + with_article(name);
      return false;
    };
    if (type.is_array() ? std::any_of(type.begin(), type.end(), fits) : fits(type)) return true;
    return refuse(value, "type", std::move(expected));
  }
  bool number(json const& s, resource const* in, json const& value) {
    auto const own = schema::to_decimal(value);
    if (!own) return true;
    bool good = true;
    auto const bound = [&](char const* keyword, auto const& holds, std::string const& words) {
      auto const found_limit = s.find(keyword);
      if (found_limit == s.end()) return;
      auto const limit = schema::to_decimal(*found_limit);
      if (limit && !holds(schema::compare(*own, *limit))) good = refuse(value, keyword, words + to_text(*found_limit));
    };
    bool const flags = in->dialect == draft::draft4;
    bool const open_low = flags && s.contains("exclusiveMinimum") && s["exclusiveMinimum"] == json(true);
    bool const open_high = flags && s.contains("exclusiveMaximum") && s["exclusiveMaximum"] == json(true);
    bound(
        "minimum", [&](int c) { return open_low ? c > 0 : c >= 0; },
        open_low ? "a number above " : "a number at least ");
    bound(
        "maximum", [&](int c) { return open_high ? c < 0 : c <= 0; },
        open_high ? "a number below " : "a number at most ");
    bound("exclusiveMinimum", [](int c) { return c > 0; }, "a number above ");
    bound("exclusiveMaximum", [](int c) { return c < 0; }, "a number below ");
    if (auto const step = s.find("multipleOf"); step != s.end()) {
      auto const divisor = schema::to_decimal(*step);
      if (divisor && !schema::is_multiple(*own, *divisor))
        good = refuse(value, "multipleOf", "a multiple of " + to_text(*step));
    }
    return good;
  }
  bool counted(json const& s, json const& value, char const* min, char const* max, std::size_t count,
               char const* what) {
    bool good = true;
    auto const own = schema::to_decimal(json(count));
    for (char const* keyword : {min, max}) {
      auto const found_limit = s.find(keyword);
      if (found_limit == s.end()) continue;
      auto const limit = schema::to_decimal(*found_limit);
      if (!limit) continue;
      int const order = schema::compare(*own, *limit);
      if (keyword == min ? order >= 0 : order <= 0) continue;
      good = refuse(value, keyword, (keyword == min ? "at least " : "at most ") + to_text(*found_limit) + " " + what,
                    std::to_string(count));
    }
    return good;
  }
  regex::automaton* pattern(std::string const& text, char const* keyword) {
    auto const [it, is_new] = patterns_.try_emplace(text);
    if (is_new) {
      auto in = std::make_shared<regex::arena>();
      auto const language = regex::parse_pattern(*in, text, regex::spelling::utf8);
      if (!language) {
        patterns_.erase(it);
        fail(keyword, "has the pattern " + to_text(json(text)) + ", which " + language.error().message,
             language.error().code == errc::parse_error ? errc::schema_unsupported : errc::schema_unsupported);
        return nullptr;
      }
      it->second = std::make_unique<regex::automaton>(std::move(in), *language);
    }
    return it->second.get();
  }
  bool matches(std::string const& text, std::string const& subject, char const* keyword) {
    auto* const automaton = pattern(text, keyword);
    if (automaton == nullptr) return false;
    bool const good = automaton->matches(subject);
    if (automaton->is_exhausted())
      return fail(keyword, "has the pattern " + to_text(json(text)) + ", which needs too many states",
                  errc::limit_reached);
    return good;
  }
  bool string(json const& s, json const& value) {
    auto const& text = value.get_ref<std::string const&>();
    bool good = true;
    if (s.contains("minLength") || s.contains("maxLength"))
      good &= counted(s, value, "minLength", "maxLength", schema::code_point_count(text), "characters");
    if (auto const p = s.find("pattern"); p != s.end() && p->is_string()) {
      bool const fits = matches(p->get_ref<std::string const&>(), text, "pattern");
      if (!fits && !failure) good = refuse(value, "pattern", "text that matches " + to_text(*p));
    }
    return good;
  }
  bool format(json const& s, json const& value) {
    auto const named = s.find("format");
    if (named == s.end() || !named->is_string() || !value.is_string()) return true;
    auto const& name = named->get_ref<std::string const&>();
    auto const& text = value.get_ref<std::string const&>();
    if (name == "regex") {
      regex::arena in;
      auto const parsed = regex::parse_pattern(in, text, regex::spelling::utf8);
      return parsed || parsed.error().code != errc::parse_error || refuse(value, "format", "a regular expression");
    }
    auto const pattern = schema::format_pattern(name);
    if (!pattern) return true;
    return matches(*pattern, text, "format") || failure || refuse(value, "format", "text in the format " + name);
  }
  bool unique(json const& value) {
    std::set<std::string> seen;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (!seen.insert(schema::identity_text(value[i])).second)
        return refuse(value, "uniqueItems", "items that differ", "item " + std::to_string(i) + " for the second time");
    }
    return true;
  }

  bool combinations(json const& s, resource const* in, json const& value, marks* evaluated) {
    bool good = true;
    if (auto const all = s.find("allOf"); all != s.end() && all->is_array()) {
      for (std::size_t i = 0; i < all->size(); ++i)
        good &= below((*all)[i], in, "allOf", std::to_string(i), value, evaluated);
    }
    for (char const* keyword : {"anyOf", "oneOf"}) {
      auto const list = s.find(keyword);
      if (list != s.end() && list->is_array()) good &= alternatives(*list, keyword, in, value, evaluated);
    }
    if (auto const no = s.find("not"); no != s.end()) {
      marks aside(evaluated ? value.size() : 0);
      if (quietly(*no, in, "not", {}, value, evaluated ? &aside : nullptr) && !failure)
        good = refuse(value, "not", "a value that does not match the schema under \"not\"");
    }
    if (auto const condition = s.find("if"); condition != s.end() && in->dialect >= draft::draft7) {
      marks seen(evaluated ? value.size() : 0);
      bool const holds = quietly(*condition, in, "if", {}, value, evaluated ? &seen : nullptr);
      if (holds) merge(evaluated, seen);
      auto const branch = s.find(holds ? "then" : "else");
      if (branch != s.end()) good &= below(*branch, in, holds ? "then" : "else", {}, value, evaluated);
    }
    return good;
  }
  bool alternatives(json const& list, char const* keyword, resource const* in, json const& value, marks* evaluated) {
    std::size_t fitting = 0;
    std::vector<json_violation> closest;
    for (std::size_t i = 0; i < list.size(); ++i) {
      marks seen(evaluated ? value.size() : 0);
      std::size_t const before = found.size();
      ++quiet_;
      bool const fits = below(list[i], in, keyword, std::to_string(i), value, evaluated ? &seen : nullptr);
      --quiet_;
      if (fits) {
        ++fitting;
        merge(evaluated, seen);
        if (verdict_only_ && evaluated == nullptr && keyword[0] == 'a') return true;
      } else if (found.size() > before && (closest.empty() || depth(found[before]) > depth(closest.front()))) {
        closest.assign(found.begin() + static_cast<std::ptrdiff_t>(before), found.end());
      }
      found.resize(before);
      if (failure) return false;
    }
    if (std::string_view(keyword) == "anyOf" ? fitting > 0 : fitting == 1) return true;
    if (fitting > 1)
      return refuse(value, keyword, "exactly one of the alternatives to match",
                    std::to_string(fitting) + " that match");
    // The alternative that got farthest tells why.
    if (!closest.empty() && depth(closest.front()) > static_cast<std::size_t>(std::count(instance_path_.begin(),
                                                                                         instance_path_.end(), '/'))) {
      for (auto& one : closest)
        if (found.size() < options_.violations_max || quiet_ > 0) found.push_back(std::move(one));
      return false;
    }
    std::string expected = "a value that matches one of the alternatives";
    if (closest.size() == 1 && list.size() == 1) expected = closest.front().expected;
    return refuse(value, keyword, std::move(expected));
  }
  static std::size_t depth(json_violation const& v) {
    return static_cast<std::size_t>(std::count(v.instance.begin(), v.instance.end(), '/'));
  }

  template <class F>
  bool inside(std::string const& step, F const& f) {
    std::size_t const size = instance_path_.size();
    instance_path_ += "/" + escaped(step);
    bool const good = f();
    instance_path_.resize(size);
    return good;
  }
  // A value inside has marks of its own.
  bool child(json const& schema, resource const* in, std::string_view keyword, std::string_view key, json const& value,
             std::string const& step) {
    return inside(step, [&] {
      marks own(known_.uses_unevaluated() ? value.size() : 0);
      return below(schema, in, keyword, key, value, known_.uses_unevaluated() ? &own : nullptr);
    });
  }

  bool members(json const& s, resource const* in, json const& value, marks* evaluated) {
    bool good = true;
    auto const part = [&](char const* keyword) -> json const* {
      auto const it = s.find(keyword);
      return it == s.end() ? nullptr : &*it;
    };
    json const* const properties = part("properties");
    json const* const patterns = part("patternProperties");
    json const* const additional = part("additionalProperties");
    json const* const names = in->dialect >= draft::draft6 ? part("propertyNames") : nullptr;
    std::size_t i = 0;
    for (auto const& [name, member] : value.items()) {
      bool known = false;
      if (properties && properties->is_object()) {
        if (auto const own = properties->find(name); own != properties->end()) {
          known = true;
          good &= child(*own, in, "properties", name, member, name);
        }
      }
      if (patterns && patterns->is_object()) {
        for (auto const& [pattern, schema] : patterns->items()) {
          if (!matches(pattern, name, "patternProperties")) continue;
          known = true;
          good &= child(schema, in, "patternProperties", pattern, member, name);
        }
      }
      if (!known && additional) {
        known = true;
        good &= additional->is_boolean() && !additional->get<bool>()
                    ? refuse(value, "additionalProperties", "no member beyond those declared", to_text(json(name)))
                    : child(*additional, in, "additionalProperties", {}, member, name);
      }
      if (known && evaluated) (*evaluated)[i] = true;
      if (names) {
        json const text(name);
        good &= inside(name, [&] { return below(*names, in, "propertyNames", {}, text, nullptr); });
      }
      ++i;
      if (failure) return false;
    }
    for (char const* keyword : {"dependentSchemas", "dependencies"}) {
      json const* const dependent = part(keyword);
      if (!dependent || !dependent->is_object()) continue;
      for (auto const& [name, what] : dependent->items()) {
        if (!value.contains(name)) continue;
        good &= what.is_array() ? needs(value, keyword, name, what) : below(what, in, keyword, name, value, evaluated);
      }
    }
    return good;
  }

  bool items(json const& s, resource const* in, json const& value, marks* evaluated) {
    bool good = true;
    auto const part = [&](char const* keyword) -> json const* {
      auto const it = s.find(keyword);
      return it == s.end() ? nullptr : &*it;
    };
    bool const tuples = in->dialect >= draft::draft2020;
    json const* prefix = tuples ? part("prefixItems") : part("items");
    json const* rest = tuples ? part("items") : part("additionalItems");
    char const* prefix_keyword = tuples ? "prefixItems" : "items";
    char const* rest_keyword = tuples ? "items" : "additionalItems";
    if (!tuples && prefix && !prefix->is_array()) {
      rest = std::exchange(prefix, nullptr);
      rest_keyword = "items";
    } else if (!tuples && !prefix) {
      rest = nullptr;
    }
    std::size_t const fixed = prefix && prefix->is_array() ? prefix->size() : 0;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i < fixed)
        good &= child((*prefix)[i], in, prefix_keyword, std::to_string(i), value[i], std::to_string(i));
      else if (rest)
        good &= child(*rest, in, rest_keyword, {}, value[i], std::to_string(i));
      if (evaluated && (i < fixed || rest)) (*evaluated)[i] = true;
      if (failure) return false;
    }
    if (json const* const wanted = in->dialect >= draft::draft6 ? part("contains") : nullptr)
      good &= contains(s, *wanted, in, value, evaluated);
    return good;
  }
  bool contains(json const& s, json const& wanted, resource const* in, json const& value, marks* evaluated) {
    bool const counts = in->dialect >= draft::draft2019 && in->validates;
    std::size_t matching = 0;
    for (std::size_t i = 0; i < value.size(); ++i) {
      marks own(known_.uses_unevaluated() ? value[i].size() : 0);
      if (!quietly(wanted, in, "contains", {}, value[i], known_.uses_unevaluated() ? &own : nullptr)) continue;
      ++matching;
      if (evaluated && in->dialect >= draft::draft2020) (*evaluated)[i] = true;
    }
    json const least = counts && s.contains("minContains") ? s["minContains"] : json(1);
    bool good = true;
    auto const count = schema::to_decimal(json(matching));
    if (auto const limit = schema::to_decimal(least); limit && schema::compare(*count, *limit) < 0)
      good = refuse(value, counts && s.contains("minContains") ? "minContains" : "contains",
                    "at least " + to_text(least) + " items that match \"contains\"", std::to_string(matching));
    if (counts && s.contains("maxContains")) {
      if (auto const limit = schema::to_decimal(s["maxContains"]); limit && schema::compare(*count, *limit) > 0)
        good = refuse(value, "maxContains", "at most " + to_text(s["maxContains"]) + " items that match \"contains\"",
                      std::to_string(matching));
    }
    return good;
  }

  bool unevaluated(json const& s, resource const* in, json const& value, marks& evaluated) {
    bool good = true;
    char const* keyword = value.is_object() ? "unevaluatedProperties" : "unevaluatedItems";
    auto const rest = s.find(keyword);
    if (rest == s.end() || !(value.is_object() || value.is_array())) return true;
    std::size_t i = 0;
    for (auto const& item : value.items()) {
      if (!evaluated[i]) {
        if (rest->is_boolean() && !rest->get<bool>())
          good = refuse(
              value, keyword,
              value.is_object() ? "no member that nothing else describes" : "no item that nothing else describes",
              value.is_object() ? to_text(json(item.key())) : "item " + std::to_string(i));
        else
          good &= child(*rest, in, keyword, {}, item.value(), value.is_object() ? item.key() : std::to_string(i));
        evaluated[i] = true;
      }
      ++i;
    }
    return good;
  }

  documents& known_;
  schema::pattern_cache& patterns_;
  json_validator_options const& options_;
  bool const verdict_only_;
  std::string instance_path_, schema_path_;
  std::vector<resource const*> dynamic_;
  int nesting_ = 0;
  int quiet_ = 0;
};

}  // namespace

std::string to_string(json_violation const& v) {
  return (v.instance.empty() ? std::string("the value") : v.instance) + ": expected " + v.expected + ", found " +
         v.found;
}

result<json_validator> json_validator::make(raw_json const& schema, json_validator_options options) {
  draft fallback = draft::draft2020;
  if (!options.dialect.empty()) {
    auto const named = schema::draft_of(options.dialect);
    if (!named)
      return error(errc::invalid_argument, "json_validator: the dialect \"" + options.dialect + "\" is not known",
                   "json_validator");
    fallback = *named;
  }
  auto made = std::make_shared<impl>(options.documents, fallback);
  auto root = made->known.add_text("", schema.text);
  if (!root) return root.error();
  made->root = *root;
  made->options = std::move(options);
  return json_validator(std::move(made));
}

result<std::vector<json_violation>> json_validator::validate_value(json const& value) const {
  validation run(impl_->known, impl_->patterns, impl_->options);
  bool const good = run.run(impl_->root, value);
  if (run.failure) return std::move(*run.failure);
  if (good) run.found.clear();
  return std::move(run.found);
}

result<std::vector<json_violation>> json_validator::validate(std::string_view text) const {
  auto const value = parse_json(text);
  if (!value) return error(errc::output_invalid, value.error().message, "json_validator");
  return validate_value(*value);
}

result<void> json_validator::check(std::string_view text) const {
  auto found = validate(text);
  if (!found) return found.error();
  if (found->empty()) return {};
  auto const& first = found->front();
  return error(errc::output_invalid, "expected " + first.expected + ", found " + first.found, "json_validator",
               first.instance);
}

namespace schema {

result<bool> matches(documents& known, pattern_cache& patterns, place at, json const& value) {
  json_validator_options const options;
  validation run(known, patterns, options, true);
  bool const good = run.run(at, value);
  if (run.failure) return std::move(*run.failure);
  return good;
}

}  // namespace schema

}  // namespace wherry::inline v0
