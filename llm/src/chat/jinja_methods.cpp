// The methods of str, dict and list.
#include "chat/jinja_functions.hpp"
#include "chat/unicode.hpp"

#include <algorithm>
#include <limits>

namespace wherry::inline v0::detail::chat {
namespace {

using method = value (*)(workspace&, value const& self, arguments const& given);
struct method_row {
  std::string_view name;
  method body;
  bool changes = false;  ///< Changes its object, which Jinja's sandbox refuses.
};

marked_text const& text_argument(value const& v, std::string_view function) {
  if (!v.text()) fail(std::string(function) + " takes a text, not " + std::string(type_name(v)));
  return *v.text();
}
std::int64_t count_argument(value const& v, std::string_view function) {
  return v.is_undefined() || v.is_none() ? -1 : to_integer(v, std::string(function) + "'s count");
}

// -- str
// ---------------------------------------------------------------------------------------------------------------

template <bool left, bool right>
value strip(workspace& space, value const& self, arguments const& given) {
  auto const bound = bind_arguments("strip", given, {"chars"});
  bool const whitespace = bound[0].is_undefined() || bound[0].is_none();
  return space.text(stripped(*self.text(), whitespace ? nullptr : &text_argument(bound[0], "strip"), left, right));
}

template <text_case to>
value change_case(workspace& space, value const& self, arguments const& given) {
  bind_arguments("a change of case", given, {});
  return space.text(cased(*self.text(), to));
}

template <bool at_start>
value has_affix(workspace&, value const& self, arguments const& given) {
  auto const bound = bind_arguments(at_start ? "startswith" : "endswith", given, {"affix"});
  std::string_view const text = self.text()->bytes();
  auto fits = [&](value const& affix) {
    std::string_view const wanted = text_argument(affix, at_start ? "startswith" : "endswith").bytes();
    return at_start ? text.starts_with(wanted) : text.ends_with(wanted);
  };
  auto const origin = joined_origin(origin_of(self), origin_of(bound[0]));
  if (auto const* several = bound[0].list())
    return boolean(std::any_of(several->items.begin(), several->items.end(), fits), origin);
  return boolean(fits(bound[0]), origin);
}

template <bool at_start>
value remove_affix(workspace& space, value const& self, arguments const& given) {
  auto const bound = bind_arguments(at_start ? "removeprefix" : "removesuffix", given, {"affix"});
  marked_text const& text = *self.text();
  std::string_view const affix = text_argument(bound[0], "removing an affix").bytes();
  std::string_view const bytes = text.bytes();
  if (at_start) return bytes.starts_with(affix) ? space.text(text.slice(affix.size(), bytes.size())) : self;
  return bytes.ends_with(affix) ? space.text(text.slice(0, bytes.size() - affix.size())) : self;
}

void split_at_whitespace(workspace& space, marked_text const& text, std::int64_t count, std::vector<value>& out) {
  std::string_view const bytes = text.bytes();
  auto space_at = [&](std::size_t i) { return is_space(code_point_at(bytes, i)); };
  for (std::size_t at = 0;;) {
    while (at < bytes.size() && space_at(at)) at += character_size(bytes, at);
    if (at >= bytes.size()) return;
    if (count-- == 0) {
      out.push_back(space.text(text.slice(at, rstripped_size(bytes))));
      return;
    }
    std::size_t const begin = at;
    while (at < bytes.size() && !space_at(at)) at += character_size(bytes, at);
    out.push_back(space.text(text.slice(begin, at)));
  }
}

value split(workspace& space, value const& self, arguments const& given) {
  auto const bound = bind_arguments("split", given, {"sep", "maxsplit"});
  marked_text const& text = *self.text();
  std::int64_t count = count_argument(bound[1], "split");
  std::vector<value> out;
  if (bound[0].is_undefined() || bound[0].is_none()) {
    split_at_whitespace(space, text, count, out);
  } else {
    std::string const& separator = text_argument(bound[0], "split").bytes();
    if (separator.empty()) fail("split needs a separator that is not empty");
    std::size_t begin = 0;
    for (; count != 0; --count) {
      std::size_t const found = text.bytes().find(separator, begin);
      if (found == std::string::npos) break;
      out.push_back(space.text(text.slice(begin, found)));
      begin = found + separator.size();
    }
    out.push_back(space.text(text.slice(begin, text.size())));
  }
  return space.list(std::move(out), origin_of(self));
}

value rsplit(workspace& space, value const& self, arguments const& given) {
  auto const bound = bind_arguments("rsplit", given, {"sep", "maxsplit"});
  marked_text const& text = *self.text();
  std::string const& separator = text_argument(bound[0], "rsplit").bytes();
  if (separator.empty()) fail("rsplit needs a separator that is not empty");
  std::vector<value> out;
  std::size_t end = text.size();
  for (std::int64_t count = count_argument(bound[1], "rsplit"); count != 0 && end >= separator.size(); --count) {
    std::size_t const found = text.bytes().rfind(separator, end - separator.size());
    if (found == std::string::npos) break;
    out.push_back(space.text(text.slice(found + separator.size(), end)));
    end = found;
  }
  out.push_back(space.text(text.slice(0, end)));
  std::reverse(out.begin(), out.end());
  return space.list(std::move(out), origin_of(self));
}

value splitlines(workspace& space, value const& self, arguments const& given) {
  bind_arguments("splitlines", given, {});
  std::vector<value> out;
  for (auto& line : split_lines(*self.text())) out.push_back(space.text(std::move(line)));
  return space.list(std::move(out), origin_of(self));
}

value replace(workspace& space, value const& self, arguments const& given) {
  auto const bound = bind_arguments("replace", given, {"old", "new", "count"});
  return space.text(replaced(space, *self.text(), text_argument(bound[0], "replace"),
                             text_argument(bound[1], "replace"), count_argument(bound[2], "replace")));
}

value join(workspace& space, value const& self, arguments const& given) {
  auto const bound = bind_arguments("join", given, {"iterable"});
  auto const items = iterate(space, bound[0]);
  for (auto const& item : items) text_argument(item, "join");
  return space.text(joined_text(space, items, *self.text()));
}

template <bool from_end>
value find(workspace& space, value const& self, arguments const& given) {
  auto const bound = bind_arguments("find", given, {"sub"});
  std::string const& text = self.text()->bytes();
  std::string const& wanted = text_argument(bound[0], "find").bytes();
  space.count_text(text.size());
  std::size_t const at = from_end ? text.rfind(wanted) : text.find(wanted);
  auto const origin = joined_origin(origin_of(self), origin_of(bound[0]));
  if (at == std::string::npos) return integer(-1, origin);
  auto const characters = character_offsets(std::string_view(text).substr(0, at)).size() - 1;
  return integer(static_cast<std::int64_t>(characters), origin);
}

value count_text(workspace& space, value const& self, arguments const& given) {
  auto const bound = bind_arguments("count", given, {"sub"});
  std::string const& text = self.text()->bytes();
  std::string const& wanted = text_argument(bound[0], "count").bytes();
  space.count_text(text.size());
  auto const origin = joined_origin(origin_of(self), origin_of(bound[0]));
  if (wanted.empty()) return integer(static_cast<std::int64_t>(character_offsets(text).size()), origin);
  std::int64_t found = 0;
  for (std::size_t at = text.find(wanted); at != std::string::npos; at = text.find(wanted, at + wanted.size())) ++found;
  return integer(found, origin);
}

template <bool (*accepts)(char)>
value every_character(workspace&, value const& self, arguments const& given) {
  bind_arguments("a test of characters", given, {});
  std::string const& text = self.text()->bytes();
  return boolean(!text.empty() && std::all_of(text.begin(), text.end(), accepts), origin_of(self));
}
bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }

// str.format with {}, {0} and {name}; format specifications are not part of the subset.
value format(workspace& space, value const& self, arguments const& given) {
  marked_text const& text = *self.text();
  std::string const& bytes = text.bytes();
  marked_text out;
  std::size_t next = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    char const c = bytes[i];
    bool const doubled = i + 1 < bytes.size() && bytes[i + 1] == c;
    if ((c != '{' && c != '}') || doubled) {
      out.append(text, i, i + 1);
      if (c == '{' || c == '}') ++i;
      continue;
    }
    std::size_t const close = bytes.find('}', i);
    if (c == '}' || close == std::string::npos) fail("format has a single brace");
    std::string_view const field = std::string_view(bytes).substr(i + 1, close - i - 1);
    value const* found = nullptr;
    bool const numbered = std::all_of(field.begin(), field.end(), is_ascii_digit) && field.size() < 4;
    std::size_t const index = !numbered ? 0 : field.empty() ? next++ : std::stoul(std::string(field));
    if (numbered && index < given.positional.size()) found = &given.positional[index];
    for (auto const& [name, v] : given.named)
      if (name == field) found = &v;
    if (!found) fail("format has no argument for {" + std::string(field) + "}");
    out.append(to_text(space, *found));
    space.check_size(out.size());
    i = close;
  }
  return space.text(std::move(out));
}

