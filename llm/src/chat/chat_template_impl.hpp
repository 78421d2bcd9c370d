#pragma once

#include "chat/jinja_ast.hpp"

#include <wherry/llm/chat_template.hpp>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace wherry::inline v0::detail::chat {

/// Which strings of a context the template may be trusted with.
enum class context_trust {
  all_is_data,
  roles_are_template,  ///< The "role" of each of "messages" was written by the program.
};

/// Texts of a context whose bytes have origins already.
struct marked_values {
  std::map<std::size_t, std::vector<prompt_piece>> contents;  ///< "content" of the message with this index
  std::vector<std::pair<std::string, std::vector<prompt_piece>>> variables;
};

}  // namespace wherry::inline v0::detail::chat

namespace wherry::inline v0 {

struct chat_template::impl {
  std::string source;
  detail::chat::block body;

  result<std::vector<prompt_piece>> render(json const& context, render_options const& options,
                                           detail::chat::context_trust trust,
                                           detail::chat::marked_values const& marked = {}) const;
};

namespace detail::chat {
struct template_access {
  static chat_template::impl const& of(chat_template const& parsed) noexcept { return *parsed.impl_; }
};
}  // namespace detail::chat

}  // namespace wherry::inline v0
