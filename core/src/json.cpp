#include <wherry/core/json.hpp>
#include <wherry/core/json_view.hpp>

#include "json_scanner.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
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

// Builds the value; refuses keys that stand twice and numbers that no double can hold.
class builder {
 public:
  explicit builder(repeated_keys repeated) : repeated_(repeated) {}

  json root;
  std::string failure;  ///< What was refused, when it was this that ended the reading.

  bool word(char first) { return put(first == 'n' ? json(nullptr) : json(first == 't')); }
  bool string(std::string_view raw, bool escaped) { return put(json(text_of(raw, escaped))); }
  bool number(std::string_view raw) {
    if (raw.find_first_of(".eE") != std::string_view::npos) return real(raw);
    std::uint64_t natural = 0;
    std::int64_t negative = 0;
    auto const* const end = raw.data() + raw.size();
    auto const read =
        raw.front() == '-' ? std::from_chars(raw.data(), end, negative) : std::from_chars(raw.data(), end, natural);
    if (read.ec == std::errc{}) return put(raw.front() == '-' ? json(negative) : json(natural));
    std::vector<std::uint8_t> digits(raw.begin(), raw.end());
    return put(json::binary(std::move(digits), big_integer_subtype));
  }
  bool begin(bool object) {
    if (object) many_keys_.emplace_back();
    stack_.push_back(place(object ? json::object() : json::array()));
    return true;
  }
  bool end() {
    if (stack_.back()->is_object()) many_keys_.pop_back();
    stack_.pop_back();
    return true;
  }
  bool key(std::string_view raw, bool escaped) {
    key_ = text_of(raw, escaped);
    if (!stands_already(key_)) return true;
    replaces_ = repeated_ == repeated_keys::keep_last;
    if (!replaces_) failure = "the key \"" + key_ + "\" stands twice in one object";
    return replaces_;
  }

 private:
  static std::string text_of(std::string_view raw, bool escaped) {
    return escaped ? json_view::unquoted(raw) : std::string(raw.substr(1, raw.size() - 2));
  }

  bool real(std::string_view raw) {
    double value = 0;
    auto const read = std::from_chars(raw.data(), raw.data() + raw.size(), value);
    if (read.ec == std::errc::result_out_of_range) {  // too large, or as good as zero
      value = std::strtod(std::string(raw).c_str(), nullptr);
      if (!std::isfinite(value)) {
        failure = "the number is larger than a double can hold";
        return false;
      }
    }
    return put(json(value));
  }

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

void append_json_string(std::string& out, std::string_view text) { json_view::append_string(out, text); }

result<json> parse_json(std::string_view text, repeated_keys repeated) {
  builder to(repeated);
  auto const fault = json_view::json_scanner(text, json_depth_max, to).run();
  if (!fault) return std::move(to.root);
  if (fault.what == json_view::too_deep)
    return broken(fault.at, "nesting is deeper than " + std::to_string(json_depth_max));
  return broken(fault.at, to.failure.empty() ? fault.what : to.failure);
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
