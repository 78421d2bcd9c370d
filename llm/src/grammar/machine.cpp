#include "grammar/machine.hpp"

#include <algorithm>

namespace wherry::inline v0 {
namespace grammar {

weight machine::spelled_weight(std::string_view bytes) const {
  weight sum = 0;
  for (char const c : bytes) sum = plus(sum, byte_weight[static_cast<std::uint8_t>(c)]);
  return sum;
}
weight machine::spelled_weight(spelling const& elements) const {
  weight sum = 0;
  for (auto const e : elements) sum = plus(sum, e < control_element ? byte_weight[e] : 1);
  return sum;
}

std::vector<other_member> machine::members_needed(unit const& u, std::vector<std::string> const& taken,
                                                  std::size_t level, std::size_t count) const {
  name_choice const& choice = choices[u.choice];
  auto const& part = parts[choice.part];
  auto const& shapes = part.table->shapes;
  std::vector<weight> values(shapes.size(), impossible);
  for (auto const& [unused, id] : choice.object->values) {
    bool const deeper = shapes[id].is_recursive && shapes[id].component == shapes[choice.of].component;
    values[id] = !deeper ? part.weights[level][id] : level == 0 ? impossible : part.weights[level - 1][id];
  }
  return other_members(*this, *choice.object, taken, values, count);
}

weight machine::entry_weight(state_id id, std::size_t level) const {
  if (is_text(id)) {
    text_unit const& text = text_at(id);
    if (text.language)
      return plus(spelled_weight(text.language->completion(text.language->automaton.start(), has_byte)),
                  text.quote_weight);
    return plus(plus(text.finish_weight[text_state(id)], text.quote_weight), times(text.min, text.filler_weight));
  }
  unit const& u = units[states[id].unit];
  if (u.choice != unit::no_choice) {
    std::size_t const count = std::max<std::size_t>(u.min, 1);
    auto const members = members_needed(u, u.names, level, count);
    if (members.size() < count) return impossible;
    weight sum = times(count - 1, byte_weight[',']);
    for (auto const& member : members) sum = plus(sum, member.total);
    return sum;
  }
  return plus(way_out[level][id], times(u.min, u.min > 0 ? round_weight(u, level) : 0));
}

weight machine::round_weight(unit const& u, std::size_t level) const { return entry_weight(u.round, level); }

std::uint8_t machine::best_byte(edge const& e) const {
  unsigned best = e.first;
  for (unsigned byte = e.first; byte <= e.last; ++byte) {
    if (byte_weight[byte] < byte_weight[best]) best = byte;
  }
  return static_cast<std::uint8_t>(best);
}

namespace {

weight edge_weight(machine const& m, edge const& e, std::size_t level) {
  weight const after = m.way_out[level][e.target];
  switch (e.kind) {
    case edge_kind::bytes: return plus(after, m.byte_weight[m.best_byte(e)]);
    case edge_kind::token: return plus(after, 1);
    case edge_kind::jump: return after;
    case edge_kind::call:
      if (after >= impossible || (e.deepens && level == 0)) return impossible;
      return plus(after, m.entry_weight(e.operand, e.deepens ? level - 1 : level));
  }
  return impossible;
}

weight least_way_out(machine const& m, state_id s, std::size_t level) {
  weight best = m.states[s].accepts ? 0 : impossible;
  for (edge const& e : m.edges_of(s)) best = std::min(best, edge_weight(m, e, level));
  return best;
}

// States were made roughly from front to back, so going backwards nearly every weight is final in the first round.
void relax(machine& m, std::size_t level) {
  auto& out = m.way_out[level];
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t s = m.states.size(); s-- > 0;) {
      if (m.states[s].stub != 0) continue;
      weight const best = least_way_out(m, static_cast<state_id>(s), level);
      if (best < out[s]) {
        out[s] = best;
        changed = true;
      }
    }
  }
}

}  // namespace

void weigh(machine& m) {
  m.way_out.clear();
  bool const recurses = std::any_of(m.edges.begin(), m.edges.end(), [](edge const& e) { return e.deepens; }) ||
                        std::any_of(m.parts.begin(), m.parts.end(), [](schema_part const& part) {
                          return std::any_of(part.table->shapes.begin(), part.table->shapes.end(),
                                             [](shape const& s) { return s.is_recursive; });
                        });
  for (std::size_t level = 0; level <= m.depth_max; ++level) {
    m.way_out.emplace_back(m.states.size(), impossible);
    bool same = level > 0;
    for (auto& part : m.parts) {
      part.weights.push_back(weigh_shapes(m, part, level > 0 ? &part.weights[level - 1] : nullptr));
      same = same && part.weights[level] == part.weights[level - 1];
    }
    for (std::size_t s = 0; s < m.states.size(); ++s) {
      if (m.states[s].stub == 0) continue;
      stub const& what = m.stubs[m.states[s].stub - 1];
      m.way_out[level][s] = m.parts[what.part].weights[level][what.of];
    }
    relax(m, level);
    // Two equal tables stand at the end: below the last one there is still one level of recursion left.
    if (!recurses || (same && m.way_out[level] == m.way_out[level - 1])) return;
  }
}

void weigh_fresh(machine& m, std::vector<state_id> const& fresh) {
  for (std::size_t level = 0; level < m.way_out.size(); ++level) {
    for (bool changed = true; changed;) {
      changed = false;
      for (std::size_t i = fresh.size(); i-- > 0;) {
        weight const best = least_way_out(m, fresh[i], level);
        if (best < m.way_out[level][fresh[i]]) {
          m.way_out[level][fresh[i]] = best;
          changed = true;
        }
      }
    }
  }
}

}  // namespace grammar
}  // namespace wherry::inline v0
