// A text cut into pieces by its own bytes. What the partial reader takes as whole must be what the parser takes, and
// what it has closed so far must be JSON at any time.

#include <wherry/core/json.hpp>
#include <wherry/llm/partial_json.hpp>

#include <cstdlib>
#include <string_view>

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

int wherry_fuzz_partial(std::uint8_t const* data, std::size_t size) {
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  wherry::partial_json reader;
  bool good = true;
  for (std::size_t at = 0; at < size && good;) {
    std::size_t const piece = 1 + data[at] % 7u;
    auto const closed = reader.push(text.substr(at, piece));
    good = closed.has_value();
    for (std::size_t i = 0; good && i < closed->size(); ++i)
      require(wherry::parse_json((*closed)[i].value.text, wherry::repeated_keys::keep_last).has_value());
    auto const so_far = reader.closed_text();
    if (!so_far.empty()) require(wherry::parse_json(so_far, wherry::repeated_keys::keep_last).has_value());
    at += piece;
  }
  bool const whole = good && reader.finish().has_value();
  require(whole == wherry::parse_json(text, wherry::repeated_keys::keep_last).has_value());
  return 0;
}
