#include "chat/jinja_parser.hpp"

#include "chat/jinja_failure.hpp"
#include "chat/jinja_functions.hpp"
#include "chat/jinja_lexer.hpp"

#include <wherry/llm/chat_template.hpp>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <optional>

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

class parser {
 public:
  explicit parser(std::vector<token> tokens) : tokens_(std::move(tokens)) {}

  block run() {
    block body = parse_block({});
    return body;
  }

 private:
  // -- statements ----------------------------------------------------------------------------------------------------

  // Reads statements up to a tag that begins with one of these words; the tag's word is the current token then.
  block parse_block(std::initializer_list<std::string_view> enders) {
    nesting const level(*this);
    block body;
    for (;;) {
      source_position const at = current().at;
      switch (current().type) {
        case token_type::end:
          if (enders.size() == 0) return body;
          broken("the template ends before " + std::string(*enders.begin()));
        case token_type::text: body.push_back({at, text_output{take().text}}); break;
        case token_type::output_begin: {
          take();
          auto value = parse_tuple();
          expect(token_type::output_end, "}}");
          body.push_back({at, value_output{std::move(value)}});
          break;
        }
        default: {
          take();  // block_begin: nothing else stands between texts
          if (current().type != token_type::name) broken("a statement begins with its name");
          if (std::find(enders.begin(), enders.end(), current().text) != enders.end()) return body;
          body.push_back({at, parse_statement()});
        }
      }
    }
  }

  // Parses a body and its closing tag.
  block parse_body(std::string_view ender) {
    expect_block_end();
    block body = parse_block({ender});
    take();
    expect_block_end();
    return body;
  }

  decltype(statement::node) parse_statement() {
    std::string const word = take().text;
    if (word == "if") return parse_if();
    if (word == "for") return parse_for();
    if (word == "set") return parse_set();
    if (word == "macro") return parse_macro();
    if (word == "filter") return parse_filter_block();
    if (word == "with") return parse_with();
    if (word == "generation") return scoped_block{{}, false, parse_body("endgeneration")};
    if (word == "break" || word == "continue") {
      if (loops_ == 0) broken(word + " stands outside a loop");
      expect_block_end();
      if (word == "break") return break_statement{};
      return continue_statement{};
    }
    for (auto const known : {"block", "call", "extends", "import", "include", "from", "do", "autoescape", "trans"})
      if (word == known) broken("the statement \"" + word + "\" is not supported in chat templates", errc::unsupported);
    broken("\"" + word + "\" is no statement that can stand here");
  }

  if_statement parse_if() {
    if_statement out;
    for (;;) {
      auto condition = parse_tuple(false);
      expect_block_end();
      out.branches.emplace_back(std::move(condition), parse_block({"endif", "elif", "else"}));
      if (take_word("elif")) continue;
      if (take_word("else")) {
        out.otherwise = parse_body("endif");
        return out;
      }
      take();
      expect_block_end();
      return out;
    }
  }

  for_statement parse_for() {
    for_statement out;
    out.target = parse_target(false);
    if (!take_word("in")) broken("a for statement needs \"in\"");
    out.iterable = parse_tuple(/*with_condition=*/false);
    if (take_word("if")) out.condition = parse_expression();
    if (at_word("recursive")) broken("recursive loops are not supported in chat templates", errc::unsupported);
    expect_block_end();
    ++loops_;
    {
      inner_scope const inside(*this);
      out.body = parse_block({"endfor", "else"});
    }
    --loops_;
    if (take_word("else")) {
      out.otherwise = parse_body("endfor");
    } else {
      take();
      expect_block_end();
    }
    return out;
  }

  decltype(statement::node) parse_set() {
    auto target = parse_target(true);
    if (take_symbol("=")) {
      auto value = parse_tuple();
      expect_block_end();
      return set_statement{std::move(target), std::move(value)};
    }
    expression_ptr filter;
    if (take_symbol("|")) filter = parse_filter_chain(nullptr);
    inner_scope const inside(*this);
    return set_block{std::move(target), std::move(filter), parse_body("endset")};
  }

