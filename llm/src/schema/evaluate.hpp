#pragma once
// The validator's judgement on one value, for those who have the documents already.

#include "schema/byte_regex.hpp"
#include "schema/document.hpp"

namespace wherry::inline v0 {
namespace schema {

/// Patterns by their text, made when first asked for.
using pattern_cache = std::map<std::string, std::unique_ptr<regex::automaton>>;

/// Whether a value matches the schema at a place. Fails like json_validator::validate.
result<bool> matches(documents& known, pattern_cache& patterns, place at, json const& value);

}  // namespace schema
}  // namespace wherry::inline v0
