#pragma once
// The formats of JSON Schema as patterns: one definition for the validator and the grammar.

#include <optional>
#include <string>
#include <string_view>

namespace wherry::inline v0 {
namespace schema {

/// A pattern for the whole text; nothing for a format that is not known, which says nothing about a value.
/// Each accepts only what its RFC allows; the length of host names is not counted.
std::optional<std::string> format_pattern(std::string_view format);

}  // namespace schema
}  // namespace wherry::inline v0
