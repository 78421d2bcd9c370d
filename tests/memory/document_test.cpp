#include "temp_dir.hpp"

#include <wherry/memory/document.hpp>

#include <algorithm>

using namespace wherry;
using namespace wherry_test;

namespace {

std::string const manual =
    "# Manual\n\nRead this first.\n\n## Engine\n\nThe engine needs oil. Check it weekly.\n\nUse 5W-30 oil.\n\n"
    "```\n# no heading\n\ncode\n```\n\n## Sails\n\nReef early. " +
    std::string(40, 'x') + "\n";

}  // namespace

TEST_CASE("a document is cut by headings and paragraphs, and no word is lost", "[memory]") {
  for (std::size_t const bytes_max : {16, 40, 100, 1200}) {
    auto const chunks = chunk_document(manual, {.bytes_max = bytes_max, .overlap_bytes = bytes_max / 4});
    std::vector<bool> covered(manual.size(), false);
    for (auto const& c : chunks) {
      REQUIRE(c.begin < c.end);
      REQUIRE(c.end <= manual.size());
      CHECK(c.end - c.begin <= bytes_max);
      std::fill(covered.begin() + static_cast<long>(c.begin), covered.begin() + static_cast<long>(c.end), true);
    }
    for (std::size_t i = 0; i < manual.size(); ++i) CHECK((covered[i] || manual[i] == '\n' || manual[i] == ' '));
  }
  auto const chunks = chunk_document(manual);
  REQUIRE(chunks.size() == 3);
  CHECK(chunks[0].headings == "Manual");
  CHECK(chunks[1].headings == "Manual > Engine");
  CHECK(chunks[2].headings == "Manual > Sails");
  CHECK(chunk_document("").empty());
  CHECK(chunk_document(" \n\n \n").empty());
}

TEST_CASE("chunks end on code points", "[memory]") {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "한";
  for (auto const& c : chunk_document(text, {.bytes_max = 16})) CHECK((c.end - c.begin) % 3 == 0);
}

TEST_CASE("a document is found by its words and headings, and replaced by its next version", "[memory]") {
  temp_dir dir;
  store const db{dir.path(), {.commit_durability = durability::os}};
  auto const scope = db.scope({});
  CHECK(ingest_document(scope, "manual.md", manual).value().chunks == 3);
  auto const hits = scope.recall({.text = "which oil for the engine?"}).value().hits;
  REQUIRE_FALSE(hits.empty());
  auto const& chunk = hits[0].record;
  CHECK(chunk.title == "Manual > Engine");
  CHECK(chunk.text == manual.substr(chunk.source.begin, chunk.source.end - chunk.source.begin));
  auto const cited = cite(chunk);
  CHECK(verify_citation(scope, cited));

  auto wrong = cited;
  wrong.hash[0] = wrong.hash[0] == '0' ? '1' : '0';
  CHECK(verify_citation(scope, wrong).error().is(errc::conflict));
  wrong = cited;
  wrong.document = "other.md";
  CHECK(verify_citation(scope, wrong).error().is(errc::not_found));
  wrong = cited;
  wrong.end += 1'000'000;
  CHECK(verify_citation(scope, wrong).error().is(errc::not_found));

  auto const again = ingest_document(scope, "manual.md", "# Manual\n\nNothing of the kind stands here now.\n").value();
  CHECK(again.replaced == 3);
  CHECK(scope.records().value().size() == 1);
  CHECK_FALSE(verify_citation(scope, cited));
  CHECK(ingest_document(scope, "", "x").error().is(errc::invalid_argument));
  CHECK(ingest_document(scope, "x", "\xff").error().is(errc::invalid_argument));
}

TEST_CASE("a document's records come back in its order and leave those of others alone", "[memory]") {
  temp_dir dir;
  store const db{dir.path(), {.commit_durability = durability::os}};
  auto const scope = db.scope({});
  std::string text;
  for (int n = 0; n < 40; ++n)
    text += "# Part " + std::to_string(n) + "\n\nWhat part " + std::to_string(n) + " says.\n\n";
  for (auto const* id : {"a", "ab", "a2"}) ingest_document(scope, id, text).value();
  transaction tx{scope};
  tx.put({.kind = "fact", .text = "not of a document", .source = {.session = "a"}});
  tx.commit().value();
  CHECK(scope.document_records("none").value().empty());
  CHECK(ingest_document(scope, "a", text).value().replaced == 40);
  auto const found = scope.document_records("a").value();
  REQUIRE(found.size() == 40);
  for (std::size_t n = 0; n < found.size(); ++n) {
    CHECK(found[n].source.document == "a");
    CHECK(found[n].source.first_seq == n + 1);
  }
  scope.erase({.documents = {"a"}}).value();
  CHECK(scope.document_records("a").value().empty());
  CHECK(scope.document_records("ab").value().size() == 40);
}
