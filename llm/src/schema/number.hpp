#pragma once
// JSON numbers as exact decimals, and JSON values compared by what they mean.

#include <wherry/core/json_fwd.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace wherry::inline v0 {
namespace schema {

/// digits * 10^exponent; no leading or trailing zeros in digits, zero is "" with exponent 0.
struct decimal {
  bool negative = false;
  std::string digits;
  long exponent = 0;
  bool is_integer() const { return exponent >= 0; }
  bool is_zero() const { return digits.empty(); }
};

/// Nothing for what is no number.
std::optional<decimal> to_decimal(json const& value);
/// From a JSON number's text.
std::optional<decimal> to_decimal(std::string_view text);
/// Negative, zero, positive.
int compare(decimal const& a, decimal const& b);
/// Exact; false for a divisor of zero.
bool is_multiple(decimal const& value, decimal const& divisor);
/// Without an exponent.
std::string plain_text(decimal const& value);

bool is_number(json const& value);
/// As JSON Schema counts: 1.0 is an integer.
bool is_integer(json const& value);
/// "null", "boolean", "string", "array", "object", "integer" or "number".
std::string_view type_name(json const& value);
/// 1 and 1.0 are the same, members have no order.
bool same_value(json const& a, json const& b);
/// Text that is equal for values that are the same, and only for those.
std::string identity_text(json const& value);
std::size_t code_point_count(std::string_view text);

}  // namespace schema
}  // namespace wherry::inline v0
