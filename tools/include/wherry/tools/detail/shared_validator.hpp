#pragma once
// A schema made ready once for calls from several threads.

#include <wherry/llm/json_validator.hpp>

#include <memory>
#include <mutex>
#include <string_view>

namespace wherry::inline v0::detail {

/// Thread-safe: one check at a time.
class shared_validator {
 public:
  /// Fails with: as json_validator::make.
  static result<std::shared_ptr<shared_validator>> make(raw_json const& schema) {
    auto made = json_validator::make(schema);
    if (!made) return std::move(made).error();
    return std::make_shared<shared_validator>(std::move(*made));
  }
  explicit shared_validator(json_validator made) : validator_(std::move(made)) {}

  /// As json_validator::check.
  result<void> check(std::string_view text) {
    std::lock_guard const lock(mutex_);
    return validator_.check(text);
  }

 private:
  json_validator validator_;
  std::mutex mutex_;
};

}  // namespace wherry::inline v0::detail
