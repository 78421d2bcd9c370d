#pragma once
// A C++ type is its JSON Schema, its validator and its decoder at once.
//
//   struct forecast_in { std::string city; std::optional<int> days; };      // a plain struct is enough
//   template <> inline constexpr auto wherry::describe<forecast_in> = std::tuple{        // optional: say more about it
//       wherry::field<&forecast_in::city>("City, e.g. Seoul"),
//       wherry::field<&forecast_in::days>("Days ahead").range(0, 7)};
//
// Types with a JSON form, and the schema they get:
//   bool                      boolean
//   integers up to 64 bits    integer, with the type's range when it is narrower than 64 bits (minimum 0 if unsigned)
//   float, double             number
//   std::string               string
//   enum                      string, one of the enumerators' names (values 0 to 63; a fixed underlying type)
//   std::vector<T>            array
//   std::map<std::string, T>  object with any keys
//   std::optional<T>          as a field: T, not required. Elsewhere: T or null
//   std::variant<A, B>        anyOf, in declared order
//   struct                    object: fields in declaration order, additionalProperties false; up to 32 fields, no base
//                             class, every field default-constructible; a struct may contain itself through a vector,
//                             a map (then it stands under $defs)
//   doc<T, "text">            T with a description
// Anything else is refused at compile time by one sentence that begins with "wherry:".

#include <wherry/llm/detail/shape_of.hpp>

#include <concepts>

namespace wherry::inline v0 {

/// A type that has a JSON form itself; what it contains is checked when its schema is made. The functions below are not
/// constrained by it, so that a wrong type is answered with a sentence and not with a missing overload.
template <class T>
concept schema_type = detail::has_form<std::remove_cvref_t<T>>();

/// A line of describe<T>: what the field is, told to the model. Bounds follow it:
/// `.range(min, max)` of a number, `.length(min, max)` of a string in code points, `.items(min, max)` of a vector; all
/// inclusive; of an optional they hold when it is present. describe<T> may leave fields out.
template <auto Member>
constexpr detail::field_note<Member> field(char const* text = nullptr) {
  static_assert(std::is_member_object_pointer_v<decltype(Member)>,
                "wherry: field<...> takes a pointer to a data member: field<&my_struct::name>(\"...\")");
  return {text, {}};
}

/// The short form of a description: `doc<std::string, "City, e.g. Seoul"> city;`. A class type is derived from, so its
/// members and operators work; any other type is held in `value` and converts to it by itself.
template <class T, detail::fixed_text Text>
class doc : public detail::doc_base<T> {
  using base = detail::doc_base<T>;

 public:
  constexpr doc() = default;
  template <detail::converts_to<T, doc> U>
  constexpr doc(U&& from) : base(as_value(std::forward<U>(from))) {}
  template <detail::converts_to<T, doc> U>
  constexpr doc& operator=(U&& from) {
    static_cast<T&>(*this) = as_value(std::forward<U>(from));
    return *this;
  }

 private:
  static constexpr T as_value(T from) { return from; }
};

template <class T, detail::fixed_text A, detail::fixed_text B>
constexpr bool operator==(doc<T, A> const& a, doc<T, B> const& b) {
  return static_cast<T const&>(a) == static_cast<T const&>(b);
}

/// The JSON Schema (2020-12) of T: compact text, keys in declaration order, built once.
/// A shape that contains itself is written under $defs and referred to; the root stays an object.
template <class T>
raw_json const& schema_of() {
  static raw_json const schema{detail::schema_text(detail::shape_of<T>)};
  return schema;
}

/// Reads a T from JSON text: exactly what schema_of<T>() allows, nothing repaired.
///
/// Unknown keys, missing required fields, wrong types and numbers out of range are errors; so is null for an optional
/// field (its schema says: leave it out). A number such as 3.0 is an integer, as in JSON Schema, up to 2^53. Of a
/// variant the first alternative that fits strictly is taken. Fails with: errc::output_invalid; path is the JSON
/// pointer of the offending place ("/days", empty for the root), the message is meant for the model: "expected an
/// integer between 0 and 7, found 9". Limits: nesting json_depth_max; decode_visits_max values looked at, which only
/// nested variants can reach.
template <class T>
result<T> decode(std::string_view text) {
  T value{};
  if (auto done = detail::decode_text(text, detail::shape_of<T>, &value); !done) return done.error();
  return value;
}
template <class T>
result<T> decode(raw_json const& text) {
  return decode<T>(std::string_view(text.text));
}

/// How many values one decode may look at before it gives up.
inline constexpr std::size_t decode_visits_max = 1'000'000;

/// Compact JSON text of a value, fields in declaration order; decode<T> reads it back.
///
/// An absent optional field is left out; elsewhere it is null. 64-bit integers and doubles are exact (shortest text
/// that reads back the same). What JSON cannot say is written as null: NaN, infinities, an enum value without a name.
/// Bytes that are not UTF-8 become U+FFFD.
template <class T>
raw_json encode(T const& value) {
  return {detail::encode_text(detail::shape_of<T>, &value)};
}

}  // namespace wherry::inline v0
