#include "text_analyser.hpp"

#include "stop_words.hpp"

#include <wherry/core/hash.hpp>
#include <wherry/core/text.hpp>

#include <libstemmer.h>
#include <unicode/ubrk.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uscript.h>
#include <unicode/ustring.h>
#include <unicode/utf16.h>
#include <unicode/utf8.h>

#include <array>
#include <chrono>
#include <optional>

namespace wherry::inline v0::memory_detail {
namespace {

using code_points = std::u32string;

constexpr std::size_t identifier_points_max = 48;

bool is_ascii(std::string_view text) {
  for (char const c : text)
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  return true;
}

/// NFKC as code points. Bytes that are not UTF-8 become U+FFFD.
code_points normalised(std::string_view text) {
  if (is_ascii(text)) return {text.begin(), text.end()};
  UErrorCode status = U_ZERO_ERROR;
  std::u16string wide(text.size() + 1, u'\0');  // UTF-16 never has more units than UTF-8 has bytes
  std::int32_t length = 0;
  u_strFromUTF8WithSub(wide.data(), static_cast<std::int32_t>(wide.size()), &length, text.data(),
                       static_cast<std::int32_t>(text.size()), 0xFFFD, nullptr, &status);
  std::u16string composed(static_cast<std::size_t>(length) * 2 + 16, u'\0');
  auto const* const nfkc = unorm2_getNFKCInstance(&status);
  auto need =
      unorm2_normalize(nfkc, wide.data(), length, composed.data(), static_cast<std::int32_t>(composed.size()), &status);
  if (status == U_BUFFER_OVERFLOW_ERROR) {
    status = U_ZERO_ERROR;
    composed.resize(static_cast<std::size_t>(need));
    need = unorm2_normalize(nfkc, wide.data(), length, composed.data(), need, &status);
  }
  if (U_FAILURE(status)) return {text.begin(), text.end()};
  code_points out;
  out.reserve(static_cast<std::size_t>(need));
  for (std::int32_t i = 0; i < need;) {
    UChar32 c = 0;
    U16_NEXT(composed.data(), i, need, c);
    out += static_cast<char32_t>(c);
  }
  return out;
}

enum class script { none, spaced, hangul, han_kana, dictionary };

/// What kind of word a code point belongs to; none for spaces, punctuation and symbols.
script script_of(char32_t c) {
  if (c < 0x80) {
    bool const word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return word ? script::spaced : script::none;
  }
  auto const point = static_cast<UChar32>(c);
  if (!u_isalnum(point) && !(U_GET_GC_MASK(point) & U_GC_M_MASK)) return script::none;
  UErrorCode status = U_ZERO_ERROR;
  switch (uscript_getScript(point, &status)) {
    case USCRIPT_HANGUL: return script::hangul;
    case USCRIPT_HAN:
    case USCRIPT_HIRAGANA:
    case USCRIPT_KATAKANA:
    case USCRIPT_BOPOMOFO: return script::han_kana;
    case USCRIPT_THAI:
    case USCRIPT_LAO:
    case USCRIPT_KHMER:
    case USCRIPT_MYANMAR: return script::dictionary;
    default: return c == 0x30FC ? script::han_kana : script::spaced;  // the long vowel mark belongs to Kana
  }
}

char32_t folded(char32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  return static_cast<char32_t>(u_foldCase(static_cast<UChar32>(c), U_FOLD_CASE_DEFAULT));
}

std::string folded_text(code_points const& text, std::size_t from, std::size_t to) {
  std::string out;
  for (auto i = from; i < to; ++i) append_utf8(out, folded(text[i]));
  return out;
}

/// A term that is not longer than the bound.
std::string bounded(std::string term) {
  if (term.size() <= term_bytes_max) return term;
  auto const hash = to_hex(std::string_view(reinterpret_cast<char const*>(sha256(term).data()), 8));
  std::size_t keep = term_bytes_max - hash.size();
  while (keep > 0 && (static_cast<unsigned char>(term[keep]) & 0xC0) == 0x80) --keep;
  return term.substr(0, keep) + hash;
}

bool is_apostrophe(char32_t c) { return c == '\'' || c == 0x2019; }
bool is_space(char32_t c) { return c < 0x80 ? c <= ' ' : u_isUWhiteSpace(static_cast<UChar32>(c)) != 0; }
bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }
bool joins_identifier(char32_t c) {
  return c == '_' || c == '.' || c == '-' || c == '+' || c == '#' || c == '/' || c == ':' || c == '@';
}

constexpr std::array<std::string_view, 12> months{"january",   "february", "march",    "april",
                                                  "may",       "june",     "july",     "august",
                                                  "september", "october",  "november", "december"};

std::string number_term(char const* prefix, int value) {
  auto digits = std::to_string(value);
  if (digits.size() < 2) digits.insert(0, 1, '0');
  return prefix + digits;
}

std::optional<int> small_number(std::string_view word) {
  if (word.empty() || word.size() > 4) return std::nullopt;
  int value = 0;
  for (char const c : word) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

/// The month a word names, 1 to 12, or 0; its first three letters do ("dec", "sept").
int month_named(std::string_view word) {
  for (std::size_t m = 0; m < months.size(); ++m)
    if (word == months[m] || (word.size() >= 3 && word.size() <= 4 && months[m].starts_with(word)))
      return static_cast<int>(m + 1);
  return 0;
}

/// "may" and "march" are also verbs: there they need a date's company.
bool is_month_at(std::vector<std::string> const& words, std::size_t i) {
  if (words[i] != "may" && words[i] != "march" && words[i] != "mar") return true;
  constexpr std::array<std::string_view, 11> before{"in",    "of", "since", "during", "last", "this",
                                                    "until", "by", "on",    "early",  "late"};
  if (i > 0 && (is_one_of(before, words[i - 1]) || small_number(words[i - 1]))) return true;
  return i + 1 < words.size() && is_digit(static_cast<unsigned char>(words[i + 1].front()));
}

}  // namespace

struct text_analyser::impl {
  sb_stemmer* stemmer = nullptr;
  UBreakIterator* breaks = nullptr;

