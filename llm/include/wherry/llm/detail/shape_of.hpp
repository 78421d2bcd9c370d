#pragma once
// From a C++ type to its shape.

#include <wherry/llm/detail/shape.hpp>

#include <limits>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

namespace wherry::inline v0 {

/// What a program says about the fields of its struct T: specialise it beside the struct (see schema.hpp).
template <class T>
inline constexpr auto describe = std::tuple{};

namespace detail {

/// Text as a template argument.
template <std::size_t N>
struct fixed_text {
  char text[N]{};
  consteval fixed_text(char const (&from)[N]) {
    for (std::size_t i = 0; i < N; ++i) text[i] = from[i];
  }
};

}  // namespace detail

template <class T, detail::fixed_text Text>
class doc;

namespace detail {

/// What doc<T> derives from when T is no class.
template <class T>
struct held_value {
  T value{};

  constexpr held_value() = default;
  constexpr held_value(T from) : value(from) {}
  constexpr operator T&() { return value; }
  constexpr operator T const&() const { return value; }
};
template <class T>
using doc_base = std::conditional_t<std::is_class_v<T>, T, held_value<T>>;

template <class U, class T, class Doc>
concept converts_to = std::is_convertible_v<U, T> && !std::is_same_v<std::remove_cvref_t<U>, Doc>;

// ---- kinds of types ----------------------------------------------------------------------------------------------

template <class T>
inline constexpr bool is_integer =
    std::is_integral_v<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, char> && !std::is_same_v<T, wchar_t> &&
    !std::is_same_v<T, char8_t> && !std::is_same_v<T, char16_t> && !std::is_same_v<T, char32_t> && sizeof(T) <= 8;
template <class T>
inline constexpr bool is_number = std::is_same_v<T, float> || std::is_same_v<T, double>;
template <class T>
inline constexpr bool is_vector = false;
template <class T, class A>
inline constexpr bool is_vector<std::vector<T, A>> = true;
template <class T>
inline constexpr bool is_map = false;
template <class K, class T, class C, class A>
inline constexpr bool is_map<std::map<K, T, C, A>> = true;
template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_variant = false;
template <class... T>
inline constexpr bool is_variant<std::variant<T...>> = true;
template <class T>
inline constexpr bool is_doc = false;
template <class T, fixed_text Text>
inline constexpr bool is_doc<doc<T, Text>> = true;

template <class T>
inline constexpr bool is_struct = std::is_class_v<T> && std::is_aggregate_v<T>;

/// The type that bounds speak about: what is left of doc and optional.
template <class T>
struct plain {
  using type = T;
};
template <class T>
struct plain<std::optional<T>> : plain<T> {};
template <class T, fixed_text Text>
struct plain<doc<T, Text>> : plain<T> {};
template <class T>
using plain_t = typename plain<T>::type;

// ---- descriptions ------------------------------------------------------------------------------------------------

template <class P>
struct member_pointer {
  using object = void;
  using value = void;
};
template <class T, class V>
struct member_pointer<V T::*> {
  using object = T;
  using value = V;
};

/// Whether a range lies within what an integer type can hold.
template <class T>
consteval bool holds(std::int64_t low, std::int64_t high) {
  if constexpr (sizeof(T) == 8)
    return std::is_signed_v<T> || low >= 0;
  else
    return low >= std::int64_t{std::numeric_limits<T>::min()} && high <= std::int64_t{std::numeric_limits<T>::max()};
}

/// One line of describe<T>. Made by wherry::field.
template <auto Member>
struct field_note {
  using object = typename member_pointer<decltype(Member)>::object;
  using value = plain_t<typename member_pointer<decltype(Member)>::value>;

  char const* text = nullptr;
  limits bounds;

  /// Smallest and largest number allowed, both included.
  template <class A, class B>
  constexpr field_note range(A low, B high) const {
    static_assert(
        is_integer<value> || is_number<value>,
        "wherry: range(min, max) is for numbers; use length(min, max) for a string, items(min, max) for a vector");
    if constexpr (is_number<value>) {
      return with({.applies = limits::what::real, .real_low = double(low), .real_high = double(high)});
    } else {
      static_assert(!is_integer<value> || (std::is_integral_v<A> && std::is_integral_v<B>),
                    "wherry: the range of an integer field needs whole numbers");
      return with({.applies = limits::what::whole, .low = std::int64_t(low), .high = std::int64_t(high)});
    }
  }
  /// Fewest and most characters (code points), both included.
  constexpr field_note length(std::int64_t low, std::int64_t high) const {
    static_assert(
        std::is_same_v<value, std::string>,
        "wherry: length(min, max) is for strings; use range(min, max) for a number, items(min, max) for a vector");
    return with({.applies = limits::what::length, .low = low, .high = high});
  }
  /// Fewest and most items, both included.
  constexpr field_note items(std::int64_t low, std::int64_t high) const {
    static_assert(
        is_vector<value>,
        "wherry: items(min, max) is for vectors; use range(min, max) for a number, length(min, max) for a string");
    return with({.applies = limits::what::items, .low = low, .high = high});
  }

