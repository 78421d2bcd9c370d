#pragma once
// What can be known of a callable: its result and its parameters.

#include <wherry/core/result.hpp>
#include <wherry/core/task.hpp>

#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace wherry::inline v0 {

struct tool_context;

namespace detail {

template <class R, class... P>
struct parameters {
  using result_type = R;
  using declared = std::tuple<P...>;                     ///< As written: values, references.
  using stored = std::tuple<std::remove_cvref_t<P>...>;  ///< What is decoded into.
  static constexpr bool takes_context = false;
  static constexpr std::size_t count = sizeof...(P);
};
template <class R, class... P>
struct parameters<R, tool_context const&, P...> : parameters<R, P...> {
  static constexpr bool takes_context = true;
};

template <class F>
struct of_call_operator;
template <class R, class C, class... P>
struct of_call_operator<R (C::*)(P...)> : parameters<R, P...> {};
template <class R, class C, class... P>
struct of_call_operator<R (C::*)(P...) const> : parameters<R, P...> {};
template <class R, class C, class... P>
struct of_call_operator<R (C::*)(P...) noexcept> : parameters<R, P...> {};
template <class R, class C, class... P>
struct of_call_operator<R (C::*)(P...) const noexcept> : parameters<R, P...> {};

template <class F>
concept has_one_signature = requires { &F::operator(); };

/// Of anything else: no parameters that could be named.
template <class F>
struct signature : parameters<void> {
  static_assert(
      has_one_signature<F>,
      "wherry: a tool is made from a function, or from a function object with exactly one operator() that is no "
      "template; spell out the parameter types of a generic lambda");
};
template <has_one_signature F>
struct signature<F> : of_call_operator<decltype(&F::operator())> {};
template <class R, class... P>
struct signature<R (*)(P...)> : parameters<R, P...> {};
template <class R, class... P>
struct signature<R (*)(P...) noexcept> : parameters<R, P...> {};

template <class T>
inline constexpr bool is_task = false;
template <class T>
inline constexpr bool is_task<task<T>> = true;
template <class T>
inline constexpr bool is_result = false;
template <class T>
inline constexpr bool is_result<result<T>> = true;

template <class P>
inline constexpr bool writable_reference =
    std::is_lvalue_reference_v<P> && !std::is_const_v<std::remove_reference_t<P>>;

template <class Tuple>
inline constexpr bool any_writable_reference = false;
template <class... P>
inline constexpr bool any_writable_reference<std::tuple<P...>> = (writable_reference<P> || ...);

/// The names of a plain function's parameters; checked where they are written.
template <std::size_t N>
struct parameter_names {
  std::string_view names[N > 0 ? N : 1];

  template <class... Name>
  consteval parameter_names(Name const&... name) : names{name...} {
    static_assert(sizeof...(Name) >= N,
                  "wherry: too few parameter names; give one name for each parameter of the function");
    static_assert(sizeof...(Name) <= N,
                  "wherry: too many parameter names; give one name for each parameter of the function");
    for (std::size_t i = 0; i < N; ++i) {
      if (names[i].empty()) throw "wherry: a parameter name is empty";
      for (std::size_t j = 0; j < i; ++j)
        if (names[i] == names[j]) throw "wherry: a parameter name stands twice; each parameter needs a name of its own";
    }
  }
};

}  // namespace detail
}  // namespace wherry::inline v0
