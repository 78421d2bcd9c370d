// Arithmetic, concatenation and % formatting.
#include "chat/jinja_functions.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

namespace wherry::inline v0::detail::chat {
namespace {

[[noreturn]] void wrong_operands(std::string_view symbol, value const& a, value const& b) {
  for (auto const* v : {&a, &b})
    if (auto const* undefined = v->as<undefined_value>())
      fail("cannot use \"" + std::string(undefined->name) + "\", which is undefined, with " + std::string(symbol));
  fail("cannot apply " + std::string(symbol) + " to " + std::string(type_name(a)) + " and " +
       std::string(type_name(b)));
}
[[noreturn]] void too_large() { fail("an integer of the template leaves 64 bits", errc::limit_reached); }

bool integral(value const& v) { return v.as<bool>() || v.as<std::int64_t>(); }
double real(value const& v) {
  return v.as<double>() ? *v.as<double>() : static_cast<double>(to_integer(v, "a number"));
}

value power(std::int64_t base, std::int64_t exponent, text_origin origin) {
  if (exponent < 0) return {std::pow(static_cast<double>(base), static_cast<double>(exponent)), origin};
  if (base == 0 || base == 1) return integer(exponent == 0 ? 1 : base, origin);
  if (base == -1) return integer(exponent % 2 == 0 ? 1 : -1, origin);
  std::int64_t out = 1;
  for (; exponent > 0; --exponent)  // ends within 64 rounds: |base| > 1
    if (__builtin_mul_overflow(out, base, &out)) too_large();
  return integer(out, origin);
}

// Python rounds towards minus infinity.
std::int64_t floor_quotient(std::int64_t a, std::int64_t b) {
  std::int64_t const quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

value integer_arithmetic(binary_operator op, std::int64_t a, std::int64_t b, text_origin origin) {
  std::int64_t out = 0;
  bool overflow = false;
  bool const divides =
      op == binary_operator::divide || op == binary_operator::floor_divide || op == binary_operator::modulo;
  if (divides && b == 0) fail("division by zero");
  if (divides && b == -1 && a == std::numeric_limits<std::int64_t>::min()) too_large();
  switch (op) {
    case binary_operator::add: overflow = __builtin_add_overflow(a, b, &out); break;
    case binary_operator::subtract: overflow = __builtin_sub_overflow(a, b, &out); break;
    case binary_operator::multiply: overflow = __builtin_mul_overflow(a, b, &out); break;
    case binary_operator::floor_divide: out = floor_quotient(a, b); break;
    case binary_operator::modulo: out = a - floor_quotient(a, b) * b; break;
    case binary_operator::power: return power(a, b, origin);
    default: return {static_cast<double>(a) / static_cast<double>(b), origin};
  }
  if (overflow) too_large();
  return integer(out, origin);
}

value float_arithmetic(binary_operator op, double a, double b, text_origin origin) {
  bool const divides =
      op == binary_operator::divide || op == binary_operator::floor_divide || op == binary_operator::modulo;
  if (divides && b == 0) fail("division by zero");
  switch (op) {
    case binary_operator::add: return {a + b, origin};
    case binary_operator::subtract: return {a - b, origin};
    case binary_operator::multiply: return {a * b, origin};
    case binary_operator::divide: return {a / b, origin};
    case binary_operator::floor_divide: return {std::floor(a / b), origin};
    case binary_operator::modulo: return {a - std::floor(a / b) * b, origin};
    default: return {std::pow(a, b), origin};
  }
}

value repeated(workspace& space, value const& what, std::int64_t times) {
  std::size_t const count = times < 0 ? 0 : static_cast<std::size_t>(times);
  if (auto const* list = what.list()) {
    std::size_t total = 0;
    if (__builtin_mul_overflow(list->items.size(), count, &total)) too_large();
    space.step(total);
    std::vector<value> items;
    for (std::size_t i = 0; i < total; ++i) items.push_back(list->items[i % list->items.size()]);
    return space.list(std::move(items), what.origin, list->tuple);
  }
  auto const& text = *what.text();
  std::size_t total = 0;
  if (__builtin_mul_overflow(text.size(), count, &total)) too_large();
  space.check_size(total);
  marked_text out;
  for (std::size_t i = 0; i < count && !text.empty(); ++i) out.append(text);
  return space.text(std::move(out));
}

value concatenated(workspace& space, marked_text left, marked_text const& right) {
  space.check_size(left.size() + right.size());
  left.append(right);
  return space.text(std::move(left));
}

value added(workspace& space, value const& left, value const& right) {
  if (left.markup == right.markup) {
    value out = concatenated(space, *left.text(), *right.text());
    out.markup = left.markup;
    return out;
  }
  value out = left.markup ? concatenated(space, *left.text(), escaped(*right.text()))
                          : concatenated(space, escaped(*left.text()), *right.text());
  out.markup = true;
  return out;
}

constexpr std::array<std::string_view, 8> symbols = {"+", "-", "~", "*", "/", "//", "%", "**"};

}  // namespace

value apply_unary(unary_operator op, value const& operand) {
  if (op == unary_operator::logical_not) return boolean(!truthy(operand), origin_of(operand));
  if (auto const* d = operand.as<double>()) return {op == unary_operator::negate ? -*d : *d, operand.origin};
  std::int64_t const i = to_integer(operand, "the operand of a sign");
  std::int64_t out = 0;
  if (op == unary_operator::negate && __builtin_sub_overflow(std::int64_t{0}, i, &out)) too_large();
  return integer(op == unary_operator::negate ? out : i, operand.origin);
}

value apply_binary(workspace& space, binary_operator op, value const& left, value const& right) {
  if (op == binary_operator::concatenate) return concatenated(space, to_text(space, left), to_text(space, right));
  if (left.text()) {
    if (op == binary_operator::add && right.text()) return added(space, left, right);
    if (op == binary_operator::modulo) return space.text(percent_format(space, *left.text(), right));
  }
  if (op == binary_operator::add && left.list() && right.list()) {
    std::vector<value> items = left.list()->items;
    items.insert(items.end(), right.list()->items.begin(), right.list()->items.end());
    return space.list(std::move(items), joined_origin(left.origin, right.origin), left.list()->tuple);
  }
  if (op == binary_operator::multiply) {
    if ((left.text() || left.list()) && integral(right)) return repeated(space, left, to_integer(right, "a count"));
    if ((right.text() || right.list()) && integral(left)) return repeated(space, right, to_integer(left, "a count"));
  }
  auto const origin = joined_origin(left.origin, right.origin);
  if (integral(left) && integral(right))
    return integer_arithmetic(op, to_integer(left, "a number"), to_integer(right, "a number"), origin);
  bool const reals = (integral(left) || left.as<double>()) && (integral(right) || right.as<double>());
  if (!reals) wrong_operands(symbols[static_cast<std::size_t>(op)], left, right);
  return float_arithmetic(op, real(left), real(right), origin);
}

marked_text percent_format(workspace& space, marked_text const& format, value const& operand) {
  std::vector<value> const values =
      operand.list() && operand.list()->tuple ? operand.list()->items : std::vector<value>{operand};
  std::string const& bytes = format.bytes();
  marked_text out;
  std::size_t next = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != '%') {
      out.append(format, i, i + 1);
      continue;
    }
    std::size_t const kind = std::min(bytes.find_first_not_of("0123456789.", i + 1), bytes.size() - 1);
    std::string const precision = bytes.substr(i + 1, kind - i - 1);
    if (bytes[kind] == '%') {
      out.append(format, kind, kind + 1);
    } else {
      if (next == values.size()) fail("the format \"" + bytes + "\" has more fields than values");
      value const& v = values[next++];
      bool const fixed = bytes[kind] == 'f' && precision.size() == 2 && precision[0] == '.';
      if (fixed) {
        std::array<char, 400> buffer;  // the longest double has 309 digits before the point
        int const size = std::snprintf(buffer.data(), buffer.size(), "%.*f", precision[1] - '0', real(v));
        out.append({buffer.data(), static_cast<std::size_t>(size)}, v.origin);
      } else if (!precision.empty() || (bytes[kind] != 's' && bytes[kind] != 'd')) {
        fail("the format \"" + bytes + "\" uses more than %s, %d, %.Nf and %%", errc::unsupported);
      } else {
        if (bytes[kind] == 'd') to_integer(v, "the value of %d");
        out.append(to_text(space, v));
      }
    }
    space.check_size(out.size());
    i = kind;
  }
  if (next < values.size()) fail("the format \"" + bytes + "\" has fewer fields than values");
  return out;
}

}  // namespace wherry::inline v0::detail::chat
