#include "grammar/mask.hpp"

#include <algorithm>

namespace wherry::inline v0 {
namespace grammar {

std::size_t token_count(spelling const& text, token_trie const& trie) {
  std::vector<std::size_t> tokens_from(text.size() + 1, cannot_be_spelled);
  tokens_from[text.size()] = 0;
  auto const better = [&](std::size_t& best, std::size_t rest) {
    if (rest != cannot_be_spelled) best = std::min(best, rest + 1);
  };
  for (std::size_t from = text.size(); from-- > 0;) {
    if (text[from] >= control_element) {
      better(tokens_from[from], tokens_from[from + 1]);
      continue;
    }
    std::uint32_t node = token_trie::root;
    for (std::size_t at = from; at < text.size() && text[at] < control_element; ++at) {
      node = trie.child(node, static_cast<std::uint8_t>(text[at]));
      if (node == token_trie::none) break;
      if (trie.at(node).token_count > 0) better(tokens_from[from], tokens_from[at + 1]);
    }
  }
  return tokens_from.front();
}

std::size_t shortest_completion(configuration const& at, thread_list const& threads, token_trie const& trie) {
  std::size_t least = cannot_be_spelled;
  spelling text;
  for (thread const& t : threads) {
    text.clear();
    at.spell(t, text);
    least = std::min(least, token_count(text, trie));
  }
  return least;
}

namespace {

class mask_walk {
 public:
  mask_walk(configuration& at, vocabulary::impl const& tokens, std::optional<std::size_t> budget)
      : at_(at), tokens_(tokens), trie_(tokens.trie), machine_(at.get_machine()), budget_(budget) {
    mask_.bits.resize((tokens.bytes.size() + 63) / 64);
    levels_.resize(trie_.longest_token() + 2);
  }

  mask run() {
    mask_.reference = at_.weigh(at_.threads());
    if (at_.is_complete()) {
      for (token_id const id : tokens_.end_of_generation) set_bit(mask_.bits, id);
    }
    if (budget_ == 0u) return std::move(mask_);
    take_control_tokens();
    thread_list& rest = levels_[0];
    thread_list texts;
    for (thread const& t : at_.threads()) (uses_summary(t) ? texts : rest).push_back(t);
    descend(token_trie::root, 0);
    for (thread const& t : texts) walk_text(t);
    return std::move(mask_);
  }

 private:
  bool uses_summary(thread const& t) const {
    return machine::is_text(t.top.state) && at_.is_far_from_bytes_max(t, trie_.longest_token());
  }

  void take(token_id id, bool fits) {
    if (fits) set_bit(mask_.bits, id);
  }
  void take(std::span<token_id const> ids, thread_list const& after) {
    bool const fits = counts(after);
    for (token_id const id : ids) take(id, fits);
  }
  // Without a budget everything counts, and its weight is noted. With one, a completion must fit what is left.
  bool counts(thread_list const& after) {
    weight const least = at_.weigh(after);
    if (!budget_) {
      note(least);
      return true;
    }
    std::size_t const left = *budget_ - 1;
    if (least < missing_byte && least <= left) return true;
    return std::any_of(after.begin(), after.end(), [&](thread const& t) { return completion_tokens(t) <= left; });
  }
  void note(weight after) {
    if (after >= missing_byte) mask_.has_missing = true;
    mask_.heaviest = std::max(mask_.heaviest, after);
  }
  // Equal threads have equal completions only at equal texts, so the spelling is what is remembered.
  std::size_t completion_tokens(thread const& t) {
    spelling_.clear();
    at_.spell(t, spelling_);
    auto const [it, is_new] = known_completions_.try_emplace(spelling_, 0);
    if (is_new) it->second = token_count(spelling_, trie_);
    return it->second;
  }

