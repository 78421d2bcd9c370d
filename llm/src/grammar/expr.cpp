#include "grammar/expr_node.hpp"

namespace wherry::inline v0 {
namespace grammar {

expr::expr() : expr(make_expr(literal_node{})) {}

expr literal(std::string bytes) { return make_expr(literal_node{std::move(bytes)}); }
expr token(token_id id) { return make_expr(token_node{id}); }
expr one_of(std::vector<byte_range> ranges) { return make_expr(bytes_node{std::move(ranges)}); }
expr sequence(std::vector<expr> parts) { return make_expr(sequence_node{std::move(parts)}); }
expr choice(std::vector<expr> alternatives) { return make_expr(choice_node{std::move(alternatives)}); }
expr optional(expr part) { return make_expr(repeat_node{std::move(part), 0, 1}); }
expr repeat(expr part, std::size_t min, std::size_t max) { return make_expr(repeat_node{std::move(part), min, max}); }
expr free_text(text_options options) { return make_expr(text_node{std::move(options)}); }
expr rule(std::string name) { return make_expr(rule_node{std::move(name)}); }
expr define(std::vector<std::pair<std::string, expr>> rules, expr body, std::size_t depth) {
  return make_expr(define_node{std::move(rules), std::move(body), depth});
}
expr regex(std::string pattern) { return make_expr(regex_node{std::move(pattern)}); }
expr span_of(std::string context, span_options options) { return make_expr(span_node{std::move(context), options}); }
expr json_schema(raw_json schema, bounds const& limits) { return make_expr(schema_node{std::move(schema), limits}); }
expr schema_in_notation(raw_json schema, notation written, bounds const& limits) {
  return make_expr(schema_node{std::move(schema), limits, std::make_shared<notation const>(std::move(written))});
}

}  // namespace grammar
}  // namespace wherry::inline v0
