#pragma once
// What can be read off a schema without compiling it: types, references, and whether two schemas exclude each other.

#include <wherry/core/json_fwd.hpp>

#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace wherry::inline v0 {
namespace grammar {

/// The types that "type" allows, all of them where it is absent ("number" then stands for integers too). Nothing when
/// it is no type and no list of types.
std::optional<std::set<std::string>> types_of(json const& schema);
bool has_type(json const& value, std::set<std::string> const& types);

/// The JSON pointer of a reference into the same document ("#", "#/..."), percent-decoded; nothing for any other.
std::optional<std::string> local_pointer(std::string_view reference);
/// The schema at a JSON pointer; null where there is none.
json const* find_schema(json const& root, std::string const& pointer);

/// True only when provably no value matches both.
bool are_disjoint(json const& root, json const& a, json const& b);

}  // namespace grammar
}  // namespace wherry::inline v0
