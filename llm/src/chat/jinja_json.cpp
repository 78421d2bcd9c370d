// JSON into values and back.
#include "chat/jinja_value.hpp"
#include "chat/unicode.hpp"

#include <wherry/core/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace wherry::inline v0::detail::chat {
namespace {

value big_number(std::string digits, text_origin origin) {
  return {big_integer{std::make_shared<std::string const>(std::move(digits))}, origin};
}

value from_unsigned(std::uint64_t number, text_origin origin) {
  constexpr auto highest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (number > highest) return big_number(std::to_string(number), origin);
  return integer(static_cast<std::int64_t>(number), origin);
}

class json_writer {
 public:
  json_writer(workspace& space, json_style const& style, text_origin punctuation)
      : space_(space), style_(style), punctuation_(punctuation) {}

  marked_text run(value const& v) {
    write(v);
    space_.count_text(out_.size());
    return std::move(out_);
  }

 private:
  void write(value const& v) {
    descent const level(space_);
    space_.step();
    space_.check_size(out_.size());
    if (auto const* text = v.text())
      write_string(*text);
    else if (auto const* list = v.list())
      write_list(*list);
    else if (auto const* dict = v.dict())
      write_dict(*dict);
    else
      put(scalar(v));
  }

  static std::string scalar(value const& v) {
    if (v.is_none()) return "null";
    if (auto const* b = v.as<bool>()) return *b ? "true" : "false";
    if (auto const* i = v.as<std::int64_t>()) return std::to_string(*i);
    if (auto const* big = v.as<big_integer>()) return *big->digits;
    if (auto const* d = v.as<double>()) {
      if (std::isnan(*d)) return "NaN";
      if (std::isinf(*d)) return *d > 0 ? "Infinity" : "-Infinity";
      return float_text(*d);
    }
    fail("tojson cannot write " + std::string(type_name(v)));
  }

  void write_list(list_object const& list) {
    refuse_lazy(space_, list, "cannot be written as JSON");
    if (list.items.empty()) return put("[]");
    put("[");
    ++depth_;
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      if (i) put(style_.item_separator);
      new_line();
      write(list.items[i]);
    }
    --depth_;
    new_line();
    put("]");
  }

  void write_dict(dict_object const& dict) {
    if (dict.members.empty()) return put("{}");
    std::vector<std::pair<value, value> const*> members;
    for (auto const& member : dict.members) members.push_back(&member);
    if (style_.sort_keys)
      std::stable_sort(members.begin(), members.end(),
                       [&](auto const* a, auto const* b) { return less(space_, a->first, b->first); });
    put("{");
    ++depth_;
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (i) put(style_.item_separator);
      new_line();
      write_key(members[i]->first);
      put(style_.key_separator);
      write(members[i]->second);
    }
    --depth_;
    new_line();
    put("}");
  }

  void write_key(value const& key) {
    if (key.text()) return write_string(*key.text());
    write_string(marked_text(scalar(key), key.origin));
  }

  void write_string(marked_text const& text) {
    put("\"");
    std::string const& bytes = text.bytes();
    for (std::size_t i = 0; i < bytes.size();) {
      std::size_t const size = character_size(bytes, i);
      std::string const escaped = escape(bytes, i);
      if (escaped.empty())
        out_.append(text, i, i + size);
      else
        out_.append(escaped, text.origin_at(i));
      i += size;
    }
    put("\"");
  }

  // The escape of the character at an offset; empty when it stands for itself.
  std::string escape(std::string const& bytes, std::size_t at) const {
    switch (bytes[at]) {
      case '"': return "\\\"";
      case '\\': return "\\\\";
      case '\n': return "\\n";
      case '\r': return "\\r";
      case '\t': return "\\t";
      case '\b': return "\\b";
      case '\f': return "\\f";
      default: break;
    }
    std::uint32_t const code = code_point_at(bytes, at);
    if (code >= 0x20 && (code < 0x7F || !style_.ensure_ascii)) return {};
    if (code == 0x7F) return {};
    if (code < 0x10000) return unit(code);
    return unit(0xD800 + ((code - 0x10000) >> 10)) + unit(0xDC00 + ((code - 0x10000) & 0x3FF));
  }

  static std::string unit(std::uint32_t code) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out = "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) out += digits[(code >> shift) & 15];
    return out;
  }

  void new_line() {
    if (style_.indent < 0) return;
    std::size_t const width = static_cast<std::size_t>(style_.indent) * depth_;
    space_.check_size(out_.size() + width);
    put("\n" + std::string(width, ' '));
  }
  // What is not inside a string is data as soon as any of the value is, whoever gave the separators.
  void put(std::string_view text) { out_.append(text, punctuation_); }

  workspace& space_;
  json_style const& style_;
  text_origin punctuation_;
  marked_text out_;
  std::size_t depth_ = 0;
};

}  // namespace

value from_json(workspace& space, json const& j, text_origin origin) {
  descent const level(space);
  switch (j.type()) {
    case json::value_t::object: {
      std::vector<std::pair<value, value>> members;
      for (auto const& [key, member] : j.get_ref<json::object_t const&>())
        members.emplace_back(space.text(key, origin), from_json(space, member, origin));
      return space.dict(std::move(members), origin);
    }
    case json::value_t::array: {
      std::vector<value> items;
      for (auto const& item : j) items.push_back(from_json(space, item, origin));
      return space.list(std::move(items), origin);
    }
    case json::value_t::string: return space.text(j.get_ref<std::string const&>(), origin);
    case json::value_t::boolean: return boolean(j.get<bool>(), origin);
    case json::value_t::number_integer: return integer(j.get<std::int64_t>(), origin);
    case json::value_t::number_unsigned: return from_unsigned(j.get<std::uint64_t>(), origin);
    case json::value_t::number_float: return {j.get<double>(), origin};
    case json::value_t::binary:
      if (is_big_integer(j)) return big_number(big_integer_text(j), origin);
      fail("a template's context cannot hold binary JSON");
    default: return {none_value{}, origin};
  }
}

marked_text to_json_text(workspace& space, value const& v, json_style const& style) {
  auto const punctuation = holds_data(space, v) ? text_origin::from_data : text_origin::from_template;
  return json_writer(space, style, punctuation).run(v);
}

}  // namespace wherry::inline v0::detail::chat
