#pragma once
// Trace spans: what was done, inside what, for how long. Names follow the OpenTelemetry conventions for generative AI
// (state of 2026); they stand in one table below, so that a change of the conventions is a change of this file.

#include <wherry/core/clock.hpp>
#include <wherry/core/id.hpp>

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace wherry::inline v0 {

/// Span and attribute names.
namespace trace_names {
inline constexpr std::string_view invoke_agent = "invoke_agent";
inline constexpr std::string_view chat = "chat";
inline constexpr std::string_view execute_tool = "execute_tool";
inline constexpr std::string_view agent_name = "gen_ai.agent.name";
inline constexpr std::string_view conversation_id = "gen_ai.conversation.id";
inline constexpr std::string_view request_model = "gen_ai.request.model";
inline constexpr std::string_view input_tokens = "gen_ai.usage.input_tokens";
inline constexpr std::string_view output_tokens = "gen_ai.usage.output_tokens";
inline constexpr std::string_view finish_reason = "gen_ai.response.finish_reasons";
inline constexpr std::string_view tool_name = "gen_ai.tool.name";
inline constexpr std::string_view tool_call_id = "gen_ai.tool.call.id";
inline constexpr std::string_view error_type = "error.type";
}  // namespace trace_names

struct trace_attribute {
  std::string_view name;  ///< From trace_names, or a literal of static lifetime.
  std::variant<std::string, std::int64_t, double, bool> value;
};

/// A finished span.
struct trace_span {
  ulid trace;
  std::uint64_t id = 0;      ///< Unique within the trace.
  std::uint64_t parent = 0;  ///< 0: the root.
  std::string name;
  utc_ms started = 0;
  std::chrono::nanoseconds took{0};
  std::vector<trace_attribute> attributes;
};

/// Receives finished spans, children before parents. Called on the run's thread; must not block. Implementations that
/// are shared between runs must be thread-safe.
class trace_sink {
 public:
  virtual ~trace_sink() = default;
  virtual void on_span(trace_span const& span) = 0;
};

/// Keeps spans in memory, at most `spans_max`; for tests and for showing a run. Thread-safe.
class memory_trace final : public trace_sink {
 public:
  explicit memory_trace(std::size_t spans_max = 10'000) : spans_max_(spans_max) {}
  void on_span(trace_span const& span) override {
    std::lock_guard const lock(mutex_);
    if (spans_.size() < spans_max_) spans_.push_back(span);
  }
  std::vector<trace_span> spans() const {
    std::lock_guard const lock(mutex_);
    return spans_;
  }

 private:
  mutable std::mutex mutex_;
  std::size_t spans_max_;
  std::vector<trace_span> spans_;
};

}  // namespace wherry::inline v0
