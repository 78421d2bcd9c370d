// The filters: value | name(arguments).
#include "chat/jinja_functions.hpp"
#include "chat/unicode.hpp"

#include <wherry/core/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

namespace wherry::inline v0::detail::chat {
namespace {

using filter = value (*)(workspace&, value const& operand, arguments const& given);
struct filter_row {
  std::string_view name;
  filter body;
};

bool given_value(value const& v) { return !v.is_undefined() && !v.is_none(); }
bool flag(value const& v, bool otherwise) { return v.is_undefined() ? otherwise : truthy(v); }

// -- text
// ----------------------------------------------------------------------------------------------------------------

value string(workspace& space, value const& v, arguments const& given) {
  bind_arguments("string", given, {});
  if (v.text()) return v;
  bool const as_json = space.options().containers == container_style::as_json && (v.list() || v.dict());
  if (as_json) return space.text(to_json_text(space, v, json_style{}));
  return space.text(to_text(space, v));
}

value trim(workspace& space, value const& v, arguments const& given) {
  auto const bound = bind_arguments("trim", given, {"chars"});
  auto const* characters = given_value(bound[0]) ? bound[0].text() : nullptr;
  if (given_value(bound[0]) && !characters) fail("trim takes a text of characters");
  return space.text(stripped(to_text(space, v), characters, true, true));
}

template <text_case to>
value change_case(workspace& space, value const& v, arguments const& given) {
  bind_arguments("a change of case", given, {});
  return space.text(cased(to_text(space, v), to));
}

// Jinja's title, unlike str.title, begins words behind white space and opening brackets and hyphens only.
value title(workspace& space, value const& v, arguments const& given) {
  bind_arguments("title", given, {});
  marked_text const text = to_text(space, v);
  std::string_view const bytes = text.bytes();
  marked_text out;
  bool begins = true;
  for (std::size_t i = 0; i < bytes.size();) {
    std::size_t const size = character_size(bytes, i);
    bool const separator =
        is_space(code_point_at(bytes, i)) || std::string_view("-({[<").find(bytes[i]) != std::string_view::npos;
    out.append(cased(text.slice(i, i + size), begins && !separator ? text_case::upper : text_case::lower));
    begins = separator;
    i += size;
  }
  return space.text(std::move(out));
}

value replace(workspace& space, value const& v, arguments const& given) {
  auto const bound = bind_arguments("replace", given, {"old", "new", "count"});
  std::int64_t const count = given_value(bound[2]) ? to_integer(bound[2], "replace's count") : -1;
  return space.text(replaced(space, to_text(space, v), to_text(space, bound[0]), to_text(space, bound[1]), count));
}

value indent(workspace& space, value const& v, arguments const& given) {
  auto const bound = bind_arguments("indent", given, {"width", "first", "blank"});
  marked_text margin("    ", text_origin::from_template);
  if (bound[0].text()) {
    margin = *bound[0].text();
  } else if (given_value(bound[0])) {
    std::int64_t const width = std::max<std::int64_t>(0, to_integer(bound[0], "indent's width"));
    space.check_size(static_cast<std::size_t>(width));
    margin = marked_text(std::string(static_cast<std::size_t>(width), ' '), bound[0].origin);
  }
  bool const first = flag(bound[1], false);
  bool const blank = flag(bound[2], false);
  marked_text const text = to_text(space, v);
  // A final line break is an empty last line here, which split_lines would drop.
  marked_text closed = text;
  closed.append("\n", text_origin::from_template);
  auto const lines = split_lines(closed);
  marked_text out;
  std::size_t offset = 0;  // of the next line break, which keeps its origin
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i) {
      out.append("\n", closed.origin_at(offset));
      offset += closed.bytes().compare(offset, 2, "\r\n") == 0 ? 2 : 1;
    }
    offset += lines[i].size();
    if (i == 0 ? first : blank || !lines[i].empty()) out.append(margin);
    out.append(lines[i]);
    space.check_size(out.size());
  }
  return space.text(std::move(out));
}

