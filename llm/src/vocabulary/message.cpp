#include <wherry/core/base64.hpp>
#include <wherry/core/json.hpp>
#include <wherry/core/text.hpp>
#include <wherry/llm/message.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace wherry::inline v0 {
namespace {

constexpr std::array part_names = {"text",  "reasoning", "tool_call", "tool_result", "image",
                                   "audio", "file",      "citation",  "provider"};
static_assert(part_names.size() == std::variant_size_v<content_part>);

constexpr std::array role_names = {"system", "user", "assistant", "tool"};

constexpr std::size_t json_bytes_usual = 256;  // a short message; longer ones grow

/// The bytes of a part, from base64.
result<std::string> bytes_from(std::string const& text) {
  auto bytes = from_base64(text);
  if (!bytes) return error{errc::parse_error, "the bytes of a message part are not base64", "message.from_json"};
  return bytes;
}

// Text that is not UTF-8 (a model may stop inside a code point) is kept exactly, as base64 beside the readable form.
void put_text(json& j, char const* key, std::string const& text) {
  if (is_valid_utf8(text)) {
    j[key] = text;
  } else {
    j[key] = utf8_repaired(text);
    j[std::string(key) + "_bytes"] = to_base64(text);
  }
}

struct writer {
  json operator()(text_part const& p) const {
    json j;
    put_text(j, "text", p.text);
    return j;
  }
  json operator()(reasoning_part const& p) const {
    json j;
    put_text(j, "text", p.text);
    if (!p.signature.empty()) j["signature"] = to_base64(p.signature);
    return j;
  }
  json operator()(tool_call const& p) const {
    json j;
    j["id"] = p.id;
    j["name"] = p.name;
    put_text(j, "arguments", p.arguments);
    return j;
  }
  json operator()(tool_result const& p) const {
    json j;
    j["call_id"] = p.call_id;
    j["name"] = p.name;
    put_text(j, "content", p.content);
    if (p.failed) j["failed"] = true;
    return j;
  }
  json operator()(image_part const& p) const { return media(p); }
  json operator()(audio_part const& p) const { return media(p); }
  json operator()(file_part const& p) const {
    json j = media(p);
    j["name"] = p.name;
    return j;
  }
  json operator()(citation_part const& p) const {
    json j;
    put_text(j, "text", p.text);
    j["source"] = p.source;
    j["begin"] = p.begin;
    j["end"] = p.end;
    j["source_hash"] = p.source_hash;
    return j;
  }
  json operator()(provider_part const& p) const {
    json j;
    j["provider"] = p.provider;
    j["bytes"] = to_base64(p.bytes);
    return j;
  }
  template <class Media>
  static json media(Media const& p) {
    json j;
    j["media_type"] = p.media_type;
    if (!p.bytes.empty()) j["bytes"] = to_base64(p.bytes);
    if (!p.uri.empty()) j["uri"] = p.uri;
    return j;
  }
};

// Reads the members of one part; the first missing or ill-typed member is remembered.
class reader {
 public:
  explicit reader(json const& part) : part_(part) {}

  std::string text(char const* key) {
    if (auto const exact = part_.find(std::string(key) + "_bytes"); exact != part_.end()) return decoded(*exact);
    return string(key, true);
  }
  std::string string(char const* key, bool required) {
    auto const at = part_.find(key);
    if (at == part_.end()) {
      if (required) fail(std::string("a message part lacks \"") + key + '"');
      return {};
    }
    if (!at->is_string()) {
      fail(std::string("\"") + key + "\" of a message part is not a string");
      return {};
    }
    return at->get<std::string>();
  }
  std::string bytes(char const* key) {
    auto const at = part_.find(key);
    return at == part_.end() ? std::string{} : decoded(*at);
  }
  std::size_t size(char const* key) {
    auto const at = part_.find(key);
    if (at == part_.end() || !at->is_number_unsigned()) {
      fail(std::string("\"") + key + "\" of a message part is not a length");
      return 0;
    }
    return at->get<std::size_t>();
  }
  bool flag(char const* key) {
    auto const at = part_.find(key);
    return at != part_.end() && at->is_boolean() && at->get<bool>();
  }
  std::optional<error> failure;

 private:
  std::string decoded(json const& value) {
    if (!value.is_string()) {
      fail("the bytes of a message part are not a string");
      return {};
    }
    auto bytes = bytes_from(value.get_ref<std::string const&>());
    if (!bytes) {
      failure = std::move(bytes).error();
      return {};
    }
    return std::move(*bytes);
  }
  void fail(std::string what) {
    if (!failure) failure = error{errc::parse_error, std::move(what), "message.from_json"};
  }
  json const& part_;
};

content_part read_part(part_kind kind, reader& r) {
  switch (kind) {
    case part_kind::text: return text_part{r.text("text")};
    case part_kind::reasoning: {
      auto text = r.text("text");
      return reasoning_part{std::move(text), r.bytes("signature")};
    }
    case part_kind::tool_call: {
      auto id = r.string("id", true), name = r.string("name", true);
      return tool_call{std::move(id), std::move(name), r.text("arguments")};
    }
    case part_kind::tool_result: {
      auto id = r.string("call_id", true), name = r.string("name", true), content = r.text("content");
      return tool_result{std::move(id), std::move(name), std::move(content), r.flag("failed")};
    }
    case part_kind::image: {
      auto type = r.string("media_type", false), bytes = r.bytes("bytes");
      return image_part{std::move(type), std::move(bytes), r.string("uri", false)};
    }
    case part_kind::audio: {
      auto type = r.string("media_type", false), bytes = r.bytes("bytes");
      return audio_part{std::move(type), std::move(bytes), r.string("uri", false)};
    }
    case part_kind::file: {
      auto name = r.string("name", false), type = r.string("media_type", false), bytes = r.bytes("bytes");
      return file_part{std::move(name), std::move(type), std::move(bytes), r.string("uri", false)};
    }
    case part_kind::citation: {
      auto text = r.text("text"), source = r.string("source", true);
      auto const begin = r.size("begin"), end = r.size("end");
      return citation_part{std::move(text), std::move(source), begin, end, r.string("source_hash", true)};
    }
    case part_kind::provider: {
      auto provider = r.string("provider", true);
      return provider_part{std::move(provider), r.bytes("bytes")};
    }
  }
  return text_part{};
}

}  // namespace

