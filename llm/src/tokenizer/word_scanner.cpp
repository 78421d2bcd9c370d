#include "tokenizer/word_scanner.hpp"

#include "tokenizer/character_class.hpp"
#include "tokenizer/code_points.hpp"

#include <unicode/uchar.h>

namespace wherry::inline v0::detail {
namespace {

// A character in its place.
struct sight {
  char32_t value = 0;
  std::size_t length = 0;
  std::uint8_t kind = 0;

  bool is(unsigned classes) const noexcept { return (kind & classes) != 0; }
  bool is_newline() const noexcept { return value == '\n' || value == '\r'; }
};

class reader {
 public:
  explicit reader(std::string_view text) : text_(text) {}

  std::size_t size() const noexcept { return text_.size(); }
  std::string_view text() const noexcept { return text_; }

  sight look(std::size_t at) const noexcept {
    auto const c = code_point_at(text_, at);
    return {c.value, c.length, classes_.of(c.value)};
  }
  bool looks_like(std::size_t at, unsigned classes) const noexcept { return at < size() && look(at).is(classes); }

  // The end of the run of such characters from `at`, of at most so many.
  std::size_t run(std::size_t at, unsigned classes, std::size_t most = ~std::size_t{0}) const noexcept {
    for (; most > 0 && at < size(); --most) {
      auto const c = look(at);
      if (!c.is(classes)) break;
      at += c.length;
    }
    return at;
  }

