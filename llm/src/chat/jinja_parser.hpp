#pragma once
// Tokens -> syntax tree. The grammar and its precedences are Jinja 3's.

#include "chat/jinja_ast.hpp"

#include <string_view>

namespace wherry::inline v0::detail::chat {

/// Parses a template. Throws failure: errc::parse_error or errc::unsupported with the position, errc::limit_reached for
/// nesting beyond template_depth_max.
block parse_template(std::string_view source);

}  // namespace wherry::inline v0::detail::chat
