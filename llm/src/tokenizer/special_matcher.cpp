#include "tokenizer/special_matcher.hpp"

#include <algorithm>
#include <queue>
#include <tuple>

namespace wherry::inline v0::detail {
namespace {

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::uint8_t byte_at(std::string_view text, std::size_t at) { return static_cast<std::uint8_t>(text[at]); }

}  // namespace

special_matcher::special_matcher(vocabulary const& vocab) {
  for (token_id id = 0; vocab.contains(id); ++id) {
    bool const special = vocab.is_special(id);
    if ((!special && vocab.kind(id) != token_kind::user_defined) || vocab.piece(id).empty()) continue;
    auto const& swallowing = vocab.swallows_space_after;
    entries_.push_back({vocab.piece(id), id, special, std::binary_search(swallowing.begin(), swallowing.end(), id)});
  }
  std::sort(entries_.begin(), entries_.end(),
            [](entry const& a, entry const& b) { return std::tie(a.text, a.id) < std::tie(b.text, b.id); });
  auto const same_text = [](entry const& a, entry const& b) { return a.text == b.text; };
  entries_.erase(std::unique(entries_.begin(), entries_.end(), same_text), entries_.end());
  for (auto const& e : entries_) ++first_byte_[byte_at(e.text, 0) + 1u];
  for (std::size_t b = 0; b < 256; ++b) first_byte_[b + 1] += first_byte_[b];
}

struct special_matcher::search {
  struct candidate {
    std::size_t begin;
    entry const* spelling;

    bool operator<(candidate const& other) const {  // the heap gives the greatest
      auto const length = spelling->text.size(), other_length = other.spelling->text.size();
      if (length != other_length) return length < other_length;
      if (spelling->id != other.spelling->id) return spelling->id > other.spelling->id;
      return begin > other.begin;
    }
  };

  special_matcher const& matcher;
  std::string_view text;
  std::vector<byte_range> const& permitted;
  std::span<std::string const> guarded;
  std::vector<bool> taken = std::vector<bool>(text.size());

  std::size_t permitted_end(std::size_t at) const {
    auto const after =
        std::upper_bound(permitted.begin(), permitted.end(), at,
                         [](std::size_t position, byte_range const& run) { return position < run.begin; });
    return after == permitted.begin() ? 0 : std::prev(after)->end;
  }

  bool needs_permission(entry const& e) const {
    return e.needs_permission || std::find(guarded.begin(), guarded.end(), e.text) != guarded.end();
  }

  // The longest spelling that begins at `begin`, touches nothing taken, and is permitted there.
  entry const* longest_at(std::size_t begin) const {
    auto const& entries = matcher.entries_;
    auto const lead = byte_at(text, begin);
    auto low = entries.begin() + matcher.first_byte_[lead];
    auto high = entries.begin() + matcher.first_byte_[lead + 1u];
    if (low == high) return nullptr;
    auto const limit = permitted_end(begin);
    entry const* longest = nullptr;
    for (std::size_t length = 1; low != high && !taken[begin + length - 1]; ++length) {
      // [low, high) share the first `length` bytes with the text; the one that ends here comes first.
      if (low->text.size() == length) {
        if (begin + length <= limit || !needs_permission(*low)) longest = &*low;
        ++low;
      }
      if (begin + length == text.size()) break;
      auto const next = byte_at(text, begin + length);
      low = std::partition_point(low, high, [&](entry const& e) { return byte_at(e.text, length) < next; });
      high = std::partition_point(low, high, [&](entry const& e) { return byte_at(e.text, length) == next; });
    }
    return longest;
  }

  special_match take(candidate const& found) {
    auto end = found.begin + found.spelling->text.size();
    if (found.spelling->swallows_space)
      while (end < text.size() && !taken[end] && is_space(text[end])) ++end;
    for (auto at = found.begin; at < end; ++at) taken[at] = true;
    return {{found.begin, end}, found.spelling->id};
  }
};

std::vector<special_match> special_matcher::find(std::string_view text, std::vector<byte_range> const& permitted,
                                                 std::span<std::string const> guarded) const {
  std::vector<special_match> matches;
  if (entries_.empty()) return matches;
  search state{*this, text, permitted, guarded};
  std::vector<search::candidate> candidates;
  for (std::size_t at = 0; at < text.size(); ++at)
    if (auto const* spelling = state.longest_at(at)) candidates.push_back({at, spelling});

  std::priority_queue<search::candidate> queue({}, std::move(candidates));
  while (!queue.empty()) {
    auto const best = queue.top();
    queue.pop();
    auto const* still = state.longest_at(best.begin);  // a longer neighbour may have taken a part since
    if (still == best.spelling)
      matches.push_back(state.take(best));
    else if (still)
      queue.push({best.begin, still});
  }
  std::sort(matches.begin(), matches.end(), [](auto const& a, auto const& b) { return a.bytes.begin < b.bytes.begin; });
  return matches;
}

}  // namespace wherry::inline v0::detail
