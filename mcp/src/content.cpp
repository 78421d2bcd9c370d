#include <wherry/mcp/content.hpp>

#include "content_json.hpp"
#include "json_view.hpp"

#include <array>

namespace wherry::inline v0::mcp {

using namespace detail;

content content::text(std::string text) { return {.kind = kind_type::text, .data = std::move(text)}; }
content content::image(std::string bytes, std::string mime_type) {
  return {.kind = kind_type::image, .data = std::move(bytes), .mime_type = std::move(mime_type)};
}
content content::audio(std::string bytes, std::string mime_type) {
  return {.kind = kind_type::audio, .data = std::move(bytes), .mime_type = std::move(mime_type)};
}
content content::link(std::string uri, std::string name, std::string description) {
  content block{.kind = kind_type::link, .name = std::move(name), .description = std::move(description)};
  block.resource.uri = std::move(uri);
  return block;
}
content content::embedded(resource_contents contents) {
  content block{.kind = kind_type::resource};
  block.resource = std::move(contents);
  return block;
}

std::string call_result::text() const {
  std::string all;
  for (auto const& block : content) {
    if (block.kind != content::kind_type::text) continue;
    if (!all.empty()) all += '\n';
    all += block.data;
  }
  return all;
}

// ---------------------------------------------------------------- base64

namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr auto digit_of = [] {
  std::array<std::int8_t, 256> table{};
  table.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  return table;
}();

void append_base64(std::string& out, std::string_view bytes) {
  auto const byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])); };
  out.reserve(out.size() + (bytes.size() + 2) / 3 * 4 + 2);
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    auto const v = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    char const four[] = {alphabet[v >> 18], alphabet[v >> 12 & 63], alphabet[v >> 6 & 63], alphabet[v & 63]};
    out.append(four, 4);
  }
  auto const rest = bytes.size() - i;
  if (rest == 0) return;
  auto const v = byte(i) << 16 | (rest == 2 ? byte(i + 1) << 8 : 0);
  out += alphabet[v >> 18];
  out += alphabet[v >> 12 & 63];
  out += rest == 2 ? alphabet[v >> 6 & 63] : '=';
  out += '=';
}

}  // namespace

std::string to_base64(std::string_view bytes) {
  std::string out;
  append_base64(out, bytes);
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t const padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  auto const digits = text.substr(0, text.size() - padding);
  std::string out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  int count = 0;
  for (char const c : digits) {
    auto const d = digit_of[static_cast<unsigned char>(c)];
    if (d < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(d);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 0xFF);
  }
  if ((bits & ((1u << count) - 1)) != 0) return std::nullopt;
  return out;
}

// ---------------------------------------------------------------- writing

