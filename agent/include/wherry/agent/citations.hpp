#pragma once
// Answers that cite: an answer is released only when every quote in it stands, byte for byte, in what was recalled for
// its run, and the store still holds it so.
//
//   struct cited { std::string answer; std::vector<std::string> quotes; };
//   auto desk = agent{llm, "Answer from what stands before the message. Quote it exactly."}
//       .with(memory_context(scope, {.kinds = {"document"}}))
//       .guard(quotes_must_hold(scope));
//   if (auto r = desk.run<cited>("Which oil?")) show(r->output, cite_quotes(scope, *r, r->output.quotes).value());

#include <wherry/agent/agent.hpp>
#include <wherry/memory/document.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace wherry::inline v0 {

/// Where a quote stands.
struct cited_quote {
  ulid record;           ///< The record that holds it.
  std::string headings;  ///< Its title.
  citation where;        ///< Of a document; for other records `document` is empty and the bytes are the record's.
  friend bool operator==(cited_quote const&, cited_quote const&) = default;
};

/// Finds quotes in the records that context sources put before the model in a run (context_block::id is a record's id),
/// as the store holds them now. Returns: one for each quote, in order.
/// Fails with: errc::output_invalid naming a quote that stands in none of them, or that is empty.
result<std::vector<cited_quote>> cite_quotes(scope_handle const& scope, run_record const& run,
                                             std::vector<std::string> const& quotes);

struct quote_guard_options {
  std::string member = "quotes";  ///< The answer is a JSON object with an array of texts of this name.
  std::size_t quotes_min = 1;     ///< Fewer are refused, unless nothing was recalled and there are none.
};

/// The guard that lets an answer out only when cite_quotes finds all its quotes.
output_guard quotes_must_hold(scope_handle scope, quote_guard_options options = {});

}  // namespace wherry::inline v0
