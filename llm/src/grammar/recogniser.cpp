// Texts that are there already: the same automaton, over a vocabulary whose tokens are the bytes.

#include <wherry/core/text.hpp>
#include <wherry/llm/grammar.hpp>

#include <algorithm>

namespace wherry::inline v0 {
namespace grammar {
namespace {

vocabulary const& single_bytes() {
  static vocabulary const all = [] {
    std::vector<std::string> bytes;
    for (unsigned byte = 0; byte < 256; ++byte) bytes.emplace_back(1, static_cast<char>(byte));
    return vocabulary::build(std::move(bytes), {}, {}).value();
  }();
  return all;
}

}  // namespace

result<recogniser> recogniser::make(expr const& expression) {
  auto over_bytes = compile(expression, single_bytes());
  if (!over_bytes) return std::move(over_bytes).error();
  return recogniser(std::move(*over_bytes));
}

bool recogniser::matches(std::string_view text) const {
  matcher at(program_);
  return at.accept_bytes(text) && at.is_complete();
}

bool recogniser::begins(std::string_view text) const { return matcher(program_).accept_bytes(text); }

result<void> recogniser::check(std::string_view text) const {
  constexpr std::size_t shown_bytes = 24;
  if (matches(text)) return {};
  // The longest beginning that is one of the language: beginnings of a beginning are.
  std::size_t good = 0, bad = text.size() + 1;
  while (good + 1 < bad) {
    std::size_t const middle = good + (bad - good) / 2;
    (begins(text.substr(0, middle)) ? good : bad) = middle;
  }
  auto const refuse = [](std::string why) { return error(errc::output_invalid, std::move(why), "grammar.recogniser"); };
  if (good == text.size())
    return refuse("the text ends at byte " + std::to_string(good) + ", where its grammar wants more");
  return refuse("at byte " + std::to_string(good) + " the grammar allows no \"" +
                utf8_repaired(text.substr(good, shown_bytes)) + '"');
}

}  // namespace grammar
}  // namespace wherry::inline v0