  macro_definition parse_macro() {
    if (inner_scopes_ > 0)
      broken("a macro inside a loop, macro, set, filter or with block is not supported", errc::unsupported);
    macro_definition out;
    out.name = expect_name();
    expect_symbol("(");
    while (!take_symbol(")")) {
      if (!out.parameters.empty()) {
        expect_symbol(",");
        if (take_symbol(")")) break;
      }
      std::string name = expect_name();
      expression_ptr fallback;
      if (take_symbol("="))
        fallback = parse_expression();
      else if (!out.parameters.empty() && out.parameters.back().second)
        broken("a parameter without a default follows one with a default");
      out.parameters.emplace_back(std::move(name), std::move(fallback));
    }
    inner_scope const inside(*this);
    out.body = parse_body("endmacro");
    return out;
  }

  filter_block parse_filter_block() {
    auto filter = parse_filter_chain(nullptr);
    inner_scope const inside(*this);
    return {std::move(filter), parse_body("endfilter")};
  }

  scoped_block parse_with() {
    scoped_block out{{}, true, {}};
    while (current().type != token_type::block_end) {
      if (!out.assignments.empty()) expect_symbol(",");
      auto target = parse_target(false);
      expect_symbol("=");
      out.assignments.push_back({std::move(target), parse_expression()});
    }
    inner_scope const inside(*this);
    out.body = parse_body("endwith");
    return out;
  }

  assignment_target parse_target(bool attribute_allowed) {
    assignment_target out;
    bool const parenthesised = take_symbol("(");
    out.names.push_back(expect_name());
    if (attribute_allowed && take_symbol(".")) {
      out.attribute = expect_name();
      return out;
    }
    while (take_symbol(",")) out.names.push_back(expect_name());
    if (parenthesised) expect_symbol(")");
    return out;
  }

  // -- expressions, loosest binding first ----------------------------------------------------------------------------

