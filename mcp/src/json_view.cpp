#include "json_view.hpp"

#include <wherry/core/text.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <vector>

namespace wherry::inline v0::mcp::detail {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

int hex_digit(char c) noexcept {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Four hexadecimal digits at `p`; -1 when they are not.
int code_unit(char const* p, char const* end) noexcept {
  if (end - p < 4) return -1;
  int unit = 0;
  for (int i = 0; i < 4; ++i) {
    int const d = hex_digit(p[i]);
    if (d < 0) return -1;
    unit = unit * 16 + d;
  }
  return unit;
}

/// One past the UTF-8 sequence at `p`, null when it is broken (Unicode table 3-7).
char const* sequence_end(char const* p, char const* end) noexcept {
  auto const at = [&](int i) { return static_cast<unsigned char>(p[i]); };
  unsigned char const lead = at(0);
  int const length = lead >= 0xC2 && lead <= 0xDF   ? 2
                     : lead >= 0xE0 && lead <= 0xEF ? 3
                     : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                    : 0;
  if (length == 0 || end - p < length) return nullptr;
  unsigned char const low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  unsigned char const high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (at(1) < low || at(1) > high) return nullptr;
  for (int i = 2; i < length; ++i)
    if (at(i) < 0x80 || at(i) > 0xBF) return nullptr;
  return p + length;
}

/// A stack of one bit per level: whether it is an object.
class levels {
 public:
  std::size_t depth() const noexcept { return depth_; }
  void push(bool object) {
    if (depth_ % 64 == 0 && depth_ / 64 == words_.size()) words_.push_back(0);
    auto& word = words_[depth_ / 64];
    auto const bit = std::uint64_t{1} << (depth_ % 64);
    word = object ? word | bit : word & ~bit;
    ++depth_;
  }
  void pop() noexcept { --depth_; }
  bool in_object() const noexcept { return words_[(depth_ - 1) / 64] >> ((depth_ - 1) % 64) & 1; }

 private:
  // Bounded by the depth that is allowed; the first word holds what anybody sends.
  struct small {
    std::array<std::uint64_t, 8> first{};
    std::vector<std::uint64_t> rest;
    std::size_t count = 0;
    std::size_t size() const noexcept { return count; }
    void push_back(std::uint64_t v) {
      if (count < first.size())
        first[count] = v;
      else
        rest.push_back(v);
      ++count;
    }
    std::uint64_t& operator[](std::size_t i) noexcept { return i < first.size() ? first[i] : rest[i - first.size()]; }
    std::uint64_t operator[](std::size_t i) const noexcept {
      return i < first.size() ? first[i] : rest[i - first.size()];
    }
  };
  small words_;
  std::size_t depth_ = 0;
};

class checker {
 public:
  checker(std::string_view text, std::size_t depth_max) noexcept
      : begin_(text.data()), p_(begin_), end_(begin_ + text.size()), depth_max_(depth_max) {}

  json_fault run() noexcept {
    p_ = skip_space(p_, end_);
    if (!document()) return {static_cast<std::size_t>(p_ - begin_), what_};
    p_ = skip_space(p_, end_);
    if (p_ != end_) return {static_cast<std::size_t>(p_ - begin_), "something follows the JSON document"};
    return {};
  }

 private:
  bool fail(char const* what) noexcept { return what_ = what, false; }

  bool document() noexcept {
    for (;;) {
      // p_ is where a value begins.
      if (p_ == end_) return fail("the text ends where a value should stand");
      if (*p_ == '{' || *p_ == '[') {
        bool const object = *p_ == '{';
        if (open_.depth() == depth_max_) return fail("nesting is too deep");
        open_.push(object);
        p_ = skip_space(p_ + 1, end_);
        if (p_ != end_ && *p_ == (object ? '}' : ']')) {
          ++p_;
          open_.pop();
        } else {
          if (object && !key()) return false;
          continue;
        }
      } else if (!scalar()) {
        return false;
      }
      // After a value: close what it completes, until another value begins.
      for (;;) {
        if (open_.depth() == 0) return true;
        p_ = skip_space(p_, end_);
        if (p_ == end_) return fail("the text ends inside an array or object");
        bool const object = open_.in_object();
        if (*p_ == ',') {
          p_ = skip_space(p_ + 1, end_);
          if (object && !key()) return false;
          break;
        }
        if (*p_ != (object ? '}' : ']'))
          return fail(object ? "a comma or } should stand here" : "a comma or ] should stand here");
        ++p_;
        open_.pop();
      }
    }
  }

  bool key() noexcept {
    if (p_ == end_ || *p_ != '"') return fail("a key in quotes should stand here");
    if (!string()) return false;
    p_ = skip_space(p_, end_);
    if (p_ == end_ || *p_ != ':') return fail("a colon should stand here");
    p_ = skip_space(p_ + 1, end_);
    return true;
  }

  bool scalar() noexcept {
    switch (*p_) {
      case '"': return string();
      case 't': return word("true");
      case 'f': return word("false");
      case 'n': return word("null");
      default: return number();
    }
  }

  bool word(std::string_view w) noexcept {
    if (std::string_view(p_, static_cast<std::size_t>(end_ - p_)).substr(0, w.size()) != w)
      return fail("a value should stand here");
    p_ += w.size();
    return true;
  }

  bool digits() noexcept {
    if (p_ == end_ || !is_digit(*p_)) return fail("a digit should stand here");
    while (p_ != end_ && is_digit(*p_)) ++p_;
    return true;
  }

  bool number() noexcept {
    char const* const start = p_;
    if (*p_ == '-') ++p_;
    if (p_ == end_ || !is_digit(*p_))
      return fail(p_ == start ? "a value should stand here" : "a digit should stand here");
    if (*p_ == '0')
      ++p_;
    else if (!digits())
      return false;
    if (p_ != end_ && *p_ == '.') {
      ++p_;
      if (!digits()) return false;
    }
    if (p_ != end_ && (*p_ == 'e' || *p_ == 'E')) {
      ++p_;
      if (p_ != end_ && (*p_ == '+' || *p_ == '-')) ++p_;
      if (!digits()) return false;
    }
    return true;
  }

  bool string() noexcept {
    ++p_;
    for (;;) {
      p_ = plain_run(p_, end_);
      if (p_ == end_) return fail("the text ends inside a string");
      if (*p_ == '"') {
        ++p_;
        return true;
      }
      if (*p_ == '\\') {
        if (!escape()) return false;
      } else if (static_cast<unsigned char>(*p_) < 0x20) {
        return fail("a control character stands in a string");
      } else {
        auto const* const next = sequence_end(p_, end_);
        if (!next) return fail("the text is not UTF-8");
        p_ = next;
      }
    }
  }

  bool escape() noexcept {
    if (end_ - p_ < 2) return fail("the text ends inside a string");
    if (p_[1] != 'u') {
      if (std::string_view("\"\\/bfnrt").find(p_[1]) == std::string_view::npos) return fail("there is no such escape");
      p_ += 2;
      return true;
    }
    int const unit = code_unit(p_ + 2, end_);
    if (unit < 0) return fail("four hexadecimal digits should follow \\u");
    if (unit >= 0xDC00 && unit <= 0xDFFF) return fail("a low surrogate stands alone");
    if (unit >= 0xD800 && unit <= 0xDBFF) {
      int const low = end_ - p_ >= 12 && p_[6] == '\\' && p_[7] == 'u' ? code_unit(p_ + 8, end_) : -1;
      if (low < 0xDC00 || low > 0xDFFF) return fail("a high surrogate stands alone");
      p_ += 6;
    }
    p_ += 6;
    return true;
  }

  char const* begin_;
  char const* p_;
  char const* end_;
  std::size_t depth_max_;
  char const* what_ = nullptr;
  levels open_;
};

void append_code_point(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

char unescaped(char c) noexcept {
  switch (c) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return c;
  }
}

}  // namespace

json_fault check_json(std::string_view text, std::size_t depth_max) noexcept { return checker(text, depth_max).run(); }

char const* value_end(char const* p, char const* end) noexcept {
  if (*p == '"') return string_end(p + 1, end) + 1;
  if (*p != '{' && *p != '[') {
    while (p != end && *p != ',' && *p != '}' && *p != ']' && !is_space(*p)) ++p;
    return p;
  }
  std::size_t depth = 0;
  for (;; ++p) {
    if (*p == '"') {
      p = string_end(p + 1, end);
    } else if (*p == '{' || *p == '[') {
      ++depth;
    } else if ((*p == '}' || *p == ']') && --depth == 0) {
      return p + 1;
    }
  }
}

std::string unquoted(std::string_view raw) {
  std::string out;
  if (!is_string(raw)) return out;
  char const* p = raw.data() + 1;
  char const* const end = raw.data() + raw.size() - 1;
  out.reserve(static_cast<std::size_t>(end - p));
  while (p != end) {
    auto const* const run = p;
    while (p != end && *p != '\\') {
      auto const* const next = plain_run(p, end);
      p = next == p ? p + 1 : next;
    }
    out.append(run, p);
    if (p == end) break;
    if (p[1] != 'u') {
      out += unescaped(p[1]);
      p += 2;
      continue;
    }
    auto unit = static_cast<std::uint32_t>(code_unit(p + 2, end));
    p += 6;
    if (unit >= 0xD800 && unit <= 0xDBFF) {
      auto const low = static_cast<std::uint32_t>(code_unit(p + 2, end));
      unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
      p += 6;
    }
    append_code_point(out, unit);
  }
  return out;
}

std::string_view member(std::string_view object, std::string_view name) {
  std::string_view found;
  if (!is_object(object)) return found;
  each_member(object, [&](std::string_view key, std::string_view value) {
    if (key != name) return true;
    found = value;
    return false;
  });
  return found;
}

std::optional<std::string> string_member(std::string_view object, std::string_view name) {
  auto const raw = member(object, name);
  if (!is_string(raw)) return std::nullopt;
  return unquoted(raw);
}

std::optional<std::int64_t> integer_in(std::string_view raw) noexcept {
  std::int64_t value = 0;
  auto const [at, ec] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  if (ec != std::errc{} || at != raw.data() + raw.size()) return std::nullopt;
  return value;
}

std::optional<double> number_in(std::string_view raw) noexcept {
  double value = 0;
  auto const [at, ec] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  if (ec != std::errc{} || at != raw.data() + raw.size()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> integer_member(std::string_view object, std::string_view name) {
  return integer_in(member(object, name));
}

void append_string(std::string& out, std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  out += '"';
  char const* p = text.data();
  char const* const end = p + text.size();
  while (p != end) {
    auto const* const run = p;
    for (;;) {  // plain bytes and whole UTF-8 sequences are copied together
      p = plain_run(p, end);
      if (p == end || static_cast<unsigned char>(*p) < 0x80) break;
      auto const* const next = sequence_end(p, end);
      if (!next) break;
      p = next;
    }
    out.append(run, p);
    if (p == end) break;
    char const c = *p++;
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) >= 0x80) {
          out += "\xEF\xBF\xBD";
        } else {
          out += "\\u00";
          out += digits[c >> 4];
          out += digits[c & 15];
        }
    }
  }
  out += '"';
}

void append_integer(std::string& out, std::int64_t value) {
  char text[24];
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

void append_number(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  if (value == std::trunc(value) && std::abs(value) < 9e15)
    return append_integer(out, static_cast<std::int64_t>(value));
  char text[40];
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

}  // namespace wherry::inline v0::mcp::detail