  consteval bool bounds_fit() const {
    if constexpr (is_integer<value>) {
      return bounds.applies != limits::what::whole || holds<value>(bounds.low, bounds.high);
    } else {
      return bounds.applies == limits::what::none || bounds.applies == limits::what::real || bounds.low >= 0;
    }
  }

 private:
  constexpr field_note with(limits l) const { return {text, l}; }
};

/// A line of describe<T> without its type.
struct note {
  std::string_view name;
  char const* text = nullptr;
  limits bounds;
};

template <class T>
inline constexpr std::size_t note_count = std::tuple_size_v<std::remove_cvref_t<decltype(describe<T>)>>;

template <class N>
inline constexpr bool is_note = false;
template <auto Member>
inline constexpr bool is_note<field_note<Member>> = true;
template <class T, class N>
inline constexpr bool is_note_of = false;
template <class T, auto Member>
inline constexpr bool is_note_of<T, field_note<Member>> = std::is_same_v<typename field_note<Member>::object, T>;

template <auto Member>
consteval note plain_note(field_note<Member> const& from) {
  return {member_name<Member>, from.text, from.bounds};
}

template <std::size_t N>
consteval bool names_differ(std::array<note, N> const& notes) {
  for (std::size_t i = 0; i < N; ++i)
    for (std::size_t j = i + 1; j < N; ++j)
      if (notes[i].name == notes[j].name) return false;
  return true;
}

template <class T, std::size_t... I>
consteval auto notes_of(std::index_sequence<I...>) {
  using tuple = std::remove_cvref_t<decltype(describe<T>)>;
  if constexpr ((is_note_of<T, std::tuple_element_t<I, tuple>> && ...)) {
    static_assert((std::get<I>(describe<T>).bounds.ordered() && ...),
                  "wherry: a bound in describe<T> has its minimum above its maximum");
    static_assert((std::get<I>(describe<T>).bounds_fit() && ...),
                  "wherry: a bound in describe<T> lies outside what the field's type can hold");
    constexpr std::array<note, sizeof...(I)> notes{plain_note(std::get<I>(describe<T>))...};
    static_assert(names_differ(notes), "wherry: describe<T> names a field twice; keep one line for each field");
    return notes;
  } else {
    static_assert((is_note_of<T, std::tuple_element_t<I, tuple>> && ...),
                  "wherry: describe<T> may only hold lines field<&T::name>(\"...\") about T's own fields");
    return std::array<note, 0>{};
  }
}
template <class T>
inline constexpr auto notes = notes_of<T>(std::make_index_sequence<note_count<T>>{});

// ---- shapes ------------------------------------------------------------------------------------------------------

template <class T>
struct shape_maker;

/// The shape of T: one constant per type.
template <class T>
inline constexpr shape shape_of = shape_maker<T>::make();

template <class T, std::size_t I>
consteval field_shape make_field() {
  field_shape field{field_name<T, I>, &shape_of<field_type<T, I>>, nullptr, {}};
  for (auto const& n : notes<T>)
    if (n.name == field.name) field.description = n.text, field.bounds = n.bounds;
  return field;
}
template <class T, std::size_t... I>
consteval auto make_fields(std::index_sequence<I...>) {
  return std::array<field_shape, sizeof...(I)>{make_field<T, I>()...};
}
template <class T>
inline constexpr std::array<field_shape, field_count<T>> field_table =
    make_fields<T>(std::make_index_sequence<field_count<T>>{});

template <class T>
void* field_at(void* object, std::size_t index) {
  return [&]<std::size_t... I>(std::index_sequence<I...>, auto const& all) -> void* {
    void* const addresses[] = {nullptr, leaf_at<I>(all)...};
    return addresses[index + 1];
  }(std::make_index_sequence<field_count<T>>{}, fields_of(*static_cast<T*>(object)));
}

/// Whether T has a JSON form itself; what it contains is checked when it is looked into.
template <class T>
consteval bool has_form() {
  return std::is_same_v<T, bool> || is_integer<T> || is_number<T> || std::is_same_v<T, std::string> ||
         std::is_enum_v<T> || is_vector<T> || is_map<T> || is_optional<T> || is_variant<T> || is_doc<T> || is_struct<T>;
}

template <class T>
struct shape_maker {
  static consteval shape make() {
    if constexpr (std::is_same_v<T, bool>) {
      return {.kind = shape_kind::boolean};
    } else if constexpr (is_integer<T>) {
      return {.kind = shape_kind::integer, .bytes = sizeof(T), .is_signed = std::is_signed_v<T>};
    } else if constexpr (is_number<T>) {
      return {.kind = shape_kind::number, .bytes = sizeof(T)};
    } else if constexpr (std::is_same_v<T, std::string>) {
      return {.kind = shape_kind::string};
    } else if constexpr (std::is_enum_v<T>) {
      return of_enum();
    } else if constexpr (is_struct<T>) {
      return of_struct();
    } else {
      return refuse();
    }
  }