  void take_control_tokens() {
    thread_list after;
    for (thread const& t : at_.threads()) {
      if (t.top.state == machine::finished || machine::is_text(t.top.state)) continue;
      for (edge const& e : machine_.edges_of(t.top.state)) {
        if (e.kind != edge_kind::token) continue;
        auto const id = static_cast<token_id>(e.operand);
        auto const mark = at_.here();
        at_.step_token(at_.threads(), id, after);
        if (!after.empty()) take(std::span(&id, 1), after);
        at_.take_back(mark);
      }
    }
  }

  // Below trie node `index`, where the threads are levels_[level].
  void descend(std::uint32_t index, std::size_t level) {
    if (levels_[level].empty()) return;
    std::bitset<256> const possible = at_.possible(levels_[level]);
    if (possible.none()) return;
    for (std::uint32_t at = index + 1; at < trie_.at(index).end; at = trie_.at(at).end) {
      std::uint8_t const byte = trie_.at(at).byte;
      if (!possible[byte]) continue;
      auto const mark = at_.here();
      thread_list& after = levels_[level + 1];
      at_.step(levels_[level], byte, after);
      at_.append(byte);
      if (!after.empty()) {
        take(trie_.tokens(at), after);
        if (trie_.has_children(at)) descend(at, level + 1);
      }
      at_.take_back(mark);
    }
  }

  // Text.
  void walk_text(thread const& t) {
    text_unit const& text = machine_.text_at(t.top.state);
    text_summary const& summary =
        text.summaries->get(*text.automaton, machine_.text_state(t.top.state), trie_, mask_.bits.size());
    stay_inside(t, text, summary);
    walk_exits(t, text, summary);
  }

  void stay_inside(thread const& t, text_unit const& text, text_summary const& summary) {
    std::size_t const room = text.max - t.top.counter;
    if (budget_) return stay_inside_within_budget(t, text, summary, room);
    note_heaviest_inside(t, text);
    if (room < text_summary::counted_characters) return merge(summary.inside_up_to[room]);
    bitset bits = summary.inside_bits;
    if (room < trie_.longest_token()) {
      for (auto it = summary.inside.rbegin(); it != summary.inside.rend() && it->characters > room; ++it) {
        clear_bit(bits, it->token);
      }
    }
    merge(bits);
  }
  void merge(bitset const& bits) {
    for (std::size_t i = 0; i < bits.size(); ++i) mask_.bits[i] |= bits[i];
  }
  void note_heaviest_inside(thread const& t, text_unit const& text) {
    weight const longest_finish = *std::max_element(text.finish_weight.begin(), text.finish_weight.end());
    std::size_t const fillers = text.is_name ? at_.taken_names(t).size() : 0;
    note(plus(plus(at_.weigh(t), longest_finish), times(fillers, text.filler_weight)));
  }

