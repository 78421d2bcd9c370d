#include "catalog.hpp"

#include "content_json.hpp"

#include <wherry/core/hash.hpp>

#include <algorithm>

namespace wherry::inline v0::mcp::detail {
namespace {

constexpr std::array<std::string_view, list_kinds> member_names{"tools", "resources", "resourceTemplates", "prompts",
                                                                "skills"};

void put_base(std::string& out, std::string const& name, std::string const& title, std::string const& description,
              revision const& rev) {
  put_string(out, "name", name);
  if (rev.structured) put_text(out, "title", title);
  put_text(out, "description", description);
}

void put_meta(std::string& out, raw_json const& meta) {
  if (!meta.text.empty()) put_raw(out, "_meta", meta.text);
}

void put_hint(std::string& out, std::string_view name, std::optional<bool> value) {
  if (value) put_raw(out, name, *value ? "true" : "false");
}

void append_tool(std::string& out, tool::data const& t, revision const& rev) {
  out += '{';
  put_base(out, t.name, t.title, t.description, rev);
  put_raw(out, "inputSchema", t.input.text);
  if (rev.structured && !t.output.text.empty() &&
      (rev.any_structured || string_member(t.output.text, "type") == "object"))
    put_raw(out, "outputSchema", t.output.text);
  if (rev.name >= "2025-03-26") {
    std::string notes = "{";
    put_raw(notes, "readOnlyHint", t.reads ? "true" : "false");
    put_hint(notes, "destructiveHint", t.destructive);
    put_hint(notes, "idempotentHint", t.idempotent);
    put_hint(notes, "openWorldHint", t.open_world);
    put_raw(out, "annotations", notes + "}");
  }
  if (rev.icons) put_icons(out, t.icons);
  put_meta(out, t.meta);
  out += '}';
}

void append_resource(std::string& out, resource::data const& r, revision const& rev) {
  out += '{';
  put_string(out, "uri", r.uri);
  put_base(out, r.name, r.title, r.description, rev);
  put_text(out, "mimeType", r.mime_type);
  if (r.size) put_raw(out, "size", std::to_string(*r.size));
  if (rev.icons) put_icons(out, r.icons);
  put_meta(out, r.meta);
  out += '}';
}

void append_template(std::string& out, resource_template::data const& r, revision const& rev) {
  out += '{';
  put_string(out, "uriTemplate", r.uri);
  put_base(out, r.name, r.title, r.description, rev);
  put_text(out, "mimeType", r.mime_type);
  if (rev.icons) put_icons(out, r.icons);
  put_meta(out, r.meta);
  out += '}';
}

void append_prompt(std::string& out, prompt::data const& p, revision const& rev) {
  out += '{';
  put_base(out, p.name, p.title, p.description, rev);
  if (!p.arguments.empty()) {
    std::string list = "[";
    for (auto const& a : p.arguments) {
      if (list.size() > 1) list += ',';
      list += '{';
      put_string(list, "name", a.name);
      put_text(list, "description", a.description);
      put_raw(list, "required", a.required ? "true" : "false");
      list += '}';
    }
    put_raw(out, "arguments", list + "]");
  }
  if (rev.icons) put_icons(out, p.icons);
  put_meta(out, p.meta);
  out += '}';
}

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
  auto const lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

std::shared_ptr<tool::data const> const* catalog::find_tool(std::string_view name) const noexcept {
  auto const at = std::ranges::lower_bound(tools, name, {}, [](auto const& t) { return std::string_view(t->name); });
  return at != tools.end() && (*at)->name == name ? &*at : nullptr;
}

std::size_t catalog::count(list_kind kind) const noexcept {
  switch (kind) {
    case list_kind::tools: return tools.size();
    case list_kind::resources: return resources.size();
    case list_kind::templates: return templates.size();
    case list_kind::prompts: return prompts.size();
    case list_kind::skills: return skills.size();
  }
  return 0;
}

std::string const& catalog::key(list_kind kind, std::size_t i) const noexcept {
  switch (kind) {
    case list_kind::tools: return tools[i]->name;
    case list_kind::resources: return resources[i]->uri;
    case list_kind::templates: return templates[i]->uri;
    case list_kind::prompts: return prompts[i]->name;
    case list_kind::skills: break;
  }
  return skills[i]->uri;
}

void catalog::append_item(std::string& out, list_kind kind, std::size_t i, revision const& rev) const {
  switch (kind) {
    case list_kind::tools: return append_tool(out, *tools[i], rev);
    case list_kind::resources: return append_resource(out, *resources[i], rev);
    case list_kind::templates: return append_template(out, *templates[i], rev);
    case list_kind::prompts: return append_prompt(out, *prompts[i], rev);
    case list_kind::skills: out += skills[i]->entry; return;
  }
}

std::string catalog::build(list_kind kind, revision const& rev, std::size_t from, std::size_t size) const {
  std::string out = "\"" + std::string(member_names[static_cast<std::size_t>(kind)]) + "\":[";
  auto const end = std::min(count(kind), from + size);
  for (auto i = from; i < end; ++i) {
    if (i != from) out += ',';
    append_item(out, kind, i, rev);
  }
  out += ']';
  if (end < count(kind)) put_string(out, "nextCursor", to_base64(key(kind, end - 1)));
  return out;
}

std::optional<std::string> catalog::page(list_kind kind, revision const& rev, std::string_view cursor,
                                         std::size_t size) const {
  if (cursor.empty()) {
    // What nearly everybody asks for is written once.
    auto& kept = whole_[static_cast<std::size_t>(kind)][static_cast<std::size_t>(&rev - revisions().data())];
    std::call_once(kept.once, [&] { kept.text = build(kind, rev, 0, size); });
    return kept.text;
  }
  auto const last = from_base64(cursor);
  if (!last) return std::nullopt;
  // A cursor names the last entry that was sent, so it survives additions and removals.
  std::size_t from = 0;
  while (from < count(kind) && key(kind, from) <= *last) ++from;
  return build(kind, rev, from, size);
}

// ---------------------------------------------------------------- URI templates

uri_pattern uri_pattern::parse(std::string_view text) {
  uri_pattern out;
  while (!text.empty()) {
    auto const open = text.find('{');
    auto const close = open == std::string_view::npos ? open : text.find('}', open);
    if (close == std::string_view::npos) {
      out.parts.push_back({std::string(text), {}, false});
      break;
    }
    auto name = text.substr(open + 1, close - open - 1);
    bool const rest = name.starts_with('+');
    if (rest) name.remove_prefix(1);
    out.parts.push_back({std::string(text.substr(0, open)), std::string(name), rest});
    text.remove_prefix(close + 1);
  }
  return out;
}

std::optional<uri_variables> uri_pattern::match(std::string_view uri) const {
  uri_variables found;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    auto const& p = parts[i];
    if (!uri.starts_with(p.literal)) return std::nullopt;
    uri.remove_prefix(p.literal.size());
    if (p.variable.empty()) continue;
    // A value ends where the next literal begins, or with the URI.
    auto const next = i + 1 < parts.size() ? std::string_view(parts[i + 1].literal) : std::string_view{};
    auto const end = next.empty() ? uri.size() : p.rest && i + 2 == parts.size() ? uri.rfind(next) : uri.find(next);
    if (end == std::string_view::npos || end == 0) return std::nullopt;
    auto const value = uri.substr(0, end);
    if (!p.rest && value.find('/') != std::string_view::npos) return std::nullopt;
    found[p.variable] = percent_decoded(value);
    uri.remove_prefix(end);
  }
  if (!uri.empty()) return std::nullopt;
  return found;
}

// ---------------------------------------------------------------- parameters as headers

result<std::vector<std::pair<std::string, std::string>>> header_parameters(std::string_view schema) {
  std::vector<std::pair<std::string, std::string>> found;
  std::optional<error> wrong;
  auto const properties = member(schema, "properties");
  if (!is_object(properties)) return found;
  each_member(properties, [&](std::string_view name, std::string_view property) {
    auto const annotation = member(property, "x-mcp-header");
    if (annotation.empty()) return true;
    auto const refuse = [&](std::string why) {
      wrong = error(errc::invalid_argument, "the x-mcp-header of \"" + std::string(name) + "\" " + std::move(why),
                    "mcp", std::string(name));
      return false;
    };
    auto const header = is_string(annotation) ? unquoted(annotation) : std::string{};
    if (!is_token(header)) return refuse("must be the name of an HTTP header");
    auto const type = string_member(property, "type");
    if (type != "string" && type != "integer" && type != "boolean")
      return refuse("stands on a parameter that is no string, integer or boolean");
    for (auto const& [_, other] : found)
      if (same_ignoring_case(other, header)) return refuse("is used by another parameter too");
    found.emplace_back(std::string(name), header);
    return true;
  });
  if (wrong) return *wrong;
  return found;
}

// ---------------------------------------------------------------- skills

namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

/// A scalar of the front matter as JSON: quoted strings without their quotes, everything else as a string.
std::string scalar_json(std::string_view text) {
  text = trimmed(text);
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front())
    text = text.substr(1, text.size() - 2);
  std::string out;
  append_string(out, text);
  return out;
}

