#pragma once
// A run: one user message to its outcome. It is pulled: it goes on while somebody asks for its next event.

#include <wherry/agent/event.hpp>
#include <wherry/core/id.hpp>
#include <wherry/core/result.hpp>
#include <wherry/core/task.hpp>
#include <wherry/llm/context_source.hpp>
#include <wherry/llm/schema.hpp>

#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace wherry::inline v0 {

/// One model call of a run and what came of it.
struct step_record {
  model_request request;            ///< What was sent; its messages stand in the transcript, see request_of().
  std::size_t history_dropped = 0;  ///< Messages of older turns left out because they did not fit the context.
  std::size_t transcript_end = 0;   ///< The request's messages end here.
  bool context_dropped = false;     ///< run_record::context was left out because it did not fit the model's context.
  message answer;
  finish_reason reason = finish_reason::stop;
  token_usage usage;
  std::vector<notice> notices;
};

/// What a run leaves behind, whatever its outcome.
struct run_record {
  ulid id;
  std::uint64_t seed = 0;
  std::string status;               ///< "finished", or the errc word of its outcome.
  std::string output_text;          ///< The final answer as the model wrote it.
  std::vector<message> transcript;  ///< System message, history, and what the run added.
  std::size_t first_new = 0;        ///< Where the run's own messages begin: its user message.
  std::size_t system_messages = 0;  ///< How many of the first messages are the agent's instructions (0 or 1).
  /// What the agent's context sources gave, as far as it went in: it stands before the user message of every request,
  /// and nowhere else. The transcript does not hold it, neither does a session.
  std::vector<context_section> context;
  std::vector<context_block> context_left_out;  ///< What exceeded the context budget.
  std::string before_message;                   ///< Stands between the context and the user's words.
  token_usage usage;                            ///< Summed over the steps.
  std::vector<step_record> steps;
  std::vector<notice> notices;

  /// The model request of a step, complete, as it was submitted.
  model_request request_of(std::size_t step) const;
};

/// The outcome of a run that finished: its output, and the record.
template <class T>
struct run_result : run_record {
  T output;
};

namespace detail {

class runner;

/// The part of a run that does not depend on its output type.
class run_base {
 public:
  explicit run_base(std::shared_ptr<runner> r) : runner_(std::move(r)) {}
  task<std::optional<run_event>> async_next();
  std::optional<run_event> next();
  /// Drives the run to its end.
  task<result<void>> async_end();
  result<void> end();
  void cancel() const noexcept;
  void on(std::function<void(run_event const&)> handler);
  run_record const& record() const;
  run_record take_record();

 private:
  std::shared_ptr<runner> runner_;
};

template <class T>
result<run_result<T>> typed_result(result<void> ended, run_base& base) {
  if (!ended) return std::move(ended).error();
  run_result<T> out{base.take_record(), {}};
  if constexpr (std::is_same_v<T, std::string>) {
    out.output = out.output_text;
  } else {
    auto value = decode<T>(out.output_text);
    if (!value) return std::move(value).error();  // the runner has validated it; a difference is a bug worth seeing
    out.output = std::move(*value);
  }
  return out;
}

}  // namespace detail

/// A run under way. Movable handle; it belongs to one thread at a time, except cancel().
///
///   for (auto const& event : run) ...        pulls events on this thread
///   while (auto e = co_await run.async_next()) ...
///   run.on(handler); run.result();           the same events, pushed while result() drives
template <class T = std::string>
class run {
 public:
  explicit run(detail::run_base base) : base_(std::move(base)) {}

  /// The next event; nullopt after the last one. The blocking form must not be used on a thread that runs an event
  /// loop; the run then ends with errc::would_block_loop.
  std::optional<run_event> next() { return base_.next(); }
  task<std::optional<run_event>> async_next() { return base_.async_next(); }

  /// Calls `handler` for every event from now on, on the thread that drives the run.
  run& on(std::function<void(run_event const&)> handler) {
    base_.on(std::move(handler));
    return *this;
  }

  /// Drives the run to its end and gives its outcome; afterwards record() is moved from.
  /// Fails with: errc::limit_reached, errc::cancelled, errc::deadline_exceeded, errc::needs_approval,
  /// errc::output_invalid, errc::store_failed (error::unsaved holds the answer), and what the model fails with.
  wherry::v0::result<run_result<T>> result() { return detail::typed_result<T>(base_.end(), base_); }
  task<wherry::v0::result<run_result<T>>> async_result() {
    auto ended = co_await base_.async_end();
    co_return detail::typed_result<T>(std::move(ended), base_);
  }

  /// Ends the run soon, from any thread: the model stops within a token, tools are told to stop, history stays valid.
  void cancel() const noexcept { base_.cancel(); }

  /// What has happened so far.
  run_record const& record() const { return base_.record(); }

  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = run_event;
    using difference_type = std::ptrdiff_t;
    using pointer = run_event const*;
    using reference = run_event const&;
    iterator() = default;
    explicit iterator(run* of) : of_(of), event_(of->next()) {}
    reference operator*() const { return *event_; }
    pointer operator->() const { return &*event_; }
    iterator& operator++() {
      event_ = of_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(iterator const& i, std::default_sentinel_t) { return !i.event_; }

   private:
    run* of_ = nullptr;
    std::optional<run_event> event_;
  };
  iterator begin() { return iterator(this); }
  std::default_sentinel_t end() { return {}; }

 private:
  detail::run_base base_;
};

}  // namespace wherry::inline v0
