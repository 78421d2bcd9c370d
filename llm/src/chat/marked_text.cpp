#include "chat/marked_text.hpp"

#include <algorithm>
#include <cassert>

namespace wherry::inline v0::detail::chat {

marked_text::marked_text(std::string bytes, text_origin origin) : bytes_(std::move(bytes)) {
  if (!bytes_.empty()) runs_.push_back({bytes_.size(), origin});
}

bool marked_text::any_data() const noexcept {
  return std::any_of(runs_.begin(), runs_.end(), [](run const& r) { return r.origin == text_origin::from_data; });
}

text_origin marked_text::overall_origin() const noexcept {
  return any_data() ? text_origin::from_data : text_origin::from_template;
}

void marked_text::append(std::string_view more, text_origin origin) {
  if (more.empty()) return;
  bytes_ += more;
  if (!runs_.empty() && runs_.back().origin == origin)
    runs_.back().end = bytes_.size();
  else
    runs_.push_back({bytes_.size(), origin});
}

void marked_text::append(marked_text const& more) { append(more, 0, more.size()); }

void marked_text::append(marked_text const& other, std::size_t begin, std::size_t end) {
  assert(begin <= end && end <= other.size() && &other != this);
  for (auto r = other.run_at(begin); begin < end; ++r) {
    std::size_t const stop = std::min(r->end, end);
    append(std::string_view(other.bytes_).substr(begin, stop - begin), r->origin);
    begin = stop;
  }
}

marked_text marked_text::slice(std::size_t begin, std::size_t end) const {
  marked_text out;
  out.append(*this, begin, end);
  return out;
}

text_origin marked_text::origin_at(std::size_t offset) const {
  assert(offset < size());
  return run_at(offset)->origin;
}

std::vector<prompt_piece> marked_text::pieces() const {
  std::vector<prompt_piece> out;
  out.reserve(runs_.size());
  std::size_t begin = 0;
  for (auto const& r : runs_) {
    out.push_back({bytes_.substr(begin, r.end - begin), r.origin});
    begin = r.end;
  }
  return out;
}

std::vector<marked_text::run>::const_iterator marked_text::run_at(std::size_t offset) const {
  return std::upper_bound(runs_.begin(), runs_.end(), offset, [](std::size_t at, run const& r) { return at < r.end; });
}

}  // namespace wherry::inline v0::detail::chat