// -- dict
// --------------------------------------------------------------------------------------------------------------

value get(workspace& space, value const& self, arguments const& given) {
  auto const bound = bind_arguments("get", given, {"key", "default"});
  space.step(1 + self.dict()->members.size() / 8);
  for (auto const& [key, member] : self.dict()->members)
    if (equal(space, key, bound[0])) return member;
  return given.positional.size() + given.named.size() > 1 ? bound[1] : value{none_value{}};
}

value items(workspace& space, value const& self, arguments const& given) {
  bind_arguments("items", given, {});
  std::vector<value> out;
  for (auto const& [key, member] : self.dict()->members) out.push_back(space.list({key, member}, self.origin, true));
  return space.list(std::move(out), self.origin);
}

template <bool keys>
value keys_or_values(workspace& space, value const& self, arguments const& given) {
  bind_arguments(keys ? "keys" : "values", given, {});
  std::vector<value> out;
  for (auto const& [key, member] : self.dict()->members) out.push_back(keys ? key : member);
  return space.list(std::move(out), self.origin);
}

value pop_member(workspace& space, value const& self, arguments const& given) {
  auto const bound = bind_arguments("pop", given, {"key", "default"});
  auto& members = self.dict()->members;
  auto const found = std::find_if(members.begin(), members.end(),
                                  [&](auto const& member) { return equal(space, member.first, bound[0]); });
  if (found == members.end()) {
    if (given.positional.size() + given.named.size() > 1) return bound[1];
    fail("pop found no such key");
  }
  value const taken = found->second;
  members.erase(found);
  return taken;
}