value escape(workspace& space, value const& v, arguments const& given) {
  bind_arguments("escape", given, {});
  if (v.markup) return v;
  value out = space.text(escaped(to_text(space, v)));
  out.markup = true;
  return out;
}

value format(workspace& space, value const& v, arguments const& given) {
  value const values = space.list(given.positional, text_origin::from_template, true);
  if (!given.named.empty()) fail("format takes positional arguments only", errc::unsupported);
  return space.text(percent_format(space, to_text(space, v), values));
}

value safe(workspace& space, value const& v, arguments const& given) {
  bind_arguments("safe", given, {});
  value out = v.text() ? v : space.text(to_text(space, v));
  out.markup = true;
  return out;
}

// -- JSON
// ----------------------------------------------------------------------------------------------------------------

value tojson(workspace& space, value const& v, arguments const& given) {
  auto const bound = bind_arguments("tojson", given, {"ensure_ascii", "indent", "separators", "sort_keys"});
  json_style style;
  style.ensure_ascii = flag(bound[0], false);
  style.sort_keys = flag(bound[3], false);
  constexpr std::int64_t indent_max = 64;
  if (given_value(bound[1]))
    style.indent = static_cast<int>(std::clamp<std::int64_t>(to_integer(bound[1], "tojson's indent"), 0, indent_max));
  if (style.indent >= 0) style.item_separator = ",";
  if (auto const* separators = bound[2].list()) {
    if (separators->items.size() != 2 || !separators->items[0].text() || !separators->items[1].text())
      fail("tojson's separators must be two texts");
    style.item_separator = separators->items[0].text()->bytes();
    style.key_separator = separators->items[1].text()->bytes();
  }
  return space.text(to_json_text(space, v, style));
}

value parse_json_text(workspace& space, value const& v, arguments const& given) {
  bind_arguments("from_json", given, {});
  if (!space.options().lenient)
    fail("there is no filter \"from_json\" in Jinja; render_options::lenient allows it", errc::unsupported);
  if (!v.text()) fail("from_json takes a text");
  auto const parsed = parse_json(v.text()->bytes());
  if (!parsed) fail("from_json: " + parsed.error().message);
  return from_json(space, *parsed, origin_of(v));
}

// -- numbers
// -------------------------------------------------------------------------------------------------------------

