#pragma once
// The syntax tree of a template. Built once by the parser, never changed, shared by every rendering.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace wherry::inline v0::detail::chat {

/// Where a node begins, counted from 1; columns in bytes.
struct source_position {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};

struct expression;
using expression_ptr = std::unique_ptr<expression const>;

/// Arguments of a call, filter or test.
struct argument_list {
  std::vector<expression_ptr> positional;
  std::vector<std::pair<std::string, expression_ptr>> named;
};

enum class unary_operator { negate, plus, logical_not };
enum class binary_operator { add, subtract, concatenate, multiply, divide, floor_divide, modulo, power };
enum class comparison { equal, not_equal, less, less_equal, greater, greater_equal, in, not_in };

struct none_literal {};
/// A constant written in the template.
struct literal {
  std::variant<none_literal, bool, std::int64_t, double, std::string> value;
};
struct variable {
  std::string name;
};
struct list_literal {
  std::vector<expression_ptr> items;
  bool tuple = false;
};
struct dict_literal {
  std::vector<std::pair<expression_ptr, expression_ptr>> members;
};
struct unary {
  unary_operator op;
  expression_ptr operand;
};
/// first op operand op operand ..., from left to right; all operators of one precedence.
struct binary_chain {
  expression_ptr first;
  std::vector<std::pair<binary_operator, expression_ptr>> rest;
};
/// Short-circuit and/or over two or more operands.
struct logical_chain {
  bool conjunction;
  std::vector<expression_ptr> operands;
};
/// a < b < c: true when each neighbouring pair compares so.
struct comparison_chain {
  expression_ptr first;
  std::vector<std::pair<comparison, expression_ptr>> rest;
};
struct conditional {
  expression_ptr condition;
  expression_ptr then;
  expression_ptr otherwise;  ///< May be absent: undefined.
};
struct attribute {
  expression_ptr object;
  std::string name;
};
struct subscript {
  expression_ptr object;
  expression_ptr index;
};
struct slice {
  expression_ptr object;
  expression_ptr start, stop, step;  ///< Each may be absent.
};
struct call {
  expression_ptr callee;
  argument_list arguments;
};
struct filter_call {
  expression_ptr operand;  ///< Absent at the head of a filter block: the block's text.
  std::string name;
  argument_list arguments;
};
struct test_call {
  expression_ptr operand;
  std::string name;
  argument_list arguments;
  bool negated = false;
};

struct expression {
  source_position at;
  std::uint32_t depth = 1;  ///< 1 + the depth of the deepest child.
  std::variant<literal, variable, list_literal, dict_literal, unary, binary_chain, logical_chain, comparison_chain,
               conditional, attribute, subscript, slice, call, filter_call, test_call>
      node;
};

struct statement;
using block = std::vector<statement>;

/// What a set or a for assigns to: one name, several by unpacking, or a member of a namespace
/// or dict (Jinja refuses dicts, but published templates assign into messages).
struct assignment_target {
  std::vector<std::string> names;
  std::string attribute;  ///< Empty unless the target is names[0].attribute.
};

struct text_output {
  std::string text;
};
struct value_output {
  expression_ptr value;
};
struct if_statement {
  std::vector<std::pair<expression_ptr, block>> branches;
  block otherwise;
};
struct for_statement {
  assignment_target target;
  expression_ptr iterable;
  expression_ptr condition;  ///< May be absent.
  block body;
  block otherwise;
};
struct set_statement {
  assignment_target target;
  expression_ptr value;
};
struct set_block {
  assignment_target target;
  expression_ptr filter;  ///< May be absent.
  block body;
};
struct macro_definition {
  std::string name;
  std::vector<std::pair<std::string, expression_ptr>> parameters;  ///< With the default, where there is one.
  block body;
};
struct filter_block {
  expression_ptr filter;
  block body;
};
/// A body with no effect of its own ({% generation %}) or with a scope of its own ({% with %}).
struct scoped_block {
  std::vector<set_statement> assignments;
  bool own_scope;
  block body;
};
struct break_statement {};
struct continue_statement {};

struct statement {
  source_position at;
  std::variant<text_output, value_output, if_statement, for_statement, set_statement, set_block, macro_definition,
               filter_block, scoped_block, break_statement, continue_statement>
      node;
};

}  // namespace wherry::inline v0::detail::chat
