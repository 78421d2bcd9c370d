#include "chat/jinja_value.hpp"

#include "chat/unicode.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace wherry::inline v0::detail::chat {

dict_object* value::dict() const noexcept {
  auto* const found = object<dict_object>();
  return found && !found->is_namespace ? found : nullptr;
}

text_origin joined_origin(text_origin a, text_origin b) noexcept { return a == text_origin::from_data ? a : b; }

text_origin origin_of(value const& v) noexcept { return v.text() ? v.text()->overall_origin() : v.origin; }

std::string_view type_name(value const& v) noexcept {
  static constexpr std::array<std::string_view, 11> names = {"undefined", "None", "bool", "int",      "float", "int",
                                                             "str",       "list", "dict", "function", "loop"};
  if (auto const* list = v.list(); list && (list->tuple || list->lazy)) return list->lazy ? "generator" : "tuple";
  if (auto const* dict = v.object<dict_object>(); dict && dict->is_namespace) return "namespace";
  return names[v.data.index()];
}

bool truthy(value const& v) noexcept {
  if (v.is_undefined() || v.is_none()) return false;
  if (auto const* b = v.as<bool>()) return *b;
  if (auto const* i = v.as<std::int64_t>()) return *i != 0;
  if (auto const* d = v.as<double>()) return *d != 0;
  if (auto const* text = v.text()) return !text->empty();
  if (auto const* list = v.list()) return list->lazy || !list->items.empty();
  if (auto const* dict = v.dict()) return !dict->members.empty();
  return true;
}

bool is_number(value const& v) noexcept {
  return v.as<bool>() || v.as<std::int64_t>() || v.as<double>() || v.as<big_integer>();
}

std::int64_t to_integer(value const& v, std::string_view what) {
  if (auto const* i = v.as<std::int64_t>()) return *i;
  if (auto const* b = v.as<bool>()) return *b;
  fail(std::string(what) + " must be an integer, not " + std::string(type_name(v)));
}

std::string float_text(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  std::array<char, 64> buffer;
  auto const end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), number, std::chars_format::scientific).ptr;
  std::string_view const shortest(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
  int const exponent = std::stoi(std::string(shortest.substr(shortest.find('e') + 1)));
  // Python writes an exponent below 1e-4 and from 1e16 on; otherwise digits with a point.
  if (exponent < -4 || exponent >= 16) return std::string(shortest);
  auto const fixed = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number, std::chars_format::fixed).ptr;
  std::string out(buffer.data(), fixed);
  if (out.find('.') == std::string::npos) out += ".0";
  return out;
}

bool holds_data(workspace& space, value const& v) {
  descent const level(space);
  space.step();
  if (origin_of(v) == text_origin::from_data) return true;
  if (auto const* list = v.list())
    return std::any_of(list->items.begin(), list->items.end(),
                       [&](value const& item) { return holds_data(space, item); });
  if (auto const* dict = v.object<dict_object>())
    return std::any_of(dict->members.begin(), dict->members.end(), [&](auto const& member) {
      return holds_data(space, member.first) || holds_data(space, member.second);
    });
  return false;
}

namespace {

// Python's repr of a string.
void append_quoted(marked_text& out, marked_text const& text, text_origin punctuation) {
  std::string const& bytes = text.bytes();
  bool const single = bytes.find('\'') == std::string::npos || bytes.find('"') != std::string::npos;
  char const quote = single ? '\'' : '"';
  out.append(std::string_view(&quote, 1), punctuation);
  for (std::size_t i = 0; i < bytes.size();) {
    std::size_t const size = character_size(bytes, i);
    unsigned char const c = static_cast<unsigned char>(bytes[i]);
    std::string escaped;
    if (c == static_cast<unsigned char>(quote) || c == '\\')
      escaped = {'\\', static_cast<char>(c)};
    else if (c == '\n')
      escaped = "\\n";
    else if (c == '\r')
      escaped = "\\r";
    else if (c == '\t')
      escaped = "\\t";
    else if (c < 0x20 || c == 0x7F) {
      static constexpr char digits[] = "0123456789abcdef";
      escaped = {'\\', 'x', digits[c >> 4], digits[c & 15]};
    }
    if (escaped.empty())
      out.append(text, i, i + size);
    else
      out.append(escaped, text.origin_at(i));
    i += size;
  }
  out.append(std::string_view(&quote, 1), punctuation);
}

void append_repr(workspace& space, marked_text& out, value const& v, text_origin punctuation);

void append_list(workspace& space, marked_text& out, list_object const& list, text_origin punctuation) {
  out.append(list.tuple ? "(" : "[", punctuation);
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    if (i) out.append(", ", punctuation);
    append_repr(space, out, list.items[i], punctuation);
  }
  if (list.tuple && list.items.size() == 1) out.append(",", punctuation);
  out.append(list.tuple ? ")" : "]", punctuation);
}

