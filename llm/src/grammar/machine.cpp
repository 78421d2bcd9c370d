#include "grammar/machine.hpp"

#include <algorithm>

namespace wherry::inline v0 {
namespace grammar {

weight machine::entry_weight(state_id id, std::size_t level) const {
  if (is_text(id)) {
    text_unit const& text = text_at(id);
    return plus(plus(text.finish_weight[text_state(id)], text.quote_weight), times(text.min, text.filler_weight));
  }
  unit const& u = units[states[id].unit];
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
      if (e.deepens && level == 0) return impossible;
      return plus(after, m.entry_weight(e.operand, e.deepens ? level - 1 : level));
  }
  return impossible;
}

// States were made roughly from front to back, so going backwards nearly every weight is final in the first round.
void relax(machine& m, std::size_t level) {
  auto& out = m.way_out[level];
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t s = m.states.size(); s-- > 0;) {
      weight best = m.states[s].accepts ? 0 : impossible;
      for (edge const& e : m.edges_of(static_cast<state_id>(s))) best = std::min(best, edge_weight(m, e, level));
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
  for (std::size_t level = 0; level <= m.depth_max; ++level) {
    m.way_out.emplace_back(m.states.size(), impossible);
    relax(m, level);
    if (level > 0 && m.way_out[level] == m.way_out[level - 1]) {
      m.way_out.pop_back();
      return;
    }
  }
}

}  // namespace grammar
}  // namespace wherry::inline v0
