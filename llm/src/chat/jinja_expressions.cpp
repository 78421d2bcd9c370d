#include "chat/jinja_expressions.hpp"

#include "chat/jinja_functions.hpp"

#include <algorithm>
#include <charconv>

namespace wherry::inline v0::detail::chat {
namespace {

// The depth of a finished node. Left-recursive syntax (a.b.c.d) nests without recursion in the parser, so depth is
// counted on the nodes; syntax that does recurse is counted by `nesting` below.
std::uint32_t depth_of(expression_ptr const& child) { return child ? child->depth : 0; }
template <class... Children>
std::uint32_t deepest(Children const&... children) {
  return std::max({std::uint32_t{0}, depth_of(children)...});
}
std::uint32_t deepest(std::vector<expression_ptr> const& children) {
  std::uint32_t depth = 0;
  for (auto const& child : children) depth = std::max(depth, depth_of(child));
  return depth;
}
std::uint32_t deepest(argument_list const& arguments) {
  std::uint32_t depth = deepest(arguments.positional);
  for (auto const& [name, child] : arguments.named) depth = std::max(depth, depth_of(child));
  return depth;
}
template <class Head, class Rest>
std::uint32_t deepest_pair(Head const& head, Rest const& rest) {
  std::uint32_t depth = depth_of(head);
  for (auto const& [op, child] : rest) depth = std::max(depth, depth_of(child));
  return depth;
}

}  // namespace

template <class Node>
expression_ptr expression_parser::make(source_position at, std::uint32_t children_depth, Node node) {
  if (children_depth >= template_depth_max) too_deep();
  return std::make_unique<expression const>(expression{at, children_depth + 1, {std::move(node)}});
}

void expression_parser::note_unknown(std::string_view kind, std::string_view name, source_position at) {
  if (conditional_ || unknown_) return;
  unknown_ = failure{errc::unsupported, "the template cannot be parsed at " + to_string(at) + ": there is no " +
                                            std::string(kind) + " \"" + std::string(name) + "\""};
}

void expression_parser::refuse_unknown() const {
  if (unknown_) throw *unknown_;
}

// Loosest binding first.

expression_ptr expression_parser::parse_tuple(bool with_condition) {
  source_position const at = current().at;
  auto parse_item = [&] { return with_condition ? parse_expression() : parse_or(); };
  auto first = parse_item();
  if (!at_symbol(",")) return first;
  list_literal tuple{{}, true};
  tuple.items.push_back(std::move(first));
  while (take_symbol(",")) {
    if (current().type == token_type::block_end || current().type == token_type::output_end) break;
    tuple.items.push_back(parse_item());
  }
  auto const depth = deepest(tuple.items);
  return make(at, depth, std::move(tuple));
}

expression_ptr expression_parser::parse_expression() {
  nesting const level(*this);
  source_position const at = current().at;
  auto outer = std::exchange(unknown_, std::nullopt);
  auto value = parse_or();
  while (take_word("if")) {
    unknown_.reset();
    conditional_part const part(*this);
    auto condition = parse_or();
    expression_ptr otherwise;
    if (take_word("else")) otherwise = parse_expression();
    auto const depth = deepest(value, condition, otherwise);
    value = make(at, depth, conditional{std::move(condition), std::move(value), std::move(otherwise)});
  }
  if (outer) unknown_ = std::move(outer);
  return value;
}

expression_ptr expression_parser::parse_or() {
  return parse_logical("or", [this] { return parse_and(); });
}
expression_ptr expression_parser::parse_and() {
  return parse_logical("and", [this] { return parse_not(); });
}
template <class Operand>
expression_ptr expression_parser::parse_logical(std::string_view word, Operand parse_operand) {
  source_position const at = current().at;
  auto first = parse_operand();
  if (!at_word(word)) return first;
  logical_chain chain{word == "and", {}};
  chain.operands.push_back(std::move(first));
  while (take_word(word)) chain.operands.push_back(parse_operand());
  auto const depth = deepest(chain.operands);
  return make(at, depth, std::move(chain));
}

expression_ptr expression_parser::parse_not() {
  nesting const level(*this);
  source_position const at = current().at;
  if (!take_word("not")) return parse_comparison();
  auto operand = parse_not();
  auto const depth = deepest(operand);
  return make(at, depth, unary{unary_operator::logical_not, std::move(operand)});
}

expression_ptr expression_parser::parse_comparison() {
  source_position const at = current().at;
  auto first = parse_additive();
  comparison_chain chain{std::move(first), {}};
  while (auto op = take_comparison()) chain.rest.emplace_back(*op, parse_additive());
  if (chain.rest.empty()) return std::move(chain.first);
  auto const depth = deepest_pair(chain.first, chain.rest);
  return make(at, depth, std::move(chain));
}

std::optional<comparison> expression_parser::take_comparison() {
  static constexpr std::pair<std::string_view, comparison> symbols[] = {
      {"==", comparison::equal},      {"!=", comparison::not_equal}, {"<", comparison::less},
      {"<=", comparison::less_equal}, {">", comparison::greater},    {">=", comparison::greater_equal}};
  for (auto const& [symbol, op] : symbols)
    if (take_symbol(symbol)) return op;
  if (take_word("in")) return comparison::in;
  if (at_word("not") && next_is(token_type::name, "in")) {
    take();
    take();
    return comparison::not_in;
  }
  return std::nullopt;
}

template <class Operand>
expression_ptr expression_parser::parse_binary(
    std::initializer_list<std::pair<std::string_view, binary_operator>> operators, Operand parse_operand) {
  source_position const at = current().at;
  binary_chain chain{parse_operand(), {}};
  auto take_operator = [&]() -> std::optional<binary_operator> {
    for (auto const& [symbol, op] : operators)
      if (take_symbol(symbol)) return op;
    return std::nullopt;
  };
  while (auto op = take_operator()) chain.rest.emplace_back(*op, parse_operand());
  if (chain.rest.empty()) return std::move(chain.first);
  auto const depth = deepest_pair(chain.first, chain.rest);
  return make(at, depth, std::move(chain));
}

expression_ptr expression_parser::parse_additive() {
  return parse_binary({{"+", binary_operator::add}, {"-", binary_operator::subtract}},
                      [this] { return parse_concatenation(); });
}
expression_ptr expression_parser::parse_concatenation() {
  return parse_binary({{"~", binary_operator::concatenate}}, [this] { return parse_multiplicative(); });
}
expression_ptr expression_parser::parse_multiplicative() {
  return parse_binary({{"*", binary_operator::multiply},
                       {"/", binary_operator::divide},
                       {"//", binary_operator::floor_divide},
                       {"%", binary_operator::modulo}},
                      [this] { return parse_power(); });
}
expression_ptr expression_parser::parse_power() {
  return parse_binary({{"**", binary_operator::power}}, [this] { return parse_unary(true); });
}

expression_ptr expression_parser::parse_unary(bool with_filters) {
  nesting const level(*this);
  source_position const at = current().at;
  expression_ptr value;
  bool const negative = at_symbol("-");
  if (negative || at_symbol("+")) {
    take();
    auto operand = parse_unary(false);
    auto const depth = deepest(operand);
    value = make(at, depth, unary{negative ? unary_operator::negate : unary_operator::plus, std::move(operand)});
  } else {
    value = parse_primary();
  }
  value = parse_postfix(std::move(value));
  return with_filters ? parse_filters_and_tests(std::move(value)) : std::move(value);
}

expression_ptr expression_parser::parse_primary() {
  source_position const at = current().at;
  switch (current().type) {
    case token_type::name: return parse_name();
    case token_type::string: {
      std::string text = take().text;
      while (current().type == token_type::string) text += take().text;
      return make(at, 0, literal{std::move(text)});
    }
    case token_type::integer: return make(at, 0, literal{parse_number<std::int64_t>()});
    case token_type::floating: return make(at, 0, literal{parse_number<double>()});
    default: break;
  }
  if (take_symbol("(")) return parse_parenthesised(at);
  if (take_symbol("[")) {
    list_literal list;
    parse_sequence("]", [&] { list.items.push_back(parse_expression()); });
    auto const depth = deepest(list.items);
    return make(at, depth, std::move(list));
  }
  if (take_symbol("{")) return parse_dict(at);
  broken("an expression is missing here");
}

expression_ptr expression_parser::parse_name() {
  source_position const at = current().at;
  std::string name = take().text;
  if (name == "true" || name == "True") return make(at, 0, literal{true});
  if (name == "false" || name == "False") return make(at, 0, literal{false});
  if (name == "none" || name == "None") return make(at, 0, literal{none_literal{}});
  return make(at, 0, variable{std::move(name)});
}

template <class Number>
Number expression_parser::parse_number() {
  std::string const& text = current().text;
  Number number{};
  auto const [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc{} || end != text.data() + text.size()) broken("the number " + text + " is out of range");
  take();
  return number;
}

expression_ptr expression_parser::parse_parenthesised(source_position at) {
  if (take_symbol(")")) return make(at, 0, list_literal{{}, true});
  auto first = parse_expression();
  if (take_symbol(")")) return first;
  list_literal tuple{{}, true};
  tuple.items.push_back(std::move(first));
  expect_symbol(",");
  parse_sequence(")", [&] { tuple.items.push_back(parse_expression()); });
  auto const depth = deepest(tuple.items);
  return make(at, depth, std::move(tuple));
}

expression_ptr expression_parser::parse_dict(source_position at) {
  dict_literal dict;
  std::uint32_t depth = 0;
  parse_sequence("}", [&] {
    auto key = parse_expression();
    expect_symbol(":");
    auto value = parse_expression();
    depth = std::max(depth, deepest(key, value));
    dict.members.emplace_back(std::move(key), std::move(value));
  });
  return make(at, depth, std::move(dict));
}

// Items with commas between, up to a closing bracket; a comma may stand before it.
template <class Item>
void expression_parser::parse_sequence(std::string_view close, Item parse_item) {
  while (!take_symbol(close)) {
    parse_item();
    if (take_symbol(close)) return;
    expect_symbol(",");
  }
}

expression_ptr expression_parser::parse_postfix(expression_ptr value) {
  for (;;) {
    source_position const at = current().at;
    if (take_symbol(".")) {
      if (current().type == token_type::integer) {
        auto index = make(at, 0, literal{parse_number<std::int64_t>()});
        auto const depth = deepest(value, index);
        value = make(at, depth, subscript{std::move(value), std::move(index)});
      } else {
        auto const depth = deepest(value);
        value = make(at, depth, attribute{std::move(value), expect_name()});
      }
    } else if (take_symbol("[")) {
      value = parse_subscript(std::move(value), at);
    } else if (take_symbol("(")) {
      auto arguments = parse_arguments();
      auto const depth = std::max(deepest(value), deepest(arguments));
      value = make(at, depth, call{std::move(value), std::move(arguments)});
    } else {
      return value;
    }
  }
}

expression_ptr expression_parser::parse_subscript(expression_ptr object, source_position at) {
  expression_ptr parts[3];
  int colons = 0;
  for (;;) {
    if (!at_symbol("]") && !at_symbol(":")) parts[colons] = parse_expression();
    if (colons == 2 || !take_symbol(":")) break;
    ++colons;
  }
  expect_symbol("]");
  if (colons == 0 && !parts[0]) broken("a subscript is missing here");
  auto const depth = std::max(deepest(object), deepest(parts[0], parts[1], parts[2]));
  if (colons == 0) return make(at, depth, subscript{std::move(object), std::move(parts[0])});
  return make(at, depth, slice{std::move(object), std::move(parts[0]), std::move(parts[1]), std::move(parts[2])});
}

argument_list expression_parser::parse_arguments() {
  argument_list out;
  parse_sequence(")", [&] {
    if (at_symbol("*") || at_symbol("**")) broken("unpacking of arguments is not supported", errc::unsupported);
    bool const named = current().type == token_type::name && next_is(token_type::symbol, "=");
    if (named) {
      std::string name = take().text;
      take();
      out.named.emplace_back(std::move(name), parse_expression());
    } else if (!out.named.empty()) {
      broken("a positional argument follows a named one");
    } else {
      out.positional.push_back(parse_expression());
    }
  });
  return out;
}

expression_ptr expression_parser::parse_filters_and_tests(expression_ptr value) {
  for (;;) {
    if (take_symbol("|")) {
      value = parse_filter(std::move(value));
    } else if (at_word("is")) {
      value = parse_test(std::move(value));
    } else if (at_symbol("(")) {
      value = parse_postfix(std::move(value));
    } else {
      return value;
    }
  }
}

expression_ptr expression_parser::parse_filter_chain(expression_ptr operand) {
  do operand = parse_filter(std::move(operand));
  while (take_symbol("|"));
  return operand;
}

expression_ptr expression_parser::parse_filter(expression_ptr operand) {
  source_position const at = current().at;
  std::string name = expect_name();
  if (!is_filter(name)) note_unknown("filter", name, at);
  argument_list arguments;
  if (take_symbol("(")) arguments = parse_arguments();
  auto const depth = std::max(deepest(operand), deepest(arguments));
  return make(at, depth, filter_call{std::move(operand), std::move(name), std::move(arguments)});
}

expression_ptr expression_parser::parse_test(expression_ptr operand) {
  source_position const at = take().at;
  bool const negated = take_word("not");
  source_position const name_at = current().at;
  std::string name = expect_name();
  if (!is_test(name)) note_unknown("test", name, name_at);
  argument_list arguments;
  if (take_symbol("("))
    arguments = parse_arguments();
  else if (test_argument_follows())
    arguments.positional.push_back(parse_postfix(parse_primary()));
  auto const depth = std::max(deepest(operand), deepest(arguments));
  return make(at, depth, test_call{std::move(operand), std::move(name), std::move(arguments), negated});
}

// A test takes its one argument without parentheses too: x is divisibleby 3.
bool expression_parser::test_argument_follows() const {
  switch (current().type) {
    case token_type::string:
    case token_type::integer:
    case token_type::floating: return true;
    case token_type::symbol: return at_symbol("[") || at_symbol("{");
    case token_type::name:
      for (auto const word : {"else", "or", "and", "if", "is", "in", "not"})
        if (current().text == word) return false;
      return true;
    default: return false;
  }
}

}  // namespace wherry::inline v0::detail::chat
