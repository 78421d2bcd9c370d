// The tests behind "is", and what a template can call without an object.
#include "chat/jinja_functions.hpp"
#include "chat/unicode.hpp"

#include <algorithm>
#include <ctime>
#include <limits>

namespace wherry::inline v0::detail::chat {
namespace {

using test = bool (*)(workspace&, value const&, arguments const&);
struct test_row {
  std::string_view name;
  test body;
};

value const& only_argument(arguments const& given) {
  if (given.positional.size() != 1 || !given.named.empty()) fail("this test takes one argument");
  return given.positional[0];
}

bool is_plain_integer(value const& v) { return v.as<std::int64_t>() || v.as<big_integer>(); }
std::int64_t remainder_by(value const& v, std::int64_t divisor) {
  if (divisor == 0) fail("division by zero");
  return divisor == -1 ? 0 : to_integer(v, "the tested value") % divisor;
}

constexpr test_row tests[] = {
    {"==", [](workspace& s, value const& v, arguments const& g) { return equal(s, v, only_argument(g)); }},
    {"boolean", [](workspace&, value const& v, arguments const&) { return v.as<bool>() != nullptr; }},
    {"callable", [](workspace&, value const& v, arguments const&) { return v.object<function_object>() != nullptr; }},
    {"defined", [](workspace&, value const& v, arguments const&) { return !v.is_undefined(); }},
    {"divisibleby",
     [](workspace&, value const& v, arguments const& g) {
       return remainder_by(v, to_integer(only_argument(g), "divisibleby's argument")) == 0;
     }},
    {"eq", [](workspace& s, value const& v, arguments const& g) { return equal(s, v, only_argument(g)); }},
    {"equalto", [](workspace& s, value const& v, arguments const& g) { return equal(s, v, only_argument(g)); }},
    {"even", [](workspace&, value const& v, arguments const&) { return remainder_by(v, 2) == 0; }},
    {"false", [](workspace&, value const& v, arguments const&) { return v.as<bool>() && !*v.as<bool>(); }},
    {"float", [](workspace&, value const& v, arguments const&) { return v.as<double>() != nullptr; }},
    {"ge", [](workspace& s, value const& v, arguments const& g) { return !less(s, v, only_argument(g)); }},
    {"gt", [](workspace& s, value const& v, arguments const& g) { return less(s, only_argument(g), v); }},
    {"in", [](workspace& s, value const& v, arguments const& g) { return contains(s, only_argument(g), v); }},
    {"integer", [](workspace&, value const& v, arguments const&) { return is_plain_integer(v); }},
    {"iterable",
     [](workspace&, value const& v, arguments const&) { return v.text() || v.list() || v.dict() || v.is_undefined(); }},
    {"le", [](workspace& s, value const& v, arguments const& g) { return !less(s, only_argument(g), v); }},
    {"lower",
     [](workspace& s, value const& v, arguments const&) {
       auto const text = to_text(s, v);
       return !text.empty() && cased(text, text_case::lower).bytes() == text.bytes();
     }},
    {"lt", [](workspace& s, value const& v, arguments const& g) { return less(s, v, only_argument(g)); }},
    {"mapping", [](workspace&, value const& v, arguments const&) { return v.dict() != nullptr; }},
    {"ne", [](workspace& s, value const& v, arguments const& g) { return !equal(s, v, only_argument(g)); }},
    {"none", [](workspace&, value const& v, arguments const&) { return v.is_none(); }},
    {"number", [](workspace&, value const& v, arguments const&) { return is_number(v); }},
    {"odd", [](workspace&, value const& v, arguments const&) { return remainder_by(v, 2) != 0; }},
    {"sameas",
     [](workspace& s, value const& v, arguments const& g) {
       value const& other = only_argument(g);
       return v.data.index() == other.data.index() && equal(s, v, other);
     }},
    {"sequence",
     [](workspace& s, value const& v, arguments const&) {
       if (v.list() && v.list()->lazy) return s.options().lenient;
       return v.text() || v.list() || v.dict() || v.is_undefined();
     }},
    {"string", [](workspace&, value const& v, arguments const&) { return v.text() != nullptr; }},
    {"true", [](workspace&, value const& v, arguments const&) { return v.as<bool>() && *v.as<bool>(); }},
    {"undefined", [](workspace&, value const& v, arguments const&) { return v.is_undefined(); }},
    {"upper",
     [](workspace& s, value const& v, arguments const&) {
       auto const text = to_text(s, v);
       return !text.empty() && cased(text, text_case::upper).bytes() == text.bytes();
     }},
};

test_row const* find_test(std::string_view name) noexcept {
  auto const* found =
      std::find_if(std::begin(tests), std::end(tests), [&](test_row const& row) { return row.name == name; });
  return found == std::end(tests) ? nullptr : found;
}

// -- global functions
// ----------------------------------------------------------------------------------------------------

value range(workspace& space, arguments const& given) {
  auto const bound = bind_arguments("range", given, {"start", "stop", "step"});
  if (given.positional.empty()) fail("range takes one to three integers");
  std::int64_t const first = to_integer(bound[0], "range's argument");
  bool const only_stop = bound[1].is_undefined();
  std::int64_t const start = only_stop ? 0 : first;
  std::int64_t const stop = only_stop ? first : to_integer(bound[1], "range's argument");
  std::int64_t const step = bound[2].is_undefined() ? 1 : to_integer(bound[2], "range's argument");
  if (step == 0) fail("range's step cannot be zero");
  text_origin origin = text_origin::from_template;
  for (auto const& v : bound) origin = joined_origin(origin, v.origin);
  std::vector<value> items;
  for (std::int64_t i = start; step > 0 ? i < stop : i > stop;) {
    space.step();
    items.push_back(integer(i, origin));
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return space.list(std::move(items), origin);
}

template <bool is_namespace>
value make_dict(workspace& space, arguments const& given) {
  std::vector<std::pair<value, value>> members;
  if (given.positional.size() > 1) fail("at most one positional argument is taken here");
  if (!given.positional.empty()) {
    if (!given.positional[0].dict()) fail("the positional argument must be a dict");
    members = given.positional[0].dict()->members;
  }
  value const made = space.dict(std::move(members), text_origin::from_template, is_namespace);
  for (auto const& [name, v] : given.named)
    set_member(space, *made.object<dict_object>(), space.text(std::string(name), text_origin::from_template), v);
  return made;
}

value raise_exception(workspace& space, arguments const& given) {
  auto const bound = bind_arguments("raise_exception", given, {"message"});
  fail("the template refuses this conversation: " + to_text(space, bound[0]).bytes());
}

value strftime_now(workspace& space, arguments const& given) {
  auto const bound = bind_arguments("strftime_now", given, {"format"});
  if (!bound[0].text()) fail("strftime_now takes a format");
  std::time_t const seconds = static_cast<std::time_t>(space.options().clock->now() / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::string const& format = bound[0].text()->bytes();
  constexpr std::size_t format_bytes_max = 256;
  if (format.empty()) return bound[0];
  if (format.size() > format_bytes_max) fail("strftime_now's format is too long");
  std::string out(16 * format_bytes_max, '\0');
  out.resize(std::strftime(out.data(), out.size(), format.c_str(), &utc));
  return space.text(std::move(out), origin_of(bound[0]));
}

}  // namespace

bool is_test(std::string_view name) noexcept { return find_test(name) != nullptr; }

bool apply_test(workspace& space, std::string_view name, value const& operand, arguments const& given) {
  auto const* row = find_test(name);
  if (!row) fail("there is no test \"" + std::string(name) + "\"", errc::unsupported);
  space.step();
  return row->body(space, operand, given);
}

value global_function(workspace& space, std::string_view name) {
  if (name == "range") return space.function("range", range);
  if (name == "namespace") return space.function("namespace", make_dict<true>);
  if (name == "dict") return space.function("dict", make_dict<false>);
  if (name == "raise_exception") return space.function("raise_exception", raise_exception);
  if (name == "strftime_now" && space.options().clock) return space.function("strftime_now", strftime_now);
  return {undefined_value{name}};
}

value call_function(workspace& space, value const& callee, arguments const& given) {
  auto* const function = callee.object<function_object>();
  if (!function) {
    if (auto const* undefined = callee.as<undefined_value>())
      fail("cannot call \"" + std::string(undefined->name) + "\", which is undefined or not supported");
    fail("cannot call " + std::string(type_name(callee)));
  }
  space.step();
  return function->body(space, given);
}

std::vector<value> bind_arguments(std::string_view function, arguments const& given,
                                  std::initializer_list<std::string_view> parameters) {
  if (given.positional.size() > parameters.size())
    fail(std::string(function) + " takes at most " + std::to_string(parameters.size()) + " arguments");
  std::vector<value> bound = given.positional;
  for (std::size_t i = bound.size(); i < parameters.size(); ++i)
    bound.push_back({undefined_value{std::data(parameters)[i]}});
  for (auto const& [name, v] : given.named) {
    auto const found = std::find(parameters.begin(), parameters.end(), name);
    if (found == parameters.end()) fail(std::string(function) + " has no parameter \"" + std::string(name) + "\"");
    bound[static_cast<std::size_t>(found - parameters.begin())] = v;
  }
  return bound;
}

}  // namespace wherry::inline v0::detail::chat
