#pragma once
// A tool from a plain function: what it is called, what it takes, what it may change.
//
//   std::string forecast(forecast_in const&);
//   double convert(double amount, std::string from, std::string to);
//
//   wherry::tool("forecast", "Weather forecast.", forecast).reads()
//   wherry::tool("convert", "Convert money.", {"amount", "from", "to"}, convert).reads()
//
// The schema that the model sees, the check of its arguments, the call, and the schema and check of what it returns
// come from the one declaration.

#include <wherry/core/clock.hpp>
#include <wherry/core/result.hpp>
#include <wherry/core/stop_source.hpp>
#include <wherry/core/task.hpp>
#include <wherry/llm/message.hpp>
#include <wherry/llm/schema.hpp>
#include <wherry/tools/detail/signature.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace wherry::inline v0 {

/// Whether a tool may change the world outside the run.
enum class effect_class {
  writes,  ///< It may. Calls run one after the other and are journalled; never dispatched twice.
  reads,   ///< It changes nothing. Calls may run side by side and may be repeated.
};
char const* to_string(effect_class effect) noexcept;

/// What a tool's function learns about its call, if its first parameter is a `tool_context const&`.
struct tool_context {
  std::string run_id;
  std::string call_id;
  std::string effect_key;  ///< The same for the same call, also after a crash: an idempotency key. Empty for reads.
  deadline until = no_deadline;  ///< Past it the run goes on without the call.
  stop_source stop;              ///< Stopped once nobody waits for the call any more: long loops should look at it.
};

/// A call whose arguments have been read and found valid. To be run once. Of a tool with an output schema, what a
/// successful call gives is JSON text of that schema.
struct bound_call {
  std::function<result<std::string>(tool_context const&)> now;   ///< A blocking function; empty for an async tool.
  std::function<task<result<std::string>>(tool_context)> later;  ///< A coroutine; empty for a blocking one.
};

/// Reads the arguments as the model wrote them. Fails with errc::output_invalid (path: a JSON pointer); must not act.
using argument_binder = std::function<result<bound_call>(std::string_view arguments)>;

/// A cheap copyable value, immutable, shared between threads freely (its function is then called from several).
///
/// The function takes one struct (see schema.hpp), or parameters whose names are given, or nothing; a
/// `tool_context const&` may stand first. Arguments are decoded strictly; invalid ones never reach the function.
/// It returns T, result<T>, task<T>, task<result<T>> or nothing: std::string goes to the model as it is, raw_json as
/// its text, any other T as JSON of output_schema(), void as "ok". A value that its schema does not allow (a NaN, a
/// number outside the range describe<T> gives) is a failed result that says where. An error or an exception becomes a
/// failed tool result that the model sees. Blocking functions run on the compute pool, coroutines on the run's
/// executor.
class tool {
 public:
  /// From a function of one struct, or of nothing.
  template <class F>
  tool(std::string name, std::string description, F function);

  /// From a function of plain parameters, one name for each: tool("add", "Adds.", {"a", "b"}, add).
  template <class F>
  tool(std::string name, std::string description, detail::parameter_names<detail::signature<F>::count> names,
       F function);

  /// From a schema and a binder that are known only at run time (another process's tools).
  tool(tool_spec spec, argument_binder bind);
  /// The same, of a tool whose successful results are JSON text of a schema. Each is checked against it; one that does
  /// not fit becomes a failed result. Fails with: as json_validator::make.
  static result<tool> with_output(tool_spec spec, raw_json output_schema, argument_binder bind);

  /// Declares that the tool changes nothing outside the run. The default is writes().
  tool reads() const;
  tool writes() const;
  /// Declares that what it returns was remembered before: nothing is learnt from it a second time.
  tool recalls() const;
  /// How long a call may take; the executor's default otherwise.
  tool deadline(std::chrono::milliseconds limit) const;
  /// For functions that return within microseconds: they run on the run's own thread, where no deadline can interrupt
  /// them.
  tool inline_run() const;

  tool_spec const& spec() const noexcept;
  std::string const& name() const noexcept { return spec().name; }
  /// JSON Schema of what a successful call gives as JSON text. Empty: calls give text (or JSON of no known schema).
  raw_json const& output_schema() const noexcept;
  effect_class effect() const noexcept;
  std::optional<std::chrono::milliseconds> time_limit() const noexcept;
  bool runs_inline() const noexcept;
  bool is_recall() const noexcept;

  /// Reads arguments; the function is not called yet.
  result<bound_call> bind(std::string_view arguments) const;

 private:
  struct state;
  tool(tool_spec spec, argument_binder bind, raw_json output_schema);
  tool changed(std::function<void(state&)> const& change) const;
  std::shared_ptr<state const> state_;
};

}  // namespace wherry::inline v0

#include <wherry/tools/detail/bind.hpp>
