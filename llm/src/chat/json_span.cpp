#include "chat/json_span.hpp"

#include <wherry/core/json.hpp>

namespace wherry::inline v0::detail::chat {
namespace {

constexpr std::string_view json_space = " \t\r\n";

// Offset behind the value that begins at an offset of valid JSON.
std::size_t value_end(std::string_view text, std::size_t at) {
  if (text[at] == '{' || text[at] == '[') {
    json_scanner scanner;
    while (!scanner.take(text[at++])) continue;
    return at;
  }
  if (text[at] != '"') return std::min(text.find_first_of(",]} \t\r\n", at), text.size());
  for (++at; text[at] != '"'; ++at)
    if (text[at] == '\\') ++at;
  return at + 1;
}

}  // namespace

bool json_scanner::take(char byte) noexcept {
  if (in_string_) {
    if (escaped_)
      escaped_ = false;
    else if (byte == '\\')
      escaped_ = true;
    else if (byte == '"')
      in_string_ = false;
    return false;
  }
  if (byte == '"')
    in_string_ = true;
  else if (byte == '{' || byte == '[')
    ++depth_;
  else if ((byte == '}' || byte == ']') && depth_ > 0)
    return --depth_ == 0;
  return false;
}

std::optional<std::string_view> raw_member(std::string_view object, std::string_view key) {
  auto skip = [&](std::size_t at) { return object.find_first_not_of(json_space, at); };
  std::size_t at = skip(object.find('{') + 1);
  while (object[at] != '}') {
    std::size_t const key_end = value_end(object, at);
    auto const name = parse_json(object.substr(at, key_end - at));
    at = skip(skip(key_end) + 1);  // over the colon
    std::size_t const end = value_end(object, at);
    if (name && name->is_string() && name->get_ref<std::string const&>() == key) return object.substr(at, end - at);
    at = skip(end);
    if (object[at] == ',') at = skip(at + 1);
  }
  return std::nullopt;
}

std::vector<std::string_view> raw_items(std::string_view array) {
  std::vector<std::string_view> out;
  auto skip = [&](std::size_t at) { return array.find_first_not_of(json_space, at); };
  std::size_t at = skip(array.find('[') + 1);
  while (array[at] != ']') {
    std::size_t const end = value_end(array, at);
    out.push_back(array.substr(at, end - at));
    at = skip(end);
    if (array[at] == ',') at = skip(at + 1);
  }
  return out;
}

}  // namespace wherry::inline v0::detail::chat
