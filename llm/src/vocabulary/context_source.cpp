#include <wherry/llm/context_source.hpp>

namespace wherry::inline v0 {
namespace {

void append_item(std::string& out, context_block const& block) {
  out += "- ";
  for (char const c : block.text) {
    if (c == '\r') continue;
    out += c;
    if (c == '\n') out += "  ";
  }
  if (!block.note.empty()) out += " (" + block.note + ')';
  out += '\n';
}

}  // namespace

std::string context_text(std::vector<context_section> const& sections, std::string const& before_message) {
  std::string out;
  for (auto const& section : sections) {
    if (section.blocks.empty()) continue;
    if (!section.heading.empty()) out += section.heading + '\n';
    for (auto const& block : section.blocks) append_item(out, block);
    out += '\n';
  }
  if (!out.empty() && !before_message.empty()) out += before_message + '\n';
  return out;
}

}  // namespace wherry::inline v0
