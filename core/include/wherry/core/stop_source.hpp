#pragma once
// stop_source: how work under way is told to end.

#include <functional>
#include <memory>

namespace wherry::inline v0 {

/// Tells work under way to end; a cheap copyable handle, safe from any thread and more than once.
class stop_source {
 public:
  stop_source();
  void stop() const noexcept;
  bool stopped() const noexcept;

  /// Calls `wake` once when stop() is called, at once when it was; on the stopping thread. An empty function
  /// forgets the earlier one. There is one waker at a time.
  void on_stop(std::function<void()> wake) const;

 private:
  struct impl;
  std::shared_ptr<impl> impl_;
};

}  // namespace wherry::inline v0
