#pragma once
// What a record that came from a conversation cites: the very bytes that a user or a tool said.

#include <wherry/memory/scope.hpp>

#include <string>
#include <string_view>

namespace wherry::inline v0 {

/// The text that spans of an event count in: the text of a message; of tool results their contents, one after the
/// other, each followed by a newline. Empty for events that carry no message, or none that can be read.
std::string said_text(session_event const& event);

/// The bytes a record cites.
/// Fails with: errc::not_found when the record names no session, or the session holds no such bytes (any more).
result<std::string> quote_of(scope_handle const& scope, record const& r);

/// Whether two texts differ in nothing but case, width, white space and closing "." or "!", as transaction::remember
/// compares them.
bool same_but_for_form(std::string_view a, std::string_view b);
/// Whether `part` stands in `whole`, but for form.
bool contains_but_for_form(std::string_view whole, std::string_view part);

}  // namespace wherry::inline v0
