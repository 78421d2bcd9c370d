#include <wherry/core/error.hpp>
#include <wherry/core/result.hpp>

#include <ostream>
#include <sstream>
#include <utility>

namespace wherry::inline v0 {

char const* to_string(errc code) noexcept {
  switch (code) {
    case errc::invalid_argument: return "invalid_argument";
    case errc::not_found: return "not_found";
    case errc::already_exists: return "already_exists";
    case errc::unsupported: return "unsupported";
    case errc::parse_error: return "parse_error";
    case errc::corrupt_file: return "corrupt_file";
    case errc::io_failed: return "io_failed";
    case errc::cancelled: return "cancelled";
    case errc::deadline_exceeded: return "deadline_exceeded";
    case errc::limit_reached: return "limit_reached";
    case errc::queue_full: return "queue_full";
    case errc::would_block_loop: return "would_block_loop";
    case errc::needs_approval: return "needs_approval";
    case errc::denied: return "denied";
    case errc::context_overflow: return "context_overflow";
    case errc::model_failed: return "model_failed";
    case errc::model_refused_part: return "model_refused_part";
    case errc::output_invalid: return "output_invalid";
    case errc::budget_too_small: return "budget_too_small";
    case errc::schema_unsupported: return "schema_unsupported";
    case errc::tool_failed: return "tool_failed";
    case errc::script_mismatch: return "script_mismatch";
    case errc::conflict: return "conflict";
    case errc::store_busy: return "store_busy";
    case errc::store_damaged: return "store_damaged";
    case errc::store_failed: return "store_failed";
    case errc::disk_full: return "disk_full";
    case errc::internal: return "internal";
  }
  return "unknown";
}

namespace {

class category final : public std::error_category {
 public:
  char const* name() const noexcept override { return "wherry"; }
  std::string message(int value) const override { return to_string(static_cast<errc>(value)); }
};

bool retryable_by_nature(std::error_code code) {
  return code == make_error_code(errc::queue_full) || code == make_error_code(errc::conflict) ||
         code == make_error_code(errc::store_busy) || code == make_error_code(errc::disk_full) ||
         code == make_error_code(errc::deadline_exceeded);
}

}  // namespace

std::error_category const& error_category() noexcept {
  static category const instance;
  return instance;
}

std::error_code make_error_code(errc code) noexcept { return {static_cast<int>(code), error_category()}; }

error::error(errc c, std::string m, std::string w, std::string p)
    : error(make_error_code(c), std::move(m), std::move(w), std::move(p)) {}

error::error(std::error_code c, std::string m, std::string w, std::string p)
    : code(c),
      message(std::move(m)),
      where(std::move(w)),
      retryable(retryable_by_nature(c)),
      path(std::move(p)),
      unsaved() {}

std::ostream& operator<<(std::ostream& out, error const& e) {
  if (!e.where.empty()) out << e.where << ": ";
  out << (e.message.empty() ? e.code.message() : e.message);
  if (!e.path.empty()) out << " (" << e.path << ')';
  return out << " [" << e.code.message() << ']';
}

std::string to_string(error const& e) {
  std::ostringstream out;
  out << e;
  return std::move(out).str();
}

exception::exception(wherry::v0::error e) : std::runtime_error(to_string(e)), error_(std::move(e)) {}

void throw_exception_from_error(error const& e, boost::source_location const&) { throw exception(e); }

}  // namespace wherry::inline v0