namespace detail {

namespace {

void comma(std::string& object) {
  if (object.back() != '{') object += ',';
}

void put_base64(std::string& object, std::string_view name, std::string_view bytes) {
  comma(object);
  object.append("\"").append(name).append("\":\"");
  append_base64(object, bytes);
  object += '"';
}

void put_notes(std::string& object, std::optional<annotations> const& notes) {
  if (!notes) return;
  std::string out = "{";
  if (!notes->audience.empty()) {
    std::string list = "[";
    for (auto const& who : notes->audience) {
      if (list.size() > 1) list += ',';
      append_string(list, who);
    }
    put_raw(out, "audience", list + "]");
  }
  if (notes->priority) {
    std::string number;
    append_number(number, *notes->priority);
    put_raw(out, "priority", number);
  }
  put_text(out, "lastModified", notes->last_modified);
  put_raw(object, "annotations", out + "}");
}

}  // namespace

void put_raw(std::string& object, std::string_view name, std::string_view raw) {
  comma(object);
  object.append("\"").append(name).append("\":").append(raw);
}

void put_string(std::string& object, std::string_view name, std::string_view text) {
  comma(object);
  object.append("\"").append(name).append("\":");
  append_string(object, text);
}

void put_text(std::string& object, std::string_view name, std::string_view text) {
  if (!text.empty()) put_string(object, name, text);
}

void put_icons(std::string& object, std::vector<icon> const& icons) {
  if (icons.empty()) return;
  std::string list = "[";
  for (auto const& i : icons) {
    if (list.size() > 1) list += ',';
    list += '{';
    put_string(list, "src", i.src);
    put_text(list, "mimeType", i.mime_type);
    if (!i.sizes.empty()) {
      std::string sizes = "[";
      for (auto const& s : i.sizes) {
        if (sizes.size() > 1) sizes += ',';
        append_string(sizes, s);
      }
      put_raw(list, "sizes", sizes + "]");
    }
    put_text(list, "theme", i.theme);
    list += '}';
  }
  put_raw(object, "icons", list + "]");
}

void append_contents(std::string& out, resource_contents const& contents) {
  out += '{';
  put_string(out, "uri", contents.uri);
  put_text(out, "mimeType", contents.mime_type);
  if (contents.binary)
    put_base64(out, "blob", contents.data);
  else
    put_string(out, "text", contents.data);
  out += '}';
}

void append_content(std::string& out, content const& block) {
  if (!block.source.text.empty()) {
    out += block.source.text;
    return;
  }
  out += '{';
  switch (block.kind) {
    case content::kind_type::text:
      out += R"("type":"text")";
      put_string(out, "text", block.data);
      break;
    case content::kind_type::image:
    case content::kind_type::audio:
      out += block.kind == content::kind_type::image ? R"("type":"image")" : R"("type":"audio")";
      put_base64(out, "data", block.data);
      put_string(out, "mimeType", block.mime_type);
      break;
    case content::kind_type::link:
      out += R"("type":"resource_link")";
      put_string(out, "uri", block.resource.uri);
      put_string(out, "name", block.name);
      put_text(out, "description", block.description);
      put_text(out, "mimeType", block.mime_type);
      break;
    case content::kind_type::resource:
      out += R"("type":"resource","resource":)";
      append_contents(out, block.resource);
      break;
    case content::kind_type::other: out += R"("type":"text","text":"")"; break;
  }
  put_notes(out, block.notes);
  out += '}';
}

void append_prompt_message(std::string& out, prompt_message const& m) {
  out += m.from_user ? R"({"role":"user","content":)" : R"({"role":"assistant","content":)";
  append_content(out, m.content);
  out += '}';
}

void append_text_result(std::string& out, std::string_view text, bool failed) {
  out += R"("content":[{"type":"text","text":)";
  append_string(out, text);
  out += failed ? R"(}],"isError":true)" : "}]";
}

void append_call_result(std::string& out, call_result const& r, revision const& rev) {
  out += R"("content":[)";
  bool first = true;
  for (auto const& block : r.content) {
    if (!first) out += ',';
    first = false;
    append_content(out, block);
  }
  out += ']';
  auto const& value = r.structured.text;
  if (!value.empty() && rev.structured && (rev.any_structured || is_object(value)))
    out.append(R"(,"structuredContent":)").append(value);
  if (r.failed) out += R"(,"isError":true)";
  if (!r.meta.text.empty()) out.append(R"(,"_meta":)").append(r.meta.text);
}

// ---------------------------------------------------------------- reading

namespace {

error malformed(std::string what) { return {errc::parse_error, "the peer sent " + std::move(what), "mcp"}; }

std::string text_of(std::string_view object, std::string_view name) {
  return string_member(object, name).value_or(std::string{});
}

}  // namespace

result<resource_contents> read_contents(std::string_view raw) {
  auto uri = string_member(raw, "uri");
  if (!uri) return malformed("contents of a resource without a uri");
  resource_contents out{.uri = std::move(*uri), .mime_type = text_of(raw, "mimeType")};
  if (auto const blob = member(raw, "blob"); !blob.empty()) {
    auto bytes = is_string(blob) ? from_base64(unquoted(blob)) : std::nullopt;
    if (!bytes) return malformed("a blob that is not base64 (" + out.uri + ")");
    out.data = std::move(*bytes);
    out.binary = true;
    return out;
  }
  auto text = string_member(raw, "text");
  if (!text) return malformed("contents of a resource with neither text nor blob (" + out.uri + ")");
  out.data = std::move(*text);
  return out;
}

content read_content(std::string_view raw) {
  content out{.kind = content::kind_type::other};
  out.source.text = std::string(raw);
  auto const type = text_of(raw, "type");
  if (type == "text") {
    out.kind = content::kind_type::text;
    out.data = text_of(raw, "text");
  } else if (type == "image" || type == "audio") {
    if (auto bytes = from_base64(text_of(raw, "data"))) {
      out.kind = type == "image" ? content::kind_type::image : content::kind_type::audio;
      out.data = std::move(*bytes);
      out.mime_type = text_of(raw, "mimeType");
    }
  } else if (type == "resource_link") {
    out.kind = content::kind_type::link;
    out.resource.uri = text_of(raw, "uri");
    out.name = text_of(raw, "name");
    out.description = text_of(raw, "description");
    out.mime_type = text_of(raw, "mimeType");
  } else if (type == "resource") {
    if (auto contents = read_contents(member(raw, "resource"))) {
      out.kind = content::kind_type::resource;
      out.resource = std::move(*contents);
    }
  }
  return out;
}

result<call_result> read_call_result(std::string_view raw) {
  call_result out;
  auto const list = member(raw, "content");
  if (!list.empty() && !is_array(list)) return malformed("a tool result whose content is no array");
  if (!list.empty())
    each_item(list, [&](std::string_view item) { return out.content.push_back(read_content(item)), true; });
  out.structured.text = std::string(member(raw, "structuredContent"));
  if (list.empty() && out.structured.text.empty())
    return malformed("a tool result with neither content nor structuredContent");
  out.failed = member(raw, "isError") == "true";
  out.meta.text = std::string(member(raw, "_meta"));
  return out;
}

result<prompt_message> read_prompt_message(std::string_view raw) {
  auto const role = text_of(raw, "role");
  if (role != "user" && role != "assistant") return malformed("a message whose role is neither user nor assistant");
  auto const block = member(raw, "content");
  if (!is_object(block)) return malformed("a message without content");
  return prompt_message{.from_user = role == "user", .content = read_content(block)};
}

}  // namespace detail
}  // namespace wherry::inline v0::mcp
