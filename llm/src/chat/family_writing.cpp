// How a family's row is written: calls, whole answers, and the grammar of them.
#include "chat/call_values.hpp"
#include "chat/family.hpp"

#include <wherry/core/json.hpp>

#include <algorithm>

namespace wherry::inline v0::detail::chat {
namespace {

constexpr std::array<std::string_view, 13> fields = {"$reasoning", "$text",  "$name",      "$json_name",  "$id",
                                                     "$json_id",   "$index", "$arguments", "$parameters", "$gemma",
                                                     "$python",    "$key",   "$value"};

std::string json_quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

// Models with ids of their own want them; nine letters and digits satisfy all.
std::string id_of(tool_call const& call, std::size_t index) {
  if (!call.id.empty()) return call.id;
  std::string const digits = std::to_string(index + 1);
  return "call" + std::string(5 - std::min<std::size_t>(digits.size(), 5), '0') + digits;
}

class writer {
 public:
  explicit writer(family_row const& row) : row_(row) {}

  std::vector<prompt_piece> take() { return std::move(pieces_); }

  void put(std::string_view text, text_origin origin) {
    if (text.empty()) return;
    if (pieces_.empty() || pieces_.back().origin != origin) pieces_.push_back({"", origin});
    pieces_.back().text += text;
  }

  template <class Field>
  void layout(std::string_view text, Field write_field) {
    for (auto const& part : layout_parts(text)) {
      if (part.field)
        write_field(part.text);
      else
        put(part.text, text_origin::from_template);
    }
  }
  void layout_with(std::string_view text, std::string_view value) {
    layout(text, [&](std::string_view) { put(value, text_origin::from_data); });
  }

  void calls(std::span<tool_call const> calls) {
    put(row_.layout.open, text_origin::from_template);
    for (std::size_t i = 0; i < calls.size(); ++i) {
      if (i) put(row_.layout.between, text_origin::from_template);
      layout(row_.layout.call, [&](std::string_view field) { call_field(calls[i], i, field); });
    }
    put(row_.layout.close, text_origin::from_template);
  }

 private:
  void call_field(tool_call const& call, std::size_t index, std::string_view field) {
    auto data = [&](std::string_view text) { put(text, text_origin::from_data); };
    if (field == "$name") return data(call.name);
    if (field == "$json_name") return data(json_quoted(call.name));
    if (field == "$id") return data(id_of(call, index));
    if (field == "$json_id") return data(json_quoted(id_of(call, index)));
    if (field == "$index") return data(std::to_string(index));
    auto const arguments = parse_json(call.arguments);
    if (field == "$arguments" || !arguments || !arguments->is_object()) return data(call.arguments);
    if (field == "$gemma") return gemma(*arguments);
    if (field == "$python") return python(*arguments);
    for (auto const& [key, value] : arguments->items()) parameter(key, value);
  }

  void parameter(std::string const& key, json const& value) {
    auto const& form = value.is_string() && !row_.layout.string_parameter.empty() ? row_.layout.string_parameter
                                                                                  : row_.layout.parameter;
    layout(form, [&](std::string_view field) {
      if (field == "$key")
        put(key, text_origin::from_data);
      else
        put(value.is_string() ? value.get<std::string>() : spaced_json(value), text_origin::from_data);
    });
  }

  void python(json const& arguments) {
    bool first = true;
    for (auto const& [key, value] : arguments.items()) {
      put((std::exchange(first, false) ? "" : ", ") + key + '=' + python_text(value), text_origin::from_data);
    }
  }

  // The marks around texts are the template's.
  void gemma(json const& arguments) {
    std::string_view const mark = row_.syntax.quote;
    std::string const text = gemma_text(arguments, mark);
    for (std::size_t at = 0; at < text.size();) {
      std::size_t const next = std::min(text.find(mark, at), text.size());
      put(std::string_view(text).substr(at, next - at), text_origin::from_data);
      if (next < text.size()) put(mark, text_origin::from_template);
      at = next + mark.size();
    }
  }