char const* to_string(role r) noexcept { return role_names[static_cast<std::size_t>(r)]; }
char const* to_string(part_kind kind) noexcept { return part_names[static_cast<std::size_t>(kind)]; }

std::string message::text() const {
  std::string out;
  for (auto const& part : parts)
    if (auto const* text = std::get_if<text_part>(&part)) out += text->text;
  return out;
}

std::vector<tool_call> message::tool_calls() const {
  std::vector<tool_call> out;
  for (auto const& part : parts)
    if (auto const* call = std::get_if<tool_call>(&part)) out.push_back(*call);
  return out;
}

json to_json(message const& m) {
  json parts = json::array();
  for (auto const& part : m.parts) {
    json one;
    one["type"] = to_string(kind_of(part));
    json const body = std::visit(writer{}, part);
    for (auto const& [key, value] : body.items()) one[key] = value;
    parts.push_back(std::move(one));
  }
  json out;
  out["role"] = to_string(m.role);
  out["parts"] = std::move(parts);
  return out;
}

json to_json(tool_call const& call) {
  json j;
  j["id"] = utf8_repaired(call.id);
  j["name"] = utf8_repaired(call.name);
  j["arguments"] = utf8_repaired(call.arguments);
  return j;
}

json to_json(tool_result const& r) {
  json j;
  j["call_id"] = utf8_repaired(r.call_id);
  j["name"] = utf8_repaired(r.name);
  j["content"] = utf8_repaired(r.content);
  j["failed"] = r.failed;
  return j;
}

std::string to_json_text(message const& m) {
  // Text, calls and results are what a session writes at every step; the rarer parts go through json.
  std::string out;
  out.reserve(json_bytes_usual);
  out.append("{\"role\":\"").append(to_string(m.role)).append("\",\"parts\":[");
  auto const member = [&out](char const* name, std::string const& text) {
    out.append(",\"").append(name).append("\":");
    append_json_string(out, text);
    if (!is_valid_utf8(text)) out.append(",\"").append(name).append("_bytes\":\"").append(to_base64(text)).append("\"");
  };
  bool first = true;
  for (auto const& part : m.parts) {
    if (!std::exchange(first, false)) out += ',';
    out.append("{\"type\":\"").append(to_string(kind_of(part))).append("\"");
    if (auto const* text = std::get_if<text_part>(&part)) {
      member("text", text->text);
    } else if (auto const* call = std::get_if<tool_call>(&part);
               call && is_valid_utf8(call->id) && is_valid_utf8(call->name)) {
      member("id", call->id);
      member("name", call->name);
      member("arguments", call->arguments);
    } else if (auto const* r = std::get_if<tool_result>(&part);
               r && is_valid_utf8(r->call_id) && is_valid_utf8(r->name)) {
      member("call_id", r->call_id);
      member("name", r->name);
      member("content", r->content);
      if (r->failed) out += ",\"failed\":true";
    } else {
      auto const body = to_text(std::visit(writer{}, part));  // {"...":...}
      if (body.size() > 2) out.append(",").append(body, 1, body.size() - 2);
    }
    out += '}';
  }
  return out += "]}";
}

result<message> message_from_json(json const& j) {
  auto const bad = [](std::string what) { return error{errc::parse_error, std::move(what), "message.from_json"}; };
  if (!j.is_object() || !j.contains("role") || !j.contains("parts") || !j["role"].is_string() || !j["parts"].is_array())
    return bad("a message is an object with \"role\" and \"parts\"");
  message out;
  auto const& name = j["role"].get_ref<std::string const&>();
  auto const known = std::find(role_names.begin(), role_names.end(), name);
  if (known == role_names.end()) return bad("\"" + name + "\" is no role; roles are system, user, assistant, tool");
  out.role = static_cast<role>(known - role_names.begin());
  for (auto const& part : j["parts"]) {
    if (!part.is_object() || !part.contains("type") || !part["type"].is_string())
      return bad("a message part is an object with \"type\"");
    auto const& type = part["type"].get_ref<std::string const&>();
    auto const kind = std::find(part_names.begin(), part_names.end(), type);
    if (kind == part_names.end()) return bad("\"" + type + "\" is no kind of message part");
    reader r(part);
    out.parts.push_back(read_part(static_cast<part_kind>(kind - part_names.begin()), r));
    if (r.failure) return std::move(*r.failure);
  }
  return out;
}

}  // namespace wherry::inline v0
