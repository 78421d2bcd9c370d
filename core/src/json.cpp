#include <wherry/core/json.hpp>
#include <wherry/core/text.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace wherry::inline v0 {
namespace {

// nlohmann/json has no arbitrary precision; an integer that does not fit is kept as binary with this subtype.
constexpr std::uint64_t big_integer_subtype = 0x62696769;  // "bigi"

error broken(std::size_t offset, std::string const& what) {
  return {errc::parse_error, "JSON is not valid at byte " + std::to_string(offset) + ": " + what, "json.parse"};
}

// One linear pass before the recursive-free parser: nesting only, so that depth is bounded whatever follows.
std::size_t first_too_deep(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char const c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > json_depth_max) return i;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return std::string_view::npos;
}

// Builds the value and refuses duplicate keys.
class builder : public nlohmann::json_sax<json> {
 public:
  explicit builder(repeated_keys repeated) : repeated_(repeated) {}

  json root;
  std::string failure;
  std::size_t failure_at = 0;

  bool null() override { return put(json(nullptr)); }
  bool boolean(bool v) override { return put(json(v)); }
  bool number_integer(number_integer_t v) override { return put(json(v)); }
  bool number_unsigned(number_unsigned_t v) override { return put(json(v)); }
  bool number_float(number_float_t v, string_t const& text) override {
    if (text.find_first_of(".eE") != std::string::npos) return put(json(v));
    std::vector<std::uint8_t> digits(text.begin(), text.end());
    return put(json::binary(std::move(digits), big_integer_subtype));
  }
  bool string(string_t& v) override { return put(json(std::move(v))); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override {
    many_keys_.emplace_back();
    return open(json::object());
  }
  bool end_object() override {
    many_keys_.pop_back();
    stack_.pop_back();
    return true;
  }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_array() override {
    stack_.pop_back();
    return true;
  }
  bool key(string_t& v) override {
    if (stands_already(v)) {
      replaces_ = repeated_ == repeated_keys::keep_last;
      key_ = v;
      if (replaces_) return true;
      failure = "the key \"" + v + "\" stands twice in one object";
      return false;
    }
    key_ = std::move(v);
    return true;
  }
  bool parse_error(std::size_t position, std::string const&, nlohmann::detail::exception const& e) override {
    failure_at = position;
    std::string text = e.what();
    auto const colon = text.rfind("; last read");
    if (colon != std::string::npos) text.resize(colon);
    auto const start = text.find("parse error");
    failure = start == std::string::npos ? text : text.substr(start);
    return false;
  }

 private:
  json* place(json v) {
    if (stack_.empty()) {
      root = std::move(v);
      return &root;
    }
    json& top = *stack_.back();
    if (top.is_array()) {
      top.push_back(std::move(v));
      return &top.back();
    }
    if (std::exchange(replaces_, false)) return &(top[key_] = std::move(v));
    // keys were checked above: append without the linear search of ordered_json::operator[]
    auto& object = top.get_ref<json::object_t&>();
    static_cast<std::vector<json::object_t::value_type>&>(object).emplace_back(std::move(key_), std::move(v));
    return &object.back().second;
  }
  bool put(json v) {
    place(std::move(v));
    return true;
  }
  bool open(json v) {
    stack_.push_back(place(std::move(v)));
    return true;
  }

  // Whether the open object has this key. Few keys are compared one by one; many are kept in a set.
  bool stands_already(std::string const& key) {
    static constexpr std::size_t few = 16;
    auto const& object = stack_.back()->get_ref<json::object_t const&>();
    auto& many = many_keys_.back();
    if (object.size() < few)
      return std::any_of(object.begin(), object.end(), [&](auto const& member) { return member.first == key; });
    if (many.empty())
      for (auto const& member : object) many.insert(member.first);
    return !many.insert(key).second;
  }

  repeated_keys repeated_;
  bool replaces_ = false;  // the value that comes stands in place of one that is there
  std::vector<json*> stack_;
  std::vector<std::set<std::string>> many_keys_;
  std::string key_;
};

constexpr auto needs_escape = [] {
  std::array<bool, 256> table{};
  for (std::size_t c = 0; c < 0x20; ++c) table[c] = true;
  table['"'] = table['\\'] = true;
  return table;
}();

template <class Integer>
void write_integer(std::string& out, Integer value) {
  char text[24];
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

void write(std::string& out, json const& v) {
  switch (v.type()) {
    case json::value_t::string: append_json_string(out, v.get_ref<std::string const&>()); return;
    case json::value_t::boolean: out += v.get<bool>() ? "true" : "false"; return;
    case json::value_t::null: out += "null"; return;
    case json::value_t::number_integer: write_integer(out, v.get<std::int64_t>()); return;
    case json::value_t::number_unsigned: write_integer(out, v.get<std::uint64_t>()); return;
    case json::value_t::object: {
      out += '{';
      bool first = true;
      for (auto const& [key, member] : v.get_ref<json::object_t const&>()) {
        if (!std::exchange(first, false)) out += ',';
        append_json_string(out, key);
        out += ':';
        write(out, member);
      }
      out += '}';
      return;
    }
    case json::value_t::array: {
      out += '[';
      bool first = true;
      for (auto const& item : v) {
        if (!std::exchange(first, false)) out += ',';
        write(out, item);
      }
      out += ']';
      return;
    }
    case json::value_t::binary:
      if (is_big_integer(v)) {
        out += big_integer_text(v);
        return;
      }
      [[fallthrough]];
    default: out += v.dump(-1, ' ', false, json::error_handler_t::replace);
  }
}

}  // namespace

// As nlohmann/json writes it, without its serializer's set-up for each string.
void append_json_string(std::string& out, std::string_view text) {
  if (!is_valid_utf8(text)) {
    append_json_string(out, utf8_repaired(text));
    return;
  }
  static constexpr char digits[] = "0123456789abcdef";
  out += '"';
  std::size_t plain = 0;  // where the stretch begins that needs no escape
  for (std::size_t i = 0; i < text.size(); ++i) {
    char const c = text[i];
    if (!needs_escape[static_cast<unsigned char>(c)]) continue;
    out.append(text, plain, i - plain);
    plain = i + 1;
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        out += "\\u00";
        out += digits[c >> 4];
        out += digits[c & 15];
    }
  }
  out.append(text, plain);
  out += '"';
}

result<json> parse_json(std::string_view text, repeated_keys repeated) {
  if (auto const at = utf8_error_at(text); at != text.size()) return broken(at, "the text is not UTF-8");
  if (auto const at = first_too_deep(text); at != std::string_view::npos)
    return broken(at, "nesting is deeper than " + std::to_string(json_depth_max));
  // nlohmann/json takes a zero byte for the end of its input.
  if (auto const at = text.find('\0'); at != std::string_view::npos) return broken(at, "a zero byte stands there");
  builder sink(repeated);
  if (!json::sax_parse(text.begin(), text.end(), &sink)) return broken(sink.failure_at, sink.failure);
  return std::move(sink.root);
}

std::string to_text(json const& value) {
  std::string out;
  write(out, value);
  return out;
}

bool is_big_integer(json const& value) {
  return value.is_binary() && value.get_binary().has_subtype() && value.get_binary().subtype() == big_integer_subtype;
}

std::string big_integer_text(json const& value) {
  auto const& bytes = value.get_binary();
  return {bytes.begin(), bytes.end()};
}

}  // namespace wherry::inline v0