  void stay_inside_within_budget(thread const& t, text_unit const& text, text_summary const& summary,
                                 std::size_t room) {
    std::map<std::pair<text_automaton::state, std::size_t>, bool> fits;
    auto const beginnings = text.is_name ? tokens_that_begin_a_taken_name(t) : std::vector<token_id>{};
    for (auto const& token : summary.inside) {
      if (token.characters > room) break;
      if (std::binary_search(beginnings.begin(), beginnings.end(), token.token)) {
        take_by_stepping(t, token.token);
        continue;
      }
      thread after = t;
      after.top.state = text.first_state + token.end;
      after.top.counter += token.characters;
      std::size_t const missing = text.min > after.top.counter ? text.min - after.top.counter : 0;
      auto const [it, is_new] = fits.try_emplace({token.end, missing}, false);
      if (is_new) it->second = inside_fits(after, token.token);
      take(token.token, it->second);
    }
  }
  bool inside_fits(thread after, token_id id) {
    auto const mark = at_.here();
    std::string const& bytes = tokens_.bytes[static_cast<std::size_t>(id)];
    after.top.extra += static_cast<std::uint32_t>(bytes.size());
    at_.append(bytes);
    bool const fits = counts({after});
    at_.take_back(mark);
    return fits;
  }
  // Tokens after which the name may still become a taken one: their completions are not those of other tokens.
  std::vector<token_id> tokens_that_begin_a_taken_name(thread const& t) const {
    std::vector<token_id> ids;
    for (std::uint32_t const node : nodes_towards_taken_names(t)) {
      auto const tokens = trie_.tokens(node);
      ids.insert(ids.end(), tokens.begin(), tokens.end());
    }
    std::sort(ids.begin(), ids.end());
    return ids;
  }
  std::vector<std::uint32_t> nodes_towards_taken_names(thread const& t) const {
    std::vector<std::uint32_t> nodes;
    std::string_view const begun = at_.name_so_far(t);
    for (std::string_view const taken : at_.taken_names(t)) {
      if (!taken.starts_with(begun)) continue;
      std::uint32_t node = token_trie::root;
      for (char const c : taken.substr(begun.size())) {
        node = trie_.child(node, static_cast<std::uint8_t>(c));
        if (node == token_trie::none) break;
        nodes.push_back(node);
      }
    }
    return nodes;
  }
  void take_by_stepping(thread const& t, token_id id) {
    auto const mark = at_.here();
    thread_list now{t}, after;
    for (char const c : tokens_.bytes[static_cast<std::size_t>(id)]) {
      at_.step(now, static_cast<std::uint8_t>(c), after);
      at_.append(static_cast<std::uint8_t>(c));
      now.swap(after);
    }
    if (!now.empty()) take(id, counts(now));
    at_.take_back(mark);
  }

  void walk_exits(thread const& t, text_unit const& text, text_summary const& summary) {
    if (text.is_name) return walk_name_exits(t, summary);
    auto const mark = at_.here();
    at_.step_out(t, levels_[0]);
    bool const tokens_fit = !levels_[0].empty() && counts(levels_[0]);
    std::size_t const missing = text.min > t.top.counter ? text.min - t.top.counter : 0;
    std::size_t const room = text.max - t.top.counter;
    bool const all = missing == 0 && room >= trie_.longest_token();
    if (all && tokens_fit) merge(summary.exit_bits);
    bool const goes_on = at_.possible(levels_[0]).any();
    for (auto const& exit : all ? summary.open_exits : summary.exits) {
      if (exit.characters < missing || exit.characters > room) continue;
      if (!all && tokens_fit) {
        for (token_id const id : trie_.tokens(exit.node)) set_bit(mask_.bits, id);
      }
      if (goes_on) descend(exit.node, 0);
    }
    at_.take_back(mark);
  }

  // A name may not end where it equals one that is taken, and what follows must know the name.
  void walk_name_exits(thread const& t, text_summary const& summary) {
    for (auto const& exit : summary.exits) {
      auto const mark = at_.here();
      std::string_view const path =
          std::string_view(tokens_.bytes[static_cast<std::size_t>(trie_.token_below(exit.node))])
              .substr(0, trie_.at(exit.node).depth);
      thread ending = t;
      ending.top.counter += exit.characters;
      ending.top.extra += static_cast<std::uint32_t>(path.size() - 1);
      at_.append(path.substr(0, path.size() - 1));
      if (!at_.is_taken(ending, at_.name_so_far(ending))) {
        at_.step_out(ending, levels_[0]);
        at_.append('"');
        take(trie_.tokens(exit.node), levels_[0]);
        if (trie_.has_children(exit.node)) descend(exit.node, 0);
      }
      at_.take_back(mark);
    }
  }

  configuration& at_;
  vocabulary::impl const& tokens_;
  token_trie const& trie_;
  machine const& machine_;
  std::optional<std::size_t> budget_;
  mask mask_;
  std::vector<thread_list> levels_;  // by distance from where the walk began
  std::map<spelling, std::size_t> known_completions_;
  spelling spelling_;
};

}  // namespace

mask compute_mask(configuration& at, vocabulary::impl const& tokens, std::optional<std::size_t> budget) {
  return mask_walk(at, tokens, budget).run();
}

}  // namespace grammar
}  // namespace wherry::inline v0
