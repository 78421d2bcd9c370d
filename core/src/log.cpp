#include <wherry/core/log.hpp>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>

namespace wherry::inline v0 {
namespace {

std::atomic<log_level> threshold{log_level::warning};

spdlog::level::level_enum to_spdlog(log_level level) {
  switch (level) {
    case log_level::debug: return spdlog::level::debug;
    case log_level::info: return spdlog::level::info;
    case log_level::warning: return spdlog::level::warn;
    case log_level::error: return spdlog::level::err;
    case log_level::off: return spdlog::level::off;
  }
  return spdlog::level::off;
}

spdlog::logger& logger() {
  static std::shared_ptr<spdlog::logger> const instance = [] {
    auto made = std::make_shared<spdlog::logger>("wherry", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
    made->set_level(spdlog::level::trace);
    return made;
  }();
  return *instance;
}

}  // namespace

void log(log_level level, std::string_view room, std::string_view sentence, std::initializer_list<log_field> fields) {
  if (level < threshold.load(std::memory_order_relaxed) || level == log_level::off) return;
  std::string line;
  line.append(room).append(": ").append(sentence);
  for (auto const& field : fields) line.append(" ").append(field.name).append("=").append(field.value);
  logger().log(to_spdlog(level), "{}", line);
}

void set_log_level(log_level level) { threshold = level; }
log_level current_log_level() noexcept { return threshold; }

}  // namespace wherry::inline v0
