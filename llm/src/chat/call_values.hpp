#pragma once
// Arguments that are not written as JSON, and back: Python literals, Gemma's notation, bare parameters.

#include <wherry/core/json.hpp>
#include <wherry/llm/message.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0::detail::chat {

/// Calls read from a text, or why it holds none.
struct read_calls {
  std::vector<tool_call> calls;
  std::string problem;  ///< Empty: all went well.
};

/// [name(key=value, ...), ...], or a single call without brackets. Values are literals of Python or JSON.
read_calls calls_from_python(std::string_view text);
/// A literal of Python or JSON as JSON; nullopt where it is neither.
std::optional<json> python_literal(std::string_view text);
/// JSON as a Python literal.
std::string python_text(json const& value);

/// Follows the bytes of one bracketed Python expression; strings count as such.
class python_scanner {
 public:
  /// Takes the next byte; true when it closed the outermost bracket.
  bool take(char byte) noexcept;

 private:
  std::size_t depth_ = 0;
  char quote_ = 0;
  bool escaped_ = false;
};

/// Gemma's {key:value,...}, where texts were told apart by marks.
class gemma_reader {
 public:
  /// A byte outside or inside a text.
  void take(char byte);
  /// The mark around texts.
  void quote();
  bool in_text() const noexcept { return in_text_; }
  /// True when the outermost brace was closed.
  bool done() const noexcept { return done_; }
  /// The object as JSON text, or nullopt when it is none.
  std::optional<std::string> object() const;

 private:
  void end_word();

  std::string json_;
  std::string word_;  // an unquoted key or value being read
  std::string text_;
  std::string brackets_;
  bool in_text_ = false;
  bool done_ = false;
  bool broken_ = false;
};
/// JSON in Gemma's notation.
std::string gemma_text(json const& value, std::string_view quote);

/// The value of a bare parameter. `is_text`: what the model said about it. Otherwise the schema of the tool decides
/// between the ways to read it (JSON, a Python literal, text): the first that it allows. Where it allows none, or there
/// is no schema, it is the first that reads.
json bare_value(std::string_view text, std::optional<bool> is_text, std::vector<tool_spec> const* offered,
                std::string_view tool, std::string_view key);

/// {"key": value, ...} in Python's spacing.
class arguments_writer {
 public:
  /// False when the key is there already.
  bool add(std::string_view key, json const& value);
  std::string text() const { return "{" + members_ + "}"; }

 private:
  std::vector<std::string> keys_;
  std::string members_;
};

/// JSON text with ", " and ": " between, as json.dumps writes it.
std::string spaced_json(json const& value);

}  // namespace wherry::inline v0::detail::chat