  impl() = default;
  impl(impl const&) = delete;
  impl& operator=(impl const&) = delete;
  ~impl() {
    if (stemmer) sb_stemmer_delete(stemmer);
    if (breaks) ubrk_close(breaks);
  }

  std::string stem(std::string const& word) const {
    if (!stemmer || word.size() > term_bytes_max) return word;
    auto const* const found =
        sb_stemmer_stem(stemmer, reinterpret_cast<sb_symbol const*>(word.data()), static_cast<int>(word.size()));
    if (!found) return word;
    return {reinterpret_cast<char const*>(found), static_cast<std::size_t>(sb_stemmer_length(stemmer))};
  }
};

namespace {

/// Collects what one text is made of. `as_question` leaves stop words out and remembers whether any was.
class splitter {
 public:
  template <class Stem>
  splitter(code_points const& text, UBreakIterator* breaks, bool as_question, Stem stem)
      : text_(text), breaks_(breaks), as_question_(as_question) {
    for (std::size_t at = 0; at < text_.size();) {
      auto const kind = script_of(text_[at]);
      if (kind == script::none) {
        ++at;
        continue;
      }
      auto const end = word_end(at, kind);
      if (at == 0 || is_space(text_[at - 1]) || chunk_end_ <= at) whole_chunk(at);
      if (kind == script::spaced) spaced(at, end, stem);
      if (kind == script::hangul || kind == script::han_kana) pairs(at, end, kind == script::hangul);
      if (kind == script::dictionary) dictionary(at, end);
      at = end;
    }
  }

  std::vector<term_at> take() { return std::move(terms_); }
  std::uint32_t length() const { return position_; }
  bool left_out() const { return left_out_; }
  std::vector<std::string> const& words() const { return words_; }  ///< Folded, as they stand.

 private:
  void add(std::string term, std::uint32_t position) { terms_.push_back({bounded(std::move(term)), position}); }

  std::size_t word_end(std::size_t at, script kind) const {
    auto end = at + 1;
    for (; end < text_.size(); ++end) {
      if (script_of(text_[end]) == kind) continue;
      bool const inner = kind == script::spaced && is_apostrophe(text_[end]) && end + 1 < text_.size() &&
                         script_of(text_[end + 1]) == kind;
      if (!inner) break;
    }
    return end;
  }

