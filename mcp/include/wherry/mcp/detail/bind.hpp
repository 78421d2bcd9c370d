#pragma once
// From a typed function to a handler: decode the arguments, call, write the result. Included by server.hpp.

#include <wherry/mcp/context.hpp>
#include <wherry/tools/tool.hpp>

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

namespace wherry::inline v0::mcp::detail {

/// The members of a result, without braces, and its `_meta`.
struct result_body {
  std::string members;
  std::string meta;
};

/// One of the two is set. Arguments that do not fit are an error with errc::output_invalid; nothing was called then.
struct handler {
  std::function<result<result_body>(context const&, std::string_view arguments)> now;
  std::function<task<result<result_body>>(context, std::string arguments)> later;
};

result_body text_body(std::string_view text);
/// Both halves of a tool's result. Fails with: errc::tool_failed when the value is no JSON, or does not fit an output
/// schema that was given by hand. `encoded`: it is known to be JSON.
result<result_body> call_body(context const& c, call_result const& r);
result<result_body> value_body(context const& c, std::string_view value, bool encoded);
result_body prompt_body(prompt_result const& r);
result_body contents_body(context const& c, std::vector<resource_contents> contents);
tool_context tool_context_of(context const& c);

using wherry::detail::is_result;
using wherry::detail::is_struct;
using wherry::detail::is_task;
using wherry::detail::parameter_names;
using wherry::detail::signature;

/// Results that say themselves what their halves are.
template <class T>
inline constexpr bool is_made_of_blocks =
    std::is_same_v<T, call_result> || std::is_same_v<T, content> || std::is_same_v<T, std::vector<content>>;

struct tool_output {
  template <class T>
  static result<result_body> write(context const& c, T&& value) {
    using plain = std::remove_cvref_t<T>;
    if constexpr (is_result<plain>) {
      if (!value) return std::forward<T>(value).error();
      if constexpr (std::is_void_v<typename plain::value_type>)
        return text_body("ok");
      else
        return write(c, *std::forward<T>(value));
    } else if constexpr (std::is_same_v<plain, call_result>) {
      return call_body(c, value);
    } else if constexpr (std::is_same_v<plain, content>) {
      call_result r;
      r.content.push_back(std::forward<T>(value));
      return call_body(c, r);
    } else if constexpr (std::is_same_v<plain, std::vector<content>>) {
      call_result r;
      r.content = std::forward<T>(value);
      return call_body(c, r);
    } else if constexpr (std::is_convertible_v<T, std::string_view>) {
      return text_body(value);
    } else if constexpr (std::is_same_v<plain, raw_json>) {
      return value_body(c, value.text, false);
    } else {
      auto const text = wherry::detail::checked_json<plain>(value);
      if (!text) return text.error();
      return value_body(c, *text, true);
    }
  }
  static result<result_body> nothing(context const&) { return text_body("ok"); }

