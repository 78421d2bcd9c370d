#include <wherry/core/text.hpp>
#include <wherry/http/sse.hpp>

#include <charconv>

namespace wherry::inline v0 {

result<void> sse_parser::fail(errc code, std::string message) {
  failed_ = true;
  return error{code, std::move(message), "sse_parser.feed"};
}

result<void> sse_parser::feed(std::string_view bytes) {
  if (failed_)
    return error{errc::invalid_argument, "the event stream has failed before; open a new one", "sse_parser.feed"};
  while (!bytes.empty()) {
    if (after_cr_) {
      after_cr_ = false;
      if (bytes.front() == '\n') {
        bytes.remove_prefix(1);
        continue;
      }
    }
    auto const end = bytes.find_first_of("\r\n");
    auto const piece = bytes.substr(0, end);
    if (line_.size() + piece.size() > limits_.line_bytes_max)
      return fail(errc::limit_reached, "a line of the event stream is longer than " +
                                           std::to_string(limits_.line_bytes_max) +
                                           " bytes (sse_limits::line_bytes_max)");
    if (end == std::string_view::npos) {
      line_ += piece;
      return {};
    }
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    auto taken = line_.empty() ? take_line(piece) : take_line(line_ += piece);
    line_.clear();
    if (!taken) return taken;
  }
  return {};
}

result<void> sse_parser::take_line(std::string_view line) {
  if (first_line_ && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
  first_line_ = false;
  if (line.empty()) {
    dispatch();
    return {};
  }
  auto const colon = line.find(':');
  if (colon == 0) return {};  // a comment
  auto const name = line.substr(0, colon);
  auto value = colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "data") {
    if (data_.size() + value.size() + 1 > limits_.event_bytes_max)
      return fail(errc::limit_reached, "an event's data is longer than " + std::to_string(limits_.event_bytes_max) +
                                           " bytes (sse_limits::event_bytes_max)");
    if (!is_valid_utf8(value)) return fail(errc::parse_error, "an event's data is not UTF-8");
    if (has_data_) data_ += '\n';
    data_ += value;
    has_data_ = true;
  } else if (name == "event") {
    type_ = value;
  } else if (name == "id") {
    if (value.find('\0') == std::string_view::npos) id_ = value;
  } else if (name == "retry") {
    std::int64_t ms = 0;
    auto const [end, ec] = std::from_chars(value.data(), value.data() + value.size(), ms);
    // Digits alone; a time too long for the type is as good as none.
    if (ec == std::errc{} && end == value.data() + value.size() && !value.starts_with('-'))
      retry_ = event_retry_ = std::chrono::milliseconds(ms);
  }
  return {};
}

void sse_parser::dispatch() {
  last_id_ = id_;
  if (has_data_)
    ready_.push_back({.data = std::move(data_), .type = std::move(type_), .id = last_id_, .retry = event_retry_});
  data_.clear();
  type_.clear();
  has_data_ = false;
  event_retry_.reset();
}

std::optional<sse_event> sse_parser::next() {
  if (ready_.empty()) return std::nullopt;
  auto event = std::move(ready_.front());
  ready_.pop_front();
  return event;
}

result<void> append_sse(std::string& out, sse_event const& event) {
  auto const one_line = [](std::string_view text) { return text.find_first_of("\r\n") == std::string_view::npos; };
  if (!one_line(event.type) || !one_line(event.id) || event.id.find('\0') != std::string::npos)
    return error{errc::invalid_argument, "type and id of an event must be one line, the id without NUL", "append_sse"};
  if (!event.type.empty()) ((out += "event: ") += event.type) += '\n';
  if (!event.id.empty()) ((out += "id: ") += event.id) += '\n';
  if (event.retry) ((out += "retry: ") += std::to_string(event.retry->count())) += '\n';
  std::string_view rest = event.data;
  for (;;) {
    auto const end = rest.find_first_of("\r\n");
    ((out += "data: ") += rest.substr(0, end)) += '\n';
    if (end == std::string_view::npos) break;
    rest.remove_prefix(rest.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
  }
  out += '\n';
  return {};
}

void append_sse_comment(std::string& out, std::string_view text) {
  out += ':';
  if (!text.empty()) out += ' ';
  for (char const c : text) out += c == '\r' || c == '\n' ? ' ' : c;
  out += "\n\n";
}

}  // namespace wherry::inline v0
