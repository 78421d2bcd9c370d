#include "chat/jinja_parser.hpp"

#include "chat/jinja_expressions.hpp"

#include <algorithm>

namespace wherry::inline v0::detail::chat {
namespace {

class parser final : expression_parser {
 public:
  explicit parser(std::vector<token> tokens) : expression_parser(std::move(tokens)) {}

  block run() { return parse_block({}); }

 private:
  // Reads statements up to a tag that begins with one of these words; the tag's word is the current token then.
  block parse_block(std::initializer_list<std::string_view> enders) {
    nesting const level(*this);
    block body;
    for (;;) {
      refuse_unknown();
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
    conditional_part const part(*this);
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

  // Marks what the interpreter gives a scope of its own. Macros keep a reference to the scope they are defined in, so
  // they may stand in the outermost one only.
  struct inner_scope {
    explicit inner_scope(parser& p) : parser_(p), part_(p, false) { ++parser_.inner_scopes_; }
    ~inner_scope() { --parser_.inner_scopes_; }
    parser& parser_;
    conditional_part const part_;
  };

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
