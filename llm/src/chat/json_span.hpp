#pragma once
// Finding JSON in a stream of bytes, and members in JSON, without losing the bytes as they came.

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace wherry::inline v0::detail::chat {

/// Follows the bytes of one JSON object or array. Only brackets and strings matter; validity is checked afterwards.
class json_scanner {
 public:
  /// Takes the next byte; true when it closed the outermost bracket.
  bool take(char byte) noexcept;
  /// True outside all brackets and strings.
  bool is_outside() const noexcept { return depth_ == 0 && !in_string_; }

 private:
  std::size_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
};

/// The bytes of a member's value. `object` must be a valid JSON object.
std::optional<std::string_view> raw_member(std::string_view object, std::string_view key);

/// The bytes of each item of a valid JSON array.
std::vector<std::string_view> raw_items(std::string_view array);

}  // namespace wherry::inline v0::detail::chat
