#pragma once
// agent: the definition of who answers, with what and within which limits. An immutable value, cheap to copy; a run of
// it has its own state, so threads may run one agent at the same time.
//
//   auto desk = wherry::agent{llm, "Plan trips."}
//       .with(wherry::tool("forecast", "Weather forecast.", forecast))
//       .limits({.steps = 8, .total_tokens = 20'000, .time = std::chrono::seconds{30}});
//   if (auto r = desk.run<trip>("Seoul, three days", session)) use(r->output);

#include <wherry/agent/run.hpp>
#include <wherry/core/clock.hpp>
#include <wherry/core/result.hpp>
#include <wherry/core/task.hpp>
#include <wherry/llm/context_source.hpp>
#include <wherry/llm/model.hpp>
#include <wherry/memory/durability.hpp>
#include <wherry/memory/session.hpp>
#include <wherry/tools/approval_policy.hpp>
#include <wherry/tools/tool.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wherry::inline v0 {

class trace_sink;

/// Bounds of one run. Reaching one ends the run with errc::limit_reached (time: errc::deadline_exceeded).
struct run_limits {
  std::size_t steps = 8;              ///< Model calls. On the last one tools are masked: it can only answer.
  std::size_t total_tokens = 20'000;  ///< Prompt and answer tokens of all steps together.
  std::size_t step_tokens = 1'024;    ///< Answer tokens of one step.
  std::size_t tool_calls = 64;        ///< Calls dispatched. When none is left tools are masked.
  std::chrono::milliseconds time = std::chrono::seconds{300};  ///< Wall clock, from start to outcome.
  /// How long one synced commit may take, also the last one, after `time`. A disk that takes longer ends the run with
  /// errc::store_failed: what was to be committed may still reach the disk later, as after a crash.
  std::chrono::milliseconds commit_time = std::chrono::seconds{30};
};

/// How much of what context sources give goes into a request, and how long they are waited for.
struct context_budget {
  std::size_t tokens_max = 1'024;  ///< Of all blocks together, counted by the model's tokenizer.
  std::size_t bytes_max = std::size_t{16} << 10;
  std::chrono::milliseconds time = std::chrono::seconds{5};  ///< For each source; beyond, the run goes on without it.
  std::string before_message = "The message:";               ///< Tells the user's words from the context above them.
};

/// Looks at the final answer before it is released: before it is committed, and before the run has an outcome. Text
/// that was streamed until then is provisional, as ever.
struct output_guard {
  std::string name;
  /// An error keeps the answer back: the run ends with errc::output_invalid, its message naming guard and reason, and
  /// the turn is no history. Runs on the thread that pulls the run.
  std::function<result<void>(std::string_view answer, run_record const& run)> check;
};

/// An answer to a pending call, bound to that very call: its id, tool and arguments.
struct call_answer {
  std::string call_id;
  std::string call_hash;  ///< Content hash of tool name and arguments; a changed call is not answered by it.
  bool allowed = false;   ///< Denied: the model gets a failed result.
};
call_answer approve(pending_call const& pending);
call_answer deny(pending_call const& pending);

/// What an output type asks of the model: its schema, and the strict check of an answer.
struct output_contract {
  std::optional<raw_json> schema;  ///< Absent: text.
  result<void> (*check)(std::string_view text) = nullptr;
  std::shared_ptr<grammar::expr const> constraint = {};  ///< The text is in this language; null: any text.

  /// Text of a language (grammar.hpp): a choice, a pattern, an EBNF grammar, a piece of a document. Whatever the model,
  /// the run ends with such a text or with an error: errc::output_invalid where it could only be checked.
  static output_contract text_in(grammar::expr language);

  template <class T>
  static output_contract of() {
    if constexpr (std::same_as<T, std::string>) {
      return {};
    } else {
      return {.schema = schema_of<T>(), .check = [](std::string_view text) -> result<void> {
                auto value = decode<T>(text);
                if (!value) return std::move(value).error();
                return {};
              }};
    }
  }
};

namespace detail {
template <class Source>
concept has_tools = requires(Source const& s) {
  { s.tools() } -> std::same_as<result<std::vector<tool>>>;
};
template <class Source>
concept has_context = requires(Source const& s) {
  { s.context() } -> std::same_as<std::shared_ptr<context_source>>;
};
}  // namespace detail

/// An immutable agent. Copies share everything; each function that changes something returns a changed copy.
/// Two tools of one name are an error of the first run.
class agent {
 public:
  /// `llm` is a model handle (local_model, scripted_model) or a std::shared_ptr<model>; the agent keeps it alive.
  /// `instructions` become the system message; empty: none.
  agent(std::shared_ptr<model> llm, std::string instructions = {});
  template <class M>
    requires(std::convertible_to<M const&, std::shared_ptr<model>> && !std::same_as<M, std::shared_ptr<model>>)
  agent(M const& llm, std::string instructions = {})
      : agent(static_cast<std::shared_ptr<model>>(llm), std::move(instructions)) {}

