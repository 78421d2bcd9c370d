#pragma once
// Text to terms, for the text index. Pure: the same text and language give the same terms, on any machine.
//
// Text is brought to NFKC and folded; a word is a run of letters, digits and marks. Then, by script: words of scripts
// with spaces are stemmed (Snowball); Hangul, Han and Kana runs become overlapping pairs of characters, because they
// are written without spaces (Chinese, Japanese) or glued to particles (Korean), and the whole run becomes a term too,
// with and without a Korean particle at its end; scripts without spaces that have a dictionary (Thai, Lao, Khmer,
// Burmese) are split by ICU. What looks like an identifier ("C++20", "foo_bar", "3.14", "parseJson") is also kept
// whole.
//
// A term's first byte tells apart what must not meet: '=' a whole form, '@' a part of a date, else a word or pair.

#include <wherry/core/clock.hpp>
#include <wherry/core/result.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0::memory_detail {

/// Counted up when the terms of any text change: an index made by another version is made again.
inline constexpr std::uint8_t analyser_version = 1;
/// Longest term in bytes; a longer one keeps its beginning and a hash.
inline constexpr std::size_t term_bytes_max = 64;

struct term_at {
  std::string term;
  std::uint32_t position = 0;  ///< Words and pairs count up; a whole form stands where its first part stands.
};

struct analysed_text {
  std::vector<term_at> terms;
  std::uint32_t length = 0;  ///< Words and pairs, whole forms not counted.
};

/// Threads: one at a time.
class text_analyser {
 public:
  /// `language` is the name of a Snowball stemmer ("english", "german", ...), or empty for none.
  /// Fails with: errc::unsupported for another name.
  static result<text_analyser> create(std::string const& language);
  text_analyser(text_analyser&&) noexcept;
  text_analyser& operator=(text_analyser&&) noexcept;
  ~text_analyser();

  /// Terms of a stored text, in order.
  analysed_text document(std::string_view text) const;

  /// Terms of a question, in order: words that only make a question of it ("what", "did", "the") are left out unless
  /// nothing else is there, and the parts of dates it names are added.
  std::vector<term_at> question(std::string_view text) const;

 private:
  struct impl;
  explicit text_analyser(std::unique_ptr<impl> in);
  std::unique_ptr<impl> impl_;
};

/// The terms of a moment: its year, month and day of month in UTC.
std::vector<std::string> date_terms(utc_ms time);

/// What two texts share when they differ in nothing but case, width, white space and closing punctuation.
std::string normalised_text(std::string_view text);

}  // namespace wherry::inline v0::memory_detail