 private:
  std::string_view text_;
  character_classes const& classes_ = character_classes::instance();
};

constexpr unsigned word_classes = any_letter | number | space;  // symbols are the rest

bool is_symbol(sight const& c, unsigned letters) { return !c.is(word_classes | letters); }

std::size_t symbol_run(reader const& in, std::size_t at, unsigned letters) {
  while (at < in.size()) {
    auto const c = in.look(at);
    if (!is_symbol(c, letters)) break;
    at += c.length;
  }
  return at;
}

// Bytes of 's 't 're 've 'm 'll 'd at `at`, whatever their case; 0 for none.
std::size_t contraction(std::string_view text, std::size_t at, bool any_case) {
  auto const lower = [&](std::size_t i) -> char {
    if (at + i >= text.size()) return 0;
    char const c = text[at + i];
    return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  };
  if (lower(0) != '\'') return 0;
  char const first = lower(1), second = lower(2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  if ((first == 'r' && second == 'e') || (first == 'v' && second == 'e') || (first == 'l' && second == 'l')) return 3;
  if (any_case && text.substr(at + 1).starts_with("\xC5\xBF")) return 3;  // U+017F is an s, too
  return 0;
}

// \s+(?!\S)|\s+ : all white space at the end of the text, else all but the last character of it, at least one.
std::size_t space_end(reader const& in, std::size_t at) {
  auto end = at, last = at;
  while (end < in.size()) {
    auto const c = in.look(end);
    if (!c.is(space)) break;
    last = end;
    end += c.length;
  }
  return end == in.size() || last == at ? end : last;
}

// The same behind \s*[\r\n]+ : white space up to its last newline comes first.
std::size_t space_or_lines_end(reader const& in, std::size_t at) {
  std::size_t lines_end = 0;
  auto end = at, last = at;
  while (end < in.size()) {
    auto const c = in.look(end);
    if (!c.is(space)) break;
    last = end;
    end += c.length;
    if (c.is_newline()) lines_end = end;
  }
  if (lines_end > 0) return lines_end;
  return end == in.size() || last == at ? end : last;
}

std::size_t gpt2_word_end(reader const& in, std::size_t at) {
  auto const c = in.look(at);
  if (c.value == '\'')
    if (auto const length = contraction(in.text(), at, false)) return at + length;
  auto const begin = c.value == ' ' ? at + 1 : at;
  if (begin < in.size()) {
    auto const first = begin == at ? c : in.look(begin);
    if (first.is(any_letter)) return in.run(begin, any_letter);
    if (first.is(number)) return in.run(begin, number);
    if (is_symbol(first, any_letter)) return symbol_run(in, begin, any_letter);
  }
  return space_end(in, at);
}

// What follows the words in the patterns since GPT-4: numbers, symbols, white space. `tail`: what symbols may end with.
template <class IsTail>
std::size_t no_word_end(reader const& in, std::size_t at, sight const& c, std::size_t digits_max, unsigned letters,
                        IsTail is_tail) {
  if (c.is(number)) return in.run(at, number, digits_max);
  auto const begin = c.value == ' ' ? at + 1 : at;
  if (begin < in.size() && is_symbol(in.look(begin), letters)) {
    auto end = symbol_run(in, begin, letters);
    while (end < in.size() && is_tail(in.text()[end])) ++end;
    return end;
  }
  return space_or_lines_end(in, at);
}

bool is_line_end(char c) { return c == '\r' || c == '\n'; }
bool is_line_end_or_slash(char c) { return is_line_end(c) || c == '/'; }

template <std::size_t digits_max, unsigned letters>
std::size_t gpt4_word_end(reader const& in, std::size_t at) {
  auto const c = in.look(at);
  if (c.value == '\'')
    if (auto const length = contraction(in.text(), at, true)) return at + length;
  if (c.is(letters)) return in.run(at, letters);
  if (!c.is(number) && !c.is_newline() && in.looks_like(at + c.length, letters)) return in.run(at + c.length, letters);
  return no_word_end(in, at, c, digits_max, letters, is_line_end);
}

constexpr unsigned begins_word = upper_letter | other_letter | mark;
constexpr unsigned goes_on = lower_letter | other_letter | mark;

// Where the two sorts of cased words that begin at `at` end; 0 for none.
struct cased_ends {
  std::size_t with_small = 0;  // [begins_word]*[goes_on]+
  std::size_t capitals = 0;    // [begins_word]+[goes_on]*
};

cased_ends cased_word(reader const& in, std::size_t at) {
  std::size_t end = at, after_both = 0;
  while (end < in.size()) {
    auto const c = in.look(end);
    if (!c.is(begins_word)) break;
    end += c.length;
    if (c.is(goes_on)) after_both = end;
  }
  auto const small_end = in.run(end, goes_on);
  if (small_end > end) return {small_end, end > at ? small_end : 0};
  return {after_both, end > at ? end : 0};
}

template <std::size_t digits_max, bool contractions>
std::size_t gpt4o_word_end(reader const& in, std::size_t at) {
  auto const with_ending = [&](std::size_t end) {
    return contractions ? end + contraction(in.text(), end, true) : end;
  };
  auto const c = in.look(at);
  bool const may_lead = !c.is(any_letter | number) && !c.is_newline();
  auto const behind = may_lead ? cased_word(in, at + c.length) : cased_ends();
  if (behind.with_small) return with_ending(behind.with_small);
  auto const here = c.is(any_letter | mark) ? cased_word(in, at) : cased_ends();
  if (here.with_small) return with_ending(here.with_small);
  if (behind.capitals) return with_ending(behind.capitals);
  if (here.capitals) return with_ending(here.capitals);
  return no_word_end(in, at, c, digits_max, any_letter, is_line_end_or_slash);
}

template <std::size_t (*WordEnd)(reader const&, std::size_t)>
void scan(std::string_view text, word_sink const& sink) {
  reader const in(text);
  for (std::size_t at = 0; at < text.size();) {
    auto const end = WordEnd(in, at);
    sink(text.substr(at, end - at));
    at = end;
  }
}

bool is_digit(char32_t c) { return u_charType(static_cast<UChar32>(c)) == U_DECIMAL_DIGIT_NUMBER; }

// What counts as part of a word behind digits (\w, by the annex of Unicode on regular expressions).
bool is_word(sight const& c) {
  auto const value = static_cast<UChar32>(c.value);
  return c.is(mark) || is_digit(c.value) || u_isUAlphabetic(value) || u_charType(value) == U_CONNECTOR_PUNCTUATION;
}

struct digit_run {
  std::size_t begin = 0, end = 0;
  std::size_t count = 0;  // characters
};

// The next run of digits from `at`; an empty one at the end of the text when there is none.
template <class IsDigit>
digit_run next_digits(reader const& in, std::size_t at, IsDigit is_one) {
  digit_run run{in.size(), in.size()};
  while (at < in.size()) {
    auto const c = in.look(at);
    if (is_one(c)) {
      if (run.count++ == 0) run.begin = at;
      run.end = at + c.length;
    } else if (run.count > 0) {
      break;
    }
    at += c.length;
  }
  return run;
}

// Calls cut(place) in front of each group of three digits, counted from the right, also where the first group is
// shorter.
template <class Cut>
void cut_groups(reader const& in, digit_run const& run, Cut cut) {
  auto left = run.count;
  for (auto at = run.begin; at < run.end; at += in.look(at).length, --left)
    if (left % 3 == 0 || at == run.begin) cut(at);
}

template <class IsDigit, class MayCut>
void scan_groups(std::string_view text, word_sink const& sink, IsDigit is_one, MayCut may_cut) {
  reader const in(text);
  std::size_t done = 0;
  auto const cut = [&](std::size_t place) {
    if (place > done) sink(text.substr(done, place - done));
    done = place;
  };
  for (auto run = next_digits(in, 0, is_one); run.count > 0; run = next_digits(in, run.end, is_one)) {
    if (!may_cut(in, run)) continue;
    cut_groups(in, run, cut);
    cut(run.end);
  }
  cut(text.size());
}

}  // namespace

void scan_gpt2_words(std::string_view text, word_sink const& sink) { scan<gpt2_word_end>(text, sink); }
void scan_llama3_words(std::string_view text, word_sink const& sink) { scan<gpt4_word_end<3, any_letter>>(text, sink); }
void scan_qwen2_words(std::string_view text, word_sink const& sink) { scan<gpt4_word_end<1, any_letter>>(text, sink); }
void scan_qwen35_words(std::string_view text, word_sink const& sink) {
  scan<gpt4_word_end<1, any_letter | mark>>(text, sink);
}
void scan_gpt4o_words(std::string_view text, word_sink const& sink) { scan<gpt4o_word_end<3, true>>(text, sink); }
void scan_tekken_words(std::string_view text, word_sink const& sink) { scan<gpt4o_word_end<1, false>>(text, sink); }

void scan_numbers(std::string_view text, word_sink const& sink) {
  reader const in(text);
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    auto const c = in.look(at);
    auto const end = at + c.length;
    if (c.is(number)) {
      if (at > done) sink(text.substr(done, at - done));
      sink(text.substr(at, c.length));
      done = end;
    }
    at = end;
  }
  if (done < text.size()) sink(text.substr(done));
}

void scan_grouped_numbers(std::string_view text, word_sink const& sink) {
  auto const is_number = [](sight const& c) { return c.is(number); };
  scan_groups(text, sink, is_number, [](reader const&, digit_run const&) { return true; });
}

void scan_grouped_digits_of_words(std::string_view text, word_sink const& sink) {
  auto const is_one = [](sight const& c) { return is_digit(c.value); };
  scan_groups(text, sink, is_one, [](reader const& in, digit_run const& run) {
    return run.end == in.size() || !is_word(in.look(run.end));
  });
}

void scan_grouped_digits(std::string_view text, word_sink const& sink) {
  reader const in(text);
  auto const is_one = [](sight const& c) { return is_digit(c.value); };
  std::size_t done = 0;
  for (auto run = next_digits(in, 0, is_one); run.count > 0; run = next_digits(in, run.end, is_one)) {
    auto left = run.count;
    for (auto at = run.begin; at < run.end; at += in.look(at).length, --left) {
      if (left % 3 != 0 || at == done) continue;
      sink(text.substr(done, at - done));
      done = at;
    }
  }
  if (done < text.size()) sink(text.substr(done));
}

}  // namespace wherry::inline v0::detail