  agent named(std::string name) const;
  agent with(tool t) const;
  /// Several tools, or why there are none: then every run fails with that.
  agent with(result<std::vector<tool>> tools) const;
  /// Asks a source at the beginning of each run; what it gives stands before the user's words in every request of it.
  agent with(std::shared_ptr<context_source> source) const;
  /// What anything has of these: `result<std::vector<tool>> tools() const`, as wherry::mcp_server, and
  /// `std::shared_ptr<context_source> context() const`.
  template <class Source>
    requires(detail::has_tools<Source> || detail::has_context<Source>)
  agent with(Source const& source) const {
    auto out = *this;
    if constexpr (detail::has_tools<Source>) out = out.with(source.tools());
    if constexpr (detail::has_context<Source>) out = out.with(source.context());
    return out;
  }
  agent budget(context_budget bounds) const;
  /// Guards are asked in the order in which they were added.
  agent guard(output_guard by) const;
  /// Writes an outbox job with the end of each kept run of a session: what was said in it is to be read for facts. See
  /// extraction.hpp for who does it.
  agent learns(bool on = true) const;
  agent limits(run_limits const& bounds) const;
  agent sampling(sampling_options const& options) const;
  agent seed(std::uint64_t seed) const;                ///< Fixed seed; without it each run draws one and records it.
  agent first_step(tool_choice choice) const;          ///< Whether the first step may, must or must not call tools.
  agent approvals(approval_policy policy) const;       ///< Default: every call is allowed.
  agent durability(wherry::v0::durability how) const;  ///< Of the commits of a run; default: synced.
  agent trace(std::shared_ptr<trace_sink> sink) const;
  agent time_source(std::shared_ptr<clock const> source) const;
  agent stop(std::vector<std::string> sequences) const;

  std::string const& name() const noexcept;
  std::string const& instructions() const noexcept;
  std::shared_ptr<model> const& llm() const noexcept;
  std::vector<tool_spec> const& tools() const noexcept;  ///< Sorted by name.

  /// This agent as a tool of another: the tool's name and description are given, its argument is one message. What it
  /// answers is a T, as in run<T>: text as it is, anything else as JSON of T's schema.
  template <class T = std::string>
  tool ask(std::string tool_name, std::string description) const {
    return ask_for(std::move(tool_name), std::move(description), output_contract::of<T>());
  }

  /// Runs to the outcome on the calling thread.
  /// Fails with: see run<T>::result; errc::would_block_loop on a thread that runs an event loop (use async_run).
  template <class T = std::string>
  result<run_result<T>> run(std::string text) const {
    return start<T>(std::move(text)).result();
  }
  template <class T = std::string>
  result<run_result<T>> run(std::string text, session const& in) const {
    return start<T>(std::move(text), in).result();
  }
  template <class T = std::string>
  task<result<run_result<T>>> async_run(std::string text) const {
    auto started = start<T>(std::move(text));
    co_return co_await started.async_result();
  }
  template <class T = std::string>
  task<result<run_result<T>>> async_run(std::string text, session in) const {
    auto started = start<T>(std::move(text), in);
    co_return co_await started.async_result();
  }

  /// A run to be pulled; nothing happens before its first event is asked for.
  template <class T = std::string>
  wherry::v0::run<T> start(std::string text) const {
    return wherry::v0::run<T>(begin(message::user(std::move(text)), std::nullopt, output_contract::of<T>()));
  }
  template <class T = std::string>
  wherry::v0::run<T> start(std::string text, session const& in) const {
    return wherry::v0::run<T>(begin(message::user(std::move(text)), in, output_contract::of<T>()));
  }
  /// The same with a whole message (images, files, ...) and an output described by data instead of a type.
  wherry::v0::run<std::string> start(message text, std::optional<session> in, output_contract output) const {
    return wherry::v0::run<std::string>(begin(std::move(text), std::move(in), std::move(output)));
  }

  /// Goes on with the run of a session that waits for approval, also in another process.
  /// Fails with: errc::not_found when nothing waits; errc::needs_approval when some calls are still unanswered;
  /// errc::denied when an answer was given for another call.
  template <class T = std::string>
  wherry::v0::run<T> resume(session const& in, std::vector<call_answer> answers) const {
    return wherry::v0::run<T>(begin_resumed(in, std::move(answers), output_contract::of<T>()));
  }

  /// The same with an output described by data, as in start(): the contract is not kept with the session.
  wherry::v0::run<std::string> resume(session const& in, std::vector<call_answer> answers,
                                      output_contract output) const {
    return wherry::v0::run<std::string>(begin_resumed(in, std::move(answers), std::move(output)));
  }

  /// The exact request of a step, from a record: messages, rendered text, token ids.
  result<rendered_request> show(run_record const& record, std::size_t step) const;

  struct definition;

 private:
  explicit agent(std::shared_ptr<definition const> d) : definition_(std::move(d)) {}
  tool ask_for(std::string tool_name, std::string description, output_contract output) const;
  detail::run_base begin(message text, std::optional<session> in, output_contract output) const;
  detail::run_base begin_resumed(session const& in, std::vector<call_answer> answers, output_contract output) const;

  std::shared_ptr<definition const> definition_;
};

}  // namespace wherry::inline v0
