#pragma once
// Content to and from JSON text.

#include <wherry/mcp/content.hpp>
#include <wherry/mcp/revision.hpp>

#include <string>
#include <string_view>

namespace wherry::inline v0::mcp::detail {

/// Appends `"name":` and a string, with a comma before it unless the object is still empty.
void put_string(std::string& object, std::string_view name, std::string_view text);
/// The same when the text is not empty.
void put_text(std::string& object, std::string_view name, std::string_view text);
/// Appends `"name":raw`.
void put_raw(std::string& object, std::string_view name, std::string_view raw);
void put_icons(std::string& object, std::vector<icon> const& icons);

void append_content(std::string& out, content const& block);
void append_contents(std::string& out, resource_contents const& contents);
void append_prompt_message(std::string& out, prompt_message const& m);

/// The members of a tool's result, without braces: "content", "structuredContent", "isError", "_meta".
void append_call_result(std::string& out, call_result const& r, revision const& rev);
/// A result of one text block.
void append_text_result(std::string& out, std::string_view text, bool failed = false);

/// Reads what a peer sent; texts are checked JSON. A block without a known type becomes kind other.
content read_content(std::string_view raw);
result<call_result> read_call_result(std::string_view raw);
result<resource_contents> read_contents(std::string_view raw);
result<prompt_message> read_prompt_message(std::string_view raw);

}  // namespace wherry::inline v0::mcp::detail
