#include "schema/number.hpp"

#include <wherry/core/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace wherry::inline v0 {
namespace schema {

namespace {

constexpr long exponent_max = 1'000'000;  // beyond, a number is refused

void normalise(decimal& d) {
  std::size_t const first = d.digits.find_first_not_of('0');
  if (first == std::string::npos) {
    d = {};
    return;
  }
  d.digits.erase(0, first);
  std::size_t const last = d.digits.find_last_not_of('0');
  d.exponent += static_cast<long>(d.digits.size() - 1 - last);
  d.digits.resize(last + 1);
}

}  // namespace

std::optional<decimal> to_decimal(std::string_view text) {
  decimal d;
  if (text.starts_with('-')) {
    d.negative = true;
    text.remove_prefix(1);
  }
  std::size_t i = 0;
  bool point = false;
  for (; i < text.size(); ++i) {
    if (text[i] == '.') {
      point = true;
    } else if (text[i] >= '0' && text[i] <= '9') {
      d.digits += text[i];
      if (point) --d.exponent;
    } else {
      break;
    }
  }
  if (d.digits.empty()) return std::nullopt;
  if (i < text.size()) {
    ++i;
    if (i < text.size() && text[i] == '+') ++i;
    long exponent = 0;
    auto const [end, wrong] = std::from_chars(text.data() + i, text.data() + text.size(), exponent);
    if (wrong != std::errc{} || end != text.data() + text.size() || std::abs(exponent) > exponent_max)
      return std::nullopt;
    d.exponent += exponent;
  }
  normalise(d);
  return d;
}

std::optional<decimal> to_decimal(json const& value) {
  if (is_big_integer(value)) return to_decimal(std::string_view(big_integer_text(value)));
  if (!value.is_number()) return std::nullopt;
  if (!value.is_number_float()) return to_decimal(std::string_view(to_text(value)));
  char digits[64];
  auto const end =
      std::to_chars(digits, digits + sizeof digits, value.get<double>(), std::chars_format::scientific).ptr;
  return to_decimal(std::string_view(digits, static_cast<std::size_t>(end - digits)));
}

int compare(decimal const& a, decimal const& b) {
  if (a.is_zero() && b.is_zero()) return 0;
  if (a.is_zero()) return b.negative ? 1 : -1;
  if (b.is_zero()) return a.negative ? -1 : 1;
  if (a.negative != b.negative) return a.negative ? -1 : 1;
  int const sign = a.negative ? -1 : 1;
  long const a_top = static_cast<long>(a.digits.size()) + a.exponent,
             b_top = static_cast<long>(b.digits.size()) + b.exponent;
  if (a_top != b_top) return a_top < b_top ? -sign : sign;
  int const order = a.digits.compare(b.digits);  // "12" and "123": a shorter prefix is the smaller number
  return order == 0 ? 0 : order < 0 ? -sign : sign;
}

bool is_multiple(decimal const& value, decimal const& divisor) {
  __extension__ typedef unsigned __int128 wide;
  if (divisor.is_zero()) return false;
  if (value.is_zero()) return true;
  // value = v * 10^p, divisor = d * 10^q: v * 10^(p - q) must be divisible by d.
  long shift = value.exponent - divisor.exponent;
  if (divisor.digits.size() > 18) {
    // Too long for the arithmetic below: only an equal number is told to be a multiple.
    return value.digits == divisor.digits && shift >= 0;
  }
  std::uint64_t const d = std::stoull(divisor.digits);
  std::string digits = value.digits;
  if (shift < 0) return false;  // its last digit stands below the divisor's and is not zero
  std::uint64_t rest = 0;
  for (char const c : digits) rest = static_cast<std::uint64_t>((wide(rest) * 10 + static_cast<unsigned>(c - '0')) % d);
  std::uint64_t power = 10 % d;
  for (; shift > 0; shift >>= 1) {
    if (shift & 1) rest = static_cast<std::uint64_t>(wide(rest) * power % d);
    power = static_cast<std::uint64_t>(wide(power) * power % d);
  }
  return rest == 0;
}

std::string plain_text(decimal const& value) {
  if (value.is_zero()) return "0";
  std::string text = value.digits;
  if (value.exponent >= 0) {
    text.append(static_cast<std::size_t>(value.exponent), '0');
  } else {
    auto const places = static_cast<std::size_t>(-value.exponent);
    if (text.size() <= places) text.insert(0, places - text.size() + 1, '0');
    text.insert(text.size() - places, 1, '.');
  }
  return (value.negative ? "-" : "") + text;
}

bool is_number(json const& value) { return value.is_number() || is_big_integer(value); }

bool is_integer(json const& value) {
  if (value.is_number_float())
    return std::isfinite(value.get<double>()) && std::floor(value.get<double>()) == value.get<double>();
  return is_number(value);
}

std::string_view type_name(json const& value) {
  switch (value.type()) {
    case json::value_t::null: return "null";
    case json::value_t::boolean: return "boolean";
    case json::value_t::string: return "string";
    case json::value_t::array: return "array";
    case json::value_t::object: return "object";
    default: return is_integer(value) ? "integer" : "number";
  }
}

bool same_value(json const& a, json const& b) {
  if (is_number(a) || is_number(b)) {
    if (!is_number(a) || !is_number(b)) return false;
    if (a.type() == b.type() && !a.is_binary()) return a == b;
    auto const x = to_decimal(a), y = to_decimal(b);
    return x && y && compare(*x, *y) == 0;
  }
  if (a.type() != b.type()) return false;
  if (a.is_array())
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](json const& x, json const& y) { return same_value(x, y); });
  if (!a.is_object()) return a == b;
  if (a.size() != b.size()) return false;
  auto at = b.begin();
  for (auto const& [name, value] : a.items()) {  // mostly in the same order
    auto const found = at.key() == name ? at : b.find(name);
    if (found == b.end() || !same_value(value, *found)) return false;
    if (++at == b.end()) at = b.begin();
  }
  return true;
}

std::string identity_text(json const& value) {
  if (is_number(value)) {
    auto const d = to_decimal(value);
    return d ? (d->negative ? "-" : "") + d->digits + "e" + std::to_string(d->exponent) : to_text(value);
  }
  if (value.is_array()) {
    std::string text = "[";
    for (auto const& item : value) text += identity_text(item) + ",";
    return text + "]";
  }
  if (value.is_object()) {
    std::vector<std::string> members;
    for (auto const& [name, member] : value.items())
      members.push_back(to_text(json(name)) + ":" + identity_text(member));
    std::sort(members.begin(), members.end());
    std::string text = "{";
    for (auto const& member : members) text += member + ",";
    return text + "}";
  }
  return to_text(value);
}

std::size_t code_point_count(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace schema
}  // namespace wherry::inline v0
