#include "tokenizer/splitter.hpp"

#include <wherry/core/text.hpp>

#include <limits>
#include <string>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace wherry::inline v0::detail {
namespace {

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};
using code_ptr = std::unique_ptr<pcre2_code, freed_by<pcre2_code_free>>;
using match_data_ptr = std::unique_ptr<pcre2_match_data, freed_by<pcre2_match_data_free>>;
using match_context_ptr = std::unique_ptr<pcre2_match_context, freed_by<pcre2_match_context_free>>;

// PCRE2's \s also takes U+180E, which lost White_Space in Unicode 6.3; the tokenizers follow Unicode.
std::string with_unicode_space(std::string_view pattern) {
  std::string out;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    out += pattern[at];
    if (pattern[at] != '\\' || at + 1 == pattern.size()) continue;
    char const escaped = pattern[++at];
    out += escaped == 's' ? "p{White_Space}" : escaped == 'S' ? "P{White_Space}" : std::string(1, escaped);
  }
  return out;
}

}  // namespace

class splitter::pattern {
 public:
  explicit pattern(code_ptr code) : code_(std::move(code)) {}

  // Appends the pieces of valid UTF-8.
  void split(std::string_view text, std::vector<std::string_view>& pieces) const {
    match_data_ptr const found(pcre2_match_data_create(1, nullptr));
    std::size_t done = 0;  // end of the last piece
    for (std::size_t at = 0; at < text.size();) {
      if (!match(text, at, *found)) break;
      auto const* bounds = pcre2_get_ovector_pointer(found.get());
      auto const begin = bounds[0], end = bounds[1];
      if (end == begin) break;  // no pattern here matches nothing
      if (begin > done) pieces.push_back(text.substr(done, begin - done));
      pieces.push_back(text.substr(begin, end - begin));
      done = at = end;
    }
    if (done < text.size()) pieces.push_back(text.substr(done));
  }

 private:
  // The next match from `at`. The compiled code may run out of its small stack or its match limit on hostile text: the
  // interpreter, which has heap and no limit, then decides. Should memory run out even there, the rest is one piece.
  bool match(std::string_view text, std::size_t at, pcre2_match_data& found) const {
    auto const* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    int rc = pcre2_match(code_.get(), subject, text.size(), at, PCRE2_NO_UTF_CHECK, &found, nullptr);
    if (rc < 0 && rc != PCRE2_ERROR_NOMATCH) {
      match_context_ptr const unlimited(pcre2_match_context_create(nullptr));
      pcre2_set_match_limit(unlimited.get(), std::numeric_limits<std::uint32_t>::max());
      rc = pcre2_match(code_.get(), subject, text.size(), at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, &found,
                       unlimited.get());
    }
    return rc >= 0;
  }

  code_ptr code_;
};

splitter::splitter(std::vector<pattern> patterns) : patterns_(std::move(patterns)) {}
splitter::splitter(splitter&&) noexcept = default;
splitter& splitter::operator=(splitter&&) noexcept = default;
splitter::~splitter() = default;

result<splitter> splitter::compile(std::span<std::string_view const> patterns) {
  std::vector<pattern> compiled;
  for (auto const source : patterns) {
    auto const unicode = with_unicode_space(source);
    int code_number = 0;
    PCRE2_SIZE at = 0;
    code_ptr code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(unicode.data()), unicode.size(),
                                PCRE2_UTF | PCRE2_UCP | PCRE2_DOLLAR_ENDONLY, &code_number, &at, nullptr));
    if (!code) {
      PCRE2_UCHAR text[256] = "";
      pcre2_get_error_message(code_number, text, sizeof text);
      return error(errc::internal,
                   "cannot compile the pattern '" + unicode + "': " + reinterpret_cast<char const*>(text) + " at " +
                       std::to_string(at),
                   "tokenizer.split");
    }
    pcre2_jit_compile(code.get(),
                      PCRE2_JIT_COMPLETE);  // without it the pattern is interpreted: slower, the same pieces
    compiled.emplace_back(std::move(code));
  }
  return splitter(std::move(compiled));
}

std::vector<std::string_view> splitter::split(std::string_view text) const {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    auto const valid = text.substr(0, utf8_error_at(text));
    std::vector<std::string_view> run, next;
    if (!valid.empty()) run.push_back(valid);
    for (auto const& p : patterns_) {
      next.clear();
      for (auto const piece : run) p.split(piece, next);
      run.swap(next);
    }
    pieces.insert(pieces.end(), run.begin(), run.end());
    text.remove_prefix(valid.size());
    if (text.empty()) break;
    pieces.push_back(text.substr(0, 1));
    text.remove_prefix(1);
  }
  return pieces;
}

}  // namespace wherry::inline v0::detail
