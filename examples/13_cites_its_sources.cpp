// Answers from a document, with quotes that are checked before an answer is released. The document is cut into chunks
// by its headings; recall puts those that bear on a question before the model; an answer with a quote that does not
// stand there, byte for byte, is kept back. A citation names document, bytes and their hash.

#include "example_model.hpp"

#include <wherry/agent/citations.hpp>
#include <wherry/agent/memory_context.hpp>
#include <wherry/memory/store.hpp>

#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

namespace w = wherry;

constexpr char const* manual = R"(# Boat

## Engine

The engine takes 5W-30 oil. Change it every hundred hours.

## Sails

Reef the main above fifteen knots of wind.
)";

struct cited {
  std::string answer;
  std::vector<std::string> quotes;
};

std::vector<w::cited_quote> answer(w::scope_handle const& scope, std::string const& question,
                                   std::string const& scripted) {
  auto const desk = w::agent{model_or(w::scripted_model{w::say(scripted)}),
                             "Answer from what stands before the message alone, and quote it exactly."}
                        .with(w::memory_context(scope, {.kinds = {"document"}}))
                        .guard(w::quotes_must_hold(scope));
  auto const r = desk.run<cited>(question);
  std::cout << question << '\n';
  if (!r) {
    std::cout << "  not released (" << r.error().code.message() << ")\n";
    return {};
  }
  std::cout << "  " << r->output.answer << '\n';
  auto const quotes = w::cite_quotes(scope, *r, r->output.quotes).value();
  for (auto const& quote : quotes)
    std::cout << "  [" << quote.where.document << ", " << quote.headings << ", bytes " << quote.where.begin << " to "
              << quote.where.end << "]\n";
  return quotes;
}

int main() {
  auto const where = std::filesystem::temp_directory_path() / ("wherry-example-" + std::to_string(::getpid()));
  {
    w::store db{where};
    auto const scope = db.scope({.tenant = "acme"});
    w::ingest_document(scope, "boat.md", manual).value();
    auto const oil = answer(scope, "Which oil does the engine take?",
                            R"({"answer":"5W-30.","quotes":["The engine takes 5W-30 oil."]})");
    answer(scope, "When do I reef?", R"({"answer":"Above twenty knots.","quotes":["Reef above twenty knots"]})");
    answer(scope, "How much is the harbour fee?", R"({"answer":"The manual does not say.","quotes":[]})");

    w::ingest_document(scope, "boat.md", "# Boat\n\n## Engine\n\nThe engine is electric now.\n").value();
    for (auto const& old : oil)
      std::cout << "the old citation still holds: " << (w::verify_citation(scope, old.where) ? "yes" : "no") << '\n';
  }
  std::filesystem::remove_all(where);
}

// Expected output:
//   Which oil does the engine take?
//     5W-30.
//     [boat.md, Boat > Engine, bytes 19 to 46]
//   When do I reef?
//     not released (output_invalid)
//   How much is the harbour fee?
//     The manual does not say.
//   the old citation still holds: no
