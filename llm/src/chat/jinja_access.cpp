// Looking into values: members, items, slices, iteration.
#include "chat/jinja_functions.hpp"
#include "chat/jinja_value.hpp"
#include "chat/unicode.hpp"

#include <algorithm>

namespace wherry::inline v0::detail::chat {
namespace {

value missing(std::string_view name) { return {undefined_value{name}}; }

value loop_attribute(loop_object const& loop, std::string_view name) {
  std::size_t const size = loop.items.size();
  auto number = [](std::size_t n) { return integer(static_cast<std::int64_t>(n)); };
  if (name == "index") return number(loop.index + 1);
  if (name == "index0") return number(loop.index);
  if (name == "revindex") return number(size - loop.index);
  if (name == "revindex0") return number(size - loop.index - 1);
  if (name == "first") return boolean(loop.index == 0);
  if (name == "last") return boolean(loop.index + 1 == size);
  if (name == "length") return number(size);
  if (name == "previtem") return loop.index > 0 ? loop.items[loop.index - 1] : missing("loop.previtem");
  if (name == "nextitem") return loop.index + 1 < size ? loop.items[loop.index + 1] : missing("loop.nextitem");
  fail("loop." + std::string(name) + " is not supported", errc::unsupported);
}

// The offset Python means by a possibly negative index; size when it is outside.
std::size_t absolute(std::int64_t index, std::size_t size) {
  auto const signed_size = static_cast<std::int64_t>(size);
  if (index < 0) index += signed_size;
  return index < 0 || index >= signed_size ? size : static_cast<std::size_t>(index);
}

value item_at(workspace& space, value const& object, std::int64_t index) {
  if (auto const* list = object.list()) {
    if (list->lazy && !space.options().lenient) return missing("item of a generator");
    auto const at = absolute(index, list->items.size());
    return at < list->items.size() ? list->items[at] : missing("item outside the list");
  }
  auto const& text = *object.text();
  space.count_text(text.size());
  auto const offsets = character_offsets(text.bytes());
  auto const at = absolute(index, offsets.size() - 1);
  return at + 1 < offsets.size() ? space.text(text.slice(offsets[at], offsets[at + 1]))
                                 : missing("item outside the text");
}

value const* find_member(workspace& space, dict_object const& dict, value const& key) {
  if (key.text()) return chat::find_member(dict, key.text()->bytes());
  for (auto const& [name, member] : dict.members)
    if (equal(space, name, key)) return &member;
  return nullptr;
}

[[noreturn]] void no_members(value const& object, std::string_view name) {
  auto const* undefined = object.as<undefined_value>();
  std::string const what =
      undefined ? "\"" + std::string(undefined->name) + "\", which is undefined" : std::string(type_name(object));
  fail("cannot look up \"" + std::string(name) + "\" in " + what);
}

struct slice_range {
  std::int64_t start, stop, step;
};

// Python's slice.indices.
slice_range resolve(value const& start, value const& stop, value const& step, std::size_t item_count) {
  auto const size = static_cast<std::int64_t>(item_count);
  auto given = [](value const& v) { return !v.is_none() && !v.is_undefined(); };
  slice_range out{0, 0, given(step) ? to_integer(step, "a slice step") : 1};
  if (out.step == 0) fail("a slice step cannot be zero");
  std::int64_t const lowest = out.step < 0 ? -1 : 0;
  std::int64_t const highest = out.step < 0 ? size - 1 : size;
  auto bounded = [&](value const& v) {
    std::int64_t const at = to_integer(v, "a slice bound");
    if (at >= 0) return std::min(at, highest);
    return at < -size ? lowest : at + size;  // at >= -size: no overflow
  };
  out.start = given(start) ? bounded(start) : (out.step < 0 ? highest : lowest);
  out.stop = given(stop) ? bounded(stop) : (out.step < 0 ? lowest : highest);
  return out;
}

template <class Visit>
void for_each_index(slice_range const& range, Visit visit) {
  for (std::int64_t i = range.start; range.step > 0 ? i < range.stop : i > range.stop;) {
    visit(static_cast<std::size_t>(i));
    if (__builtin_add_overflow(i, range.step, &i)) return;
  }
}

}  // namespace

std::vector<std::size_t> character_offsets(std::string_view text) {
  std::vector<std::size_t> out;
  out.reserve(text.size() + 1);
  for (std::size_t i = 0; i < text.size(); i += character_size(text, i)) out.push_back(i);
  out.push_back(text.size());
  return out;
}

value const* find_member(dict_object const& dict, std::string_view key) noexcept {
  for (auto const& [name, member] : dict.members)
    if (name.text() && name.text()->bytes() == key) return &member;
  return nullptr;
}

void set_member(workspace& space, dict_object& dict, value const& key, value const& v) {
  space.step();
  if (key.list() || key.object<dict_object>()) fail("a " + std::string(type_name(key)) + " cannot be a key");
  for (auto& [name, member] : dict.members)
    if (equal(space, name, key)) {
      member = v;
      return;
    }
  dict.members.emplace_back(key, v);
}

value get_attribute(workspace& space, value const& object, std::string_view name) {
  if (auto const* loop = object.object<loop_object>()) return loop_attribute(*loop, name);
  if (object.is_undefined()) no_members(object, name);
  if (auto const* dict = object.object<dict_object>()) {
    space.step(1 + dict->members.size() / 8);
    if (!dict->is_namespace)
      if (value method = bound_method(space, object, name); !method.is_undefined()) return method;
    auto const* member = chat::find_member(*dict, name);
    return member ? *member : missing(name);
  }
  value method = bound_method(space, object, name);
  return method.is_undefined() ? missing(name) : method;
}

value get_item(workspace& space, value const& object, value const& index) {
  if (object.is_undefined()) no_members(object, index.text() ? index.text()->bytes() : "[...]");
  if (auto const* dict = object.dict()) {
    space.step(1 + dict->members.size() / 8);
    if (auto const* member = find_member(space, *dict, index)) return *member;
  } else if (object.list() || object.text()) {
    if (index.as<std::int64_t>() || index.as<bool>()) return item_at(space, object, to_integer(index, "an index"));
  } else if (object.object<dict_object>() || object.object<loop_object>()) {
    if (!index.text()) return missing("item");
    value const found = get_attribute(space, object, index.text()->bytes());
    if (!found.is_undefined()) return found;
  }
  return missing("item");
}

value get_slice(workspace& space, value const& object, value const& start, value const& stop, value const& step) {
  if (auto const* list = object.list()) {
    refuse_lazy(space, *list, "has no slices");
    std::vector<value> items;
    for_each_index(resolve(start, stop, step, list->items.size()),
                   [&](std::size_t i) { items.push_back(list->items[i]); });
    return space.list(std::move(items), object.origin, list->tuple);
  }
  if (!object.text()) fail("cannot slice " + std::string(type_name(object)));
  auto const& text = *object.text();
  space.count_text(text.size());
  auto const offsets = character_offsets(text.bytes());
  auto const range = resolve(start, stop, step, offsets.size() - 1);
  marked_text out;
  if (range.step == 1) {
    if (range.start < range.stop)
      out = text.slice(offsets[static_cast<std::size_t>(range.start)], offsets[static_cast<std::size_t>(range.stop)]);
  } else {
    for_each_index(range, [&](std::size_t i) { out.append(text, offsets[i], offsets[i + 1]); });
  }
  return space.text(std::move(out));
}

std::vector<value> iterate(workspace& space, value const& v) {
  if (v.is_undefined()) return {};
  if (auto* list = v.list()) {
    space.step(list->items.size());
    if (list->lazy && !space.options().lenient) return std::exchange(list->items, {});
    return list->items;
  }
  std::vector<value> out;
  if (auto const* dict = v.dict()) {
    space.step(dict->members.size());
    for (auto const& member : dict->members) out.push_back(member.first);
    return out;
  }
  if (auto const* text = v.text()) {
    auto const offsets = character_offsets(text->bytes());
    for (std::size_t i = 0; i + 1 < offsets.size(); ++i)
      out.push_back(space.text(text->slice(offsets[i], offsets[i + 1])));
    return out;
  }
  fail("cannot iterate over " + std::string(type_name(v)));
}

void refuse_lazy(workspace& space, list_object const& list, std::string_view use) {
  if (list.lazy && !space.options().lenient)
    fail("a generator (of map, select or their like) " + std::string(use) + "; \"list\" makes a list of it");
}

std::size_t length_of(workspace& space, value const& v) {
  if (v.is_undefined()) return 0;
  if (auto const* text = v.text()) return character_offsets(text->bytes()).size() - 1;
  if (auto const* list = v.list()) {
    refuse_lazy(space, *list, "has no length");
    return list->items.size();
  }
  if (auto const* dict = v.dict()) return dict->members.size();
  if (auto const* loop = v.object<loop_object>()) return loop->items.size();
  fail(std::string(type_name(v)) + " has no length");
}

bool contains(workspace& space, value const& container, value const& item) {
  if (auto const* text = container.text()) {
    if (!item.text()) fail("only a text can be in a text, not " + std::string(type_name(item)));
    space.count_text(text->size());
    return text->bytes().find(item.text()->bytes()) != std::string::npos;
  }
  if (auto const* dict = container.dict()) {
    space.step(dict->members.size());
    return find_member(space, *dict, item) != nullptr;
  }
  if (auto const* list = container.list())
    return std::any_of(list->items.begin(), list->items.end(), [&](value const& v) { return equal(space, v, item); });
  if (container.is_undefined()) return false;
  fail("cannot look for an item in " + std::string(type_name(container)));
}

}  // namespace wherry::inline v0::detail::chat
