#include "tokenizer/charsmap.hpp"

namespace wherry::inline v0::detail {
namespace {

// A unit of the trie: what it says depends on whether it is a node or the value of a key that ends there.
bool has_value(std::uint32_t unit) { return (unit >> 8 & 1) != 0; }
std::uint32_t value_of(std::uint32_t unit) { return unit & 0x7FFFFFFF; }
std::uint32_t label_of(std::uint32_t unit) { return unit & (0x80000000u | 0xFF); }  // a value's label fits no byte
std::uint32_t offset_of(std::uint32_t unit) { return (unit >> 10) << ((unit & (1u << 9)) >> 6); }

}  // namespace

std::optional<charsmap> charsmap::parse(std::vector<std::int64_t> const& bytes) {
  auto const byte = [&](std::size_t i) {
    return static_cast<std::uint8_t>(bytes[i]);
  };  // files have them signed or not
  auto const word = [&](std::size_t i) {
    return static_cast<std::uint32_t>(byte(i)) | static_cast<std::uint32_t>(byte(i + 1)) << 8 |
           static_cast<std::uint32_t>(byte(i + 2)) << 16 | static_cast<std::uint32_t>(byte(i + 3)) << 24;
  };
  charsmap map;
  if (bytes.empty()) return map;
  if (bytes.size() < 4) return std::nullopt;
  std::size_t const trie_bytes = word(0);
  if (trie_bytes % 4 != 0 || trie_bytes > bytes.size() - 4) return std::nullopt;
  for (std::size_t i = 4; i < 4 + trie_bytes; i += 4) map.units_.push_back(word(i));
  for (std::size_t i = 4 + trie_bytes; i < bytes.size(); ++i) map.replacements_ += static_cast<char>(byte(i));
  return map;
}

charsmap::replacement charsmap::find(std::string_view text, std::size_t at) const {
  replacement longest;
  if (units_.empty()) return longest;
  std::size_t place = offset_of(units_[0]);
  for (std::size_t i = at; i < text.size(); ++i) {
    auto const label = static_cast<std::uint8_t>(text[i]);
    place ^= label;
    if (place >= units_.size() || label_of(units_[place]) != label) break;
    auto const unit = units_[place];
    place ^= offset_of(unit);
    if (!has_value(unit)) continue;
    if (place >= units_.size()) break;
    auto const begin = value_of(units_[place]);
    if (begin >= replacements_.size()) break;
    auto const end = replacements_.find('\0', begin);
    longest.text = std::string_view(replacements_).substr(begin, end == std::string::npos ? end : end - begin);
    longest.consumed = i + 1 - at;
  }
  return longest;
}

}  // namespace wherry::inline v0::detail