  family_row const& row_;
  std::vector<prompt_piece> pieces_;
};

// -- grammar ----------------------------------------------------------------------------------------------------------

using grammar::expr;

constexpr std::size_t text_bytes_max = 1 << 20;  // of free text; max_tokens ends it long before
constexpr std::size_t calls_max = 16;            // tool calls in one answer

class grammar_maker {
 public:
  grammar_maker(family_row const& row, tokenizer const& tokens) : row_(row), tokens_(tokens), marks_(marks_of(row)) {}

  // {"tool":"NAME","arguments":{...}} or {"output":...} or text.
  expr plain(std::span<tool_spec const> tools, std::optional<raw_json> const& output, answer_options const& may) const {
    std::vector<expr> ways;
    if (may.tools)
      for (auto const& tool : tools)
        ways.push_back(grammar::sequence({grammar::literal("{\"tool\":" + json_quoted(tool.name) + ",\"arguments\":"),
                                          grammar::json_schema(tool.input_schema), grammar::literal("}")}));
    if (may.output && output)
      ways.push_back(
          grammar::sequence({grammar::literal("{\"output\":"), grammar::json_schema(*output), grammar::literal("}")}));
    // The reader takes text that begins like an object for one.
    if (may.free_text) ways.push_back(text_without({"{\"tool\"", "{\"output\""}));
    return grammar::choice(std::move(ways));
  }

  // Reasoning, to its end if the prompt began it; then text, then calls; or the output; or text.
  expr by_layout(std::span<tool_spec const> tools, std::optional<raw_json> const& output,
                 answer_options const& may) const {
    auto const said = wrapped(row_.layout.text, row_.syntax.bare ? text_that_is_no_call() : text_without({}));
    std::vector<expr> ways;
    if (may.tools) {
      auto const all = calls(tools);
      bool const text_first = may.free_text && !row_.syntax.bare;
      auto const before = grammar::optional(grammar::sequence({said, literal(row_.layout.before_calls)}));
      ways.push_back(text_first ? grammar::sequence({before, all}) : all);
    }
    if (may.output && output) ways.push_back(wrapped(row_.layout.text, grammar::json_schema(*output)));
    if (may.free_text) ways.push_back(said);
    auto const answer = grammar::choice(std::move(ways));
    if (may.in_reasoning && !row_.syntax.reasoning[0].close.empty())
      return grammar::sequence({text_without({}), end_of_reasoning(), answer});
    if (row_.layout.reasoning.empty()) return answer;
    return grammar::sequence({grammar::optional(wrapped(row_.layout.reasoning, text_without({}))), answer});
  }

