#include "entities.hpp"

#include "stop_words.hpp"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace wherry::inline v0::memory_detail {
namespace {

/// A code point and where its bytes begin.
struct point {
  UChar32 value = 0;
  std::size_t at = 0;
};

std::vector<point> points_of(std::string_view text) {
  std::vector<point> out;
  out.reserve(text.size());
  auto const size = static_cast<std::int64_t>(text.size());
  for (std::int64_t i = 0; i < size;) {
    auto const at = static_cast<std::size_t>(i);
    UChar32 c = 0;
    U8_NEXT(reinterpret_cast<std::uint8_t const*>(text.data()), i, size, c);
    if (c >= 0) out.push_back({c, at});
  }
  return out;
}

bool is_upper(UChar32 c) { return u_isupper(c) || u_istitle(c); }
bool is_digit(UChar32 c) { return c >= '0' && c <= '9'; }
bool is_letter(UChar32 c) { return u_isalpha(c); }
bool is_hangul(UChar32 c) { return c >= 0xAC00 && c <= 0xD7A3; }
bool is_apostrophe(UChar32 c) { return c == '\'' || c == 0x2019; }
bool is_currency(UChar32 c) { return u_charType(c) == U_CURRENCY_SYMBOL; }
/// What may stand at the edge of an entity beside letters and digits.
bool opens_entity(UChar32 c) { return u_isalnum(c) || is_currency(c) || c == '@' || c == '#'; }
bool closes_entity(UChar32 c) {
  return u_isalnum(c) || is_currency(c) || c == '+' || c == '#' || c == '%' || c == 0xB0;
}
bool ends_sentence(UChar32 c) { return c == '.' || c == '?' || c == '!' || c == ':' || c == 0x3002 || c == '\n'; }

constexpr std::array<std::pair<UChar32, UChar32>, 6> quotation_marks{
    {{'"', '"'}, {0x201C, 0x201D}, {0xAB, 0xBB}, {0x300C, 0x300D}, {0x300E, 0x300F}, {0x300A, 0x300B}}};
/// Small words inside a name.
constexpr std::array<std::string_view, 11> name_links{"of",  "the", "de", "van", "von", "der",
                                                      "den", "da",  "di", "del", "la"};
constexpr std::size_t name_links_max = 2;  ///< Side by side: "of the".
constexpr std::array<std::string_view, 12> month_names{"january",   "february", "march",    "april",
                                                       "may",       "june",     "july",     "august",
                                                       "september", "october",  "november", "december"};

/// What stands between two white spaces, in code points [begin, end), without the punctuation around it.
struct chunk {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool begins_sentence = false;
  bool closed = false;  ///< Punctuation follows it: no name goes on beyond it.
};

class entity_reader {
 public:
  explicit entity_reader(std::string_view text) : text_(text), points_(points_of(text)) {
    for (auto const& p : points_) has_lower_ = has_lower_ || u_islower(p.value);
  }

  std::vector<named_entity> read() {
    quotations();
    split();
    for (std::size_t i = 0; i < chunks_.size() && out_.size() < entities_max; ++i) {
      if (address(i) || quantity(i) || identifier(i) || honoured(i)) {
        end_name();
        continue;
      }
      name_word(i);
    }
    end_name();
    return std::move(out_);
  }

 private:
  UChar32 at(std::size_t i) const { return points_[i].value; }
  std::string_view bytes(std::size_t begin, std::size_t end) const {
    auto const from = points_[begin].at;
    return text_.substr(from, (end < points_.size() ? points_[end].at : text_.size()) - from);
  }
  std::string folded(chunk const& c) const {
    std::string out;
    for (auto i = c.begin; i < c.end; ++i) {
      std::uint8_t buffer[U8_MAX_LENGTH];
      std::int32_t length = 0;
      auto const value = is_apostrophe(at(i)) ? '\'' : u_foldCase(at(i), U_FOLD_CASE_DEFAULT);
      U8_APPEND_UNSAFE(buffer, length, value);
      out.append(reinterpret_cast<char const*>(buffer), static_cast<std::size_t>(length));
    }
    return out;
  }

