#pragma once
// What goes over the wire as content: blocks of a tool's result or a prompt, and what is in a resource. Plain values.

#include <wherry/core/json_fwd.hpp>
#include <wherry/core/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0::mcp {

/// An image a user interface may show beside a thing.
struct icon {
  std::string src;  ///< A URL or a data: URL.
  std::string mime_type = {};
  std::vector<std::string> sizes = {};  ///< "48x48" or "any".
  std::string theme = {};               ///< "light", "dark" or empty.
  friend bool operator==(icon const&, icon const&) = default;
};

/// Hints about who content is for.
struct annotations {
  std::vector<std::string> audience = {};  ///< "user", "assistant".
  std::optional<double> priority = {};     ///< 0 to 1.
  std::string last_modified = {};          ///< RFC 3339.
  friend bool operator==(annotations const&, annotations const&) = default;
};

/// What is in a resource: text, or bytes.
struct resource_contents {
  std::string uri;
  std::string mime_type = {};
  std::string data = {};  ///< UTF-8 text, or bytes when `binary`.
  bool binary = false;
  friend bool operator==(resource_contents const&, resource_contents const&) = default;
};

/// One block of content.
struct content {
  enum class kind_type {
    text,      ///< `data` is UTF-8.
    image,     ///< `data` is bytes of `mime_type`.
    audio,     ///< `data` is bytes of `mime_type`.
    link,      ///< A resource that is named and not contained: `resource.uri`, `name`, `description`.
    resource,  ///< A resource that is contained.
    other,     ///< A kind this library does not know; `source` is all there is.
  };
  kind_type kind = kind_type::text;
  std::string data = {};
  std::string mime_type = {};
  resource_contents resource = {};
  std::string name = {};
  std::string description = {};
  std::optional<mcp::annotations> notes = {};
  raw_json source = {};  ///< Of a block that was received: as it came, unknown members included. Else empty.

  static content text(std::string text);
  static content image(std::string bytes, std::string mime_type);
  static content audio(std::string bytes, std::string mime_type);
  static content link(std::string uri, std::string name, std::string description = {});
  static content embedded(resource_contents contents);
  friend bool operator==(content const&, content const&) = default;
};

/// What a tool gives: blocks for a model to read, and a value for a program. Both halves stand for the same thing.
struct call_result {
  std::vector<mcp::content> content = {};
  raw_json structured = {};  ///< A JSON value of the tool's output schema; empty for none.
  bool failed = false;       ///< The tool ran and says that it failed.
  raw_json meta = {};        ///< `_meta`, an object; empty for none.

  /// The text blocks, joined by line ends.
  std::string text() const;
  friend bool operator==(call_result const&, call_result const&) = default;
};

/// One message of a prompt, or of a conversation a server wants continued.
struct prompt_message {
  bool from_user = true;  ///< Else from the assistant.
  mcp::content content = {};
  friend bool operator==(prompt_message const&, prompt_message const&) = default;
};

/// A prompt, filled in.
struct prompt_result {
  std::vector<prompt_message> messages = {};
  std::string description = {};
};

/// A place on the client's side that a server may work in.
struct root {
  std::string uri;
  std::string name = {};
  friend bool operator==(root const&, root const&) = default;
};

/// Base64 (RFC 4648, section 4).
std::string to_base64(std::string_view bytes);
/// Strict: alphabet, padding and unused bits. Absent: not base64.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace wherry::inline v0::mcp
