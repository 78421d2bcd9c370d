#include "grammar/configuration.hpp"

#include <algorithm>
#include <unordered_set>

namespace wherry::inline v0 {
namespace grammar {

configuration::configuration(machine& m) : machine_(&m) {
  if (is_alive(m.start, 0)) work_.push_back({.top = {.state = m.start}});
  close(threads_);
}

bool configuration::complete(thread_list const& threads) {
  return std::any_of(threads.begin(), threads.end(), [](thread const& t) { return t.top.state == machine::finished; });
}

bool configuration::is_alive(state_id id, std::uint32_t depth) const {
  return machine_->way_out[machine_->level(depth)][id] < impossible;
}

bool configuration::has_room(thread const& t, edge const& e) const {
  return !e.counted || t.top.counter < machine_->units[machine_->states[t.top.state].unit].max;
}

// Stepping.

void configuration::step(thread_list const& from, std::uint8_t byte, thread_list& to) {
  to.clear();
  met_unknown_name_ = false;
  for (thread const& t : from) {
    if (t.top.state == machine::finished) continue;
    machine::is_text(t.top.state) ? step_text(t, byte) : step_state(t, byte);
  }
  close(to);
}

void configuration::step_state(thread const& t, std::uint8_t byte) {
  for (edge const& e : machine_->edges_of(t.top.state)) {
    if (e.kind == edge_kind::bytes && e.first <= byte && byte <= e.last) follow(t, e);
  }
}

void configuration::step_text(thread const& t, std::uint8_t byte) {
  text_unit const& text = machine_->text_at(t.top.state);
  if (text.language) {
    auto& automaton = text.language->automaton;
    if (text.has_quote && byte == '"' && automaton.accepts(t.top.counter)) {  // elsewhere it may end an escape
      if (!text.is_name || !is_taken(t, name_so_far(t))) leave(t);
      return;
    }
    auto const to = automaton.next(t.top.counter, byte);
    if (to == regex::automaton::dead) return;
    thread next = t;
    next.top.counter = to;
    if (text.counts_language()) {
      auto const character = machine_->text_state(t.top.state);
      if (text.automaton->is_border(character)) ++next.top.extra;
      next.top.state = text.first_state + text.automaton->next(character, byte);
      if (!fits_length(text, to, machine_->text_state(next.top.state), next.top.extra)) return;
      return work_.push_back(next);
    }
    ++next.top.extra;
    if (text.is_name && is_finite_name(next)) {
      text_.push_back(static_cast<char>(byte));
      bool const lives = has_free_name(next);
      text_.pop_back();
      if (!lives) return;
    }
    return work_.push_back(next);
  }
  auto const from = machine_->text_state(t.top.state);
  auto const to = text.automaton->next(from, byte);
  if (to == text_automaton::refused) return;
  if (to == text_automaton::ended) {
    if (t.top.counter < text.min || (text.is_name && is_taken(t, name_so_far(t)))) return;
    return leave(t);
  }
  thread next = t;
  next.top.state = text.first_state + to;
  if (text.automaton->is_border(from) && ++next.top.counter > text.max) return;
  std::size_t const missing = text.min > next.top.counter ? text.min - next.top.counter : 0;
  if (++next.top.extra + text.finish[to].size() + missing > text.bytes_max) return;
  if (text.is_name && !name_can_end(next, byte)) return;
  work_.push_back(next);
}

void configuration::step_token(thread_list const& from, token_id id, thread_list& to) {
  to.clear();
  for (thread const& t : from) {
    if (t.top.state == machine::finished || machine::is_text(t.top.state)) continue;
    for (edge const& e : machine_->edges_of(t.top.state)) {
      if (e.kind == edge_kind::token && e.operand == static_cast<std::uint32_t>(id)) follow(t, e);
    }
  }
  close(to);
}

void configuration::step_out(thread const& text, thread_list& to) {
  to.clear();
  leave(text);
  close(to);
}

void configuration::step_out_unknown(thread const& name, std::vector<bool> const* label, thread_list& to) {
  to.clear();
  leave(name, true, label);
  close(to);
}

// Takes an edge that needs no check of its byte any more.
void configuration::follow(thread const& t, edge const& e) {
  if (!has_room(t, e) || !is_alive(e.target, t.top.depth)) return;
  frame after = t.top;
  after.state = e.target;
  if (e.counted) ++after.counter;
  // The names that are left may all be taken.
  if (e.counted && machine_->units[machine_->states[e.target].unit].is_due(e.target) &&
      needed_weight(after) >= impossible)
    return;
  if (e.kind != edge_kind::call) return work_.push_back({after, t.parent});

  std::uint32_t const depth = t.top.depth + (e.deepens ? 1 : 0);
  if (depth > machine_->depth_max || machine_->entry_weight(e.operand, machine_->level(depth)) >= impossible) return;
  state const& back = machine_->states[e.target];
  bool const is_last = back.accepts && back.edge_count == 0 && machine_->units[back.unit].min == 0;
  work_.push_back({{.state = e.operand, .depth = depth}, is_last ? t.parent : push(after, t.parent)});
}

void configuration::leave(thread const& t, bool unknown_name, std::vector<bool> const* label) {
  if (t.parent == thread::no_parent) return work_.push_back({.top = {.state = machine::finished}});
  thread up{nodes_[t.parent].f, nodes_[t.parent].parent};
  if (machine::is_text(t.top.state) && machine_->text_at(t.top.state).is_name) {
    if (!unknown_name) {
      up.top = behind_name(t, name_so_far(t));
      if (up.top.state == machine::finished) return;  // no value goes with it
    }
    if (label) {
      auto const& after = machine_->choices[machine_->text_at(t.top.state).choice].after;
      auto const found = after.find(*label);
      if (found == after.end()) return;
      up.top.state = found->second;
    }
    used_name const taken{up.top.extra, static_cast<std::uint32_t>(text_.size() - t.top.extra),
                          unknown_name ? unknown_size : t.top.extra};
    if (names_.empty() || names_.back() != taken) names_.push_back(taken);
    up.top.extra = static_cast<std::uint32_t>(names_.size());
  }
  work_.push_back(up);
}

// The frame that reads on behind a whole name: what follows may depend on it.
frame configuration::behind_name(thread const& name, std::string_view whole) const {
  frame up = nodes_[name.parent].f;
  text_unit const& text = machine_->text_at(name.top.state);
  if (text.choice == unit::no_choice) return up;
  name_choice const& choice = machine_->choices[text.choice];
  if (choice.object->values.size() < 2) return up;
  auto const found = choice.after.find(label_of(*choice.object, whole));
  up.state = found != choice.after.end() ? found->second : machine::finished;
  return up;
}

std::uint32_t configuration::push(frame const& f, std::uint32_t parent) {
  constexpr std::size_t looked_at = 16;  // equal stacks made at the same byte become one
  std::size_t const from = nodes_.size() > looked_at ? nodes_.size() - looked_at : 0;
  for (std::size_t i = nodes_.size(); i-- > from;) {
    if (nodes_[i].parent == parent && nodes_[i].f == f) return static_cast<std::uint32_t>(i);
  }
  nodes_.push_back({f, parent, plus(frame_weight(f), rest(parent))});
  return static_cast<std::uint32_t>(nodes_.size() - 1);
}

namespace {

struct thread_hash {
  std::size_t operator()(thread const& t) const {
    std::uint64_t h = t.top.state;
    for (std::uint64_t const part : {t.top.counter, t.top.extra, t.top.depth, t.parent}) {
      h = (h ^ part) * 0x9e37'79b9'7f4a'7c15U;
      h ^= h >> 29;
    }
    return static_cast<std::size_t>(h);
  }
};

// Tells whether a thread was seen before; a list while there are few, a set beyond.
class seen_threads {
 public:
  explicit seen_threads(thread_list& list) : list_(list) { list_.clear(); }
  bool add(thread const& t) {
    if (list_.size() < few) {
      if (std::find(list_.begin(), list_.end(), t) != list_.end()) return false;
      list_.push_back(t);
      return true;
    }
    if (set_.empty()) set_.insert(list_.begin(), list_.end());
    return set_.insert(t).second;
  }