  void add(entity_kind kind, std::string_view text) {
    named_entity made{kind, std::string(text)};
    if (out_.size() < entities_max && std::find(out_.begin(), out_.end(), made) == out_.end())
      out_.push_back(std::move(made));
  }

  void quotations() {
    for (std::size_t i = 0; i < points_.size(); ++i)
      for (auto const& [open, close] : quotation_marks) {
        if (at(i) != open) continue;
        auto end = i + 1;
        while (end < points_.size() && at(end) != close && at(end) != '\n' && end - i <= quotation_points_max) ++end;
        if (end == points_.size() || at(end) != close || end - i < 3) continue;
        add(entity_kind::quotation, bytes(i + 1, end));
        i = end;
        break;
      }
  }

  void split() {
    bool begins = true;
    for (std::size_t i = 0; i < points_.size();) {
      if (u_isUWhiteSpace(at(i))) {
        begins = begins || at(i) == '\n';
        ++i;
        continue;
      }
      chunk c{.begin = i, .begins_sentence = begins};
      while (i < points_.size() && !u_isUWhiteSpace(at(i))) ++i;
      c.end = i;
      auto const last = i;
      while (c.begin < c.end && !opens_entity(at(c.begin))) ++c.begin;
      while (c.end > c.begin && !closes_entity(at(c.end - 1))) --c.end;
      begins = ends_sentence(at(last - 1));
      bool const initial = c.end - c.begin == 1 && last - c.end == 1 && at(c.end) == '.';
      c.closed = last > c.end && !initial;
      if (initial) begins = false;
      if (c.begin < c.end) chunks_.push_back(c);
    }
  }

  bool address(std::size_t i) {
    auto const text = bytes(chunks_[i].begin, chunks_[i].end);
    auto const sign = text.find('@');
    bool const mail = sign != std::string_view::npos && sign > 0 && text.find('.', sign) != std::string_view::npos;
    bool const link = text.find("://") != std::string_view::npos || text.starts_with("www.");
    if (mail || link) add(entity_kind::address, text);
    return mail || link;
  }

  /// "5 km", "20%", "$30", "3 children", "12.5"; years are dates, small bare numbers say little.
  bool quantity(std::size_t i) {
    auto const& c = chunks_[i];
    bool const money = is_currency(at(c.begin));
    auto end = c.begin + (money ? 1 : 0);
    if (end == c.end || !is_digit(at(end))) return false;
    auto const first = end;
    bool pointed = false;
    while (end < c.end && (is_digit(at(end)) || ((at(end) == '.' || at(end) == ',') && end + 1 < c.end))) {
      pointed = pointed || at(end) == '.';
      ++end;
    }
    bool const year = !pointed && end == c.end && end - first == 4 && (at(first) == '1' || at(first) == '2');
    if (money || end < c.end || pointed) {
      if (end < c.end && !money && is_letter(at(end)) && end + 3 < c.end) return false;  // "3Dprinter": an identifier
      add(entity_kind::quantity, bytes(c.begin, c.end));
      return true;
    }
    if (!c.closed && i + 1 < chunks_.size() && is_letter(at(chunks_[i + 1].begin))) {
      auto const unit = folded(chunks_[i + 1]);
      if (!is_one_of(english_stop_words, unit) && !is_one_of(month_names, unit))
        add(entity_kind::quantity, bytes(c.begin, chunks_[i + 1].end));
    } else if (!year && end - first > 2) {
      add(entity_kind::quantity, bytes(c.begin, c.end));
    }
    return true;
  }

