#pragma once
// What a session's events amount to. Pure: no store, no clock; the same events give the same fold.

#include <wherry/core/result.hpp>
#include <wherry/memory/event.hpp>

#include <cstdint>
#include <set>
#include <vector>

namespace wherry::inline v0::memory_detail {

class session_fold {
 public:
  /// Takes the next event in. Fails with: errc::parse_error when its payload is not what its kind asks for; the fold
  /// is then as before.
  result<void> apply(session_event e);

  std::uint64_t covered() const { return covered_; }  ///< Sequence number of the last event taken in.
  bool has_turns() const { return !turns_.empty(); }
  std::vector<message> history() const;
  std::vector<open_run> const& open_runs() const { return open_; }
  std::vector<pending_call> const& pending() const { return pending_; }

 private:
  result<void> end_run(session_event const& e);
  void join(session_event e);

  std::uint64_t covered_ = 0;
  using turn = std::vector<std::shared_ptr<message const>>;
  std::vector<turn> turns_;  ///< Kept runs, in the order in which they ended.
  std::vector<open_run> open_;
  std::vector<pending_call> pending_;
  std::set<ulid> ended_;
};

}  // namespace wherry::inline v0::memory_detail
