#pragma once
// The values a template computes with, and the workspace that owns them.
//
// Lists, dicts and functions are shared and mutable, as in Python, and may end up inside themselves. They live in the
// workspace of one rendering and values point at them: nothing is counted, cycles cannot leak, and however deeply a
// hostile template nests them, freeing them does not recurse. Whatever walks over values takes a `descent`.

#include "chat/jinja_failure.hpp"
#include "chat/marked_text.hpp"

#include <wherry/llm/chat_template.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace wherry::inline v0::detail::chat {

struct list_object;
struct dict_object;
struct function_object;
struct loop_object;

/// The value of a name or member that does not exist. It prints as nothing; looking into it fails.
struct undefined_value {
  std::string_view name;  ///< For the message; outlives the rendering.
};
struct none_value {};
/// An integer beyond 64 bits: it can be printed, not computed with.
struct big_integer {
  std::shared_ptr<std::string const> digits;
};
using text_pointer = std::shared_ptr<marked_text const>;

struct value {
  std::variant<undefined_value, none_value, bool, std::int64_t, double, big_integer, text_pointer, list_object*,
               dict_object*, function_object*, loop_object*>
      data;
  /// Where numbers, booleans and the brackets of containers come from. Strings carry their own origins.
  text_origin origin = text_origin::from_template;
  /// Text that went through "safe" or "escape": adding other text to it escapes that text, as Jinja's Markup does.
  bool markup = false;

  template <class T>
  T const* as() const noexcept {
    return std::get_if<T>(&data);
  }
  bool is_undefined() const noexcept { return as<undefined_value>(); }
  bool is_none() const noexcept { return as<none_value>(); }
  marked_text const* text() const noexcept {
    auto const* pointer = as<text_pointer>();
    return pointer ? pointer->get() : nullptr;
  }
  list_object* list() const noexcept { return object<list_object>(); }
  /// A dict; namespaces are kept apart.
  dict_object* dict() const noexcept;

  template <class T>
  T* object() const noexcept {
    auto const* pointer = as<T*>();
    return pointer ? *pointer : nullptr;
  }
};

struct list_object {
  std::vector<value> items;
  bool tuple = false;
  /// What map, select and their like give: in Python a generator. It is true even when empty, and unless the rendering
  /// is lenient it has no length, no items by index and no JSON, and is gone once it was walked over.
  bool lazy = false;
};
struct dict_object {
  std::vector<std::pair<value, value>> members;  ///< In the order of insertion.
  bool is_namespace = false;
};
/// The variable `loop`.
struct loop_object {
  std::vector<value> items;
  std::size_t index = 0;
};

struct arguments {
  std::vector<value> positional;
  std::vector<std::pair<std::string_view, value>> named;
};
class workspace;
struct function_object {
  std::string_view name;
  std::function<value(workspace&, arguments const&)> body;
};

/// Deepest recursion of a rendering, over expressions, statements, macro calls and values together.
inline constexpr std::size_t evaluation_depth_max = 600;

/// The memory and the bounds of one rendering.
class workspace {
 public:
  explicit workspace(render_options const& options) : options_(options) {}
  workspace(workspace const&) = delete;
  workspace& operator=(workspace const&) = delete;

  render_options const& options() const noexcept { return options_; }

  /// Counts work against steps_max. Throws failure (errc::limit_reached).
  void step(std::size_t count = 1);
  /// Refuses a text longer than output_bytes_max, before it is built or while it grows.
  void check_size(std::size_t bytes) const;
  /// Counts the copying of text.
  void count_text(std::size_t bytes);

  value text(marked_text text);
  value text(std::string bytes, text_origin origin) { return this->text(marked_text(std::move(bytes), origin)); }
  value list(std::vector<value> items, text_origin origin, bool tuple = false);
  /// What a generator of Python's would yield.
  value lazy(std::vector<value> items, text_origin origin);
  value dict(std::vector<std::pair<value, value>> members, text_origin origin, bool is_namespace = false);
  value function(std::string_view name, std::function<value(workspace&, arguments const&)> body);
  loop_object& loop(std::vector<value> items);

 private:
  friend class descent;
  render_options const& options_;
  std::size_t steps_ = 0;
  std::size_t depth_ = 0;
  std::deque<list_object> lists_;
  std::deque<dict_object> dicts_;
  std::deque<function_object> functions_;
  std::deque<loop_object> loops_;
};

/// One level of recursion, counted against evaluation_depth_max. Throws failure (errc::limit_reached).
class descent {
 public:
  explicit descent(workspace& space);
  ~descent() { --space_.depth_; }
  descent(descent const&) = delete;
  descent& operator=(descent const&) = delete;

 private:
  workspace& space_;
};

inline value boolean(bool b, text_origin origin = text_origin::from_template) { return {b, origin}; }
inline value integer(std::int64_t i, text_origin origin = text_origin::from_template) { return {i, origin}; }

/// from_data when either is.
text_origin joined_origin(text_origin a, text_origin b) noexcept;
/// The origin of what is computed from a value: of a string from_data when any byte is.
text_origin origin_of(value const& v) noexcept;

/// Python's name of the type, for messages.
std::string_view type_name(value const& v) noexcept;
/// Python's bool(v).
bool truthy(value const& v) noexcept;
/// Booleans count as numbers.
bool is_number(value const& v) noexcept;
/// The integer a value is; fails for anything but integers and booleans. `what` names it in the message.
std::int64_t to_integer(value const& v, std::string_view what);
/// Python's repr of a float.
std::string float_text(double number);

/// Python's str(v), with origins: a container's brackets, and all of its numbers, count as data when it holds any data.
marked_text to_text(workspace& space, value const& v);
/// True when any string, number or container in v came from data.
bool holds_data(workspace& space, value const& v);

/// Python's ==. Origins do not matter.
bool equal(workspace& space, value const& a, value const& b);
/// Python's ordering; fails for types without one.
bool less(workspace& space, value const& a, value const& b);
/// item in container.
bool contains(workspace& space, value const& container, value const& item);

/// object.name: a method or member.
value get_attribute(workspace& space, value const& object, std::string_view name);
/// object[index]
value get_item(workspace& space, value const& object, value const& index);
/// object[start:stop:step], with None or undefined for what is absent.
value get_slice(workspace& space, value const& object, value const& start, value const& stop, value const& step);
/// The member with this key, or nullptr.
value const* find_member(dict_object const& dict, std::string_view key) noexcept;
void set_member(workspace& space, dict_object& dict, value const& key, value const& v);

/// What a for loop sees: the items of a list, the keys of a dict, the characters of a string, nothing of undefined.
std::vector<value> iterate(workspace& space, value const& v);
/// len(v); 0 for undefined.
std::size_t length_of(workspace& space, value const& v);
/// Fails for what Python would not let be treated as a list; `use` says what was tried.
void refuse_lazy(workspace& space, list_object const& list, std::string_view use);
/// Offsets where the characters of a text begin, and its size at the end.
std::vector<std::size_t> character_offsets(std::string_view text);

value from_json(workspace& space, json const& j, text_origin origin);
struct json_style {
  bool ensure_ascii = false;
  bool sort_keys = false;
  int indent = -1;  ///< Negative: everything in one line.
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};
/// json.dumps(v), with origins: what is not inside a string counts as data when v holds any data.
marked_text to_json_text(workspace& space, value const& v, json_style const& style);

}  // namespace wherry::inline v0::detail::chat
