#pragma once
// Strict JSON in, exact JSON out. For .cpp files: this header brings all of nlohmann/json.

#include <wherry/core/json_fwd.hpp>
#include <wherry/core/result.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace wherry::inline v0 {

/// Deepest nesting parse_json accepts; deeper input is refused before it is parsed.
inline constexpr std::size_t json_depth_max = 512;

/// What a key means that stands twice in one object. RFC 8259 leaves it open, and peers disagree; so it is refused
/// unless the last one is asked for.
enum class repeated_keys { refuse, keep_last };

/// Parses one JSON document.
///
/// Stricter than most: duplicate keys, invalid UTF-8, nesting beyond json_depth_max and anything after the document
/// are errors. Integers beyond 64 bits keep their text (see is_big_integer).
/// Fails with: errc::parse_error; the message holds the byte offset.
result<json> parse_json(std::string_view text, repeated_keys repeated = repeated_keys::refuse);

/// Compact UTF-8 text of a value; the inverse of parse_json, big integers included.
/// Strings that are not valid UTF-8 are written with U+FFFD in place of each broken byte.
std::string to_text(json const& value);

/// Appends a JSON string, quotes included, as to_text writes it.
void append_json_string(std::string& out, std::string_view text);

/// True for an integer that did not fit 64 bits; its digits are big_integer_text(value).
bool is_big_integer(json const& value);
std::string big_integer_text(json const& value);

}  // namespace wherry::inline v0