value update(workspace& space, value const& self, arguments const& given) {
  for (auto const& other : given.positional) {
    if (!other.dict()) fail("update takes a dict");
    auto const members = other.dict()->members;
    for (auto const& [key, member] : members) set_member(space, *self.dict(), key, member);
  }
  for (auto const& [name, member] : given.named)
    set_member(space, *self.dict(), space.text(std::string(name), text_origin::from_template), member);
  return {none_value{}};
}

value copy_dict(workspace& space, value const& self, arguments const& given) {
  bind_arguments("copy", given, {});
  return space.dict(self.dict()->members, self.origin);
}

// -- list
// --------------------------------------------------------------------------------------------------------------

value append(workspace& space, value const& self, arguments const& given) {
  auto bound = bind_arguments("append", given, {"item"});
  space.step();
  self.list()->items.push_back(std::move(bound[0]));
  return {none_value{}};
}

value extend(workspace& space, value const& self, arguments const& given) {
  auto const bound = bind_arguments("extend", given, {"iterable"});
  auto const more = iterate(space, bound[0]);
  self.list()->items.insert(self.list()->items.end(), more.begin(), more.end());
  return {none_value{}};
}

value pop_item(workspace&, value const& self, arguments const& given) {
  auto const bound = bind_arguments("pop", given, {"index"});
  auto& list = self.list()->items;
  auto const size = static_cast<std::int64_t>(list.size());
  std::int64_t const at = bound[0].is_undefined() ? -1 : to_integer(bound[0], "pop's index");
  if (at < -size || at >= size) fail("pop is outside the list");
  auto const position = list.begin() + (at < 0 ? at + size : at);
  value const taken = *position;
  list.erase(position);
  return taken;
}

value index_of(workspace& space, value const& self, arguments const& given) {
  auto const bound = bind_arguments("index", given, {"item"});
  auto const& list = self.list()->items;
  for (std::size_t i = 0; i < list.size(); ++i)
    if (equal(space, list[i], bound[0])) return integer(static_cast<std::int64_t>(i), self.origin);
  fail("index found no such item");
}

value count_items(workspace& space, value const& self, arguments const& given) {
  auto const bound = bind_arguments("count", given, {"item"});
  auto const& list = self.list()->items;
  return integer(std::count_if(list.begin(), list.end(), [&](value const& v) { return equal(space, v, bound[0]); }),
                 self.origin);
}

constexpr method_row text_methods[] = {
    {"capitalize", change_case<text_case::capitalize>},
    {"count", count_text},
    {"endswith", has_affix<false>},
    {"find", find<false>},
    {"format", format},
    {"isdigit", every_character<is_ascii_digit>},
    {"join", join},
    {"lower", change_case<text_case::lower>},
    {"lstrip", strip<true, false>},
    {"removeprefix", remove_affix<true>},
    {"removesuffix", remove_affix<false>},
    {"replace", replace},
    {"rfind", find<true>},
    {"rsplit", rsplit},
    {"rstrip", strip<false, true>},
    {"split", split},
    {"splitlines", splitlines},
    {"startswith", has_affix<true>},
    {"strip", strip<true, true>},
    {"title", change_case<text_case::title>},
    {"upper", change_case<text_case::upper>},
};
constexpr method_row dict_methods[] = {
    {"copy", copy_dict},
    {"get", get},
    {"items", items},
    {"keys", keys_or_values<true>},
    {"pop", pop_member, true},
    {"update", update, true},
    {"values", keys_or_values<false>},
};
constexpr method_row list_methods[] = {
    {"append", append, true}, {"count", count_items},  {"extend", extend, true},
    {"index", index_of},      {"pop", pop_item, true},
};

template <std::size_t size>
method_row const* find_row(method_row const (&rows)[size], std::string_view name) {
  auto const* found = std::find_if(rows, rows + size, [&](method_row const& row) { return row.name == name; });
  return found == rows + size ? nullptr : found;
}

}  // namespace

value bound_method(workspace& space, value const& object, std::string_view name) {
  method_row const* row = object.text()   ? find_row(text_methods, name)
                          : object.dict() ? find_row(dict_methods, name)
                          : object.list() ? find_row(list_methods, name)
                                          : nullptr;
  if (!row) return {undefined_value{name}};
  if (row->changes && !space.options().lenient)
    return space.function(row->name, [row](workspace&, arguments const&) -> value {
      fail("\"" + std::string(row->name) +
           "\" changes its object, which Jinja's sandbox refuses (render_options::lenient allows it)");
    });
  return space.function(
      row->name, [body = row->body, object](workspace& s, arguments const& given) { return body(s, object, given); });
}

}  // namespace wherry::inline v0::detail::chat
