#include "schema/pattern.hpp"

#include <unicode/uset.h>
#include <unicode/ustring.h>

#include <algorithm>

namespace wherry::inline v0 {
namespace regex {

namespace {

constexpr char32_t last_code_point = 0x10ffff;

code_ranges normalised(code_ranges ranges) {
  std::sort(ranges.begin(), ranges.end());
  code_ranges out;
  for (auto const& [first, last] : ranges) {
    if (first > last) continue;
    if (!out.empty() && first <= out.back().second + 1)
      out.back().second = std::max(out.back().second, last);
    else
      out.emplace_back(first, last);
  }
  return out;
}

code_ranges complement(code_ranges const& ranges) {
  code_ranges out;
  char32_t next = 0;
  for (auto const& [first, last] : normalised(ranges)) {
    if (first > next) out.emplace_back(next, first - 1);
    next = last + 1;
  }
  if (next <= last_code_point) out.emplace_back(next, last_code_point);
  return out;
}

byte_set range_of(unsigned first, unsigned last) {
  byte_set set;
  set.add(first, last);
  return set;
}

// A range of code points that are encoded with the same number of bytes, as sequences of byte ranges: where the
// leading bytes differ the trailing ones must be whole.
node utf8_range(arena& in, std::uint32_t first, std::uint32_t last, int trailing) {
  if (trailing == 0) return in.bytes(range_of(first, last));
  unsigned const shift = 6u * static_cast<unsigned>(trailing);
  std::uint32_t const mask = (1u << shift) - 1;
  std::uint32_t const lead_first = first >> shift, lead_last = last >> shift;
  auto const tail = [&](std::uint32_t from, std::uint32_t to) {
    // the next byte is a continuation: its six bits and what follows
    std::uint32_t const lower = 6u * static_cast<unsigned>(trailing - 1);
    (void)lower;
    std::vector<node> parts;
    if (trailing == 1) return in.bytes(range_of(0x80 | from, 0x80 | to));
    // recurse with the continuation mark put in front
    std::uint32_t const lead_shift = 6u * static_cast<unsigned>(trailing - 1);
    return utf8_range(in, (0x80u << lead_shift) + from, (0x80u << lead_shift) + to, trailing - 1);
  };
  if (lead_first == lead_last)
    return in.cat(in.bytes(range_of(lead_first, lead_first)), tail(first & mask, last & mask));
  std::vector<node> parts;
  std::uint32_t from = lead_first, to = lead_last;
  if ((first & mask) != 0) {
    parts.push_back(in.cat(in.bytes(range_of(from, from)), tail(first & mask, mask)));
    ++from;
  }
  if ((last & mask) != mask) {
    parts.push_back(in.cat(in.bytes(range_of(to, to)), tail(0, last & mask)));
    --to;
  }
  if (from <= to) parts.push_back(in.cat(in.bytes(range_of(from, to)), tail(0, mask)));
  return in.either(std::move(parts));
}

node utf8_characters(arena& in, code_ranges const& ranges) {
  struct band {
    char32_t first, last;
    int trailing;
    std::uint32_t mark;
  };
  static constexpr band bands[] = {{0, 0x7f, 0, 0},
                                   {0x80, 0x7ff, 1, 0xc0u << 6},
                                   {0x800, 0xd7ff, 2, 0xe0u << 12},
                                   {0xe000, 0xffff, 2, 0xe0u << 12},
                                   {0x10000, last_code_point, 3, 0xf0u << 18}};
  std::vector<node> parts;
  for (auto const& [first, last] : ranges) {
    for (auto const& b : bands) {
      char32_t const from = std::max(first, b.first), to = std::min(last, b.last);
      if (from <= to) parts.push_back(utf8_range(in, b.mark + from, b.mark + to, b.trailing));
    }
  }
  return in.either(std::move(parts));
}

bool contains(code_ranges const& ranges, char32_t c) {
  return std::any_of(ranges.begin(), ranges.end(), [c](auto const& r) { return r.first <= c && c <= r.second; });
}

struct tree;
using tree_list = std::vector<tree>;

struct tree {
  enum class kind { characters, cat, either, repeat, begin, end, look } what = kind::cat;
  code_ranges ranges = {};
  tree_list parts = {};
  std::size_t min = 0, max = 0;
  bool negative = false;
  /// Whether something in it depends on where it stands.
  bool has_place() const {
    return what == kind::begin || what == kind::end || what == kind::look ||
           std::any_of(parts.begin(), parts.end(), [](tree const& t) { return t.has_place(); });
  }
  bool has_begin() const {
    return what == kind::begin || std::any_of(parts.begin(), parts.end(), [](tree const& t) { return t.has_begin(); });
  }
  /// Consumes nothing whatever it matches.
  bool is_place() const {
    return what == kind::begin || what == kind::end || what == kind::look ||
           (what == kind::cat && std::all_of(parts.begin(), parts.end(), [](tree const& t) { return t.is_place(); }));
  }
};

class parser {
 public:
  explicit parser(std::string_view text) : text_(text) {}

