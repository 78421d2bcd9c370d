#pragma once

#include "chat/jinja_ast.hpp"

#include <wherry/llm/chat_template.hpp>

#include <string>
#include <vector>

namespace wherry::inline v0::detail::chat {

/// Which strings of a context the template may be trusted with.
enum class context_trust {
  all_is_data,
  roles_are_template,  ///< The "role" of each of "messages" was written by the program.
};

}  // namespace wherry::inline v0::detail::chat

namespace wherry::inline v0 {

struct chat_template::impl {
  std::string source;
  detail::chat::block body;

  result<std::vector<prompt_piece>> render(json const& context, render_options const& options,
                                           detail::chat::context_trust trust) const;
};

}  // namespace wherry::inline v0
