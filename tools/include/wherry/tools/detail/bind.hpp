#pragma once
// From a typed function to a binder. Included by tool.hpp.

namespace wherry::inline v0 {
namespace detail {

/// Why a result is not what the tool's output schema says; `misfit` as the decoder or validator told it.
error result_misfit(error const& misfit);

/// Types that are passed on as text; they have no output schema.
template <class T>
inline constexpr bool is_text_result =
    std::is_void_v<T> || std::is_convertible_v<T, std::string> || std::is_same_v<T, raw_json>;

/// What a function returns once task<> and result<> are taken off.
template <class T>
struct returned_value {
  using type = std::remove_cvref_t<T>;
};
template <class T>
struct returned_value<result<T>> : returned_value<T> {};
template <class T>
struct returned_value<task<T>> : returned_value<T> {};

/// The output schema of a function that returns R; empty for text.
template <class R>
raw_json output_schema_of() {
  using value = typename returned_value<R>::type;
  if constexpr (is_text_result<value>)
    return {};
  else
    return schema_of<value>();
}

/// A value as JSON, checked: its type's schema may be narrower than the type (ranges, lengths), and not every value has
/// a JSON form.
template <class T>
result<std::string> checked_json(T const& value) {
  auto text = encode(value).text;
  T read_back{};
  if (auto const fits = decode_text(text, shape_of<T>, &read_back); !fits) return result_misfit(fits.error());
  return text;
}

/// What the model gets to see of a value.
template <class T>
result<std::string> content_of(T&& value) {
  using plain = std::remove_cvref_t<T>;
  if constexpr (is_result<plain>) {
    if (!value) return std::move(value).error();
    if constexpr (std::is_void_v<typename plain::value_type>)
      return std::string("ok");
    else
      return content_of(*std::forward<T>(value));
  } else if constexpr (std::is_convertible_v<T, std::string>) {
    return std::string(std::forward<T>(value));
  } else if constexpr (std::is_same_v<plain, raw_json>) {
    return std::forward<T>(value).text;
  } else {
    return checked_json<plain>(value);
  }
}

/// A function with the arguments it will be called with. Shared by whoever may still be running it.
template <class F, class Arguments>
struct prepared_call {
  using signature = detail::signature<F>;
  using result_type = typename signature::result_type;

  F function;
  Arguments arguments{};

  /// `arguments` is a tuple of parameters.
  result_type operator()(tool_context const& context) {
    return std::apply(
        [&]<class... P>(P&... argument) -> result_type {
          if constexpr (signature::takes_context)
            return std::invoke(function, context, std::move(argument)...);
          else
            return std::invoke(function, std::move(argument)...);
        },
        arguments);
  }
};

template <class Call>
result<std::string> run_now(Call& call, tool_context const& context) {
  if constexpr (std::is_void_v<typename Call::result_type>) {
    call(context);
    return std::string("ok");
  } else {
    return content_of(call(context));
  }
}

// The frame keeps the arguments and the context for as long as the tool's own coroutine may look at them.
template <class Call>
task<result<std::string>> run_later(std::shared_ptr<Call> call, tool_context context) {
  if constexpr (std::is_same_v<typename Call::result_type, task<void>>) {
    co_await (*call)(context);
    co_return std::string("ok");
  } else {
    auto value = co_await (*call)(context);
    co_return content_of(std::move(value));
  }
}

template <class Call>
bound_call bind_call(std::shared_ptr<Call> call) {
  bound_call bound;
  if constexpr (is_task<typename Call::result_type>)
    bound.later = [call](tool_context context) { return run_later<Call>(call, std::move(context)); };
  else
    bound.now = [call](tool_context const& context) { return run_now(*call, context); };
  return bound;
}

/// Reads `type` from the text into `out` and binds the call to it.
template <class F, class Arguments>
result<bound_call> read_and_bind(F const& function, std::string_view text, shape const& type,
                                 void* (*place)(Arguments&)) {
  auto call = std::make_shared<prepared_call<F, Arguments>>(prepared_call<F, Arguments>{function});
  if (auto read = decode_text(text, type, place(call->arguments)); !read) return read.error();
  return bind_call(std::move(call));
}

template <class Tuple>
void* parameter_at(void* tuple, std::size_t index) {
  return [&]<std::size_t... I>(std::index_sequence<I...>) -> void* {
    void* const addresses[] = {nullptr, &std::get<I>(*static_cast<Tuple*>(tuple))...};
    return addresses[index + 1];
  }(std::make_index_sequence<std::tuple_size_v<Tuple>>{});
}

/// Named parameters as the fields of an object.
template <class... P>
struct parameter_table {
  std::array<field_shape, sizeof...(P)> fields;