  result<tree> run() {
    if (text_.size() > pattern_bytes_max) fail("is longer than 16,384 bytes");
    tree whole = either();
    if (!failure_ && at_ < text_.size()) fail("has a \")\" that closes nothing");
    if (failure_) return std::move(*failure_);
    return whole;
  }

 private:
  static constexpr int depth_max = 200;

  void fail(std::string why, errc code = errc::parse_error) {
    if (!failure_) failure_ = error(code, std::move(why), "regex");
  }
  bool more() const { return !failure_ && at_ < text_.size(); }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool take(std::string_view what) {
    if (text_.substr(at_, what.size()) != what) return false;
    at_ += what.size();
    return true;
  }
  char32_t code_point() {
    auto const lead = static_cast<std::uint8_t>(text_[at_++]);
    int const trailing = lead < 0x80 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    char32_t c = trailing == 0 ? lead : lead & (0x3fu >> trailing);
    for (int i = 0; i < trailing; ++i) {
      if (at_ >= text_.size()) return 0xfffd;
      c = c << 6 | (static_cast<std::uint8_t>(text_[at_++]) & 0x3f);
    }
    return c;
  }

  tree either() {
    if (++depth_ > depth_max) fail("is nested deeper than 200 groups");
    tree all{.what = tree::kind::either};
    do all.parts.push_back(cat());
    while (more() && take("|"));
    --depth_;
    if (all.parts.size() == 1) return std::move(all.parts.front());
    return all;
  }
  tree cat() {
    tree all{.what = tree::kind::cat};
    while (more() && peek() != '|' && peek() != ')') all.parts.push_back(term());
    return all;
  }
  tree term() {
    tree part = atom();
    std::size_t min = 1, max = 1;
    if (failure_ || !quantifier(min, max)) return part;
    take("?");
    if (part.what == tree::kind::begin || part.what == tree::kind::end || part.what == tree::kind::look)
      fail("repeats an assertion");
    if (more() && (peek() == '*' || peek() == '+' || peek() == '?')) fail("has a quantifier with nothing to repeat");
    tree repeated{.what = tree::kind::repeat, .min = min, .max = max};
    repeated.parts.push_back(std::move(part));
    return repeated;
  }
  bool quantifier(std::size_t& min, std::size_t& max) {
    if (!more()) return false;
    if (take("*")) return min = 0, max = unbounded, true;
    if (take("+")) return min = 1, max = unbounded, true;
    if (take("?")) return min = 0, max = 1, true;
    if (peek() != '{') return false;
    std::size_t const before = at_++;
    bool good = number(min);
    max = min;
    if (good && take(",") && !number(max)) max = unbounded;
    if (!good || !take("}")) return at_ = before, false;  // a brace that stands for itself
    if (min > max) fail("has a quantifier whose minimum is above its maximum");
    if (min > pattern_repeat_max || (max != unbounded && max > pattern_repeat_max))
      fail("repeats more than 100,000 times");
    return true;
  }
  bool number(std::size_t& out) {
    if (peek() < '0' || peek() > '9') return false;
    out = 0;
    while (peek() >= '0' && peek() <= '9')
      out = std::min<std::size_t>(out * 10 + static_cast<std::size_t>(text_[at_++] - '0'), 1'000'000);
    return true;
  }

