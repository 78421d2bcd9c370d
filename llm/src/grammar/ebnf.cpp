// Grammars that people write: rules, literals, classes, patterns, groups and repetitions. Read by recursive descent
// into the combinators of grammar.hpp.

#include <wherry/core/text.hpp>
#include <wherry/llm/grammar.hpp>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

namespace wherry::inline v0 {
namespace grammar {
namespace {

constexpr std::size_t ebnf_bytes_max = 1 << 20;
constexpr int nesting_max = 200;

bool begins_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool goes_on(char c) { return begins_name(c) || (c >= '0' && c <= '9') || c == '-'; }

class ebnf_reader {
 public:
  ebnf_reader(std::string_view text, ebnf_options const& options) : text_(text), options_(options) {}

  result<expr> read() {
    if (text_.size() > ebnf_bytes_max)
      return error(errc::limit_reached, "ebnf: the grammar is larger than 1 MiB", "ebnf");
    std::vector<std::pair<std::string, expr>> rules;
    std::set<std::string> names;
    for (skip(); at_ < text_.size() && !failure_; skip()) {
      std::size_t const begin = at_;
      std::string name = read_name();
      if (name.empty() || !begins_definition()) {
        at_ = begin;
        fail("a rule is expected here: name ::= ...");
        break;
      }
      if (!names.insert(name).second) {
        at_ = begin;
        fail("the rule \"" + name + "\" is defined twice");
        break;
      }
      at_ += definition_size();
      expr body = alternatives(0);
      rules.emplace_back(std::move(name), std::move(body));
    }
    if (!failure_ && rules.empty()) fail("there are no rules");
    for (auto const& [name, where] : used_) {
      if (failure_ || names.contains(name)) continue;
      at_ = where;
      fail("there is no rule named \"" + name + "\"");
    }
    if (failure_) return std::move(*failure_);
    expr start = rule(rules.front().first);
    return define(std::move(rules), std::move(start), options_.depth);
  }

 private:
  void fail(std::string const& why) {
    if (failure_) return;
    std::size_t const at = std::min(at_, text_.size());
    auto const before = text_.substr(0, at);
    auto const line = 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
    auto const line_begin = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
    failure_ = error(
        errc::parse_error,
        "ebnf: line " + std::to_string(line) + ", column " + std::to_string(at - line_begin + 1) + ": " + why, "ebnf");
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void skip() {
    while (at_ < text_.size()) {
      char const c = text_[at_];
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
        ++at_;
      } else {
        return;
      }
    }
  }
  std::string read_name() {
    std::size_t const begin = at_;
    if (begins_name(peek()))
      while (goes_on(peek())) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }
  std::size_t definition_size() const { return text_.substr(at_).starts_with("::=") ? 3 : 1; }
  bool begins_definition() {
    skip();
    return text_.substr(at_).starts_with("::=") || peek() == '=';
  }
  // Whether what follows is the next rule and not a part of this one.
  bool next_rule_begins() {
    std::size_t const begin = at_;
    bool const begins = !read_name().empty() && begins_definition();
    at_ = begin;
    return begins;
  }

