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

class splitter::step {
 public:
  explicit step(word_scanner scanner) : scanner_(scanner) {}
  explicit step(code_ptr code) : code_(std::move(code)) {}

  // Hands over the pieces of valid UTF-8.
  void split(std::string_view text, word_sink const& sink) const {
    if (scanner_) {
      scanner_(text, sink);
      return;
    }
    thread_local match_data_ptr const found(
        pcre2_match_data_create(1, nullptr));  // its bounds are read before a sink runs
    std::size_t done = 0;                      // end of the last piece
    for (std::size_t at = 0; at < text.size();) {
      if (!match(text, at, *found)) break;
      auto const* bounds = pcre2_get_ovector_pointer(found.get());
      auto const begin = bounds[0], end = bounds[1];
      if (end == begin) break;  // no pattern here matches nothing
      if (begin > done) sink(text.substr(done, begin - done));
      sink(text.substr(begin, end - begin));
      done = at = end;
    }
    if (done < text.size()) sink(text.substr(done));
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

  word_scanner scanner_ = nullptr;
  code_ptr code_;
};

splitter::splitter(std::vector<step> steps) : steps_(std::move(steps)) {}
splitter::splitter(splitter&&) noexcept = default;
splitter& splitter::operator=(splitter&&) noexcept = default;
splitter::~splitter() = default;

result<splitter> splitter::compile(std::span<split_step const> steps) {
  std::vector<step> compiled;
  for (auto const& source : steps) {
    if (source.scanner) {
      compiled.emplace_back(source.scanner);
      continue;
    }
    auto const unicode = with_unicode_space(source.pattern);
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

void splitter::apply(std::size_t number, std::string_view text, word_sink const& sink) const {
  if (number + 1 == steps_.size()) {
    steps_[number].split(text, sink);
    return;
  }
  auto const go_on = [&](std::string_view piece) { apply(number + 1, piece, sink); };
  steps_[number].split(text, word_sink(go_on));
}

void splitter::split(std::string_view text, word_sink const& sink) const {
  while (!text.empty()) {
    auto const valid = text.substr(0, utf8_error_at(text));
    if (!valid.empty()) apply(0, valid, sink);
    text.remove_prefix(valid.size());
    if (text.empty()) break;
    sink(text.substr(0, 1));
    text.remove_prefix(1);
  }
}

}  // namespace wherry::inline v0::detail
