#pragma once
// Chat templates: the program that a model's file carries to turn a conversation into a prompt.
//
// The language is Jinja as Hugging Face runs it. What is ours is that every string remembers, byte by byte, whether it
// was written by the template or came from the conversation. A rendered prompt is therefore a list of pieces, and the
// tokenizer looks for control tokens only in the pieces the template wrote: a user who types "<|im_end|>" has typed
// eleven characters and ended no turn.

#include <wherry/core/clock.hpp>
#include <wherry/core/json_fwd.hpp>
#include <wherry/core/result.hpp>
#include <wherry/llm/message.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0 {

/// Who wrote a byte of a prompt.
enum class text_origin {
  from_template,  ///< The template, or the program: may spell control tokens.
  from_data,      ///< The conversation or anything computed from it: plain text, whatever it spells.
};

/// A run of prompt text with one origin.
struct prompt_piece {
  std::string text;
  text_origin origin = text_origin::from_template;
  friend bool operator==(prompt_piece const&, prompt_piece const&) = default;
};

/// The pieces joined: the prompt as any other renderer would give it.
std::string joined(std::span<prompt_piece const> pieces);

/// Longest template source that is accepted, in bytes.
inline constexpr std::size_t template_bytes_max = 1 << 20;
/// Deepest nesting of a template's statements and expressions.
inline constexpr std::size_t template_depth_max = 100;

/// How the filter "string" writes lists and dicts.
enum class container_style {
  as_python,  ///< ['a', True]: what Hugging Face's Python library shows to models in training.
  as_json,    ///< ["a", true]: what Hugging Face's JavaScript library writes instead.
};

struct render_options {
  /// Spelled by the program, hence template text. A context member of the same name is used when these are absent.
  std::optional<std::string> bos_token;
  std::optional<std::string> eos_token;
  /// End the prompt with the header of an assistant message. render_chat only.
  bool add_generation_prompt = true;
  /// What strftime_now reads, as UTC. Without one strftime_now is undefined, which templates test for.
  std::shared_ptr<wherry::v0::clock const> clock;
  /// A JSON object of further variables (enable_thinking, ...). They count as data. render_chat only.
  raw_json variables;
  /// The schema of the final answer, shown by the built-in template. render_chat only.
  std::optional<raw_json> output_schema;
  container_style containers = container_style::as_python;
  /// Evaluation steps before a template is stopped: nodes evaluated, loop iterations, and text copied (per 32 bytes).
  std::size_t steps_max = 4'000'000;
  /// Longest prompt, and longest single string, in bytes.
  std::size_t output_bytes_max = 32 << 20;
  /// Allow what Jinja's sandbox refuses and some published templates, written for other engines, do nevertheless:
  /// list.append and its like, setting members of dicts, from_json, generators used as lists. Otherwise such a template
  /// fails as it would in Python.
  bool lenient = false;
  /// Templates of what render_chat shows where a model's template has no place for it; absent: the built-in ones named
  /// tool_block_source and result_block_source. render_chat only.
  std::optional<std::string> tool_block = {};
  std::optional<std::string> result_block = {};
};

namespace detail::chat {
struct template_access;
}

/// A parsed template. A cheap copyable handle, immutable, thread-safe.
class chat_template {
 public:
  /// Parses a template.
  ///
  /// Fails with: errc::parse_error with line and column; errc::unsupported naming a statement, filter or test that is
  /// not part of the subset; errc::limit_reached beyond template_bytes_max or template_depth_max.
  static result<chat_template> parse(std::string source);

  /// Renders with a context, a JSON object of variables. Every string in it is data.
  ///
  /// Returns: the pieces in order, neighbours of one origin merged, none empty.
  /// Fails with: errc::invalid_argument with line and column, for a mistake that shows at run time and for the
  /// template's own raise_exception (the message holds its text); errc::limit_reached when a bound of the options ends
  /// it.
  result<std::vector<prompt_piece>> render(json const& context, render_options const& options = {}) const;

  /// The source as it was given.
  std::string const& source() const noexcept;

  struct impl;

 private:
  friend detail::chat::template_access;
  explicit chat_template(std::shared_ptr<impl const> parsed) : impl_(std::move(parsed)) {}
  std::shared_ptr<impl const> impl_;
};

/// The template used for a model whose file carries none. Its answers are read by the family of the same name. To
/// override it, parse another source.
extern std::string_view const plain_template_source;
chat_template const& plain_template();

/// Shown in the system message by render_chat where the model's own template does not show the tools: what they are
/// and, in `call_form`, how one is called in the syntax of the template's family. With `output_schema`, also how to
/// finish, in `output_form`. An empty rendering adds nothing.
extern std::string_view const tool_block_source;
/// Shown as a user message in place of `results` (name, content) where a template shows no tool messages.
extern std::string_view const result_block_source;

/// Renders a conversation with the context that Hugging Face's apply_chat_template builds: messages, tools (undefined
/// when there are none), add_generation_prompt, bos_token, eos_token. Roles count as template text, since they come
/// from a closed set; all else in a message or a tool is data.
///
/// A tool message with several results becomes one message per result. Arguments that are JSON are passed as a value,
/// others as a string. Citations and provider parts are not shown to the model.
///
/// Nothing is left out silently: calls that a template does not show are written into the message's text in the syntax
/// of its family (answer_family::replay); tools, the output schema and results are shown in blocks (see tool_block and
/// result_block); a system message that a template refuses stands before the first user message. When lenient, tools
/// that a template fails over are shown in the block too. Fails with: what chat_template::render fails with;
/// errc::model_refused_part for images, sound and files; errc::parse_error for an input_schema or variables that are
/// not JSON.
result<std::vector<prompt_piece>> render_chat(chat_template const& chat, std::span<message const> messages,
                                              std::span<tool_spec const> tools = {},
                                              render_options const& options = {});

}  // namespace wherry::inline v0
