#include <wherry/core/hash.hpp>
#include <wherry/core/json.hpp>
#include <wherry/tools/effect_journal.hpp>

#include <map>

namespace wherry::inline v0 {
namespace {

// Objects with their keys in ascending order, at every level. Depth is bounded by parse_json.
json with_sorted_keys(json const& value) {
  if (value.is_array()) {
    json items = json::array();
    for (auto const& item : value) items.push_back(with_sorted_keys(item));
    return items;
  }
  if (!value.is_object()) return value;
  std::map<std::string, json const*> members;
  for (auto const& [key, member] : value.items()) members.emplace(key, &member);
  json sorted = json::object();
  for (auto const& [key, member] : members) sorted[key] = with_sorted_keys(*member);
  return sorted;
}

std::string canonical(std::string const& arguments) {
  auto const value = parse_json(arguments);
  // Broken arguments are never dispatched; their key still tells calls apart.
  return value ? to_text(with_sorted_keys(*value)) : arguments;
}

// Lengths in front keep ("ab", "c") and ("a", "bc") apart.
void append_part(std::string& to, std::string_view part) {
  to += std::to_string(part.size());
  to += ':';
  to += part;
}

}  // namespace

std::string effect_key(std::string_view run_id, tool_call const& call) {
  std::string text;
  append_part(text, run_id);
  append_part(text, call.id);
  append_part(text, call.name);
  append_part(text, canonical(call.arguments));
  return content_hash(text);
}

}  // namespace wherry::inline v0