  template <std::size_t... I>
  parameter_table(std::string_view const* names, std::index_sequence<I...>)
      : fields{field_shape{names[I], &shape_of<P>, nullptr, {}}...} {}

  shape object() const {
    shape s{.kind = shape_kind::object};
    s.fields = fields;
    s.field_at = &parameter_at<std::tuple<P...>>;
    return s;
  }
};

/// The binder of a function of plain parameters, and their schema.
template <class F, class... P>
argument_binder bind_parameters(std::string_view const* names, F function, std::tuple<P...> const*, raw_json& schema) {
  auto const table = std::make_shared<parameter_table<P...> const>(names, std::index_sequence_for<P...>{});
  schema.text = schema_text(table->object());
  return [table, function](std::string_view text) {
    return read_and_bind<F, std::tuple<P...>>(function, text, table->object(),
                                              [](std::tuple<P...>& all) -> void* { return &all; });
  };
}

/// The binder of a function of one struct, and its schema.
template <class F, class T>
argument_binder bind_struct(F function, raw_json& schema) {
  schema = schema_of<T>();
  return [function](std::string_view text) {
    return read_and_bind<F, std::tuple<T>>(function, text, shape_of<T>,
                                           [](std::tuple<T>& all) -> void* { return &std::get<0>(all); });
  };
}

}  // namespace detail

template <class F>
tool::tool(std::string name, std::string description, F function)
    : tool([&] {
        using signature = detail::signature<F>;
        static_assert(
            !detail::any_writable_reference<typename signature::declared>,
            "wherry: a tool's parameter cannot be a reference to something writable; take it by value or const&");
        static_assert(
            signature::count <= 1,
            "wherry: a function of several parameters needs their names: tool(name, description, {\"a\", \"b\"}, f)");
        tool_spec spec{std::move(name), std::move(description), {}};
        argument_binder bind;
        if constexpr (signature::count == 0) {
          bind = detail::bind_parameters(nullptr, std::move(function), static_cast<std::tuple<>*>(nullptr),
                                         spec.input_schema);
        } else if constexpr (signature::count == 1) {
          using argument = std::tuple_element_t<0, typename signature::stored>;
          static_assert(detail::is_struct<argument>,
                        "wherry: the one parameter of a tool must be a struct of fields, an aggregate; give a plain "
                        "parameter a name: tool(name, description, {\"a\"}, f)");
          if constexpr (detail::is_struct<argument>)
            bind = detail::bind_struct<F, argument>(std::move(function), spec.input_schema);
        }
        return tool(std::move(spec), std::move(bind), detail::output_schema_of<typename signature::result_type>());
      }()) {}

template <class F>
tool::tool(std::string name, std::string description, detail::parameter_names<detail::signature<F>::count> names,
           F function)
    : tool([&] {
        using signature = detail::signature<F>;
        static_assert(
            !detail::any_writable_reference<typename signature::declared>,
            "wherry: a tool's parameter cannot be a reference to something writable; take it by value or const&");
        tool_spec spec{std::move(name), std::move(description), {}};
        auto bind = detail::bind_parameters(names.names, std::move(function),
                                            static_cast<typename signature::stored*>(nullptr), spec.input_schema);
        return tool(std::move(spec), std::move(bind), detail::output_schema_of<typename signature::result_type>());
      }()) {}

}  // namespace wherry::inline v0