 private:
  static consteval shape of_enum() {
    constexpr bool fixed = requires { T{0}; };
    static_assert(fixed, "wherry: an enum needs a fixed underlying type; write 'enum class', or 'enum name : int'");
    if constexpr (fixed) {
      static_assert(enumerators_of<T>.count > 0,
                    "wherry: an enum needs an enumerator with a value from 0 to 63; those outside are not seen");
      return {.kind = shape_kind::enumeration,
              .bytes = sizeof(T),
              .is_signed = std::is_signed_v<std::underlying_type_t<T>>,
              .names = &enumerators_of<T>};
    } else {
      return {};
    }
  }

  static consteval shape of_struct() {
    static_assert(!has_base<T>, "wherry: a described struct cannot have a base class; hold the base as a field");
    static_assert(field_count<T> <= fields_max,
                  "wherry: a struct may have at most 32 fields; group some in a struct of their own");
    if constexpr (!has_base<T> && field_count<T> <= fields_max) {
      return {.kind = shape_kind::object, .name = type_name<T>, .fields = field_table<T>, .field_at = &field_at<T>};
    } else {
      return {};
    }
  }

  static consteval shape refuse() {
    if constexpr (std::is_pointer_v<T>) {
      static_assert(!std::is_pointer_v<T>,
                    "wherry: a pointer has no JSON form; hold the value itself, std::string for text, std::optional if "
                    "it may be absent");
    } else if constexpr (std::is_class_v<T>) {
      static_assert(
          has_form<T>(),
          "wherry: this class has no JSON form; use an aggregate (a struct without constructors and private members), "
          "std::string, std::vector, std::map<std::string, T>, std::optional or std::variant");
    } else {
      static_assert(has_form<T>(),
                    "wherry: this type has no JSON form; use bool, an integer, float, double, std::string or an enum");
    }
    return {};
  }
};

template <class T, fixed_text Text>
struct shape_maker<doc<T, Text>> {
  static consteval shape make() {
    shape s = shape_maker<T>::make();
    s.description = Text.text;
    return s;
  }
};

template <class T, class A>
struct shape_maker<std::vector<T, A>> {
  using type = std::vector<T, A>;
  static void assign(void* to, item_source& from) {
    type items;
    while (from.more()) {
      T item{};
      if (!from.read(&item)) return;
      items.push_back(std::move(item));
    }
    *static_cast<type*>(to) = std::move(items);
  }
  static void each(void const* from, item_sink& to) {
    for (T const& item : *static_cast<type const*>(from)) to.take({}, &item);
  }
  static consteval shape make() {
    return {.kind = shape_kind::sequence, .item = &shape_of<T>, .assign = &assign, .each = &each};
  }
};

template <class K, class T, class C, class A>
struct shape_maker<std::map<K, T, C, A>> {
  using type = std::map<K, T, C, A>;
  static void assign(void* to, item_source& from) {
    type items;
    while (from.more()) {
      auto key = from.key();
      T item{};
      if (!from.read(&item)) return;
      items.insert_or_assign(std::move(key), std::move(item));
    }
    *static_cast<type*>(to) = std::move(items);
  }
  static void each(void const* from, item_sink& to) {
    for (auto const& [key, item] : *static_cast<type const*>(from)) to.take(key, &item);
  }
  static consteval shape make() {
    static_assert(std::is_same_v<K, std::string>, "wherry: the keys of a map must be std::string, as in a JSON object");
    if constexpr (std::is_same_v<K, std::string>) {
      return {.kind = shape_kind::map, .item = &shape_of<T>, .assign = &assign, .each = &each};
    } else {
      return {};
    }
  }
};

template <class T>
struct shape_maker<std::optional<T>> {
  using type = std::optional<T>;
  static std::size_t held(void const* from) { return static_cast<type const*>(from)->has_value() ? 1 : 0; }
  static void* select(void* to, std::size_t index) {
    auto& optional = *static_cast<type*>(to);
    optional.reset();
    return index == 0 ? nullptr : &optional.emplace();
  }
  static void const* value(void const* from) { return &**static_cast<type const*>(from); }
  static consteval shape make() {
    static_assert(!is_optional<T>, "wherry: an optional of an optional has no JSON form; use one std::optional");
    return {.kind = shape_kind::optional, .item = &shape_of<T>, .held = &held, .select = &select, .value = &value};
  }
};

template <class... T>
struct shape_maker<std::variant<T...>> {
  using type = std::variant<T...>;
  static constexpr std::array<shape const*, sizeof...(T)> options{&shape_of<T>...};

  static std::size_t held(void const* from) { return static_cast<type const*>(from)->index(); }
  static void* select(void* to, std::size_t index) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      void* at = nullptr;
      (void)((I == index && (at = &static_cast<type*>(to)->template emplace<I>(), true)) || ...);
      return at;
    }(std::index_sequence_for<T...>{});
  }
  static void const* value(void const* from) {
    return std::visit([](auto const& v) -> void const* { return &v; }, *static_cast<type const*>(from));
  }
  static consteval shape make() {
    return {.kind = shape_kind::variant, .options = options, .held = &held, .select = &select, .value = &value};
  }
};

}  // namespace detail
}  // namespace wherry::inline v0
