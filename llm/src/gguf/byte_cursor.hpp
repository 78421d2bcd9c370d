#pragma once
// Reads a file image forward. The first read that does not fit fails the cursor: it keeps the reason and the byte, and
// from then on every read gives zero, so that callers check once per record rather than once per field.

#include <concepts>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace wherry::inline v0::detail {

class byte_cursor {
 public:
  explicit byte_cursor(std::span<std::uint8_t const> bytes, std::uint64_t at = 0) noexcept : bytes_(bytes), at_(at) {}

  std::uint64_t at() const noexcept { return at_; }
  std::uint64_t remaining() const noexcept { return at_ < bytes_.size() ? bytes_.size() - at_ : 0; }
  bool failed() const noexcept { return !failure_.empty(); }
  std::string const& failure() const noexcept { return failure_; }

  void fail(std::string reason) {
    if (!failed()) failure_ = std::move(reason) + " (at byte " + std::to_string(at_) + ")";
  }

  // The next value of a plain type; `what` names it in the failure.
  template <class T>
    requires std::is_trivially_copyable_v<T>
  T take(char const* what) {
    T value{};
    if (!can_take(sizeof(T), what)) return value;
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }

  // A string with a 64-bit length in front.
  std::string_view take_string(std::uint64_t bytes_max, char const* what) {
    auto const length = take_count(bytes_max, 1, what);
    if (failed()) return {};
    std::string_view const text(reinterpret_cast<char const*>(bytes_.data()) + at_, length);
    at_ += length;
    return text;
  }

  // A 64-bit count of things that take at least `bytes_each` bytes: refused when above `max` or beyond what is left.
  std::uint64_t take_count(std::uint64_t max, std::uint64_t bytes_each, char const* what) {
    auto const count = take<std::uint64_t>(what);
    if (failed()) return 0;
    if (count > max) {
      fail(std::string(what) + " is " + std::to_string(count) + ", more than the " + std::to_string(max) + " accepted");
    } else if (count > remaining() / bytes_each) {
      fail(std::string(what) + " is " + std::to_string(count) + ", but only " + std::to_string(remaining()) +
           " bytes follow");
    }
    return failed() ? 0 : count;
  }

  void skip(std::uint64_t bytes, char const* what) {
    if (can_take(bytes, what)) at_ += bytes;
  }

 private:
  bool can_take(std::uint64_t bytes, char const* what) {
    if (failed()) return false;
    if (bytes > remaining()) fail(std::string("the file ends inside ") + what);
    return !failed();
  }

  std::span<std::uint8_t const> bytes_;
  std::uint64_t at_;
  std::string failure_;
};

}  // namespace wherry::inline v0::detail
