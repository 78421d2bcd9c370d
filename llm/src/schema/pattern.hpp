#pragma once
// The regular expressions of JSON Schema (ECMA-262, as far as they are regular) as languages over bytes.

#include <wherry/core/result.hpp>

#include "schema/byte_regex.hpp"

namespace wherry::inline v0 {
namespace regex {

/// How a text stands in bytes.
enum class spelling {
  utf8,        ///< As it is.
  json_string  ///< As to_text() writes it between the quotes of a JSON string: the escapes JSON requires and no other.
};

/// Sorted, disjoint code point ranges.
using code_ranges = std::vector<std::pair<char32_t, char32_t>>;

/// One code point out of the ranges; surrogates are no characters.
node characters(arena& in, code_ranges const& ranges, spelling as);
/// Any text.
node any_text(arena& in, spelling as);
/// Texts of min to max code points.
node text_of_length(arena& in, std::size_t min, std::size_t max, spelling as);
/// Exactly this text (UTF-8).
node exact_text(arena& in, std::string_view text, spelling as);

inline constexpr std::size_t pattern_bytes_max = 16'384;
inline constexpr std::size_t pattern_repeat_max = 100'000;  ///< The largest count in {min,max}.

/// The texts in which a pattern is found (a pattern without ^ and $ may stand anywhere in the text).
///
/// Understood: alternatives, groups, greedy and lazy quantifiers, classes with ranges, \d \w \s and their complements,
/// \p{...} and \P{...} (general categories, scripts, binary properties), \uXXXX, \u{...}, \xXX, \cX, ^ and $ wherever
/// they stand for certain, look-ahead outside repetitions.
/// Fails with: errc::schema_unsupported for back-references, look-behind, \b, look-ahead inside a repetition;
/// errc::parse_error for what is no pattern. Messages end a sentence about the pattern.
result<node> parse_pattern(arena& in, std::string_view pattern, spelling as);

}  // namespace regex
}  // namespace wherry::inline v0
