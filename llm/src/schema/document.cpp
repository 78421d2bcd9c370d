#include "schema/document.hpp"

#include <wherry/core/json.hpp>

#include <algorithm>

namespace wherry::inline v0 {
namespace schema {

namespace {

constexpr int depth_max = 400;

std::string_view without_fragment(std::string_view uri) { return uri.substr(0, uri.find('#')); }

error refuse(std::string message) { return {errc::schema_unsupported, std::move(message), "schema"}; }

std::string percent_decoded(std::string_view text) {
  auto const digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
      out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

char const* id_keyword(draft dialect) { return dialect == draft::draft4 ? "id" : "$id"; }

// Before 2019-09 "$ref" stands alone: its neighbours say nothing.
bool is_lone_reference(json const& schema, draft dialect) {
  if (dialect >= draft::draft2019) return false;
  auto const ref = schema.find("$ref");
  return ref != schema.end() && ref->is_string();
}

std::string const* id_of(json const& schema, draft dialect) {
  if (!schema.is_object() || is_lone_reference(schema, dialect)) return nullptr;
  auto const id = schema.find(id_keyword(dialect));
  return id != schema.end() && id->is_string() ? &id->get_ref<std::string const&>() : nullptr;
}

}  // namespace

std::optional<draft> draft_of(std::string_view uri) {
  uri = without_fragment(uri);
  if (uri.starts_with("https:")) uri.remove_prefix(6);
  if (uri.starts_with("http:")) uri.remove_prefix(5);
  if (uri == "//json-schema.org/draft/2020-12/schema") return draft::draft2020;
  if (uri == "//json-schema.org/draft/2019-09/schema") return draft::draft2019;
  if (uri == "//json-schema.org/draft-07/schema") return draft::draft7;
  if (uri == "//json-schema.org/draft-06/schema") return draft::draft6;
  if (uri == "//json-schema.org/draft-04/schema" || uri == "//json-schema.org/draft-03/schema") return draft::draft4;
  return std::nullopt;
}

void each_subschema(json const& schema, draft dialect,
                    std::function<void(json const&, std::string const&, std::string const&)> const& visit) {
  if (!schema.is_object() || is_lone_reference(schema, dialect)) return;
  static std::set<std::string, std::less<>> const single = {"additionalItems",
                                                            "additionalProperties",
                                                            "contains",
                                                            "else",
                                                            "if",
                                                            "items",
                                                            "not",
                                                            "propertyNames",
                                                            "then",
                                                            "unevaluatedItems",
                                                            "unevaluatedProperties",
                                                            "contentSchema"};
  static std::set<std::string, std::less<>> const lists = {"allOf", "anyOf", "oneOf", "prefixItems", "items"};
  static std::set<std::string, std::less<>> const maps = {"properties", "patternProperties", "definitions",
                                                          "$defs",      "dependentSchemas",  "dependencies"};
  for (auto const& [keyword, value] : schema.items()) {
    if (value.is_array() && lists.contains(keyword)) {
      for (std::size_t i = 0; i < value.size(); ++i) visit(value[i], keyword, std::to_string(i));
    } else if (value.is_object() && maps.contains(keyword)) {
      for (auto const& [name, part] : value.items()) {
        if (part.is_object() || part.is_boolean()) visit(part, keyword, name);
      }
    } else if ((value.is_object() || value.is_boolean()) && single.contains(keyword)) {
      visit(value, keyword, {});
    }
  }
}

resource* documents::open(std::string base, json const& root, draft dialect) {
  resource& made = resources_.emplace_back();
  made.base = std::move(base);
  made.root = &root;
  made.dialect = dialect;
  by_root_[&root] = &made;
  by_uri_.try_emplace(made.base, &made);
  return &made;
}

// A "$schema" that is not JSON Schema's own names a document with a "$vocabulary".
result<void> documents::read_vocabularies(resource& of, json const& root) {
  auto const named = root.is_object() ? root.find("$schema") : root.end();
  if (!root.is_object() || named == root.end() || !named->is_string()) return {};
  std::string const uri(without_fragment(named->get_ref<std::string const&>()));
  if (auto const known = draft_of(uri)) {
    of.dialect = *known;
    return {};
  }
  if (uri.empty()) return {};
  resource const* meta = find(uri);
  if (meta == nullptr) {
    auto const text = find_ ? find_(uri) : std::nullopt;
    if (!text) return {};  // an unknown dialect: read as the one expected
    auto added = add_text(uri, *text);
    if (!added) return added.error();
    meta = added->in;
  }
  of.dialect = meta->dialect;
  auto const vocabulary = meta->root->find("$vocabulary");
  if (vocabulary == meta->root->end() || !vocabulary->is_object()) return {};
  auto const has = [&](std::string_view name) {
    return std::any_of(vocabulary->items().begin(), vocabulary->items().end(),
                       [&](auto const& v) { return v.key().ends_with(name); });
  };
  of.validates = has("/vocab/validation");
  of.asserts_format = has("/vocab/format-assertion");
  return {};
}

result<place> documents::add_text(std::string uri, std::string_view text) {
  auto parsed = parse_json(text);
  if (!parsed) return parsed.error();
  return add(std::move(uri), std::move(*parsed));
}

result<place> documents::add(std::string uri, json document) {
  if (roots_.size() >= documents_max) return refuse("there are more than 256 documents");
  roots_.push_back(std::move(document));
  json const& root = roots_.back();
  if (!root.is_object() && !root.is_boolean())
    return error(errc::schema_unsupported,
                 "a JSON Schema is an object or a boolean, found " + std::string(root.type_name()), "schema");
  std::string base(without_fragment(uri));
  draft dialect = fallback_;
  if (root.is_object()) {
    auto const named = root.find("$schema");
    if (named != root.end() && named->is_string()) {
      if (auto const known = draft_of(named->get_ref<std::string const&>())) dialect = *known;
    }
  }
  resource probe;
  probe.dialect = dialect;
  if (++loading_ < 8) {
    if (auto read = read_vocabularies(probe, root); !read) return read.error();
  }
  --loading_;
  if (auto const* id = id_of(root, probe.dialect)) {
    std::string const own(without_fragment(resolve_uri(base, *id)));
    if (own != base) {
      resource* const made = open(own, root, probe.dialect);
      by_uri_.try_emplace(base, made);
      base = own;
      made->validates = probe.validates;
      made->asserts_format = probe.asserts_format;
      collect(root, made, probe.dialect, 0);
      return place{&root, made};
    }
  }
  resource* const made = open(base, root, probe.dialect);
  made->validates = probe.validates;
  made->asserts_format = probe.asserts_format;
  collect(root, made, probe.dialect, 0);
  return place{&root, made};
}

void documents::collect(json const& schema, resource* in, draft dialect, int depth) {
  if (!schema.is_object() || depth > depth_max) return;
  if (schema.contains("unevaluatedProperties") || schema.contains("unevaluatedItems")) uses_unevaluated_ = true;
  if (&schema != in->root) {
    if (auto const named = schema.find("$schema");
        named != schema.end() && named->is_string() && id_of(schema, dialect)) {
      if (auto const known = draft_of(named->get_ref<std::string const&>())) dialect = *known;
    }
    if (auto const* id = id_of(schema, dialect)) {
      if (!id->starts_with('#')) {
        std::string const base(without_fragment(resolve_uri(in->base, *id)));
        bool const validates = in->validates, asserts = in->asserts_format;
        in = open(base, schema, dialect);
        in->validates = validates;
        in->asserts_format = asserts;
      }
    }
  }
  auto const name = [&](char const* keyword) -> std::string const* {
    auto const found = schema.find(keyword);
    return found != schema.end() && found->is_string() ? &found->get_ref<std::string const&>() : nullptr;
  };
  if (dialect >= draft::draft2019) {
    if (auto const* anchor = name("$anchor")) in->anchors.try_emplace(*anchor, &schema);
    if (auto const* anchor = name("$dynamicAnchor"); anchor && dialect >= draft::draft2020) {
      in->anchors.try_emplace(*anchor, &schema);
      in->dynamic_anchors.insert(*anchor);
    }
    auto const recursive = schema.find("$recursiveAnchor");
    if (&schema == in->root && recursive != schema.end() && *recursive == json(true)) in->is_recursive_anchor = true;
  } else if (auto const* id = id_of(schema, dialect)) {
    if (auto const hash = id->find('#'); hash != std::string::npos && hash + 1 < id->size())
      in->anchors.try_emplace(id->substr(hash + 1), &schema);
  }
  each_subschema(schema, dialect, [&](json const& part, std::string const&, std::string const&) {
    collect(part, in, dialect, depth + 1);
  });
}

resource const* documents::within(json const& schema, resource const* outer) const {
  auto const found = by_root_.find(&schema);
  return found == by_root_.end() ? outer : found->second;
}

resource const* documents::find(std::string_view uri) const {
  auto const found = by_uri_.find(uri);
  return found == by_uri_.end() ? nullptr : found->second;
}

result<place> documents::resolve(resource const& from, std::string_view reference) {
  std::string const target = resolve_uri(from.base, reference);
  std::string const uri(without_fragment(target));
  std::string const fragment =
      target.size() > uri.size() ? percent_decoded(std::string_view(target).substr(uri.size() + 1)) : std::string();
  resource const* in = find(uri);
  if (uri == from.base) in = &from;
  if (in == nullptr) {
    auto text = find_ ? find_(uri) : std::nullopt;
    if (!text) text = metaschema(uri);
    if (!text) return refuse("refers to \"" + uri + "\", which is not part of this document; nothing is fetched");
    auto added = add_text(uri, *text);
    if (!added) return added.error();
    in = find(uri);
    if (in == nullptr) in = added->in;
  }
  if (fragment.empty()) return place{in->root, in};
  if (fragment.front() == '/') return at_pointer(*in, fragment);
  auto const anchor = in->anchors.find(fragment);
  if (anchor == in->anchors.end()) return refuse("refers to the anchor \"" + fragment + "\", which does not exist");
  return place{anchor->second, within(*anchor->second, in)};
}

result<place> documents::at_pointer(resource const& in, std::string_view pointer) {
  json const* at = in.root;
  resource const* owner = &in;
  std::string const whole(pointer);
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    std::string step(pointer.substr(0, pointer.find('/')));
    pointer.remove_prefix(step.size());
    for (auto const& [escape, plain] : {std::pair{"~1", "/"}, std::pair{"~0", "~"}}) {
      for (std::size_t i = 0; (i = step.find(escape, i)) != std::string::npos; ++i) step.replace(i, 2, plain);
    }
    bool const is_index = !step.empty() && step.size() < 9 &&
                          std::all_of(step.begin(), step.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (at->is_object() && at->contains(step))
      at = &*at->find(step);
    else if (at->is_array() && is_index && std::stoul(step) < at->size())
      at = &(*at)[std::stoul(step)];
    else
      return refuse("points to \"" + whole + "\", where nothing stands");
    owner = within(*at, owner);
  }
  if (!at->is_object() && !at->is_boolean()) return refuse("points to \"" + whole + "\", which is no schema");
  return place{at, owner};
}

std::string resolve_uri(std::string_view base, std::string_view reference) {
  auto const scheme_end = [](std::string_view uri) {
    std::size_t i = 0;
    while (i < uri.size() &&
           (std::isalnum(static_cast<unsigned char>(uri[i])) || uri[i] == '+' || uri[i] == '-' || uri[i] == '.'))
      ++i;
    return i > 0 && i < uri.size() && uri[i] == ':' ? i + 1 : 0;
  };
  if (scheme_end(reference) > 0) return std::string(reference);
  base = without_fragment(base);
  if (reference.empty()) return std::string(base);
  if (reference.front() == '#') return std::string(base) + std::string(reference);
  std::size_t const scheme = scheme_end(base);
  if (reference.starts_with("//")) return std::string(base.substr(0, scheme)) + std::string(reference);
  std::size_t authority = scheme;
  if (base.substr(scheme).starts_with("//")) authority = std::min(base.find('/', scheme + 2), base.size());
  std::string path;
  if (reference.front() == '/') {
    path = reference;
  } else {
    std::string_view const base_path = base.substr(authority, base.find('?', authority) - authority);
    auto const slash = base_path.rfind('/');
    path =
        slash == std::string_view::npos ? (authority > scheme ? "/" : "") : std::string(base_path.substr(0, slash + 1));
    path += reference;
  }
  // dot segments
  std::string const tail = path.substr(std::min(path.find_first_of("?#"), path.size()));
  path.resize(path.size() - tail.size());
  std::vector<std::string> segments;
  bool const rooted = path.starts_with('/');
  for (std::size_t i = rooted ? 1 : 0; i <= path.size();) {
    std::size_t const end = std::min(path.find('/', i), path.size());
    std::string const segment = path.substr(i, end - i);
    bool const is_last = end == path.size();
    if (segment == "..") {
      if (!segments.empty()) segments.pop_back();
      if (is_last) segments.emplace_back();
    } else if (segment == ".") {
      if (is_last) segments.emplace_back();
    } else {
      segments.push_back(segment);
    }
    i = end + 1;
  }
  std::string out(base.substr(0, authority));
  for (std::size_t i = 0; i < segments.size(); ++i) out += (i > 0 || rooted ? "/" : "") + segments[i];
  return out + tail;
}

}  // namespace schema
}  // namespace wherry::inline v0