  expr alternatives(int depth) {
    if (depth > nesting_max) {
      fail("groups are nested deeper than 200");
      return {};
    }
    std::vector<expr> all{parts(depth)};
    for (skip(); !failure_ && take('|'); skip()) all.push_back(parts(depth));
    return all.size() == 1 ? all.front() : choice(std::move(all));
  }
  expr parts(int depth) {
    std::vector<expr> all;
    for (skip(); !failure_ && at_ < text_.size() && peek() != '|' && peek() != ')'; skip()) {
      if (take(';')) break;
      if (begins_name(peek()) && next_rule_begins()) break;
      all.push_back(repeated(depth));
    }
    return all.size() == 1 ? all.front() : sequence(std::move(all));
  }
  expr repeated(int depth) {
    expr part = one(depth);
    while (!failure_) {
      if (take('?'))
        part = optional(std::move(part));
      else if (take('*'))
        part = repeat(std::move(part), 0, options_.repeat_max);
      else if (take('+'))
        part = repeat(std::move(part), 1, options_.repeat_max);
      else if (peek() == '{')
        part = counted(std::move(part));
      else
        break;
    }
    return part;
  }
  expr counted(expr part) {
    std::size_t const begin = at_++;
    std::size_t const min = number(0);
    std::size_t max = min;
    if (take(',')) max = number(options_.repeat_max);
    if (!take('}') || min > max) {
      at_ = begin;
      fail("a count is {3}, {2,5} or {2,}");
    } else if (max > options_.repeat_max) {
      at_ = begin;
      fail("a count above ebnf_options::repeat_max, which is " + std::to_string(options_.repeat_max));
    }
    return repeat(std::move(part), min, max);
  }
  std::size_t number(std::size_t otherwise) {
    std::size_t value = 0;
    auto const [end, code] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (code != std::errc{}) return otherwise;
    at_ = static_cast<std::size_t>(end - text_.data());
    return value;
  }
  expr one(int depth) {
    char const c = peek();
    if (c == '"' || c == '\'') return text(c);
    if (c == '[') return pattern("^" + enclosed('[', ']') + "$");
    if (c == '/') {
      std::string const inside = enclosed('/', '/');
      return failure_ ? expr() : pattern("^(?:" + inside.substr(1, inside.size() - 2) + ")$");
    }
    if (take('.')) return pattern("^[^\\n]$");
    if (take('(')) {
      expr inner = alternatives(depth + 1);
      skip();
      if (!take(')')) fail("a ) is missing");
      return inner;
    }
    std::size_t const begin = at_;
    std::string name = read_name();
    if (name.empty()) {
      fail(at_ < text_.size() ? "\"" + std::string(1, c) + "\" begins nothing: literals stand in quotes"
                              : "more is expected");
      return {};
    }
    used_.emplace_back(name, begin);
    return rule(std::move(name));
  }
  expr pattern(std::string text) { return regex(std::move(text)); }
  // As it stands, with both ends; a backslash takes the next character with it.
  std::string enclosed(char open, char close) {
    std::size_t const begin = at_++;
    bool in_class = open == '[';
    for (; at_ < text_.size() && text_[at_] != '\n'; ++at_) {
      char const c = text_[at_];
      if (c == '\\') {
        ++at_;
      } else if (c == close && (!in_class || open == '[')) {
        ++at_;
        return std::string(text_.substr(begin, at_ - begin));
      } else if (c == '[' || c == ']') {
        in_class = c == '[';
      }
    }
    at_ = begin;
    fail(std::string("a ") + close + " is missing on this line");
    return {};
  }
  expr text(char quote) {
    std::size_t const begin = at_++;
    std::string out;
    while (at_ < text_.size() && text_[at_] != quote && text_[at_] != '\n' && !failure_) {
      if (text_[at_] == '\\')
        escape(out);
      else
        out += text_[at_++];
    }
    if (!failure_ && !take(quote)) {
      at_ = begin;
      fail("a quote is missing on this line");
    }
    return literal(std::move(out));
  }
  void escape(std::string& out) {
    std::size_t const begin = at_++;
    static constexpr std::string_view from = "nrt\\\"'/", to = "\n\r\t\\\"'/";
    char const c = peek();
    if (auto const i = from.find(c); c != '\0' && i != std::string_view::npos) {
      out += to[i];
      ++at_;
      return;
    }
    std::size_t const digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    std::uint32_t value = 0;
    auto const hex = text_.substr(std::min(at_ + 1, text_.size()), digits);
    auto const [end, code] = std::from_chars(hex.data(), hex.data() + hex.size(), value, 16);
    bool const is_character = value < 0x110000 && (value < 0xd800 || value > 0xdfff);
    if (digits == 0 || hex.size() < digits || code != std::errc{} || end != hex.data() + hex.size() || !is_character) {
      at_ = begin;
      return fail("this is no escape: \\n \\r \\t \\\\ \\\" \\' \\/ \\xXX \\uXXXX \\UXXXXXXXX");
    }
    at_ += 1 + digits;
    append_utf8(out, value);
  }

  std::string_view text_;
  ebnf_options const options_;
  std::size_t at_ = 0;
  std::vector<std::pair<std::string, std::size_t>> used_;
  std::optional<error> failure_;
};

}  // namespace

result<expr> ebnf(std::string_view text, ebnf_options const& options) { return ebnf_reader(text, options).read(); }

}  // namespace grammar
}  // namespace wherry::inline v0
