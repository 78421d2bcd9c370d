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
    if (!machine::is_text(t.top.state)) return false;
    return !machine_.text_at(t.top.state).is_name || at_.is_far_from_bytes_max(t, trie_.longest_token());
  }
  // Bytes that a text may still have, where a token could have more.
  std::size_t bytes_left(thread const& t, text_unit const& text) const {
    return at_.is_far_from_bytes_max(t, trie_.longest_token()) ? no_limit : text.bytes_max - t.top.extra;
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
    mask_.heaviest = std::max(mask_.heaviest, plus(after, margin_));
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
    std::vector<token_id> ids;
    for (thread const& t : at_.threads()) {
      if (t.top.state == machine::finished || machine::is_text(t.top.state)) continue;
      for (edge const& e : machine_.edges_of(t.top.state)) {
        if (e.kind == edge_kind::token) ids.push_back(static_cast<token_id>(e.operand));
      }
    }
    for (token_id const id : ids) {
      auto const mark = at_.here();
      at_.step_token(at_.threads(), id, after);
      if (!after.empty()) take(std::span(&id, 1), after);
      at_.take_back(mark);
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
      if (at_.met_unknown_name()) {
        put_aside(at);
      } else if (!after.empty()) {
        take(trie_.tokens(at), after);
        if (trie_.has_children(at)) descend(at, level + 1);
      }
      at_.take_back(mark);
    }
  }
  // Tokens for which it matters how a name was spelled that they began behind: to be read one by one.
  void put_aside(std::uint32_t index) {
    for (std::uint32_t at = index; at < trie_.at(index).end; ++at) {
      for (token_id const id : trie_.tokens(at)) put_aside_.push_back(id);
    }
  }
  // The same below the merged nodes behind a text.
  void descend_behind(text_summary const& summary, std::uint32_t from, std::uint32_t to, std::size_t level) {
    if (levels_[level].empty() || from == to) return;
    std::bitset<256> const possible = at_.possible(levels_[level]);
    for (std::uint32_t i = from; i < to; i = summary.behinds[i].end) {
      auto const& node = summary.behinds[i];
      if (!possible[node.byte]) continue;
      auto const mark = at_.here();
      thread_list& after = levels_[level + 1];
      at_.step(levels_[level], node.byte, after);
      at_.append(node.byte);
      if (at_.met_unknown_name()) {
        for (std::uint32_t n = i; n < node.end; ++n) {
          auto const& inner = summary.behinds[n];
          for (std::uint32_t k = 0; k < inner.token_count; ++k)
            put_aside_.push_back(summary.behind_tokens[inner.tokens + k]);
        }
      } else if (!after.empty()) {
        take(std::span(summary.behind_tokens).subspan(node.tokens, node.token_count), after);
        descend_behind(summary, i + 1, node.end, level + 1);
      }
      at_.take_back(mark);
    }
  }

  // Text.
  text_summary const& summary_of(thread const& t, text_unit const& text) {
    if (!text.language)
      return text.summaries->get(*text.automaton, machine_.text_state(t.top.state), trie_, mask_.bits.size());
    constexpr std::size_t summaries_max = 4'096;
    bool const counts = text.counts_language();
    auto& known = counts ? text.language->counted_summaries : text.language->summaries;
    if (known.size() >= summaries_max) known.clear();
    auto& slot = known[t.top.counter];
    if (!slot)
      slot = std::make_unique<text_summary const>(
          summarise(text.language->automaton, t.top.counter, text.has_quote, trie_, tokens_.bytes, mask_.bits.size(),
                    text.automaton, counts ? machine_.text_state(t.top.state) : text_automaton::start));
    return *slot;
  }
  void walk_text(thread const& t) {
    text_unit const& text = machine_.text_at(t.top.state);
    text_summary const& summary = summary_of(t, text);
    if (text.is_name) return walk_name(t, text, summary);
    stay_inside(t, text, summary);
    walk_exits(t, text, summary);
  }

  // Characters that may still begin.
  static std::size_t room_of(thread const& t, text_unit const& text) {
    if (text.counts_language()) return text.max - t.top.extra;
    return text.language ? no_limit : text.max - t.top.counter;
  }
  void stay_inside(thread const& t, text_unit const& text, text_summary const& summary) {
    if (summary.inside.empty()) return;
    std::size_t const room = room_of(t, text);
    if (budget_) return stay_inside_within_budget(t, text, summary, room);
    note_heaviest_inside(t, text, summary);
    if (text.counts_language()) return stay_inside_counted_language(t, text, summary, room);
    if (std::size_t const bytes = bytes_left(t, text); bytes != no_limit) {
      for (auto const& token : summary.inside)
        if (token.characters <= room && fits_bytes(t, text, token, bytes)) set_bit(mask_.bits, token.token);
      return;
    }
    if (room >= trie_.longest_token()) return summary.add_inside_to(mask_.bits);
    if (room < text_summary::counted_characters) return merge(summary.inside_up_to[room]);
    for (auto const& token : summary.inside) {
      if (token.characters <= room) set_bit(mask_.bits, token.token);
    }
  }
  bool fits_bytes(thread const& t, text_unit const& text, text_summary::inner const& token, std::size_t bytes) const {
    if (bytes == no_limit) return true;
    std::size_t const begun = t.top.counter + token.characters;
    return tokens_.bytes[static_cast<std::size_t>(token.token)].size() + text.finish[token.end].size() +
               (text.min > begun ? text.min - begun : 0) <=
           bytes;
  }
  void stay_inside_counted_language(thread const& t, text_unit const& text, text_summary const& summary,
                                    std::size_t room) {
    std::size_t longest_end = 0;
    for (auto const end : summary.ends)
      longest_end = std::max(longest_end, text.language->automaton.shortest_at_most(end));
    if (room >= trie_.longest_token() + longest_end) return summary.add_inside_to(mask_.bits);
    for (auto const& token : summary.inside) {
      if (token.characters > room) continue;
      if (at_.fits_length(text, token.end, token.character, t.top.extra + token.characters))
        set_bit(mask_.bits, token.token);
    }
  }
  void merge(bitset const& bits) {
    for (std::size_t i = 0; i < bits.size(); ++i) mask_.bits[i] |= bits[i];
  }
  void note_heaviest_inside(thread const& t, text_unit const& text, text_summary const& summary) {
    weight longest = 0;
    if (text.language) {
      // A bound will do where every byte is a token: the exact completions of hundreds of states would cost too much.
      for (auto const end : summary.ends) {
        longest = std::max(longest, machine_.has_all_bytes
                                        ? text.language->automaton.shortest_at_most(end)
                                        : machine_.spelled_weight(text.language->completion(end, machine_.has_byte)));
      }
      weight const own = machine_.spelled_weight(text.language->completion(t.top.counter, machine_.has_byte));
      note(plus(at_.weigh(t) - std::min(own, at_.weigh(t)), longest));
      return;
    }
    for (auto const end : summary.ends) longest = std::max(longest, text.finish_weight[end]);
    std::size_t const fillers = text.is_name ? at_.taken_names(t).size() : 0;
    note(plus(plus(at_.weigh(t), longest), times(fillers, text.filler_weight)));
  }

  void stay_inside_within_budget(thread const& t, text_unit const& text, text_summary const& summary,
                                 std::size_t room) {
    std::map<std::pair<std::uint32_t, std::size_t>, bool> fits;
    auto const beginnings = text.is_name ? tokens_that_begin_a_taken_name(t) : std::vector<token_id>{};
    std::size_t const bytes = bytes_left(t, text);
    // Which names are still needed may depend on this one, however it ends.
    bool const each = text.is_name && at_.name_margin(t) > 0;
    for (auto const& token : summary.inside) {
      if (token.characters > room || !fits_bytes(t, text, token, bytes)) continue;
      if (std::binary_search(beginnings.begin(), beginnings.end(), token.token)) {
        take_by_stepping(t, token.token);
        continue;
      }
      thread after = t;
      std::size_t missing = 0;
      if (text.language) {
        if (text.counts_language() &&
            !at_.fits_length(text, token.end, token.character, t.top.extra + token.characters))
          continue;
        after.top.counter = token.end;
      } else {
        after.top.state = text.first_state + token.end;
        after.top.counter += token.characters;
        missing = text.min > after.top.counter ? text.min - after.top.counter : 0;
      }
      auto const [it, is_new] = fits.try_emplace({token.end, missing}, false);
      if (is_new || each) it->second = inside_fits(after, token.token);
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
    auto const mark = at_.here();
    at_.step_out(t, levels_[0]);
    bool const tokens_fit = !levels_[0].empty() && counts(levels_[0]);
    std::size_t const missing = text.min > t.top.counter && !text.language ? text.min - t.top.counter : 0;
    std::size_t const room = room_of(t, text);
    std::size_t const bytes = bytes_left(t, text);
    if (missing == 0 && room >= trie_.longest_token() && bytes == no_limit) {
      if (tokens_fit) summary.add_exits_to(mask_.bits);
      descend_behind(summary, 0, static_cast<std::uint32_t>(summary.behinds.size()), 0);
    } else {
      bool const goes_on = at_.possible(levels_[0]).any();
      std::size_t const has_quote = text.has_quote ? 1 : 0;  // the last byte of the way there
      for (auto const& exit : summary.exits) {
        if (exit.characters < missing || exit.characters > room || trie_.at(exit.node).depth - has_quote > bytes)
          continue;
        if (tokens_fit) {
          for (token_id const id : trie_.tokens(exit.node)) set_bit(mask_.bits, id);
        }
        if (goes_on && trie_.has_children(exit.node)) descend(exit.node, 0);
      }
    }
    at_.take_back(mark);
  }

  // Names. A name may not end where it equals one that is taken; and what follows may depend on the name.
  void walk_name(thread const& t, text_unit const& text, text_summary const& summary) {
    bitset others(mask_.bits.size());
    others.swap(mask_.bits);
    margin_ = budget_ ? 0 : at_.name_margin(t);
    stay_inside(t, text, summary);
    bool const depends = text.choice != unit::no_choice && machine_.choices[text.choice].object->values.size() > 1;
    if (budget_) {
      walk_name_exits(t, summary);
      return merge(others);
    }
    if (depends) {
      walk_exits_by_label(t, text, summary);
    } else {
      walk_exits_unknown(t, summary);
    }
    std::vector<token_id> aside;
    aside.swap(put_aside_);
    if (text.language) {
      auto const beginnings = tokens_that_begin_a_taken_name(t);
      aside.insert(aside.end(), beginnings.begin(), beginnings.end());
    }
    for (std::uint32_t const node : ends_of_taken_names(t)) {
      for (std::uint32_t at = node; at < trie_.at(node).end; ++at) {
        for (token_id const id : trie_.tokens(at)) clear_bit(mask_.bits, id);
      }
    }
    for (token_id const id : aside) {
      clear_bit(mask_.bits, id);
      take_by_stepping(t, id);
    }
    margin_ = 0;
    merge(others);
  }
  void walk_exits_unknown(thread const& t, text_summary const& summary) {
    auto const mark = at_.here();
    at_.step_out_unknown(t, nullptr, levels_[0]);
    if (!levels_[0].empty()) {
      note(at_.weigh(levels_[0]));
      summary.add_exits_to(mask_.bits);
      descend_behind(summary, 0, static_cast<std::uint32_t>(summary.behinds.size()), 0);
    }
    at_.take_back(mark);
  }
  // Which value follows depends on the patterns the name matches, and on nothing else.
  void walk_exits_by_label(thread const& t, text_unit const& text, text_summary const& summary) {
    object_shape const& object = *machine_.choices[text.choice].object;
    std::map<std::vector<bool>, std::vector<std::uint32_t>> by_label;
    std::string name(at_.name_so_far(t));
    std::size_t const begun = name.size();
    for (auto const& exit : summary.exits) {
      name.resize(begun);
      name.append(tokens_.bytes[static_cast<std::size_t>(trie_.token_below(exit.node))], 0,
                  trie_.at(exit.node).depth - 1u);
      by_label[label_of(object, name)].push_back(exit.node);
    }
    for (auto const& [label, nodes] : by_label) {
      auto const mark = at_.here();
      at_.step_out_unknown(t, &label, levels_[0]);
      if (!levels_[0].empty()) {
        note(at_.weigh(levels_[0]));
        for (std::uint32_t const node : nodes) {
          for (token_id const id : trie_.tokens(node)) set_bit(mask_.bits, id);
          if (trie_.has_children(node)) descend(node, 0);
        }
      }
      at_.take_back(mark);
    }
  }
  // Trie nodes of the quote that would end a taken name.
  std::vector<std::uint32_t> ends_of_taken_names(thread const& t) const {
    std::vector<std::uint32_t> nodes;
    std::string_view const begun = at_.name_so_far(t);
    for (std::string_view const taken : at_.taken_names(t)) {
      if (!taken.starts_with(begun)) continue;
      std::uint32_t node = token_trie::root;
      for (char const c : taken.substr(begun.size())) {
        node = trie_.child(node, static_cast<std::uint8_t>(c));
        if (node == token_trie::none) break;
      }
      if (node != token_trie::none) node = trie_.child(node, '"');
      if (node != token_trie::none) nodes.push_back(node);
    }
    return nodes;
  }
  void walk_name_exits(thread const& t, text_summary const& summary) {
    text_unit const& text = machine_.text_at(t.top.state);
    for (auto const& exit : summary.exits) {
      auto const mark = at_.here();
      std::string_view const path =
          std::string_view(tokens_.bytes[static_cast<std::size_t>(trie_.token_below(exit.node))])
              .substr(0, trie_.at(exit.node).depth);
      thread ending = t;
      if (!text.language) ending.top.counter += exit.characters;
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
  machine& machine_;
  std::optional<std::size_t> budget_;
  weight margin_ = 0;  // on what is noted
  mask mask_;
  std::vector<thread_list> levels_;  // by distance from where the walk began
  std::vector<token_id> put_aside_;
  std::map<spelling, std::size_t> known_completions_;
  spelling spelling_;
};

}  // namespace

mask compute_mask(configuration& at, vocabulary::impl const& tokens, std::optional<std::size_t> budget) {
  return mask_walk(at, tokens, budget).run();
}

}  // namespace grammar
}  // namespace wherry::inline v0
