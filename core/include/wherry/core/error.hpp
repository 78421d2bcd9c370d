#pragma once
// Errors are values. An operation that the world can refuse returns result<T>; error says what was attempted, on what,
// what went wrong and what to do next. Exceptions are for programmers' mistakes and for those who call .value().

#include <iosfwd>
#include <stdexcept>
#include <string>
#include <system_error>

namespace wherry::inline v0 {

/// What went wrong, as far as a caller may want to tell it apart. Foreign codes (Asio, errno) are kept as they are in
/// error::code and compare equal to the generic condition they map to.
enum class errc {
  invalid_argument = 1,  ///< A parameter is outside what the function accepts. Trying again cannot help.
  not_found,             ///< The named thing does not exist.
  already_exists,        ///< The name is taken.
  unsupported,           ///< A well-formed request for something this build, model or file cannot do.
  parse_error,           ///< Text that is not what it claims to be (JSON, template, schema).
  corrupt_file,          ///< A file on disk breaks its own format.
  io_failed,             ///< The operating system refused to read or write.
  cancelled,             ///< The caller cancelled; history stays valid.
  deadline_exceeded,     ///< The deadline passed; history stays valid. Trying again with more time may help.
  limit_reached,         ///< A declared limit (steps, tokens, tool calls, size) ended the work.
  queue_full,            ///< A bounded queue had no room. Trying again later helps.
  would_block_loop,      ///< A blocking call on a thread that runs the event loop; the message names the async form.
  needs_approval,        ///< A pause, not a failure: session.pending() lists the calls.
  denied,                ///< A policy said no.
  context_overflow,      ///< The request does not fit the model's context.
  model_failed,          ///< The model broke off or answered nonsense on the wire.
  model_refused_part,    ///< The model cannot take a content part; the message names it.
  output_invalid,        ///< The final output does not match its type.
  budget_too_small,      ///< The shortest valid answer is longer than the token budget.
  schema_unsupported,    ///< A JSON Schema that cannot be compiled; the message names keyword and path.
  tool_failed,           ///< A tool could not be declared or dispatched.
  script_mismatch,       ///< A scripted model was asked too often, or left with unused lines.
  conflict,              ///< An expected sequence number or version did not match; read again and retry.
  store_busy,            ///< The store is open in another process; the message names path and pid.
  store_damaged,         ///< The store lacks data it once acknowledged, or a checksum failed.
  store_failed,          ///< A commit did not reach the disk. The unsaved answer is attached where there is one.
  disk_full,             ///< No space left; nothing was acknowledged. Trying again after making room helps.
  internal,              ///< A bug in wherry. Please report it.
};

/// The category of errc; its name is "wherry".
std::error_category const& error_category() noexcept;
std::error_code make_error_code(errc code) noexcept;

/// The word of an errc value as it stands in the enumeration ("not_found").
char const* to_string(errc code) noexcept;

/// What went wrong, told to a reader. A value: copyable, comparable by code.
struct error {
  std::error_code code;    ///< errc, or the foreign code as it came.
  std::string message;     ///< One or two sentences: what was attempted, what went wrong, what to do.
  std::string where;       ///< Room and operation, e.g. "gguf.open".
  bool retryable = false;  ///< Whether the same call may succeed later.
  std::string path;        ///< The file, JSON pointer or name concerned; empty where there is none.
  std::string unsaved;     ///< With errc::store_failed: the answer that did not reach the disk, as JSON.

  error() = default;
  error(errc code, std::string message, std::string where = {}, std::string path = {});
  error(std::error_code code, std::string message, std::string where = {}, std::string path = {});

  /// True when the code is the given errc.
  bool is(errc value) const noexcept { return code == make_error_code(value); }
};

/// Prints "where: message (path) [code]".
std::ostream& operator<<(std::ostream& out, error const& e);
std::string to_string(error const& e);

/// Thrown by result<T>::value() when there is none. Carries the error.
class exception : public std::runtime_error {
 public:
  explicit exception(wherry::v0::error e);
  wherry::v0::error const& error() const noexcept { return error_; }

 private:
  wherry::v0::error error_;
};

}  // namespace wherry::inline v0

template <>
struct std::is_error_code_enum<wherry::errc> : std::true_type {};