struct front_matter {
  std::string json;  ///< An object.
  std::string name;
  std::string description;
};

/// The subset of YAML that front matters of skills use: `key: value` lines, and one level of nesting by indentation.
std::optional<front_matter> read_front_matter(std::string_view text) {
  if (!text.starts_with("---")) return std::nullopt;
  text.remove_prefix(3);
  auto const end = text.find("\n---");
  if (end == std::string_view::npos) return std::nullopt;
  text = text.substr(0, end + 1);
  front_matter out{.json = "{"};
  std::string nested;  // the key whose nested lines are being read
  std::string inner;
  auto const close = [&] {
    if (!nested.empty()) put_raw(out.json, nested, "{" + inner + "}");
    nested.clear();
    inner.clear();
  };
  while (!text.empty()) {
    auto const stop = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, stop);
    text.remove_prefix(std::min(stop + 1, text.size()));
    if (trimmed(line).empty() || trimmed(line).starts_with('#')) continue;
    bool const indented = line.front() == ' ' || line.front() == '\t';
    auto const colon = line.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    auto const key = std::string(trimmed(line.substr(0, colon)));
    auto const value = trimmed(line.substr(colon + 1));
    std::string quoted_key;
    append_string(quoted_key, key);
    quoted_key = quoted_key.substr(1, quoted_key.size() - 2);
    if (indented && !nested.empty()) {
      inner += (inner.empty() ? "\"" : ",\"") + quoted_key + "\":" + scalar_json(value);
      continue;
    }
    close();
    if (value.empty()) {
      nested = quoted_key;
      continue;
    }
    auto const json = scalar_json(value);
    put_raw(out.json, quoted_key, json);
    if (key == "name") out.name = unquoted(json);
    if (key == "description") out.description = unquoted(json);
  }
  close();
  out.json += '}';
  return out;
}