  /// What is written as nobody writes a word: "C++20", "foo_bar", "parseJson", "NASA".
  bool identifier(std::size_t i) {
    auto const c = without_owner(chunks_[i]);
    bool digits = false, letters = false, lower = false, joined = false, humped = false;
    for (auto p = c.begin; p < c.end; ++p) {
      auto const value = at(p);
      if (value >= 0x80 && !is_letter(value)) return false;
      bool const inside = p + 1 < c.end && p > c.begin;
      joined = joined || value == '_' || value == '+' || value == '#' || (inside && value == '.');
      humped = humped || (p > c.begin && is_upper(value) && u_islower(at(p - 1)));
      digits = digits || is_digit(value);
      letters = letters || (is_letter(value) && (u_islower(value) || is_upper(value)));
      lower = lower || u_islower(value);
    }
    bool const shouted = has_lower_ && !lower && c.end - c.begin > 1;
    if (!letters || !(digits || joined || humped || shouted)) return false;
    add(entity_kind::identifier, bytes(c.begin, c.end));
    return true;
  }

  /// Korean: what stands before 씨 or 님, glued to it or apart.
  bool honoured(std::size_t i) {
    auto const& c = chunks_[i];
    if (!is_hangul(at(c.begin))) return false;
    constexpr UChar32 ssi = 0xC528, nim = 0xB2D8;
    constexpr std::size_t shortest = 2, longest = 5;
    for (auto p = c.begin + shortest; p < std::min(c.end, c.begin + longest + 1); ++p) {
      if (at(p) != ssi && at(p) != nim) continue;
      add(entity_kind::name, bytes(c.begin, p));
      return true;
    }
    auto const length = c.end - c.begin;
    if (length < shortest || length > longest || i + 1 == chunks_.size() || c.closed) return false;
    if (at(chunks_[i + 1].begin) != ssi) return false;
    add(entity_kind::name, bytes(c.begin, c.end));
    return true;
  }

  chunk without_owner(chunk c) const {
    if (c.end - c.begin > 2 && is_apostrophe(at(c.end - 2)) && (at(c.end - 1) == 's' || at(c.end - 1) == 'S'))
      c.end -= 2;
    return c;
  }

  void name_word(std::size_t i) {
    auto const word = folded(chunks_[i]);
    auto const c = without_owner(chunks_[i]);
    bool const owns = c.end != chunks_[i].end;
    bool const capital = is_upper(at(c.begin)) && has_lower_;
    if (!capital) {
      if (!name_.empty() && is_one_of(name_links, word) && ++links_ <= name_links_max && !chunks_[i].closed) return;
      return end_name();
    }
    if (chunks_[i].begins_sentence) end_name();
    if (is_one_of(english_stop_words, word) || is_one_of(month_names, word) || word.starts_with("i'"))
      return end_name();
    if (name_.empty()) doubtful_ = chunks_[i].begins_sentence && !owns;
    name_.push_back(c);
    links_ = 0;
    if (owns || chunks_[i].closed || name_.size() == name_words_max) end_name();
  }

  /// A first word of a sentence may or may not be part of the name after it: both are told.
  void end_name() {
    if (name_.size() > (doubtful_ ? 1U : 0U)) {
      add(entity_kind::name, bytes(name_.front().begin, name_.back().end));
      if (doubtful_) add(entity_kind::name, bytes(name_[1].begin, name_.back().end));
    }
    name_.clear();
    links_ = 0;
    doubtful_ = false;
  }

  std::string_view const text_;
  std::vector<point> const points_;
  bool has_lower_ = false;  ///< A text in capitals alone says nothing by them.
  std::vector<chunk> chunks_;
  std::vector<chunk> name_;  ///< The capitalised words of the name that is being read.
  std::size_t links_ = 0;
  bool doubtful_ = false;
  std::vector<named_entity> out_;
};

}  // namespace

std::vector<named_entity> entities_of(std::string_view text) { return entity_reader(text).read(); }

}  // namespace wherry::inline v0::memory_detail
