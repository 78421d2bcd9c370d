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
  used_.resize(nodes_.size());
  for (std::uint32_t at = size(); at-- > 1;) {
    add_byte(used_[at], nodes_[at].byte);
    for (std::uint32_t child = at + 1; child < nodes_[at].end; child = nodes_[child].end)
      for (std::size_t i = 0; i < 2; ++i) used_[at][i] |= used_[child][i];
  }
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

struct place_in_text {
  std::uint32_t state = 0;
  std::uint16_t characters = 0;         // begun since the token began
  text_automaton::state character = 0;  // where characters are counted beside a language
};

// A reader knows one kind of text: step(place, byte) moves on and tells text_summary_refused, text_summary_ended or
// something else, is_border(place) whether the text may end there, loops(place) the bytes that lead nowhere else.
template <class Reader>
text_summary summarise_text(place_in_text from, Reader& reader, token_trie const& trie, std::size_t mask_words,
                            bool has_quote, bool counted, bool by_count) {
  constexpr std::uint32_t worth_looking = 24;  // nodes below one, for asking whether all of them lead nowhere else
  text_summary summary;
  std::vector<place_in_text> path(trie.longest_token() + 1, from);
  std::vector<std::uint32_t> open_exits;
  auto const leave = [&](std::uint32_t at, std::uint16_t characters) {
    summary.exits.push_back({at, characters});
    if (trie.has_children(at)) open_exits.push_back(at);
    auto const tokens = trie.tokens(at);
    summary.exit_tokens.insert(summary.exit_tokens.end(), tokens.begin(), tokens.end());
  };
  for (std::uint32_t at = 1; at < trie.size();) {
    auto const& node = trie.at(at);
    place_in_text here = path[node.depth - 1u];
    if (has_quote && node.end - at >= worth_looking && trie.uses_only(at, reader.loops(here))) {
      for (token_id const id : trie.tokens_below(at)) {
        std::size_t const bytes = reader.size_of(id) - (node.depth - 1u);
        auto const characters = static_cast<std::uint16_t>(counted ? here.characters + bytes : 0);
        summary.inside.push_back({characters, here.character, here.state, id});
      }
      at = node.end;
      continue;
    }
    auto const stepped = reader.step(here, node.byte);
    if (stepped >= text_summary_ended) {
      if (stepped == text_summary_ended) leave(at, here.characters);
      at = node.end;
      continue;
    }
    path[node.depth] = here;
    for (token_id const id : trie.tokens(at))
      summary.inside.push_back({here.characters, here.character, here.state, id});
    if (!has_quote && reader.is_border(here)) leave(at, here.characters);
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
  if (!by_count) return summary;
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

class automaton_reader {
 public:
  explicit automaton_reader(text_automaton const& automaton) : automaton_(automaton), counts_(automaton.counts()) {}
  std::uint32_t step(place_in_text& here, std::uint8_t byte) const {
    auto const from = static_cast<text_automaton::state>(here.state);
    auto const to = automaton_.next(from, byte);
    if (to == text_automaton::refused) return text_summary_refused;
    if (to == text_automaton::ended) return text_summary_ended;
    if (counts_ && automaton_.is_border(from)) ++here.characters;
    return here.state = to;
  }
  bool is_border(place_in_text const& here) const {
    return automaton_.is_border(static_cast<text_automaton::state>(here.state));
  }
  ascii_set loops(place_in_text const&) const { return {}; }  // few states, made once for a vocabulary
  std::size_t size_of(token_id) const { return 0; }

 private:
  text_automaton const& automaton_;
  bool const counts_;
};

class language_reader {
 public:
  language_reader(regex::automaton& language, bool has_quote, std::vector<std::string> const& token_bytes,
                  text_automaton const* characters)
      : language_(language), has_quote_(has_quote), token_bytes_(token_bytes), characters_(characters) {}
  std::uint32_t step(place_in_text& here, std::uint8_t byte) {
    if (has_quote_ && byte == '"' && language_.accepts(here.state)) return text_summary_ended;
    auto const to = language_.next(here.state, byte);
    if (to == regex::automaton::dead) return text_summary_refused;
    if (characters_) {
      if (characters_->is_border(here.character)) ++here.characters;
      here.character = characters_->next(here.character, byte);
    }
    return here.state = to;
  }
  bool is_border(place_in_text const& here) { return language_.accepts(here.state); }
  // Nearly all words look the same to a pattern that does not count characters.
  ascii_set loops(place_in_text const& here) {
    auto const [it, is_new] = loops_.try_emplace(here.state);
    if (!is_new) return it->second;
    for (unsigned byte = 0x20; byte < 0x7f; ++byte) {
      if (byte == '"' || byte == '\\') continue;
      auto const b = static_cast<std::uint8_t>(byte);
      if (language_.next(here.state, b) == here.state) add_byte(it->second, b);
    }
    return it->second;
  }
  std::size_t size_of(token_id id) const { return token_bytes_[static_cast<std::size_t>(id)].size(); }

 private:
  regex::automaton& language_;
  bool const has_quote_;
  std::vector<std::string> const& token_bytes_;
  text_automaton const* characters_;
  std::unordered_map<std::uint32_t, ascii_set> loops_;
};

}  // namespace

text_summary summarise(text_automaton const& automaton, text_automaton::state from, token_trie const& trie,
                       std::size_t mask_words) {
  automaton_reader reader(automaton);
  return summarise_text({.state = from}, reader, trie, mask_words, automaton.has_quote(), automaton.counts(),
                        automaton.counts());
}

text_summary summarise(regex::automaton& automaton, regex::automaton::state from, bool has_quote,
                       token_trie const& trie, std::vector<std::string> const& token_bytes, std::size_t mask_words,
                       text_automaton const* characters, text_automaton::state characters_from) {
  language_reader reader(automaton, has_quote, token_bytes, characters);
  return summarise_text({.state = from, .character = characters_from}, reader, trie, mask_words, has_quote,
                        characters != nullptr, false);
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

std::shared_ptr<free_text_unit const> vocabulary::impl::free_text_without(std::vector<std::string> const& words) const {
  std::lock_guard const lock(free_texts_mutex_);
  if (auto const known = free_texts_.find(words); known != free_texts_.end()) return known->second;
  if (free_texts_.size() >= free_texts_max) free_texts_.clear();
  auto made = std::make_shared<free_text_unit>();
  made->automaton = text_automaton::free_text(words);
  return free_texts_[words] = std::move(made);
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
