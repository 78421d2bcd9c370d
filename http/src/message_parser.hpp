#pragma once
// HTTP/1.1 messages from bytes. Beast decides what is well-formed; this file keeps it out of all the others, and keeps
// memory from one message of a connection to the next.

#include <wherry/http/fields.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace wherry::inline v0::detail {

enum class message_kind { request, response };

enum class message_problem {
  none,
  header_too_large,
  body_too_large,
  unsupported,  ///< A version or coding we do not speak.
  malformed,
  cut_short
};

class message_parser {
 public:
  message_parser(message_kind kind, std::size_t header_bytes_max, std::optional<std::uint64_t> body_bytes_max);
  ~message_parser();

  /// Ready for the next message. `no_body`: the answer to a HEAD request.
  void reset(bool no_body = false);

  /// Takes bytes; what is not taken must be offered again with more behind it. Body bytes are appended to body().
  std::size_t put(std::string_view bytes);
  /// The peer will send no more.
  void put_eof();

  message_problem problem() const noexcept { return problem_; }
  std::string const& detail() const noexcept { return detail_; }  ///< What was malformed.
  bool started() const noexcept { return started_; }
  bool head_done() const noexcept { return head_done_; }
  bool done() const noexcept { return done_; }
  bool keep_alive() const noexcept { return keep_alive_; }

  std::string_view method() const noexcept { return method_; }
  std::string_view target() const noexcept { return target_; }
  int status() const noexcept { return status_; }
  int version() const noexcept { return version_; }  ///< 10 or 11.
  http_fields& fields() noexcept { return fields_; }
  std::string& body() noexcept { return body_; }

 private:
  template <bool>
  friend class beast_parser;
  struct impl;

  void check_head();

  message_kind kind_;
  std::size_t header_bytes_max_;
  std::optional<std::uint64_t> body_bytes_max_;
  message_problem problem_ = message_problem::none;
  std::string detail_;
  bool started_ = false, head_done_ = false, done_ = false, keep_alive_ = false, chunked_ = false;
  std::uint64_t chunk_left_ = 0;
  int status_ = 0, version_ = 11;
  std::string method_, target_, body_;
  http_fields fields_;
  std::unique_ptr<impl> impl_;
};

}  // namespace wherry::inline v0::detail
