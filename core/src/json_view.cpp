#include <wherry/core/json_view.hpp>
#include <wherry/core/text.hpp>

#include "json_scanner.hpp"

#include <charconv>
#include <cmath>

namespace wherry::inline v0::json_view {
namespace {

struct hears_nothing {
  bool begin(bool) { return true; }
  bool end() { return true; }
  bool key(std::string_view, bool) { return true; }
  bool string(std::string_view, bool) { return true; }
  bool number(std::string_view) { return true; }
  bool word(char) { return true; }
};

char unescaped(char c) noexcept {
  switch (c) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return c;
  }
}

}  // namespace

json_fault check_json(std::string_view text, std::size_t depth_max) noexcept {
  hears_nothing nothing;
  return json_scanner(text, depth_max, nothing).run();
}

char const* value_end(char const* p, char const* end) noexcept {
  if (*p == '"') return string_end(p + 1, end) + 1;
  if (*p != '{' && *p != '[') {
    while (p != end && *p != ',' && *p != '}' && *p != ']' && !is_space(*p)) ++p;
    return p;
  }
  std::size_t depth = 0;
  for (;; ++p) {
    if (*p == '"') {
      p = string_end(p + 1, end);
    } else if (*p == '{' || *p == '[') {
      ++depth;
    } else if ((*p == '}' || *p == ']') && --depth == 0) {
      return p + 1;
    }
  }
}

std::string unquoted(std::string_view raw) {
  std::string out;
  if (!is_string(raw)) return out;
  char const* p = raw.data() + 1;
  char const* const end = raw.data() + raw.size() - 1;
  out.reserve(static_cast<std::size_t>(end - p));
  while (p != end) {
    auto const* const run = p;
    while (p != end && *p != '\\') {
      auto const* const next = plain_run(p, end);
      p = next == p ? p + 1 : next;
    }
    out.append(run, p);
    if (p == end) break;
    if (p[1] != 'u') {
      out += unescaped(p[1]);
      p += 2;
      continue;
    }
    auto unit = static_cast<std::uint32_t>(code_unit(p + 2, end));
    p += 6;
    if (unit >= 0xD800 && unit <= 0xDBFF) {
      auto const low = static_cast<std::uint32_t>(code_unit(p + 2, end));
      unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
      p += 6;
    }
    append_utf8(out, unit);
  }
  return out;
}

std::string_view member(std::string_view object, std::string_view name) {
  std::string_view found;
  if (!is_object(object)) return found;
  each_member(object, [&](std::string_view key, std::string_view value) {
    if (key != name) return true;
    found = value;
    return false;
  });
  return found;
}

std::optional<std::string> string_member(std::string_view object, std::string_view name) {
  auto const raw = member(object, name);
  if (!is_string(raw)) return std::nullopt;
  return unquoted(raw);
}

std::optional<std::int64_t> integer_in(std::string_view raw) noexcept {
  std::int64_t value = 0;
  auto const [at, ec] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  if (ec != std::errc{} || at != raw.data() + raw.size()) return std::nullopt;
  return value;
}

std::optional<double> number_in(std::string_view raw) noexcept {
  double value = 0;
  auto const [at, ec] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  if (ec != std::errc{} || at != raw.data() + raw.size()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> integer_member(std::string_view object, std::string_view name) {
  return integer_in(member(object, name));
}

void append_string(std::string& out, std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  out += '"';
  char const* p = text.data();
  char const* const end = p + text.size();
  while (p != end) {
    auto const* const run = p;
    for (;;) {  // plain bytes and whole UTF-8 sequences are copied together
      p = plain_run(p, end);
      if (p == end || static_cast<unsigned char>(*p) < 0x80) break;
      auto const* const next = sequence_end(p, end);
      if (!next) break;
      p = next;
    }
    out.append(run, p);
    if (p == end) break;
    char const c = *p++;
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) >= 0x80) {
          out += "\xEF\xBF\xBD";
        } else {
          out += "\\u00";
          out += digits[c >> 4];
          out += digits[c & 15];
        }
    }
  }
  out += '"';
}

void append_integer(std::string& out, std::int64_t value) {
  char text[24];
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

void append_number(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  if (value == std::trunc(value) && std::abs(value) < 9e15)
    return append_integer(out, static_cast<std::int64_t>(value));
  char text[40];
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

}  // namespace wherry::inline v0::json_view
