#pragma once
// Documents as records: text or Markdown is cut into chunks by its structure, each a record of kind "document" that
// says which bytes of which document it is; and citations, which can be checked.

#include <wherry/memory/transaction.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0 {

/// Largest document, in bytes.
inline constexpr std::size_t document_bytes_max = std::size_t{16} << 20;

struct chunk_options {
  std::size_t bytes_max = 1200;     ///< Of a chunk; a paragraph that is longer is cut at the end of a sentence or word.
  std::size_t overlap_bytes = 150;  ///< The end of a chunk that begins the next one of the same section as well.
};

/// Bytes [begin, end) of a document, and the headings above them ("Manual > Engine > Oil").
struct document_chunk {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string headings = {};
  friend bool operator==(document_chunk const&, document_chunk const&) = default;
};

/// Cuts a text. Sections begin at Markdown headings ("# ..."), outside of fenced code; paragraphs at empty lines. Every
/// byte that is not white space lies in a chunk; chunks begin and end on code points.
std::vector<document_chunk> chunk_document(std::string_view text, chunk_options options = {});

struct ingest_report {
  std::size_t chunks = 0;    ///< Now in the scope.
  std::size_t replaced = 0;  ///< Chunks of an earlier version that were taken away.
};

/// Makes a document's chunks records of the scope, in one commit; an earlier version of that id is replaced.
/// Fails with: errc::invalid_argument for text that is not UTF-8; errc::limit_reached; what commit fails with.
result<ingest_report> ingest_document(scope_handle const& scope, std::string const& id, std::string_view text,
                                      chunk_options options = {});

/// Which bytes of which document say something.
struct citation {
  std::string document = {};
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::string hash = {};  ///< content_hash of these bytes.
  friend bool operator==(citation const&, citation const&) = default;
};

/// The citation of a record that came from a document.
citation cite(record const& chunk);

/// Whether the scope holds the cited bytes as they were cited: call it before an answer that cites is released.
/// Fails with: errc::not_found when no chunk of the document covers the bytes; errc::conflict when they say something
/// else by now.
result<void> verify_citation(scope_handle const& scope, citation const& cited);

}  // namespace wherry::inline v0
