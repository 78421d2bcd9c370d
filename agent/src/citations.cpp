#include <wherry/agent/citations.hpp>

#include <wherry/core/hash.hpp>
#include <wherry/core/json.hpp>
#include <wherry/core/text.hpp>

namespace wherry::inline v0 {
namespace {

/// As much of a quote as a message shows.
constexpr std::size_t shown_bytes = 80;

error refused(std::string message) { return {errc::output_invalid, std::move(message), "citations"}; }

cited_quote cited_in(record const& r, std::size_t at, std::string const& quote) {
  cited_quote out{.record = r.id, .headings = r.title, .where = {}};
  out.where.document = r.source.document;
  out.where.begin = at + (r.source.document.empty() ? 0 : r.source.begin);
  out.where.end = out.where.begin + quote.size();
  out.where.hash = content_hash(quote);
  return out;
}

}  // namespace

result<std::vector<cited_quote>> cite_quotes(scope_handle const& scope, run_record const& run,
                                             std::vector<std::string> const& quotes) {
  std::vector<record> recalled;
  for (auto const& section : run.context)
    for (auto const& block : section.blocks) {
      auto const id = ulid::parse(block.id);
      if (!id) continue;  // of another source
      auto found = scope.record(*id);
      if (!found) return std::move(found).error();
      if (*found) recalled.push_back(std::move(**found));
    }
  std::vector<cited_quote> out;
  for (auto const& quote : quotes) {
    auto const before = out.size();
    for (auto const& r : recalled) {
      auto const at = quote.empty() ? std::string::npos : r.text.find(quote);
      if (at == std::string::npos) continue;
      out.push_back(cited_in(r, at, quote));
      break;
    }
    if (out.size() == before)
      return refused("the quote \"" + quote.substr(0, utf8_complete_prefix(quote.substr(0, shown_bytes))) +
                     "\" does not stand in what was recalled for this answer");
  }
  return out;
}

output_guard quotes_must_hold(scope_handle scope, quote_guard_options options) {
  auto check = [scope = std::move(scope), options = std::move(options)](std::string_view answer,
                                                                        run_record const& run) -> result<void> {
    auto const parsed = parse_json(answer);
    auto const* list =
        parsed && parsed->is_object() && parsed->contains(options.member) ? &(*parsed)[options.member] : nullptr;
    if (!list || !list->is_array())
      return refused("the answer has no array \"" + options.member +
                     "\" of quotes; give the run an output type with it");
    std::vector<std::string> quotes;
    for (auto const& quote : *list) {
      if (!quote.is_string()) return refused("a quote of the answer is not text");
      quotes.push_back(quote.get<std::string>());
    }
    if (quotes.size() < options.quotes_min && !(quotes.empty() && run.context.empty()))
      return refused("the answer quotes " + std::to_string(quotes.size()) + " times; at least " +
                     std::to_string(options.quotes_min) + " are asked for");
    auto const found = cite_quotes(scope, run, quotes);
    return found ? result<void>{} : found.error();
  };
  return {.name = "quotes", .check = std::move(check)};
}

}  // namespace wherry::inline v0
