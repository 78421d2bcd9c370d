#pragma once
// The table by which SentencePiece normalises text (mostly NFKC), as its models carry it: 4 bytes of length, a trie of
// that many bytes in the format of the darts-clone library (32-bit units, little-endian), and the replacements, each
// ended by a zero byte. Every offset is checked, so a broken table can only normalise wrongly.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0::detail {

class charsmap {
 public:
  charsmap() = default;  // changes nothing

  // nullopt when the lengths do not fit.
  static std::optional<charsmap> parse(std::vector<std::int64_t> const& bytes);

  struct replacement {
    std::string_view text;     // lives as long as the table
    std::size_t consumed = 0;  // bytes of the input it stands for; 0: there is none
  };

  // What the longest entry at the beginning of text[at, ...) becomes.
  replacement find(std::string_view text, std::size_t at) const;

  bool empty() const noexcept { return units_.empty(); }

 private:
  std::vector<std::uint32_t> units_;
  std::string replacements_;
};

}  // namespace wherry::inline v0::detail