  static tree one(code_ranges ranges) {
    return {.what = tree::kind::characters, .ranges = normalised(std::move(ranges))};
  }
  tree atom() {
    char const c = peek();
    if (c == '(') return group();
    if (c == '[') return set();
    if (c == '.') {
      ++at_;
      return one(complement({{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}));
    }
    if (c == '^') return ++at_, tree{.what = tree::kind::begin};
    if (c == '$') return ++at_, tree{.what = tree::kind::end};
    if (c == '*' || c == '+' || c == '?') fail("has a quantifier with nothing to repeat");
    if (c == '{') {
      std::size_t min = 0, max = 0;
      if (quantifier(min, max)) fail("has a quantifier with nothing to repeat");
    }
    if (failure_) return {};
    if (c == '\\') {
      ++at_;
      return one(escape(false));
    }
    char32_t const point = code_point();
    return one({{point, point}});
  }
  tree group() {
    ++at_;
    tree look{.what = tree::kind::look};
    bool is_look = false;
    if (take("?")) {
      if (take(":")) {
      } else if (take("=")) {
        is_look = true;
      } else if (take("!")) {
        is_look = look.negative = true;
      } else if (text_.substr(at_, 2) == "<=" || text_.substr(at_, 2) == "<!") {
        fail("uses look-behind, which is not supported", errc::schema_unsupported);
      } else if (take("<")) {
        auto const close = text_.find('>', at_);
        if (close == std::string_view::npos)
          fail("has a group name without \">\"");
        else
          at_ = close + 1;
      } else {
        fail("has a group that begins with \"(?\" and something ECMA-262 does not know");
      }
    }
    if (failure_) return {};
    tree inner = either();
    if (!failure_ && !take(")")) fail("has a group that is not closed");
    if (!is_look) return inner;
    look.parts.push_back(std::move(inner));
    return look;
  }

  std::optional<char32_t> hex(std::size_t digits) {
    char32_t value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      char const c = peek(i);
      int const d = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
      if (d < 0) return std::nullopt;
      value = value * 16 + static_cast<char32_t>(d);
    }
    at_ += digits;
    return value;
  }
  static code_ranges digits() { return {{'0', '9'}}; }
  static code_ranges words() { return {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}; }
  static code_ranges spaces() {
    return {{9, 13},          {' ', ' '},       {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
            {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff}};
  }
  // After the backslash.
  code_ranges escape(bool in_set) {
    if (!more()) return fail("ends with a backslash"), code_ranges{};
    char32_t const c = code_point();
    auto const self = [](char32_t point) { return code_ranges{{point, point}}; };
    switch (c) {
      case 'd': return digits();
      case 'D': return complement(digits());
      case 'w': return words();
      case 'W': return complement(words());
      case 's': return spaces();
      case 'S': return complement(spaces());
      case 't': return self('\t');
      case 'n': return self('\n');
      case 'v': return self('\v');
      case 'f': return self('\f');
      case 'r': return self('\r');
      case 'p':
      case 'P': return property(c == 'P');
      case 'b':
        if (in_set) return self('\b');
        [[fallthrough]];
      case 'B': return fail("uses \\b or \\B, which is not supported", errc::schema_unsupported), code_ranges{};
      case 'c':
        if ((peek() | 0x20) >= 'a' && (peek() | 0x20) <= 'z') return self(static_cast<char32_t>(text_[at_++] & 0x1f));
        return fail("has \\c without a letter"), code_ranges{};
      case 'x':
        if (auto const point = hex(2)) return self(*point);
        return fail("has \\x without two hexadecimal digits"), code_ranges{};
      case 'u': return unicode_escape();
      default: break;
    }
    if (c == '0' && (peek() < '0' || peek() > '9')) return self(0);
    if (c >= '0' && c <= '9')
      return fail("uses a back-reference, which is not supported", errc::schema_unsupported), code_ranges{};
    bool const is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
    if (is_letter) {
      fail(std::string("has the escape \\") + static_cast<char>(c) + ", which ECMA-262 does not know");
      return {};
    }
    return self(c);
  }
  code_ranges unicode_escape() {
    if (take("{")) {
      auto const close = text_.find('}', at_);
      if (close != std::string_view::npos && close - at_ <= 6 && close > at_) {
        if (auto const point = hex(close - at_); point && *point <= last_code_point) {
          ++at_;
          return {{*point, *point}};
        }
      }
      return fail("has \\u{ without a code point"), code_ranges{};
    }
    auto point = hex(4);
    if (!point) return fail("has \\u without four hexadecimal digits"), code_ranges{};
    if (*point >= 0xd800 && *point < 0xdc00 && text_.substr(at_, 2) == "\\u") {
      std::size_t const before = at_;
      at_ += 2;
      auto const low = hex(4);
      if (low && *low >= 0xdc00 && *low < 0xe000)
        point = 0x10000 + ((*point - 0xd800) << 10) + (*low - 0xdc00);
      else
        at_ = before;
    }
    return {{*point, *point}};
  }
  code_ranges property(bool negative) {
    auto const close = text_.find('}', at_);
    if (peek() != '{' || close == std::string_view::npos) return fail("has \\p without {property}"), code_ranges{};
    std::string name(text_.substr(at_ + 1, close - at_ - 1));
    at_ = close + 1;
    bool const good = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '=';
    });
    UErrorCode status = U_ZERO_ERROR;
    USet* set = nullptr;
    if (good) {
      std::string const spelled = (negative ? "[\\P{" : "[\\p{") + name + "}]";
      std::u16string const wide(spelled.begin(), spelled.end());
      set = uset_openPattern(wide.data(), static_cast<std::int32_t>(wide.size()), &status);
    }
    if (set == nullptr || U_FAILURE(status)) {
      if (set != nullptr) uset_close(set);
      return fail("names the unknown Unicode property \"" + name + "\""), code_ranges{};
    }
    code_ranges ranges;
    for (std::int32_t i = 0, count = uset_getItemCount(set); i < count; ++i) {
      UChar32 first = 0, last = 0;
      UErrorCode ignored = U_ZERO_ERROR;
      if (uset_getItem(set, i, &first, &last, nullptr, 0, &ignored) == 0)
        ranges.emplace_back(static_cast<char32_t>(first), static_cast<char32_t>(last));
    }
    uset_close(set);
    return ranges;
  }

