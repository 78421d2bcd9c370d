#pragma once
// Runs the calls of one step: checks, asks, journals, dispatches, waits no longer than agreed.

#include <wherry/core/runtime.hpp>
#include <wherry/tools/approval_policy.hpp>
#include <wherry/tools/effect_journal.hpp>
#include <wherry/tools/tool_registry.hpp>

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace wherry::inline v0 {

struct tool_executor_options {
  std::size_t parallel_max = 8;                  ///< Reading calls under way at a time.
  std::chrono::milliseconds time_limit{30'000};  ///< Of a call whose tool declares none.
  std::size_t result_bytes_max = 256 * 1024;     ///< A longer result is cut, and says so.
  compute_pool pool = compute_pool::shared();    ///< Where blocking functions run.
};

/// The circumstances of one batch of calls.
struct tool_batch {
  std::string run_id = {};                       ///< Enters the effect keys: the same when a run is resumed.
  deadline until = no_deadline;                  ///< The run's own deadline; no call goes beyond it.
  std::map<std::string, approval> answers = {};  ///< By call id: what was decided about calls that had to be asked for.
  std::shared_ptr<effect_journal> journal = {};  ///< Null: effects are not journalled.
};

/// Executes tool calls. A cheap copyable value.
class tool_executor {
 public:
  explicit tool_executor(tool_registry tools, approval_policy policy = {}, tool_executor_options options = {});

  tool_registry const& tools() const noexcept { return tools_; }

  /// The valid calls that the policy wants to ask about and that have no answer yet, in call order.
  std::vector<tool_call> awaiting_approval(std::vector<tool_call> const& calls,
                                           std::map<std::string, approval> const& answers) const;

  /// Runs the calls. Neighbouring reading calls run side by side, up to parallel_max; a writing call waits for those
  /// before it, and those after it wait for it.
  ///
  /// Returns: one result for each call, in call order. An unknown tool, invalid or denied arguments, an error, an
  /// exception and a deadline that passed are failed results. Fails with: errc::needs_approval, nothing dispatched, the
  /// message naming the calls; errc::cancelled; whatever the journal fails with. Cancellation: Asio's. Functions that
  /// are running go on without the run: their context.stop is stopped, and those on the pool are counted and named in
  /// its stats().abandoned until they return. The journal is told that the outcome of a dispatched effect is not
  /// certain, and that the ones not reached did not happen. Threads: belongs to the executor it is awaited on, which
  /// runs one thing at a time (one thread or a strand).
  task<result<std::vector<tool_result>>> async_run(std::vector<tool_call> calls, tool_batch batch) const;

 private:
  tool_registry tools_;
  approval_policy policy_;
  tool_executor_options options_;
};

}  // namespace wherry::inline v0
