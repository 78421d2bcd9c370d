// The grammar of a family's answers, from the layout of its row: what is written as marks and text there is said so
// here, and arguments are said in the family's notation.
#include "chat/family.hpp"
#include "grammar/notation.hpp"

#include <wherry/core/json.hpp>

#include <algorithm>
#include <utility>

namespace wherry::inline v0::detail::chat {
namespace {

using grammar::expr;

constexpr std::size_t text_bytes_max = 1 << 20;  // of free text; max_tokens ends it long before

std::string json_quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

// The schema of a call's arguments, which are an object, whatever else the tool's schema allows.
raw_json arguments_of(tool_spec const& tool) {
  auto schema = parse_json(tool.input_schema.text);
  if (!schema || *schema == json(false)) return tool.input_schema;  // compile() tells what is wrong
  if (*schema == json(true)) *schema = json::object();
  if (!schema->is_object()) return tool.input_schema;
  auto const type = schema->find("type");
  if (type != schema->end() && *type == "object") return tool.input_schema;
  if (type == schema->end()) {
    (*schema)["type"] = "object";
  } else if (auto& all = (*schema)["allOf"]; all.is_null() || all.is_array()) {
    all.push_back(json{{"type", "object"}});
  }
  return {to_text(*schema)};
}

class grammar_maker {
 public:
  grammar_maker(family_row const& row, tokenizer const& tokens) : row_(row), tokens_(tokens), marks_(marks_of(row)) {}

  // {"tool":"NAME","arguments":{...}} or {"output":...} or text.
  expr plain(std::span<tool_spec const> tools, std::optional<raw_json> const& output, answer_options const& may) const {
    std::vector<expr> ways;
    if (may.tools)
      for (auto const& tool : tools)
        ways.push_back(grammar::sequence({grammar::literal("{\"tool\":" + json_quoted(tool.name) + ",\"arguments\":"),
                                          grammar::json_schema(arguments_of(tool)), grammar::literal("}")}));
    if (may.output && output)
      ways.push_back(
          grammar::sequence({grammar::literal("{\"output\":"), grammar::json_schema(*output), grammar::literal("}")}));
    // The reader takes text that begins like an object for one.
    if (may.constraint)
      ways.push_back(*may.constraint);
    else if (says_text(may))
      ways.push_back(text_without({"{\"tool\"", "{\"output\""}));
    return grammar::choice(std::move(ways));
  }

  // Reasoning, to its end if the prompt began it; then text, then calls; or the output; or text.
  expr by_layout(std::span<tool_spec const> tools, std::optional<raw_json> const& output,
                 answer_options const& may) const {
    auto const said = wrapped(row_.layout.text, row_.syntax.bare ? text_that_is_no_call() : text_without({}));
    auto const begin = beginnings_of(row_);
    std::vector<expr> ways;
    if (may.tools) {
      auto const all = calls(tools, may.calls_max);
      bool const text_first = may.free_text && !may.constraint && !row_.syntax.bare;
      auto const before = grammar::optional(grammar::sequence({said, literal(row_.layout.before_calls)}));
      ways.push_back(text_first ? grammar::sequence({before, all}) : all);
    }
    if (may.output && output) ways.push_back(wrapped(row_.layout.text, grammar::json_schema(*output)));
    if (may.constraint)
      ways.push_back(grammar::sequence({literal(begin.text), *may.constraint}));
    else if (says_text(may))
      ways.push_back(said);
    auto const answer = grammar::choice(std::move(ways));
    if (may.in_reasoning && !row_.syntax.reasoning[0].close.empty())
      return grammar::sequence({text_without({}), end_of_reasoning(), answer});
    if (row_.layout.reasoning.empty() || (may.constraint && !holds_token(begin.reasoning))) return answer;
    return grammar::sequence({grammar::optional(wrapped(row_.layout.reasoning, text_without({}))), answer});
  }

  bool holds_token(std::string_view text) const {
    return std::any_of(marks_.begin(), marks_.end(), [&](std::string const& mark) {
      return text.find(mark) != std::string_view::npos && token_of_mark(tokens_, mark);
    });
  }

 private:
  static bool says_text(answer_options const& may) { return may.free_text || (!may.tools && !may.output); }

  // Text that spells no mark, except those that text cannot make: tokens.
  expr text_without(std::vector<std::string> more) const {
    for (auto const& mark : marks_)
      if (!token_of_mark(tokens_, mark)) more.push_back(mark);
    return grammar::free_text({.bytes_max = text_bytes_max, .without = std::move(more)});
  }

  // A layout with one field, which is this.
  expr wrapped(std::string_view layout, expr const& inside) const {
    std::vector<expr> parts;
    for (auto const& part : layout_parts(layout)) parts.push_back(part.field ? inside : literal(part.text));
    return grammar::sequence(std::move(parts));
  }

  // Where a bracket at the beginning opens a call: nothing, or text whose first character is no bracket or space.
  expr text_that_is_no_call() const {
    auto continuation = [](int count) {
      return grammar::repeat(grammar::one_of({{0x80, 0xBF}}), static_cast<std::size_t>(count),
                             static_cast<std::size_t>(count));
    };
    auto const first = grammar::choice({
        grammar::one_of({{'!', 'Z'}, {'\\', 'z'}, {'|', '~'}}),
        grammar::sequence({grammar::one_of({{0xC2, 0xDF}}), continuation(1)}),
        grammar::sequence({grammar::one_of({{0xE1, 0xEC}, {0xEE, 0xEF}}), continuation(2)}),
        grammar::sequence({grammar::one_of({{0xF1, 0xF3}}), continuation(3)}),
    });
    return grammar::optional(grammar::sequence({first, text_without({})}));
  }

