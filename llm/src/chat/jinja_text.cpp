// Operations on text. Everything here takes bytes from its arguments by append() and slice(), so origins follow.
#include "chat/jinja_functions.hpp"
#include "chat/unicode.hpp"

#include <algorithm>

namespace wherry::inline v0::detail::chat {

marked_text escaped(marked_text const& text) {
  marked_text out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string_view entity;
    switch (text.bytes()[i]) {
      case '&': entity = "&amp;"; break;
      case '<': entity = "&lt;"; break;
      case '>': entity = "&gt;"; break;
      case '"': entity = "&#34;"; break;
      case '\'': entity = "&#39;"; break;
      default: out.append(text, i, i + 1); continue;
    }
    out.append(entity, text.origin_at(i));
  }
  return out;
}

marked_text stripped(marked_text const& text, marked_text const* characters, bool left, bool right) {
  std::string_view const bytes = text.bytes();
  auto const offsets = character_offsets(bytes);
  auto strips = [&](std::size_t i) {
    if (!characters) return is_space(code_point_at(bytes, offsets[i]));
    std::string_view const set = characters->bytes();
    std::string_view const character = bytes.substr(offsets[i], offsets[i + 1] - offsets[i]);
    for (std::size_t at = 0; at < set.size(); at += character_size(set, at))
      if (set.substr(at, character_size(set, at)) == character) return true;
    return false;
  };
  std::size_t begin = 0;
  std::size_t end = offsets.size() - 1;
  while (left && begin < end && strips(begin)) ++begin;
  while (right && begin < end && strips(end - 1)) --end;
  return text.slice(offsets[begin], offsets[end]);
}

marked_text cased(marked_text const& text, text_case to) {
  marked_text out;
  std::string_view const bytes = text.bytes();
  bool behind_cased = false;
  for (std::size_t i = 0; i < bytes.size();) {
    std::size_t const size = character_size(bytes, i);
    std::uint32_t const code = code_point_at(bytes, i);
    bool const begins = to == text_case::title ? !behind_cased : i == 0;
    letter_case const mapping = to == text_case::upper   ? letter_case::upper
                                : to == text_case::lower ? letter_case::lower
                                : begins                 ? letter_case::title
                                                         : letter_case::lower;
    bool const broken_byte = size == 1 && code == 0xFFFD;
    if (broken_byte)
      out.append(text, i, i + size);
    else
      out.append(with_case(code, mapping), text.origin_at(i));
    behind_cased = is_cased(code);
    i += size;
  }
  return out;
}

marked_text replaced(workspace& space, marked_text const& text, marked_text const& old, marked_text const& fresh,
                     std::int64_t count) {
  marked_text out;
  auto put = [&](marked_text const& from, std::size_t begin, std::size_t end) {
    space.check_size(out.size() + (end - begin));
    out.append(from, begin, end);
  };
  std::size_t at = 0;
  if (old.empty()) {  // Python puts it before every character and at the end
    auto const offsets = character_offsets(text.bytes());
    for (std::size_t i = 0; i < offsets.size() && count != 0; ++i, --count) {
      space.step();
      put(text, at, offsets[i]);
      put(fresh, 0, fresh.size());
      at = offsets[i];
    }
  } else {
    for (; count != 0; --count) {
      std::size_t const found = text.bytes().find(old.bytes(), at);
      if (found == std::string::npos) break;
      space.step();
      put(text, at, found);
      put(fresh, 0, fresh.size());
      at = found + old.size();
    }
  }
  put(text, at, text.size());
  return out;
}

marked_text joined_text(workspace& space, std::vector<value> const& items, marked_text const& separator) {
  marked_text out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i) out.append(separator);
    out.append(to_text(space, items[i]));
    space.check_size(out.size());
  }
  return out;
}

std::vector<marked_text> split_lines(marked_text const& text) {
  std::vector<marked_text> out;
  std::string const& bytes = text.bytes();
  std::size_t begin = 0;
  while (begin < bytes.size()) {
    std::size_t const end = std::min(bytes.find_first_of("\n\r\v\f\x1c\x1d\x1e", begin), bytes.size());
    out.push_back(text.slice(begin, end));
    begin = end + (bytes.compare(end, 2, "\r\n") == 0 ? 2 : 1);
  }
  return out;
}

}  // namespace wherry::inline v0::detail::chat