  tree set() {
    ++at_;
    bool const negative = take("^");
    code_ranges ranges;
    while (more() && peek() != ']') {
      code_ranges first = set_member();
      bool const single = first.size() == 1 && first[0].first == first[0].second;
      if (peek() == '-' && peek(1) != ']' && at_ + 1 < text_.size()) {
        ++at_;
        code_ranges const last = set_member();
        bool const range = single && last.size() == 1 && last[0].first == last[0].second;
        if (range && last[0].first < first[0].first) fail("has a range in a class that ends before it begins");
        if (range) {
          ranges.emplace_back(first[0].first, last[0].first);
          continue;
        }
        ranges.emplace_back('-', '-');
        ranges.insert(ranges.end(), last.begin(), last.end());
      }
      ranges.insert(ranges.end(), first.begin(), first.end());
    }
    if (!failure_ && !take("]")) fail("has a class that is not closed");
    return one(negative ? complement(ranges) : ranges);
  }
  code_ranges set_member() {
    if (take("\\")) return escape(true);
    if (!more()) return {};
    char32_t const point = code_point();
    return {{point, point}};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::optional<error> failure_;
};

// From the tree to a language, from right to left: what follows a part is known when it is built, so an assertion can
// be intersected with it.
class builder {
 public:
  builder(arena& in, spelling as) : in_(in), as_(as), rest_(any_text(in, as)) {}

  result<node> run(tree const& whole) {
    node const at_begin = build(whole, rest_, true);
    std::vector<node> ways{at_begin};
    if (!whole.has_begin() && !whole.has_place()) {
      ways = {in_.cat(rest_, at_begin)};
    } else {
      node const one = text_of_length(in_, 1, 1, as_);
      ways.push_back(in_.cat(one, in_.cat(rest_, build(whole, rest_, false))));
    }
    if (failure_) return std::move(*failure_);
    if (in_.is_exhausted()) return error(errc::limit_reached, "is too large", "regex");
    return in_.either(std::move(ways));
  }