std::optional<double> parsed_float(std::string_view text) {
  text = lstripped(text.substr(0, rstripped_size(text)));
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  auto const [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::int64_t> truncated(double number) {
  constexpr double limit = 9223372036854775808.0;
  if (!(number > -limit && number < limit)) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

value to_int(workspace&, value const& v, arguments const& given) {
  auto const bound = bind_arguments("int", given, {"default"});
  auto const origin = origin_of(v);
  if (v.as<bool>() || v.as<std::int64_t>()) return integer(to_integer(v, "int's operand"), origin);
  if (v.as<big_integer>()) return v;
  std::optional<std::int64_t> number;
  if (auto const* text = v.text()) {
    std::string_view digits = lstripped(std::string_view(text->bytes()).substr(0, rstripped_size(text->bytes())));
    if (digits.starts_with('+')) digits.remove_prefix(1);
    std::int64_t parsed = 0;
    auto const [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), parsed);
    if (status == std::errc{} && end == digits.data() + digits.size())
      number = parsed;
    else if (auto const real = parsed_float(digits))
      number = truncated(*real);
  } else if (auto const* real = v.as<double>()) {
    number = truncated(*real);
  }
  if (number) return integer(*number, origin);
  return bound[0].is_undefined() ? integer(0, origin) : bound[0];
}

value to_float(workspace&, value const& v, arguments const& given) {
  auto const bound = bind_arguments("float", given, {"default"});
  auto const origin = origin_of(v);
  if (v.as<double>()) return v;
  if (v.as<bool>() || v.as<std::int64_t>()) return {static_cast<double>(to_integer(v, "float's operand")), origin};
  if (v.text())
    if (auto const number = parsed_float(v.text()->bytes())) return {*number, origin};
  return bound[0].is_undefined() ? value{0.0, origin} : bound[0];
}

value absolute(workspace&, value const& v, arguments const& given) {
  bind_arguments("abs", given, {});
  if (auto const* real = v.as<double>()) return {std::fabs(*real), v.origin};
  return to_integer(v, "abs's operand") < 0 ? apply_unary(unary_operator::negate, v) : v;
}

value round(workspace&, value const& v, arguments const& given) {
  auto const bound = bind_arguments("round", given, {"precision"});
  std::int64_t const precision = bound[0].is_undefined() ? 0 : to_integer(bound[0], "round's precision");
  double const number = v.as<double>() ? *v.as<double>() : static_cast<double>(to_integer(v, "round's operand"));
  double const scale = std::pow(10.0, static_cast<double>(std::clamp<std::int64_t>(precision, -300, 300)));
  return {std::nearbyint(number * scale) / scale, v.origin};
}

// -- lists and dicts
// -------------------------------------------------------------------------------------------------------

value length(workspace& space, value const& v, arguments const& given) {
  bind_arguments("length", given, {});
  return integer(static_cast<std::int64_t>(length_of(space, v)), origin_of(v));
}

value to_list(workspace& space, value const& v, arguments const& given) {
  bind_arguments("list", given, {});
  return space.list(iterate(space, v), origin_of(v));
}

value first(workspace& space, value const& v, arguments const& given) {
  bind_arguments("first", given, {});
  auto const items = iterate(space, v);
  return items.empty() ? value{undefined_value{"the first of nothing"}} : items.front();
}

value last(workspace& space, value const& v, arguments const& given) {
  bind_arguments("last", given, {});
  auto const items = iterate(space, v);
  return items.empty() ? value{undefined_value{"the last of nothing"}} : items.back();
}

// The member a path like "function.name" or an index leads to.
value member_at(workspace& space, value v, value const& path) {
  if (!path.text()) return get_item(space, v, path);
  std::string_view rest = path.text()->bytes();
  for (;;) {
    std::size_t const dot = rest.find('.');
    std::string_view const step = rest.substr(0, dot);
    std::int64_t index = 0;
    bool const numeric = !step.empty() &&
                         std::all_of(step.begin(), step.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
                         std::from_chars(step.data(), step.data() + step.size(), index).ec == std::errc{};
    v = get_item(space, v, numeric ? integer(index) : space.text(std::string(step), text_origin::from_template));
    if (dot == std::string_view::npos) return v;
    rest.remove_prefix(dot + 1);
  }
}

value join(workspace& space, value const& v, arguments const& given) {
  auto const bound = bind_arguments("join", given, {"d", "attribute"});
  auto items = iterate(space, v);
  if (given_value(bound[1]))
    for (auto& item : items) item = member_at(space, item, bound[1]);
  return space.text(joined_text(space, items, given_value(bound[0]) ? to_text(space, bound[0]) : marked_text{}));
}

value items(workspace& space, value const& v, arguments const& given) {
  bind_arguments("items", given, {});
  if (v.is_undefined()) return space.lazy({}, v.origin);
  if (!v.dict()) fail("items takes a mapping, not " + std::string(type_name(v)));
  auto pairs = call_function(space, bound_method(space, v, "items"), {}).list()->items;
  return space.lazy(std::move(pairs), v.origin);
}

// What sort, unique and dictsort compare: texts without regard to case unless asked.
value sort_key(workspace& space, value const& v, bool case_sensitive) {
  return v.text() && !case_sensitive ? space.text(cased(*v.text(), text_case::lower)) : v;
}

value sorted_by(workspace& space, std::vector<value> const& list, std::vector<value> const& keys, bool reverse,
                text_origin origin) {
  std::vector<std::size_t> order(list.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return reverse ? less(space, keys[b], keys[a]) : less(space, keys[a], keys[b]);
  });
  std::vector<value> out;
  for (auto const i : order) out.push_back(list[i]);
  return space.list(std::move(out), origin);
}

value sort(workspace& space, value const& v, arguments const& given) {
  auto const bound = bind_arguments("sort", given, {"reverse", "case_sensitive", "attribute"});
  auto const list = iterate(space, v);
  std::vector<value> keys;
  for (auto const& item : list)
    keys.push_back(
        sort_key(space, given_value(bound[2]) ? member_at(space, item, bound[2]) : item, flag(bound[1], false)));
  return sorted_by(space, list, keys, flag(bound[0], false), origin_of(v));
}

value dictsort(workspace& space, value const& v, arguments const& given) {
  auto const bound = bind_arguments("dictsort", given, {"case_sensitive", "by", "reverse"});
  bool const by_value = bound[1].text() && bound[1].text()->bytes() == "value";
  value const pairs = items(space, v, {});
  std::vector<value> keys;
  for (auto const& pair : pairs.list()->items)
    keys.push_back(sort_key(space, pair.list()->items[by_value ? 1 : 0], flag(bound[0], false)));
  return sorted_by(space, pairs.list()->items, keys, flag(bound[2], false), v.origin);
}

value unique(workspace& space, value const& v, arguments const& given) {
  auto const bound = bind_arguments("unique", given, {"case_sensitive", "attribute"});
  std::vector<value> seen;
  std::vector<value> out;
  for (auto const& item : iterate(space, v)) {
    value const key =
        sort_key(space, given_value(bound[1]) ? member_at(space, item, bound[1]) : item, flag(bound[0], false));
    if (std::any_of(seen.begin(), seen.end(), [&](value const& other) { return equal(space, key, other); })) continue;
    seen.push_back(key);
    out.push_back(item);
  }
  return space.lazy(std::move(out), origin_of(v));
}

value reverse(workspace& space, value const& v, arguments const& given) {
  bind_arguments("reverse", given, {});
  auto list = iterate(space, v);
  std::reverse(list.begin(), list.end());
  if (v.text()) return space.text(joined_text(space, list, {}));
  return space.lazy(std::move(list), v.origin);
}

value sum(workspace& space, value const& v, arguments const& given) {
  auto const bound = bind_arguments("sum", given, {"attribute", "start"});
  value total = bound[1].is_undefined() ? integer(0) : bound[1];
  for (auto const& item : iterate(space, v))
    total = apply_binary(space, binary_operator::add, total,
                         given_value(bound[0]) ? member_at(space, item, bound[0]) : item);
  return total;
}

template <bool greatest>
value extreme(workspace& space, value const& v, arguments const& given) {
  bind_arguments(greatest ? "max" : "min", given, {});
  auto const list = iterate(space, v);
  auto const before = [&](value const& a, value const& b) {
    return less(space, sort_key(space, a, false), sort_key(space, b, false));
  };
  auto const found = greatest ? std::max_element(list.begin(), list.end(), before)
                              : std::min_element(list.begin(), list.end(), before);
  return found == list.end() ? value{undefined_value{"the extreme of nothing"}} : *found;
}

value fallback(workspace&, value const& v, arguments const& given) {
  auto const bound = bind_arguments("default", given, {"default_value", "boolean"});
  bool const replaces = v.is_undefined() || (flag(bound[1], false) && !truthy(v));
  if (!replaces) return v;
  return given.positional.empty() && given.named.empty() ? value{std::make_shared<marked_text const>()} : bound[0];
}

// -- map, select, reject
// -----------------------------------------------------------------------------------------------------

// What map and select walk over: nothing where the operand is none or otherwise false.
std::vector<value> elements(workspace& space, value const& v) {
  return truthy(v) ? iterate(space, v) : std::vector<value>{};
}

// Splits "name, arguments of that name" as map and select take them.
std::string_view head_name(arguments const& given, std::string_view function) {
  if (given.positional.empty() || !given.positional[0].text())
    fail(std::string(function) + " needs the name of a filter or test");
  return given.positional[0].text()->bytes();
}
arguments tail(arguments const& given, std::size_t skipped) {
  arguments out = given;
  out.positional.erase(out.positional.begin(), out.positional.begin() + static_cast<std::ptrdiff_t>(skipped));
  return out;
}

value map(workspace& space, value const& v, arguments const& given) {
  auto list = elements(space, v);
  if (given.positional.empty()) {
    auto const bound = bind_arguments("map", given, {"attribute", "default"});
    for (auto& item : list) {
      item = member_at(space, item, bound[0]);
      if (item.is_undefined() && !bound[1].is_undefined()) item = bound[1];
    }
  } else {
    std::string_view const name = head_name(given, "map");
    arguments const rest = tail(given, 1);
    for (auto& item : list) item = apply_filter(space, name, item, rest);
  }
  return space.lazy(std::move(list), origin_of(v));
}

// select, reject, selectattr, rejectattr
template <bool wanted, bool by_attribute>
value select(workspace& space, value const& v, arguments const& given) {
  constexpr std::size_t name_at = by_attribute ? 1 : 0;
  if (by_attribute && given.positional.empty()) fail("selectattr and rejectattr need an attribute");
  bool const named = given.positional.size() > name_at;
  arguments const rest = tail(given, std::min(given.positional.size(), name_at));
  std::string_view const name = named ? head_name(rest, "select") : std::string_view{};
  arguments const test_arguments = named ? tail(rest, 1) : arguments{};
  std::vector<value> out;
  for (auto const& item : elements(space, v)) {
    value const subject = by_attribute ? member_at(space, item, given.positional[0]) : item;
    bool const holds = named ? apply_test(space, name, subject, test_arguments) : truthy(subject);
    if (holds == wanted) out.push_back(item);
  }
  return space.lazy(std::move(out), origin_of(v));
}

constexpr filter_row filters[] = {
    {"abs", absolute},
    {"capitalize", change_case<text_case::capitalize>},
    {"count", length},
    {"d", fallback},
    {"default", fallback},
    {"dictsort", dictsort},
    {"e", escape},
    {"escape", escape},
    {"first", first},
    {"float", to_float},
    {"format", format},
    {"from_json", parse_json_text},
    {"indent", indent},
    {"int", to_int},
    {"items", items},
    {"join", join},
    {"last", last},
    {"length", length},
    {"list", to_list},
    {"lower", change_case<text_case::lower>},
    {"map", map},
    {"max", extreme<true>},
    {"min", extreme<false>},
    {"reject", select<false, false>},
    {"rejectattr", select<false, true>},
    {"replace", replace},
    {"reverse", reverse},
    {"round", round},
    {"safe", safe},
    {"select", select<true, false>},
    {"selectattr", select<true, true>},
    {"sort", sort},
    {"string", string},
    {"sum", sum},
    {"title", title},
    {"tojson", tojson},
    {"trim", trim},
    {"unique", unique},
    {"upper", change_case<text_case::upper>},
};

filter_row const* find_filter(std::string_view name) noexcept {
  auto const* found =
      std::find_if(std::begin(filters), std::end(filters), [&](filter_row const& row) { return row.name == name; });
  return found == std::end(filters) ? nullptr : found;
}

}  // namespace

bool is_filter(std::string_view name) noexcept { return find_filter(name) != nullptr; }

value apply_filter(workspace& space, std::string_view name, value const& operand, arguments const& given) {
  descent const level(space);
  auto const* row = find_filter(name);
  if (!row) fail("there is no filter \"" + std::string(name) + "\"", errc::unsupported);
  space.step();
  return row->body(space, operand, given);
}

}  // namespace wherry::inline v0::detail::chat