 private:
  // Text that spells no mark, except those that text cannot make: control tokens.
  expr text_without(std::vector<std::string> more) const {
    for (auto const& mark : marks_)
      if (!is_control(mark)) more.push_back(mark);
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

  expr calls(std::span<tool_spec const> tools) const {
    std::vector<expr> one;
    for (auto const& tool : tools) one.push_back(call(tool));
    auto const any = grammar::choice(std::move(one));
    auto const more = grammar::repeat(grammar::sequence({literal(row_.layout.between), any}), 0, calls_max - 1);
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
        parts.push_back(grammar::json_schema(tool.input_schema));
      else if (part.text == "$index")
        parts.push_back(grammar::repeat(grammar::one_of({{'0', '9'}}), 1, 2));
      else  // an id
        parts.push_back(grammar::sequence({grammar::literal(part.text == "$json_id" ? "\"" : ""),
                                           grammar::repeat(grammar::one_of({{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}), 9, 9),
                                           grammar::literal(part.text == "$json_id" ? "\"" : "")}));
    }
    return grammar::sequence(std::move(parts));
  }

  // The closer and what the layout writes behind it.
  expr end_of_reasoning() const {
    std::string_view const close = row_.syntax.reasoning[0].close;
    std::string_view const form = row_.layout.reasoning;
    std::size_t const at = form.find(close);
    return literal(at == std::string_view::npos || close.empty() ? close : form.substr(at));
  }

  bool is_control(std::string_view spelling) const {
    auto const id = tokens_.find(spelling);
    return id && tokens_.kind(*id) == token_kind::control;
  }

  // A mark that the vocabulary holds as a control token is meant as that token, otherwise as text.
  expr literal(std::string_view text) const {
    std::vector<expr> parts;
    std::string plain;
    for (std::size_t at = 0; at < text.size();) {
      auto const found = std::find_if(marks_.begin(), marks_.end(), [&](std::string const& mark) {
        return text.substr(at).starts_with(mark) && is_control(mark);
      });
      if (found == marks_.end()) {
        plain += text[at++];
        continue;
      }
      if (!plain.empty()) parts.push_back(grammar::literal(std::exchange(plain, {})));
      parts.push_back(grammar::token(*tokens_.find(*found)));
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

std::vector<layout_part> layout_parts(std::string_view layout) {
  std::vector<layout_part> out;
  std::size_t begin = 0;
  for (std::size_t at = layout.find('$'); at != std::string_view::npos; at = layout.find('$', at + 1)) {
    std::string_view longest;
    for (auto const field : fields)
      if (layout.substr(at).starts_with(field) && field.size() > longest.size()) longest = field;
    if (longest.empty()) continue;
    if (at > begin) out.push_back({layout.substr(begin, at - begin), false});
    out.push_back({layout.substr(at, longest.size()), true});
    begin = at + longest.size();
  }
  if (begin < layout.size()) out.push_back({layout.substr(begin), false});
  return out;
}

}  // namespace wherry::inline v0::detail::chat

namespace wherry::inline v0 {

using namespace detail::chat;

std::string_view answer_family::name() const noexcept { return row_->name; }
bool answer_family::taught_by(std::string_view template_source) const { return row_->taught_by(template_source); }

std::string answer_family::call_text(std::span<tool_call const> calls) const {
  writer out(*row_);
  out.calls(calls);
  return joined(out.take());
}

std::vector<prompt_piece> answer_family::replay(message const& answer) const {
  writer out(*row_);
  std::string thought;
  for (auto const& part : answer.parts)
    if (auto const* reasoning = std::get_if<reasoning_part>(&part)) thought += reasoning->text;
  if (!thought.empty() && !row_->layout.reasoning.empty()) out.layout_with(row_->layout.reasoning, thought);
  std::string const text = answer.text();
  auto const calls = answer.tool_calls();
  if (!text.empty()) out.layout_with(row_->layout.text, text);
  if (!text.empty() && !calls.empty()) out.put(row_->layout.before_calls, text_origin::from_template);
  if (!calls.empty()) out.calls(calls);
  return out.take();
}

std::vector<std::string> answer_family::marks() const { return marks_of(*row_); }

std::vector<std::string> answer_family::control_marks(tokenizer const& tokens) const {
  std::vector<std::string> out;
  for (auto& mark : marks_of(*row_))
    if (auto const id = tokens.find(mark); id && tokens.kind(*id) == token_kind::control)
      out.push_back(std::move(mark));
  return out;
}

bool answer_family::goes_on_after(std::string_view spelling) const {
  return !spelling.empty() && spelling == row_->message_end;
}

bool answer_family::opens_reasoning(std::string_view prompt) const {
  std::size_t const size = prompt.find_last_not_of(" \t\r\n") + 1;
  std::string_view const end = prompt.substr(0, size);
  for (auto const& block : row_->syntax.reasoning)
    if (!block.open.empty()) {
      std::string_view open = block.open;
      open = open.substr(0, open.find_last_not_of(" \t\r\n") + 1);
      if (end.ends_with(open)) return true;
    }
  return false;
}

bool answer_family::can_constrain() const noexcept { return row_->enforced != family_row::enforcement::none; }

std::optional<grammar::expr> answer_family::constrain(std::span<tool_spec const> tools,
                                                      std::optional<raw_json> const& output, answer_options const& may,
                                                      tokenizer const& tokens) const {
  if (!can_constrain() || (!may.tools && !may.output)) return std::nullopt;
  grammar_maker const maker(*row_, tokens);
  return row_->enforced == family_row::enforcement::plain ? maker.plain(tools, output, may)
                                                          : maker.by_layout(tools, output, may);
}

}  // namespace wherry::inline v0
