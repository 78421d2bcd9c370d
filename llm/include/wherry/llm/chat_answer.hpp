#pragma once
// The families: how models write tool calls, reasoning and text. A family is a row of a table; the template in the
// model's file tells which. A row answers four questions:
//
//   taught_by   does this template teach this syntax?
//   parse       an answer, as it streams in, becomes text, reasoning and calls       (answer_parser)
//   replay      a message becomes the text a model would have written                (replay)
//   constrain   which answers are possible, as a grammar                             (constrain)
//
// How tools reach a prompt is the template's business; where a template shows none, render_chat puts them into a block
// of the system message (chat_template.hpp).

#include <wherry/core/result.hpp>
#include <wherry/llm/chat_template.hpp>
#include <wherry/llm/grammar.hpp>
#include <wherry/llm/message.hpp>
#include <wherry/llm/model.hpp>
#include <wherry/llm/tokenizer.hpp>

#include <memory>
#include <optional>
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
  /// Spellings that are control tokens of the model's vocabulary. They are recognised only when they are pushed as
  /// such; text that spells one is text. Empty: every mark of the family is recognised in text.
  std::vector<std::string> control = {};
  /// The tools offered. Families that write arguments without quotes look up in the schemas which are texts; without
  /// schemas an argument that reads as JSON is JSON.
  std::shared_ptr<std::vector<tool_spec> const> offered = {};
  std::size_t calls_max = 16;  ///< Calls in one answer, where the family can write several; for constrain().
  /// Text is in this language; null: any. It is read as it stands, its white space and what looks like marks included,
  /// and stands alone: an answer is this text or calls, after reasoning where the prompt began it or a control token
  /// does.
  std::shared_ptr<grammar::expr const> constraint = {};
};

/// An answer that has been read to its end.
struct chat_answer {
  std::string text;  ///< The text; the raw JSON of the final answer where is_output.
  std::string reasoning;
  /// Arguments byte for byte as they came where the family writes JSON, otherwise as JSON with the same values. Ids
  /// are the model's own where it wrote one; otherwise empty, and the caller gives them.
  std::vector<tool_call> calls;
  bool is_output = false;
  friend bool operator==(chat_answer const&, chat_answer const&) = default;
};

using answer_event = std::variant<text_delta, reasoning_delta, tool_call_ready>;

namespace detail::chat {
class answer_reader;
struct family_row;
}  // namespace detail::chat

/// A syntax of answers. White space around its blocks is dropped.
class answer_family {
 public:
  explicit constexpr answer_family(detail::chat::family_row const& row) noexcept : row_(&row) {}

  std::string_view name() const noexcept;
  /// Whether a template with this source teaches this syntax.
  bool taught_by(std::string_view template_source) const;
  /// The calls as the model writes them. Arguments that are not JSON are written as they are.
  std::string call_text(std::span<tool_call const> calls) const;
  /// What a model would have written to say this message: reasoning, text, calls. Marks of the family are template
  /// text, everything else is data.
  std::vector<prompt_piece> replay(message const& answer) const;
  /// The spellings that an answer's structure is made of and that may be control tokens of a vocabulary.
  std::vector<std::string> marks() const;
  /// The marks that are tokens of this vocabulary, control tokens or such as it defines beside those of its text (many
  /// models' <tool_call>): what answer_options::control wants, and what the vocabulary of a grammar has as control
  /// tokens.
  std::vector<std::string> control_marks(tokenizer const& tokens) const;
  /// True for a token that ends a message, but not the answer: an answer of this family may be several messages.
  bool goes_on_after(std::string_view spelling) const;
  /// True when a prompt that ends so has opened a block of reasoning.
  bool opens_reasoning(std::string_view prompt) const;

  /// How a call begins, where nothing but that tells it from a text under answer_options::constraint: no such text may
  /// begin so. nullopt where a control token or a mark of the text tells.
  std::optional<std::string> call_beginning_in_text(tokenizer const& tokens) const;

  /// The grammar of a whole answer: reasoning, then text and calls of these tools, or output of this schema. The prompt
  /// may show more than the answer may use; with tools that may not be called the grammar is that of text without
  /// calls. nullopt where there are neither tools nor an output schema nor a constraint: then the answer is free.
  std::optional<grammar::expr> constrain(std::span<tool_spec const> tools, std::optional<raw_json> const& output,
                                         answer_options const& may, tokenizer const& tokens) const;

  detail::chat::family_row const& row() const noexcept { return *row_; }
  friend bool operator==(answer_family, answer_family) = default;

 private:
  detail::chat::family_row const* row_;
};

/// All rows. The first whose taught_by holds is the family of a template; "plain", the last, is for all others.
std::span<answer_family const> answer_families() noexcept;
answer_family family_of(std::string_view template_source) noexcept;

/// Reads an answer as it streams in. However the text is cut, the events join to the same answer. Not thread-safe.
class answer_parser {
 public:
  answer_parser(answer_family family, answer_options const& options);
  ~answer_parser();
  answer_parser(answer_parser&&) noexcept;
  answer_parser& operator=(answer_parser&&) noexcept;

  /// Takes more of the answer and returns what became certain. Deltas end on code points.
  /// Fails with: errc::model_failed naming the byte where the answer breaks its syntax; so does every later call.
  result<std::vector<answer_event>> push(std::string_view delta);
  /// Takes a control token, by its spelling. One the family does not know is no part of the answer.
  result<std::vector<answer_event>> push_control(std::string_view spelling);

  /// Ends the answer. What was still held back is in the result. `cut_off` says that the model did not end it itself: a
  /// section of calls that was not closed is an error then.
  /// Fails with: errc::model_failed, always for a call that is not whole.
  result<chat_answer> finish(bool cut_off = false);

  /// Everything pushed so far, control tokens spelled out, also after a failure.
  std::string const& raw() const noexcept { return raw_; }

 private:
  std::unique_ptr<detail::chat::answer_reader> reader_;
  std::string raw_;
  bool is_output_or_calls_ = false;
};

/// Reads a whole answer; the same as one push and finish.
result<chat_answer> parse_answer(std::string_view text, answer_family family, answer_options const& options);

}  // namespace wherry::inline v0
