#include "grammar/schema_number.hpp"

#include <wherry/core/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

namespace wherry::inline v0 {
namespace grammar {
namespace {

// Decimal integers as text, of any size; zero has no sign.

std::string_view magnitude(std::string_view number) { return number.substr(number.starts_with('-') ? 1 : 0); }

int compare_magnitudes(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

bool is_less(std::string_view a, std::string_view b) {
  bool const a_negative = a.starts_with('-'), b_negative = b.starts_with('-');
  if (a_negative != b_negative) return a_negative;
  int const order = compare_magnitudes(magnitude(a), magnitude(b));
  return a_negative ? order > 0 : order < 0;
}

std::string magnitude_plus_one(std::string digits) {
  for (std::size_t i = digits.size(); i-- > 0; digits[i] = '0') {
    if (digits[i] != '9') {
      ++digits[i];
      return digits;
    }
  }
  return "1" + digits;
}

std::string magnitude_minus_one(std::string digits) {
  for (std::size_t i = digits.size(); i-- > 0; digits[i] = '9') {
    if (digits[i] != '0') {
      --digits[i];
      break;
    }
  }
  return digits.size() > 1 && digits.front() == '0' ? digits.substr(1) : digits;
}

std::string next_integer(std::string const& n) {
  if (!n.starts_with('-')) return magnitude_plus_one(n);
  std::string const smaller = magnitude_minus_one(n.substr(1));
  return smaller == "0" ? smaller : "-" + smaller;
}

std::string previous_integer(std::string const& n) {
  if (n == "0") return "-1";
  return n.starts_with('-') ? "-" + magnitude_plus_one(n.substr(1)) : magnitude_minus_one(n);
}

enum class rounding { up, down };

std::optional<std::string> integer_text(json const& limit, rounding direction) {
  if (is_big_integer(limit)) return big_integer_text(limit);
  if (!limit.is_number()) return std::nullopt;
  if (!limit.is_number_float()) return to_text(limit);
  constexpr double exact_below = 1e18;
  double const whole = direction == rounding::up ? std::ceil(limit.get<double>()) : std::floor(limit.get<double>());
  if (!(std::abs(whole) < exact_below)) return std::nullopt;
  return std::to_string(static_cast<long long>(whole));
}

bool is_whole(json const& limit) {
  return !limit.is_number_float() || std::floor(limit.get<double>()) == limit.get<double>();
}

}  // namespace

result<decimal_range> integer_range(json const& schema) {
  decimal_range range{"-9223372036854775808", "9223372036854775807"};
  auto const refuse = [](char const* keyword, char const* why) {
    return error(errc::schema_unsupported, why, {}, keyword);
  };
  bool has_first = false, has_last = false;
  for (char const* keyword : {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"}) {
    if (!schema.contains(keyword)) continue;
    json const& limit = schema[keyword];
    bool const is_first = std::string_view(keyword).ends_with("inimum");
    auto number = integer_text(limit, is_first ? rounding::up : rounding::down);
    if (!number) return refuse(keyword, "is not a number, or too large to be exact");
    if (std::string_view(keyword).starts_with("exclusive") && is_whole(limit)) {
      number = is_first ? next_integer(*number) : previous_integer(*number);
    }
    std::string& end = is_first ? range.first : range.last;
    bool& has = is_first ? has_first : has_last;
    if (!has || (is_first ? is_less(end, *number) : is_less(*number, end))) end = *number;
    has = true;
  }
  if (is_less(range.last, range.first))
    return refuse(has_first ? "minimum" : "maximum", "leaves no integer in the range");
  return range;
}

namespace {

std::optional<std::string> decimal_text(json const& limit) {
  if (is_big_integer(limit)) return big_integer_text(limit);
  if (!limit.is_number()) return std::nullopt;
  if (!limit.is_number_float()) return to_text(limit);
  double const number = limit.get<double>() == 0 ? 0.0 : limit.get<double>();  // no -0
  std::array<char, 1'100> text;  // the smallest double has 1,074 digits after the point; its shortest text far fewer
  auto const end = std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  return std::string(text.data(), end.ptr);
}

}  // namespace

result<decimal_range> number_range(json const& schema, std::size_t digits) {
  decimal_range range;
  std::size_t digits_used = std::max<std::size_t>(digits, 1);
  for (char const* keyword : {"minimum", "maximum"}) {
    if (!schema.contains(keyword)) continue;
    auto number = decimal_text(schema[keyword]);
    if (!number) return error(errc::schema_unsupported, "is not a number", {}, keyword);
    digits_used = std::max(digits_used, magnitude(*number).substr(0, number->find('.')).size());
    (std::string_view(keyword) == "minimum" ? range.first : range.last) = std::move(*number);
  }
  if (range.first.empty()) range.first = "-" + std::string(digits_used, '9');
  if (range.last.empty()) range.last = std::string(digits_used, '9');
  if (schema.contains("minimum") && schema.contains("maximum") && schema["minimum"] > schema["maximum"]) {
    return error(errc::schema_unsupported, "leaves no number in the range", {}, "minimum");
  }
  return range;
}

expr any_number(std::size_t digits) {
  expr const digit = one_of({{'0', '9'}});
  auto const more_digits = [&](std::size_t min, std::size_t max) { return repeat(digit, min, std::max(min, max)); };
  expr const whole =
      choice({literal("0"), sequence({one_of({{'1', '9'}}), more_digits(0, std::max<std::size_t>(digits, 1) - 1)})});
  expr const fraction = sequence({literal("."), more_digits(1, digits)});
  expr const exponent =
      sequence({one_of({{'e', 'e'}, {'E', 'E'}}), optional(one_of({{'+', '+'}, {'-', '-'}})), more_digits(1, 2)});
  return sequence({optional(literal("-")), whole, optional(fraction), optional(exponent)});
}

}  // namespace grammar
}  // namespace wherry::inline v0
