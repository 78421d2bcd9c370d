#pragma once
// The syntax tree behind grammar::expr. Public combinators build the general nodes; the schema compiler adds the few
// that JSON needs and that would be large or slow if spelled with them.

#include <wherry/llm/grammar.hpp>

#include "grammar/notation.hpp"

#include <optional>
#include <variant>

namespace wherry::inline v0 {
namespace grammar {

struct literal_node {
  std::string bytes;
};
struct token_node {
  token_id id = 0;
};
struct bytes_node {
  std::vector<byte_range> ranges;
};
struct sequence_node {
  std::vector<expr> parts;
};
struct choice_node {
  std::vector<expr> alternatives;
};
struct repeat_node {
  expr part;
  std::size_t min = 0;
  std::size_t max = 0;
};
struct text_node {
  text_options options;
};
struct rule_node {
  std::string name;
};
struct define_node {
  std::vector<std::pair<std::string, expr>> rules;
  expr body;
  std::size_t depth = 0;
};
struct schema_node {
  raw_json schema;
  bounds limits;
  std::shared_ptr<notation const> written = nullptr;  ///< Null: JSON.
};
/// Text that matches a pattern.
struct regex_node {
  std::string pattern;
};

/// A piece of a text.
struct span_node {
  std::string context;
  span_options options;
};

struct expr::node {
  std::variant<literal_node, token_node, bytes_node, sequence_node, choice_node, repeat_node, text_node, rule_node,
               define_node, schema_node, regex_node, span_node>
      value;
};

template <class T>
expr make_expr(T value) {
  return expr(std::make_shared<expr::node const>(expr::node{std::move(value)}));
}

}  // namespace grammar
}  // namespace wherry::inline v0