  // One expression, or several with commas between: a tuple.
  expression_ptr parse_tuple(bool with_condition = true) {
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

  expression_ptr parse_expression() {
    nesting const level(*this);
    source_position const at = current().at;
    auto value = parse_or();
    while (take_word("if")) {
      auto condition = parse_or();
      expression_ptr otherwise;
      if (take_word("else")) otherwise = parse_expression();
      auto const depth = deepest(value, condition, otherwise);
      value = make(at, depth, conditional{std::move(condition), std::move(value), std::move(otherwise)});
    }
    return value;
  }

  expression_ptr parse_or() {
    return parse_logical("or", [this] { return parse_and(); });
  }
  expression_ptr parse_and() {
    return parse_logical("and", [this] { return parse_not(); });
  }
  template <class Operand>
  expression_ptr parse_logical(std::string_view word, Operand parse_operand) {
    source_position const at = current().at;
    auto first = parse_operand();
    if (!at_word(word)) return first;
    logical_chain chain{word == "and", {}};
    chain.operands.push_back(std::move(first));
    while (take_word(word)) chain.operands.push_back(parse_operand());
    auto const depth = deepest(chain.operands);
    return make(at, depth, std::move(chain));
  }

  expression_ptr parse_not() {
    nesting const level(*this);
    source_position const at = current().at;
    if (!take_word("not")) return parse_comparison();
    auto operand = parse_not();
    auto const depth = deepest(operand);
    return make(at, depth, unary{unary_operator::logical_not, std::move(operand)});
  }

  expression_ptr parse_comparison() {
    source_position const at = current().at;
    auto first = parse_additive();
    comparison_chain chain{std::move(first), {}};
    while (auto op = take_comparison()) chain.rest.emplace_back(*op, parse_additive());
    if (chain.rest.empty()) return std::move(chain.first);
    auto const depth = deepest_pair(chain.first, chain.rest);
    return make(at, depth, std::move(chain));
  }

  std::optional<comparison> take_comparison() {
    static constexpr std::pair<std::string_view, comparison> symbols[] = {
        {"==", comparison::equal},      {"!=", comparison::not_equal}, {"<", comparison::less},
        {"<=", comparison::less_equal}, {">", comparison::greater},    {">=", comparison::greater_equal}};
    for (auto const& [symbol, op] : symbols)
      if (take_symbol(symbol)) return op;
    if (take_word("in")) return comparison::in;
    if (at_word("not") && tokens_[next_ + 1].type == token_type::name && tokens_[next_ + 1].text == "in") {
      take();
      take();
      return comparison::not_in;
    }
    return std::nullopt;
  }

  using operator_row = std::pair<std::string_view, binary_operator>;
  template <class Operand>
  expression_ptr parse_binary(std::initializer_list<operator_row> operators, Operand parse_operand) {
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

  expression_ptr parse_additive() {
    return parse_binary({{"+", binary_operator::add}, {"-", binary_operator::subtract}},
                        [this] { return parse_concatenation(); });
  }
  expression_ptr parse_concatenation() {
    return parse_binary({{"~", binary_operator::concatenate}}, [this] { return parse_multiplicative(); });
  }
  expression_ptr parse_multiplicative() {
    return parse_binary({{"*", binary_operator::multiply},
                         {"/", binary_operator::divide},
                         {"//", binary_operator::floor_divide},
                         {"%", binary_operator::modulo}},
                        [this] { return parse_power(); });
  }
  expression_ptr parse_power() {
    return parse_binary({{"**", binary_operator::power}}, [this] { return parse_unary(true); });
  }

  expression_ptr parse_unary(bool with_filters) {
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

  expression_ptr parse_primary() {
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

  expression_ptr parse_name() {
    source_position const at = current().at;
    std::string name = take().text;
    if (name == "true" || name == "True") return make(at, 0, literal{true});
    if (name == "false" || name == "False") return make(at, 0, literal{false});
    if (name == "none" || name == "None") return make(at, 0, literal{none_literal{}});
    return make(at, 0, variable{std::move(name)});
  }

  template <class Number>
  Number parse_number() {
    std::string const& text = current().text;
    Number number{};
    auto const [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (status != std::errc{} || end != text.data() + text.size()) broken("the number " + text + " is out of range");
    take();
    return number;
  }

  expression_ptr parse_parenthesised(source_position at) {
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

  expression_ptr parse_dict(source_position at) {
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
  void parse_sequence(std::string_view close, Item parse_item) {
    while (!take_symbol(close)) {
      parse_item();
      if (take_symbol(close)) return;
      expect_symbol(",");
    }
  }

  expression_ptr parse_postfix(expression_ptr value) {
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

  expression_ptr parse_subscript(expression_ptr object, source_position at) {
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

  // Behind the opening parenthesis.
  argument_list parse_arguments() {
    argument_list out;
    parse_sequence(")", [&] {
      if (at_symbol("*") || at_symbol("**")) broken("unpacking of arguments is not supported", errc::unsupported);
      bool const named = current().type == token_type::name && tokens_[next_ + 1].type == token_type::symbol &&
                         tokens_[next_ + 1].text == "=";
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

  expression_ptr parse_filters_and_tests(expression_ptr value) {
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

  // name(arguments) | name ...; the operand of the first is given.
  expression_ptr parse_filter_chain(expression_ptr operand) {
    do operand = parse_filter(std::move(operand));
    while (take_symbol("|"));
    return operand;
  }

  expression_ptr parse_filter(expression_ptr operand) {
    source_position const at = current().at;
    std::string name = expect_name();
    if (!is_filter(name)) broken("there is no filter \"" + name + "\"", errc::unsupported, at);
    argument_list arguments;
    if (take_symbol("(")) arguments = parse_arguments();
    auto const depth = std::max(deepest(operand), deepest(arguments));
    return make(at, depth, filter_call{std::move(operand), std::move(name), std::move(arguments)});
  }

  expression_ptr parse_test(expression_ptr operand) {
    source_position const at = take().at;
    bool const negated = take_word("not");
    source_position const name_at = current().at;
    std::string name = expect_name();
    if (!is_test(name)) broken("there is no test \"" + name + "\"", errc::unsupported, name_at);
    argument_list arguments;
    if (take_symbol("("))
      arguments = parse_arguments();
    else if (test_argument_follows())
      arguments.positional.push_back(parse_postfix(parse_primary()));
    auto const depth = std::max(deepest(operand), deepest(arguments));
    return make(at, depth, test_call{std::move(operand), std::move(name), std::move(arguments), negated});
  }

  // A test takes its one argument without parentheses too: x is divisibleby 3.
  bool test_argument_follows() const {
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

  // -- tokens --------------------------------------------------------------------------------------------------------

  token const& current() const { return tokens_[next_]; }
  token& take() { return tokens_[next_ + 1 < tokens_.size() ? next_++ : next_]; }
  bool at_word(std::string_view word) const { return current().type == token_type::name && current().text == word; }
  bool at_symbol(std::string_view symbol) const {
    return current().type == token_type::symbol && current().text == symbol;
  }
  bool take_word(std::string_view word) { return at_word(word) && (take(), true); }
  bool take_symbol(std::string_view symbol) { return at_symbol(symbol) && (take(), true); }
  void expect_symbol(std::string_view symbol) {
    if (!take_symbol(symbol)) broken("expected " + std::string(symbol));
  }
  void expect(token_type type, std::string_view shown) {
    if (current().type != type) broken("expected " + std::string(shown));
    take();
  }
  void expect_block_end() { expect(token_type::block_end, "%}"); }
  std::string expect_name() {
    if (current().type != token_type::name) broken("expected a name");
    return take().text;
  }

  template <class Node>
  expression_ptr make(source_position at, std::uint32_t children_depth, Node node) {
    if (children_depth >= template_depth_max) too_deep();
    return std::make_unique<expression const>(expression{at, children_depth + 1, {std::move(node)}});
  }

  [[noreturn]] void broken(std::string const& what, errc code = errc::parse_error) const {
    broken(what, code, current().at);
  }
  [[noreturn]] void broken(std::string const& what, errc code, source_position at) const {
    fail("the template cannot be parsed at " + to_string(at) + ": " + what, code);
  }
  [[noreturn]] void too_deep() const {
    broken("nesting is deeper than " + std::to_string(template_depth_max), errc::limit_reached);
  }

  // Counts the parser's own recursion.
  struct nesting {
    explicit nesting(parser& p) : parser_(p) {
      if (++parser_.nesting_ > 4 * template_depth_max) parser_.too_deep();
    }
    ~nesting() { --parser_.nesting_; }
    parser& parser_;
  };

  // Marks what the interpreter gives a scope of its own. Macros keep a reference to the scope they are defined in, so
  // they may stand in the outermost one only.
  struct inner_scope {
    explicit inner_scope(parser& p) : parser_(p) { ++parser_.inner_scopes_; }
    ~inner_scope() { --parser_.inner_scopes_; }
    parser& parser_;
  };

  std::vector<token> tokens_;
  std::size_t next_ = 0;
  std::size_t nesting_ = 0;
  int loops_ = 0;
  int inner_scopes_ = 0;
};

}  // namespace

block parse_template(std::string_view source) {
  if (source.size() > template_bytes_max)
    fail("the template has " + std::to_string(source.size()) + " bytes; at most " + std::to_string(template_bytes_max) +
             " are accepted",
         errc::limit_reached);
  return parser(tokenize_template(source)).run();
}

}  // namespace wherry::inline v0::detail::chat
