#include "chat/call_values.hpp"

#include "chat/unicode.hpp"

#include <wherry/llm/json_validator.hpp>

#include <algorithm>
#include <cctype>

namespace wherry::inline v0::detail::chat {
namespace {

constexpr std::size_t literal_depth_max = 100;
constexpr std::string_view white_space = " \t\r\n";

bool is_white(char c) { return white_space.find(c) != std::string_view::npos; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool begins_name(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_' || (c & 0x80); }
bool continues_name(char c) { return begins_name(c) || is_digit(c); }

// Reads literals, and calls whose arguments are literals. Failure is told by ok(): nothing is read behind it.
class literal_reader {
 public:
  explicit literal_reader(std::string_view text) : text_(text) {}

  bool ok() const noexcept { return problem_.empty(); }
  std::string const& problem() const noexcept { return problem_; }
  bool at_end() {
    skip_space();
    return at_ == text_.size();
  }

  json value() {
    skip_space();
    if (++depth_ > literal_depth_max) return wrong("nested too deeply");
    json out = unnested_value();
    --depth_;
    return out;
  }

  std::vector<tool_call> calls() {
    std::vector<tool_call> out;
    bool const list = take('[');
    if (list && take(']')) return out;
    do {
      if (list && !out.empty() && take(']')) return out;  // a comma may stand before the bracket
      out.push_back(call());
    } while (ok() && list && take(','));
    if (list && !take(']')) wrong("a list of calls ends with ]");
    return out;
  }

 private:
  json unnested_value() {
    if (take('[')) return list(']');
    if (take('(')) return list(')');
    if (take('{')) return dict();
    if (at_ == text_.size()) return wrong("a value is missing");
    char const c = text_[at_];
    if (c == '"' || c == '\'') return string();
    if (is_digit(c) || c == '-' || c == '+' || c == '.') return number();
    std::string const word = name();
    if (word == "True" || word == "true") return true;
    if (word == "False" || word == "false") return false;
    if (word == "None" || word == "null") return nullptr;
    return wrong("\"" + word + "\" is no literal");
  }

  json list(char close) {
    json out = json::array();
    while (ok() && !take(close)) {
      out.push_back(value());
      if (!take(',') && !(at_ < text_.size() && text_[at_] == close)) return wrong("a list is not closed");
    }
    return out;
  }

  json dict() {
    json out = json::object();
    while (ok() && !take('}')) {
      json const key = value();
      if (!ok()) return {};
      if (!key.is_string()) return wrong("a key is no text");
      if (!take(':')) return wrong("a key needs a colon");
      if (out.contains(key.get_ref<std::string const&>())) return wrong("a key stands twice");
      out[key.get_ref<std::string const&>()] = value();
      if (!take(',') && !(at_ < text_.size() && text_[at_] == '}')) return wrong("a dict is not closed");
    }
    return out;
  }

  json number() {
    std::size_t const begin = at_;
    std::string digits;
    for (; at_ < text_.size() && std::string_view("0123456789+-.eE_").find(text_[at_]) != std::string_view::npos; ++at_)
      if (text_[at_] != '_') digits += text_[at_];
    if (digits.starts_with('+')) digits.erase(0, 1);
    if (digits.ends_with('.')) digits += '0';
    if (std::size_t const point = digits.find('.');
        point != std::string::npos && (point == 0 || !is_digit(digits[point - 1])))
      digits.insert(point, "0");
    auto parsed = parse_json(digits);
    if (!parsed || !(parsed->is_number() || is_big_integer(*parsed)))
      return wrong("\"" + std::string(text_.substr(begin, at_ - begin)) + "\" is no number");
    return std::move(*parsed);
  }

  json string() {
    char const quote = text_[at_++];
    std::string out;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] != '\\') {
        out += text_[at_++];
        continue;
      }
      if (++at_ == text_.size()) break;
      escape(out);
      if (!ok()) return {};
    }
    if (at_ == text_.size()) return wrong("a text is not closed");
    ++at_;
    return out;
  }

  void escape(std::string& out) {
    static constexpr std::string_view letters = "abfnrtv0\\'\"/";
    static constexpr std::string_view meanings("\a\b\f\n\r\t\v\0\\'\"/", 12);
    char const c = text_[at_++];
    if (auto const known = letters.find(c); known != std::string_view::npos) {
      out += meanings[known];
    } else if (c == 'x' || c == 'u' || c == 'U') {
      std::uint32_t code = hexadecimal(c == 'x' ? 2 : c == 'u' ? 4 : 8);
      if (code >= 0xD800 && code < 0xDC00 && text_.substr(at_).starts_with("\\u")) {
        at_ += 2;
        std::uint32_t const low = hexadecimal(4);
        code = low >= 0xDC00 && low < 0xE000 ? 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00) : 0xD800;
      }
      if (ok() && !append_code_point(out, code)) wrong("an escape names no character");
    } else if (c != '\n') {
      out += '\\';
      out += c;
    }
  }

