#include "grammar/configuration.hpp"

#include <algorithm>
#include <unordered_set>

namespace wherry::inline v0 {
namespace grammar {

configuration::configuration(machine const& m) : machine_(&m) {
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

// Takes an edge that needs no check of its byte any more.
void configuration::follow(thread const& t, edge const& e) {
  if (!has_room(t, e) || !is_alive(e.target, t.top.depth)) return;
  frame after = t.top;
  after.state = e.target;
  if (e.counted) ++after.counter;
  if (e.kind != edge_kind::call) return work_.push_back({after, t.parent});

  std::uint32_t const depth = t.top.depth + (e.deepens ? 1 : 0);
  if (depth > machine_->depth_max || machine_->entry_weight(e.operand, machine_->level(depth)) >= impossible) return;
  state const& back = machine_->states[e.target];
  bool const is_last = back.accepts && back.edge_count == 0 && machine_->units[back.unit].min == 0;
  work_.push_back({{.state = e.operand, .depth = depth}, is_last ? t.parent : push(after, t.parent)});
}

void configuration::leave(thread const& t) {
  if (t.parent == thread::no_parent) return work_.push_back({.top = {.state = machine::finished}});
  thread up{nodes_[t.parent].f, nodes_[t.parent].parent};
  if (machine::is_text(t.top.state) && machine_->text_at(t.top.state).is_name) {
    used_name const taken{up.top.extra, static_cast<std::uint32_t>(text_.size() - t.top.extra), t.top.extra};
    if (names_.empty() || names_.back() != taken) names_.push_back(taken);
    up.top.extra = static_cast<std::uint32_t>(names_.size());
  }
  work_.push_back(up);
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
      if (!text.automaton->has_quote() && text.automaton->is_border(machine_->text_state(t.top.state))) leave(t);
      continue;
    }
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
      bytes |= machine_->text_at(t.top.state).possible[machine_->text_state(t.top.state)];
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
    taken.push_back(std::string_view(text_).substr(names_[at - 1].begin, names_[at - 1].size));
  }
  return taken;
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
    if (std::string_view(text_).substr(names_[at - 1].begin, names_[at - 1].size) == candidate) return true;
  }
  return false;
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
  return t.top.extra + reach + slack + text.min + (text.is_name ? names_taken(t) : 0) <= text.bytes_max;
}

// Weights and completions. Both make the same choices: what is weighed is what is spelled.

weight configuration::frame_weight(frame const& f) const {
  std::size_t const level = machine_->level(f.depth);
  unit const& u = machine_->units[machine_->states[f.state].unit];
  weight const out = machine_->way_out[level][f.state];
  if (f.counter >= u.min) return out;
  return plus(out, times(u.min - f.counter, machine_->round_weight(u, level)));
}

weight configuration::weigh(thread const& t) const {
  if (t.top.state == machine::finished) return 0;
  if (!machine::is_text(t.top.state)) return plus(frame_weight(t.top), rest(t.parent));
  text_unit const& text = machine_->text_at(t.top.state);
  std::size_t fillers = text.min > t.top.counter ? text.min - t.top.counter : 0;
  if (text.is_name) fillers += name_fillers(t);
  weight const own = plus(text.finish_weight[machine_->text_state(t.top.state)], text.quote_weight);
  return plus(plus(own, times(fillers, text.filler_weight)), rest(t.parent));
}

weight configuration::weigh(thread_list const& threads) const {
  weight least = impossible;
  for (thread const& t : threads) least = std::min(least, weigh(t));
  return least;
}

void configuration::spell(thread const& t, spelling& out) const {
  if (t.top.state == machine::finished) return;
  machine::is_text(t.top.state) ? spell_text(t, out) : spell_frame(t.top, out);
  for (std::uint32_t at = t.parent; at != thread::no_parent; at = nodes_[at].parent) spell_frame(nodes_[at].f, out);
}

void configuration::spell_text(thread const& t, spelling& out) const {
  text_unit const& text = machine_->text_at(t.top.state);
  for (char const c : text.finish[machine_->text_state(t.top.state)]) out.push_back(static_cast<std::uint8_t>(c));
  std::size_t fillers = text.min > t.top.counter ? text.min - t.top.counter : 0;
  if (text.is_name) fillers += name_fillers(t);
  out.insert(out.end(), fillers, text.filler);
  if (text.automaton->has_quote()) out.push_back('"');
}

void configuration::spell_entry(state_id callee, std::uint32_t depth, spelling& out) const {
  if (!machine::is_text(callee)) return spell_frame({.state = callee, .depth = depth}, out);
  text_unit const& text = machine_->text_at(callee);
  out.insert(out.end(), text.min, text.filler);
  if (text.automaton->has_quote()) out.push_back('"');
}

void configuration::spell_frame(frame f, spelling& out) const {
  std::size_t const level = machine_->level(f.depth);
  auto const& way_out = machine_->way_out[level];
  unit const& u = machine_->units[machine_->states[f.state].unit];
  for (; f.counter < u.min; ++f.counter) spell_entry(u.round, f.depth, out);
  while (way_out[f.state] > 0 || !machine_->states[f.state].accepts) {
    edge const* best = nullptr;
    for (edge const& e : machine_->edges_of(f.state)) {
      weight own = 0;
      std::uint32_t const depth = f.depth + (e.deepens ? 1 : 0);
      if (e.kind == edge_kind::bytes) own = machine_->byte_weight[machine_->best_byte(e)];
      if (e.kind == edge_kind::token) own = 1;
      if (e.kind == edge_kind::call) {
        own = depth > machine_->depth_max ? impossible : machine_->entry_weight(e.operand, machine_->level(depth));
      }
      if (plus(own, way_out[e.target]) == way_out[f.state]) {
        best = &e;
        break;
      }
    }
    if (best->kind == edge_kind::bytes) out.push_back(machine_->best_byte(*best));
    if (best->kind == edge_kind::token) out.push_back(control_element + best->operand);
    if (best->kind == edge_kind::call) spell_entry(best->operand, f.depth + (best->deepens ? 1 : 0), out);
    f.state = best->target;
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
    put(out, near(above(text.min, f.counter)) << 32 | near(text.max - f.counter));
    return;
  }
  unit const& u = machine_->units[machine_->states[f.state].unit];
  put(out, near(above(u.min, f.counter)) << 32 | near(above(u.max, f.counter)));
  for (std::uint32_t at = f.extra; at != 0; at = names_[at - 1].previous) {
    put(out, names_[at - 1].size);
    out.append(text_, names_[at - 1].begin, names_[at - 1].size);
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
