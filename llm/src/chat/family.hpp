#pragma once
// What a row of the table of families holds. Most families differ in marks and in the form of a call only; those rows
// are data, read by one reader (tagged_reader.cpp), written by one writer (family_writing.cpp) and constrained by one
// maker of grammars (family_grammar.cpp). The others name a
// reader of their own.

#include <wherry/llm/chat_answer.hpp>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace wherry::inline v0::detail::chat {

using std::string_view;

/// How one call, or the whole section of calls, is written.
enum class call_form {
  json,        ///< {"name": ..., "arguments": {...}}, or an array of these.
  named,       ///< The name, a mark, then the arguments as a JSON object.
  parameters,  ///< The name, then each argument between marks, without quotes.
  gemma,       ///< call:NAME{key:value,...} with strings between marks.
  python,      ///< [name(key=value, ...), ...]
};

/// Blocks among text. Empty marks are absent.
struct tagged_syntax {
  struct block {
    string_view open = {};
    string_view close = {};
  };
  std::array<block, 2> reasoning = {};
  std::array<string_view, 4> ignored = {};  ///< Marks around text that are no part of it.

  call_form form = call_form::json;
  string_view section_open = {};  ///< Before the first call; where empty, call_open stands among text.
  string_view section_close = {};
  string_view call_open = {};  ///< Where empty, the section holds the one body.
  string_view call_close = {};
  bool open_is_text = false;  ///< The opener's last character already belongs to the body.
  bool bare = false;          ///< A body may stand at the very beginning of an answer, without opener: JSON or Python.

  // json
  string_view name_key = "name";
  string_view arguments_key = "arguments";
  bool name_is_key = false;       ///< {NAME: {...}}
  string_view no_call_name = {};  ///< A call of this name means that no tool is called.
  // named
  string_view head_end = {};  ///< What stands before it is no part of the name.
  string_view name_end = {};
  string_view id_open = {};         ///< Between name and name_end: the call's id.
  string_view arguments_open = {};  ///< Optional text around the arguments.
  string_view arguments_close = {};
  bool json_too = false;  ///< The body may also be of the json form.
  void (*split_name)(std::string& name, std::string& id) = nullptr;
  // parameters
  string_view key_open = {};
  string_view key_close = {};
  string_view value_open = {};  ///< Where empty the value follows key_close.
  string_view value_close = {};
  string_view string_flag = {};  ///< Behind the key, then true or false, then key_close: whether it is a text.
  // gemma
  string_view quote = {};
};

/// How an answer is written. In the texts, $name, $json_name, $id, $json_id, $index and one of the forms of arguments
/// ($arguments, $parameters, $gemma, $python) are replaced; all else is marks and text.
struct answer_layout {
  string_view reasoning = "<think>\n$reasoning\n</think>\n\n";  ///< Empty: the family has no reasoning.
  string_view text = "$text";
  string_view before_calls = "\n";  ///< Between text and calls.
  string_view open = {};
  string_view call = {};
  string_view between = {};
  string_view close = {};
  string_view parameter = {};         ///< $key and $value; for $parameters
  string_view string_parameter = {};  ///< For values that are texts; where empty, `parameter`.
};

struct family_row {
  string_view name;
  bool (*taught_by)(string_view template_source);
  tagged_syntax syntax = {};
  answer_layout layout = {};
  /// Readers of their own; otherwise tagged_reader.
  std::unique_ptr<answer_reader> (*reader)(family_row const& row, answer_options const& options) = nullptr;
  /// Marks that stand in no other field.
  std::array<string_view, 8> other_marks = {};
  /// Ends a message, but not the answer.
  string_view message_end = {};
};

std::span<family_row const> family_rows() noexcept;
/// The marks of a row, longest first.
std::vector<std::string> marks_of(family_row const& row);
/// The token that is this mark and nothing else: a control token, or one that a vocabulary defines beside its text.
std::optional<token_id> token_of_mark(tokenizer const& tokens, std::string_view mark);

std::unique_ptr<answer_reader> make_tagged_reader(family_row const& row, answer_options const& options);
std::unique_ptr<answer_reader> make_plain_reader(family_row const& row, answer_options const& options);
std::unique_ptr<answer_reader> make_harmony_reader(family_row const& row, answer_options const& options);
std::unique_ptr<answer_reader> make_recipient_reader(family_row const& row, answer_options const& options);

/// How the parts of an answer begin, as grammars write it.
struct answer_beginnings {
  std::string text;       ///< Empty: text has no mark of its own.
  std::string call;       ///< The first of them; empty where it begins with the tool's name.
  std::string reasoning;  ///< Empty: the family has none.
  std::string after_reasoning;
};
answer_beginnings beginnings_of(family_row const& row);
/// For answers whose text is under answer_options::constraint. `calls` reads those that are no text.
std::unique_ptr<answer_reader> make_constrained_reader(family_row const& row, answer_options const& options,
                                                       std::unique_ptr<answer_reader> calls);

/// A layout's text cut at its fields: literals, and fields with their leading $.
struct layout_part {
  std::string_view text;
  bool field = false;
};
std::vector<layout_part> layout_parts(std::string_view layout);

}  // namespace wherry::inline v0::detail::chat
