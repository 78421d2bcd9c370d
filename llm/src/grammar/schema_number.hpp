#pragma once
// Numbers of a schema.

#include <wherry/core/json_fwd.hpp>
#include <wherry/llm/grammar.hpp>

namespace wherry::inline v0 {
namespace grammar {

struct decimal_range {
  std::string first;
  std::string last;
};

/// The integers between minimum, maximum, exclusiveMinimum and exclusiveMaximum, as decimal texts; what is absent is
/// the end of 64 signed bits.
/// Fails with: an error whose path is the keyword and whose message ends a sentence about it.
result<decimal_range> integer_range(json const& schema);

/// The numbers between minimum and maximum, as decimal texts without exponent; where one is absent, the largest
/// magnitude of `digits` digits (or as many as the other has). Fails like integer_range().
result<decimal_range> number_range(json const& schema, std::size_t digits);

/// JSON numbers with so many digits before and after the point; exponents of one or two digits, so that every one of
/// them is a finite double.
expr any_number(std::size_t digits);

}  // namespace grammar
}  // namespace wherry::inline v0