 private:
  void fail(std::string why) {
    if (!failure_) failure_ = error(errc::schema_unsupported, std::move(why), "regex");
  }
  node plain(tree const& t) {
    switch (t.what) {
      case tree::kind::characters: return characters(in_, t.ranges, as_);
      case tree::kind::cat: {
        node n = arena::empty;
        for (std::size_t i = t.parts.size(); i-- > 0;) n = in_.cat(plain(t.parts[i]), n);
        return n;
      }
      case tree::kind::either: {
        std::vector<node> parts;
        for (auto const& part : t.parts) parts.push_back(plain(part));
        return in_.either(std::move(parts));
      }
      case tree::kind::repeat: return in_.repeat(plain(t.parts.front()), t.min, t.max);
      default: return arena::none;
    }
  }
  node build(tree const& t, node then, bool at_begin) {
    if (!t.has_place()) return in_.cat(plain(t), then);
    switch (t.what) {
      case tree::kind::begin: return at_begin ? then : arena::none;
      case tree::kind::end: return in_.is_nullable(then) ? arena::empty : arena::none;
      case tree::kind::look: {
        node const inner = build(t.parts.front(), rest_, at_begin);
        return in_.both({t.negative ? in_.negate(inner) : inner, then});
      }
      case tree::kind::either: {
        std::vector<node> parts;
        for (auto const& part : t.parts) parts.push_back(build(part, then, at_begin));
        return in_.either(std::move(parts));
      }
      case tree::kind::cat: {
        std::size_t first_consuming = 0;
        while (first_consuming < t.parts.size() && t.parts[first_consuming].is_place()) ++first_consuming;
        node n = then;
        for (std::size_t i = t.parts.size(); i-- > 0;) {
          bool const begins = at_begin && i <= first_consuming;
          if (at_begin && !begins && t.parts[i].has_begin() && may_be_empty(t, i))
            fail("has a ^ after something that may be empty, which is not supported");
          n = build(t.parts[i], n, begins);
        }
        return n;
      }
      case tree::kind::repeat: {
        tree const& part = t.parts.front();
        if (t.max == 1) return in_.either({t.min == 0 ? then : arena::none, build(part, then, at_begin)});
        fail("has an assertion inside a repetition, which is not supported");
        return arena::none;
      }
      default: return arena::none;
    }
  }
  // Whether all parts before the i-th may match nothing: then what stands there might still be at the beginning.
  bool may_be_empty(tree const& t, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      if (!t.parts[i].has_place() && !in_.is_nullable(plain(t.parts[i]))) return false;
    }
    return true;
  }

  arena& in_;
  spelling as_;
  node rest_;
  std::optional<error> failure_;
};

}  // namespace

node characters(arena& in, code_ranges const& ranges, spelling as) {
  if (as == spelling::utf8) return utf8_characters(in, ranges);
  code_ranges direct;
  std::vector<node> parts;
  for (auto const& [first, last] : ranges) {
    // leave out what must be escaped
    char32_t from = std::max<char32_t>(first, 0x20);
    for (char32_t const stop : {U'"', U'\\'}) {
      if (from > last || stop < from || stop > last) continue;
      if (from < stop) direct.emplace_back(from, stop - 1);
      from = stop + 1;
    }
    if (from <= last) direct.emplace_back(from, last);
  }
  parts.push_back(utf8_characters(in, direct));
  if (contains(ranges, '"')) parts.push_back(in.literal("\\\""));
  if (contains(ranges, '\\')) parts.push_back(in.literal("\\\\"));
  for (char32_t c = 0; c < 0x20; ++c) {
    if (!contains(ranges, c)) continue;
    static constexpr std::string_view short_escapes = "\b\t\n\f\r";
    static constexpr std::string_view letters = "btnfr";
    auto const at = short_escapes.find(static_cast<char>(c));
    if (at != std::string_view::npos && c != 0)
      parts.push_back(in.literal(std::string("\\") + letters[at]));
    else
      parts.push_back(in.literal(std::string("\\u00") + (c < 16 ? '0' : '1') + "0123456789abcdef"[c % 16]));
  }
  return in.either(std::move(parts));
}

node any_text(arena& in, spelling as) { return in.repeat(characters(in, {{0, last_code_point}}, as), 0); }

node text_of_length(arena& in, std::size_t min, std::size_t max, spelling as) {
  return in.repeat(characters(in, {{0, last_code_point}}, as), min, max);
}

node exact_text(arena& in, std::string_view text, spelling as) {
  if (as == spelling::utf8) return in.literal(text);
  std::string spelled;
  for (char const c : text) {
    auto const byte = static_cast<std::uint8_t>(c);
    static constexpr std::string_view special = "\"\\\b\t\n\f\r";
    static constexpr std::string_view letters = "\"\\btnfr";
    auto const at = byte == 0 ? std::string_view::npos : special.find(c);
    if (at != std::string_view::npos)
      spelled += {'\\', letters[at]};
    else if (byte < 0x20)
      spelled += std::string("\\u00") + (byte < 16 ? '0' : '1') + "0123456789abcdef"[byte % 16];
    else
      spelled += c;
  }
  return in.literal(spelled);
}

result<node> parse_pattern(arena& in, std::string_view pattern, spelling as) {
  auto const parsed = parser(pattern).run();
  if (!parsed) return parsed.error();
  return builder(in, as).run(*parsed);
}

}  // namespace regex
}  // namespace wherry::inline v0
