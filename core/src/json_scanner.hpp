#pragma once
// The one reader of JSON's grammar. What is done with what it reads is the listener's affair: nothing (check_json), or
// a value (parse_json). Nesting is a counter and a bit per level, so that no text can exhaust the stack.

#include <wherry/core/json_view.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace wherry::inline v0::json_view {

inline bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

inline int hex_digit(char c) noexcept {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Four hexadecimal digits at `p`; -1 when they are not.
inline int code_unit(char const* p, char const* end) noexcept {
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
inline char const* sequence_end(char const* p, char const* end) noexcept {
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

inline constexpr char too_deep[] = "nesting is too deep";

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

/// Reads one document and tells a listener what it meets. Each of the listener's functions may say false: the reading
/// ends there with a fault.
///
///   bool begin(bool object);         { or [
///   bool end();                      } or ]
///   bool key(raw, bool escaped);     of a member; raw with its quotes; escaped: it holds a backslash
///   bool string(raw, bool escaped);
///   bool number(raw);                as the grammar allows it, of any size
///   bool word(char first);           't', 'f' or 'n'
template <class Listener>
class json_scanner {
 public:
  json_scanner(std::string_view text, std::size_t depth_max, Listener& to) noexcept
      : begin_(text.data()), p_(begin_), end_(begin_ + text.size()), depth_max_(depth_max), to_(to) {}

  json_fault run() {
    p_ = skip_space(p_, end_);
    if (!document()) return {static_cast<std::size_t>(p_ - begin_), what_};
    p_ = skip_space(p_, end_);
    if (p_ != end_) return {static_cast<std::size_t>(p_ - begin_), "something follows the JSON document"};
    return {};
  }

 private:
  bool fail(char const* what) { return what_ = what, false; }
  /// What the listener says of the token that began at `start`.
  bool heard(bool well, char const* start) {
    if (well) return true;
    p_ = start;
    return fail("it is refused");
  }
  std::string_view from(char const* start) const { return {start, static_cast<std::size_t>(p_ - start)}; }

  bool document() {
    for (;;) {
      // p_ is where a value begins.
      if (p_ == end_) return fail("the text ends where a value should stand");
      if (*p_ == '{' || *p_ == '[') {
        bool const object = *p_ == '{';
        if (open_.depth() == depth_max_) return fail(too_deep);
        open_.push(object);
        if (!heard(to_.begin(object), p_)) return false;
        p_ = skip_space(p_ + 1, end_);
        if (p_ != end_ && *p_ == (object ? '}' : ']')) {
          ++p_;
          if (!close()) return false;
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
        if (!close()) return false;
      }
    }
  }

  bool close() {
    open_.pop();
    return heard(to_.end(), p_ - 1);
  }

  bool key() {
    if (p_ == end_ || *p_ != '"') return fail("a key in quotes should stand here");
    char const* const start = p_;
    bool escaped = false;
    if (!string(escaped) || !heard(to_.key(from(start), escaped), start)) return false;
    p_ = skip_space(p_, end_);
    if (p_ == end_ || *p_ != ':') return fail("a colon should stand here");
    p_ = skip_space(p_ + 1, end_);
    return true;
  }

  bool scalar() {
    char const* const start = p_;
    switch (*p_) {
      case '"': {
        bool escaped = false;
        return string(escaped) && heard(to_.string(from(start), escaped), start);
      }
      case 't': return word("true") && heard(to_.word('t'), start);
      case 'f': return word("false") && heard(to_.word('f'), start);
      case 'n': return word("null") && heard(to_.word('n'), start);
      default: return number() && heard(to_.number(from(start)), start);
    }
  }

  bool word(std::string_view w) {
    if (std::string_view(p_, static_cast<std::size_t>(end_ - p_)).substr(0, w.size()) != w)
      return fail("a value should stand here");
    p_ += w.size();
    return true;
  }

  bool digits() {
    if (p_ == end_ || !is_digit(*p_)) return fail("a digit should stand here");
    while (p_ != end_ && is_digit(*p_)) ++p_;
    return true;
  }

  bool number() {
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

  bool string(bool& escaped) {
    ++p_;
    for (;;) {
      p_ = plain_run(p_, end_);
      if (p_ == end_) return fail("the text ends inside a string");
      if (*p_ == '"') {
        ++p_;
        return true;
      }
      if (*p_ == '\\') {
        escaped = true;
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

  bool escape() {
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
  Listener& to_;
};

}  // namespace wherry::inline v0::json_view
