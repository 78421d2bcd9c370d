#pragma once
// The vocabulary of a conversation: messages made of typed parts. Plain values: comparable, printable, serialisable.

#include <wherry/core/json_fwd.hpp>
#include <wherry/core/result.hpp>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace wherry::inline v0 {

enum class role { system, user, assistant, tool };
char const* to_string(role r) noexcept;

/// Plain text.
struct text_part {
  std::string text;
  friend bool operator==(text_part const&, text_part const&) = default;
};

/// The model's reasoning, kept apart from its answer. `signature` is a provider's seal over it, byte for byte.
struct reasoning_part {
  std::string text;
  std::string signature;
  friend bool operator==(reasoning_part const&, reasoning_part const&) = default;
};

/// A call the model asked for. `arguments` is the text as the model wrote it; it may be broken JSON until the tool
/// boundary has checked it.
struct tool_call {
  std::string id;
  std::string name;
  std::string arguments;
  friend bool operator==(tool_call const&, tool_call const&) = default;
};

/// What came back from a call. A failed tool is a result, not an error: the model gets to see it.
struct tool_result {
  std::string call_id;
  std::string name;
  std::string content;
  bool failed = false;
  friend bool operator==(tool_result const&, tool_result const&) = default;
};

/// An image: bytes with a media type, or a reference in `uri`.
struct image_part {
  std::string media_type;
  std::string bytes;
  std::string uri;
  friend bool operator==(image_part const&, image_part const&) = default;
};

/// Sound: bytes with a media type, or a reference in `uri`.
struct audio_part {
  std::string media_type;
  std::string bytes;
  std::string uri;
  friend bool operator==(audio_part const&, audio_part const&) = default;
};

/// Any other file.
struct file_part {
  std::string name;
  std::string media_type;
  std::string bytes;
  std::string uri;
  friend bool operator==(file_part const&, file_part const&) = default;
};

/// A claim with its source: a half-open byte span of a document, identified by its content hash.
struct citation_part {
  std::string text;
  std::string source;
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string source_hash;
  friend bool operator==(citation_part const&, citation_part const&) = default;
};

/// Something only a provider understands. It goes back to that provider byte for byte and is never looked into.
struct provider_part {
  std::string provider;
  std::string bytes;
  friend bool operator==(provider_part const&, provider_part const&) = default;
};

using content_part = std::variant<text_part, reasoning_part, tool_call, tool_result, image_part, audio_part, file_part,
                                  citation_part, provider_part>;

/// The kinds of content_part, in the order of its alternatives.
enum class part_kind { text, reasoning, tool_call, tool_result, image, audio, file, citation, provider };
inline part_kind kind_of(content_part const& part) noexcept { return static_cast<part_kind>(part.index()); }
char const* to_string(part_kind kind) noexcept;

/// One message of a conversation.
struct message {
  wherry::v0::role role = role::user;
  std::vector<content_part> parts;

  static message system(std::string text) { return {role::system, {text_part{std::move(text)}}}; }
  static message user(std::string text) { return {role::user, {text_part{std::move(text)}}}; }
  static message assistant(std::string text) { return {role::assistant, {text_part{std::move(text)}}}; }

  /// The text parts joined; reasoning and other kinds are left out.
  std::string text() const;
  /// The tool calls, in order.
  std::vector<tool_call> tool_calls() const;

  friend bool operator==(message const&, message const&) = default;
};

/// The JSON form of a message (version 1): {"role":…,"parts":[{"type":…}]}. Bytes are base64; the inverse is exact.
json to_json(message const& m);
result<message> message_from_json(json const& j);
/// The compact text of to_json(m), written directly.
std::string to_json_text(message const& m);

/// {"id","name","arguments"}: a call by itself, as events, journals and approvals show it. Bytes that are not UTF-8
/// become U+FFFD; only a message keeps them exactly.
json to_json(tool_call const& call);
/// {"call_id","name","content","failed"}, likewise.
json to_json(tool_result const& r);

/// A tool as a model sees it.
struct tool_spec {
  std::string name;
  std::string description;
  raw_json input_schema;  ///< JSON Schema of the arguments; always an object schema.
  friend bool operator==(tool_spec const&, tool_spec const&) = default;
};

}  // namespace wherry::inline v0
