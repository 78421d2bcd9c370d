#pragma once
// Files as text that can be cut into chunks: Markdown and plain text as they are, HTML by its structure, PDF by pages.

#include <wherry/core/result.hpp>

#include <string>

namespace wherry::cli {

/// PDF is read by the program pdftotext of poppler-utils, pages under headings "Page 1", "Page 2", ...
///
/// Fails with: errc::not_found, errc::io_failed; errc::unsupported when pdftotext is not installed;
/// errc::limit_reached for a file or a text beyond document_bytes_max; errc::deadline_exceeded.
result<std::string> read_document(std::string const& path);

}  // namespace wherry::cli
