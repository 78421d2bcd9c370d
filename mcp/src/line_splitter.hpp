#pragma once
// Messages one a line: bytes in, lines out. No I/O.

#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

namespace wherry::inline v0::mcp::detail {

/// Cuts a stream of bytes into lines. A line beyond the bound is dropped as it comes, without being kept.
class line_splitter {
 public:
  explicit line_splitter(std::size_t line_bytes_max) : max_(line_bytes_max) {}

  /// Takes bytes and calls line(std::string_view) for each whole line that is not blank, and too_long() once for each
  /// that was dropped. Views last until the call returns.
  template <class Line, class TooLong>
  void feed(std::string_view bytes, Line&& line, TooLong&& too_long) {
    while (!bytes.empty()) {
      auto const* const at = static_cast<char const*>(std::memchr(bytes.data(), '\n', bytes.size()));
      auto const piece = bytes.substr(0, at ? static_cast<std::size_t>(at - bytes.data()) : bytes.size());
      bytes.remove_prefix(piece.size() + (at ? 1 : 0));
      if (!dropping_ && begun_.size() + piece.size() > max_) {
        dropping_ = true;
        begun_.clear();
        begun_.shrink_to_fit();
        too_long();
      }
      if (dropping_) {
        if (at) dropping_ = false;
        continue;
      }
      if (!at) {
        begun_ += piece;
        return;
      }
      if (begun_.empty()) {
        give(piece, line);
      } else {
        begun_ += piece;
        give(begun_, line);
        if (begun_.capacity() > kept_bytes_max) {
          begun_.clear();
          begun_.shrink_to_fit();
        }
        begun_.clear();
      }
    }
  }
  /// What the stream ended with, without a line end.
  std::string const& rest() const noexcept { return begun_; }

 private:
  static constexpr std::size_t kept_bytes_max = 256 * 1024;

  template <class Line>
  static void give(std::string_view text, Line& line) {
    if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
    if (text.find_first_not_of(" \t") != std::string_view::npos) line(text);
  }

  std::size_t max_;
  std::string begun_;
  bool dropping_ = false;
};

}  // namespace wherry::inline v0::mcp::detail
