#include "grammar/token_trie.hpp"

#include <algorithm>

namespace wherry::inline v0 {
namespace grammar {

token_trie::token_trie(std::vector<std::string> const& bytes, std::vector<token_id> ids) : order_(std::move(ids)) {
  auto const text = [&bytes](token_id id) -> std::string const& { return bytes[static_cast<std::size_t>(id)]; };
  std::sort(order_.begin(), order_.end(), [&](token_id a, token_id b) {
    int const order = text(a).compare(text(b));
    return order != 0 ? order < 0 : a < b;
  });
  std::vector<std::uint32_t> path{root};  // nodes from the root to the last one made
  nodes_.emplace_back();
  auto const close_to = [&](std::size_t depth) {
    for (; path.size() > depth + 1; path.pop_back()) nodes_[path.back()].end = size();
  };
  std::string_view previous;
  for (std::uint32_t i = 0; i < order_.size(); ++i) {
    std::string_view const current = text(order_[i]);
    longest_ = std::max(longest_, current.size());
    auto const shared = static_cast<std::size_t>(
        std::mismatch(current.begin(), current.end(), previous.begin(), previous.end()).first - current.begin());
    close_to(shared);
    for (std::size_t depth = shared; depth < current.size(); ++depth) {
      path.push_back(size());
      nodes_.push_back({.tokens = i,
                        .depth = static_cast<std::uint16_t>(depth + 1),
                        .byte = static_cast<std::uint8_t>(current[depth])});
    }
    ++nodes_[path.back()].token_count;
    previous = current;
  }
  close_to(0);
  nodes_[root].end = size();
  first_level_.fill(none);
  for (std::uint32_t at = 1; at < size(); at = nodes_[at].end) first_level_[nodes_[at].byte] = at;
}

std::uint32_t token_trie::child(std::uint32_t index, std::uint8_t byte) const {
  if (index == root) return first_level_[byte];
  for (std::uint32_t at = index + 1; at < nodes_[index].end; at = nodes_[at].end) {
    if (nodes_[at].byte >= byte) return nodes_[at].byte == byte ? at : none;
  }
  return none;
}

text_summary summarise(text_automaton const& automaton, text_automaton::state from, token_trie const& trie,
                       std::size_t mask_words) {
  struct place {
    text_automaton::state state;
    std::uint16_t characters;
  };
  text_summary summary;
  summary.inside_bits.resize(mask_words);
  summary.exit_bits.resize(mask_words);
  std::vector<place> path(trie.longest_token() + 1, place{from, 0});
  auto const leave = [&](std::uint32_t at, std::uint16_t characters) {
    summary.exits.push_back({at, characters});
    if (trie.has_children(at)) summary.open_exits.push_back({at, characters});
    for (token_id const id : trie.tokens(at)) set_bit(summary.exit_bits, id);
  };
  for (std::uint32_t at = 1; at < trie.size();) {
    auto const& node = trie.at(at);
    place here = path[node.depth - 1u];
    bool const begins = automaton.is_border(here.state);
    here.state = automaton.next(here.state, node.byte);
    if (here.state == text_automaton::refused || here.state == text_automaton::ended) {
      if (here.state == text_automaton::ended) leave(at, here.characters);
      at = node.end;
      continue;
    }
    if (begins) ++here.characters;
    path[node.depth] = here;
    for (token_id const id : trie.tokens(at)) {
      summary.inside.push_back({here.characters, here.state, id});
      set_bit(summary.inside_bits, id);
    }
    if (!automaton.has_quote() && automaton.is_border(here.state)) leave(at, here.characters);
    ++at;
  }
  std::stable_sort(summary.inside.begin(), summary.inside.end(),
                   [](auto const& a, auto const& b) { return a.characters < b.characters; });
  bitset so_far(mask_words);
  for (auto next = summary.inside.begin(); summary.inside_up_to.size() < text_summary::counted_characters;) {
    for (; next != summary.inside.end() && next->characters <= summary.inside_up_to.size(); ++next)
      set_bit(so_far, next->token);
    summary.inside_up_to.push_back(so_far);
  }
  return summary;
}

text_summary const& summary_cache::get(text_automaton const& automaton, text_automaton::state from,
                                       token_trie const& trie, std::size_t mask_words) const {
  std::lock_guard const lock(mutex_);
  if (by_state_.empty()) by_state_.resize(automaton.size());
  auto& slot = by_state_[from];
  if (!slot) slot = std::make_unique<text_summary const>(summarise(automaton, from, trie, mask_words));
  return *slot;
}

namespace {

std::vector<token_id> text_tokens(std::vector<std::string> const& bytes, std::vector<bool> const& control) {
  std::vector<token_id> ids;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (!control[i] && !bytes[i].empty()) ids.push_back(static_cast<token_id>(i));
  }
  return ids;
}

}  // namespace

vocabulary::impl::impl(std::vector<std::string> token_bytes, std::vector<bool> control, std::vector<token_id> ends)
    : bytes(std::move(token_bytes)),
      is_control(std::move(control)),
      end_of_generation(std::move(ends)),
      trie(bytes, text_tokens(bytes, is_control)) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    auto const at = trie.child(token_trie::root, static_cast<std::uint8_t>(byte));
    has_byte[byte] = at != token_trie::none && trie.at(at).token_count > 0;
  }
  // Nearly every string is in this state at nearly every token: made here, not while somebody waits for a token.
  json_string_summaries.get(text_automaton::json_string(), text_automaton::start, trie, (bytes.size() + 63) / 64);
  json_name_summaries.get(text_automaton::json_name(), text_automaton::start, trie, (bytes.size() + 63) / 64);
}

result<vocabulary> vocabulary::build(std::vector<std::string> token_bytes, std::span<token_id const> control,
                                     std::span<token_id const> end_of_generation) {
  constexpr std::size_t token_bytes_max = 0xffff;
  auto const refuse = [](std::string message) {
    return error(errc::invalid_argument, "cannot build the grammar's vocabulary: " + std::move(message),
                 "grammar.vocabulary");
  };
  if (token_bytes.empty()) return refuse("it has no tokens");
  for (std::size_t i = 0; i < token_bytes.size(); ++i) {
    if (token_bytes[i].size() > token_bytes_max)
      return refuse("token " + std::to_string(i) + " is longer than 65,535 bytes");
  }
  std::vector<bool> is_control(token_bytes.size(), false);
  for (auto const ids : {control, end_of_generation}) {
    for (token_id const id : ids) {
      if (id < 0 || static_cast<std::size_t>(id) >= token_bytes.size()) {
        return refuse("token id " + std::to_string(id) + " is not below " + std::to_string(token_bytes.size()));
      }
      is_control[static_cast<std::size_t>(id)] = true;
    }
  }
  return vocabulary(std::make_shared<impl const>(std::move(token_bytes), std::move(is_control),
                                                 std::vector(end_of_generation.begin(), end_of_generation.end())));
}

std::size_t vocabulary::size() const noexcept { return impl_->bytes.size(); }

}  // namespace grammar
}  // namespace wherry::inline v0
