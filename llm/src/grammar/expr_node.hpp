#pragma once
// The syntax tree behind grammar::expr. Public combinators build the general nodes; the schema compiler adds the few
// that JSON needs and that would be large or slow if spelled with them.

#include <wherry/llm/grammar.hpp>

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
};
/// A part that stands in several places: built once and called.
struct shared_node {
  expr part;
};
/// A JSON string with its quotes: code points from min to max, at most bytes_max bytes between the quotes.
struct string_node {
  std::size_t min = 0;
  std::size_t max = 0;
  std::size_t bytes_max = 0;
};
/// A JSON number from `first` to `last`, decimal texts without exponent; so is every number that is allowed.
/// With fraction_digits 0 the integers of the range: no point, no -0.
struct range_node {
  std::string first;
  std::string last;
  std::size_t fraction_digits = 0;
};
/// A JSON object: members in order, then others. Names are compact JSON strings with their quotes.
struct object_node {
  struct member {
    std::string name;
    bool required = false;
    expr value;
  };
  std::vector<member> members;
  std::vector<std::string> excluded;  ///< Names that may not appear at all.
  std::optional<expr> others;         ///< The value of members not named; absent when there may be none.
  std::size_t others_max = 0;
  std::size_t name_bytes_max = 0;
};

struct expr::node {
  std::variant<literal_node, token_node, bytes_node, sequence_node, choice_node, repeat_node, text_node, rule_node,
               define_node, schema_node, shared_node, string_node, range_node, object_node>
      value;
};

template <class T>
expr make_expr(T value) {
  return expr(std::make_shared<expr::node const>(expr::node{std::move(value)}));
}

}  // namespace grammar
}  // namespace wherry::inline v0