 private:
  static constexpr std::size_t few = 24;
  thread_list& list_;
  std::unordered_set<thread, thread_hash> set_;
};

}  // namespace

// Follows everything that consumes nothing, from the threads in work_, and keeps those that wait for a byte or a token.
void configuration::close(thread_list& out) {
  seen_threads seen(visited_);
  while (!work_.empty()) {
    thread const t = work_.back();
    work_.pop_back();
    if (!seen.add(t)) continue;
    if (t.top.state == machine::finished) {
      out.push_back(t);
      continue;
    }
    if (machine::is_text(t.top.state)) {
      out.push_back(t);
      text_unit const& text = machine_->text_at(t.top.state);
      if (text.has_quote) continue;
      bool const ends = text.language
                            ? text.language->automaton.accepts(t.top.counter)
                            : t.top.counter >= text.min && text.automaton->is_border(machine_->text_state(t.top.state));
      if (ends) leave(t);
      continue;
    }
    machine_->expand(t.top.state);
    state const& s = machine_->states[t.top.state];
    if (s.consumes) out.push_back(t);
    if (s.accepts && t.top.counter >= machine_->units[s.unit].min) leave(t);
    for (edge const& e : machine_->edges_of(t.top.state)) {
      if (e.kind == edge_kind::jump || e.kind == edge_kind::call) follow(t, e);
    }
  }
}

std::bitset<256> configuration::possible(thread_list const& threads) const {
  std::bitset<256> bytes;
  for (thread const& t : threads) {
    if (t.top.state == machine::finished) continue;
    if (machine::is_text(t.top.state)) {
      text_unit const& text = machine_->text_at(t.top.state);
      if (text.language) {
        bytes.set();
        continue;
      }
      bytes |= text.possible[machine_->text_state(t.top.state)];
      continue;
    }
    for (edge const& e : machine_->edges_of(t.top.state)) {
      if (e.kind != edge_kind::bytes || !has_room(t, e)) continue;
      for (unsigned byte = e.first; byte <= e.last; ++byte) bytes.set(byte);
    }
  }
  return bytes;
}

bool configuration::waits_for_token(thread_list const& threads) const {
  return std::any_of(threads.begin(), threads.end(), [this](thread const& t) {
    if (t.top.state == machine::finished || machine::is_text(t.top.state)) return false;
    auto const edges = machine_->edges_of(t.top.state);
    return std::any_of(edges.begin(), edges.end(), [](edge const& e) { return e.kind == edge_kind::token; });
  });
}

void configuration::take_back(mark const& m) {
  nodes_.resize(m.nodes, node{});
  names_.resize(m.names);
  text_.resize(m.text);
}

void configuration::settle(thread_list threads) {
  constexpr std::size_t collect_above = 1'024;
  threads_ = std::move(threads);
  if (nodes_.size() <= collect_above) return;
  std::vector<std::uint32_t> moved(nodes_.size(), thread::no_parent);
  for (thread const& t : threads_) {
    for (auto at = t.parent; at != thread::no_parent && moved[at] == thread::no_parent; at = nodes_[at].parent)
      moved[at] = 0;
  }
  std::uint32_t kept = 0;
  auto const place = [&moved](std::uint32_t old) { return old == thread::no_parent ? old : moved[old]; };
  for (std::size_t i = 0; i < nodes_.size(); ++i) {  // parents come before children
    if (moved[i] == thread::no_parent) continue;
    node n = nodes_[i];
    n.parent = place(n.parent);
    nodes_[kept] = n;
    moved[i] = kept++;
  }
  nodes_.resize(kept, node{});
  for (thread& t : threads_) t.parent = place(t.parent);
}

// Names.

std::string_view configuration::name_so_far(thread const& name) const {
  return std::string_view(text_).substr(text_.size() - name.top.extra);
}

std::vector<std::string_view> configuration::taken_names(thread const& name) const {
  frame const& caller = nodes_[name.parent].f;
  auto const& declared = machine_->units[machine_->states[caller.state].unit].names;
  std::vector<std::string_view> taken(declared.begin(), declared.end());
  for (std::uint32_t at = caller.extra; at != 0; at = names_[at - 1].previous) {
    if (names_[at - 1].size == unknown_size) continue;
    taken.push_back(std::string_view(text_).substr(names_[at - 1].begin, names_[at - 1].size));
  }
  return taken;
}

bool configuration::fits_length(text_unit const& text, regex::automaton::state at, text_automaton::state character,
                                std::size_t characters) const {
  if (characters + text.language->automaton.shortest_at_most(at) <= text.max) return true;
  for (char const c : text.language->completion(at, machine_->has_byte)) {
    if (text.automaton->is_border(character)) ++characters;
    character = text.automaton->next(character, static_cast<std::uint8_t>(c));
  }
  return characters <= text.max;
}

std::size_t configuration::names_taken(thread const& name) const {
  frame const& caller = nodes_[name.parent].f;
  return machine_->units[machine_->states[caller.state].unit].names.size() + caller.counter;
}

bool configuration::is_taken(thread const& name, std::string_view candidate) const {
  frame const& caller = nodes_[name.parent].f;
  auto const& declared = machine_->units[machine_->states[caller.state].unit].names;
  if (std::binary_search(declared.begin(), declared.end(), candidate)) return true;
  for (std::uint32_t at = caller.extra; at != 0; at = names_[at - 1].previous) {
    if (names_[at - 1].size == unknown_size) {
      met_unknown_name_ = true;
      continue;
    }
    if (std::string_view(text_).substr(names_[at - 1].begin, names_[at - 1].size) == candidate) return true;
  }
  return false;
}

bool configuration::is_finite_name(thread const& t) const {
  return !machine_->text_at(t.top.state).language->automaton.is_infinite(t.top.counter);
}

bool configuration::has_free_name(thread const& t) const { return free_completion(t).has_value(); }

// The shortest rest of a name in a language with which it is none that is taken.
std::optional<std::string> configuration::free_completion(thread const& t) const {
  lazy_text& language = *machine_->text_at(t.top.state).language;
  std::string const begun(name_so_far(t));
  std::string const& shortest = language.completion(t.top.counter, machine_->has_byte);
  if (!is_taken(t, begun + shortest)) return shortest;
  std::optional<std::string> free;
  language.find(t.top.counter, machine_->has_byte, [&](std::string const& rest) {
    if (is_taken(t, begun + rest)) return false;
    free = rest;
    return true;
  });
  return free;
}

// How many fillers make a name new once the character begun is finished. Each taken name rules out one number.
std::size_t configuration::name_fillers(thread const& t) const {
  text_unit const& text = machine_->text_at(t.top.state);
  std::string candidate(name_so_far(t));
  candidate += text.finish[machine_->text_state(t.top.state)];
  std::size_t count = 0;
  for (; is_taken(t, candidate); ++count) candidate += static_cast<char>(text.filler);
  return count;
}

bool configuration::name_can_end(thread const& t, std::uint8_t byte) {
  text_unit const& text = machine_->text_at(t.top.state);
  std::size_t const length = t.top.extra + text.finish[machine_->text_state(t.top.state)].size();
  if (length + names_taken(t) <= text.bytes_max) return true;
  text_.push_back(static_cast<char>(byte));
  bool const fits = length + name_fillers(t) <= text.bytes_max;
  text_.pop_back();
  return fits;
}

bool configuration::is_far_from_bytes_max(thread const& t, std::size_t reach) const {
  constexpr std::size_t slack = 16;  // more than any character begun needs to end
  text_unit const& text = machine_->text_at(t.top.state);
  if (text.language) return !text.is_name || !is_finite_name(t);
  return t.top.extra + reach + slack + text.min + (text.is_name ? names_taken(t) : 0) <= text.bytes_max;
}

// Weights and completions. Both make the same choices: what is weighed is what is spelled.

std::vector<std::string> configuration::taken_by(frame const& caller) const {
  unit const& u = machine_->units[machine_->states[caller.state].unit];
  std::vector<std::string> taken = u.names;
  for (std::uint32_t at = caller.extra; at != 0; at = names_[at - 1].previous) {
    if (names_[at - 1].size != unknown_size) {
      taken.push_back(text_.substr(names_[at - 1].begin, names_[at - 1].size));
    } else if (auto const& names = machine_->choices[u.choice].object->names; names) {
      // It may be the last one that is free.
      if (!names->automaton.is_infinite(names->automaton.start())) met_unknown_name_ = true;
    }
  }
  std::sort(taken.begin(), taken.end());
  return taken;
}

// The members that an object still needs behind the one that is being read.
std::vector<other_member> configuration::needed_members(frame const& f, std::string const* also_taken) const {
  unit const& u = machine_->units[machine_->states[f.state].unit];
  std::size_t const count = u.needed(f.state, f.counter);
  if (count == 0) return {};
  auto taken = taken_by(f);
  if (also_taken) taken.insert(std::upper_bound(taken.begin(), taken.end(), *also_taken), *also_taken);
  return machine_->members_needed(u, taken, machine_->level(f.depth), count);
}

weight configuration::name_margin(thread const& name) const {
  frame const& f = nodes_[name.parent].f;
  unit const& u = machine_->units[machine_->states[f.state].unit];
  std::size_t const count = u.needed(f.state, f.counter);
  if (count == 0) return 0;
  auto const members = machine_->members_needed(u, taken_by(f), machine_->level(f.depth), count + 1);
  return members.empty() ? 1 : members.back().total;
}

weight configuration::needed_weight(frame const& f, std::string const* also_taken) const {
  unit const& u = machine_->units[machine_->states[f.state].unit];
  std::size_t const count = u.needed(f.state, f.counter);
  if (count == 0) return 0;
  auto const members = needed_members(f, also_taken);
  if (members.size() < count) return impossible;
  weight sum = times(u.is_due(f.state) ? count - 1 : count, machine_->byte_weight[',']);
  for (auto const& member : members) sum = plus(sum, member.total);
  return sum;
}

weight configuration::frame_weight(frame const& f, std::string const* also_taken) const {
  if (f.state == machine::finished) return impossible;  // behind a name that no value goes with
  std::size_t const level = machine_->level(f.depth);
  unit const& u = machine_->units[machine_->states[f.state].unit];
  if (u.choice != unit::no_choice) {
    weight const out = u.is_due(f.state) ? 0 : machine_->way_out[level][f.state];
    return plus(out, needed_weight(f, also_taken));
  }
  weight const out = machine_->way_out[level][f.state];
  if (f.counter >= u.min) return out;
  return plus(out, times(u.min - f.counter, machine_->round_weight(u, level)));
}

weight configuration::weigh(thread const& t) const {
  if (t.top.state == machine::finished) return 0;
  if (!machine::is_text(t.top.state)) return plus(frame_weight(t.top), rest(t.parent));
  text_unit const& text = machine_->text_at(t.top.state);
  if (text.is_name) return name_weight(t);
  if (text.language) {
    weight const own = machine_->spelled_weight(text.language->completion(t.top.counter, machine_->has_byte));
    return plus(plus(own, text.quote_weight), rest(t.parent));
  }
  std::size_t const fillers = text.min > t.top.counter ? text.min - t.top.counter : 0;
  weight const own = plus(text.finish_weight[machine_->text_state(t.top.state)], text.quote_weight);
  return plus(plus(own, times(fillers, text.filler_weight)), rest(t.parent));
}

// The rest of a name that makes it one that is not taken.
std::string configuration::name_rest(thread const& t) const {
  text_unit const& text = machine_->text_at(t.top.state);
  if (text.language) return free_completion(t).value_or(text.language->completion(t.top.counter, machine_->has_byte));
  return text.finish[machine_->text_state(t.top.state)] + std::string(name_fillers(t), static_cast<char>(text.filler));
}

// What follows a name, and which names later members may have, depends on the name.
weight configuration::name_weight(thread const& t) const {
  text_unit const& text = machine_->text_at(t.top.state);
  std::string const last = name_rest(t);
  weight const own = plus(machine_->spelled_weight(last), text.quote_weight);
  node const& caller = nodes_[t.parent];
  unit const& u = machine_->units[machine_->states[caller.f.state].unit];
  if (u.min <= caller.f.counter && machine_->choices[u.choice].object->values.size() < 2)
    return plus(own, rest(t.parent));
  std::string const whole = std::string(name_so_far(t)) + last;
  return plus(plus(own, frame_weight(behind_name(t, whole), &whole)), rest(caller.parent));
}

weight configuration::weigh(thread_list const& threads) const {
  weight least = impossible;
  for (thread const& t : threads) least = std::min(least, weigh(t));
  return least;
}

void configuration::spell(thread const& t, spelling& out) const {
  if (t.top.state == machine::finished) return;
  std::uint32_t at = t.parent;
  if (!machine::is_text(t.top.state)) {
    spell_frame(t.top, out);
  } else if (!machine_->text_at(t.top.state).is_name) {
    spell_text(t, out);
  } else {
    std::string const last = name_rest(t), whole = std::string(name_so_far(t)) + last;
    for (char const c : last) out.push_back(static_cast<std::uint8_t>(c));
    out.push_back('"');
    spell_frame(behind_name(t, whole), out, &whole);
    at = nodes_[at].parent;
  }
  for (; at != thread::no_parent; at = nodes_[at].parent) spell_frame(nodes_[at].f, out);
}

void configuration::spell_text(thread const& t, spelling& out) const {
  text_unit const& text = machine_->text_at(t.top.state);
  if (text.language) {
    for (char const c : text.language->completion(t.top.counter, machine_->has_byte))
      out.push_back(static_cast<std::uint8_t>(c));
  } else {
    for (char const c : text.finish[machine_->text_state(t.top.state)]) out.push_back(static_cast<std::uint8_t>(c));
    out.insert(out.end(), text.min > t.top.counter ? text.min - t.top.counter : 0, text.filler);
  }
  if (text.has_quote) out.push_back('"');
}

void configuration::spell_entry(state_id callee, std::uint32_t depth, spelling& out) const {
  if (!machine::is_text(callee)) return spell_frame({.state = callee, .depth = depth}, out);
  spell_text({.top = {.state = callee}}, out);
}

void configuration::spell_members(frame const& f, std::vector<other_member> const& members, bool comma_first,
                                  spelling& out) const {
  unit const& u = machine_->units[machine_->states[f.state].unit];
  name_choice const& choice = machine_->choices[u.choice];
  auto const& shapes = machine_->parts[choice.part].table->shapes;
  for (auto const& member : members) {
    if (std::exchange(comma_first, true)) out.push_back(',');
    out.push_back('"');
    for (char const c : member.name) out.push_back(static_cast<std::uint8_t>(c));
    out.push_back('"');
    if (choice.object->is_list) continue;
    out.push_back(':');
    bool const deeper =
        shapes[member.value].is_recursive && shapes[member.value].component == shapes[choice.of].component;
    spell_entry(machine_->entry(choice.part, member.value), f.depth + (deeper ? 1 : 0), out);
  }
}

void configuration::spell_frame(frame f, spelling& out, std::string const* also_taken) const {
  std::size_t const level = machine_->level(f.depth);
  std::uint32_t const own_unit = machine_->states[f.state].unit;
  bool const collects = machine_->units[own_unit].choice != unit::no_choice;
  if (collects) {
    bool const is_due = machine_->units[own_unit].is_due(f.state);
    auto const members = needed_members(f, also_taken);
    if (!is_due) spell_way_out(f, level, out);
    return spell_members(f, members, !is_due, out);
  }
  for (; f.counter < machine_->units[own_unit].min; ++f.counter)
    spell_entry(machine_->units[own_unit].round, f.depth, out);
  spell_way_out(f, level, out);
}

void configuration::spell_way_out(frame f, std::size_t level, spelling& out) const {
  for (;;) {
    machine_->expand(f.state);
    if (machine_->way_out[level][f.state] == 0 && machine_->states[f.state].accepts) return;
    edge best{};
    bool found = false;
    for (edge const& e : machine_->edges_of(f.state)) {
      weight own = 0;
      std::uint32_t const depth = f.depth + (e.deepens ? 1 : 0);
      if (e.kind == edge_kind::bytes) own = machine_->byte_weight[machine_->best_byte(e)];
      if (e.kind == edge_kind::token) own = 1;
      if (e.kind == edge_kind::call) {
        own = depth > machine_->depth_max ? impossible : machine_->entry_weight(e.operand, machine_->level(depth));
      }
      if (plus(own, machine_->way_out[level][e.target]) == machine_->way_out[level][f.state]) {
        best = e;
        found = true;
        break;
      }
    }
    if (!found) return;  // a state without a way out is never reached
    if (best.kind == edge_kind::bytes) out.push_back(machine_->best_byte(best));
    if (best.kind == edge_kind::token) out.push_back(control_element + best.operand);
    if (best.kind == edge_kind::call) spell_entry(best.operand, f.depth + (best.deepens ? 1 : 0), out);
    f.state = best.target;
  }
}

// Cache keys.

namespace {

void put(std::string& out, std::uint64_t value) { out.append(reinterpret_cast<char const*>(&value), sizeof value); }

}  // namespace

void configuration::key_frame(frame const& f, std::size_t reach, std::string& out) const {
  auto const near = [reach](std::size_t distance) { return std::min(distance, reach + 1); };
  auto const above = [](std::size_t limit, std::size_t count) { return limit > count ? limit - count : 0; };
  put(out, std::uint64_t{f.state} << 32 | f.depth);
  if (machine::is_text(f.state)) {
    text_unit const& text = machine_->text_at(f.state);
    if (text.language)
      put(out, std::uint64_t{f.counter} << 32 | (text.counts_language() ? text.max - f.extra : 0));
    else
      put(out, near(above(text.min, f.counter)) << 32 | near(text.max - f.counter));
    return;
  }
  unit const& u = machine_->units[machine_->states[f.state].unit];
  put(out, near(above(u.min, f.counter)) << 32 | near(above(u.max, f.counter)));
  for (std::uint32_t at = f.extra; at != 0; at = names_[at - 1].previous) {
    put(out, names_[at - 1].size);
    if (names_[at - 1].size != unknown_size) out.append(text_, names_[at - 1].begin, names_[at - 1].size);
  }
}

std::string configuration::key(std::size_t reach) const {
  std::string out;
  weight const first = threads_.empty() ? 0 : weigh(threads_.front());
  for (thread const& t : threads_) {
    put(out, weigh(t) - first);
    if (t.top.state == machine::finished) continue;
    key_frame(t.top, reach, out);
    if (machine::is_text(t.top.state)) {
      put(out, is_far_from_bytes_max(t, reach) ? static_cast<std::uint64_t>(-1) : t.top.extra);
      if (machine_->text_at(t.top.state).is_name) out.append(name_so_far(t));
    }
    for (std::uint32_t at = t.parent; at != thread::no_parent; at = nodes_[at].parent)
      key_frame(nodes_[at].f, reach, out);
    put(out, thread::no_parent);
  }
  return out;
}

}  // namespace grammar
}  // namespace wherry::inline v0
