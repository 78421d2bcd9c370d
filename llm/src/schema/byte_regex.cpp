#include "schema/byte_regex.hpp"

#include <algorithm>
#include <queue>

namespace wherry::inline v0 {
namespace regex {

namespace {

constexpr int within_steps_max = 24;  // of one comparison of expressions

std::uint64_t mix(std::uint64_t h, std::uint64_t part) {
  h = (h ^ part) * 0x9e37'79b9'7f4a'7c15U;
  return h ^ (h >> 31);
}

std::size_t less(std::size_t count, std::size_t by) {
  return count == unbounded ? unbounded : count > by ? count - by : 0;
}

}  // namespace

arena::arena() {
  nodes_.push_back({.what = kind::none, .hash = 0});
  nodes_.push_back({.what = kind::empty, .nullable = true, .hash = 1});
  nodes_.push_back({.what = kind::negate, .nullable = true, .first = none, .hash = 2});
}

bool arena::is_same(record const& a, record const& b, std::vector<node> const* list) const {
  if (a.what != b.what) return false;
  if (list == nullptr) return a.first == b.first && a.second == b.second;
  return a.second == list->size() && std::equal(list->begin(), list->end(), lists_.begin() + a.first);
}

node arena::intern(record r, std::vector<node> const* list) {
  std::uint64_t h = mix(3, static_cast<std::uint64_t>(r.what));
  if (list == nullptr) {
    h = mix(mix(h, r.first), r.second);
  } else {
    for (node const part : *list) h = mix(h, part);
  }
  auto const [from, to] = known_.equal_range(h);
  for (auto it = from; it != to; ++it) {
    if (is_same(nodes_[it->second], r, list)) return it->second;
  }
  if (nodes_.size() >= nodes_max) {
    exhausted_ = true;
    return none;
  }
  if (list != nullptr) {
    r.first = static_cast<std::uint32_t>(lists_.size());
    r.second = static_cast<std::uint32_t>(list->size());
    lists_.insert(lists_.end(), list->begin(), list->end());
  }
  r.hash = h;
  switch (r.what) {
    case kind::cat: r.counts = nodes_[r.first].counts || nodes_[r.second].counts; break;
    case kind::negate: r.counts = nodes_[r.first].counts; break;
    case kind::repeat: r.counts = nodes_[r.first].counts || bounds_[r.second].second != unbounded; break;
    case kind::either:
    case kind::both:
      r.counts = std::any_of(list->begin(), list->end(), [&](node n) { return nodes_[n].counts; });
      break;
    default: break;
  }
  nodes_.push_back(r);
  auto const made = static_cast<node>(nodes_.size() - 1);
  known_.emplace(h, made);
  return made;
}

std::uint32_t arena::intern_set(byte_set const& set) {
  auto const it = std::find(sets_.begin(), sets_.end(), set);
  if (it != sets_.end()) return static_cast<std::uint32_t>(it - sets_.begin());
  sets_.push_back(set);
  return static_cast<std::uint32_t>(sets_.size() - 1);
}

std::uint32_t arena::intern_bounds(std::size_t min, std::size_t max) {
  std::pair const wanted(min, max);
  // The newest come first: counting down asks for neighbours.
  auto const it = std::find(bounds_.rbegin(), bounds_.rend(), wanted);
  if (it != bounds_.rend()) return static_cast<std::uint32_t>(bounds_.rend() - it - 1);
  bounds_.push_back(wanted);
  return static_cast<std::uint32_t>(bounds_.size() - 1);
}

std::vector<node> arena::parts_of(node n) const {
  auto const from = lists_.begin() + nodes_[n].first;
  return {from, from + nodes_[n].second};
}

node arena::bytes(byte_set const& set) {
  if (set.is_empty()) return none;
  return intern({.what = kind::bytes, .first = intern_set(set)}, nullptr);
}

node arena::literal(std::string_view text) {
  node n = empty;
  for (std::size_t i = text.size(); i-- > 0;) {
    byte_set one;
    one.add(static_cast<std::uint8_t>(text[i]), static_cast<std::uint8_t>(text[i]));
    n = cat(bytes(one), n);
  }
  return n;
}

node arena::cat(node first, node second) {
  if (first == none || second == none) return none;
  if (first == empty) return second;
  if (second == empty) return first;
  if (first == all && second == all) return all;
  if (nodes_[first].what == kind::cat) {
    node const head = nodes_[first].first, tail = nodes_[first].second;
    return cat(head, cat(tail, second));
  }
  return intern(
      {.what = kind::cat, .nullable = is_nullable(first) && is_nullable(second), .first = first, .second = second},
      nullptr);
}

// True only when every text of the one is a text of the other. Looks at how the expressions are built and no deeper:
// enough for what counting leaves behind, "up to 7 of these, then x" beside "up to 9 of these, then x".
bool arena::is_within(node small, node large, int& steps) const {
  if (small == large || small == none || large == all) return true;
  if (--steps < 0) return false;
  record const& s = nodes_[small];
  record const& l = nodes_[large];
  if (small == empty) return l.nullable;
  if (l.what == kind::repeat) {
    auto const [min, max] = bounds_[l.second];
    if (s.what == kind::repeat && s.first == l.first) {
      auto const [own_min, own_max] = bounds_[s.second];
      return min <= own_min && own_max <= max;
    }
    return min <= 1 && is_within(small, l.first, steps);
  }
  if (l.what == kind::cat) {
    if (s.what == kind::cat && is_within(s.first, l.first, steps) && is_within(s.second, l.second, steps)) return true;
    return nodes_[l.first].nullable && is_within(small, l.second, steps);
  }
  return false;
}

// Texts that can be counted in several ways would otherwise have one part for each way.
void arena::drop_parts_within_others(std::vector<node>& parts) const {
  constexpr std::size_t compared_max = 256;
  std::vector<node> counting;
  for (node const part : parts)
    if (nodes_[part].counts) counting.push_back(part);
  if (counting.size() < 2 || counting.size() > compared_max) return;
  std::vector<node> dropped;
  for (std::size_t i = 0; i < counting.size(); ++i) {
    for (std::size_t j = 0; j < counting.size(); ++j) {
      int steps = within_steps_max;
      if (i == j || counting[j] == none || counting[i] == none || !is_within(counting[i], counting[j], steps)) continue;
      dropped.push_back(counting[i]);
      counting[i] = none;
    }
  }
  std::erase_if(parts, [&](node n) { return std::find(dropped.begin(), dropped.end(), n) != dropped.end(); });
}

node arena::either(std::vector<node> parts) {
  std::vector<node> flat;
  for (node const part : parts) {
    if (part == none) continue;
    if (part == all) return all;
    if (nodes_[part].what == kind::either) {
      auto const inner = parts_of(part);
      flat.insert(flat.end(), inner.begin(), inner.end());
    } else {
      flat.push_back(part);
    }
  }
  std::sort(flat.begin(), flat.end());
  flat.erase(std::unique(flat.begin(), flat.end()), flat.end());
  // One byte followed by the same rest becomes one part: that is what keeps sets of characters small.
  std::unordered_map<node, std::size_t> by_rest;
  std::vector<node> merged;
  for (node const part : flat) {
    record const& r = nodes_[part];
    bool const is_cat = r.what == kind::cat && nodes_[r.first].what == kind::bytes;
    if (!is_cat && r.what != kind::bytes) {
      merged.push_back(part);
      continue;
    }
    node const rest = is_cat ? r.second : empty;
    auto const [it, is_new] = by_rest.try_emplace(rest, merged.size());
    if (is_new) {
      merged.push_back(part);
      continue;
    }
    auto const set_of = [&](node n) {
      record const& at = nodes_[n];
      return sets_[at.what == kind::cat ? nodes_[at.first].first : at.first];
    };
    byte_set joined = set_of(merged[it->second]);
    joined |= set_of(part);
    merged[it->second] = cat(bytes(joined), rest);
  }
  std::sort(merged.begin(), merged.end());
  merged.erase(std::unique(merged.begin(), merged.end()), merged.end());
  drop_parts_within_others(merged);
  bool const has_nullable =
      std::any_of(merged.begin(), merged.end(), [&](node n) { return n != empty && is_nullable(n); });
  if (has_nullable) std::erase(merged, empty);
  if (merged.empty()) return none;
  if (merged.size() == 1) return merged.front();
  bool const nullable = std::any_of(merged.begin(), merged.end(), [&](node n) { return is_nullable(n); });
  return intern({.what = kind::either, .nullable = nullable}, &merged);
}

node arena::both(std::vector<node> parts) {
  std::vector<node> flat;
  for (node const part : parts) {
    if (part == none) return none;
    if (part == all) continue;
    if (nodes_[part].what == kind::both) {
      auto const inner = parts_of(part);
      flat.insert(flat.end(), inner.begin(), inner.end());
    } else {
      flat.push_back(part);
    }
  }
  std::sort(flat.begin(), flat.end());
  flat.erase(std::unique(flat.begin(), flat.end()), flat.end());
  if (flat.empty()) return all;
  if (flat.size() == 1) return flat.front();
  bool const nullable = std::all_of(flat.begin(), flat.end(), [&](node n) { return is_nullable(n); });
  if (std::find(flat.begin(), flat.end(), empty) != flat.end()) return nullable ? empty : none;
  // Nothing is in a language and not in a larger one.
  for (node const part : flat) {
    if (nodes_[part].what != kind::negate) continue;
    node const inner = nodes_[part].first;
    auto const excluded = nodes_[inner].what == kind::either ? parts_of(inner) : std::vector<node>{inner};
    for (node const other : flat) {
      for (node const large : excluded) {
        int steps = within_steps_max;
        if (other != part && is_within(other, large, steps)) return none;
      }
    }
  }
  return intern({.what = kind::both, .nullable = nullable}, &flat);
}

node arena::negate(node part) {
  if (part == none) return all;
  if (nodes_[part].what == kind::negate) return nodes_[part].first;
  return intern({.what = kind::negate, .nullable = !is_nullable(part), .first = part}, nullptr);
}

node arena::repeat(node part, std::size_t min, std::size_t max) {
  if (min > max) return none;
  if (max == 0 || part == empty) return empty;
  if (part == none) return min == 0 ? empty : none;
  if (min == 1 && max == 1) return part;
  if (min == 0 && max == unbounded && part == all) return all;
  if (min == 0 && max == unbounded && nodes_[part].what == kind::repeat) {
    auto const [inner_min, inner_max] = bounds_[nodes_[part].second];
    if (inner_min <= 1 && inner_max == unbounded) return repeat(nodes_[part].first, 0, unbounded);
  }
  return intern({.what = kind::repeat,
                 .nullable = min == 0 || is_nullable(part),
                 .first = part,
                 .second = intern_bounds(min, max)},
                nullptr);
}

node arena::derive(node n, std::uint8_t byte) {
  record const r = nodes_[n];
  switch (r.what) {
    case kind::none:
    case kind::empty: return none;
    case kind::bytes: return sets_[r.first].has(byte) ? empty : none;
    default: break;
  }
  std::uint64_t const key = static_cast<std::uint64_t>(n) << 8 | (class_count_ > 0 ? class_of_[byte] : byte);
  if (auto const found = derived_.find(key); found != derived_.end()) return found->second;
  node made = none;
  switch (r.what) {
    case kind::cat: {
      made = cat(derive(r.first, byte), r.second);
      if (is_nullable(r.first)) made = either({made, derive(r.second, byte)});
      break;
    }
    case kind::either:
    case kind::both: {
      auto parts = parts_of(n);
      for (node& part : parts) part = derive(part, byte);
      made = r.what == kind::either ? either(std::move(parts)) : both(std::move(parts));
      break;
    }
    case kind::negate: made = negate(derive(r.first, byte)); break;
    case kind::repeat: {
      auto const [min, max] = bounds_[r.second];
      made = cat(derive(r.first, byte), repeat(r.first, less(min, 1), less(max, 1)));
      break;
    }
    default: break;
  }
  derived_.emplace(key, made);
  return made;
}

std::array<std::uint8_t, 256> const& arena::classes() {
  if (class_count_ > 0) return class_of_;
  std::unordered_map<std::string, std::uint8_t> seen;
  for (unsigned byte = 0; byte < 256; ++byte) {
    std::string signature;
    for (auto const& set : sets_) signature += set.has(static_cast<std::uint8_t>(byte)) ? '1' : '0';
    class_of_[byte] = seen.try_emplace(std::move(signature), static_cast<std::uint8_t>(seen.size())).first->second;
  }
  class_count_ = seen.size();
  derived_.clear();
  return class_of_;
}

automaton::automaton(std::shared_ptr<arena> expressions, node language, std::size_t states_limit)
    : arena_(std::move(expressions)), states_limit_(states_limit) {
  class_of_ = arena_->classes();
  classes_ = arena_->class_count();
  representatives_.resize(classes_);
  for (unsigned byte = 256; byte-- > 0;) representatives_[class_of_[byte]] = static_cast<std::uint8_t>(byte);
  state const first = state_of(language);
  start_ = is_alive(first) ? first : dead;
}

automaton::state automaton::state_of(node expression) {
  auto const [it, is_new] = known_.try_emplace(expression, static_cast<state>(states_.size()));
  if (!is_new) return it->second;
  if (states_.size() >= states_limit_) {
    exhausted_ = true;
    known_.erase(it);
    return dead;
  }
  states_.push_back({.expression = expression, .accepts = arena_->is_nullable(expression)});
  if (expression == arena::none) states_.back().is = life::dead;
  if (states_.back().accepts) states_.back().is = life::alive;
  rows_.resize(rows_.size() + classes_, unknown);
  raw_rows_.resize(raw_rows_.size() + classes_, unknown);
  return it->second;
}

automaton::state automaton::raw_next(state from, std::size_t byte_class) {
  state const known = raw_rows_[from * classes_ + byte_class];
  if (known != unknown) return known;
  node const to = arena_->derive(states_[from].expression, representatives_[byte_class]);
  state const target = arena_->is_exhausted() ? dead : state_of(to);
  raw_rows_[from * classes_ + byte_class] = target;
  return target;
}

automaton::state automaton::step(state from, std::uint8_t byte) {
  state target = raw_next(from, class_of_[byte]);
  if (target != dead && !is_alive(target)) target = dead;
  rows_[from * classes_ + class_of_[byte]] = target;
  return target;
}

// States that differ in a count mostly end by the same text.
bool automaton::reaches_end_by_known_text(state at) {
  for (std::size_t i = 0; i < known_texts_.size(); ++i) {
    std::string const& text = known_texts_[i];
    std::vector<state> path{at};
    for (std::size_t k = 0; k < text.size() && path.back() != dead && states_[path.back()].is == life::unknown; ++k)
      path.push_back(raw_next(path.back(), class_of_[static_cast<std::uint8_t>(text[k])]));
    if (path.back() == dead || states_[path.back()].is != life::alive) continue;
    for (std::size_t k = path.size() - 1; k-- > 0;) {
      states_[path[k]].is = life::alive;
      states_[path[k]].end_within = states_[path[k + 1]].end_within + 1;
    }
    std::rotate(known_texts_.begin(), known_texts_.begin() + static_cast<std::ptrdiff_t>(i),
                known_texts_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    return true;
  }
  return false;
}

// Breadth first until something known to live is met. When nothing is, everything looked at is dead.
bool automaton::is_alive(state at) {
  if (states_[at].is != life::unknown) return states_[at].is == life::alive;
  if (reaches_end_by_known_text(at)) return true;
  std::vector<state> seen{at};
  struct origin {
    state from;
    std::uint8_t byte;
  };
  constexpr std::size_t looked_at_max = 20'000;
  std::unordered_map<state, origin> came_from{{at, {at, 0}}};
  for (std::size_t i = 0; i < seen.size(); ++i) {
    for (std::size_t c = 0; c < classes_; ++c) {
      state const to = raw_next(seen[i], c);
      if (to == dead || states_[to].is == life::dead || came_from.contains(to)) continue;
      if (states_[to].is == life::alive || reaches_end_by_known_text(to)) {
        constexpr std::size_t known_texts_max = 4;
        std::string text(1, static_cast<char>(representatives_[c]));
        std::uint32_t end_within = states_[to].end_within;
        for (state back = seen[i];; back = came_from[back].from) {
          states_[back].is = life::alive;
          states_[back].end_within = ++end_within;
          if (back == at) break;
          text += static_cast<char>(came_from[back].byte);
        }
        std::reverse(text.begin(), text.end());
        known_texts_.insert(known_texts_.begin(), std::move(text));
        if (known_texts_.size() > known_texts_max) known_texts_.pop_back();
        return true;
      }
      came_from[to] = origin{seen[i], representatives_[c]};
      seen.push_back(to);
      if (seen.size() < looked_at_max) continue;
      exhausted_ = true;
      states_[at].is = life::dead;
      return false;
    }
  }
  for (state const s : seen) states_[s].is = life::dead;
  return false;
}

std::string automaton::shortest(state at, std::array<bool, 256> const* prefer) {
  if (states_[at].accepts) return {};
  for (bool const all_bytes : {prefer == nullptr, true}) {
    struct origin {
      state from;
      std::uint8_t byte;
    };
    std::unordered_map<state, origin> came_from{{at, {at, 0}}};
    std::vector<state> seen{at};
    for (std::size_t i = 0; i < seen.size(); ++i) {
      for (unsigned n = 0; n < 256; ++n) {
        auto const byte = static_cast<std::uint8_t>('a' + n);  // letters first
        if (prefer != nullptr && !all_bytes ? !(*prefer)[byte] : byte != representatives_[class_of_[byte]]) continue;
        state const to = next(seen[i], byte);
        if (to == dead || !came_from.try_emplace(to, origin{seen[i], byte}).second) continue;
        if (states_[to].accepts) {
          std::string text;
          for (state back = to; back != at; back = came_from[back].from)
            text += static_cast<char>(came_from[back].byte);
          std::reverse(text.begin(), text.end());
          return text;
        }
        seen.push_back(to);
      }
    }
  }
  return {};
}

// A live state from which a cycle of live states can be reached accepts infinitely many texts.
bool automaton::is_infinite(state at) {
  if (states_[at].infinite != 2) return states_[at].infinite == 1;
  enum : std::uint8_t { open = 1, done = 2 };
  std::unordered_map<state, std::uint8_t> colour;
  std::vector<std::pair<state, std::size_t>> path{{at, 0}};
  colour[at] = open;
  bool found = false;
  constexpr std::size_t looked_at_max = 20'000;  // where that is not enough it counts as finite: the careful answer
  while (!path.empty() && !found && colour.size() < looked_at_max) {
    auto& [s, c] = path.back();
    if (c == classes_) {
      colour[s] = done;
      path.pop_back();
      continue;
    }
    state const to = next(s, representatives_[c++]);
    if (to == dead) continue;
    auto& mark = colour[to];
    if (mark == open) found = true;
    if (mark == 0) {
      mark = open;
      path.emplace_back(to, 0);
    }
  }
  if (found) {
    for (auto const& [s, c] : path) states_[s].infinite = 1;
  } else if (path.empty()) {
    for (auto const& [s, mark] : colour) states_[s].infinite = 0;
  }
  states_[at].infinite = found ? 1 : 0;
  return found;
}

bool automaton::matches(std::string_view text) {
  state at = start_;
  for (char const c : text) {
    if (at == dead) return false;
    at = next(at, static_cast<std::uint8_t>(c));
  }
  return at != dead && accepts(at);
}

}  // namespace regex
}  // namespace wherry::inline v0
