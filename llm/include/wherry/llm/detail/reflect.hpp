#pragma once
// Names of fields and enumerators from the compiler's own spelling: no macro beside a user's struct.
//
// The idea: a pointer to a member of an object that is declared and never defined is a constant, so it can be a
// template argument; __PRETTY_FUNCTION__ of a function template then spells it, the member's name last. How many fields
// an aggregate has is the largest number of values that fit between its braces; a structured binding of that many names
// reaches them. Works on g++ 12 and clang++ 19.

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

namespace wherry::inline v0::detail {

/// The largest number of fields a described struct may have.
inline constexpr std::size_t fields_max = 32;
/// Enumerators with values from 0 to enumerators_max - 1 are seen.
inline constexpr std::size_t enumerators_max = 64;

struct any_value {
  template <class T>
  operator T() const;
};
template <class T>
struct any_base_of {
  template <class B>
    requires(std::is_base_of_v<B, T> && !std::is_same_v<B, T>)
  operator B() const;
};
struct unrelated {};

template <class T, std::size_t... I>
consteval bool takes(std::index_sequence<I...>) {
  return requires { T{(void(I), any_value{})...}; };
}

/// Number of fields of an aggregate; fields_max + 1 stands for "too many".
template <class T, std::size_t N = 0>
consteval std::size_t count_fields() {
  if constexpr (N > fields_max)
    return N;
  else if constexpr (!takes<T>(std::make_index_sequence<N + 1>{}))
    return N;
  else
    return count_fields<T, N + 1>();
}
template <class T>
inline constexpr std::size_t field_count = count_fields<T>();

/// Whether an aggregate has a base class (a first field that takes anything, such as std::any, does not count).
template <class T>
inline constexpr bool has_base = requires { T{any_base_of<T>{}}; } && !requires { T{unrelated{}}; };

// A tuple of pointers that costs one instantiation however long it is.
template <std::size_t I, class T>
struct leaf {
  T* at;
};
template <class Indices, class... T>
struct leaves;
template <std::size_t... I, class... T>
struct leaves<std::index_sequence<I...>, T...> : leaf<I, T>... {};

template <class... T>
constexpr auto leaves_of(T&... field) {
  return leaves<std::index_sequence_for<T...>, T...>{{std::addressof(field)}...};
}
template <std::size_t I, class T>
constexpr T* leaf_at(leaf<I, T> const& l) {
  return l.at;
}

// The names f0 ... f31, one list on top of the other.
#define WHERRY_N1 f0
#define WHERRY_N2 WHERRY_N1, f1
#define WHERRY_N3 WHERRY_N2, f2
#define WHERRY_N4 WHERRY_N3, f3
#define WHERRY_N5 WHERRY_N4, f4
#define WHERRY_N6 WHERRY_N5, f5
#define WHERRY_N7 WHERRY_N6, f6
#define WHERRY_N8 WHERRY_N7, f7
#define WHERRY_N9 WHERRY_N8, f8
#define WHERRY_N10 WHERRY_N9, f9
#define WHERRY_N11 WHERRY_N10, f10
#define WHERRY_N12 WHERRY_N11, f11
#define WHERRY_N13 WHERRY_N12, f12
#define WHERRY_N14 WHERRY_N13, f13
#define WHERRY_N15 WHERRY_N14, f14
#define WHERRY_N16 WHERRY_N15, f15
#define WHERRY_N17 WHERRY_N16, f16
#define WHERRY_N18 WHERRY_N17, f17
#define WHERRY_N19 WHERRY_N18, f18
#define WHERRY_N20 WHERRY_N19, f19
#define WHERRY_N21 WHERRY_N20, f20
#define WHERRY_N22 WHERRY_N21, f21
#define WHERRY_N23 WHERRY_N22, f22
#define WHERRY_N24 WHERRY_N23, f23
#define WHERRY_N25 WHERRY_N24, f24
#define WHERRY_N26 WHERRY_N25, f25
#define WHERRY_N27 WHERRY_N26, f26
#define WHERRY_N28 WHERRY_N27, f27
#define WHERRY_N29 WHERRY_N28, f28
#define WHERRY_N30 WHERRY_N29, f29
#define WHERRY_N31 WHERRY_N30, f30
#define WHERRY_N32 WHERRY_N31, f31
#define WHERRY_BIND(n)             \
  else if constexpr (count == n) { \
    auto& [WHERRY_N##n] = object;  \
    return leaves_of(WHERRY_N##n); \
  }
#define WHERRY_BIND4(a, b, c, d) WHERRY_BIND(a) WHERRY_BIND(b) WHERRY_BIND(c) WHERRY_BIND(d)

/// Pointers to the fields of an aggregate, in declaration order.
template <class T>
constexpr auto fields_of(T& object) {
  constexpr std::size_t count = field_count<std::remove_const_t<T>>;
  if constexpr (count == 0) return leaves_of();
  // clang-format off
  WHERRY_BIND4(1, 2, 3, 4) WHERRY_BIND4(5, 6, 7, 8) WHERRY_BIND4(9, 10, 11, 12) WHERRY_BIND4(13, 14, 15, 16)
  WHERRY_BIND4(17, 18, 19, 20) WHERRY_BIND4(21, 22, 23, 24) WHERRY_BIND4(25, 26, 27, 28) WHERRY_BIND4(29, 30, 31, 32)
  // clang-format on
}

#undef WHERRY_BIND4
#undef WHERRY_BIND
#undef WHERRY_N1
#undef WHERRY_N2
#undef WHERRY_N3
#undef WHERRY_N4
#undef WHERRY_N5
#undef WHERRY_N6
#undef WHERRY_N7
#undef WHERRY_N8
#undef WHERRY_N9
#undef WHERRY_N10
#undef WHERRY_N11
#undef WHERRY_N12
#undef WHERRY_N13
#undef WHERRY_N14
#undef WHERRY_N15
#undef WHERRY_N16
#undef WHERRY_N17
#undef WHERRY_N18
#undef WHERRY_N19
#undef WHERRY_N20
#undef WHERRY_N21
#undef WHERRY_N22
#undef WHERRY_N23
#undef WHERRY_N24
#undef WHERRY_N25
#undef WHERRY_N26
#undef WHERRY_N27
#undef WHERRY_N28
#undef WHERRY_N29
#undef WHERRY_N30
#undef WHERRY_N31
#undef WHERRY_N32

template <class T>
struct holder {
  T value;
};
#ifdef __clang__
#  pragma clang diagnostic push
#  pragma clang diagnostic ignored "-Wundefined-var-template"  // that specimen has no definition is the idea
#  pragma clang diagnostic ignored "-Wundefined-internal"
#endif
/// Declared, never defined: only its members' addresses are taken.
template <class T>
extern holder<T> const specimen;

template <class T>
struct address {
  T const* at;
};

template <auto Value>
consteval auto spelled_value() {
  return std::string_view(__PRETTY_FUNCTION__);
}
template <class T>
consteval auto spelled_type() {
  return std::string_view(__PRETTY_FUNCTION__);
}

/// The identifier at the end of a spelled pointer: "... &T::days}]" -> "days".
consteval std::string_view last_identifier(std::string_view spelled) {
  while (spelled.ends_with(']') || spelled.ends_with('}') || spelled.ends_with(')')) spelled.remove_suffix(1);
  return spelled.substr(spelled.find_last_of(".:") + 1);
}

/// What stands behind the last "= " of a spelled function: the template argument itself.
consteval std::string_view argument_of(std::string_view spelled) {
  auto const begin = spelled.rfind("= ") + 2;
  return spelled.substr(begin, spelled.size() - begin - 1);
}

template <class T, std::size_t I>
consteval auto field_address() {
  auto const* at = leaf_at<I>(fields_of(specimen<T>.value));
  return address<std::remove_cvref_t<decltype(*at)>>{at};
}
#ifdef __clang__
#  pragma clang diagnostic pop
#endif
template <class T, std::size_t I>
using field_type = std::remove_cvref_t<decltype(*leaf_at<I>(fields_of(std::declval<T&>())))>;

template <class T, std::size_t I>
inline constexpr std::string_view field_name = last_identifier(spelled_value<field_address<T, I>()>());
template <auto Member>
inline constexpr std::string_view member_name = last_identifier(spelled_value<Member>());
template <class T>
inline constexpr std::string_view type_name = argument_of(spelled_type<T>());

/// Names by value; empty where no enumerator has that value.
struct enumerator_names {
  std::array<std::string_view, enumerators_max> names;
  std::size_t count = 0;
};

template <class E, E... Values>
consteval auto spelled_enumerators() {
  return std::string_view(__PRETTY_FUNCTION__);
}

/// Splits "{color::red, color::green, (color)2, ...}" (g++) or "<...>" (clang) into names.
consteval enumerator_names split_enumerators(std::string_view spelled) {
  enumerator_names found;
  auto list = argument_of(spelled);
  list = list.substr(1, list.size() - 2);
  for (auto& name : found.names) {
    auto const item = list.substr(0, list.find(", "));
    list.remove_prefix(item.size() == list.size() ? item.size() : item.size() + 2);
    auto const last = item.substr(item.rfind(':') + 1);
    if (last.empty() || last.find(')') != std::string_view::npos) continue;  // a cast: no enumerator of that value
    name = last;
    ++found.count;
  }
  return found;
}

template <class E>
inline constexpr enumerator_names enumerators_of = []<std::size_t... I>(std::index_sequence<I...>) {
  return split_enumerators(spelled_enumerators<E, static_cast<E>(I)...>());
}(std::make_index_sequence<enumerators_max>{});

}  // namespace wherry::inline v0::detail