std::string mime_of(std::string_view path) {
  static constexpr std::pair<std::string_view, std::string_view> known[] = {
      {".md", "text/markdown"},    {".txt", "text/plain"},        {".json", "application/json"},
      {".py", "text/x-python"},    {".sh", "text/x-shellscript"}, {".html", "text/html"},
      {".csv", "text/csv"},        {".png", "image/png"},         {".yaml", "application/yaml"},
      {".yml", "application/yaml"}};
  for (auto const& [ending, type] : known)
    if (path.ends_with(ending)) return std::string(type);
  return "application/octet-stream";
}

bool is_text_type(std::string_view mime) {
  return mime.starts_with("text/") || mime == "application/json" || mime == "application/yaml";
}

}  // namespace

std::optional<std::string> front_matter_json(std::string_view text) {
  auto front = read_front_matter(text);
  if (!front) return std::nullopt;
  return std::move(front->json);
}

result<skill_data> make_skill(std::string path, std::vector<skill_file> files) {
  auto const refuse = [&](std::string why) {
    return error(errc::invalid_argument, "cannot serve the skill \"" + path + "\": " + std::move(why),
                 "server.add_skill", path);
  };
  if (path.empty() || path.front() == '/' || path.back() == '/') return refuse("its path must be like \"area/name\"");
  if (files.size() > skill_files_max) return refuse("it has more than " + std::to_string(skill_files_max) + " files");
  std::size_t total = 0;
  for (auto const& f : files) total += f.data.size();
  if (total > skill_bytes_max) return refuse("its files are larger than 16 MiB together");
  auto const main = std::ranges::find(files, "SKILL.md", &skill_file::path);
  if (main == files.end()) return refuse("there is no SKILL.md");
  auto const front = read_front_matter(main->data);
  if (!front || front->name.empty() || front->description.empty())
    return refuse("SKILL.md must begin with a front matter that has a name and a description");
  if (front->name != path.substr(path.rfind('/') + 1))
    return refuse("its name is \"" + front->name + "\", the last part of the path is not");

  skill_data out;
  out.root = "skill://" + path;
  out.uri = out.root + "/SKILL.md";
  std::string list = "[";
  std::ranges::sort(files, {}, &skill_file::path);
  for (auto& f : files) {
    auto const uri = out.root + "/" + f.path;
    if (list.size() > 1) list += ',';
    list += '{';
    put_string(list, "uri", uri);
    put_string(list, "digest", "sha256:" + content_hash(f.data));
    put_raw(list, "size", std::to_string(f.data.size()));
    list += '}';
    auto mime = f.mime_type.empty() ? mime_of(f.path) : f.mime_type;
    bool const binary = !is_text_type(mime);
    out.files[uri] = {.uri = uri, .mime_type = std::move(mime), .data = std::move(f.data), .binary = binary};
  }
  out.entry = "{";
  put_string(out.entry, "uri", out.uri);
  put_raw(out.entry, "frontmatter", front->json);
  put_raw(out.entry, "resources", list + "]");
  out.entry += '}';
  return out;
}

}  // namespace wherry::inline v0::mcp::detail
