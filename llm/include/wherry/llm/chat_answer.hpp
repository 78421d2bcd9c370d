#pragma once
// The way back: what a model writes, read as text, reasoning and tool calls. How models write calls differs by family,
// so a family is a row of a table; the template in the model's file tells which row.

#include <wherry/core/result.hpp>
#include <wherry/llm/message.hpp>
#include <wherry/llm/model.hpp>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace wherry::inline v0 {

/// What an answer may contain. It must match what the prompt offered.
struct answer_options {
  bool tools = false;         ///< Tool calls.
  bool output = false;        ///< A final answer under a schema.
  bool free_text = true;      ///< Plain text beside the two; always allowed when both are off.
  bool in_reasoning = false;  ///< The prompt ended inside an opened block of reasoning.
};

/// An answer that has been read to its end.
struct chat_answer {
  std::string text;  ///< The text; the raw JSON of the final answer where is_output.
  std::string reasoning;
  std::vector<tool_call> calls;  ///< Arguments byte for byte as they came. Ids are empty: the caller gives them.
  bool is_output = false;
  friend bool operator==(chat_answer const&, chat_answer const&) = default;
};

using answer_event = std::variant<text_delta, reasoning_delta, tool_call_ready>;

namespace detail::chat {
class answer_reader;
}

/// A syntax of answers.
///
/// plain: with tools or an output schema one compact JSON object, {"tool":"NAME","arguments":{...}} or {"output":...};
/// else text. White space before the answer is dropped.
/// hermes (Hermes, Qwen): <tool_call>{"name": "NAME", "arguments": {...}}</tool_call> among text, <think>...</think>
/// before it. White space around the blocks is dropped.
struct answer_family {
  std::string_view name;
  /// Whether a template with this source teaches this syntax.
  bool (*taught_by)(std::string_view template_source);
  /// A call as the model writes it; `arguments` must be JSON.
  std::string (*call_text)(tool_call const& call);
  std::unique_ptr<detail::chat::answer_reader> (*reader)(answer_options const& options);
};

/// All rows. The first whose taught_by holds is the family of a template; "plain", the last, is for all others.
std::span<answer_family const> answer_families() noexcept;
answer_family const& family_of(std::string_view template_source) noexcept;

/// Reads an answer as it streams in. However the text is cut, the events join to the same answer. Not thread-safe.
class answer_parser {
 public:
  answer_parser(answer_family const& family, answer_options const& options);
  ~answer_parser();
  answer_parser(answer_parser&&) noexcept;
  answer_parser& operator=(answer_parser&&) noexcept;

  /// Takes more of the answer and returns what became certain. Deltas end on code points.
  /// Fails with: errc::model_failed naming the byte where the answer breaks its syntax; so does every later call.
  result<std::vector<answer_event>> push(std::string_view delta);

  /// Ends the answer. What was still held back is in the result.
  /// Fails with: errc::model_failed, also for a call that was cut off.
  result<chat_answer> finish();

  /// Everything pushed so far, as it came, also after a failure.
  std::string const& raw() const noexcept { return raw_; }

 private:
  std::unique_ptr<detail::chat::answer_reader> reader_;
  std::string raw_;
};

/// Reads a whole answer; the same as one push and finish.
result<chat_answer> parse_answer(std::string_view text, answer_family const& family, answer_options const& options);

}  // namespace wherry::inline v0