  std::uint32_t hexadecimal(int digits) {
    std::uint32_t code = 0;
    for (; digits > 0; --digits, ++at_) {
      auto const digit = at_ < text_.size() ? digit_value(text_[at_]) : 255u;
      if (digit >= 16) {
        wrong("an escape has too few digits");
        return 0;
      }
      code = code * 16 + digit;
    }
    return code;
  }

  tool_call call() {
    tool_call out;
    skip_space();
    while (at_ < text_.size() && (continues_name(text_[at_]) || text_[at_] == '-' || text_[at_] == '.'))
      out.name += text_[at_++];
    if (out.name.empty() || out.name.ends_with('.')) wrong("a call begins with a name");
    // Llama's built-in tools: brave_search.call(query="...").
    if (out.name.ends_with(".call")) out.name.resize(out.name.size() - 5);
    if (!take('(')) wrong("a name needs its arguments");
    arguments_writer arguments;
    while (ok() && !take(')')) {
      std::string const key = name();
      if (key.empty() || !take('=')) {
        wrong("arguments are given by name");
        break;
      }
      json const given = value();
      if (ok() && !arguments.add(key, given)) wrong("the argument \"" + key + "\" stands twice");
      if (!take(',') && !(at_ < text_.size() && text_[at_] == ')')) wrong("a call is not closed");
    }
    out.arguments = arguments.text();
    return out;
  }

