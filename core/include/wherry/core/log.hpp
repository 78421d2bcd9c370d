#pragma once
// Structured logging: a level, the room that speaks, a sentence, and named fields. Goes to standard error by default;
// never contains message texts, keys or tokens unless the level is debug.

#include <initializer_list>
#include <string>
#include <string_view>

namespace wherry::inline v0 {

enum class log_level { debug, info, warning, error, off };

struct log_field {
  std::string_view name;
  std::string value;
};

/// Writes one line when `level` is at least the current level. Thread-safe.
void log(log_level level, std::string_view room, std::string_view sentence,
         std::initializer_list<log_field> fields = {});

/// The default is warning.
void set_log_level(log_level level);
log_level current_log_level() noexcept;

}  // namespace wherry::inline v0
