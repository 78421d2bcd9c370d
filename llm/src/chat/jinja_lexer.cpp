#include "chat/jinja_lexer.hpp"

#include "chat/jinja_failure.hpp"
#include "chat/unicode.hpp"

#include <array>
#include <cctype>
#include <optional>

namespace wherry::inline v0::detail::chat {
namespace {

bool is_name_start(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_' || (c & 0x80); }
bool is_name_char(char c) { return is_name_start(c) || std::isdigit(static_cast<unsigned char>(c)); }
bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)); }

// "\r\n" and "\r" count as "\n", and one newline at the very end is dropped.
std::string normalised(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r')
      out += source[i];
    else if (out += '\n'; i + 1 < source.size() && source[i + 1] == '\n')
      ++i;
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

class lexer {
 public:
  explicit lexer(std::string_view source) : source_(normalised(source)) {}

  std::vector<token> run() {
    while (at_ < source_.size()) text_then_tag();
    push(token_type::end, "", position());
    return std::move(tokens_);
  }

 private:
  // -- plain text and tags -------------------------------------------------------------------------------------------

  void text_then_tag() {
    std::size_t const open = find_tag(at_);
    if (open == std::string::npos) {
      emit_text(at_, source_.size());
      move_to(source_.size());
      return;
    }
    char const kind = source_[open + 1];
    char const sign = open + 2 < source_.size() ? source_[open + 2] : '\0';
    bool const signed_tag = sign == '-' || sign == '+';
    emit_text(at_, stripped_end(at_, open, sign, kind));
    move_to(open);
    source_position const begin = position();
    move_to(open + (signed_tag ? 3 : 2));
    if (kind == '#')
      skip_comment(begin);
    else if (kind == '{')
      read_tag(begin, token_type::output_begin, token_type::output_end);
    else if (!raw_block(begin))
      read_tag(begin, token_type::block_begin, token_type::block_end);
  }

  std::size_t find_tag(std::size_t from) const {
    for (;; ++from) {
      from = source_.find('{', from);
      if (from == std::string::npos || from + 1 >= source_.size()) return std::string::npos;
      char const next = source_[from + 1];
      if (next == '{' || next == '%' || next == '#') return from;
    }
  }

  // Where the text before a tag ends, once the tag's sign and lstrip_blocks have taken their share.
  std::size_t stripped_end(std::size_t begin, std::size_t end, char sign, char kind) const {
    std::string_view const text = std::string_view(source_).substr(begin, end - begin);
    if (sign == '-') return begin + rstripped_size(text);
    if (kind == '{' || sign == '+') return end;
    std::size_t const newline = text.rfind('\n');
    if (newline == std::string_view::npos && !line_starts_) return end;
    std::size_t const line = newline == std::string_view::npos ? 0 : newline + 1;
    return rstripped_size(text.substr(line)) == 0 ? begin + line : end;
  }

  // Moves behind a tag's last two characters and over what its sign or trim_blocks removes.
  void leave_tag(char sign, bool trims_newline) {
    std::size_t next = at_ + 2;
    if (sign == '-')
      next += source_.size() - next - lstripped(std::string_view(source_).substr(next)).size();
    else if (sign != '+' && trims_newline && next < source_.size() && source_[next] == '\n')
      ++next;
    move_to(next);
    line_starts_ = source_[next - 1] == '\n';
  }

  void skip_comment(source_position begin) {
    std::size_t const close = source_.find("#}", at_);
    if (close == std::string::npos) broken("the comment is not closed with #}", begin);
    char const sign = close > at_ ? source_[close - 1] : '\0';
    move_to(close);
    leave_tag(sign, true);
  }

  // {% raw %}...{% endraw %}: true when there is one here. Its text is taken as it is.
  bool raw_block(source_position begin) {
    auto const head = end_tag_at(at_, "raw");
    if (!head) return false;
    move_to(head->close);
    leave_tag(head->sign, false);
    for (std::size_t open = source_.find("{%", at_); open != std::string::npos; open = source_.find("{%", open + 2)) {
      char const sign = open + 2 < source_.size() ? source_[open + 2] : '\0';
      auto const tail = end_tag_at(open + (sign == '-' || sign == '+' ? 3 : 2), "endraw");
      if (!tail) continue;
      emit_text(at_, stripped_end(at_, open, sign, '%'));
      move_to(tail->close);
      leave_tag(tail->sign, true);
      return true;
    }
    broken("the raw block is not closed with endraw", begin);
  }

  struct tag_close {
    std::size_t close;  ///< Offset of "%}".
    char sign;
  };
  // Whether a tag's inside, from an offset, is just this word.
  std::optional<tag_close> end_tag_at(std::size_t from, std::string_view word) const {
    std::string_view rest = lstripped(std::string_view(source_).substr(from));
    if (!rest.starts_with(word)) return std::nullopt;
    rest = lstripped(rest.substr(word.size()));
    char const sign = !rest.empty() && (rest[0] == '-' || rest[0] == '+') ? rest[0] : '\0';
    if (sign) rest.remove_prefix(1);
    if (!rest.starts_with("%}")) return std::nullopt;
    return tag_close{source_.size() - rest.size(), sign};
  }

  // -- inside a tag --------------------------------------------------------------------------------------------------

  void read_tag(source_position begin, token_type opening, token_type closing) {
    push(opening, "", begin);
    std::string_view const close = closing == token_type::block_end ? "%}" : "}}";
    std::vector<char> brackets;
    for (;;) {
      skip_space();
      if (at_ >= source_.size()) broken("the tag is not closed with " + std::string(close), begin);
      char const c = source_[at_];
      bool const signed_close = (c == '-' || (c == '+' && closing == token_type::block_end)) && looking_at(close, 1);
      if (brackets.empty() && (signed_close || looking_at(close, 0))) {
        source_position const end = position();
        if (signed_close) move_to(at_ + 1);
        leave_tag(signed_close ? c : '\0', closing == token_type::block_end);
        push(closing, "", end);
        return;
      }
      read_token(brackets);
    }
  }

  void read_token(std::vector<char>& brackets) {
    char const c = source_[at_];
    if (c == '"' || c == '\'')
      read_string(c);
    else if (is_digit(c))
      read_number();
    else if (is_name_start(c))
      read_name();
    else
      read_symbol(brackets);
  }

  void read_name() {
    source_position const begin = position();
    std::size_t end = at_;
    while (end < source_.size() && is_name_char(source_[end])) ++end;
    push(token_type::name, source_.substr(at_, end - at_), begin);
    move_to(end);
  }

  void read_number() {
    source_position const begin = position();
    std::string digits;
    bool floating = false;
    std::size_t i = at_;
    auto take_digits = [&] {
      for (; i < source_.size() && (is_digit(source_[i]) || source_[i] == '_'); ++i)
        if (source_[i] != '_') digits += source_[i];
    };
    auto digit_at = [&](std::size_t at) { return at < source_.size() && is_digit(source_[at]); };
    take_digits();
    if (i < source_.size() && source_[i] == '.' && digit_at(i + 1)) {
      floating = true;
      digits += source_[i++];
      take_digits();
    }
    if (i < source_.size() && (source_[i] == 'e' || source_[i] == 'E')) {
      bool const has_sign = i + 1 < source_.size() && (source_[i + 1] == '+' || source_[i + 1] == '-');
      if (digit_at(i + (has_sign ? 2 : 1))) {
        floating = true;
        digits += source_[i++];
        if (has_sign) digits += source_[i++];
        take_digits();
      }
    }
    push(floating ? token_type::floating : token_type::integer, std::move(digits), begin);
    move_to(i);
  }

  void read_symbol(std::vector<char>& brackets) {
    static constexpr std::array<std::string_view, 29> symbols = {"**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/",
                                                                 "%",  "~",  "<",  ">",  "=",  "(",  ")", "[", "]", "{",
                                                                 "}",  ",",  ".",  ":",  "|",  ";",  "&", "!", "^"};
    source_position const begin = position();
    for (auto const symbol : symbols) {
      if (!looking_at(symbol, 0)) continue;
      char const c = symbol[0];
      if (c == '(' || c == '[' || c == '{') brackets.push_back(c == '(' ? ')' : c == '[' ? ']' : '}');
      if (c == ')' || c == ']' || c == '}') {
        if (brackets.empty() || brackets.back() != c) broken("unexpected " + std::string(symbol), begin);
        brackets.pop_back();
      }
      push(token_type::symbol, std::string(symbol), begin);
      move_to(at_ + symbol.size());
      return;
    }
    broken("unexpected character " + source_.substr(at_, 1), begin);
  }

  void read_string(char quote) {
    source_position const begin = position();
    std::string text;
    std::size_t i = at_ + 1;
    while (i < source_.size() && source_[i] != quote) {
      if (source_[i] == '\\' && i + 1 < source_.size())
        i = read_escape(i + 1, text, begin);
      else
        text += source_[i++];
    }
    if (i >= source_.size()) broken("the string is not closed", begin);
    push(token_type::string, std::move(text), begin);
    move_to(i + 1);
  }

  // Python's string escapes, at the offset behind the backslash; returns the offset behind the escape.
  std::size_t read_escape(std::size_t i, std::string& out, source_position begin) const {
    static constexpr std::string_view letters = "abfnrtv\\'\"";
    static constexpr std::string_view meanings = "\a\b\f\n\r\t\v\\'\"";
    char const c = source_[i];
    if (c == '\n') return i + 1;
    if (auto const known = letters.find(c); known != std::string_view::npos) {
      out += meanings[known];
      return i + 1;
    }
    if (c >= '0' && c <= '7') return read_code(i, 3, 8, out, begin, false);
    if (c == 'x') return read_code(i + 1, 2, 16, out, begin, true);
    if (c == 'u') return read_code(i + 1, 4, 16, out, begin, true);
    if (c == 'U') return read_code(i + 1, 8, 16, out, begin, true);
    out += '\\';
    return i;
  }

  std::size_t read_code(std::size_t i, int digits_max, unsigned base, std::string& out, source_position begin,
                        bool exact) const {
    std::uint32_t code = 0;
    int digits = 0;
    for (; digits < digits_max && i < source_.size(); ++digits, ++i) {
      auto const digit = digit_value(source_[i]);
      if (digit >= base) break;
      code = code * base + digit;
    }
    if (exact && digits != digits_max) broken("a \\x, \\u or \\U escape has too few digits", begin);
    if (!append_code_point(out, code)) broken("an escape names no Unicode character", begin);
    return i;
  }

  // -- bookkeeping ---------------------------------------------------------------------------------------------------

  bool looking_at(std::string_view text, std::size_t ahead) const {
    return at_ + ahead <= source_.size() && std::string_view(source_).substr(at_ + ahead).starts_with(text);
  }
  void skip_space() {
    std::size_t next = at_;
    while (next < source_.size() && std::isspace(static_cast<unsigned char>(source_[next]))) ++next;
    move_to(next);
  }
  void emit_text(std::size_t begin, std::size_t end) {
    if (begin < end) push(token_type::text, source_.substr(begin, end - begin), position());
  }
  void push(token_type type, std::string text, source_position at) { tokens_.push_back({type, std::move(text), at}); }

  source_position position() const { return {line_, static_cast<std::uint32_t>(at_ - line_begin_ + 1)}; }
  void move_to(std::size_t next) {
    for (; at_ < next; ++at_)
      if (source_[at_] == '\n') {
        ++line_;
        line_begin_ = at_ + 1;
      }
  }
  [[noreturn]] static void broken(std::string const& what, source_position at) {
    fail("the template cannot be read at " + to_string(at) + ": " + what, errc::parse_error);
  }

  std::string source_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
  std::size_t line_begin_ = 0;
  bool line_starts_ = true;  // whether the text that follows begins a line: lstrip_blocks asks
  std::vector<token> tokens_;
};

}  // namespace

std::vector<token> tokenize_template(std::string_view source) { return lexer(source).run(); }

}  // namespace wherry::inline v0::detail::chat
