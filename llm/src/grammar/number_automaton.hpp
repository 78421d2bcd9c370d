#pragma once
// JSON numbers between limits as automata over their digits.

#include "grammar/text_automaton.hpp"
#include "schema/number.hpp"

#include <memory>
#include <optional>

namespace wherry::inline v0 {
namespace grammar {

struct number_limits {
  bool is_integer = false;
  std::optional<schema::decimal> min, max;
  bool min_excluded = false, max_excluded = false;
  std::optional<schema::decimal> step;  ///< A multiple of this, which is not zero.
  bool step_excluded = false;           ///< No multiple of it.
  std::size_t digits = 20;              ///< Before and after the point, where no limit says otherwise.

  bool is_plain() const { return !min && !max && !step; }
};

inline constexpr std::size_t number_states_max = 12'000;

/// Numbers written without exponent (any number without limits may have one of up to two digits, so that it is a finite
/// double); no leading zeros, no -0 among integers. Null when no number is within the limits, or when the automaton
/// would need more than number_states_max states (`too_large` is then set).
std::shared_ptr<text_automaton const> number_automaton(number_limits const& limits, bool& too_large);

}  // namespace grammar
}  // namespace wherry::inline v0
