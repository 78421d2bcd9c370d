// Messages and URLs from anywhere: parsing ends with a message or a problem, within its bounds, and the same however
// the bytes are cut; a URL that is accepted reads the same again.
#include "message_parser.hpp"

#include <wherry/http/url.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using wherry::detail::message_kind;
using wherry::detail::message_parser;
using wherry::detail::message_problem;

constexpr std::size_t header_max = 512, body_max = 256;

std::string outcome(message_kind kind, std::string_view text, std::size_t piece) {
  message_parser parser(kind, header_max, body_max);
  std::string waiting;
  while (!text.empty() && !parser.done() && parser.problem() == message_problem::none && waiting.size() < 2048) {
    waiting += text.substr(0, piece);
    text.remove_prefix(std::min(piece, text.size()));
    waiting.erase(0, parser.put(waiting));
  }
  if (!parser.done() && parser.problem() == message_problem::none && text.empty()) parser.put_eof();
  if (parser.body().size() > body_max) std::abort();
  // The order in which two faults of one message are found may depend on where it was cut.
  if (parser.problem() != message_problem::none) return "problem";
  std::string out =
      std::string(parser.method()) + ' ' + std::string(parser.target()) + ' ' + std::to_string(parser.status());
  for (std::size_t i = 0; i < parser.fields().size(); ++i) {
    auto const field = parser.fields()[i];
    if (field.name.size() + field.value.size() > header_max) std::abort();
    ((out += '\n') += field.name) += field.value;
  }
  return out + '\n' + parser.body() + (parser.done() ? " done" : " open") + (parser.keep_alive() ? " kept" : "");
}

}  // namespace

int wherry_fuzz_http(std::uint8_t const* data, std::size_t size) {
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  for (auto const kind : {message_kind::request, message_kind::response}) {
    auto const whole = outcome(kind, text, size + 1);
    if (size <= 2048 && outcome(kind, text, 1) != whole) std::abort();
  }
  auto const parsed = wherry::url::parse(text);
  if (parsed) {
    auto const again = wherry::url::parse(parsed->text());
    if (!again || *again != *parsed) std::abort();
    auto const resolved = parsed->resolve(text);
    if (!resolved || resolved->origin() != parsed->origin()) std::abort();
  }
  auto const base = wherry::url::parse("https://a.example/b/c?d");
  (void)base->resolve(text);
  auto const decoded = wherry::percent_decode(text);
  if (decoded && wherry::percent_decode(wherry::percent_encode(*decoded)).value() != *decoded) std::abort();
  return 0;
}
