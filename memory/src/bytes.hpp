#pragma once
// How values are put together: big-endian integers, length-prefixed text, a CRC-32 of everything before it at the end.

#include <wherry/core/hash.hpp>
#include <wherry/core/id.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wherry::inline v0::memory_detail {

template <class T>
void put_be(std::string& out, T value) {
  std::array<char, sizeof(T)> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * (bytes.size() - 1 - i)));
  out.append(bytes.data(), bytes.size());
}

inline void put_text(std::string& out, std::string_view text) {
  put_be(out, static_cast<std::uint32_t>(text.size()));
  out += text;
}

/// Ends a value with its checksum.
inline void seal(std::string& value) { put_be(value, crc32(value)); }

/// Reads what the functions above wrote. After the first short read everything is zero or empty and ok() is false.
class byte_reader {
 public:
  explicit byte_reader(std::string_view bytes) : rest_(bytes) {}

  /// A reader of a sealed value's body; not ok() when the checksum does not match.
  static byte_reader unseal(std::string_view value) {
    if (value.size() < 4) return broken();
    byte_reader tail(value.substr(value.size() - 4));
    auto const body = value.substr(0, value.size() - 4);
    return tail.be<std::uint32_t>() == crc32(body) ? byte_reader(body) : broken();
  }

  template <class T>
  T be() {
    std::uint64_t value = 0;
    for (char const c : take(sizeof(T))) value = value << 8 | static_cast<std::uint8_t>(c);
    return static_cast<T>(value);
  }
  ulid id() {
    ulid out;
    take(out.bytes.size()).copy(reinterpret_cast<char*>(out.bytes.data()), out.bytes.size());
    return out;
  }
  std::string text() { return std::string(take(be<std::uint32_t>())); }
  std::string_view take(std::size_t count) {
    if (rest_.size() < count) ok_ = false;
    if (!ok_) return {};
    auto const out = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return out;
  }
  std::string_view rest() { return take(rest_.size()); }
  /// True when everything asked for was there and nothing is left over.
  bool complete() const { return ok_ && rest_.empty(); }
  bool ok() const { return ok_; }

 private:
  static byte_reader broken() {
    byte_reader reader({});
    reader.ok_ = false;
    return reader;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace wherry::inline v0::memory_detail