  expr calls(std::span<tool_spec const> tools, std::size_t calls_max) const {
    std::vector<expr> one;
    for (auto const& tool : tools) one.push_back(call(tool));
    auto const any = grammar::choice(std::move(one));
    std::size_t const further = std::max<std::size_t>(calls_max, 1) - 1;
    auto const more = grammar::repeat(grammar::sequence({literal(row_.layout.between), any}), 0, further);
    return grammar::sequence({literal(row_.layout.open), any, more, literal(row_.layout.close)});
  }

  expr call(tool_spec const& tool) const {
    std::vector<expr> parts;
    for (auto const& part : layout_parts(row_.layout.call)) {
      if (!part.field)
        parts.push_back(literal(part.text));
      else if (part.text == "$name")
        parts.push_back(grammar::literal(tool.name));
      else if (part.text == "$json_name")
        parts.push_back(grammar::literal(json_quoted(tool.name)));
      else if (part.text == "$arguments")
        parts.push_back(grammar::json_schema(arguments_of(tool)));
      else if (part.text == "$parameters")
        parts.push_back(grammar::schema_in_notation(arguments_of(tool), parameters()));
      else if (part.text == "$gemma")
        parts.push_back(grammar::schema_in_notation(
            arguments_of(tool), {.texts = {{literal(row_.syntax.quote), literal(row_.syntax.quote)}}}));
      else if (part.text == "$python")
        parts.push_back(grammar::schema_in_notation(arguments_of(tool), python()));
      else if (part.text == "$index")
        parts.push_back(grammar::repeat(grammar::one_of({{'0', '9'}}), 1, 2));
      else  // an id
        parts.push_back(grammar::sequence({grammar::literal(part.text == "$json_id" ? "\"" : ""),
                                           grammar::repeat(grammar::one_of({{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}), 9, 9),
                                           grammar::literal(part.text == "$json_id" ? "\"" : "")}));
    }
    return grammar::sequence(std::move(parts));
  }

  // name=value, with Python's literals. Names are what the reader takes for one.
  static grammar::notation python() {
    return {.true_text = "True",
            .false_text = "False",
            .null_text = "None",
            .outermost = {{.between = grammar::literal(", "),
                           .before_name = {},
                           .names = "^[A-Za-z_\\u0080-\\u{10FFFF}][-A-Za-z0-9_\\u0080-\\u{10FFFF}]*$",
                           .value = {grammar::literal("="), {}}}}};
  }

  // The name and the value of an argument between marks.
  grammar::notation parameters() const {
    auto const split = [&](std::string_view form) {
      std::vector<expr> around(3);  // before the name, between, behind the value
      std::size_t at = 0;
      for (auto const& part : layout_parts(form)) {
        if (part.field)
          ++at;
        else
          around[at] = literal(part.text);
      }
      return around;
    };
    auto const any = split(row_.layout.parameter);
    auto const text = row_.layout.string_parameter.empty() ? any : split(row_.layout.string_parameter);
    return {.outermost = {{.between = {},
                           .before_name = any[0],
                           .names = "^[^\\s\"'<>=]+$",
                           .value = {any[1], any[2]},
                           .text = {{text[1], text[2]}}}}};
  }

  // The closer and what the layout writes behind it.
  expr end_of_reasoning() const { return literal(beginnings_of(row_).after_reasoning); }

  // A mark that the vocabulary holds as a token is meant as that token, otherwise as text.
  expr literal(std::string_view text) const {
    std::vector<expr> parts;
    std::string plain;
    for (std::size_t at = 0; at < text.size();) {
      auto const found = std::find_if(marks_.begin(), marks_.end(), [&](std::string const& mark) {
        return text.substr(at).starts_with(mark) && token_of_mark(tokens_, mark);
      });
      if (found == marks_.end()) {
        plain += text[at++];
        continue;
      }
      if (!plain.empty()) parts.push_back(grammar::literal(std::exchange(plain, {})));
      parts.push_back(grammar::token(*token_of_mark(tokens_, *found)));
      at += found->size();
    }
    if (!plain.empty() || parts.empty()) parts.push_back(grammar::literal(std::move(plain)));
    return grammar::sequence(std::move(parts));
  }

  family_row const& row_;
  tokenizer const& tokens_;
  std::vector<std::string> marks_;
};

}  // namespace
}  // namespace wherry::inline v0::detail::chat

namespace wherry::inline v0 {

std::optional<std::string> answer_family::call_beginning_in_text(tokenizer const& tokens) const {
  auto const begin = detail::chat::beginnings_of(*row_);
  if (!begin.text.empty() || detail::chat::grammar_maker(*row_, tokens).holds_token(begin.call)) return std::nullopt;
  return begin.call;
}

std::optional<grammar::expr> answer_family::constrain(std::span<tool_spec const> tools,
                                                      std::optional<raw_json> const& output, answer_options const& may,
                                                      tokenizer const& tokens) const {
  if (tools.empty() && !may.output && !may.constraint) return std::nullopt;
  detail::chat::grammar_maker const maker(*row_, tokens);
  return row_->reader == detail::chat::make_plain_reader ? maker.plain(tools, output, may)
                                                         : maker.by_layout(tools, output, may);
}

}  // namespace wherry::inline v0
