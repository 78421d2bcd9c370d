#pragma once
// A record as JSON: what `wherry memory` prints and what export and import exchange.

#include <wherry/core/json.hpp>
#include <wherry/core/result.hpp>
#include <wherry/memory/event.hpp>
#include <wherry/memory/record.hpp>

#include <optional>
#include <string_view>

namespace wherry::cli {

/// Members that hold nothing are left out; the inverse is exact.
json to_json(record const& r);
/// Fails with: errc::parse_error saying which member is wrong.
result<record> record_from_json(json const& in);

/// The inverse of to_string(event_type).
std::optional<event_type> event_type_named(std::string_view word);

}  // namespace wherry::cli
