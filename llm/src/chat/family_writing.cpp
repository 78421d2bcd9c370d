// How a family's row is written: calls and whole answers.
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
    if (token_of_mark(tokens, mark)) out.push_back(std::move(mark));
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

}  // namespace wherry::inline v0
