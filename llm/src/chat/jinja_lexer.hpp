#pragma once
// Template source -> tokens. Whitespace control happens here: the trim_blocks and lstrip_blocks settings of Hugging
// Face, and the signs of {%- -%} {%+ +%}.

#include "chat/jinja_ast.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0::detail::chat {

enum class token_type {
  text,         ///< Template text between tags; never empty.
  block_begin,  ///< {%
  block_end,
  output_begin,  ///< {{
  output_end,
  name,
  string,  ///< Escapes resolved.
  integer,
  floating,
  symbol,  ///< An operator or a bracket.
  end,
};

struct token {
  token_type type = token_type::end;
  std::string text;
  source_position at;
};

/// Splits a template. Throws failure (errc::parse_error) with the position.
std::vector<token> tokenize_template(std::string_view source);

}  // namespace wherry::inline v0::detail::chat