  template <class R>
  static raw_json schema() {
    using value = typename wherry::detail::returned_value<R>::type;
    if constexpr (is_made_of_blocks<value> || std::is_convertible_v<value, std::string_view>)
      return {};
    else
      return wherry::detail::output_schema_of<R>();
  }
};

struct prompt_output {
  template <class T>
  static result<result_body> write(context const& c, T&& value) {
    using plain = std::remove_cvref_t<T>;
    if constexpr (is_result<plain>) {
      if (!value) return std::forward<T>(value).error();
      return write(c, *std::forward<T>(value));
    } else {
      prompt_result r;
      if constexpr (std::is_same_v<plain, prompt_result>)
        r = std::forward<T>(value);
      else if constexpr (std::is_same_v<plain, std::vector<prompt_message>>)
        r.messages = std::forward<T>(value);
      else if constexpr (std::is_same_v<plain, prompt_message>)
        r.messages.push_back(std::forward<T>(value));
      else
        r.messages.push_back({true, content::text(std::string(std::forward<T>(value)))});
      return prompt_body(r);
    }
  }
};

struct resource_output {
  template <class T>
  static result<result_body> write(context const& c, T&& value) {
    using plain = std::remove_cvref_t<T>;
    if constexpr (is_result<plain>) {
      if (!value) return std::forward<T>(value).error();
      return write(c, *std::forward<T>(value));
    } else {
      std::vector<resource_contents> all;
      if constexpr (std::is_same_v<plain, std::vector<resource_contents>>) {
        all = std::forward<T>(value);
      } else if constexpr (std::is_same_v<plain, resource_contents>) {
        all.push_back(std::forward<T>(value));
      } else {
        resource_contents text;
        if constexpr (std::is_convertible_v<T, std::string_view>)
          text.data = std::string(std::string_view(value));
        else if constexpr (std::is_same_v<plain, raw_json>)
          text.data = std::forward<T>(value).text;
        else
          text.data = encode(value).text;
        all.push_back(std::move(text));
      }
      return contents_body(c, std::move(all));
    }
  }
};

/// A signature whose first parameter may be a context.
template <class Tuple>
struct after_context {
  static constexpr bool has = false;
  using rest = Tuple;
};
template <class First, class... P>
struct after_context<std::tuple<First, P...>> {
  static constexpr bool has = std::is_same_v<std::remove_cvref_t<First>, context>;
  using rest = std::conditional_t<has, std::tuple<P...>, std::tuple<First, P...>>;
};
template <class Tuple>
struct decayed;
template <class... P>
struct decayed<std::tuple<P...>> {
  using type = std::tuple<std::remove_cvref_t<P>...>;
};

template <class F>
struct handler_signature {
  using base = signature<F>;
  using result_type = typename base::result_type;
  using declared = typename after_context<typename base::declared>::rest;
  using stored = typename decayed<declared>::type;
  static constexpr bool takes_context = after_context<typename base::declared>::has;
  static constexpr bool takes_tool_context = base::takes_context;
  static constexpr std::size_t count = std::tuple_size_v<stored>;
};

/// Reads arguments into a tuple of parameters.
template <class Arguments>
using argument_reader = std::function<result<void>(std::string_view text, Arguments& into)>;

template <class F>
struct bound_function {
  F function;
  argument_reader<typename handler_signature<F>::stored> read;
};

template <class F, class Arguments>
decltype(auto) call_with(F& function, context const& c, Arguments& arguments) {
  using s = handler_signature<F>;
  return std::apply(
      [&]<class... P>(P&... argument) -> typename s::result_type {
        if constexpr (s::takes_context)
          return std::invoke(function, c, std::move(argument)...);
        else if constexpr (s::takes_tool_context)
          return std::invoke(function, tool_context_of(c), std::move(argument)...);
        else
          return std::invoke(function, std::move(argument)...);
      },
      arguments);
}

// The frame keeps the context and the arguments for as long as the handler's own coroutine may look at them.
template <class Output, class F>
task<result<result_body>> run_later(std::shared_ptr<bound_function<F>> bound, context c, std::string text) {
  typename handler_signature<F>::stored arguments{};
  if (auto read = bound->read(text, arguments); !read) co_return std::move(read).error();
  if constexpr (std::is_same_v<typename handler_signature<F>::result_type, task<void>>) {
    co_await call_with(bound->function, c, arguments);
    co_return Output::nothing(c);
  } else {
    auto value = co_await call_with(bound->function, c, arguments);
    co_return Output::write(c, std::move(value));
  }
}

template <class Output, class F>
handler make_handler(F function, argument_reader<typename handler_signature<F>::stored> read) {
  using s = handler_signature<F>;
  auto bound = std::make_shared<bound_function<F>>(bound_function<F>{std::move(function), std::move(read)});
  handler h;
  if constexpr (is_task<typename s::result_type>) {
    h.later = [bound](context c, std::string text) {
      return run_later<Output, F>(bound, std::move(c), std::move(text));
    };
  } else {
    h.now = [bound](context const& c, std::string_view text) -> result<result_body> {
      typename s::stored arguments{};
      if (auto read_well = bound->read(text, arguments); !read_well) return std::move(read_well).error();
      if constexpr (std::is_void_v<typename s::result_type>) {
        call_with(bound->function, c, arguments);
        return Output::nothing(c);
      } else {
        return Output::write(c, call_with(bound->function, c, arguments));
      }
    };
  }
  return h;
}

/// Of a function of named parameters: its schema, and a reader.
template <class... P>
argument_reader<std::tuple<P...>> parameter_reader(std::string_view const* names, std::tuple<P...> const*,
                                                   raw_json& schema) {
  auto const table =
      std::make_shared<wherry::detail::parameter_table<P...> const>(names, std::index_sequence_for<P...>{});
  schema.text = wherry::detail::schema_text(table->object());
  return [table](std::string_view text, std::tuple<P...>& into) {
    return wherry::detail::decode_text(text, table->object(), &into);
  };
}

/// Of a function of one struct, or of nothing.
template <class Stored>
argument_reader<Stored> struct_reader(raw_json& schema) {
  if constexpr (std::tuple_size_v<Stored> == 0) {
    return parameter_reader(nullptr, static_cast<std::tuple<>*>(nullptr), schema);
  } else {
    using argument = std::tuple_element_t<0, Stored>;
    static_assert(
        std::tuple_size_v<Stored> == 1 && is_struct<argument>,
        "wherry: a function of several or plain parameters needs their names: {\"a\", \"b\"} before the function");
    if constexpr (is_struct<argument>) {
      schema = schema_of<argument>();
      return [](std::string_view text, Stored& into) {
        return wherry::detail::decode_text(text, wherry::detail::shape_of<argument>, &std::get<0>(into));
      };
    } else {
      return {};
    }
  }
}

}  // namespace wherry::inline v0::mcp::detail
