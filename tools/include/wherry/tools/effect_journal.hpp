#pragma once
// Effects are written down before they happen, so that none is dispatched twice. The journal itself is kept by whoever
// owns a disk; the executor only speaks to this interface.

#include <wherry/core/result.hpp>
#include <wherry/core/task.hpp>
#include <wherry/llm/message.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0 {

/// An effectful call that is about to be dispatched.
struct effect_intent {
  std::string effect_key;
  tool_call call;
};

/// What the journal knows about an intent it was given.
struct effect_status {
  enum class state {
    fresh,    ///< Never seen: it may be dispatched now.
    done,     ///< Ended before; `result` is what it gave.
    unknown,  ///< Dispatched before, its end was not recorded. It is not dispatched again.
  };
  state known = state::fresh;
  tool_result result;
};

/// How a dispatched effect ended.
struct effect_end {
  std::string effect_key;
  tool_result result;
  bool certain =
      true;  ///< False: nobody waited for its end (deadline, cancellation), so it may or may not have happened.
};

/// Called on the run's executor, one call at a time.
class effect_journal {
 public:
  virtual ~effect_journal() = default;

  /// Records the intents durably before any of them is dispatched.
  /// Returns: one status for each intent, in order.
  /// Fails with: any error; then nothing is dispatched.
  virtual task<result<std::vector<effect_status>>> intend(std::vector<effect_intent> intents) = 0;

  /// Records how an effect ended.
  virtual task<result<void>> settle(effect_end end) = 0;
};

/// The idempotency key of a call: 64 hexadecimal digits, SHA-256 over run id, call id, tool and arguments. Arguments
/// that differ only in white space or in the order of keys give the same key.
std::string effect_key(std::string_view run_id, tool_call const& call);

}  // namespace wherry::inline v0
