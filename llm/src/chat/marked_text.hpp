#pragma once
// Text that knows who wrote each of its bytes: the bytes, and the runs of equal origin that cover them. Every string a
// template touches is one of these, and every operation on strings is built from append() and slice(), which keep the
// origins. Nothing else may make text out of text.

#include <wherry/llm/chat_template.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0::detail::chat {

class marked_text {
 public:
  marked_text() = default;
  marked_text(std::string bytes, text_origin origin);

  std::string const& bytes() const noexcept { return bytes_; }
  std::size_t size() const noexcept { return bytes_.size(); }
  bool empty() const noexcept { return bytes_.empty(); }

  /// True when any byte came from data.
  bool any_data() const noexcept;
  /// from_data when any byte came from data: the origin of what is computed from this text.
  text_origin overall_origin() const noexcept;

  void append(marked_text const& more);
  void append(std::string_view more, text_origin origin);
  /// Appends the bytes [begin, end) of another text.
  void append(marked_text const& other, std::size_t begin, std::size_t end);
  marked_text slice(std::size_t begin, std::size_t end) const;

  /// The origin of the byte at an offset below size().
  text_origin origin_at(std::size_t offset) const;

  /// One piece per run.
  std::vector<prompt_piece> pieces() const;

 private:
  struct run {
    std::size_t end;
    text_origin origin;
  };
  std::vector<run>::const_iterator run_at(std::size_t offset) const;

  std::string bytes_;
  std::vector<run> runs_;  // ends ascend, neighbours differ in origin, the last end is bytes_.size()
};

}  // namespace wherry::inline v0::detail::chat