void append_dict(workspace& space, marked_text& out, dict_object const& dict, text_origin punctuation) {
  out.append(dict.is_namespace ? "<Namespace {" : "{", punctuation);
  bool first = true;
  for (auto const& [key, member] : dict.members) {
    if (!std::exchange(first, false)) out.append(", ", punctuation);
    append_repr(space, out, key, punctuation);
    out.append(": ", punctuation);
    append_repr(space, out, member, punctuation);
  }
  out.append(dict.is_namespace ? "}>" : "}", punctuation);
}

std::string scalar_text(value const& v) {
  if (auto const* b = v.as<bool>()) return *b ? "True" : "False";
  if (auto const* i = v.as<std::int64_t>()) return std::to_string(*i);
  if (auto const* d = v.as<double>()) return float_text(*d);
  if (auto const* big = v.as<big_integer>()) return *big->digits;
  if (v.is_none()) return "None";
  if (auto const* function = v.object<function_object>()) return "<function " + std::string(function->name) + ">";
  if (v.object<loop_object>()) return "<loop>";
  return "";
}

void append_repr(workspace& space, marked_text& out, value const& v, text_origin punctuation) {
  descent const level(space);
  space.step();
  space.check_size(out.size());
  if (auto const* text = v.text())
    append_quoted(out, *text, punctuation);
  else if (auto const* list = v.list())
    append_list(space, out, *list, punctuation);
  else if (auto const* dict = v.object<dict_object>())
    append_dict(space, out, *dict, punctuation);
  else if (v.is_undefined())
    out.append("Undefined", punctuation);
  else
    out.append(scalar_text(v), punctuation);
}

// Integers and booleans as an integer, floats as a float.
struct number {
  bool floating = false;
  std::int64_t integer = 0;
  double real = 0;
};
bool to_number(value const& v, number& out) {
  if (auto const* d = v.as<double>()) {
    out = {true, 0, *d};
    return true;
  }
  if (!v.as<bool>() && !v.as<std::int64_t>()) return false;
  auto const i = v.as<bool>() ? std::int64_t{*v.as<bool>()} : *v.as<std::int64_t>();
  out = {false, i, static_cast<double>(i)};
  return true;
}

bool equal_dicts(workspace& space, dict_object const& a, dict_object const& b) {
  if (a.members.size() != b.members.size()) return false;
  for (auto const& [key, member] : a.members) {
    auto const found = std::find_if(b.members.begin(), b.members.end(), [&, &wanted = key](auto const& other) {
      return equal(space, wanted, other.first);
    });
    if (found == b.members.end() || !equal(space, member, found->second)) return false;
  }
  return true;
}

}  // namespace

marked_text to_text(workspace& space, value const& v) {
  if (auto const* text = v.text()) return *text;
  if (!v.list() && !v.object<dict_object>()) return {scalar_text(v), v.origin};
  if (auto const* list = v.list()) refuse_lazy(space, *list, "cannot be printed");
  marked_text out;
  append_repr(space, out, v, holds_data(space, v) ? text_origin::from_data : text_origin::from_template);
  space.count_text(out.size());
  return out;
}

bool equal(workspace& space, value const& a, value const& b) {
  descent const level(space);
  space.step();
  number x, y;
  if (to_number(a, x) && to_number(b, y)) return x.floating || y.floating ? x.real == y.real : x.integer == y.integer;
  if (a.data.index() != b.data.index()) return false;
  if (a.is_undefined() || a.is_none()) return true;
  if (auto const* text = a.text()) return text->bytes() == b.text()->bytes();
  if (auto const* big = a.as<big_integer>()) return *big->digits == *b.as<big_integer>()->digits;
  if (auto const* list = a.list()) {
    auto const* other = b.list();
    if (list->lazy || other->lazy) return list == other;
    if (list->tuple != other->tuple || list->items.size() != other->items.size()) return false;
    return std::equal(list->items.begin(), list->items.end(), other->items.begin(),
                      [&](value const& p, value const& q) { return equal(space, p, q); });
  }
  if (a.dict() && b.dict()) return equal_dicts(space, *a.dict(), *b.dict());
  if (auto const* dict = a.object<dict_object>()) return dict == b.object<dict_object>();
  if (auto const* function = a.object<function_object>()) return function == b.object<function_object>();
  return a.object<loop_object>() == b.object<loop_object>();
}

bool less(workspace& space, value const& a, value const& b) {
  descent const level(space);
  space.step();
  number x, y;
  if (to_number(a, x) && to_number(b, y)) return x.floating || y.floating ? x.real < y.real : x.integer < y.integer;
  if (a.text() && b.text()) return a.text()->bytes() < b.text()->bytes();
  if (a.list() && b.list() && a.list()->tuple == b.list()->tuple)
    return std::lexicographical_compare(a.list()->items.begin(), a.list()->items.end(), b.list()->items.begin(),
                                        b.list()->items.end(),
                                        [&](value const& p, value const& q) { return less(space, p, q); });
  fail("cannot order " + std::string(type_name(a)) + " and " + std::string(type_name(b)));
}

}  // namespace wherry::inline v0::detail::chat