  std::string name() {
    skip_space();
    std::size_t const begin = at_;
    if (at_ < text_.size() && begins_name(text_[at_]))
      while (at_ < text_.size() && (continues_name(text_[at_]) || text_[at_] == '-')) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  void skip_space() { at_ = std::min(text_.find_first_not_of(white_space, at_), text_.size()); }
  bool take(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  json wrong(std::string what) {
    if (ok()) problem_ = std::move(what);
    return nullptr;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::string problem_;
};

}  // namespace

read_calls calls_from_python(std::string_view text) {
  literal_reader reader(text);
  read_calls out{reader.calls(), {}};
  if (!reader.ok())
    out.problem = reader.problem();
  else if (!reader.at_end())
    out.problem = "something follows the calls";
  return out;
}

std::optional<json> python_literal(std::string_view text) {
  literal_reader reader(text);
  json value = reader.value();
  if (!reader.ok() || !reader.at_end()) return std::nullopt;
  return value;
}

std::string python_text(json const& value) {
  if (value.is_null()) return "None";
  if (value.is_boolean()) return value.get<bool>() ? "True" : "False";
  std::string out;
  if (value.is_array()) {
    for (auto const& item : value) out += (out.empty() ? "" : ", ") + python_text(item);
    return "[" + out + "]";
  }
  if (value.is_object()) {
    for (auto const& [key, member] : value.items())
      out += (out.empty() ? "" : ", ") + to_text(json(key)) + ": " + python_text(member);
    return "{" + out + "}";
  }
  return to_text(value);  // what JSON escapes in a text, Python understands
}

bool python_scanner::take(char byte) noexcept {
  if (quote_) {
    if (escaped_)
      escaped_ = false;
    else if (byte == '\\')
      escaped_ = true;
    else if (byte == quote_)
      quote_ = 0;
    return false;
  }
  if (byte == '"' || byte == '\'')
    quote_ = byte;
  else if (byte == '[' || byte == '(' || byte == '{')
    ++depth_;
  else if ((byte == ']' || byte == ')' || byte == '}') && depth_ > 0)
    return --depth_ == 0;
  return false;
}

// -- Gemma ------------------------------------------------------------------------------------------------------------

void gemma_reader::take(char byte) {
  if (in_text_) {
    text_ += byte;
    return;
  }
  if (done_) {
    broken_ = broken_ || !is_white(byte);
    return;
  }
  switch (byte) {
    case '{':
    case '[':
      end_word();
      if (brackets_.size() > literal_depth_max) broken_ = true;
      brackets_ += byte;
      json_ += byte;
      break;
    case '}':
    case ']':
      end_word();
      json_ += byte;
      if (brackets_.empty() || brackets_.back() != (byte == '}' ? '{' : '['))
        broken_ = true;
      else
        brackets_.pop_back();
      done_ = brackets_.empty();
      break;
    case ',':
      end_word();
      json_ += ", ";
      break;
    case ':':
      // A key is a text, whatever it looks like.
      while (!word_.empty() && is_white(word_.back())) word_.pop_back();
      if (!word_.empty()) append_json_string(json_, std::exchange(word_, {}));
      json_ += ": ";
      break;
    default:
      if (!is_white(byte) || !word_.empty()) word_ += byte;
  }
}

void gemma_reader::quote() {
  if (in_text_) {
    append_json_string(json_, std::exchange(text_, {}));
  } else {
    broken_ = broken_ || !word_.empty() || done_;
  }
  in_text_ = !in_text_;
}

void gemma_reader::end_word() {
  while (!word_.empty() && is_white(word_.back())) word_.pop_back();
  if (word_.empty()) return;
  auto const literal = python_literal(word_);
  if (literal && !literal->is_structured())
    json_ += to_text(*literal);
  else
    broken_ = true;
  word_.clear();
}

std::optional<std::string> gemma_reader::object() const {
  if (broken_ || !done_) return std::nullopt;
  auto const parsed = parse_json(json_);
  if (!parsed || !parsed->is_object()) return std::nullopt;
  return json_;
}

std::string gemma_text(json const& value, std::string_view quote) {
  std::string const mark(quote);
  std::string out;
  if (value.is_string()) return mark + value.get_ref<std::string const&>() + mark;
  if (value.is_array()) {
    for (auto const& item : value) out += (out.empty() ? "" : ",") + gemma_text(item, quote);
    return "[" + out + "]";
  }
  if (value.is_object()) {
    for (auto const& [key, member] : value.items())
      out += (out.empty() ? "" : ",") + key + ":" + gemma_text(member, quote);
    return "{" + out + "}";
  }
  return to_text(value);
}

// -- bare parameters --------------------------------------------------------------------------------------------------

namespace {

// What the schema of a tool says about arguments, one at a time: nothing about which there are.
std::optional<json> argument_schema(std::vector<tool_spec> const* offered, std::string_view tool) {
  if (!offered) return std::nullopt;
  auto const spec = std::find_if(offered->begin(), offered->end(), [&](tool_spec const& s) { return s.name == tool; });
  if (spec == offered->end()) return std::nullopt;
  auto schema = parse_json(spec->input_schema.text);
  if (!schema || !schema->is_object()) return std::nullopt;
  for (auto const* keyword : {"required", "minProperties", "dependentRequired", "dependentSchemas", "dependencies",
                              "anyOf", "oneOf", "if", "then", "else", "not"})
    schema->erase(keyword);
  return std::move(*schema);
}

// Most parameters say their one type; only the others need a validator.
std::optional<bool> declares_text(json const& schema, std::string const& key) {
  auto const properties = schema.find("properties");
  if (properties == schema.end() || !properties->is_object()) return std::nullopt;
  auto const property = properties->find(key);
  if (property == properties->end() || !property->is_object()) return std::nullopt;
  auto const type = property->find("type");
  if (type == property->end() || !type->is_string()) return std::nullopt;
  return *type == "string";
}

}  // namespace

json bare_value(std::string_view text, std::optional<bool> is_text, std::vector<tool_spec> const* offered,
                std::string_view tool, std::string_view key) {
  auto const schema = is_text ? std::nullopt : argument_schema(offered, tool);
  if (schema) is_text = declares_text(*schema, std::string(key));
  if (is_text.value_or(false)) return std::string(text);
  std::size_t const begin = std::min(text.find_first_not_of(white_space), text.size());
  std::string_view const trimmed = text.substr(begin, text.find_last_not_of(white_space) + 1 - begin);
  std::vector<json> ways;
  if (!trimmed.empty()) {
    if (auto parsed = parse_json(trimmed)) ways.push_back(std::move(*parsed));
    if (auto literal = python_literal(trimmed)) ways.push_back(std::move(*literal));
  }
  ways.push_back(std::string(text));
  if (schema && !is_text && ways.size() > 1) {
    if (auto const validator = json_validator::make({to_text(*schema)}))
      for (auto const& way : ways) {
        auto const wrong = validator->validate_value(json{{key, way}});
        if (wrong && wrong->empty()) return way;
      }
  }
  return std::move(ways.front());
}

bool arguments_writer::add(std::string_view key, json const& value) {
  if (std::find(keys_.begin(), keys_.end(), key) != keys_.end()) return false;
  keys_.emplace_back(key);
  if (!members_.empty()) members_ += ", ";
  append_json_string(members_, key);
  members_ += ": " + spaced_json(value);
  return true;
}

std::string spaced_json(json const& value) {
  std::string out;
  if (value.is_array()) {
    for (auto const& item : value) out += (out.empty() ? "" : ", ") + spaced_json(item);
    return "[" + out + "]";
  }
  if (value.is_object()) {
    for (auto const& [key, member] : value.items())
      out += (out.empty() ? "" : ", ") + to_text(json(key)) + ": " + spaced_json(member);
    return "{" + out + "}";
  }
  return to_text(value);
}

}  // namespace wherry::inline v0::detail::chat
