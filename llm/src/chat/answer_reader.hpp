#pragma once
// What the readers of all families share: they see one byte at a time, so that no cut can make a difference, and write
// into one answer and one list of events.

#include "chat/json_span.hpp"

#include <wherry/llm/chat_answer.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0::detail::chat {

class answer_reader {
 public:
  virtual ~answer_reader() = default;

  void push(std::string_view delta);
  void finish();
  /// The events since the last call.
  std::vector<answer_event> take_events();
  std::optional<error> const& failure() const noexcept { return failure_; }
  chat_answer const& answer() const noexcept { return answer_; }

 protected:
  virtual void take(char byte) = 0;
  virtual void end() = 0;

  void add_text(std::string_view text);
  void add_reasoning(std::string_view text);
  /// A whole object {name_key: "...", "arguments": {...}}.
  void add_call(std::string_view object, std::string_view name_key);
  /// A whole object {"output": ...}.
  void add_output(std::string_view object);
  void broken(std::string const& what);

 private:
  void flush(bool everything);

  chat_answer answer_;
  std::string pending_text_;  // not yet in an event
  std::string pending_reasoning_;
  std::vector<answer_event> events_;
  std::optional<error> failure_;
  std::size_t offset_ = 0;
};

std::unique_ptr<answer_reader> make_plain_reader(answer_options const& options);
std::unique_ptr<answer_reader> make_hermes_reader(answer_options const& options);

}  // namespace wherry::inline v0::detail::chat