  template <class Stem>
  void spaced(std::size_t at, std::size_t end, Stem const& stem) {
    std::string word;
    for (auto i = at; i < end; ++i) append_utf8(word, is_apostrophe(text_[i]) ? U'\'' : folded(text_[i]));
    words_.push_back(word);
    if (as_question_ && is_one_of(english_stop_words, word)) {
      left_out_ = true;
      return;
    }
    add(stem(word), position_);
    humps(at, end, stem);
    ++position_;
  }

  /// "parseJson" is also "parse" and "json".
  template <class Stem>
  void humps(std::size_t at, std::size_t end, Stem const& stem) {
    auto const lower = [](char32_t c) { return c >= 'a' && c <= 'z'; };
    auto const upper = [](char32_t c) { return c >= 'A' && c <= 'Z'; };
    auto from = at;
    for (auto i = at + 1; i <= end; ++i) {
      bool const hump = i < end && lower(text_[i - 1]) && upper(text_[i]);
      if (!hump && (i < end || from == at)) continue;
      add(stem(folded_text(text_, from, i)), position_);
      from = i;
    }
  }

  void pairs(std::size_t at, std::size_t end, bool hangul) {
    auto const run = folded_text(text_, at, end);
    words_.push_back(run);
    if (as_question_ && hangul && is_one_of(korean_stop_words, run)) {
      left_out_ = true;
      return;
    }
    if (end - at > 1 && end - at <= identifier_points_max) {
      add('=' + run, position_);
      if (hangul) without_particle(run);
    }
    if (end - at == 1) add(run, position_++);
    for (auto i = at; i + 1 < end; ++i) add(folded_text(text_, i, i + 2), position_++);
  }

  void without_particle(std::string const& run) {
    constexpr std::size_t hangul_bytes = 3;
    for (auto const particle : korean_particles) {
      if (run.size() < particle.size() + 2 * hangul_bytes || !run.ends_with(particle)) continue;
      add('=' + run.substr(0, run.size() - particle.size()), position_);
      return;
    }
  }

  void dictionary(std::size_t at, std::size_t end) {
    std::u16string wide;
    for (auto i = at; i < end; ++i) wide += static_cast<char16_t>(text_[i]);  // these scripts lie in the first plane
    UErrorCode status = U_ZERO_ERROR;
    ubrk_setText(breaks_, wide.data(), static_cast<std::int32_t>(wide.size()), &status);
    if (U_FAILURE(status)) return add(folded_text(text_, at, end), position_++);
    for (auto from = ubrk_first(breaks_), to = ubrk_next(breaks_); to != UBRK_DONE; from = to, to = ubrk_next(breaks_))
      add(folded_text(text_, at + static_cast<std::size_t>(from), at + static_cast<std::size_t>(to)), position_++);
  }

  /// What stands between two spaces, kept whole when it looks like an identifier.
  void whole_chunk(std::size_t at) {
    auto end = at;
    while (end < text_.size() && !is_space(text_[end])) ++end;
    chunk_end_ = end;
    auto const is_word = [&](std::size_t i) { return script_of(text_[i]) == script::spaced; };
    while (end > at && !is_word(end - 1) && text_[end - 1] != '+' && text_[end - 1] != '#') --end;
    if (end - at < 2 || end - at > identifier_points_max) return;
    bool letters = false, digits = false, joined = !is_word(end - 1);
    for (auto i = at; i < end; ++i) {
      if (!is_word(i) && !joins_identifier(text_[i])) return;
      joined = joined || !is_word(i);
      (is_digit(text_[i]) ? digits : letters) = true;
    }
    if (joined || (letters && digits)) add('=' + folded_text(text_, at, end), position_);
  }

