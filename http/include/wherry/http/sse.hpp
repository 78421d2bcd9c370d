#pragma once
// Server-sent events (the event-stream format of the HTML standard): a parser and a writer that touch no socket.

#include <wherry/core/result.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace wherry::inline v0 {

/// One event. In what is written, empty id and type are left out; in what is read, the type of an event that named none
/// is empty (it means "message").
struct sse_event {
  std::string data;
  std::string type;
  std::string id;  ///< Read: the last id of the stream so far, also from earlier events.
  std::optional<std::chrono::milliseconds> retry;  ///< How long to wait before reconnecting, where it was said.

  friend bool operator==(sse_event const&, sse_event const&) = default;
};

struct sse_limits {
  std::size_t line_bytes_max = 16u << 20;   ///< One line; an event's data may come in one.
  std::size_t event_bytes_max = 16u << 20;  ///< Data of one event.
};

/// Reads an event stream piece by piece. No I/O; pieces may be cut anywhere, in a code point or between CR and LF.
///
/// Source: HTML Living Standard, 9.2.6. Comments are skipped. An event without any data line is not dispatched, but its
/// id and retry count (last_event_id, retry). What is unfinished at the end of a stream is dropped, as the standard
/// says.
class sse_parser {
 public:
  explicit sse_parser(sse_limits limits = {}) : limits_(limits) {}

  /// Takes the next bytes of the stream.
  /// Fails with: errc::limit_reached for a line or event beyond its bound; errc::parse_error for data that is not
  /// UTF-8. After a failure the parser takes no more.
  result<void> feed(std::string_view bytes);

  /// The next whole event; nullopt when more bytes are needed.
  std::optional<sse_event> next();

  /// What a reconnecting client sends as Last-Event-ID; empty when there was none.
  std::string const& last_event_id() const noexcept { return last_id_; }
  /// The stream's latest reconnection time.
  std::optional<std::chrono::milliseconds> retry() const noexcept { return retry_; }

 private:
  result<void> take_line(std::string_view line);
  result<void> fail(errc code, std::string message);
  void dispatch();

  sse_limits limits_;
  std::string line_;  // the beginning of a line whose end has not come
  std::string data_, type_, id_, last_id_;
  bool has_data_ = false, after_cr_ = false, failed_ = false, first_line_ = true;
  std::optional<std::chrono::milliseconds> retry_, event_retry_;
  std::deque<sse_event> ready_;
};

/// Appends an event as text. Line ends within data become several data lines.
/// Fails with: errc::invalid_argument when type or id hold a line end, or id a NUL.
result<void> append_sse(std::string& out, sse_event const& event);

/// Appends a comment: what keeps an idle stream from being taken for dead. Line ends become spaces.
void append_sse_comment(std::string& out, std::string_view text = {});

}  // namespace wherry::inline v0
