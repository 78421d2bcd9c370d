#pragma once
// The parser of expressions, and the tokens it shares with the parser of statements.

#include "chat/jinja_ast.hpp"
#include "chat/jinja_failure.hpp"
#include "chat/jinja_lexer.hpp"

#include <wherry/llm/chat_template.hpp>

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wherry::inline v0::detail::chat {

/// A place in a list of tokens, and what to say when something else was expected there.
class token_cursor {
 protected:
  explicit token_cursor(std::vector<token> tokens) : tokens_(std::move(tokens)) {}

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
  bool next_is(token_type type, std::string_view text) const {
    return next_ + 1 < tokens_.size() && tokens_[next_ + 1].type == type && tokens_[next_ + 1].text == text;
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
    explicit nesting(token_cursor& p) : parser_(p) {
      if (++parser_.nesting_ > 4 * template_depth_max) parser_.too_deep();
    }
    ~nesting() { --parser_.nesting_; }
    token_cursor& parser_;
  };

 private:
  std::vector<token> tokens_;
  std::size_t next_ = 0;
  std::size_t nesting_ = 0;
};

class expression_parser : protected token_cursor {
 protected:
  using token_cursor::token_cursor;

  /// One expression, or several with commas between: a tuple. Without condition, "if" ends it.
  expression_ptr parse_tuple(bool with_condition = true);
  expression_ptr parse_expression();
  /// name(arguments) | name ...; the operand of the first is given.
  expression_ptr parse_filter_chain(expression_ptr operand);
  /// Behind the opening parenthesis.
  argument_list parse_arguments();

  /// While one lives, an unknown filter or test is refused when it is used, not when it is read: Jinja does so inside
  /// conditions, so that a template may ask for what it can do without.
  struct conditional_part {
    explicit conditional_part(expression_parser& p, bool inside = true) : parser_(p), before_(p.conditional_) {
      p.conditional_ = inside;
    }
    ~conditional_part() { parser_.conditional_ = before_; }
    expression_parser& parser_;
    bool const before_;
  };
  /// Throws the failure of an unknown filter or test that stood outside conditions.
  void refuse_unknown() const;

 private:
  expression_ptr parse_or();
  expression_ptr parse_and();
  template <class Operand>
  expression_ptr parse_logical(std::string_view word, Operand parse_operand);
  expression_ptr parse_not();
  expression_ptr parse_comparison();
  std::optional<comparison> take_comparison();
  template <class Operand>
  expression_ptr parse_binary(std::initializer_list<std::pair<std::string_view, binary_operator>> operators,
                              Operand parse_operand);
  expression_ptr parse_additive();
  expression_ptr parse_concatenation();
  expression_ptr parse_multiplicative();
  expression_ptr parse_power();
  expression_ptr parse_unary(bool with_filters);
  expression_ptr parse_primary();
  expression_ptr parse_name();
  template <class Number>
  Number parse_number();
  expression_ptr parse_parenthesised(source_position at);
  expression_ptr parse_dict(source_position at);
  template <class Item>
  void parse_sequence(std::string_view close, Item parse_item);
  expression_ptr parse_postfix(expression_ptr value);
  expression_ptr parse_subscript(expression_ptr object, source_position at);
  expression_ptr parse_filters_and_tests(expression_ptr value);
  expression_ptr parse_filter(expression_ptr operand);
  expression_ptr parse_test(expression_ptr operand);
  bool test_argument_follows() const;
  void note_unknown(std::string_view kind, std::string_view name, source_position at);
  template <class Node>
  expression_ptr make(source_position at, std::uint32_t children_depth, Node node);

  bool conditional_ = false;
  std::optional<failure> unknown_;
};

}  // namespace wherry::inline v0::detail::chat
