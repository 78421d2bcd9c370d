#pragma once
// Runs a syntax tree.

#include "chat/jinja_value.hpp"

#include <string>
#include <utility>
#include <vector>

namespace wherry::inline v0::detail::chat {

/// Renders a template with variables. Throws failure.
marked_text run_template(workspace& space, block const& body,
                         std::vector<std::pair<std::string, value>> const& variables);

}  // namespace wherry::inline v0::detail::chat
