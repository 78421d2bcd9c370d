#pragma once

#include "chat/jinja_ast.hpp"

#include <wherry/llm/chat_template.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
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

// Templates disagree on how a call looks: some test whether the content is none, some fail when it is; some paste
// arguments as text.
struct call_shape {
  bool null_content;
  bool text_arguments;
};

/// What a template was found to show. Asked when needed, and kept.
struct template_abilities {
  std::optional<std::optional<call_shape>>
      calls;  ///< The first shape in which it shows a call; none where it shows none.
  std::optional<bool> parallel;
  std::optional<bool> results;
  std::optional<bool> tools;
  std::optional<bool> system;
};

/// By what they depend on: the options, and whether there are tools.
class ability_cache {
 public:
  template_abilities get(std::string const& key);
  void put(std::string const& key, template_abilities const& found);

 private:
  static constexpr std::size_t kept_max = 8;
  std::mutex mutex_;
  std::vector<std::pair<std::string, template_abilities>> kept_;  // latest last
};

}  // namespace wherry::inline v0::detail::chat

namespace wherry::inline v0 {

struct chat_template::impl {
  std::string source;
  detail::chat::block body;
  std::unique_ptr<detail::chat::ability_cache> known = std::make_unique<detail::chat::ability_cache>();

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
