#include "grammar/number_automaton.hpp"
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

void text_summary::add_inside_to(bitset& bits) const {
  if (inside_bits.empty()) {
    for (inner const& token : inside) set_bit(bits, token.token);
  } else {
    for (std::size_t i = 0; i < bits.size(); ++i) bits[i] |= inside_bits[i];
  }
}

namespace {

// Trie nodes that are reached by the same bytes behind the end of a text become one.
void merge_behind(std::vector<std::uint32_t> const& nodes, token_trie const& trie, text_summary& summary) {
  std::vector<std::pair<std::uint8_t, std::uint32_t>> children;
  for (std::uint32_t const node : nodes) {
    for (std::uint32_t at = node + 1; at < trie.at(node).end; at = trie.at(at).end)
      children.emplace_back(trie.at(at).byte, at);
  }
  std::stable_sort(children.begin(), children.end(), [](auto const& a, auto const& b) { return a.first < b.first; });
  for (std::size_t i = 0; i < children.size();) {
    std::vector<std::uint32_t> same;
    std::size_t const index = summary.behinds.size();
    auto const byte = children[i].first;
    summary.behinds.push_back({.byte = byte, .tokens = static_cast<std::uint32_t>(summary.behind_tokens.size())});
    for (; i < children.size() && children[i].first == byte; ++i) {
      same.push_back(children[i].second);
      auto const tokens = trie.tokens(children[i].second);
      summary.behind_tokens.insert(summary.behind_tokens.end(), tokens.begin(), tokens.end());
    }
    summary.behinds[index].token_count =
        static_cast<std::uint32_t>(summary.behind_tokens.size()) - summary.behinds[index].tokens;
    merge_behind(same, trie, summary);
    summary.behinds[index].end = static_cast<std::uint32_t>(summary.behinds.size());
  }
}

// Next is a function (state, byte) -> state with two marks of its own: refused and ended.
template <class Next, class Border>
text_summary summarise_text(std::uint32_t from, bool has_quote, Next const& next, Border const& is_border,
                            token_trie const& trie, std::size_t mask_words, bool counted) {
  struct place {
    std::uint32_t state;
    std::uint16_t characters;
  };
  text_summary summary;
  std::vector<place> path(trie.longest_token() + 1, place{from, 0});
  std::vector<std::uint32_t> open_exits;
  auto const leave = [&](std::uint32_t at, std::uint16_t characters) {
    summary.exits.push_back({at, characters});
    if (trie.has_children(at)) open_exits.push_back(at);
    auto const tokens = trie.tokens(at);
    summary.exit_tokens.insert(summary.exit_tokens.end(), tokens.begin(), tokens.end());
  };
  for (std::uint32_t at = 1; at < trie.size();) {
    auto const& node = trie.at(at);
    place here = path[node.depth - 1u];
    bool const begins = counted && is_border(here.state);
    here.state = next(here.state, node.byte);
    if (here.state >= text_summary_ended) {
      if (here.state == text_summary_ended) leave(at, here.characters);
      at = node.end;
      continue;
    }
    if (begins) ++here.characters;
    path[node.depth] = here;
    for (token_id const id : trie.tokens(at)) summary.inside.push_back({here.characters, here.state, id});
    if (!has_quote && is_border(here.state)) leave(at, here.characters);
    ++at;
  }
  if (summary.inside.size() > text_summary::few_tokens) {
    summary.inside_bits.resize(mask_words);
    for (auto const& token : summary.inside) set_bit(summary.inside_bits, token.token);
  }
  for (auto const& token : summary.inside) {
    if (summary.ends.empty() || summary.ends.back() != token.end) summary.ends.push_back(token.end);
  }
  std::sort(summary.ends.begin(), summary.ends.end());
  summary.ends.erase(std::unique(summary.ends.begin(), summary.ends.end()), summary.ends.end());
  merge_behind(open_exits, trie, summary);
  if (!counted) return summary;
  std::stable_sort(summary.inside.begin(), summary.inside.end(),
                   [](auto const& a, auto const& b) { return a.characters < b.characters; });
  bitset so_far(mask_words);
  for (auto token = summary.inside.begin(); summary.inside_up_to.size() < text_summary::counted_characters;) {
    for (; token != summary.inside.end() && token->characters <= summary.inside_up_to.size(); ++token)
      set_bit(so_far, token->token);
    summary.inside_up_to.push_back(so_far);
  }
  return summary;
}

}  // namespace

text_summary summarise(text_automaton const& automaton, text_automaton::state from, token_trie const& trie,
                       std::size_t mask_words) {
  auto const next = [&](std::uint32_t at, std::uint8_t byte) -> std::uint32_t {
    auto const to = automaton.next(static_cast<text_automaton::state>(at), byte);
    return to == text_automaton::refused ? text_summary_refused : to == text_automaton::ended ? text_summary_ended : to;
  };
  auto const is_border = [&](std::uint32_t at) { return automaton.is_border(static_cast<text_automaton::state>(at)); };
  return summarise_text(from, automaton.has_quote(), next, is_border, trie, mask_words, automaton.counts());
}

text_summary summarise(regex::automaton& automaton, regex::automaton::state from, bool has_quote,
                       token_trie const& trie, std::size_t mask_words) {
  auto const next = [&](std::uint32_t at, std::uint8_t byte) -> std::uint32_t {
    if (has_quote && byte == '"') return automaton.accepts(at) ? text_summary_ended : text_summary_refused;
    auto const to = automaton.next(at, byte);
    return to == regex::automaton::dead ? text_summary_refused : to;
  };
  auto const is_border = [&](std::uint32_t at) { return automaton.accepts(at); };
  return summarise_text(from, has_quote, next, is_border, trie, mask_words, false);
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
  bool too_large = false;
  plain_integer = number_automaton({.is_integer = true}, too_large);
  plain_number = number_automaton({}, too_large);
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
