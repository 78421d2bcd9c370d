// Texts that become records or questions, from anywhere: terms stay within their bounds and are the same twice;
// entities are pieces of the text, each once; HTML gives UTF-8.
#include "entities.hpp"
#include "text_analyser.hpp"

#include <wherry/core/text.hpp>
#include <wherry/memory/html_text.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace wherry;
using namespace wherry::memory_detail;

namespace {

void check_terms(std::vector<term_at> const& terms) {
  for (auto const& at : terms)
    if (at.term.empty() || at.term.size() > term_bytes_max) std::abort();
}

bool same(std::vector<term_at> const& a, std::vector<term_at> const& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](term_at const& x, term_at const& y) { return x.term == y.term && x.position == y.position; });
}

}  // namespace

int wherry_fuzz_memory_text(std::uint8_t const* data, std::size_t size) {
  static text_analyser const analyser = text_analyser::create("english").value();
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  auto const stored = analyser.document(text);
  check_terms(stored.terms);
  if (!same(stored.terms, analyser.document(text).terms)) std::abort();
  check_terms(analyser.question(text));
  if (!is_valid_utf8(normalised_text(text))) std::abort();
  auto const entities = entities_of(text);
  if (entities.size() > entities_max) std::abort();
  for (auto const& entity : entities)
    if (entity.text.empty() || text.find(entity.text) == std::string_view::npos ||
        std::count(entities.begin(), entities.end(), entity) != 1)
      std::abort();
  if (is_valid_utf8(text) && !is_valid_utf8(html_text(text))) std::abort();
  return 0;
}
