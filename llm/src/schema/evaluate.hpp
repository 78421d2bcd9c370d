#pragma once
// The validator's judgement on one value, for those who have the documents already.

#include "schema/document.hpp"

namespace wherry::inline v0 {
namespace schema {

/// Whether a value matches the schema at a place. Fails like json_validator::validate.
result<bool> matches(documents& known, place at, json const& value);

}  // namespace schema
}  // namespace wherry::inline v0
