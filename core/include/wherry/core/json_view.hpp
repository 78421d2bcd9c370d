#pragma once
// JSON looked at where it lies. A document is checked once, whole, and then split into views of its own text: what a
// peer sent is passed on byte for byte, and nothing is built that nobody asked for. parse_json (json.hpp) reads by the
// same grammar and builds a value.
//
// Everything below `check_json` works on text that has been checked and does not look for errors again: on other text
// its behaviour is undefined. Views last as long as the text does.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#ifdef __SSE2__
#  include <emmintrin.h>
#endif

namespace wherry::inline v0::json_view {

/// Where text stops being JSON, and why; `what` is null when it is JSON all through.
struct json_fault {
  std::size_t at = 0;
  char const* what = nullptr;
  explicit operator bool() const noexcept { return what != nullptr; }
};

/// Checks one JSON document: grammar, UTF-8, surrogates in escapes, nesting. White space may surround it.
json_fault check_json(std::string_view text, std::size_t depth_max) noexcept;

/// The first byte that a JSON string cannot hold as it is, or that is not ASCII: the end of a plain run.
inline char const* plain_run(char const* p, char const* end) noexcept {
#ifdef __SSE2__
  auto const quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(0x20);
  for (; end - p >= 16; p += 16) {
    auto const v = _mm_loadu_si128(reinterpret_cast<__m128i const*>(p));
    // Signed comparison: bytes from 0x80 on are negative, so they stop the run too.
    auto const stop =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)), _mm_cmplt_epi8(v, space));
    if (int const mask = _mm_movemask_epi8(stop)) return p + __builtin_ctz(static_cast<unsigned>(mask));
  }
#endif
  while (p != end && static_cast<signed char>(*p) >= 0x20 && *p != '"' && *p != '\\') ++p;
  return p;
}

/// The closing quote of the string whose first character is at `p`.
inline char const* string_end(char const* p, char const* end) noexcept {
  for (;;) {
    p = plain_run(p, end);
    if (p == end || *p == '"') return p;
    p += *p == '\\' ? 2 : 1;
  }
}

inline bool is_space(char c) noexcept { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
inline char const* skip_space(char const* p, char const* end) noexcept {
  while (p != end && is_space(*p)) ++p;
  return p;
}

/// One past the value that begins at `p`.
char const* value_end(char const* p, char const* end) noexcept;

/// The text between the quotes of a JSON string, escapes resolved.
std::string unquoted(std::string_view raw);

inline bool is_object(std::string_view raw) noexcept { return !raw.empty() && raw.front() == '{'; }
inline bool is_array(std::string_view raw) noexcept { return !raw.empty() && raw.front() == '['; }
inline bool is_string(std::string_view raw) noexcept { return !raw.empty() && raw.front() == '"'; }

/// The text between the quotes when it needs no unescaping; nothing otherwise, or when it is no string.
inline std::optional<std::string_view> plain_string(std::string_view raw) noexcept {
  if (!is_string(raw)) return std::nullopt;
  raw = raw.substr(1, raw.size() - 2);
  if (raw.find('\\') != std::string_view::npos) return std::nullopt;
  return raw;
}

/// Calls f(key, value) for each member; key without quotes and unescaped, value as it stands. f says whether to go on.
/// Returns false when f ended it.
template <class F>
bool each_member(std::string_view object, F&& f) {
  char const* p = object.data() + 1;
  char const* const end = object.data() + object.size();
  p = skip_space(p, end);
  if (*p == '}') return true;
  for (;;) {
    char const* const key = p + 1;
    char const* const key_end = string_end(key, end);
    p = skip_space(skip_space(key_end + 1, end) + 1, end);
    char const* const value = p;
    p = value_end(p, end);
    std::string_view const name(key, static_cast<std::size_t>(key_end - key));
    std::string_view const raw(value, static_cast<std::size_t>(p - value));
    bool const more = name.find('\\') == std::string_view::npos
                          ? f(name, raw)
                          : f(std::string_view(unquoted({key - 1, name.size() + 2})), raw);
    if (!more) return false;
    p = skip_space(p, end);
    if (*p == '}') return true;
    p = skip_space(p + 1, end);
  }
}

/// Calls f(value) for each item of an array. Returns false when f ended it.
template <class F>
bool each_item(std::string_view array, F&& f) {
  char const* p = array.data() + 1;
  char const* const end = array.data() + array.size();
  p = skip_space(p, end);
  if (*p == ']') return true;
  for (;;) {
    char const* const value = p;
    p = value_end(p, end);
    if (!f(std::string_view(value, static_cast<std::size_t>(p - value)))) return false;
    p = skip_space(p, end);
    if (*p == ']') return true;
    p = skip_space(p + 1, end);
  }
}

/// The member of that name as it stands; empty when there is none or `object` is no object.
std::string_view member(std::string_view object, std::string_view name);
/// The member's text when it is a string.
std::optional<std::string> string_member(std::string_view object, std::string_view name);
/// The member when it is an integer that fits.
std::optional<std::int64_t> integer_member(std::string_view object, std::string_view name);
std::optional<std::int64_t> integer_in(std::string_view raw) noexcept;
std::optional<double> number_in(std::string_view raw) noexcept;

/// Appends a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD.
void append_string(std::string& out, std::string_view text);
void append_integer(std::string& out, std::int64_t value);
void append_number(std::string& out, double value);

}  // namespace wherry::inline v0::json_view
