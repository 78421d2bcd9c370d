// Answers from a document, with citations that are checked before the answer is released. The document is cut into
// chunks by its headings; recall finds the chunk; the citation names document, bytes and their hash, and holds only
// while the store still has these very bytes.

#include <wherry/memory/document.hpp>

#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <string>

namespace w = wherry;

constexpr char const* manual = R"(# Boat

## Engine

The engine takes 5W-30 oil. Change it every hundred hours.

## Sails

Reef the main above fifteen knots of wind.
)";

void answer(w::scope_handle const& scope, std::string const& question) {
  auto const found = scope.recall({.text = question, .limit = 1}).value();
  if (found.hits.empty()) {
    std::cout << question << "\n  The manual does not say.\n";
    return;
  }
  auto const& chunk = found.hits[0].record;
  auto const cited = w::cite(chunk);
  if (auto holds = w::verify_citation(scope, cited); !holds) {
    std::cout << question << "\n  not released: " << holds.error().message << '\n';
    return;
  }
  std::cout << question << "\n  " << chunk.title << " [" << cited.document << ", bytes " << cited.begin << " to "
            << cited.end << "]\n";
}

int main() {
  auto const where = std::filesystem::temp_directory_path() / ("wherry-example-" + std::to_string(::getpid()));
  {
    w::store db{where};
    auto const scope = db.scope({.tenant = "acme"});
    w::ingest_document(scope, "boat.md", manual).value();
    answer(scope, "Which oil does the engine take?");
    answer(scope, "When do I reef?");
    answer(scope, "How much is the harbour fee?");

    auto const old = w::cite(scope.recall({.text = "engine oil"}).value().hits.at(0).record);
    w::ingest_document(scope, "boat.md", "# Boat\n\n## Engine\n\nThe engine is electric now.\n").value();
    std::cout << "the old citation still holds: " << (w::verify_citation(scope, old) ? "yes" : "no") << '\n';
  }
  std::filesystem::remove_all(where);
}

// Expected output:
//   Which oil does the engine take?
//     Boat > Engine [boat.md, bytes 8 to 77]
//   When do I reef?
//     Boat > Sails [boat.md, bytes 79 to 131]
//   How much is the harbour fee?
//     The manual does not say.
//   the old citation still holds: no
