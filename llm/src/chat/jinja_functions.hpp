#pragma once
// What a template can call: filters, tests, methods, global functions and operators, each found by name in a table.

#include "chat/jinja_value.hpp"

#include <initializer_list>
#include <string_view>
#include <vector>

namespace wherry::inline v0::detail::chat {

bool is_filter(std::string_view name) noexcept;
value apply_filter(workspace& space, std::string_view name, value const& operand, arguments const& given);

bool is_test(std::string_view name) noexcept;
bool apply_test(workspace& space, std::string_view name, value const& operand, arguments const& given);

/// object.name as a function that remembers its object; undefined when the type has no such method.
value bound_method(workspace& space, value const& object, std::string_view name);

/// range, namespace, dict, raise_exception, strftime_now (given a clock); undefined for any other name.
value global_function(workspace& space, std::string_view name);

value call_function(workspace& space, value const& callee, arguments const& given);

value apply_unary(unary_operator op, value const& operand);
value apply_binary(workspace& space, binary_operator op, value const& left, value const& right);
/// Python's "format % value".
marked_text percent_format(workspace& space, marked_text const& format, value const& operand);

/// Arguments in the order of the parameter names, undefined where none was given. Fails for more or other arguments.
std::vector<value> bind_arguments(std::string_view function, arguments const& given,
                                  std::initializer_list<std::string_view> parameters);

// -- operations on text that filters and methods share; each keeps the origin of every byte
// ------------------------------

/// With &, <, >, " and ' as HTML entities.
marked_text escaped(marked_text const& text);
/// Strips whitespace, or the characters of `characters`, from the chosen ends.
marked_text stripped(marked_text const& text, marked_text const* characters, bool left, bool right);
/// Maps each character. Title case begins anew behind every character without case.
enum class text_case { upper, lower, title, capitalize };
marked_text cased(marked_text const& text, text_case to);
/// Replaces the first `count` occurrences; all when negative.
marked_text replaced(workspace& space, marked_text const& text, marked_text const& old, marked_text const& fresh,
                     std::int64_t count);
/// Joins str() of the items.
marked_text joined_text(workspace& space, std::vector<value> const& items, marked_text const& separator);
/// The lines of a text, without their ends.
std::vector<marked_text> split_lines(marked_text const& text);

}  // namespace wherry::inline v0::detail::chat
