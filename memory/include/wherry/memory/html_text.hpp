#pragma once
// The text of a web page, with its structure, as the Markdown that chunk_document cuts by.

#include <string>
#include <string_view>

namespace wherry::inline v0 {

/// Headings become "# ..." lines, paragraphs are parted by empty lines, items of lists begin with "- ", cells of a row
/// are parted by " | ", preformatted text is fenced and kept as it is, images give their alternative text. Scripts,
/// styles, comments and the title are left out. Character references are read: numbers, and the names that are common
/// in European languages; others stay as they stand. Broken markup is never an error: what cannot be a tag is text.
///
/// The text must be UTF-8, and so is the result. Time and space are linear in it.
std::string html_text(std::string_view html);

}  // namespace wherry::inline v0