  code_points const& text_;
  UBreakIterator* breaks_;
  bool as_question_;
  std::size_t chunk_end_ = 0;
  std::uint32_t position_ = 0;
  bool left_out_ = false;
  std::vector<term_at> terms_;
  std::vector<std::string> words_;
};

/// The date terms of what a question names: years, months, and days beside a month.
std::vector<std::string> dates_named(std::vector<std::string> const& words) {
  std::vector<std::string> out;
  std::optional<std::size_t> month_at;
  for (std::size_t i = 0; i < words.size(); ++i) {
    auto const number = small_number(words[i]);
    if (number && words[i].size() == 4 && *number >= 1900 && *number < 2100) out.push_back(number_term("@y", *number));
    auto month = is_month_at(words, i) ? month_named(words[i]) : 0;
    if (!month && number && *number >= 1 && *number <= 12 && i + 1 < words.size() && words[i + 1].starts_with("월"))
      month = *number;
    // 2023-05-08 comes as three words.
    if (!month && number && words[i].size() == 2 && *number >= 1 && *number <= 12 && i > 0 &&
        words[i - 1].size() == 4 && small_number(words[i - 1]))
      month = *number;
    if (month) {
      out.push_back(number_term("@m", month));
      month_at = i;
    }
  }
  if (!month_at) return out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    auto const distance = i > *month_at ? i - *month_at : *month_at - i;
    auto word = words[i];
    for (std::string_view const ending : {"st", "nd", "rd", "th"})
      if (word.size() > 2 && word.ends_with(ending)) word.resize(word.size() - 2);
    auto const number = small_number(word);
    if (distance > 0 && distance <= 2 && number && word.size() <= 2 && *number >= 1 && *number <= 31)
      out.push_back(number_term("@d", *number));
  }
  return out;
}

}  // namespace

text_analyser::text_analyser(std::unique_ptr<impl> in) : impl_(std::move(in)) {}
text_analyser::text_analyser(text_analyser&&) noexcept = default;
text_analyser& text_analyser::operator=(text_analyser&&) noexcept = default;
text_analyser::~text_analyser() = default;

result<text_analyser> text_analyser::create(std::string const& language) {
  auto made = std::make_unique<impl>();
  if (!language.empty()) made->stemmer = sb_stemmer_new(language.c_str(), nullptr);
  if (!language.empty() && !made->stemmer)
    return error{errc::unsupported, "there is no stemmer for \"" + language + "\"; name a Snowball language, or none",
                 "store.open"};
  UErrorCode status = U_ZERO_ERROR;
  made->breaks = ubrk_open(UBRK_WORD, "", nullptr, 0, &status);
  if (U_FAILURE(status))
    return error{errc::internal, std::string("ICU has no word breaks: ") + u_errorName(status), "store.open"};
  return text_analyser(std::move(made));
}

analysed_text text_analyser::document(std::string_view text) const {
  auto const points = normalised(text);
  splitter split(points, impl_->breaks, false, [this](std::string const& w) { return impl_->stem(w); });
  analysed_text out;
  out.terms = split.take();
  out.length = split.length();
  return out;
}

std::vector<term_at> text_analyser::question(std::string_view text) const {
  auto const points = normalised(text);
  auto const stem = [this](std::string const& w) { return impl_->stem(w); };
  splitter split(points, impl_->breaks, true, stem);
  auto dates = dates_named(split.words());
  auto terms = split.take();
  if (terms.empty() && split.left_out()) terms = splitter(points, impl_->breaks, false, stem).take();
  auto const past = terms.empty() ? 0 : terms.back().position + 2;
  for (auto& term : dates) terms.push_back({std::move(term), past});
  return terms;
}

std::vector<std::string> date_terms(utc_ms time) {
  using namespace std::chrono;
  year_month_day const date{floor<days>(sys_time<milliseconds>(milliseconds(time)))};
  return {number_term("@y", static_cast<int>(date.year())),
          number_term("@m", static_cast<int>(static_cast<unsigned>(date.month()))),
          number_term("@d", static_cast<int>(static_cast<unsigned>(date.day())))};
}

std::string normalised_text(std::string_view text) {
  std::string out;
  bool space = false;
  for (char32_t const c : normalised(text)) {
    if (is_space(c)) {
      space = !out.empty();
      continue;
    }
    if (space) out += ' ';
    space = false;
    append_utf8(out, folded(c));
  }
  while (!out.empty() && (out.back() == '.' || out.back() == '!')) out.pop_back();
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

}  // namespace wherry::inline v0::memory_detail
