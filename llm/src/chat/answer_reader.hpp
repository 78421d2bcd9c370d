#pragma once
// What the readers of all families share: they see one byte or one control token at a time, so that no cut can make a
// difference, and write into one answer and one list of events.

#include "chat/family.hpp"
#include "chat/json_span.hpp"

#include <wherry/llm/chat_answer.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0::detail::chat {

inline constexpr std::string_view white_space = " \t\r\n";
inline bool is_white(char c) noexcept { return white_space.find(c) != std::string_view::npos; }
/// Without white space at both ends.
std::string trimmed(std::string_view text);

/// How a call looks as a JSON object.
struct call_members {
  std::string_view name = "name";
  std::string_view arguments = "arguments";
  bool name_is_key = false;            ///< {NAME: {...}}
  bool strict = false;                 ///< No members beside the two.
  std::string_view no_call_name = {};  ///< A call of this name is none.
};

class answer_reader {
 public:
  virtual ~answer_reader() = default;

  void push(std::string_view delta);
  void push_control(std::string_view spelling);
  void finish(bool cut_off);
  /// The events since the last call.
  std::vector<answer_event> take_events();
  std::optional<error> const& failure() const noexcept { return failure_; }
  chat_answer const& answer() const noexcept { return answer_; }

 protected:
  virtual void take(char byte) = 0;
  /// A control token. By default it is no part of the answer.
  virtual void take_control(std::string_view spelling);
  virtual void end() = 0;
  /// The answer did not end by itself.
  bool cut_off() const noexcept { return cut_off_; }
  /// Bytes taken but not yet looked at: an error lies before them.
  virtual std::size_t bytes_held() const { return 0; }

  /// A block of text or reasoning begins. White space around it is dropped; between two blocks of a kind stands one
  /// line break.
  void begin_prose();
  void take_prose(char byte, bool reasoning);
  /// Nothing of the block was seen yet, white space apart.
  bool prose_begins() const noexcept { return begins_; }

  void add_text(std::string_view text);
  void add_reasoning(std::string_view text);
  void add_call(tool_call call);
  /// A whole JSON object, or an array of them.
  void add_calls(std::string_view value, call_members const& members);
  /// The text was the output.
  void end_output();
  void broken(std::string const& what);

 private:
  void flush(bool everything);
  void add_object(std::string_view object, call_members const& members);

  chat_answer answer_;
  std::string pending_text_;  // not yet in an event
  std::string pending_reasoning_;
  std::vector<answer_event> events_;
  std::optional<error> failure_;
  std::size_t offset_ = 0;
  bool cut_off_ = false;
  bool begins_ = true;
  std::string space_;  // white space that is dropped if the block ends here
};

/// A reader that looks for marks. A mark is spelled in bytes, control tokens, or both; where a vocabulary has a control
/// token of that spelling, bytes do not make one.
class mark_reader : public answer_reader {
 protected:
  using mark = std::size_t;
  static constexpr mark no_mark = static_cast<mark>(-1);

  explicit mark_reader(answer_options const& options) : control_(options.control) {}
  /// A mark to look for; no_mark for an empty spelling.
  mark add_mark(std::string_view spelling);
  /// Looks for these marks from here on, and no others.
  void watch(std::vector<mark> marks);
  /// True when the mark holds a control token, so that no text can spell it.
  bool is_control(mark m) const;

  /// A byte that belongs to no mark looked for.
  virtual void on_byte(char byte) = 0;
  virtual void on_mark(mark m) = 0;
  /// A control token that belongs to no mark looked for. By default it is no part of the answer.
  virtual void on_control(std::string_view spelling);
  virtual void at_end() = 0;

 private:
  using unit = std::uint16_t;  // a byte, or 256 + the index of a control token; one more for those not known
  static constexpr unit first_control = 256;
  static constexpr unit unknown_control = 0xFFFF;

  void take(char byte) final { take_unit(static_cast<unsigned char>(byte)); }
  void take_control(std::string_view spelling) final;
  void end() final;
  std::size_t bytes_held() const final;
  void take_unit(unit u);
  void settle(bool everything);

  std::vector<std::string> control_;
  std::vector<std::vector<unit>> marks_;
  std::vector<mark> watched_;
  std::vector<unit> held_;
};

}  // namespace wherry::inline v0::detail::chat
